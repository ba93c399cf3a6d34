"""Pictures of embeddings and of numbers: the mixture, C_G, directions, signal and noise, continuous pairs, saturation."""

from __future__ import annotations

import numpy as np

from hartley.bits.certified import certified_information
from hartley.bits.continuous import continuous_information
from hartley.bits.embedding import label_information
from hartley.bits.known import TASKS, BinaryInputGaussian, GaussianConcepts, GaussianPair
from hartley.bits.reading import channel_reading
from hartley.bits.signal import Condition, signal_and_noise
from hartley.bits.spectrum import gaussian_bits
from pictures.chart import Chart, ticks

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def embedding() -> Chart:
    """Two concepts in 16 dimensions, moved apart: truth, E1 and the certified lower limit."""
    amplitudes = np.linspace(0, 3, 61)
    truth = [BinaryInputGaussian(float(a)).truth_bits for a in amplitudes]
    chart = Chart(
        "Embedding to label",
        "Bits an embedding carries about one of two labels over the distance of the labels' means: truth, estimate, certified limit.",
        (0, 3),
        (0, 1.12),
    ).axes("half the distance of the means, in noise deviations", "bits per use", ticks([0, 1, 2, 3]), ticks([0, 0.25, 0.5, 0.75, 1]))
    chart.line([0, 3], [1, 1], "ink", dash=True).say(0.04, 1, "H(label): no more can be carried", "ink", dy=-7, kind="small")
    chart.line(amplitudes, truth, "gold").say(0.62, 0.33, "truth", "gold", "end", dx=-6, dy=-4)
    for i, amplitude in enumerate((0.15, 0.5, 1.0, 1.5, 2.0, 2.6)):
        z, label = _two(amplitude, 16, 800, seed=i)
        bits, floor = label_information(z, label), certified_information(z, label)
        assert bits.low is not None and bits.high is not None and floor.low is not None
        chart.limits(amplitude, bits.low, bits.high, "blue" if bits.value is not None else "soft")
        if bits.value is not None:
            chart.dot(amplitude, bits.value, "blue")
        chart.dot(amplitude + 0.06, floor.low, "green")
    chart.say(1.75, 0.45, "point and interval (E1), 800 rows", "blue")
    return chart.say(1.75, 0.33, "certified: at least this (E2)", "green")


def _two(amplitude: float, d: int, n: int, seed: int) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    means = np.zeros((2, d))
    means[:, 0] = (-amplitude, amplitude)
    return GaussianConcepts(means, np.eye(d)).sample(n, np.random.default_rng(seed))


def gaussian() -> Chart:
    """C_G goes on rising where what ten labels carry cannot."""
    scales = np.linspace(0.2, 5, 13)
    corners = np.random.default_rng(1).standard_normal((10, 9))
    readings = []
    for i, scale in enumerate(scales):
        z, label = GaussianConcepts(scale * corners, np.eye(9)).sample(1_500, np.random.default_rng(i))
        readings.append(channel_reading(z, label))
    c_g = [gaussian_bits(reading.spectrum) for reading in readings]
    mixture = [reading.mixture.value if reading.mixture.value is not None else np.nan for reading in readings]
    chart = Chart(
        "C_G beside I_mix beside H(Y)",
        "The Gaussian reading rises without end as noise falls; what ten labels carry stops at the entropy of the labels.",
        (0.2, 5),
        (0, 14),
    ).axes("distance of the ten concepts, in noise deviations", "bits per use", ticks([1, 2, 3, 4, 5]), ticks([0, 4, 8, 12]))
    known = ~np.isnan(mixture)
    chart.line(scales, c_g, "red").say(
        3.6, float(np.interp(3.6, scales, c_g)), "C_G: a Gaussian input, not capped", "red", "end", dx=-8, dy=-6
    )
    chart.line([0.2, 5], [np.log2(10)] * 2, "ink", dash=True).say(4.95, np.log2(10), "H(Y) = 3.32", "ink", "end", dy=-7)
    chart.line(scales[known], np.asarray(mixture)[known], "blue")
    return chart.say(1.5, 1.2, "I_mix: these ten concepts", "blue", dx=10, dy=6)


def directions() -> Chart:
    """The concepts' own direction and the Fisher direction, where the noise is not round."""
    mixing = np.array([[2.0, 0.0], [1.1, 0.5]])
    means = np.array([[-1.0, 0.6], [1.0, -0.6]])
    z, label = GaussianConcepts(means, mixing).sample(240, np.random.default_rng(4))
    many, labels = GaussianConcepts(means, mixing).sample(4_000, np.random.default_rng(5))
    reading = channel_reading(many, labels)
    chart = Chart(
        "The concept's own direction and the Fisher direction",
        "Two slanted clouds: along the line between their means they overlap, along the Fisher direction they are apart.",
        (-9, 9),
        (-4, 4),
    )
    for point, side in zip(z, label, strict=True):
        chart.dot(float(point[0]), float(point[1]), "blue" if side else "gold", 2.2)
    own = means[1] - means[0]
    fisher = np.linalg.solve(mixing @ mixing.T, own)
    for direction, color, words, size in ((own, "red", "own direction", 2.6), (fisher, "green", "Fisher direction", 3.4)):
        u = size * direction / np.linalg.norm(direction)
        chart.arrow((-u[0], u[0]), (-u[1], u[1]), color)
        chart.say(float(u[0]), float(u[1]), words, color, dx=8, dy=6)
    for row, (words, bits, color) in enumerate(
        [("own", reading.concept_direction, "red"), ("Fisher", reading.fisher_direction, "green"), ("loss", reading.alignment_loss, "ink")]
    ):
        figure = "withheld" if bits.value is None else f"{bits.value:.2f} bits"
        chart.say(-8.6, 3.6, f"{words}: {figure}", color, dy=18 * row)
    return chart


