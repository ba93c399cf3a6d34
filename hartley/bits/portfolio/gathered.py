"""Every estimate and every lower bound that continuous data allows, gathered once; the verdict is drawn elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hartley.bits.counts import jackknife_bits
from hartley.bits.portfolio.critic import Held, averaged, held_out
from hartley.bits.portfolio.elliptical import Elliptical, effective_rows, elliptical_bits, fitted, tail_weight
from hartley.bits.portfolio.features import Coordinates, Coupled
from hartley.bits.portfolio.fit import misfit
from hartley.bits.portfolio.quantized import Cells, clustered
from hartley.bits.portfolio.ranks import ranks
from hartley.bits.portfolio.reduced import MOST_PAIRS, Neighbors, neighbor_bits, pairs_worth_keeping, reduced_bits, resolved
from hartley.bits.portfolio.support import neighbors_doubt, reduced_doubt, winding_doubt
from hartley.bits.tables import Floats

FEW_COLUMNS = 4
"""Up to this many columns in all, neighbors are counted in the data as they stand."""
CLOSE_BITS = 0.05
ROWS_A_COLUMN = 20
DELIVERED_SHARE = 0.5
"""Of what cells say their own bound must deliver this much on rows left out: weak cells leave weak dependence unseen."""
AGREE_BITS = 0.1
EXCESS_BITS = 0.035
"""A right copula's bound exceeded it by at most 0.03 bits on tasks that it fits."""


@dataclass(frozen=True)
class Portfolio:
    """What was found, in bits.

    points: estimates by name (copula, knn, reduced, curved, cells), those refuted on rows left out are in `refuted`.
    bounds: cross-fitted lower bounds by name (copula, curved, cells).
    nu: degrees of freedom of the copula; exhausted: the cells leave no dependence inside them.
    doubts: why an estimate cannot be the point, by name; one that is not there has nothing against it.
    beyond: how much of `knn` no neighbor saw, added for what goes on below the distance of the rows.
    """

    points: Mapping[str, float]
    refuted: Mapping[str, float]
    bounds: Mapping[str, Held]
    nu: float
    exhausted: bool
    parts: tuple[Half, Half]
    doubts: Mapping[str, str]
    beyond: float = 0.0

    def clearly_more(self, name: str) -> bool:
        """Whether another estimate says more than `name` by over 0.1 bits; what no neighbor saw is not held against a copula."""
        seen = {key: bits - (self.beyond if key == "knn" and name == "copula" else 0.0) for key, bits in self.points.items()}
        return any(bits > self.points[name] + AGREE_BITS for key, bits in seen.items() if key != name)

    def on_fewer_rows(self, name: str, x: Floats, y: Floats, *, seed: int = 0) -> float:
        """The estimate `name` in bits on half as many rows: the mean of two halves of x (n, dx), y (n, dy).

        What the curved estimate has learned is learned anew, on fewer rows too; cells are only counted on fewer.
        """
        if name == "cells":
            return float(np.mean([part.cells_bits(rows) for part in self.parts for rows in (slice(0, None, 2), slice(1, None, 2))]))
        pieces = [(x[start::2], y[start::2]) for start in (0, 1)]
        if name == "curved":
            return float(np.mean([np.mean([part.curved_bits(seed=seed) for part in _halves(*piece, self.nu, seed)]) for piece in pieces]))
        if name == "copula":
            return float(np.mean([elliptical_bits(*piece, self.nu, seed=seed) for piece in pieces]))
        if name == "knn":
            return float(np.mean([resolved(*piece, seed=seed).bits for piece in pieces]))
        return float(np.mean([reduced_bits(*piece, seed=seed).bits for piece in pieces]))


EVERY = slice(None)


@dataclass(frozen=True)
class Half:
    """What was learned on one half of the rows, and the other half, `left`, on which it is read."""

    copula: Elliptical
    curved: Elliptical
    pairs: int
    rho: Floats
    learned: Coordinates
    left: Coordinates
    rows_left: tuple[Floats, Floats]

    @staticmethod
    def of(learned: tuple[Floats, Floats], left: tuple[Floats, Floats], nu: float, seed: int) -> Half:
        copula = fitted(*learned, nu=nu, seed=seed)
        coupled = Coupled.of(*learned)
        at = coupled(*learned)
        pairs = pairs_worth_keeping(at.x, at.y, seed=seed)
        curved = fitted(at.x[:, :pairs], at.y[:, :pairs], seed=seed)
        return Half(copula, curved, pairs, coupled.rho, at, coupled(*left), left)

    def copula_bound(self) -> Held:
        return held_out(self.copula.log_ratio, *self.rows_left)

    def curved_bound(self) -> Held:
        return held_out(self.curved.log_ratio, self.left.x[:, : self.pairs], self.left.y[:, : self.pairs])

    def curved_bits(self, rows: slice = EVERY, seed: int = 0) -> float:
        """KSG on the curved coordinates of rows left out. By data processing it aims at no more than I, whatever was fitted."""
        return neighbor_bits(self.left.x[rows, : self.pairs], self.left.y[rows, : self.pairs], seed=seed)

    @cached_property
    def cells(self) -> Cells:
        return clustered(self.learned.x, self.learned.y, self.rho)

    def cells_bits(self, rows: slice = EVERY) -> float:
        """Jackknife of the table of rows left out."""
        return jackknife_bits(self.cells.table(self.left.x[rows], self.left.y[rows]), None)

    def cells_bound(self) -> Held:
        return held_out(self.cells.log_ratio, self.left.x, self.left.y)

    def exhausted(self) -> bool:
        """Whether nothing goes together within the cells of the rows left out."""
        return self.cells.exhaust(self.left)


