"""Signal loss and noise gain: how an embedding channel lost what it lost between two conditions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.embeddings.pillai import left_out_p
from hartley.bits.spectrum import Moments, corrected_spectrum, gaussian_bits, inflation, moments_of, observed_spectrum
from hartley.bits.tables import Counts, Floats
from hartley.bits.trust import GATE
from hartley.bits.value import Bits
from hartley.errors import InputError

GROUPS = 20
FEWEST_GROUPS = 8
"""Independent units under which their spread says too little: with 3 or 4 limits held 73 to 100%, with 8 they held 90 to 100%."""
FREEDOM = 50
"""n - K - d must exceed this for a trusted point."""
ALL_DIRECTIONS = 20
"""All directions are read where n - K - d is this at least; below it, principal components."""
VARIANCE_KEPT = 0.9
"""Share of the variance that PCA must keep for a trusted point."""
KINDS = ("signal_loss_bits", "noise_gain_bits")


@dataclass(frozen=True)
class Condition:
    """Embeddings under one condition: embedding (n, d), label (n,) of concepts from 0, trial (n,) of whole numbers from 0.

    Rows of equal trials, in either condition, depend on each other: the same input under both, or the rows of one cluster.
    """

    embedding: ArrayLike
    label: ArrayLike
    trial: ArrayLike


@dataclass(frozen=True)
class _Parts:
    """Per jackknife group: sums (G, K, d), raw (G, d, d), counts (G, K)."""

    sums: Floats
    raw: Floats
    counts: Counts

    def moments(self, without: int | None = None) -> Moments:
        sums, raw, counts = self.sums.sum(0), self.raw.sum(0), self.counts.sum(0)
        if without is None:
            return moments_of(sums, raw, counts)
        return moments_of(sums - self.sums[without], raw - self.raw[without], counts - self.counts[without])


def signal_and_noise(before: Condition, after: Condition) -> tuple[Bits, Bits]:
    """(signal_loss_bits, noise_gain_bits): the loss of C_G from `before` to `after`, split in two that add up to it.

    C_G(M, W) = sum of 1/2 log2(1 + lambda_i), lambda the eigenvalues of W^-1/2 B W^-1/2 with B the covariance of the concept
    means M and W the pooled within-concept covariance, corrected for finite samples (`hartley.bits.spectrum`). Signal
    loss replaces the means only, noise gain the covariance only. As the order matters, each is the average over both
    orders (the Shapley value of two players), so that signal_loss + noise_gain = C_G(before) - C_G(after) exactly, with no
    interaction left over. Negative: `after` has more signal or less noise.

    Both are in bits of C_G as it is, which is what a Gaussian input could carry and may exceed what there is to carry, H(U), by
    far. It is not capped here: once two of the four readings exceed a cap, the split is the cap's and not the channel's.
    So a loss of C_G of many bits may cost the concepts none; what they carry is `label_information`. `checks` has C_G before and
    after, and `alignment`, the correlation of the two conditions' means in the metric of the noise before: near 0 or below
    it, a signal that is still there says something else.

    Concepts with under 2 rows in either condition are left out. Directions without variance are dropped; where n - K - d is
    under 20 the rest goes through PCA (fitted on both conditions) to n / 3 dimensions. Interval: delete-a-group jackknife,
    20 groups of trials (or as many as there are trials), rows of one trial kept together, t, 95%. The point is withheld unless
    n - K - d > 50 in both conditions. Nothing is said, no limit either, where PCA kept under 90% of the variance or left out
    directions in which the concepts differ: what is there could be anything.
    """
    embeddings, labels, trials, count = _aligned(before, after)
    smallest = min(len(label) for label in labels)
    if count < 2 or smallest < 2 * GROUPS:
        why = f"{count} concepts and {smallest} rows in common: needs 2 concepts and {2 * GROUPS} rows in both conditions"
        return Bits.unmeasured(KINDS[0], why, smallest), Bits.unmeasured(KINDS[1], why, smallest)
    try:
        return _measured(embeddings, labels, trials, count)
    except np.linalg.LinAlgError:
        why = "the scatter within the concepts is singular: embeddings of one concept hardly differ, so there is no noise to compare with"
        return Bits.unmeasured(KINDS[0], why, smallest), Bits.unmeasured(KINDS[1], why, smallest)


def _measured(embeddings: list[Floats], labels: list[Counts], trials: list[Counts], count: int) -> tuple[Bits, Bits]:
    """The split for aligned rows of `count` concepts. Raises LinAlgError when a covariance cannot be inverted."""
    smallest = min(len(label) for label in labels)
    reduced = _reduced(embeddings, labels, count)
    groups, size = _groups(labels, trials)
    dimensions = reduced.dimensions
    parts = [_parts(z, label, group, count, size) for z, label, group in zip(reduced.embeddings, labels, groups, strict=True)]
    law = sum(part.counts.sum(0) for part in parts) / sum(len(label) for label in labels)
    whole = [part.moments() for part in parts]
    freedom = min(part.freedom for part in whole) - dimensions
    why = ""
    if freedom < 2:
        why = f"n - K - d = {freedom}: too few rows for {count} concepts in {dimensions} dimensions"
    elif size < FEWEST_GROUPS:
        why = f"the rows are of {size} independent units, needs {FEWEST_GROUPS} for an interval"
    why = why or reduced.hides
    if why:
        return Bits.unmeasured(KINDS[0], why, smallest), Bits.unmeasured(KINDS[1], why, smallest)
    if min(float(np.linalg.cholesky(part.within).diagonal().min()) for part in whole) < 1e-6:
        # directions have deviation 1: what is left within the concepts is rounding
        raise np.linalg.LinAlgError
    spectra = {(a, b): corrected_spectrum(whole[a], whole[b], law) for a in (0, 1) for b in (0, 1)}
    split = _split({key: gaussian_bits(value) for key, value in spectra.items()})
    errors = _jackknife_errors(parts, whole, spectra, law)
    checks = {
        "before_c_g_bits": gaussian_bits(spectra[0, 0]),
        "after_c_g_bits": gaussian_bits(spectra[1, 1]),
        "alignment": _alignment(whole[0], whole[1]),
        "dimensions": float(dimensions),
        "concepts": float(count),
        "freedom": float(freedom),
        "groups": float(size),
        "variance_kept": reduced.share,
    }
    why = "" if freedom > FREEDOM else f"n - K - d = {freedom}, needs more than {FREEDOM}: the covariance is too uncertain; the limits hold"
    name = f"corrected SNR spectrum, uncapped{reduced.name}; Shapley split; jackknife 95%"
    return (
        _bits(KINDS[0], split[0], errors[0], smallest, name, why, checks),
        _bits(KINDS[1], split[1], errors[1], smallest, name, why, checks),
    )


def _bits(kind: str, value: float, error: float, n: int, name: str, why: str, checks: dict[str, float]) -> Bits:
    from scipy.special import stdtrit

    reach = float(stdtrit(checks["groups"] - 1, 0.975)) * error
    return Bits(None if why else value, value - reach, value + reach, n, name, kind, not why, why, checks)


def _split(c: dict[tuple[int, int], float]) -> tuple[float, float]:
    """c[a, b]: C_G with the means of condition a and the covariance of condition b (0 before, 1 after)."""
    loss = ((c[0, 0] - c[1, 0]) + (c[0, 1] - c[1, 1])) / 2
    gain = ((c[0, 0] - c[0, 1]) + (c[1, 0] - c[1, 1])) / 2
    return loss, gain


def _jackknife_errors(
    parts: list[_Parts], whole: list[Moments], spectra: dict[tuple[int, int], Floats], law: Floats
) -> tuple[float, float]:
    """Standard errors of the split; the finite-sample correction is held at its value for all rows."""
    base = {(a, b): observed_spectrum(whole[a], whole[b], law) for a, b in spectra}
    splits = []
    size = len(parts[0].counts)
    for group in range(size):
        left = [part.moments(group) for part in parts]
        c = {}
        for (a, b), spectrum in spectra.items():
            moved = observed_spectrum(left[a], left[b], law) / inflation(left[b]) - base[a, b] / inflation(whole[b])
            c[a, b] = gaussian_bits(np.maximum(spectrum + moved, 0.0))
        splits.append(_split(c))
    spread = np.asarray(splits) - np.mean(splits, axis=0)
    errors = np.sqrt((size - 1) / size * (spread**2).sum(0))
    return float(errors[0]), float(errors[1])


def _alignment(before: Moments, after: Moments) -> float:
    """Correlation in [-1, 1] of the two sets of means, in the metric of the noise before."""
    metric = np.linalg.solve(before.within, np.concatenate([before.means, after.means]).T)
    k = len(before.means)
    cross = float(np.trace(after.means @ metric[:, :k]))
    size = float(np.trace(before.means @ metric[:, :k]) * np.trace(after.means @ metric[:, k:]))
    return float(cross / np.sqrt(size)) if size > 0 else 0.0


def _aligned(before: Condition, after: Condition) -> tuple[list[Floats], list[Counts], list[Counts], int]:
    """Checked arrays, cut to the concepts that both conditions have twice, relabeled 0..count-1."""
    embeddings, labels, trials = [], [], []
    for name, part in (("before", before), ("after", after)):
        try:
            z, label, trial = np.asarray(part.embedding, dtype=np.float64), np.asarray(part.label), np.asarray(part.trial)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: embedding is not numbers ({error})") from None
        if z.ndim != 2 or label.shape != z.shape[:1] or trial.shape != z.shape[:1]:
            raise InputError(f"{name}: embedding {z.shape}, label {label.shape}, trial {trial.shape}; takes (n, d), (n,), (n,)")
        if not np.isfinite(z).all():
            raise InputError(f"{name}, column embedding, row {int(np.flatnonzero(~np.isfinite(z).all(1))[0])}: not finite")
        embeddings.append(z)
        labels.append(label.astype(np.int64))
        trials.append(trial.astype(np.int64))
    if embeddings[0].shape[1] != embeddings[1].shape[1]:
        raise InputError(f"embeddings of {embeddings[0].shape[1]} and {embeddings[1].shape[1]} dimensions: takes equal dimensions")
    found = [{int(k) for k, c in zip(*np.unique(label, return_counts=True), strict=True) if c >= 2 and k >= 0} for label in labels]
    concepts = np.array(sorted(found[0] & found[1]), dtype=np.int64)
    kept = [np.isin(label, concepts) for label in labels]
    return (
        [z[keep] for z, keep in zip(embeddings, kept, strict=True)],
        [np.searchsorted(concepts, label[keep]) for label, keep in zip(labels, kept, strict=True)],
        [trial[keep] for trial, keep in zip(trials, kept, strict=True)],
        len(concepts),
    )


@dataclass(frozen=True)
class _Reduced:
    """Both conditions in the `dimensions` of `full` directions that the rows can bear, with `share` of the variance.

    hides: why what was left out may matter; "" where it does not.
    """

    embeddings: list[Floats]
    dimensions: int
    full: int
    share: float
    hides: str

    @property
    def name(self) -> str:
        return f" (PCA to {self.dimensions} of {self.full})" if self.dimensions < self.full else ""


def _reduced(embeddings: list[Floats], labels: list[Counts], count: int) -> _Reduced:
    """All principal directions with variance, of both conditions together, or, with too few rows for so many, the first n / 3."""
    smallest = min(len(label) for label in labels)
    centered = [z - z.mean(0) for z in embeddings]
    values, vectors = np.linalg.eigh(sum(z.T @ z / len(z) for z in centered))
    values, vectors = values[::-1], vectors[:, ::-1]
    full = vectors.shape[0]
    rank = max(1, int((values > 1e-7 * max(values[0], 1e-300)).sum()))
    kept = rank if smallest - count - rank >= ALL_DIRECTIONS else min(rank, max(1, smallest // 3))
    # whitened, so that no direction's scale matters to the arithmetic
    basis = vectors[:, :rank] / np.sqrt(np.maximum(values[:rank], 1e-300))
    rows = [z @ basis for z in centered]
    share = float(values[:kept].sum() / max(values.sum(), 1e-300))
    hides = ""
    if kept < rank and share < VARIANCE_KEPT:
        hides = f"PCA to {kept} of {full} dimensions keeps {share:.0%} of the variance, needs {VARIANCE_KEPT:.0%}: more rows are needed"
    elif kept < rank and min(_left_out(z, kept, label, count) for z, label in zip(rows, labels, strict=True)) <= GATE:
        hides = f"the concepts also differ in the directions that PCA to {kept} of {full} left out: more rows are needed"
    return _Reduced([z[:, :kept] for z in rows], kept, full, share, hides)


def _left_out(rows: Floats, kept: int, label: Counts, count: int) -> float:
    """p that the concepts differ beyond the first `kept` of the directions rows (n, r): as `left_out_p`, on orthogonal columns."""
    white = np.linalg.qr(rows[:, : len(rows) - 1])[0] * np.sqrt(len(rows))
    return left_out_p(white, kept, label, np.bincount(label, minlength=count))


def _groups(labels: list[Counts], trials: list[Counts]) -> tuple[list[Counts], int]:
    """Jackknife group of each row, and their number: trials dealt out in turn within a concept, the same trial to the same group."""
    pairs = np.unique(np.concatenate([np.stack([label, trial], 1) for label, trial in zip(labels, trials, strict=True)]), axis=0)
    first = np.sort(np.unique(pairs[:, 1], return_index=True)[1])
    size = min(GROUPS, len(first))
    dealt = {int(trial): turn % size for turn, trial in enumerate(pairs[first, 1].tolist())}
    return [np.array([dealt[int(trial)] for trial in one], dtype=np.int64) for one in trials], size


def _parts(z: Floats, label: Counts, group: Counts, count: int, size: int) -> _Parts:
    dimensions = z.shape[1]
    sums = np.zeros((size, count, dimensions))
    np.add.at(sums, (group, label), z)
    raw = np.stack([z[group == g].T @ z[group == g] for g in range(size)])
    counts = np.zeros((size, count), dtype=np.int64)
    np.add.at(counts, (group, label), 1)
    return _Parts(sums, raw, counts)
