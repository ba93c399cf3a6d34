"""TPR at a fixed FPR: do its limits hold when the threshold is an estimate, and how much wider do they get?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import norm, t

from hartley.bits.limits import proportion_limits
from hartley.bits.rates import tpr_at_fpr
from hartley.bits.tables import Floats
from measures_parts.line import Line

TITLE = "TPR at a fixed FPR: coverage of its 95% limits (at least 93%), beside Clopper-Pearson at the threshold that was found"
BAR = 0.93
SIZES = ((120, 1_000), (1_000, 1_000), (10_000, 300))
"""Members, and as many non-members, with the number of seeds."""

Draw = Callable[[int, np.random.Generator], tuple[Floats, Floats]]


def lines() -> Iterator[Line | str]:
    yield (
        "each at n = "
        + ", ".join(f"{n:,} ({seeds:,} seeds)" for n, seeds in SIZES)
        + " a group; the last column is the old limits' coverage"
    )
    for shift in (0, 1, 2):
        for fpr in (0.01, 0.001):
            truth = float(norm.sf(norm.isf(fpr) - shift))

            def gaussian(n: int, generator: np.random.Generator, shift: int = shift) -> tuple[Floats, Floats]:
                return generator.standard_normal(n) + shift, generator.standard_normal(n)

            yield row(f"Gaussian scores, d' {shift}, FPR {fpr:.1%}", gaussian, truth, fpr)
    for fpr in (0.01, 0.001):
        yield row(f"Student t2, shift 5, a fifth as many members, FPR {fpr:.1%}", heavy, float(t.sf(t.isf(fpr, 2) - 5, 2)), fpr)
    yield row("three values, the highest just allowed, FPR 1.0%", lambda n, g: three_values(n, g, 0.0099), 0.3, 0.01)
    yield row("three values, the highest just not allowed, FPR 1.0%", lambda n, g: three_values(n, g, 0.0101), 0.0, 0.01)


def heavy(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    return generator.standard_t(2, n // 5) + 5, generator.standard_t(2, n)


def three_values(n: int, generator: np.random.Generator, mass: float) -> tuple[Floats, Floats]:
    members = generator.choice(3, n, p=[0.2, 0.5, 0.3]).astype(np.float64)
    return members, generator.choice(3, n, p=[0.95, 0.05 - mass, mass]).astype(np.float64)


def row(what: str, draw: Draw, truth: float, fpr: float) -> Line:
    shares, widths, naive = [], [], []
    for n, seeds in SIZES:
        held = held_before = 0
        width = 0.0
        for seed in range(seeds):
            members, others = draw(n, np.random.default_rng([n, seed]))
            rate = tpr_at_fpr("TPR", "attacked", members, others, fpr, headline=True)
            held += rate.low - 1e-12 <= truth <= rate.high + 1e-12
            width += (rate.high - rate.low) / seeds
            low, high = proportion_limits(round(rate.value * len(members)), len(members))
            held_before += low <= truth <= high
        shares.append(held / seeds)
        widths.append(width)
        naive.append(held_before / seeds)
    reached = " / ".join(f"{100 * share:.1f}" for share in shares) + "%"
    beside = "mean width " + " / ".join(f"{width:.3f}" for width in widths)
    beside += "; before " + " / ".join(f"{100 * share:.0f}" for share in naive) + "%"
    return Line("audit4", f"{what} (true {truth:.3f})", reached, f">= {100 * BAR:.0f}% each", min(shares) >= BAR, beside)