def examined(x: Floats, y: Floats, *, seed: int = 0) -> Portfolio:
    """The portfolio of x (n, dx) and y (n, dy), n >= 40.

    Rows are halved at random; what is learned on one half is read on the other, both ways round. The dear estimates
    (curved, cells) are made only where the cheap ones leave a question: the copula is not confirmed on rows left out, or
    curved coordinates carry more, or neighbors do not agree with it.
    """
    n, dx, dy = len(x), x.shape[1], y.shape[1]
    nu = tail_weight(ranks(x, seed), ranks(y, seed + 1), seed=seed)
    halves = _halves(x, y, nu, seed)
    points: dict[str, float] = {}
    if effective_rows(n, dx + dy, nu) >= dx + dy + 20:
        points["copula"] = elliptical_bits(x, y, nu, seed=seed)
    neighbors = Neighbors(0.0, 0.0)
    if dx + dy <= FEW_COLUMNS:
        neighbors = resolved(x, y, seed=seed)
        points["knn"] = neighbors.bits
    else:
        straight = reduced_bits(x, y, seed=seed)
        if 0 < straight.pairs <= MOST_PAIRS:
            points["reduced"] = straight.bits
    bounds = {
        "copula": averaged([half.copula_bound() for half in halves]),
        "curved": averaged([half.curved_bound() for half in halves]),
    }
    exhausted = False
    if not _settled(points, bounds):
        if dx + dy > FEW_COLUMNS:
            points["curved"] = float(np.mean([half.curved_bits(seed=seed) for half in halves]))
        points["cells"] = float(np.mean([half.cells_bits() for half in halves]))
        bounds["cells"] = averaged([half.cells_bound() for half in halves])
        delivered = bounds["cells"].bits >= DELIVERED_SHARE * points["cells"]
        exhausted = delivered and all(half.exhausted() for half in halves)
    refuted = _refuted(points, bounds, n, dx + dy)
    points = {name: bits for name, bits in points.items() if name not in refuted}
    doubts = _doubts(x, y, points, bounds, nu, seed)
    if "knn" in points:
        certified = max(bound.bits for name, bound in bounds.items() if name != "copula")
        doubts["knn"] = neighbors_doubt(n, dx + dy, neighbors, certified)
        if not doubts["knn"] and doubts.get("copula", "refuted"):
            doubts["knn"] = winding_doubt(x, y, nu, neighbors.bits, certified, seed=seed)
    if "cells" in points and not exhausted:
        doubts["cells"] = "within its cells there is more"
    return Portfolio(
        points,
        refuted,
        bounds,
        nu,
        exhausted,
        halves,
        {name: why for name, why in doubts.items() if why},
        max(neighbors.unresolved / 2, 0.0),
    )


def _doubts(x: Floats, y: Floats, points: Mapping[str, float], bounds: Mapping[str, Held], nu: float, seed: int) -> dict[str, str]:
    """What speaks against the copula, the straight pairs and the curved ones; "" for nothing."""
    doubts = {"curved": "its coordinates were learned, and may have missed a part"}
    if "copula" in points:
        doubts["copula"] = _says_less(points, bounds) or misfit(x, y, nu, points["copula"], seed=seed)
    if "reduced" in points:
        # asked only where the copula cannot be the point: it takes two permutation tests
        asked = doubts.get("copula", "refuted") and points["reduced"] >= max(points.values()) - AGREE_BITS
        doubts["reduced"] = reduced_doubt(x, y, nu, seed=seed) if asked else "not asked"
    return doubts


def _halves(x: Floats, y: Floats, nu: float, seed: int) -> tuple[Half, Half]:
    """Rows halved at random; learned on one half and read on the other, both ways round."""
    n = len(x)
    order = np.random.default_rng([seed, n, x.shape[1], y.shape[1]]).permutation(n)
    first, second = np.sort(order[: n // 2]), np.sort(order[n // 2 :])
    one, other = (x[first], y[first]), (x[second], y[second])
    return Half.of(one, other, nu, seed), Half.of(other, one, nu, seed)


def _settled(points: Mapping[str, float], bounds: Mapping[str, Held]) -> bool:
    """Copula, neighbors and both bounds say the same."""
    if "copula" not in points or len(points) < 2:
        return False
    bound = bounds["copula"]
    near = all(abs(bits - points["copula"]) <= CLOSE_BITS for bits in points.values())
    return near and bound.bits >= points["copula"] - AGREE_BITS and bounds["curved"].bits <= points["copula"] + CLOSE_BITS


def _says_less(points: Mapping[str, float], bounds: Mapping[str, Held]) -> str:
    """A copula that says less than a bound on rows left out, be it its own: its parts do not belong together."""
    most = max(bounds, key=lambda name: bounds[name].bits)
    if bounds[most].bits <= points["copula"] + EXCESS_BITS:
        return ""
    return f"{most} delivers {bounds[most].bits:.3f} bits on rows left out"


def _refuted(points: Mapping[str, float], bounds: Mapping[str, Held], n: int, columns: int) -> dict[str, float]:
    """A copula that claims more than it delivers on rows left out, where there are rows enough for it to deliver."""
    if "copula" not in points or n // 2 < ROWS_A_COLUMN * columns:
        return {}
    bound = bounds["copula"]
    claimed = points["copula"]
    return {"copula": claimed} if claimed > bound.bits + AGREE_BITS + 2 * bound.error_bits else {}
