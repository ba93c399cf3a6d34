"""Small tasks to build others from, and dependence of shapes that no copula has: each with its truth, or told it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from hartley.bits.known import maps
from hartley.bits.known.continuous import AdditiveUniform, GaussianPair, StudentVector, dense_gaussian, sparse_gaussian
from hartley.bits.known.mixture import GaussianMixture
from hartley.bits.known.task import Task
from hartley.bits.known.tasks import AI_BITS, X_BITS, cross_mixture, letters_mixture
from hartley.bits.tables import Floats, binary_entropy_bits


def normal(rho: float) -> Task:
    """A Gaussian pair."""
    pair = GaussianPair(rho)

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x, y = pair.sample(n, generator)
        return x[:, None], y[:, None]

    return Task(f"normal-{rho:g}", 1, 1, pair.truth_bits, sample)


def uniform(epsilon: float) -> Task:
    """x uniform, y = x + noise uniform on (-epsilon, epsilon)."""
    law = AdditiveUniform(epsilon)
    return Task(f"uniform-{epsilon:g}", 1, 1, law.truth_bits, law.sample)


def student(dim: int, freedom: float, correlation: float = 0.0) -> Task:
    """Student-t of dim + dim coordinates, any two of which have this correlation."""
    law = StudentVector(dense_gaussian(dim, dim, correlation), freedom)
    return Task(f"student-{dim}-{freedom:g}-{correlation:g}", dim, dim, law.truth_bits, law.sample)


def vector(dim: int, correlation: float) -> Task:
    """Gaussian of dim + dim coordinates, any two of which have this correlation."""
    law = dense_gaussian(dim, dim, correlation)
    return Task(f"normal-{dim}-{correlation:g}", dim, dim, law.truth_bits, law.sample)


def cross() -> Task:
    """y = x or -x, and noise."""
    law = cross_mixture()
    return Task("cross", 1, 1, X_BITS, law.sample)


def letters() -> Task:
    """The letters A and I."""
    law = letters_mixture()
    return Task("letters", 1, 1, AI_BITS, law.sample)


def cubed(z: Floats) -> Floats:
    """Every coordinate to the third power."""
    return np.asarray(z**3)


def clusters_mixture() -> GaussianMixture:
    """Three slanted clouds in the plane, unequal."""
    means = np.array([[-2.0, 1.0], [0.5, -1.5], [2.0, 2.0]])
    covariances = np.array([[[0.5, 0.3], [0.3, 0.4]], [[0.6, -0.4], [-0.4, 0.5]], [[0.3, 0.0], [0.0, 0.8]]])
    return GaussianMixture(np.array([0.5, 0.3, 0.2]), means, covariances, 1)


def parity(columns: int, error: float) -> Task:
    """The sign of y is that of a product of all columns of x, wrong with probability `error`; magnitudes say nothing."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x = generator.standard_normal((n, columns))
        sign = np.sign(x).prod(1) * np.where(generator.random(n) < error, -1, 1)
        return x, (sign * np.abs(generator.standard_normal(n)))[:, None]

    return Task(f"parity-{columns}-{error:g}", columns, 1, 1 - binary_entropy_bits(error), sample)


def folded_sum(weights: Sequence[float], width: float) -> Task:
    """y = (weights . x + u) modulo 1, x uniform, u uniform on (0, width): y is uniform, and uniform on a part of the circle given x."""
    factor = np.asarray(weights, dtype=np.float64)

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x = generator.random((n, len(factor)))
        return x, ((x @ factor + width * generator.random(n)) % 1)[:, None]

    name = "-".join(f"{w:g}" for w in factor)
    return Task(f"folded-{name}-{width:g}", len(factor), 1, float(-np.log2(width)), sample)


def ring(width: float) -> Task:
    """Angles on two circles, the second that of the first plus noise uniform over a share `width` of the circle; radii are noise."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        first = 2 * np.pi * generator.random(n)
        second = first + 2 * np.pi * width * generator.random(n)
        x, y = (np.stack([np.cos(a), np.sin(a)], 1) * (1 + 0.2 * generator.random((n, 1))) for a in (first, second))
        return x, y

    return Task(f"ring-{width:g}", 2, 2, float(-np.log2(width)), sample)


def factor(spread: float, truth_bits: float) -> Task:
    """Multiplicative noise: y = x exp(spread n)."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x = generator.standard_normal((n, 1))
        return x, x * np.exp(spread * generator.standard_normal((n, 1)))

    return Task(f"factor-{spread:g}", 1, 1, truth_bits, sample)


def loudness(slope: float, truth_bits: float) -> Task:
    """x is how loud y is: y = n exp(slope x)."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x = generator.standard_normal((n, 1))
        return x, np.exp(slope * x) * generator.standard_normal((n, 1))

    return Task(f"loudness-{slope:g}", 1, 1, truth_bits, sample)


def bend(noise: float, truth_bits: float) -> Task:
    """y = |x| + noise n: the magnitude alone."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x = generator.standard_normal((n, 1))
        return x, np.abs(x) + noise * generator.standard_normal((n, 1))

    return Task(f"bend-{noise:g}", 1, 1, truth_bits, sample)


def swapped(rho: float, truth_bits: float) -> Task:
    """Two Gaussian pairs of which nobody says which y belongs to which x: each row's y may come in the other order."""

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        x = generator.standard_normal((n, 2))
        y = rho * x + np.sqrt(1 - rho**2) * generator.standard_normal((n, 2))
        return x, np.where(generator.random((n, 1)) < 0.5, y, y[:, ::-1])

    return Task(f"swapped-{rho:g}", 2, 2, truth_bits, sample)


def censored(rho: float, cut: float, truth_bits: float) -> Task:
    """A Gaussian pair whose x is never seen below `cut`."""
    return replace(_censor(normal(rho), cut), name=f"censored-{rho:g}-{cut:g}", truth_bits=truth_bits)


def _censor(task: Task, cut: float) -> Task:
    return task.mapped(task.name, lambda x: np.maximum(x, cut), lambda y: y)


def opposed_mixture(dim: int, correlation: float = 0.9) -> GaussianMixture:
    """`dim` pairs, all of one correlation or all of its opposite, equally likely."""
    eye = np.eye(dim)
    covariances = np.array([np.block([[eye, s * correlation * eye], [s * correlation * eye, eye]]) for s in (-1, 1)])
    return GaussianMixture(np.full(2, 0.5), np.zeros((2, 2 * dim)), covariances, dim)


def sparse(dim: int) -> Task:
    """Two Gaussian pairs of correlation 0.8, and dim - 2 columns of noise on either side."""
    law = sparse_gaussian(dim, dim)
    return Task(f"sparse-{dim}", dim, dim, law.truth_bits, law.sample)


def mixture(name: str, law: GaussianMixture, truth_bits: float) -> Task:
    """A Gaussian mixture as a task."""
    return Task(name, law.dim_x, law.dim_y, truth_bits, law.sample)


def spiraled(name: str, task: Task, speed: float) -> Task:
    """Turned by speed x |row|^2 / dimension: x in its first two coordinates, y in its last two."""
    last = (task.dim_y - 2, task.dim_y - 1)
    turn_x, turn_y = partial(maps.spiral, speed=speed / task.dim_x), partial(maps.spiral, speed=speed / task.dim_y, plane=last)
    return task.mapped(name, turn_x, turn_y)
