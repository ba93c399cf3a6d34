"""The shuffled nulls of a decomposition: how large each BROJA term comes out of data that cannot have it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hartley.bits.partial.broja import union_information
from hartley.bits.tables import Counts, Floats
from hartley.bits.trust import GATE

TERMS = ("unique_1", "unique_2", "redundant", "synergistic")
_TOL_BITS = 1e-4


def plug_in_terms(tables: Floats, tol_bits: float = _TOL_BITS) -> Floats:
    """The four terms in bits (b, 4), in the order of TERMS, of the frequencies of b tables (b, k1, k2, o)."""
    law = tables / tables.sum((1, 2, 3), keepdims=True)
    first, second = law.sum(2), law.sum(1)
    informed_1, informed_2 = _informations(first), _informations(second)
    both = _informations(law.reshape(len(law), -1, law.shape[3]))
    union = union_information(first.transpose(0, 2, 1), second.transpose(0, 2, 1), tol_bits).upper
    union = np.clip(union, np.maximum(informed_1, informed_2), np.minimum(both, informed_1 + informed_2))
    return np.stack([union - informed_2, union - informed_1, informed_1 + informed_2 - union, both - union], 1)


def _informations(joint: Floats) -> Floats:
    """I in bits (b,) of joint laws (b, symbols, targets)."""
    outer = joint.sum(2, keepdims=True) * joint.sum(1, keepdims=True)
    ratio = np.divide(joint, outer, out=np.ones_like(joint), where=joint > 0)
    return np.asarray((joint * np.log2(ratio)).sum((1, 2)))


def null_p(counts: Counts, observed: Floats, *, permutations: int, seed: int) -> Floats:
    """p (4,) of each term: how often shuffled data gives at least as much, (1 + reached) / (1 + drawn).

    unique_1, synergistic   the first source is shuffled among trials alike in the second: no unique_1 and no synergy is
                            left, all that the second source says stays. Likewise for unique_2. The synergy must beat
                            both shuffles, so its p is the larger.
    redundant               one source is shuffled against all the rest; both ways must be beaten.
    A family stops early, with p above the gate, once its terms cannot pass any more.
    """
    o = counts.shape[2]
    turned = counts.transpose(1, 0, 2)
    reached = {
        "first given second": _reached(counts, _within_second, observed, (0, 3), permutations, seed),
        "second given first": _reached(turned, _within_second, observed[[1, 0, 2, 3]], (0, 3), permutations, seed + 1),
        "first": _reached(counts, _against_all, observed, (2,), permutations, seed + 2),
        "second": _reached(turned, _against_all, observed[[1, 0, 2, 3]], (2,), permutations, seed + 3),
    }
    if o < 2:
        return np.ones(4)
    one, two = reached["first given second"], reached["second given first"]
    redundant = max(float(reached["first"][0]), float(reached["second"][0]))
    return np.array([one[0], two[0], redundant, max(float(one[1]), float(two[1]))])


_Shuffle = Callable[[Counts, int, np.random.Generator], Floats]


def _reached(counts: Counts, shuffle: _Shuffle, observed: Floats, terms: tuple[int, ...], permutations: int, seed: int) -> Floats:
    """p of each of `terms` under one shuffle."""
    generator = np.random.default_rng([seed, *counts.sum((1, 2)).tolist(), *counts.sum((0, 1)).tolist()])
    unknowns = counts.shape[2] * (counts.shape[0] + counts.shape[1])
    block = max(1, min(permutations, 4_000_000 // unknowns**2, 4_000_000 // counts.size))
    hits, drawn = np.zeros(len(terms)), 0
    lost = GATE * (1 + permutations)
    while drawn < permutations and not (1 + hits > lost).all():
        size = min(block, permutations - drawn, 20 if drawn == 0 else permutations)
        found = plug_in_terms(shuffle(counts, size, generator))[:, terms]
        hits += (found >= observed[list(terms)] - 1e-9).sum(0)
        drawn += size
    return np.asarray((1 + hits) / (1 + drawn))


def _within_second(counts: Counts, size: int, generator: np.random.Generator) -> Floats:
    """`size` tables in which the first source is shuffled among the trials with the same second source."""
    drawn = np.zeros((size, *counts.shape))
    for y in np.flatnonzero(counts.sum((0, 2))):
        drawn[:, :, y, :] = _shuffled(counts[:, y, :], size, generator)
    return drawn


def _against_all(counts: Counts, size: int, generator: np.random.Generator) -> Floats:
    """`size` tables in which the first source is shuffled against the pairs of second source and target."""
    return _shuffled(counts.reshape(counts.shape[0], -1), size, generator).reshape(size, *counts.shape)


def _shuffled(table: Counts, size: int, generator: np.random.Generator) -> Floats:
    """`size` random tables with the margins of `table` (Patefield 1981): what shuffling the labels does."""
    from scipy.stats import random_table  # here, since scipy.stats takes a second to import

    rows, columns = np.flatnonzero(table.sum(1)), np.flatnonzero(table.sum(0))
    drawn = np.zeros((size, *table.shape))
    if min(len(rows), len(columns)) < 2:
        # one table has these margins, and scipy's walk over the cells leaves its last one out
        return drawn + table
    law = random_table(table.sum(1)[rows], table.sum(0)[columns])
    drawn[np.ix_(np.arange(size), rows, columns)] = law.rvs(size, random_state=generator).reshape(size, len(rows), len(columns))
    return drawn
