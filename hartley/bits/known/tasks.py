"""The tasks of the BMI benchmark (Czyz, Grabowski, Vogt, Beerenwinkel, Marx 2023) under their published names.

FIRST_LIST are the 40 tasks of that paper, SECOND_LIST eight of its successor on mixtures (2024). The parameters are the
published ones, in double precision. Truths are in closed form, except those of the mixtures: the numbers written here come
from the quadrature named beside each, which the tests repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np

from hartley.bits.known import maps
from hartley.bits.known.continuous import (
    AdditiveUniform,
    GaussianVector,
    StudentVector,
    dense_gaussian,
    sparse_gaussian,
    student_identity,
)
from hartley.bits.known.mixture import GaussianMixture
from hartley.bits.known.task import Map, Task
from hartley.bits.tables import Floats

X_BITS = 0.58925804105  # cross_mixture().quadrature_bits()
AI_BITS = 1.11946299071  # letters_mixture().quadrature_bits(1201)
WAVES_BITS = 1.88562747217  # waves_section().quadrature_bits(201)
GALAXY_BITS = 0.71312083632  # galaxy_section().quadrature_bits(201)
CONCENTRIC_3_BITS = 0.65703665564  # concentric_bits(3, 5); y tells the ball, and only the ball
CONCENTRIC_25_BITS = 1.71791512704  # concentric_bits(25, 5)
INLIER_BITS = 0.91720621448  # inlier_bits(0.8, 0.2): the independent coordinates say nothing, so 5 and 25 share it


def cross_mixture(correlation: float = 0.9) -> GaussianMixture:
    """The X: two pairs of opposite correlation. x and y are uncorrelated."""
    covariances = np.array([[[1, sign * correlation], [sign * correlation, 1]] for sign in (-1, 1)])
    return GaussianMixture(np.full(2, 0.5), np.zeros((2, 2)), covariances, 1)


def letters_mixture() -> GaussianMixture:
    """The letters A and I, each of three strokes."""
    slope = 0.95 * np.sqrt(0.04 * 0.2)
    means = np.array([[1, 0], [1, 1], [1, -1], [-0.8, -0.2], [-1.2, 0], [-0.4, 0]])
    upright = [np.diag(v) for v in ((0.01, 0.2), (0.05, 0.001), (0.05, 0.001), (0.03, 0.001))]
    slanted = [np.array([[0.04, side * slope], [side * slope, 0.2]]) for side in (1, -1)]
    return GaussianMixture(np.full(6, 1 / 6), means, np.array(upright + slanted), 1)


def waves_mixture(components: int = 12) -> GaussianMixture:
    """Before waving: columns in x_1 whose height y repeats every four; x_2 is noise."""
    k = np.arange(components)
    means = np.stack([1.5 * k, 0.0 * k, 1.5 * (k % 4)], axis=1)
    return GaussianMixture(np.full(components, 1 / components), means, np.tile(np.diag([0.1, 1.0, 0.1]), (components, 1, 1)), 2)


def waves_section() -> GaussianMixture:
    """waves_mixture without x_2, which says nothing about y: of the same information."""
    law, kept = waves_mixture(), np.array([0, 2])
    return GaussianMixture(law.weights, law.means[:, kept], law.covariances[:, kept[:, None], kept], 1)


def galaxy_mixture(distance: float = 3.0) -> GaussianMixture:
    """Before spiraling: two balls on the diagonal of (x_1, x_2, y)."""
    means = np.array([[-1.0] * 3, [1.0] * 3]) * distance / 2
    return GaussianMixture(np.full(2, 0.5), means, np.tile(np.eye(3), (2, 1, 1)), 2)


def galaxy_section(distance: float = 3.0) -> GaussianMixture:
    """galaxy_mixture with x along the line of its means; across that line x says nothing about y."""
    means = np.array([[-np.sqrt(2), -1.0], [np.sqrt(2), 1.0]]) * distance / 2
    return GaussianMixture(np.full(2, 0.5), means, np.tile(np.eye(2), (2, 1, 1)), 1)


def concentric_mixture(dim_x: int, components: int = 5) -> GaussianMixture:
    """Ball i has radius i, and y says which it is, up to noise of 0.01."""
    k = np.arange(1.0, components + 1)
    means = np.concatenate([np.zeros((components, dim_x)), k[:, None]], axis=1)
    covariances = np.array([np.diag([i**2] * dim_x + [1e-4]) for i in k])
    return GaussianMixture(np.full(components, 1 / components), means, covariances, dim_x)


def inlier_mixture(dim: int, fraction: float = 0.2) -> GaussianMixture:
    """The sparse Gaussian, but a fraction of the rows has y independent of x under the same marginal laws."""
    signal = sparse_gaussian(dim, dim).covariance
    return GaussianMixture(np.array([1 - fraction, fraction]), np.zeros((2, 2 * dim)), np.array([signal, np.eye(2 * dim)]), dim)


def _same(z: Floats) -> Floats:
    return z


def _of(name: str, law: GaussianVector | StudentVector | AdditiveUniform) -> Task:
    return Task(name, law.dim_x, law.dim_y, law.truth_bits, law.sample)


def _mixed(name: str, law: GaussianMixture, truth_bits: float) -> Task:
    return Task(name, law.dim_x, law.dim_y, truth_bits, law.sample)


def _both(task: Task, prefix: str, map_xy: Map) -> Task:
    return task.mapped(f"{prefix}-{task.name}", map_xy, map_xy)


def _spiraled(task: Task) -> Task:
    """Each side turns by |row|^2 / dimension: x in its first two coordinates, y in its second and third."""
    turn_x, turn_y = partial(maps.spiral, speed=1 / task.dim_x), partial(maps.spiral, speed=1 / task.dim_y, plane=(1, 2))
    return task.mapped(f"spiral-{task.name}", turn_x, turn_y)


def _one_dimensional() -> list[Task]:
    normal = _of("1v1-normal-0.75", dense_gaussian(1, 1, 0.75))
    uniform = _both(normal, "normal_cdf", maps.normal_cdf)
    student = _of("student-identity-1-1-1", student_identity(1, 1, 1))
    humps_x = partial(maps.two_normals, weight=0.3, means=(0.0, 5.0))
    humps_y = partial(maps.two_normals, weight=0.5, means=(-1.0, 3.0))
    return [
        normal,
        uniform,
        _of("1v1-additive-0.1", AdditiveUniform(0.1)),
        _of("1v1-additive-0.75", AdditiveUniform(0.75)),
        normal.mapped("1v1-bimodal-0.75", humps_x, humps_y),
        normal.mapped("wiggly-1v1-normal-0.75", maps.wiggly_x, maps.wiggly_y),
        _both(normal, "half_cube", maps.half_cube),
        student,
        _both(student, "asinh", maps.asinh),
        uniform.mapped(f"swissroll_x-{uniform.name}", maps.swissroll, _same, dim_x=2),
    ]


def _first_list() -> list[Task]:
    dense = [_of(f"multinormal-dense-{d}-{d}-0.5", dense_gaussian(d, d)) for d in (2, 3, 5, 25, 50)]
    sparse = [_of(f"multinormal-sparse-{d}-{d}-2-2.0", sparse_gaussian(d, d)) for d in (2, 3, 5, 25)]
    cases = ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3))
    student = [_of(f"student-identity-{d}-{d}-{freedom}", student_identity(d, d, freedom)) for d, freedom in cases]
    uniform = [_both(task, "normal_cdf", maps.normal_cdf) for task in sparse[1:]]
    cubed = [_both(task, "half_cube", maps.half_cube) for task in sparse[1:]]
    spiraled = [_spiraled(task) for task in sparse[1:] + uniform]
    tamed = [_both(student[i], "asinh", maps.asinh) for i in (0, 2, 4)]
    return [*_one_dimensional(), *dense, *sparse, *student, *uniform, *cubed, *spiraled, *tamed]


def _second_list() -> list[Task]:
    waves = _mixed("2v1-waves-12-5.0-3.0", waves_mixture(), WAVES_BITS)
    galaxy = _mixed("2v1-galaxy-0.5-3.0", galaxy_mixture(), GALAXY_BITS)
    return [
        _mixed("1v1-X-0.9", cross_mixture(), X_BITS),
        _mixed("1v1-AI", letters_mixture(), AI_BITS),
        waves.mapped(waves.name, maps.waves, _same),
        galaxy.mapped(galaxy.name, partial(maps.spiral, speed=0.5), _same),
        _mixed("3v1-concentric_gaussians-5", concentric_mixture(3), CONCENTRIC_3_BITS),
        _mixed("25v1-concentric_gaussians-5", concentric_mixture(25), CONCENTRIC_25_BITS),
        _mixed("mult-sparse-w-inliers-5-5-2-2.0-0.2", inlier_mixture(5), INLIER_BITS),
        _mixed("mult-sparse-w-inliers-25-25-2-2.0-0.2", inlier_mixture(25), INLIER_BITS),
    ]


def _named() -> tuple[tuple[str, ...], tuple[str, ...], Mapping[str, Task]]:
    first, second = _first_list(), _second_list()
    every = {task.name: task for task in first + second}
    return tuple(task.name for task in first), tuple(task.name for task in second), MappingProxyType(every)


FIRST_LIST, SECOND_LIST, TASKS = _named()
