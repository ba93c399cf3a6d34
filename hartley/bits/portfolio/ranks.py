"""Margins by rank: every column as its normal (or uniform) scores, on the rows it was learned from and on new ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.tables import Counts, Floats

EDGE = 1e-12


def ranks(x: Floats, seed: int = 0) -> Counts:
    """Ranks 0 to n - 1 of each column of x (n, d). Ties are broken by coin (fixed by `seed`, for each column anew).

    Breaking a tie by coin adds noise that knows nothing of the other side, so it can only take information away.
    """
    n, d = x.shape
    generator = np.random.default_rng([seed, n, d])
    found = np.empty((n, d), dtype=np.int64)
    for column in range(d):
        values = x[:, column]
        order = np.argsort(values, kind="stable")
        placed = values[order]
        if (placed[1:] == placed[:-1]).any():
            order = np.lexsort((np.asarray(generator.random(n)), np.asarray(values)))
        found[order, column] = np.arange(n)
    return found


def normal_levels(n: int) -> Floats:
    """Normal scores of ranks 0 to n - 1 (n,): quantiles at (rank + 1/2) / n, scaled to mean square 1 (van der Waerden)."""
    from scipy.special import ndtri

    scores = ndtri((np.arange(n) + 0.5) / n)
    return np.asarray(scores / np.sqrt(np.mean(scores**2)), dtype=np.float64)


def normal_scores(x: Floats, seed: int = 0) -> Floats:
    """x (n, d) with every column replaced by its normal scores; unchanged by any increasing map of a column."""
    return normal_levels(len(x))[ranks(x, seed)]


@dataclass(frozen=True)
class Margins:
    """The columns of a sample in order (n, d), by which new rows are placed."""

    columns: Floats

    @staticmethod
    def of(x: Floats) -> Margins:
        return Margins(np.sort(x, axis=0))

    def uniform(self, x: Floats) -> Floats:
        """Where new rows (m, d) fall in (0, 1): the middle of the ranks that each value would take."""
        n = len(self.columns)
        placed = np.empty(x.shape)
        for column in range(x.shape[1]):
            known, values = self.columns[:, column], x[:, column]
            below = np.searchsorted(known, values, "left")
            met = known[np.minimum(below, n - 1)] == values
            placed[:, column] = below
            if met.any():
                placed[met, column] = (below[met] + np.searchsorted(known, values[met], "right")) / 2
        return np.asarray((placed + 0.5) / (n + 1), dtype=np.float64)

    def normal(self, x: Floats) -> Floats:
        """Normal scores (m, d) of new rows."""
        from scipy.special import ndtri

        return np.asarray(ndtri(np.clip(self.uniform(x), EDGE, 1 - EDGE)), dtype=np.float64)
