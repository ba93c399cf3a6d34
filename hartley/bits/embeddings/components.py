"""The directions of an embedding that its number of rows can bear: all of them, or principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.embeddings.folds import Folds
from hartley.bits.embeddings.labeled import Labeled
from hartley.bits.embeddings.pillai import left_out_p
from hartley.bits.tables import Floats


@dataclass(frozen=True)
class Reduced:
    """embedding (n, r) in the directions kept; of `full`, with `share` of the variance; dropped_p: whether labels differ in the rest."""

    embedding: Floats
    full: int
    share: float
    dropped_p: float

    @property
    def dimensions(self) -> int:
        return int(self.embedding.shape[1])


def total_covariance(folds: Folds) -> Floats:
    """Covariance (d, d) of all rows around their mean."""
    center, n = folds.sums.sum((0, 1)), int(folds.counts.sum())
    return np.asarray((folds.raw.sum(0) - np.outer(center, center) / n) / n)


def prepared(data: Labeled, folds: int, seed: int) -> tuple[Reduced, Folds]:
    """The rows in directions that n can bear, and their moments by fold."""
    n, full = data.embedding.shape
    if n >= 3 * full:
        parts = Folds.of(data.embedding, data.label, data.classes, folds, seed)
        total = total_covariance(parts)
        if np.diag(np.linalg.cholesky(total + 1e-15 * np.eye(full))).min() > 1e-4:
            return Reduced(data.embedding, full, 1.0, 1.0), parts
    white, share, dropped_p = _principal(data, min(full, max(1, n // 3)))
    return Reduced(white, full, share, dropped_p), Folds.of(white, data.label, data.classes, folds, seed)


def _principal(data: Labeled, most: int) -> tuple[Floats, float, float]:
    """Whitened principal components (n, r), r <= most; their share of the variance; p that the labels differ in the others."""
    z, n = data.embedding, data.rows
    if z.shape[1] <= n:
        values, vectors = np.linalg.eigh(z.T @ z / n)
        values, vectors = values[::-1], vectors[:, ::-1]
        rank = int((values > 1e-8 * values[0]).sum())
        white = z @ (vectors[:, :rank] / np.sqrt(values[:rank]))
    else:
        values, vectors = np.linalg.eigh(z @ z.T / n)
        values, vectors = values[::-1], vectors[:, ::-1]
        rank = int((values > 1e-8 * values[0]).sum())
        white = vectors[:, :rank] * np.sqrt(n)
    kept = min(rank, most)
    if kept == rank:
        return white, 1.0, 1.0
    p = left_out_p(white, kept, data.label, data.counts)
    return white[:, :kept], float(values[:kept].sum() / values[:rank].sum()), p
