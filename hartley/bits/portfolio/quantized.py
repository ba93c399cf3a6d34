"""Information of what is left when both sides are rounded to cells: a lower bound, and all there is where clusters are."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from hartley.bits.counted.decoder import decoder_low_bits
from hartley.bits.portfolio.canonical import canonical
from hartley.bits.portfolio.features import Coordinates
from hartley.bits.portfolio.ranks import normal_scores
from hartley.bits.tables import Counts, Floats, cross_tabulate

SIZES = (2, 4, 8, 16, 32, 64)
MOST_PAIRS = 40
ROWS_A_CELL = 50
PSEUDO_TRIALS = 0.5
MOST_RESIDUALS = 60


@dataclass(frozen=True)
class Cells:
    """Two maps from coordinates to cells, learned on some rows: weight (k,), centers (Kx, k) and (Ky, k).

    counts (Kx, Ky): the table of the rows they were learned on.
    """

    weight: Floats
    centers_x: Floats
    centers_y: Floats
    counts: Counts

    def of_x(self, x: Floats) -> Counts:
        """Cell (m,) of coordinates x (m, r), r >= k."""
        return _nearest(x[:, : len(self.weight)] * self.weight, self.centers_x)

    def of_y(self, y: Floats) -> Counts:
        return _nearest(y[:, : len(self.weight)] * self.weight, self.centers_y)

    def table(self, x: Floats, y: Floats) -> Counts:
        """Counts (Kx, Ky) of rows with coordinates x (m, r), y (m, r)."""
        return cross_tabulate(self.of_x(x), self.of_y(y), inputs=len(self.centers_x), outcomes=len(self.centers_y))

    def log_ratio(self, x: Floats, y: Floats, every_pair: bool = False) -> Floats:
        """Natural logarithm of the cells' joint law over its margins: (m,) at (x[i], y[i]), or (m, m') at (x[i], y[j])."""
        rows, columns = self.counts.sum(1) + 0.5, self.counts.sum(0) + 0.5
        alone = np.outer(rows, columns) / rows.sum()
        shrunk = PSEUDO_TRIALS / alone.mean()
        table = np.log((self.counts + shrunk * alone) / (alone * (1 + shrunk)))
        a, b = self.of_x(x), self.of_y(y)
        return np.asarray(table[np.ix_(a, b)] if every_pair else table[a, b])

    def exhaust(self, at: Coordinates) -> bool:
        """Whether the cells leave nothing that goes together: within cells no canonical correlation is significant.

        Each side's features, less their means within its cells, are tested by Bartlett's test at 1% in normal scores (products
        have tails for which it is not made); of a wide side the 60 directions of largest variance.
        """
        left_x = _within(at.features_x, self.of_x(at.x))
        left_y = _within(at.features_y, self.of_y(at.y))
        return canonical(normal_scores(_widest(left_x)), normal_scores(_widest(left_y))).kept == 0


def clustered(x: Floats, y: Floats, rho: Floats, *, seed: int = 0) -> Cells:
    """Cells for rows with canonical coordinates x (n, r), y (n, r) and correlations rho (r,): k-means, each coordinate weighted
    by its correlation.

    How many cells: the number whose table has the highest lower limit by the leave-one-out decoder. Nobody says how many
    clusters there are.
    """
    weight = rho[:MOST_PAIRS]
    a, b = x[:, : len(weight)] * weight, y[:, : len(weight)] * weight
    found, highest = None, -np.inf
    for size in SIZES:
        if found is not None and size > len(x) // ROWS_A_CELL:
            break
        centers_x, centers_y = _centers(a, size, seed), _centers(b, size, seed)
        counts = cross_tabulate(_nearest(a, centers_x), _nearest(b, centers_y), inputs=len(centers_x), outcomes=len(centers_y))
        low = low_bits(counts)
        if found is None or low > highest:
            found, highest = Cells(weight, centers_x, centers_y, counts), low
    assert found is not None
    return found


def low_bits(counts: Counts) -> float:
    """97.5% lower limit in bits of the information of a table, by the leave-one-out decoder."""
    seen = counts[counts.sum(1) > 0]
    total = float(counts.sum())
    return decoder_low_bits(seen, seen.sum(1) / total, np.full(len(seen), 1 / total))


def _nearest(points: Floats, centers: Floats) -> Counts:
    return np.asarray(((centers**2).sum(1) - 2 * points @ centers.T).argmin(1), dtype=np.int64)


def _within(scores: Floats, cell: Counts) -> Floats:
    """scores (n, d) less their mean within each cell."""
    size = np.maximum(np.bincount(cell), 1)
    sums = np.zeros((len(size), scores.shape[1]))
    np.add.at(sums, cell, scores)
    return np.asarray(scores - (sums / size[:, None])[cell])


def _widest(x: Floats) -> Floats:
    if x.shape[1] <= MOST_RESIDUALS:
        return x
    vectors = np.linalg.eigh(x.T @ x)[1][:, -MOST_RESIDUALS:]
    return np.asarray(x @ vectors)


def _centers(points: Floats, size: int, seed: int) -> Floats:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KMeans(min(size, len(points)), n_init=1, max_iter=50, random_state=seed).fit(points)
    return np.asarray(model.cluster_centers_, dtype=np.float64)
