"""Gaussian mixtures: a sampler, the pointwise information, and the truth by quadrature or by Monte Carlo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.tables import Floats


@dataclass(frozen=True)
class GaussianMixture:
    """x and y from one of k Gaussians: weights (k,), means (k, d), covariances (k, d, d), d = dim_x + dim_y, x first."""

    weights: Floats
    means: Floats
    covariances: Floats
    dim_x: int

    @property
    def dim_y(self) -> int:
        return int(self.means.shape[1]) - self.dim_x

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """(x (n, dim_x), y (n, dim_y))."""
        which = generator.choice(len(self.weights), n, p=self.weights)
        both = generator.standard_normal((n, self.means.shape[1]))
        for k, root in enumerate(np.linalg.cholesky(self.covariances)):
            both[which == k] = self.means[k] + both[which == k] @ root.T
        return both[:, : self.dim_x], both[:, self.dim_x :]

    def density_bits(self, x: Floats, y: Floats) -> Floats:
        """log2 p(x, y) / (p(x) p(y)) for rows x (n, dim_x), y (n, dim_y): (n,). Its mean is the information."""
        cut = self.dim_x
        both = self._log2(np.concatenate([x, y], axis=1), slice(None))
        return both - self._log2(x, slice(None, cut)) - self._log2(y, slice(cut, None))

    def _log2(self, rows: Floats, part: slice) -> Floats:
        """log2 of the density of some of the coordinates at rows (n, their number)."""
        logs = np.empty((len(rows), len(self.weights)))
        for k, weight in enumerate(self.weights):
            root = np.linalg.cholesky(self.covariances[k][part, part])
            white = np.linalg.solve(root, (rows - self.means[k][part]).T)
            scale = np.log(weight) - np.log(np.diag(root)).sum() - rows.shape[1] / 2 * np.log(2 * np.pi)
            logs[:, k] = scale - (white**2).sum(0) / 2
        top = logs.max(1)
        return np.asarray((top + np.log(np.exp(logs - top[:, None]).sum(1))) / np.log(2))

    def monte_carlo_bits(self, n: int, generator: np.random.Generator) -> tuple[float, float]:
        """(information in bits, its standard error) as the mean of density_bits over n draws."""
        density = self.density_bits(*self.sample(n, generator))
        return float(density.mean()), float(density.std() / np.sqrt(n))

    def quadrature_bits(self, points: int = 601, reach: float = 9.0) -> float:
        """I(X; Y) in bits for dim_x = dim_y = 1: the trapezoid rule on points^2 nodes in each component's own whitened frame.

        The rule converges exponentially for such smooth integrands: twice the points change the tasks' truths by < 1e-9.
        """
        nodes = np.linspace(-reach, reach, points)
        mass = np.exp(-(nodes**2) / 2)
        mass /= mass.sum()
        total = 0.0
        for k, weight in enumerate(self.weights):
            root = np.linalg.cholesky(self.covariances[k])
            for node, share in zip(nodes, mass, strict=True):
                both = self.means[k] + np.stack([np.full(points, node), nodes], axis=1) @ root.T
                total += float(weight * share * (mass @ self.density_bits(both[:, :1], both[:, 1:])))
        return total


def concentric_bits(dim_x: int, components: int, points: int = 20_001) -> float:
    """I(x; label) for x of law N(0, i^2 I), i = 1..components equally likely: log2 components - E H(label | radius)."""
    from scipy.special import gammaln

    radius = np.linspace(0, components * (np.sqrt(dim_x) + 9), points)[1:]
    scales = np.arange(1, components + 1)[:, None]
    logs = (dim_x - 1) * np.log(radius) - dim_x * np.log(scales) - (radius / scales) ** 2 / 2
    density = np.exp(logs - (dim_x / 2 - 1) * np.log(2) - gammaln(dim_x / 2)) / components
    total = density.sum(0)
    share = density / np.where(total > 0, total, 1)
    loss = -(density * np.log2(np.where(share > 0, share, 1))).sum()
    return float(np.log2(components) - loss * (radius[1] - radius[0]))


def inlier_bits(correlation: float, fraction: float, points: int = 1501) -> float:
    """I(x; y) when two pairs of standard normals have this correlation, except that a `fraction` of rows is independent.

    Per row the ratio p(x, y) / (p(x) p(y)) is (1 - fraction) R + fraction, and log R depends on the two pairs only through
    the sums of squares of x_i + y_i and of x_i - y_i. Each is exponential, so a 2-d integral is left (trapezoid rule).
    """
    rho = correlation
    nodes = np.linspace(-28.0, 5.0, points)
    exponential = np.exp(nodes)
    mass = np.exp(nodes - exponential) * (nodes[1] - nodes[0])
    total = 0.0
    for share, up, down in ((1 - fraction, 1 + rho, 1 - rho), (fraction, 1.0, 1.0)):
        plus, minus = rho / (1 + rho) * up * exponential, rho / (1 - rho) * down * exponential
        for weight, value in zip(mass, plus, strict=True):
            ratio = np.logaddexp(np.log(1 - fraction) - np.log1p(-(rho**2)) + value - minus, np.log(fraction))
            total += share * float(weight * (mass @ ratio))
    return total / float(np.log(2))