def signal() -> Chart:
    """Three attacks on the same clean embedding, split into signal loss and noise gain."""
    generator = np.random.default_rng(0)
    means = generator.standard_normal((10, 8)) * 1.5
    clean = GaussianConcepts(means, np.eye(8))
    attacks = {
        "means shrink to half": GaussianConcepts(means / 2, np.eye(8)),
        "noise doubles": GaussianConcepts(means, 2 * np.eye(8)),
        "a little of both": GaussianConcepts(means / 1.5, 1.4 * np.eye(8)),
    }
    before, label = clean.sample(3_000, generator)
    chart = Chart(
        "Signal loss and noise gain",
        "Three attacks that cost the channel bits: by moving the means together, by making the noise larger, by both.",
        (0, 3),
        (-0.2, 4),
    ).axes("", "bits of C_G lost", [(i + 0.5, name) for i, name in enumerate(attacks)], ticks([0, 1, 2, 3, 4]))
    for i, attack in enumerate(attacks.values()):
        after, same = attack.sample(3_000, generator)
        trial = np.arange(3_000)
        parts = signal_and_noise(Condition(before, label, trial), Condition(after, same, trial))
        for at, color, bits in ((i + 0.36, "blue", parts[0]), (i + 0.64, "red", parts[1])):
            assert bits.value is not None and bits.low is not None and bits.high is not None
            chart.box((at - 0.1, at + 0.1), (0, max(bits.value, 0)), color).limits(at, bits.low, bits.high, "ink")
            chart.say(at, max(bits.high, 0), f"{bits.value:.2f}", color, "middle", dy=-8, kind="small")
    return chart.say(3, 3.7, "signal loss", "blue", "end").say(3, 3.7, "noise gain", "red", "end", dy=18)


_PAIRS = (
    ("1v1-normal-0.75", "Gaussian pair"),
    ("half_cube-1v1-normal-0.75", "its half-cube"),
    ("multinormal-dense-25-25-0.5", "25 by 25, dense"),
    ("multinormal-sparse-25-25-2-2.0", "25 by 25, sparse"),
    ("student-identity-2-2-1", "Cauchy noise"),
    ("spiral-multinormal-sparse-5-5-2-2.0", "5 by 5, spiraled"),
)


def continuous() -> Chart:
    """Six tasks with known answers, from easy to withheld."""
    chart = Chart(
        "Continuous pairs",
        "Six tasks with known answers: the truth, and the point or the limits that are printed.",
        (0, 2.6),
        (0, len(_PAIRS)),
        left=150,
    ).axes("bits per use", "", ticks([0, 0.5, 1, 1.5, 2, 2.5]), [(len(_PAIRS) - i - 0.5, words) for i, (_, words) in enumerate(_PAIRS)])
    for i, (name, _) in enumerate(_PAIRS):
        task, at = TASKS[name], len(_PAIRS) - i - 0.5
        bits = continuous_information(*task.sample(2_000, np.random.default_rng(i)))
        color, low = "blue" if bits.value is not None else "soft", max(bits.low or 0.0, 0.0)
        if bits.high is None:
            chart.arrow((low, 2.58), (at, at), color).say(low, at, "at least", "soft", dx=4, dy=-7, kind="small")
        else:
            chart.span(at, low, min(bits.high, 2.6), color)
        if bits.value is not None:
            chart.dot(bits.value, at, "blue")
        chart.line([task.truth_bits] * 2, [at - 0.3, at + 0.3], "gold")
    return chart.say(2.55, len(_PAIRS), "upright mark: truth", "gold", "end", kind="small")


def saturation() -> Chart:
    """Held-out critics cannot tell more than log2 of the rows they are tried on."""
    truths = (0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
    chart = Chart(
        "Saturation",
        "What is printed for Gaussian pairs of growing information at 600 rows: points, then only lower limits.",
        (0, 10.4),
        (0, 12),
    ).axes("truth, in bits", "bits per use", ticks([0, 2, 4, 6, 8, 10]), ticks([0, 2, 4, 6, 8, 10, 12]))
    chart.line([0, 10.4], [0, 10.4], "gold").say(2, 2, "truth", "gold", dx=14, dy=18)
    for i, truth in enumerate(truths):
        pair = GaussianPair(float(np.sqrt(1 - 4.0**-truth)))
        bits = continuous_information(*pair.sample(600, np.random.default_rng(i)))
        low = max(bits.low or 0.0, 0.0)
        if bits.value is not None:
            chart.limits(truth, low, bits.high if bits.high is not None else 12, "blue").dot(truth, bits.value, "blue")
        else:
            chart.arrow((truth, truth), (low, min(bits.high, 12) if bits.high is not None else 11.9), "soft")
    return chart.say(0.2, 10.6, "blue: point with limits", "blue").say(0.2, 10.6, "grey: at least this much, no point", "soft", dy=18)


DRAWINGS = {
    "embedding": embedding,
    "gaussian": gaussian,
    "directions": directions,
    "signal": signal,
    "continuous": continuous,
    "saturation": saturation,
}
