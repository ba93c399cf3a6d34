"""Channels whose answer is known in closed form or by quadrature: each a sampler with its truth. For tests and benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hartley.bits.spectrum import gaussian_bits
from hartley.bits.tables import Counts, Floats, binary_entropy_bits, information_of_law


@dataclass(frozen=True)
class Channel:
    """A discrete channel. matrix (inputs, outcomes): W(y|x). capacity_bits: closed form at the law `best` (inputs,)."""

    name: str
    matrix: Floats
    capacity_bits: float
    best: Floats

    @property
    def inputs(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def uniform(self) -> Floats:
        """The law of equally likely inputs."""
        return np.full(self.inputs, 1.0 / self.inputs)

    def information_bits(self, law: Floats) -> float:
        """I(X; Y) in bits at an input law (inputs,)."""
        return information_of_law(law[:, None] * self.matrix)

    def balanced(self, n: int, generator: np.random.Generator) -> Counts:
        """Counts (inputs, outcomes) of n // inputs uses with each input."""
        return generator.multinomial(n // self.inputs, self.matrix).astype(np.int64)

    def drawn(self, n: int, generator: np.random.Generator, law: Floats | None = None) -> Counts:
        """Counts (inputs, outcomes) of n uses, inputs drawn from `law` (uniform where None)."""
        sizes = generator.multinomial(n, self.uniform if law is None else law)
        return generator.multinomial(sizes, self.matrix).astype(np.int64)


def binary_symmetric(error: float) -> Channel:
    """Flips a bit with probability `error`; C = 1 - h(error)."""
    matrix = np.array([[1 - error, error], [error, 1 - error]])
    return Channel(f"bsc-{error:g}", matrix, 1 - binary_entropy_bits(error), np.full(2, 0.5))


def binary_erasure(erasure: float) -> Channel:
    """Loses a bit with probability `erasure`, and says so (outcome 1); C = 1 - erasure."""
    matrix = np.array([[1 - erasure, erasure, 0.0], [0.0, erasure, 1 - erasure]])
    return Channel(f"bec-{erasure:g}", matrix, 1 - erasure, np.full(2, 0.5))


def z_channel(flip: float) -> Channel:
    """Input 1 becomes 0 with probability flip < 1; C = log2(1 + (1 - f) f^(f / (1 - f))) at less than half ones."""
    matrix = np.array([[1.0, 0.0], [flip, 1 - flip]])
    tilt = 2 ** (binary_entropy_bits(flip) / (1 - flip))
    ones = 1 / ((1 - flip) * (1 + tilt))
    return Channel(f"z-{flip:g}", matrix, float(np.log2(1 + (1 - flip) * flip ** (flip / (1 - flip)))), np.array([1 - ones, ones]))


def symmetric(inputs: int, error: float) -> Channel:
    """K-ary symmetric: any wrong symbol with probability error / (K - 1); C = log2 K - h(e) - e log2(K - 1)."""
    matrix = np.full((inputs, inputs), error / (inputs - 1))
    np.fill_diagonal(matrix, 1 - error)
    truth = np.log2(inputs) - binary_entropy_bits(error) - error * np.log2(inputs - 1)
    return Channel(f"symmetric-{inputs}-{error:g}", matrix, float(truth), np.full(inputs, 1 / inputs))


def noisy_typewriter(inputs: int) -> Channel:
    """Each symbol stays or becomes the next, equally likely; C = log2(K / 2), with every symbol used (K > 2)."""
    matrix = (np.eye(inputs) + np.roll(np.eye(inputs), 1, axis=1)) / 2
    return Channel(f"typewriter-{inputs}", matrix, float(np.log2(inputs / 2)), np.full(inputs, 1 / inputs))


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
class GaussianConcepts:
    """K concepts as Gaussian clusters: means (K, d) and one within-concept covariance, mixing @ mixing.T, mixing (d, d)."""

    means: Floats
    mixing: Floats

    @property
    def concepts(self) -> int:
        return int(self.means.shape[0])

    def c_g_bits(self, noise: GaussianConcepts | None = None) -> float:
        """C_G at equally likely concepts: these means in the covariance of `noise` (its own where None)."""
        mixing = self.mixing if noise is None else noise.mixing
        white = np.linalg.solve(mixing, (self.means - self.means.mean(0)).T) / np.sqrt(self.concepts)
        return gaussian_bits(np.linalg.svd(white, compute_uv=False) ** 2)

    def split_bits(self, after: GaussianConcepts) -> tuple[float, float]:
        """True (signal loss, noise gain) from this condition to `after`: the average over both orders of replacement."""
        kept, means = self.c_g_bits(), after.c_g_bits(self)
        noise, both = self.c_g_bits(after), after.c_g_bits()
        return (kept - means + noise - both) / 2, (kept - noise + means - both) / 2

    def sample(self, n: int, generator: np.random.Generator) -> tuple[Floats, Counts]:
        """(embedding (n, d), label (n,)), concepts in turn."""
        label = np.arange(n) % self.concepts
        return self.means[label] + generator.standard_normal((n, self.means.shape[1])) @ self.mixing.T, label
