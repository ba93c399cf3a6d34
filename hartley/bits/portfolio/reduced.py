"""Reduce, then count neighbors: the few coordinates that go together, by KSG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.neighbors.ksg import ksg_bits
from hartley.bits.portfolio.canonical import canonical
from hartley.bits.portfolio.ranks import normal_scores
from hartley.bits.tables import Floats

MOST_PAIRS = 4
"""More coordinates than this a side and neighbors are too far apart to say anything."""
CLEAR_GAIN_BITS = 0.03
TRIAL_ROWS = 1_500
COARSE = 12
"""Neighbors of the coarser look."""


@dataclass(frozen=True)
class Neighbors:
    """bits: the estimate; unresolved: how much of it only the closest neighbors see, in bits (0 where all has been seen)."""

    bits: float
    unresolved: float


@dataclass(frozen=True)
class Reduction:
    """bits: the estimate; pairs: how many canonical pairs are significant (0: none, and bits is 0)."""

    bits: float
    pairs: int


def reduced_bits(x: Floats, y: Floats, *, seed: int = 0) -> Reduction:
    """I(X; Y) in bits of x (n, dx) and y (n, dy) where all of it lies in a few straight directions.

    Normal scores, canonical analysis, the pairs that Bartlett's test keeps at 1%, then KSG (Kraskov, Stögbauer,
    Grassberger 2004) on the scores of those: any law between them, not only Gaussian. The directions were chosen on the same
    rows, which lifts the estimate by 1/(2 n ln 2) bits for each number they were free to fit, k (dx + dy - 2k) for k pairs;
    that is taken off. With more than 4 pairs only the 4 strongest are used, and the estimate is a lower one.
    """
    a, b = normal_scores(x, seed), normal_scores(y, seed + 1)
    found = canonical(a, b)
    pairs = min(found.kept, MOST_PAIRS)
    if pairs == 0:
        return Reduction(0.0, 0)
    free = pairs * (x.shape[1] + y.shape[1] - 2 * pairs)
    optimism = free / (2 * len(x) * float(np.log(2)))
    return Reduction(neighbor_bits(found.x(a)[:, :pairs], found.y(b)[:, :pairs], seed=seed) - optimism, found.kept)


def neighbor_bits(x: Floats, y: Floats, *, seed: int = 0) -> float:
    """KSG in bits on the normal scores of x (n, dx) and y (n, dy): the same for any increasing map of a column."""
    return ksg_bits(normal_scores(x, seed), normal_scores(y, seed + 1))


def resolved(x: Floats, y: Floats, *, seed: int = 0) -> Neighbors:
    """KSG in bits on the normal scores of x (n, dx) and y (n, dy), with what a finer look would add.

    What 3 neighbors say over what 12 say is structure finer than the distance of the rows: they look 2 times as far in two
    dimensions, 1.4 times in four. As much again is out of sight if it goes on as it began, and half of that is added.
    """
    a, b = normal_scores(x, seed), normal_scores(y, seed + 1)
    fine = ksg_bits(a, b)
    unresolved = fine - ksg_bits(a, b, neighbors=COARSE)
    return Neighbors(fine + unresolved / 2, unresolved)


def pairs_worth_keeping(x: Floats, y: Floats, *, seed: int = 0) -> int:
    """How many of the canonical coordinates x (n, r), y (n, r), strongest first, neighbors should be counted in: 1 to 4.

    Decided on the first 1,500 rows: more are taken while they add more than 0.03 bits. To be called with the rows on which
    the coordinates were fitted; the estimate is then made on others.
    """
    best, highest = 1, -np.inf
    for pairs in range(1, min(x.shape[1], MOST_PAIRS) + 1):
        bits = neighbor_bits(x[:TRIAL_ROWS, :pairs], y[:TRIAL_ROWS, :pairs], seed=seed)
        if bits > highest + (CLEAR_GAIN_BITS if pairs > 1 else 0):
            best, highest = pairs, bits
    return best
