"""The k-nearest-neighbor estimator of Kraskov, Stoegbauer and Grassberger (2004), first variant."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.neighbors.bitmaps import Bitmaps
from hartley.bits.neighbors.grid import GRID_ROWS, grid_counts
from hartley.bits.neighbors.nearest import counts_on_line, tree_counts, tree_distances
from hartley.bits.tables import Counts, Floats
from hartley.errors import InputError

_TREE_DIMENSIONS = 8
"""Up to here a tree finds the nearest neighbors at least as fast as bitmaps do."""
_GRID_ROWS_A_DIMENSION = 100
"""Up to this many rows for each dimension a table of all distances on a grid is faster than bitmaps."""
_BITMAP_ROWS = 200_000
"""Above, counting in up to five dimensions is left to a tree: bitmaps take time that grows with the square of the rows."""


def ksg_bits(x: ArrayLike, y: ArrayLike, *, neighbors: int = 3) -> float:
    """I(x; y) in bits for x (n, dx) or (n,) and y (n, dy) or (n,): the raw estimate, which may fall below 0.

    psi(k) + psi(n) - mean of psi(n_x + 1) + psi(n_y + 1), in bits: for each row, the distance to its k-th neighbor in the
    larger of the distances in x and in y (each the maximum over coordinates), and n_x, n_y the rows strictly closer than
    that in x alone and in y alone (equations 8 and 9 of Kraskov et al. 2004; k = neighbors).

    Exact whichever way the neighbors are found: by sorting (one dimension), by trees (few), on a grid
    of whole numbers (many dimensions, few rows) or by bitmaps (both many). No noise is
    added and nothing is scaled; ranks or scaling are for the caller. Rows that repeat are no error: a row with k copies
    of itself has distance 0, nothing is closer, and it counts n_x = n_y = 0, which pushes the estimate up, so the estimate
    is only of use where ties are rare.
    Memory stays below about 300 MB beyond the data. Time grows as n^2 for more than eight dimensions.
    Raises InputError for arrays of other shapes, unequal lengths, values that are not finite, or n <= neighbors.
    """
    first, second = _rows("x", x), _rows("y", y)
    n = len(first)
    if len(second) != n:
        raise InputError(f"x and y: {n} and {len(second)} rows, takes equal lengths")
    if not 1 <= neighbors < n:
        raise InputError(f"neighbors: got {neighbors} for {n} rows, takes 1 to {n - 1}")
    n_x, n_y = _counts(first, second, neighbors)
    psi = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n))]) - np.euler_gamma
    nats = psi[neighbors - 1] + psi[n - 1] - psi[n_x].mean() - psi[n_y].mean()
    return float(nats / np.log(2))


def _counts(x: Floats, y: Floats, k: int) -> tuple[Counts, Counts]:
    """n_x (n,) and n_y (n,)."""
    both = np.concatenate([x, y], axis=1)
    cut = x.shape[1]
    if both.shape[1] <= _TREE_DIMENSIONS:
        radius = tree_distances(both, k)
        return _counts_within(x, radius), _counts_within(y, radius)
    if len(both) <= min(GRID_ROWS, _GRID_ROWS_A_DIMENSION * both.shape[1]) and (counts := grid_counts(x, y, k)) is not None:
        return counts
    maps = Bitmaps(both)
    radius = maps.kth_distances(k)
    if x.shape[1] == 1:
        return counts_on_line(x[:, 0], radius), maps.counts_within(radius, slice(cut, None))
    if y.shape[1] == 1:
        return maps.counts_within(radius, slice(0, cut)), counts_on_line(y[:, 0], radius)
    return maps.counts_within(radius, slice(0, cut)), maps.counts_within(radius, slice(cut, None))


def _counts_within(points: Floats, radius: Floats) -> Counts:
    """How many other rows are strictly closer than radius (n,), for points (n, d)."""
    if points.shape[1] == 1:
        return counts_on_line(points[:, 0], radius)
    if len(points) > _BITMAP_ROWS:
        return tree_counts(points, radius)
    return Bitmaps(points).counts_within(radius)


def _rows(name: str, values: ArrayLike) -> Floats:
    try:
        rows = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not an array of numbers ({error})") from None
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or 0 in rows.shape:
        raise InputError(f"{name}: shape {np.shape(values)}, takes (n,) or (n, d) with at least one row and one column")
    bad = ~np.isfinite(rows)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{name}, row {row}, column {column}: got {rows[row, column]}, takes finite numbers")
    return rows
