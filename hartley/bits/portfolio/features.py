"""Curved coordinates: polynomials and radius terms of one side, so that canonical analysis sees more than straight lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement

import numpy as np

from hartley.bits.portfolio.canonical import Canonical, canonical
from hartley.bits.portfolio.ranks import Margins
from hartley.bits.tables import Floats

MOST_FEATURES, FEW_TERMS = 120, 50
MOST_SHELLS = 8
WIDEST_SCREENED, MOST_SCREENED = 50, 20
REACH = 3.5
"""Scores beyond this are held there: a cube of a far row would rule the fit."""


@dataclass(frozen=True)
class Curved:
    """Features of rows (m, d), learned on one sample: where its margins lie and which terms fit its size.

    knots: radii between which the coordinates are taken piecewise, so that a direction may turn with the radius.
    """

    margins: Margins
    terms: tuple[tuple[int, ...], ...]
    knots: Floats

    @staticmethod
    def of(x: Floats) -> Curved:
        """As many terms as n rows carry (20 rows a term; 10 up to 50 terms): coordinates, these by radius, squares, products, cubes."""
        n, d = x.shape
        margins, room = Margins.of(x), min(MOST_FEATURES, max(min(n // 10, FEW_TERMS), n // 20))
        shells = 0 if d == 1 else min(MOST_SHELLS, (room - d) // (d + 1))
        left = room - d - shells * (d + 1)
        radius = np.sqrt((np.clip(margins.normal(x), -REACH, REACH) ** 2).mean(1))
        knots = np.quantile(radius, np.linspace(0.02, 0.98, shells)) if shells > 1 else np.empty(0)
        terms: list[tuple[int, ...]] = []
        for degree in (2, 3, 4, 5):
            more = list(combinations_with_replacement(range(d), degree))
            if len(more) > left:
                more = [(i,) * degree for i in range(d)] if degree == 2 and d <= left else []
            terms += more
            left -= len(more)
            if not more or len(more) == d > 1:
                break
        return Curved(margins, tuple(terms), np.asarray(knots, dtype=np.float64))

    def __call__(self, x: Floats) -> Floats:
        """(m, features); the first d are the normal scores themselves."""
        z = np.clip(self.margins.normal(x), -REACH, REACH)
        parts = [z]
        if z.shape[1] > 1 and not len(self.knots):
            # a radius can carry what no single square shows
            parts.append((z**2).mean(1, keepdims=True))
        if len(self.knots):
            shells = _hats(np.sqrt((z**2).mean(1)), self.knots)
            parts += [shells] + [z * shells[:, [k]] for k in range(1, len(self.knots))]
        parts += [np.prod(z[:, term], axis=1, keepdims=True) for term in self.terms]
        return np.concatenate(parts, axis=1)


def _with_products(curved: Curved, features: Floats, others: Floats) -> Curved:
    """`curved` with the products of two columns that correlate with a column of others (n, k) beyond chance (1%, Bonferroni)."""
    from scipy.special import ndtri

    n, d = features.shape[0], curved.margins.columns.shape[1]
    if d < 2 or d > WIDEST_SCREENED or (0, 1) in curved.terms:
        return curved
    pairs = list(combinations(range(d), 2))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    products = _standard(features[:, first] * features[:, second])
    strength = np.abs(products.T @ _standard(others)).max(1) / n
    chance = float(ndtri(1 - 0.005 / (len(pairs) * others.shape[1]))) / np.sqrt(n)
    found = [place for place in np.argsort(-strength)[:MOST_SCREENED] if strength[place] > chance]
    return replace(curved, terms=curved.terms + tuple(pairs[place] for place in found))


def _standard(x: Floats) -> Floats:
    """x (n, k) with mean 0 and variance 1 a column; constant columns become 0."""
    centered = x - x.mean(0)
    return np.asarray(centered / np.maximum(centered.std(0), 1e-12), dtype=np.float64)


def _hats(values: Floats, knots: Floats) -> Floats:
    """(m, knots): piecewise linear, 1 at its own knot and 0 at the others; beyond the ends the last one stays 1."""
    place = np.interp(values, knots, np.arange(len(knots)))
    return np.asarray(np.maximum(0.0, 1 - np.abs(place[:, None] - np.arange(len(knots)))))


@dataclass(frozen=True)
class Coordinates:
    """Rows of both sides in features (m, fx), (m, fy) and in the canonical coordinates (m, r) of these, strongest pair first."""

    features_x: Floats
    features_y: Floats
    x: Floats
    y: Floats


@dataclass(frozen=True)
class Coupled:
    """Both sides in the curved coordinates that go together, the strongest pair first."""

    curved_x: Curved
    curved_y: Curved
    turn: Canonical

    @staticmethod
    def of(x: Floats, y: Floats) -> Coupled:
        """Canonical analysis of the features of x (n, dx) and y (n, dy).

        Where a side has too many products of two columns to take them all, those are taken that go with a feature of the
        other side.
        """
        curved_x, curved_y = Curved.of(x), Curved.of(y)
        features_x, features_y = curved_x(x), curved_y(y)
        curved_x, curved_y = _with_products(curved_x, features_x, features_y), _with_products(curved_y, features_y, features_x)
        return Coupled(curved_x, curved_y, canonical(curved_x(x), curved_y(y)))

    @property
    def rho(self) -> Floats:
        """The correlations (k,) of the pairs that go together significantly; the first is always kept."""
        return self.turn.rho[: max(1, self.turn.kept)]

    def __call__(self, x: Floats, y: Floats) -> Coordinates:
        """Coordinates of rows x (m, dx), y (m, dy), as many pairs as `rho`."""
        features_x, features_y = self.curved_x(x), self.curved_y(y)
        pairs = len(self.rho)
        return Coordinates(features_x, features_y, self.turn.x(features_x)[:, :pairs], self.turn.y(features_y)[:, :pairs])
