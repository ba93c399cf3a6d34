"""Goal 4: an embedding and its label, d = 512: the point, its time, and noise that the model does not know."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hartley.bits.certified import certified_information
from hartley.bits.embedding import information_point, label_information
from hartley.bits.embeddings.gaussianity import gaussianity
from hartley.bits.embeddings.labeled import labeled
from measures_parts.line import Line, cpu_seconds, peer

TITLE = "Embedding to label (E1, E2)"
ROWS, DIMENSIONS = 2_000, 512
DRAWS = 100_000
Sample = tuple[np.ndarray, np.ndarray]


def concepts(labels: int, power: float, seed: int, rank: int = DIMENSIONS) -> np.ndarray:
    """Means (K, 512) in `rank` directions, of mean squared length `power` where the noise has variance 1 a direction."""
    means = np.zeros((labels, DIMENSIONS))
    means[:, :rank] = np.random.default_rng(seed).standard_normal((labels, rank))
    return means * np.sqrt(power * labels / (means**2).sum())


def log_student(square: np.ndarray, degrees: float = 4.0) -> np.ndarray:
    return -(degrees + DIMENSIONS) / 2 * np.log1p(square / degrees)


def noise(kind: str, n: int, generator: np.random.Generator) -> np.ndarray:
    rows = generator.standard_normal((n, DIMENSIONS))
    if kind == "student":
        rows /= np.sqrt(generator.chisquare(4, (n, 1)) / 4)
    if kind == "fixed norm":
        rows *= np.sqrt(DIMENSIONS) / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def sample(means: np.ndarray, n: int, seed: int, kind: str = "gaussian") -> Sample:
    generator = np.random.default_rng([seed, 1])  # never the draws of the means
    label = np.arange(n) % len(means)
    rows = means[label] + noise(kind, n, generator)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True) if kind == "unit rows" else rows), label


def log_unit(rows: np.ndarray, means: np.ndarray) -> np.ndarray:
    """log density (n, K) of unit rows of Gaussian vectors: the radius integrated out on a grid, up to one constant."""
    along = rows @ means.T
    radius = np.linspace(12, 40, 400)
    weight = (DIMENSIONS - 1) * np.log(radius) - radius**2 / 2
    top = weight.max()
    inner = np.log(np.exp(weight - top + along[..., None] * radius - (along * radius.mean())[..., None]).sum(-1))
    return inner + along * radius.mean() - (means**2).sum(1) / 2


def truth_bits(means: np.ndarray, kind: str = "gaussian", draws: int = DRAWS) -> float:
    """log2 K - E H(label | z) by plain Monte Carlo of the known mixture. Noise of a fixed norm gives the label away: log2 K."""
    if kind == "fixed norm":
        return float(np.log2(len(means)))
    total, done = 0.0, 0
    while done < draws:
        block = min(4_000, draws - done)
        rows, label = sample(means, block, 10_000 + done, kind)
        if kind == "unit rows":
            log = log_unit(rows, means)
        else:
            square = (rows**2).sum(1)[:, None] - 2 * rows @ means.T + (means**2).sum(1)
            log = log_student(square) if kind == "student" else -square / 2
        own = log[np.arange(block), label]
        top = log.max(1)
        total += float((top + np.log(np.exp(log - top[:, None]).sum(1)) - own).sum())
        done += block
    return float(np.log2(len(means)) - total / draws / np.log(2))


def points(means: np.ndarray, seeds: int) -> np.ndarray:
    found = []
    for seed in range(seeds):
        rows, label = sample(means, ROWS, seed)
        found.append(information_point(labeled(rows, label, None), seed=seed))
    return np.array(found)


def lines() -> Iterator[Line | str]:
    means = concepts(10, 4.0, 1)
    truth = truth_bits(means)
    yield from accuracy(means, truth)
    yield from times(means)
    yield from many_labels()
    yield from other_noise(means)
    yield from certified(means, truth)


def accuracy(means: np.ndarray, truth: float) -> Iterator[Line | str]:
    found = points(means, 16)
    bias, spread = float(found.mean() - truth), float(found.std(ddof=1))
    rows, label = sample(means, ROWS, 0)
    peers = packages(rows, label)
    what = f"d=512 K=10 N=2,000 Gaussian, truth {truth:.3f}: bias, 16 seeds"
    yield Line("4", what, f"{bias:+.3f} bits", "<= 0.03", abs(bias) <= 0.03, f"one sample: {peers}")
    yield Line("4", "the same: sd", f"{spread:.3f} bits", "<= 0.05", spread <= 0.05)
    for power, rank in ((0.3, DIMENSIONS), (1.0, DIMENSIONS), (12.0, DIMENSIONS), (4.0, 2)):
        other = concepts(10, power, 2, rank)
        right, some = truth_bits(other, draws=40_000), points(other, 8)
        bias, spread = float(some.mean() - right), float(some.std(ddof=1))
        what = f"the same, means in {rank} directions, truth {right:.3f}: bias (sd), 8 seeds"
        yield Line("4", what, f"{bias:+.3f} ({spread:.3f}) bits", "<= 0.03", abs(bias) <= 0.03)


def packages(rows: np.ndarray, label: np.ndarray) -> str:
    """What other packages make of the same sample: those that take one column at a time by the sum over columns, as their users do."""
    said = []
    module, why = peer("sklearn.feature_selection")
    if module is None:
        said.append(why)
    else:
        said.append(f"scikit-learn, columns summed {float(module.mutual_info_classif(rows, label, random_state=0).sum() / np.log(2)):.2f}")
    module, why = peer("ennemi")
    if module is None:
        said.append(why)
    else:
        said.append(f"ennemi, columns summed {float(np.sum(module.estimate_mi(label, rows, discrete_y=True)) / np.log(2)):.2f}")
    module, why = peer("infomeasure")
    if module is None:
        said.append(why)
    else:
        value = module.mutual_information(rows, label[:, None].astype(float), approach="metric", base=2)
        said.append(f"infomeasure KSG, label as a number {float(value):.2f}")
    return "; ".join(said)


def times(means: np.ndarray) -> Iterator[Line | str]:
    rows, label = sample(means, ROWS, 0)
    point = cpu_seconds(lambda: information_point(labeled(rows, label, None)))
    whole = cpu_seconds(lambda: label_information(rows, label), 3)
    limit = cpu_seconds(lambda: certified_information(rows, label), 1)
    yield Line("4", "CPU time of the point (checked input included)", f"{point:.3f} s", "<= 0.1 s", point <= 0.1)
    yield Line("4", "CPU time of label_information: point, interval, every check", f"{whole:.3f} s", "-", None)
    yield Line("4", "CPU time of certified_information", f"{limit:.2f} s", "<= 1 s", limit <= 1.0)


def many_labels() -> Iterator[Line | str]:
    for power in (6.0, 15.0):
        means = concepts(100, power, 3)
        truth, found = truth_bits(means), points(means, 48)
        bias, spread = float(found.mean() - truth), float(found.std(ddof=1))
        what = f"d=512 K=100 N=2,000 Gaussian, truth {truth:.3f}: bias (sd), 48 seeds"
        yield Line("4", what, f"{bias:+.3f} ({spread:.3f}) bits", "<= 0.05", abs(bias) <= 0.05)
    means = concepts(100, 15.0, 4, 4)
    truth, error, withheld, held = truth_bits(means, draws=20_000), [], 0, 0
    for seed in range(6):
        bits = label_information(*sample(means, ROWS, seed), seed=seed)
        withheld += bits.value is None
        held += bits.low <= truth <= bits.high
        error.append(bits.checks["point_bits"] - truth)
    what = f"K=100, means in 4 directions, truth {truth:.3f}: bias of the point, given or not"
    yield Line("4", what, f"{np.mean(error):+.3f} bits", "-", None, f"withheld {withheld} of 6, truth inside {held} of 6")


def other_noise(means: np.ndarray) -> Iterator[Line | str]:
    for kind, name in (("student", "Student-t4 noise"), ("fixed norm", "noise of a fixed norm"), ("unit rows", "rows scaled to unit norm")):
        truth = truth_bits(means, kind, 20_000 if kind == "student" else 4_000)
        good, withheld, held, last = 0, 0, 0, 0.0
        for seed in range(5):
            bits = label_information(*sample(means, ROWS, seed, kind), seed=seed)
            withheld += bits.value is None
            good += bits.value is None or abs(bits.value - truth) <= 0.15
            held += bits.low <= truth <= bits.high
            last = bits.checks["point_bits"]
        what = f"{name}, truth {truth:.3f}: within 0.15 or withheld, of 5"
        rest = f"withheld {withheld}; truth inside the limits {held}; the point would be {last:.3f}"
        yield Line("4", what, f"{good} of 5", "5 of 5", good == 5 and held == 5, rest)
    rejected = 0
    for seed in range(20):
        rows, label = sample(means, ROWS, 100 + seed)
        rejected += bool(gaussianity(rows, label, seed=seed).why)
    yield Line("4", "Gaussian rows that the check turns away, of 20", str(rejected), "<= 1", rejected <= 1)


def certified(means: np.ndarray, truth: float) -> Iterator[Line | str]:
    lows = [certified_information(*sample(means, ROWS, seed), seed=seed).low or 0.0 for seed in range(3)]
    what = f"certified lower limit, truth {truth:.3f}: largest of 3 seeds"
    yield Line("4", what, f"{max(lows):.3f} bits", "<= truth", max(lows) <= truth)
