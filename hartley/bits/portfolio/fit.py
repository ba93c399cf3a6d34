"""Whether an elliptical copula says all there is: what it cannot explain, searched for in six ways.

I(X; Y) = the copula's bits + J(joint) - J(x) - J(y), J the negentropy in coordinates in which the copula is Gaussian; so a
copula is only as right as these three cancel. Estimates that rest on the same covariance cannot tell; these tests can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.portfolio.canonical import Canonical, canonical, whitening
from hartley.bits.portfolio.copula import covariance_bits
from hartley.bits.portfolio.elliptical import elliptical_bits, scattered
from hartley.bits.portfolio.unmixed import negentropy_bits, unmixing
from hartley.bits.tables import Floats

COORDINATES = (1, 2, 3, 5)
"""Coordinates a side whose joint moments are looked at, those that go together most: few show what many drown."""
MOST_TURNED = 4
MOST_ROWS = 5_000
MOST_TIED = 0.05
"""A share of rows with one value in a column that a copula, which breaks ties by coin, does not mind."""
CLEAR = 4.0
"""Standard deviations beyond which a moment is no chance; a few hundred are looked at."""
CLEAR_SUM = 3.5
CLEAR_SHAPE = 3.3
SHAPE_BITS = 0.012
"""Unexplained shape below this is left alone, however many rows make it significant."""
FRAME_BITS = 0.04
MOST_COMPONENTS = 8
FREQUENCIES = np.arange(0, 8.01, 0.25)
"""Radians that a direction goes round while the mean square of a side's coordinates grows by one."""
ROWS_WOUND, COORDINATES_WOUND = 2_000, 3
TYPICAL = 0.8
"""Median mean square of a few normal coordinates."""
CLEAR_WAVE = 4.85
"""Chance reaches this in about one of 50 samples of 500 rows; it has thousands of tries."""


@dataclass(frozen=True)
class Residues:
    """Coordinates in which the copula is a standard Gaussian, the strongest canonical pairs first.

    x (n, dx), y (n, dy): each side alone; y_left (n, dy): y without what x explains, x_left (n, dx) the other way round;
    whole (n, dx + dy): x and y_left as one vector, with the copula's own radius.
    """

    x: Floats
    y: Floats
    x_left: Floats
    y_left: Floats
    whole: Floats

    @staticmethod
    def of(x: Floats, y: Floats, nu: float, seed: int) -> Residues:
        """Of rows x (n, dx), y (n, dy) and the copula of nu degrees of freedom (inf: Gaussian) fitted to them."""
        z_x, z_y, found = scattered(x, y, nu, seed=seed)
        a, b = z_x @ found.turn_x, z_y @ found.turn_y
        y_left, x_left = _without(b, a, found.rho), _without(a, b, found.rho)
        whole = _gaussian(np.concatenate([a, y_left], axis=1), nu)
        other = _gaussian(np.concatenate([x_left, b], axis=1), nu)
        return Residues(_gaussian(a, nu), _gaussian(b, nu), other[:, : a.shape[1]], whole[:, a.shape[1] :], whole)

    def shape(self, most: int) -> tuple[float, float]:
        """(J(joint) - J(x) - J(y) in bits by moments of third and fourth order, in standard deviations of chance).

        Unchanged by rotation of either side. Of each side the first `most` coordinates.
        """
        dx = self.x.shape[1]
        joint = np.concatenate([self.whole[:, : min(dx, most)], self.whole[:, dx : dx + most]], axis=1)
        parts = [_moments(part) for part in (joint, self.x[:, :most], self.y[:, :most])]
        n = len(joint)
        bits = [float((part**2).sum() - len(part) / n) / (2 * np.log(2)) for part in parts]
        chance = np.sqrt(2 * len(parts[0])) / (2 * n * np.log(2))
        found = bits[0] - bits[1] - bits[2]
        return found, found / float(chance)

    def turning(self) -> tuple[float, float]:
        """Whether directions turn with the radius: (sum of squares above chance, largest), in standard deviations."""
        moments = [_turning(self.x, self.y_left), _turning(self.y, self.x_left)]
        every = np.concatenate([part.ravel() for part in moments])
        return float(((every**2).sum() - len(every)) / np.sqrt(2 * len(every))), float(np.abs(every).max())


