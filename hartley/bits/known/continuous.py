"""Continuous pairs whose information is known in closed form: each a sampler with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.known.discrete import Channel
from hartley.bits.tables import Counts, Floats, information_of_law


@dataclass(frozen=True)
class BinaryInputGaussian:
    """x = +1 or -1, equally likely, in unit Gaussian noise at amplitude a: y = a x + noise."""

    amplitude: float

    @property
    def truth_bits(self) -> float:
        """1 - E log2(1 + exp(-2 a (a + n))), n standard normal, by 200-point Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(200)
        loss = np.logaddexp(0.0, -2 * self.amplitude * (self.amplitude + nodes)) / np.log(2)
        return float(1 - weights @ loss / weights.sum())

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Counts, Floats]:
        """(x (n,) of 0 and 1, y (n,))."""
        x = generator.integers(0, 2, n)
        return x, self.amplitude * (2 * x - 1) + generator.standard_normal(n)

    def quantized(self, levels: int) -> Channel:
        """y cut at `levels` - 1 even points over 4 deviations beyond the amplitudes; symmetric, so C is I at equal inputs."""
        from scipy.special import ndtr

        reach = self.amplitude + 4
        edges = np.concatenate([[-np.inf], np.linspace(-reach, reach, levels - 1), [np.inf]])
        matrix = np.stack([np.diff(ndtr(edges + self.amplitude)), np.diff(ndtr(edges - self.amplitude))])
        law = np.full(2, 0.5)
        return Channel(f"awgn-{self.amplitude:g}-{levels}", matrix, information_of_law(law[:, None] * matrix), law)


@dataclass(frozen=True)
class GaussianPair:
    """Two standard normals with correlation rho; I = -1/2 log2(1 - rho^2)."""

    rho: float

    @property
    def truth_bits(self) -> float:
        return float(-0.5 * np.log2(1 - self.rho**2))

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x = generator.standard_normal(n)
        return x, self.rho * x + np.sqrt(1 - self.rho**2) * generator.standard_normal(n)


@dataclass(frozen=True)
class GaussianVector:
    """x and y jointly Gaussian, mean 0: covariance (dim_x + dim_y, dim_x + dim_y), x first."""

    covariance: Floats
    dim_x: int

    @property
    def dim_y(self) -> int:
        return int(self.covariance.shape[0]) - self.dim_x

    @property
    def truth_bits(self) -> float:
        """1/2 log2 (det S_x det S_y / det S)."""
        parts = (self.covariance[: self.dim_x, : self.dim_x], self.covariance[self.dim_x :, self.dim_x :], self.covariance)
        x, y, both = (float(np.linalg.slogdet(part)[1]) for part in parts)
        return (x + y - both) / (2 * float(np.log(2)))

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """(x (n, dim_x), y (n, dim_y))."""
        both = generator.standard_normal((n, self.covariance.shape[0])) @ np.linalg.cholesky(self.covariance).T
        return both[:, : self.dim_x], both[:, self.dim_x :]


def dense_gaussian(dim_x: int, dim_y: int, correlation: float = 0.5) -> GaussianVector:
    """Every two of the dim_x + dim_y unit-variance variables have the same correlation."""
    d = dim_x + dim_y
    return GaussianVector(np.full((d, d), correlation) + (1 - correlation) * np.eye(d), dim_x)


def sparse_gaussian(dim_x: int, dim_y: int, pairs: int = 2, strength: float = 2.0) -> GaussianVector:
    """The first `pairs` of x_i and y_i have correlation s^2 / (1 + s^2), s = strength; all others are independent.

    As when a common standard normal, s times as large as the unit noise, is added to x_i and to y_i.
    """
    covariance = np.eye(dim_x + dim_y)
    for i in range(pairs):
        covariance[i, dim_x + i] = covariance[dim_x + i, i] = strength**2 / (1 + strength**2)
    return GaussianVector(covariance, dim_x)


@dataclass(frozen=True)
class StudentVector:
    """x and y jointly Student-t: the Gaussian vector of this dispersion, divided by sqrt(chi^2 / freedom) common to all.

    Even with the identity as dispersion x and y are dependent: the common divisor makes both large together.
    """

    gaussian: GaussianVector
    freedom: float

    @property
    def dim_x(self) -> int:
        return self.gaussian.dim_x

    @property
    def dim_y(self) -> int:
        return self.gaussian.dim_y

    @property
    def truth_bits(self) -> float:
        """The Gaussian part plus h(dim_x) + h(dim_y) - h(dim_x + dim_y) (Arellano-Valle, Contreras-Reyes, Genton 2013)."""
        x, y, both = (self._entropy_bits(k) for k in (self.dim_x, self.dim_y, self.dim_x + self.dim_y))
        return self.gaussian.truth_bits + x + y - both

    def _entropy_bits(self, k: int) -> float:
        """Differential entropy of k coordinates with unit dispersion."""
        from scipy.special import digamma, gammaln

        half, all_of = self.freedom / 2, (self.freedom + k) / 2
        spread = k / 2 * np.log(self.freedom * np.pi) + gammaln(half) - gammaln(all_of)
        return float((spread + all_of * (digamma(all_of) - digamma(half))) / np.log(2))

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """(x (n, dim_x), y (n, dim_y))."""
        x, y = self.gaussian.sample(n, generator)
        scale = np.sqrt(self.freedom / generator.chisquare(self.freedom, (n, 1)))
        return x * scale, y * scale


def student_identity(dim_x: int, dim_y: int, freedom: float) -> StudentVector:
    """Identity dispersion: all the information lies in the common scale."""
    return StudentVector(GaussianVector(np.eye(dim_x + dim_y), dim_x), freedom)


@dataclass(frozen=True)
class AdditiveUniform:
    """x uniform on (0, 1), y = x + noise, noise uniform on (-epsilon, epsilon)."""

    epsilon: float
    dim_x: int = 1
    dim_y: int = 1

    @property
    def truth_bits(self) -> float:
        """h(y) - log2(2 epsilon): y is a trapezoid, and only its two ramps are not of constant density."""
        width = 2 * self.epsilon
        ramp, top = min(1.0, width), 1 / max(1.0, width)
        # a ramp of width r up to density t: -integral of p log2 p = r t / 2 (1 / (2 ln 2) - log2 t)
        ramps = ramp * top * (1 / (2 * np.log(2)) - np.log2(top))
        flat = abs(1 - width) * top * -np.log2(top)
        return float(ramps + flat - np.log2(width))

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """(x (n, 1), y (n, 1))."""
        x = generator.uniform(0, 1, (n, 1))
        return x, x + generator.uniform(-self.epsilon, self.epsilon, (n, 1))
