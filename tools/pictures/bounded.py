"""Pictures of bounds: membership, privacy, bandwidth, contraction, spread, decomposition, the worst case."""

from __future__ import annotations

import numpy as np

from hartley.bits.decomposition import Decomposition, decomposition
from hartley.bits.membership import advantage_bits, membership
from hartley.bits.privacy import gaussian_ceiling_bits, pure_ceiling_bits
from pictures.chart import Chart, ticks


def members() -> Chart:
    """What an advantage says about the bits: a lens, and a measured attack inside it."""
    advantages = np.linspace(0, 1, 81)
    low, high = np.transpose([advantage_bits(float(a)) for a in advantages])
    chart = Chart(
        "Membership: from advantage to bits",
        "Lower and upper limit of the bits about membership over the attack's advantage, with one measured attack.",
        (0, 1),
        (0, 1),
    ).axes("advantage: TPR less FPR", "bits about membership", ticks([0, 0.25, 0.5, 0.75, 1]), ticks([0, 0.25, 0.5, 0.75, 1]))
    chart.band(advantages, low, high, "red").line(advantages, low, "red").line(advantages, high, "red")
    generator = np.random.default_rng(0)
    member = np.arange(800) % 2
    bits = membership(generator.standard_normal(800) + 1.8 * member, member)
    assert bits.low is not None and bits.high is not None and bits.value is not None
    at = bits.checks["advantage"]
    chart.limits(at, bits.low, bits.high, "blue").dot(at, bits.value, "blue")
    chart.say(at, bits.high, "a measured attack,", "blue", "end", dx=-10, dy=-2).say(
        at, bits.high, "400 members", "blue", "end", dx=-10, dy=14
    )
    chart.say(0.8, 0.8, "at most A", "red", "end", dx=-6, dy=-12)
    return chart.say(0.66, 0.14, "at least 1 \u2212 h((1 + A)/2)", "red")


def privacy() -> Chart:
    """Ceilings of differentially private releases."""
    budgets = np.linspace(0, 8, 81)
    pure = [pure_ceiling_bits(float(e)) for e in budgets]
    gaussian = [gaussian_ceiling_bits(float(m)) for m in budgets]
    chart = Chart(
        "What a private release can leak at most",
        "Ceilings on the bits about one record's membership over the privacy budget, pure and Gaussian.",
        (0, 8),
        (0, 1),
    ).axes("privacy budget: epsilon, or mu", "bits about membership", ticks(range(0, 9)), ticks([0, 0.25, 0.5, 0.75, 1]))
    chart.line(budgets, gaussian, "green").line(budgets, pure, "blue")
    for epsilon in (1.0, 3.0):
        chart.dot(epsilon, pure_ceiling_bits(epsilon), "blue")
    chart.say(1, pure[10], "epsilon 1: 0.160", "blue", dx=10, dy=8).say(3, pure[30], "epsilon 3: 0.725", "blue", dx=10, dy=10)
    return chart.say(3.5, 0.9, "mu-GDP", "green", "end").say(4.6, 0.8, "epsilon-DP", "blue")


def decomposed() -> Chart:
    """The four textbook pairs of sources, measured."""
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 2, (2, 3_000))
    pairs = {
        "AND": (first, second, first & second),
        "XOR": (first, second, first ^ second),
        "both hear it": (first, first, first),
        "only the first": (first, second, first),
    }
    chart = Chart(
        "Unique, redundant and synergistic bits",
        "Four textbook pairs of sources, each decomposed from 3,000 trials; terms that do not beat their shuffled null have no bar.",
        (0, 4),
        (0, 1.15),
    ).axes("", "bits about the target", [(i + 0.27, name) for i, name in enumerate(pairs)], ticks([0, 0.25, 0.5, 0.75, 1]))
    colors = {"unique_1": "blue", "unique_2": "gold", "redundant": "green", "synergistic": "red"}
    for i, (a, b, target) in enumerate(pairs.values()):
        counts = np.zeros((2, 2, 2), dtype=np.int64)
        np.add.at(counts, (a, b, target), 1)
        base = 0.0
        for name, bits in _terms(decomposition(counts)):
            if bits:
                chart.box((i + 0.12, i + 0.42), (base, base + bits), colors[name])
                chart.say(i + 0.47, base + bits / 2, f"{name.split('_')[0]} {bits:.2f}", colors[name], dy=4, kind="small")
                base += bits
    return chart


def _terms(terms: Decomposition) -> list[tuple[str, float]]:
    return [(bits.kind.removesuffix("_bits"), bits.value or 0.0) for bits in terms]


DRAWINGS = {"membership": members, "privacy": privacy, "decomposition": decomposed}
