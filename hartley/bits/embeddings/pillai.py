"""The gate for embeddings: do the label means differ at all? Pillai's trace against its permutation law."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Counts, Floats

_ROWS = 2_000


def permutation_p(trace: float, rank: int, leverage_squares: float, counts: Counts) -> float:
    """p of Pillai's trace under all relabelings: a gamma law with the exact mean and variance over all n! permutations.

    rank: of the embedding, r. leverage_squares: sum over rows of the squared diagonal of its projection. counts (K,).
    The moments are those of tr(P C) for two projections one of which is permuted (Kazi-Aoual et al. 1995); a gamma law
    is exact for one dimension and two labels as n grows, and the normal law as rank x (K - 1) grows. No draws, so no seed.
    """
    from scipy.special import gammaincc

    n, labels = int(counts.sum()), len(counts)
    if n < 5 or labels < 2 or labels >= n or rank >= n - 1:
        return 1.0
    mean = rank * (labels - 1) / (n - 1)
    label_squares = float((counts * (1 / counts - 1 / n) ** 2).sum())

    def plain(t: float) -> float:
        return (n - 1) * t - t**2

    def pointed(t: float, squares: float) -> float:
        return n * (n + 1) * squares - (n - 1) * (t**2 + 2 * t)

    variance = 2 * plain(rank) * plain(labels - 1) / ((n - 1) ** 2 * (n + 1) * (n - 2))
    variance += pointed(rank, leverage_squares) * pointed(labels - 1, label_squares) / ((n + 1) * n * (n - 1) * (n - 2) * (n - 3))
    if variance <= 0:
        return 1.0
    return float(gammaincc(mean**2 / variance, trace * mean / variance))


def left_out_p(white: Floats, kept: int, label: Counts, counts: Counts) -> float:
    """p that the labels differ along the later columns of white (n, r) beyond what its first `kept` columns show.

    white: uncorrelated columns of variance 1. The label indicators less their regression on the kept columns are set
    against the others, in the n - 1 - kept dimensions that are left: Pillai's trace again, its law that of two random
    projections. At most half of those dimensions are tested, the first ones, as all of them together can predict anything. 1: untestable.
    """
    from scipy.special import gammaincc

    n, labels = len(label), len(counts)
    left = n - 1 - kept
    rest = white[:, kept : kept + left // 2]
    if left < labels + 3 or rest.shape[1] == 0:
        return 1.0
    hot = (np.eye(labels)[label] - counts / n)[:, 1:]
    first = white[:, :kept]
    basis = np.linalg.qr(hot - first @ (first.T @ hot) / n)[0]
    trace, rank, q = float(((rest.T @ basis) ** 2).sum()) / n, rest.shape[1], labels - 1
    mean = rank * q / left
    variance = 2 * rank * q * (left - rank) * (left - q) / (left**2 * (left + 2) * (left - 1))
    return float(gammaincc(mean**2 / variance, trace * mean / variance))


def leverage_squares(embedding: Floats, covariance: Floats) -> float:
    """Sum over rows of embedding (n, d), centered, of the squared leverage z^T covariance^-1 z / n; from the first 2,000 rows."""
    from scipy.linalg import solve_triangular

    n = len(embedding)
    rows = embedding[:_ROWS]
    white = solve_triangular(np.linalg.cholesky(covariance), rows.T, lower=True, check_finite=False)
    leverage = np.einsum("ij,ij->j", white, white) / n
    return float((leverage**2).mean() * n)
