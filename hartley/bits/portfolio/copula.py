"""Information of a Gaussian copula: ranks to normal scores, then the covariance, with its bias taken off exactly."""

from __future__ import annotations

import numpy as np

from hartley.bits.portfolio.ranks import normal_scores
from hartley.bits.tables import Floats

SPARE_ROWS = 20
"""Rows beyond dx + dy that a covariance needs before its determinant says anything."""


def copula_bits(x: Floats, y: Floats, *, seed: int = 0) -> float:
    """I(X; Y) in bits of x (n, dx) and y (n, dy) if their copula is Gaussian, whatever their margins.

    It may fall below 0, as an estimate without bias must. ValueError when n < dx + dy + 20.
    """
    return covariance_bits(normal_scores(x, seed), normal_scores(y, seed))


def covariance_bits(x: Floats, y: Floats, *, rows: float | None = None) -> float:
    """I(X; Y) in bits of jointly Gaussian x (n, dx) and y (n, dy), without bias.

    rows: how many independent rows the covariance is worth, where not n.

    1/2 log2 |Sx| |Sy| / |S|, less its own expectation at independence: log |S| of a Wishart matrix of n - 1 degrees of
    freedom is off by the sum of digamma((n - i) / 2), whatever the covariance, so the correction is exact for Gaussian
    data (Goodman 1963 for the law of the determinant; Misra, Singh, Demchuk 2005 for the entropy).
    """
    from scipy.special import digamma

    n, dx, dy = len(x), x.shape[1], y.shape[1]
    if n < dx + dy + SPARE_ROWS:
        raise ValueError(f"{n} rows for {dx} + {dy} columns: takes at least {dx + dy + SPARE_ROWS}")
    joint = np.cov(np.concatenate([x, y], axis=1), rowvar=False)
    plug_in = (_log_determinant(joint[:dx, :dx]) + _log_determinant(joint[dx:, dx:]) - _log_determinant(joint)) / 2
    terms = digamma(((n if rows is None else rows) - np.arange(1, dx + dy + 1)) / 2)
    bias = (terms[:dx].sum() + terms[:dy].sum() - terms.sum()) / 2
    return float((plug_in - bias) / np.log(2))


def _log_determinant(matrix: Floats) -> float:
    """Natural logarithm of the determinant of a positive matrix; tiny eigenvalues count as 1e-12 of the trace, not as 0."""
    values = np.linalg.eigvalsh(matrix)
    return float(np.log(np.maximum(values, 1e-12 * values.sum())).sum())
