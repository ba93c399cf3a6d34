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
from hartley.bits.portfolio.quantized import Cells, clustered
from hartley.bits.portfolio.ranks import ranks
from hartley.bits.portfolio.reduced import MOST_PAIRS, neighbor_bits, pairs_worth_keeping, reduced_bits
from hartley.bits.tables import Floats

FEW_COLUMNS = 4
"""Up to this many columns in all, neighbors are counted in the data as they stand."""
CLOSE_BITS = 0.05
ROWS_A_COLUMN = 20
AGREE_BITS = 0.1


@dataclass(frozen=True)
class Portfolio:
    """What was found, in bits.

    points: estimates by name (copula, knn, reduced, curved, cells), those refuted on rows left out are in `refuted`.
    bounds: cross-fitted lower bounds by name (copula, curved, cells).
    nu: degrees of freedom of the copula; exhausted: the cells leave no dependence inside them.
    """

    points: Mapping[str, float]
    refuted: Mapping[str, float]
    bounds: Mapping[str, Held]
    nu: float
    exhausted: bool
    parts: tuple[Half, Half]

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
            return float(np.mean([neighbor_bits(*piece, seed=seed) for piece in pieces]))
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
    if dx + dy <= FEW_COLUMNS:
        points["knn"] = neighbor_bits(x, y, seed=seed)
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
        exhausted = all(half.exhausted() for half in halves)
    refuted = _refuted(points, bounds, n, dx + dy)
    return Portfolio({k: v for k, v in points.items() if k not in refuted}, refuted, bounds, nu, exhausted, halves)


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


def _refuted(points: Mapping[str, float], bounds: Mapping[str, Held], n: int, columns: int) -> dict[str, float]:
    """A copula that claims more than it delivers on rows left out, where there are rows enough for it to deliver."""
    if "copula" not in points or n // 2 < ROWS_A_COLUMN * columns:
        return {}
    bound = bounds["copula"]
    claimed = points["copula"]
    return {"copula": claimed} if claimed > bound.bits + AGREE_BITS + 2 * bound.error_bits else {}
