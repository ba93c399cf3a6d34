"""Neighbors in the maximum distance on a grid of whole numbers: exact, for many dimensions and a few thousand rows.

All coordinates are rounded to one step, fine enough for 15 bits to hold their range. Differences of 16-bit numbers are four
times as fast as those of 64 bits, and they tell each true distance to within a step. Only the pairs for which a step decides
are measured again in full.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hartley.bits.neighbors.nearest import kth_of_pairs, pair_distances
from hartley.bits.tables import Counts, Floats

Steps = NDArray[np.int16]

GRID_ROWS = 4096
"""Both tables of distances are kept: 64 MB at this many rows."""

_SPAN = 32_000
_FARTHEST = np.int16(32_767)
_ROWS = 96
_PAIRS_A_ROW = 64
"""Where more pairs than this are left to a step, the range hides the spread (far outliers), and the grid is of no use."""


def grid_counts(x: Floats, y: Floats, k: int) -> tuple[Counts, Counts] | None:
    """How many other rows are strictly closer in x and in y alone than the k-th nearest in both: (n,) and (n,).

    x (n, dx) and y (n, dy), n <= GRID_ROWS. None where the grid is too coarse to help.
    """
    range_x, range_y = np.ptp(x, axis=0), np.ptp(y, axis=0)
    step = float(max(range_x.max(), range_y.max())) / _SPAN
    if not 1e-300 < step < np.inf:
        return None
    columns_x, columns_y = np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)
    steps_x, steps_y = _steps(columns_x, step), _steps(columns_y, step)
    found = _kth_distances(np.concatenate([columns_x, columns_y]), steps_x, steps_y, k)
    if found is None:
        return None
    counts = [_within(columns, steps, found, step) for columns, steps in ((columns_x, steps_x), (columns_y, steps_y))]
    if counts[0] is None or counts[1] is None:
        return None
    return counts[0], counts[1]


def _steps(columns: Floats, step: float) -> Steps:
    """Distances (n, n) in whole steps, for columns (d, n): each within one step of the true distance."""
    centers = columns.min(axis=1, keepdims=True) + np.ptp(columns, axis=1, keepdims=True) / 2
    whole = np.rint((columns - centers) / step).astype(np.int16)
    n = columns.shape[1]
    table = np.empty((n, n), dtype=np.int16)
    for start in range(0, n, _ROWS):
        stop = min(start + _ROWS, n)
        largest = np.zeros((stop - start, n - start), dtype=np.int16)
        gap = np.empty_like(largest)
        for values in whole:
            np.subtract(values[start:], values[start:stop, None], out=gap)
            np.maximum(largest, np.abs(gap, out=gap), out=largest)
        table[start:stop, start:] = largest
        table[stop:, start:stop] = largest[:, stop - start :].T
    return table


def _kth_distances(columns: Floats, steps_x: Steps, steps_y: Steps, k: int) -> Floats | None:
    """Distance (n,) of each row to its k-th nearest other row in both."""
    n = len(steps_x)
    groups = min(max(64, 8 * k), n)
    even = n // groups * groups
    found = np.empty(n)
    for start in range(0, n, _ROWS):
        rows = slice(start, min(start + _ROWS, n))
        steps = np.maximum(steps_x[rows], steps_y[rows])
        np.fill_diagonal(steps[:, start:], _FARTHEST)
        # the k-th smallest of the minima of groups is a bound on the k-th smallest of all, and cheaper
        minima = steps[:, :even].reshape(len(steps), -1, groups).min(1)
        bound = np.partition(minima, k - 1, axis=1)[:, k - 1].astype(np.int32)
        row, other = np.divmod(np.flatnonzero(steps <= np.minimum(bound + 3, _FARTHEST - 1).astype(np.int16)[:, None]), n)
        if len(row) > _PAIRS_A_ROW * len(steps):
            return None
        found[rows] = kth_of_pairs(columns, row + start, other, rows, k)
    return found


def _within(columns: Floats, steps: Steps, radius: Floats, step: float) -> Counts | None:
    """How many other rows are strictly closer than radius (n,): those surely closer, and of the doubtful those measured so."""
    n = len(steps)
    counts = np.zeros(n, dtype=np.int64)
    whole = np.floor(radius / step)
    surely, perhaps = ((whole + margin).astype(np.int16)[:, None] for margin in (-2, 2))
    for start in range(0, n, _ROWS):
        rows = slice(start, start + _ROWS)
        certain = steps[rows] <= surely[rows]
        counts[rows] = np.bitwise_count(np.packbits(certain, axis=1)).sum(1, dtype=np.int64)
        row, other = np.divmod(np.flatnonzero((steps[rows] <= perhaps[rows]) ^ certain), n)
        if len(row) > _PAIRS_A_ROW * len(certain):
            return None
        row += start
        counts += np.bincount(row[pair_distances(columns, row, other) < radius[row]], minlength=n)
    # each row found itself, unless its radius is 0
    return counts - (radius > 0)
