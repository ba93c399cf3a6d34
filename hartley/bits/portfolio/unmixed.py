"""Independent components of one side, and how far from Gaussian they are: shape that ranks and covariances do not see."""

from __future__ import annotations

import numpy as np

from hartley.bits.portfolio.canonical import whitening
from hartley.bits.tables import Floats

ROUNDS = 60
STILL = 1e-4


def unmixing(x: Floats) -> Floats:
    """(d, r): centered x (n, d) times this has uncorrelated columns of variance 1, as independent as kurtosis can make them.

    Symmetric FastICA with the cube as contrast (Hyvarinen 1999). It is learned from one side alone, so that no
    dependence between two sides can be made up by it.
    """
    centered = x - x.mean(0)
    white = whitening(centered)
    z = centered @ white
    n, r = z.shape
    turn = np.eye(r)
    if r == 1:
        return white
    start = np.random.default_rng([n, r]).standard_normal((r, r))
    turn = np.linalg.qr(start)[0]
    for _ in range(ROUNDS):
        left, _, right = np.linalg.svd(z.T @ (z @ turn) ** 3 / n - 3 * turn)
        new = left @ right
        moved = np.abs(np.abs((new * turn).sum(0)) - 1).max()
        turn = new
        if moved < STILL:
            break
    return np.asarray(white @ turn)


def negentropy_bits(x: Floats, *, seed: int = 0) -> float:
    """How far rows x (n, d) are from Gaussian of the same covariance, in bits: what their independent components show of it.

    Directions are learned on one half of the rows and read on the other, both ways round, so that noise is not taken for
    shape. Spacings leave out the far tails, which adds to it (0.1 bits a Gaussian column), and components that still depend on each other
    hide some: only differences between two samples of one size mean something.
    """
    order = np.random.default_rng([seed, *x.shape]).permutation(len(x))
    halves = x[order[: len(x) // 2]], x[order[len(x) // 2 :]]
    found = [_of_components((left - left.mean(0)) @ unmixing(learned)) for learned, left in (halves, halves[::-1])]
    return float(np.mean(found))


def _of_components(s: Floats) -> float:
    """Sum of the columns' negentropies, less what their correlation takes back; entropy by spacings (Vasicek 1976)."""
    from scipy.special import digamma

    n, d = s.shape
    width = round(np.sqrt(n))
    placed = np.sort(s, axis=0)
    gaps = np.maximum(placed[width:] - placed[:-width], 1e-12)
    entropy = np.log(gaps).mean(0) + np.log(n + 1) - digamma(width)
    covariance = np.cov(s, rowvar=False, bias=True).reshape(d, d)
    gaussian = d / 2 * np.log(2 * np.pi * np.e) + np.linalg.slogdet(covariance)[1] / 2
    return float((gaussian - entropy.sum()) / np.log(2))
