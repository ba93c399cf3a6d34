"""Neighbors in the maximum distance: by a tree or a sorted list in few dimensions, and among pairs already singled out."""

from __future__ import annotations

import numpy as np

from hartley.bits.tables import Counts, Floats

_CHUNK = 8192
"""Pairs measured at a time, so that they stay in the cache over all coordinates."""


def tree_distances(points: Floats, k: int) -> Floats:
    """Distance (n,) of each of points (n, d) to its k-th nearest other point, the largest coordinate difference."""
    from scipy.spatial import cKDTree

    # the point itself, at distance 0, is among the k + 1 nearest
    return np.asarray(cKDTree(points, leafsize=16).query(points, [k + 1], p=np.inf)[0][:, 0])


def tree_counts(points: Floats, radius: Floats) -> Counts:
    """How many other points (n, d) are strictly closer than radius (n,): (n,)."""
    from sklearn.neighbors import KDTree

    inside = KDTree(points, metric="chebyshev").query_radius(points, np.nextafter(radius, 0), count_only=True)
    return np.where(radius > 0, inside - 1, 0).astype(np.int64)


def counts_on_line(values: Floats, radius: Floats) -> Counts:
    """How many other values (n,) are strictly closer than radius (n,): (n,)."""
    distinct, repeats = np.unique(values, return_counts=True)
    before = np.concatenate([[0], np.cumsum(repeats)])
    last = len(distinct) - 1
    low = np.searchsorted(distinct, values - radius, side="right")
    high = np.searchsorted(distinct, values + radius, side="left")
    # values -+ radius are rounded; what counts is the rounded difference, so the ends may be off by a value or two
    while (move := (low > 0) & (np.abs(distinct[np.maximum(low - 1, 0)] - values) < radius)).any():
        low -= move
    while (move := (low < high) & (np.abs(distinct[np.minimum(low, last)] - values) >= radius)).any():
        low += move
    while (move := (high <= last) & (np.abs(distinct[np.minimum(high, last)] - values) < radius)).any():
        high += move
    while (move := (high > low) & (np.abs(distinct[np.maximum(high - 1, 0)] - values) >= radius)).any():
        high -= move
    return np.where(radius > 0, before[high] - before[low] - 1, 0).astype(np.int64)


def pair_distances(columns: Floats, row: Counts, other: Counts) -> Floats:
    """The largest coordinate difference (pairs,) of the points row and other, for columns (d, n)."""
    distance = np.zeros(len(row))
    for start in range(0, len(row), _CHUNK):
        here = slice(start, start + _CHUNK)
        first, second, largest = row[here], other[here], distance[here]
        for values in columns:
            gap = values[second]
            gap -= values[first]
            np.maximum(largest, np.abs(gap, out=gap), out=largest)
    return distance


def kth_of_pairs(columns: Floats, row: Counts, other: Counts, rows: slice, k: int) -> Floats:
    """Distance of each of `rows` to the k-th nearest among its pairs, itself left out; pairs in order of row, k + 1 or more each."""
    distance = pair_distances(columns, row, other)
    distance[row == other] = np.inf
    start = np.searchsorted(row, np.arange(rows.start, rows.stop + 1))
    table = np.full((rows.stop - rows.start, int(np.diff(start).max())), np.inf)
    table[row - rows.start, np.arange(len(row)) - start[row - rows.start]] = distance
    return np.asarray(np.partition(table, k - 1, axis=1)[:, k - 1])
