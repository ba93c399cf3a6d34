"""Neighbors in the maximum distance by bitmaps: exact, and in many dimensions far faster than a tree.

A point is close when it is close in every coordinate. Each coordinate is cut into bins, and for each bin one bit a point says
whether the point lies below it. The points between two bins are then an exclusive-or of two rows of bits, and the points close
in every coordinate are the conjunction over coordinates: 64 points an instruction. Bins are wider than the interval asked
for, so the conjunction holds a few too many points; those are measured one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hartley.bits.neighbors.nearest import kth_of_pairs, pair_distances
from hartley.bits.tables import Counts, Floats

Words = NDArray[np.uint64]

_STEP = 128
_BLOCK_BYTES = 16 * 2**20
_KEPT_BYTES = 64 * 2**20
_PAIRS = 2**18


@dataclass(frozen=True)
class Column:
    """edges (b - 1,), ascending: bin i holds edges[i - 1] <= value < edges[i]. below (b + 1, words): row i, who lies below bin i."""

    edges: Floats
    below: Words


def column_of(values: Floats, bins: int) -> Column:
    """One coordinate's bitmaps for values (n,), in at most `bins` bins of about equally many points."""
    n = len(values)
    edges = np.unique(np.sort(values)[np.arange(1, bins) * n // bins])
    place = np.searchsorted(edges, values, side="right") + 1
    words = -(-n // 64)
    index = np.arange(n)
    below = np.zeros((len(edges) + 2, words), dtype=np.uint64)
    np.add.at(below.reshape(-1), place * words + (index >> 6), np.uint64(1) << (index & 63).astype(np.uint64))
    return Column(edges, np.bitwise_or.accumulate(below, axis=0))


class Bitmaps:
    """points (n, d), prepared for questions about who is close to whom."""

    def __init__(self, points: Floats) -> None:
        from scipy.spatial import cKDTree

        n, d = points.shape
        # points of one leaf share a word of bits, so the points close to another lie in few words
        self.order = cKDTree(points, leafsize=64).indices
        self.points = np.asfortranarray(points[self.order])
        self.words = -(-n // 64)
        self.bins = int(np.clip(2 ** int(np.log2(max(n // 8, 1))), 16, 512))
        kept = d * (self.bins + 1) * self.words * 8 <= _KEPT_BYTES
        self.columns = [column_of(self.points[:, c], self.bins) for c in range(d)] if kept else None
        self.block = max(_STEP, _BLOCK_BYTES // (8 * self.words) // _STEP * _STEP)

    def kth_distances(self, k: int) -> Floats:
        """Distance (n,) of each point to its k-th nearest other point."""
        n = len(self.points)
        bound = self._bounds(k)
        found, result = np.empty(n), np.empty(n)
        for rows in self._blocks():
            close, _ = self._close(rows, bound[rows], slice(None), inside=False)
            for row, other, stretch in _pairs(close, rows.start):
                found[stretch] = kth_of_pairs(self.points.T, row, other, stretch, k)
        result[self.order] = found
        return result

    def counts_within(self, radius: Floats, part: slice = slice(None)) -> Counts:
        """How many other points are strictly closer than radius (n,), in the coordinates of `part` alone: (n,)."""
        n = len(self.points)
        radius = radius[self.order]
        counts, result = np.zeros(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        for rows in self._blocks():
            close, certain = self._close(rows, radius[rows], part, inside=True)
            counts[rows] = np.bitwise_count(certain).sum(1, dtype=np.int64)
            for row, other, _ in _pairs(np.bitwise_xor(close, certain, out=close), rows.start):
                nearer = pair_distances(self.points.T[part], row, other) < radius[row]
                counts += np.bincount(row[nearer], minlength=n)
        # each point found itself, unless its radius is 0
        result[self.order] = counts - (radius > 0)
        return result

    def _blocks(self) -> Iterator[slice]:
        n = len(self.points)
        for start in range(0, n, self.block):
            yield slice(start, min(start + self.block, n))

    def _bounds(self, k: int) -> Floats:
        """An upper bound of each k-th distance: that to the k-th nearest of the points beside it in the tree's order.

        More of them cost more here, and leave fewer points to be measured one by one: about sqrt(k n) balance the two.
        """
        n, d = self.points.shape
        beside = max(int(np.sqrt(k * n)), k + 1)
        bound = np.empty(n)
        for start in range(0, n, _STEP):
            rows = self.points[start : start + _STEP]
            first = max(0, min(start - beside // 2, n - len(rows) - beside))
            others = self.points[first : start + len(rows) + beside]
            distance = np.zeros((len(rows), len(others)))
            for c in range(d):
                gap = np.subtract(rows[:, c, None], others[:, c])
                np.maximum(distance, np.abs(gap, out=gap), out=distance)
            np.fill_diagonal(distance[:, start - first :], np.inf)
            bound[start : start + len(rows)] = np.partition(distance, k - 1, axis=1)[:, k - 1]
        return bound

    def _close(self, rows: slice, radius: Floats, part: slice, *, inside: bool) -> tuple[Words, Words]:
        """Bits (rows, words) of a set that holds all points within radius (rows,), and of one that holds only such points.

        The second is empty unless `inside`. Intervals are widened, or narrowed, by more than rounding can do.
        """
        size = rows.stop - rows.start
        close = np.full((size, self.words), ~np.uint64(0))
        certain = np.full((size if inside else 0, self.words), ~np.uint64(0))
        for c in range(len(self.points.T))[part]:
            column = self.columns[c] if self.columns is not None else column_of(self.points[:, c], self.bins)
            value, edges = self.points[rows, c], column.edges
            slack = radius * 1e-12 + np.abs(value) * 1e-15
            wide = radius + slack
            low = np.searchsorted(edges, value - wide, side="right")
            _keep(close, column.below, low, np.searchsorted(edges, value + wide, side="right") + 1)
            if inside:
                narrow = radius - slack
                low = np.searchsorted(edges, value - narrow, side="left") + 1
                _keep(certain, column.below, low, np.maximum(low, np.searchsorted(edges, value + narrow, side="right")))
        return close, certain


def _keep(bits: Words, below: Words, low: Counts, high: Counts) -> None:
    """Clears in bits (rows, words) all points outside of bins low (rows,) to high (rows,), high excluded."""
    first, second = (np.empty((_STEP, bits.shape[1]), dtype=np.uint64) for _ in range(2))
    for start in range(0, len(bits), _STEP):
        here = bits[start : start + _STEP]
        one, two = first[: len(here)], second[: len(here)]
        # "clip": no index is out of range, and take writes into `out` without a copy only when told not to raise
        np.take(below, high[start : start + _STEP], axis=0, out=one, mode="clip")
        np.take(below, low[start : start + _STEP], axis=0, out=two, mode="clip")
        np.bitwise_xor(one, two, out=one)
        np.bitwise_and(here, one, out=here)


def _pairs(bits: Words, first: int) -> Iterator[tuple[Counts, Counts, slice]]:
    """(row, other, rows): the set bits of bits (rows, words) as pairs in order of row, some rows at a time; rows start at `first`."""
    total = np.cumsum(np.bitwise_count(bits).sum(1, dtype=np.int64))
    start = 0
    while start < len(bits):
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + _PAIRS, side="right")))
        yield *_indices(bits[start:stop], first + start), slice(first + start, first + stop)
        start = stop


def _indices(bits: Words, first: int) -> tuple[Counts, Counts]:
    """Row and place of each set bit, in order of row: the lowest bit of each word, then the next lowest, ..."""
    flat = bits.reshape(-1)
    filled = np.flatnonzero(flat)
    left = flat[filled]
    many = np.bitwise_count(left).astype(np.int64)
    slot = np.cumsum(many) - many
    row, word = np.divmod(filled, bits.shape[1])
    other = np.empty(int(many.sum()), dtype=np.int64)
    base = word * 64
    while len(left):
        rest = left & (left - np.uint64(1))
        other[slot] = base + np.bitwise_count((left ^ rest) - np.uint64(1))
        more = np.flatnonzero(rest)
        left, slot, base = rest[more], slot[more] + 1, base[more]
    return np.repeat(row + first, many), other
