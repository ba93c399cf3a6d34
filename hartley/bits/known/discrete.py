"""Discrete channels whose capacity is known in closed form: each a sampler with its truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