def misfit(x: Floats, y: Floats, nu: float, claimed: float, *, seed: int = 0) -> str:
    """Why the elliptical copula of x (n, dx) and y (n, dy) that claims `claimed` bits cannot be all; "" where nothing is found."""
    x, y = some_rows(x, y, MOST_ROWS, seed)
    atom = max(_largest_atom(side) for side in (x, y))
    if atom > MOST_TIED:
        return f"one value in {atom:.0%} of the rows of a column: what goes on at it is no copula's"
    residues = Residues.of(x, y, nu, seed)
    for most in COORDINATES:
        bits, deviations = residues.shape(most)
        if abs(bits) > SHAPE_BITS and abs(deviations) > CLEAR_SHAPE:
            return f"moments that it does not have, of about {bits:.2f} bits"
    if _turn(residues) or wound(x, y, nu, seed=seed):
        return "directions that turn with the radius"
    first, second = _components(x, y)
    pairs = first.shape[1]
    optimism = pairs * (x.shape[1] + y.shape[1] - 2 * pairs) / (2 * len(x) * np.log(2))
    shape = max(_noise(first, second, seed), _noise(second, first, seed))
    straight = covariance_bits(first, second) - optimism + shape
    clear = 0.04 + np.sqrt(pairs / len(x))
    # heavy tails make covariances of data as they stand worthless, and their noise looks as tame as a Gaussian beside them
    if straight > claimed + clear and shape > clear:
        return f"{straight:.2f} bits by noise of another shape"
    if 2 < x.shape[1] + y.shape[1] <= 2 * MOST_COMPONENTS:
        other = elliptical_bits(x @ unmixing(x), y @ unmixing(y), nu, seed=seed)
        if other > claimed + FRAME_BITS:
            return f"{other:.2f} bits in independent components"
    return ""


def turns(x: Floats, y: Floats, nu: float, *, seed: int = 0) -> bool:
    """Whether the directions in which x (n, dx) and y (n, dy) go together turn with the radius of either side."""
    return _turn(Residues.of(*some_rows(x, y, MOST_ROWS, seed), nu, seed))


def wound(x: Floats, y: Floats, nu: float, *, seed: int = 0) -> bool:
    """Whether directions go round with the radius, however fast: a spiral, of which moments see nothing.

    Every coordinate of one side, times waves of its squared radius, against what is left of the other side, times waves of
    its own. The largest of these correlations is held against what chance makes of so many.
    """
    if max(x.shape[1], y.shape[1]) < 2:
        return False
    x, y = some_rows(x, y, ROWS_WOUND, seed)
    z_x, z_y, found = scattered(x, y, nu, seed=seed)
    a, b = z_x @ found.turn_x, z_y @ found.turn_y
    largest = 0.0
    for side, u, left in ((x, a, _without(b, a, found.rho)), (y, b, _without(a, b, found.rho))):
        # signs of what is left are fair coins given all of the other side, so that any function of that side may be tried
        radius = _square_radius(left)
        first = _waves(_gaussian(u, nu), _square_radius(_scaled(side)))
        second = _waves(_gaussian(left, nu), radius * (TYPICAL / np.median(radius)))
        largest = max(largest, float((np.abs(first.T @ second) / np.sqrt((first**2).T @ (second**2))).max()))
    return largest > CLEAR_WAVE


def _waves(u: Floats, radius: Floats) -> Floats:
    """(n, 3 x waves): the first three coordinates of u times cosines and sines of the radius (n,)."""
    angle = np.outer(radius, FREQUENCIES)
    waves = np.concatenate([np.cos(angle), np.sin(angle[:, 1:])], axis=1)
    found = (u[:, :COORDINATES_WOUND, None] * waves[:, None, :]).reshape(len(u), -1)
    return np.asarray(found - found.mean(0))


def _square_radius(u: Floats) -> Floats:
    return np.asarray((u**2).mean(1))


def _scaled(x: Floats) -> Floats:
    """x (n, d) as it stands, less its median, in units of its median distance from it (a standard deviation if it is normal)."""
    centered = x - np.median(x, axis=0)
    spread = np.median(np.abs(centered), axis=0) / 0.6745
    return np.asarray(centered / np.where(spread > 0, spread, np.maximum(x.std(0), 1e-300)))


