"""A lower limit on information from any score of pairs, on rows the score never saw (Donsker, Varadhan 1983)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hartley.bits.tables import Floats

ROWS_ACROSS = 1_500
"""Rows whose every pair stands for independence: 1,500 rows are 2,249,000 pairs."""
FLOOR = 0.01
"""The share of independence mixed into every ratio, so that no single pair can cost more than log2(100) bits."""

LogRatio = Callable[[Floats, Floats, bool], Floats]
"""(x (m, dx), y (m', dy), every_pair) -> log of density over product of margins, natural: (m,) row by row, or (m, m')."""


@dataclass(frozen=True)
class Held:
    """What a score delivers on rows left out: the bound's estimate and how far chance may have lifted it (one standard error)."""

    bits: float
    error_bits: float


def held_out(score: LogRatio, x: Floats, y: Floats) -> Held:
    """The Donsker-Varadhan bound of `score` at rows x (n, dx), y (n, dy) that it was not fitted to; bits.

    E log r(x, y) - log E r(x, y'), y' of another row, is at most I(X; Y) for any r; with r the true ratio of densities they
    are equal. r is kept between 0.01 and the number of rows across: beyond, a mean over pairs says nothing. The second term
    averages every pair of the first 1,500 rows, and is never taken below 0: a mean under 1 may only have missed the rare pairs
    that carry it. Its error counts each row once a side (the projection of a U-statistic,
    Hoeffding 1948) and the pairs themselves, and is added to that of the first term as if they went together, which is
    never too little.
    """
    n, across = len(x), min(len(x), ROWS_ACROSS)
    ceiling = float(np.log(across))
    matched = _kept(score(x, y, False), ceiling)
    ratio = np.exp(_kept(score(x[:across], y[:across], True), ceiling))
    np.fill_diagonal(ratio, 0.0)
    by_x, by_y = ratio.sum(1) / (across - 1), ratio.sum(0) / (across - 1)
    mean = float(by_x.mean())
    pairs = across * (across - 1)
    spread = float((ratio**2).sum()) / pairs - mean**2
    mean = max(mean, 1.0)
    aside = (by_x.var() + by_y.var()) / across + max(spread, 0.0) / pairs
    error = float(matched.std() / np.sqrt(n) + np.sqrt(aside) / mean)
    bits = (float(matched.mean()) - float(np.log(mean))) / np.log(2)
    return Held(float(bits), error / float(np.log(2)))


def _kept(log_ratio: Floats, ceiling: float) -> Floats:
    held = np.minimum(log_ratio, ceiling)
    return np.asarray(np.log(FLOOR + (1 - FLOOR) * np.exp(held)))


def averaged(parts: list[Held]) -> Held:
    """The mean of bounds from disjoint rows: also a bound."""
    errors = np.array([part.error_bits for part in parts])
    mean = float(np.mean([part.bits for part in parts]))
    return Held(mean, float(np.sqrt((errors**2).sum())) / len(parts))


def best_low_bits(bounds: list[Held]) -> float:
    """97.5% lower limit in bits from the best of several bounds on the same rows (Bonferroni over them); never below 0."""
    from scipy.special import ndtri

    z = float(ndtri(1 - 0.025 / max(1, len(bounds))))
    return max([0.0] + [bound.bits - z * bound.error_bits for bound in bounds])
