"""What speaks against an estimate by neighbors: structure finer than the rows, or a part outside the coordinates it is made in."""

from __future__ import annotations

import numpy as np

from hartley.bits.portfolio.canonical import canonical
from hartley.bits.portfolio.dependence import dependence_p
from hartley.bits.portfolio.fit import some_rows, turns, wound
from hartley.bits.portfolio.ranks import normal_scores
from hartley.bits.portfolio.reduced import Neighbors, resolved
from hartley.bits.tables import Floats

FEWEST_IN_PLANE, FEWEST = 400, 2_000
"""Rows below which neighbors are no point: in two columns, in more."""
UNRESOLVED_BITS, UNRESOLVED_IN_PLANE, UNRESOLVED_FEW = 0.05, 0.1, 0.25
"""What only the closest neighbors may see: in three or four columns; in two; in two with under 1,000 rows, where chance is as large."""
CERTIFIED_SHARE = 0.78
"""In three or four columns twice as much may be unresolved where rows left out certify this share of the point."""
FEW = 1_000
REACH = 0.3
"""Share of log2 n up to which neighbors are near the truth."""
MOST_PAIRS = 2
OUTSIDE_P = 0.05
PERMUTATIONS = 99
MOST_ROWS = 2_000


def neighbors_doubt(n: int, columns: int, found: Neighbors, certified: float = 0.0) -> str:
    """Why KSG on n rows of `columns` columns is no point; "" where it is one. certified: a lower bound in bits that is no copula's."""
    fewest = FEWEST_IN_PLANE if columns <= 2 else FEWEST
    if n < fewest:
        return f"neighbors need {fewest:,} rows in {columns} columns"
    if found.bits > REACH * np.log2(n):
        return f"beyond {REACH * np.log2(n):.2f} bits neighbors need more rows"
    most = UNRESOLVED_BITS if columns > 2 else UNRESOLVED_IN_PLANE if n >= FEW else UNRESOLVED_FEW
    if columns > 2 and certified >= CERTIFIED_SHARE * found.bits:
        most *= 2
    return "" if found.unresolved <= most else f"{found.unresolved:.2f} of it only the closest neighbors see: there may be finer structure"


def winding_doubt(x: Floats, y: Floats, nu: float, bits: float, certified: float, *, seed: int = 0) -> str:
    """Neighbors of two columns a side do not see a fast spiral, and do not miss it: none may be there, unless bounds are near."""
    if min(x.shape[1], y.shape[1]) < 2 or certified >= CERTIFIED_SHARE * bits or not wound(x, y, nu, seed=seed):
        return ""
    return "directions go round with the radius"


def reduced_doubt(x: Floats, y: Floats, nu: float, *, seed: int = 0) -> str:
    """Why KSG on the straight canonical pairs of x (n, dx), y (n, dy) may not be all; "" where nothing is found.

    At most two pairs, which resolve what they see; what is left of either side must be independent of the other side (a
    permutation test at 5%), and directions may not turn with the radius, which would take them out of the pairs.
    """
    n = len(x)
    a, b = normal_scores(x, seed), normal_scores(y, seed + 1)
    found = canonical(a, b)
    pairs = found.kept
    if not 0 < pairs <= MOST_PAIRS:
        return f"{pairs} straight pairs, takes 1 or 2"
    u, v = found.x(a), found.y(b)
    doubt = neighbors_doubt(n, max(3, 2 * pairs), resolved(u[:, :pairs], v[:, :pairs], seed=seed))
    if doubt:
        return doubt
    if turns(x, y, nu, seed=seed):
        return "directions turn with the radius"
    u, v = some_rows(u, v, MOST_ROWS, seed)
    outside = [(u[:, pairs:], v)] * (pairs < u.shape[1]) + [(u, v[:, pairs:])] * (pairs < v.shape[1])
    if any(dependence_p(*sides, permutations=PERMUTATIONS, seed=seed) <= OUTSIDE_P for sides in outside):
        return "what is outside the straight pairs depends on the other side"
    return ""