def some_rows(x: Floats, y: Floats, most: int, seed: int) -> tuple[Floats, Floats]:
    """At most `most` rows of both sides, drawn at random."""
    if len(x) <= most:
        return x, y
    drawn = np.random.default_rng([seed, len(x), most]).choice(len(x), most, replace=False)
    return x[drawn], y[drawn]


def _largest_atom(x: Floats) -> float:
    """The largest share of rows of x (n, d) that have the same value in a column."""
    return max(int(np.unique(column, return_counts=True)[1].max()) for column in x.T) / len(x)


def _turn(residues: Residues) -> bool:
    total, largest = residues.turning()
    return total > CLEAR_SUM or largest > CLEAR


def _components(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Canonical coordinates (n, k) of both sides as they stand (not of ranks), those that go together significantly."""
    sides = [(side - side.mean(0)) / np.maximum(side.std(0), 1e-300) for side in (x, y)]
    found: Canonical = canonical(*sides)
    pairs = max(1, min(found.kept, MOST_COMPONENTS))
    return found.x(sides[0])[:, :pairs], found.y(sides[1])[:, :pairs]


def _noise(x: Floats, y: Floats, seed: int) -> float:
    """Negentropy in bits of what is left of y (n, k) when x (n, k) has explained it by straight lines, over that of y itself.

    h(y) - h(y - f(x)) is at most I(X; Y) for any f; the covariances' part of it is not counted here.
    """
    left = y - (x * y).mean(0) / (x**2).mean(0) * x
    return negentropy_bits(left, seed=seed) - negentropy_bits(y, seed=seed)


def _without(b: Floats, a: Floats, rho: Floats) -> Floats:
    """b (n, d) less what a explains of its first coordinates, of variance 1 again."""
    left = b.copy()
    k = len(rho)
    left[:, :k] = (b[:, :k] - rho * a[:, :k]) / np.sqrt(1 - rho**2)
    return left


def _gaussian(t: Floats, nu: float) -> Floats:
    """Spherical t rows (n, d) with the radius of a Gaussian of the same rank."""
    from scipy.special import chdtri, fdtrc

    if np.isinf(nu):
        return t
    d = t.shape[1]
    square = np.maximum((t**2).sum(1), 1e-300)
    share = np.clip(fdtrc(d, nu, square / d), 1e-15, 1 - 1e-15)
    return np.asarray(t * np.sqrt(chdtri(d, share) / square)[:, None])


def _moments(w: Floats) -> Floats:
    """Means of all products of normalized Hermite polynomials of order three and four of whitened w (n, d); chance: 1/n each."""
    centered = w - w.mean(0)
    z = centered @ whitening(centered)
    n, d = z.shape
    h2, h3 = (z**2 - 1) / np.sqrt(2), (z**3 - 3 * z) / np.sqrt(6)
    h4 = (z**4 - 6 * z**2 + 3) / np.sqrt(24)
    i, j = np.triu_indices(d, 1)
    pairs = z[:, i] * z[:, j]
    apart, single = ~np.eye(d, dtype=bool), np.arange(d)
    beyond = single[None, :] > j[:, None]
    outside = (single[None, :] != i[:, None]) & (single[None, :] != j[:, None])
    parts = [h3.sum(0), (h2.T @ z)[apart], (pairs.T @ z)[beyond]]
    parts += [h4.sum(0), (h3.T @ z)[apart], (h2.T @ h2)[i, j], (pairs.T @ h2)[outside]]
    parts.append((pairs.T @ pairs)[i[None, :] > j[:, None]])
    return np.asarray(np.concatenate(parts) / n)


def _turning(u: Floats, v: Floats) -> Floats:
    """Mean of radius of u x u_i x v_j over its own standard error, for the first coordinates of u and v (n, d)."""
    k = min(u.shape[1], v.shape[1], MOST_TURNED)
    radius = (u**2).sum(1)
    weighted = u[:, :k] * ((radius - radius.mean()) / radius.std())[:, None]
    error = np.sqrt((weighted**2).T @ (v[:, :k] ** 2))
    return np.asarray(weighted.T @ v[:, :k] / error)
