"""Canonical correlations: the pairs of directions along which two sides go together, strongest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.tables import Floats

LEVEL = 0.01
"""Bartlett's test keeps a pair at this level."""
SMALLEST_SHARE = 1e-9


@dataclass(frozen=True)
class Canonical:
    """Centers (dx,), (dy,), whitening turned into canonical directions (dx, rx), (dy, ry), and the correlations, largest first.

    kept: how many pairs Bartlett's test (1941) finds, one after the other; rho has min(rx, ry) entries.
    """

    center_x: Floats
    center_y: Floats
    turn_x: Floats
    turn_y: Floats
    rho: Floats
    kept: int

    def x(self, x: Floats) -> Floats:
        """All canonical coordinates (m, rx) of rows (m, dx): uncorrelated, of variance 1 on the rows fitted."""
        return np.asarray((x - self.center_x) @ self.turn_x, dtype=np.float64)

    def y(self, y: Floats) -> Floats:
        return np.asarray((y - self.center_y) @ self.turn_y, dtype=np.float64)


def canonical(x: Floats, y: Floats, *, centered: bool = True) -> Canonical:
    """Canonical correlation analysis (Hotelling 1936) of x (n, dx) and y (n, dy); constant directions are dropped.

    centered: take the means off first; False where the center is known to be 0.
    """
    n = len(x)
    center_x, center_y = (x.mean(0), y.mean(0)) if centered else (np.zeros(x.shape[1]), np.zeros(y.shape[1]))
    white_x, white_y = whitening(x - center_x), whitening(y - center_y)
    cross = ((x - center_x) @ white_x).T @ ((y - center_y) @ white_y) / n
    left, rho, right = np.linalg.svd(cross)
    rho = np.minimum(rho, 1 - 1e-12)
    return Canonical(center_x, center_y, white_x @ left, white_y @ right.T, rho, significant(rho, n, cross.shape[0], cross.shape[1]))


def significant(rho: Floats, n: int, dx: int, dy: int) -> int:
    """How many canonical correlations Bartlett's chi-square test keeps at 1%, from the largest down."""
    from scipy.special import chdtrc

    scale = n - 1 - (dx + dy + 1) / 2
    if scale <= 0:
        return 0
    rest = np.cumsum(-np.log1p(-(rho**2))[::-1])[::-1]
    for pair in range(len(rho)):
        if chdtrc((dx - pair) * (dy - pair), scale * rest[pair]) > LEVEL:
            return pair
    return len(rho)


def whitening(x: Floats) -> Floats:
    """(d, r): centered x (n, d) times this has covariance 1; directions of no variance are left out."""
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    used = values > SMALLEST_SHARE * max(values.sum(), 1e-300)
    return np.asarray(vectors[:, used] / np.sqrt(values[used]), dtype=np.float64)
