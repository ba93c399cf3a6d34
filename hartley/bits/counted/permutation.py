"""The gate: is there any channel at all? Permutation tests of independence, of single trials and of clusters of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hartley.bits.tables import Counts, Floats

_SHUFFLED = 4_000_000
"""At most about so many symbols are shuffled for a test over clusters; a test of fewer permutations is as exact, p is coarser."""
_FEWEST = 199


@dataclass(frozen=True)
class Null:
    """What shuffling says. p: of the test; mean_bits, deviation_bits: of the plug-in information under the null of independence.

    finest: the p that the strongest of the shuffled tables would get. Few clusters with one symbol each have few arrangements, and no
    test of them can say more.
    """

    p: float
    mean_bits: float
    deviation_bits: float
    finest: float = 0.0


def independence_p(counts: Counts, *, permutations: int = 1999, seed: int = 0) -> float:
    """p of the G test of independence; see `independence`."""
    return independence(counts, permutations=permutations, seed=seed).p


def independence(counts: Counts, *, permutations: int = 1999, seed: int = 0) -> Null:
    """The G test of independence: how often shuffled labels look at least as dependent as counts (inputs, outcomes).

    Draws `permutations` tables with the margins of `counts` (Patefield 1981, AS 159), which is what shuffling the labels
    does, and compares the G statistic, 2 N ln2 times the plug-in information. p = (1 + #{G* >= G}) / (1 + permutations)
    is an exact test at any n. The margins are sorted first, so that relabeling symbols cannot change p; `seed` fixes
    the draws. 1 when the table has one occupied row or column.
    """
    from scipy.stats import random_table  # here, since scipy.stats takes a second to import

    rows, columns = np.sort(counts.sum(1)), np.sort(counts.sum(0))
    rows, columns = rows[rows > 0], columns[columns > 0]
    if len(rows) < 2 or len(columns) < 2:
        return Null(1.0, 0.0, 0.0)
    # the margins enter the seed: one set of draws for all tables would put one and the same error into every verdict
    generator = np.random.default_rng([seed, *rows.tolist(), *columns.tolist()])
    total = int(rows.sum())
    # boyett shuffles all trials, patefield walks the cells: the cheaper one, decided by the margins alone
    method = "boyett" if total < 6 * len(rows) * len(columns) else "patefield"
    values = np.arange(total + 1, dtype=np.float64) if total < 1_000_000 else None
    table = None if values is None else values * np.log2(np.maximum(values, 1.0))

    def weight(cells: Counts) -> Floats:
        return np.asarray(table[cells].sum((-2, -1))) if table is not None else _weight(cells)

    law = random_table(rows, columns)
    found: list[Floats] = []
    left = permutations
    while left > 0:
        block = min(left, max(1, 4_000_000 // (len(rows) * len(columns))))
        found.append(weight(law.rvs(block, method=method, random_state=generator).astype(np.int64)))
        left -= block
    return _null(np.concatenate(found), float(weight(counts)), [rows, columns], total)


def clustered_independence(
    x: Counts, y: Counts, cluster: Counts, given: Counts | None = None, *, permutations: int = 999, seed: int = 0
) -> Null:
    """The same test where the trials of a cluster depend on each other: x, y, cluster and, if any, given, indices (n,).

    What is shuffled is what was drawn independently of all that makes trials of a cluster alike. x the same throughout each
    cluster: whole clusters swap their x. Else x is shuffled within each cluster (and within each value of `given` there), and clusters of
    equal size swap their x too, unless `given` is there. If x never varies within a cluster at one value of `given`,
    x is shuffled within clusters across those values, which is right where x was drawn without regard to `given`.
    The statistic is the plug-in information of the pooled table, or its mean over the values of `given`.
    An exact test where x was drawn in this way; it does not know of clusters that differ in how y depends on x, for which the limits,
    counted in effective trials, provide. Whatever the order of rows within a cluster the same clusters give the same draws.
    """
    order = np.lexsort((y, x, np.zeros_like(x) if given is None else given, cluster))
    x, y, cluster = x[order], y[order], cluster[order]
    u = np.zeros_like(x) if given is None else given[order]
    kx, ky, ku = (int(one.max()) + 1 for one in (x, y, u))
    n, seen = len(x), (u * ky + y)
    sizes = np.bincount(cluster)
    generator = np.random.default_rng([seed, n, kx, ky, len(sizes)])
    draws = max(_FEWEST, min(permutations, _SHUFFLED // n))
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    tables = np.zeros((draws, ku * kx * ky), dtype=np.int64)
    if (x == np.repeat(x[first], sizes)).all():
        tables = _of_swapped(x[first], seen, cluster, sizes, (draws, kx, ku * ky), generator)
    else:
        for rows in _blocks(x, cluster, u):
            shuffled = x[rows][None].repeat(draws, 0)
            if given is None and len(rows) > 1:
                shuffled = np.take_along_axis(shuffled, generator.random(shuffled.shape[:2]).argsort(1)[:, :, None], 1)
            generator.permuted(shuffled, axis=2, out=shuffled)
            tables += _tabulated(shuffled.reshape(draws, -1), seen[rows].ravel(), kx, ku * ky)
    shape = (draws, kx, ku, ky)
    observed = np.bincount(x * ku * ky + seen, minlength=kx * ku * ky).reshape(shape[1:])
    drawn = tables.reshape(shape)
    # given u, the weights of (x, u) and (y, u) enter the information beside that of (x, u, y), and shuffling may change the first
    found = _weight(drawn.reshape(draws, kx, -1)) - _weight(drawn.sum(3))
    value = float(_weight(observed.reshape(kx, -1)) - _weight(observed.sum(2)))
    rest = float(_weight(observed.sum(0)) - _weight(observed.sum((0, 2))[:, None]))
    return _compared((found - rest) / n, (value - rest) / n)


def _blocks(x: Counts, cluster: Counts, u: Counts) -> list[NDArray[np.int64]]:
    """Row numbers (blocks, size) for every size of block: the cells of cluster and u or, where x is constant in each, the clusters."""
    for key in (cluster * (int(u.max()) + 1) + u, cluster):
        _, first, sizes = np.unique(key, return_index=True, return_counts=True)
        found = [first[sizes == size][:, None] + np.arange(size) for size in np.unique(sizes).tolist()]
        if any((x[rows] != x[rows[:, :1]]).any() for rows in found):
            return found
    return found


def _of_swapped(
    labels: Counts, seen: Counts, cluster: Counts, sizes: Counts, shape: tuple[int, int, int], generator: np.random.Generator
) -> Counts:
    """Tables (draws, inputs * outcomes) in which whole clusters swapped the labels (G,)."""
    draws, kx, k = shape
    per_cluster = np.bincount(cluster * k + seen, minlength=len(sizes) * k).reshape(len(sizes), k).astype(np.float64)
    swapped = generator.permuted(labels[None].repeat(draws, 0), axis=1)
    return (
        np.stack([(swapped == symbol).astype(np.float64) @ per_cluster for symbol in range(kx)], axis=1).reshape(draws, -1).astype(np.int64)
    )


def _tabulated(x: Counts, seen: Counts, kx: int, k: int) -> Counts:
    """Counts (draws, kx * k) from x (draws, n) and seen (n,)."""
    draws = len(x)
    flat = np.arange(draws)[:, None] * (kx * k) + x * k + seen
    return np.bincount(flat.ravel(), minlength=draws * kx * k).reshape(draws, kx * k)


def _weight(cells: Counts) -> Floats:
    return np.asarray((cells * np.log2(np.maximum(cells, 1.0))).sum((-2, -1)))


def _null(found: Floats, observed: float, margins: list[Counts], n: int) -> Null:
    rest = sum(float(_weight(one[:, None])) for one in margins) - float(_weight(np.array([[n]])))
    reached = int((found >= observed - 1e-9 * max(1.0, abs(observed))).sum())
    return Null((1 + reached) / (1 + len(found)), (float(found.mean()) - rest) / n, float(found.std()) / n)


def _compared(found: Floats, observed: float) -> Null:
    reached, most = (int((found >= one - 1e-9 * max(1.0, abs(one))).sum()) for one in (observed, max(observed, float(found.max()))))
    return Null((1 + reached) / (1 + len(found)), float(found.mean()), float(found.std()), (1 + most) / (1 + len(found)))
