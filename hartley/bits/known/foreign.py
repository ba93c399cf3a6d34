"""Tasks that no estimator here was made for: the families of `families`, and dependence of other shapes.

FOREIGN is for making an estimator; KEPT, other sizes and strengths of the same families, is for trying it afterwards.
Truths are in closed form or by the rule of the family, except for the numbers written here, with the quadrature beside each,
which the tests repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from hartley.bits.known import maps
from hartley.bits.known.families import beside, mixed, rotated, rounded, silenced, with_noise
from hartley.bits.known.shapes import (
    bend,
    censored,
    clusters_mixture,
    cross,
    cubed,
    factor,
    folded_sum,
    letters,
    loudness,
    mixture,
    normal,
    opposed_mixture,
    parity,
    ring,
    sparse,
    spiraled,
    student,
    swapped,
    uniform,
    vector,
)
from hartley.bits.known.task import Task
from hartley.bits.known.tasks import inlier_mixture

CLUSTERS_BITS = 1.01154147411  # clusters_mixture().quadrature_bits(201)
INLIERS_HALF_BITS = 0.38898816419  # inlier_bits(0.8, 0.5)
OPPOSED_BITS = 1.5508  # opposed_mixture(2).monte_carlo_bits at 4,000,000 draws: standard error 0.0009
SWAPPED_BITS = 1.7876  # mean of the log-ratio over 8,000,000 draws: standard error 0.0006
ROUNDED_NORMAL_BITS = 0.59593632694  # rounded_bits at steps of 0.05
ROUNDED_STRONG_BITS = 2.81089522584
ROUNDED_KEPT_BITS = 1.19668453346
ROUNDED_SPARSE_BITS = 0.73643162728  # of one pair of two
ROUNDED_UNIFORM_BITS = 2.42322922442  # at steps of 1/128
FACTOR_BITS, LOUD_FACTOR_BITS = 2.16119546336, 1.53981434151  # 1 bit of sign, and output_bits of log |y|
LOUDNESS_BITS = 0.62344122329  # output_bits of log |y|
BEND_BITS = 1.09696367142  # output_bits
CENSORED_BITS = 0.87399171168  # entropy of y, less output_bits of y given that x is at its cut, less that at any other x


def _concatenated() -> list[Task]:
    return [
        beside("beside-4-uniform-1", *[uniform(1.0)] * 4),
        beside("beside-uniform-0.3-0.75", uniform(0.3), uniform(0.75)),
        beside("beside-normal-0.3-0.5-0.7-0.9", *(normal(r) for r in (0.3, 0.5, 0.7, 0.9))),
        beside("beside-3-student-1", *[student(1, 1)] * 3),
        beside("beside-2-cross", *[cross()] * 2),
        beside("beside-2-uniform-1-2-normal-0.8", uniform(1.0), uniform(1.0), normal(0.8), normal(0.8)),
        with_noise("noisy-2-uniform-0.5", beside("", *[uniform(0.5)] * 2), 6),
        beside("beside-letters-normal-0.8", letters(), normal(0.8)),
    ]


def _rotated() -> list[Task]:
    return [
        rotated("rotated-4-uniform-1", beside("", *[uniform(1.0)] * 4)),
        rotated("rotated-2-uniform-0.5", beside("", *[uniform(0.5)] * 2)),
        rotated("rotated-2-student-1", beside("", *[student(1, 1)] * 2)),
        rotated("rotated-2-cross", beside("", *[cross()] * 2)),
        rotated("rotated-sparse-5", sparse(5)),
        rotated("rotated-exp-3-0.6", vector(3, 0.6).mapped("", np.exp, np.exp)),
    ]


def _mixed() -> list[Task]:
    return [
        mixed("mixed-both-0.8--0.8-0", [normal(r) for r in (0.8, -0.8, 0.0)], [0.4, 0.4, 0.2], seen_in_y=True),
        mixed("mixed-x-0.9--0.9", [normal(0.9), normal(-0.9)], [0.5, 0.5], seen_in_y=False),
        mixture("clusters-1v1", clusters_mixture(), CLUSTERS_BITS),
        mixture("inliers-3-0.5", inlier_mixture(3, 0.5), INLIERS_HALF_BITS),
        mixture("opposed-2", opposed_mixture(2), OPPOSED_BITS),
    ]


def _heavy_and_turning() -> list[Task]:
    return [
        student(3, 1, 0.5),
        student(2, 2, 0.3),
        student(5, 1).mapped("student-5-1-0-cubed", cubed, cubed),
        student(1, 1, 0.8).mapped("student-1-1-0.8-uniform", np.arctan, np.arctan),
        spiraled("spiral-3-sparse-3", sparse(3), 3.0),
        spiraled("spiral-4-normal-2", vector(2, 0.6), 4.0),
        spiraled("spiral-2-uniform-3", sparse(3).mapped("", maps.normal_cdf, maps.normal_cdf), 6.0),
    ]


def _rounded_and_silent() -> list[Task]:
    return [
        rounded("rounded-normal-0.75", normal(0.75), 0.05, ROUNDED_NORMAL_BITS),
        rounded("rounded-uniform-0.1", uniform(0.1), 1 / 128, ROUNDED_UNIFORM_BITS),
        rounded("rounded-sparse-3", sparse(3), 0.05, 2 * ROUNDED_SPARSE_BITS),
        silenced("silenced-together-0.3-normal-0.75", normal(0.75), 0.3, together=True),
        silenced("silenced-apart-0.3-normal-0.9", normal(0.9), 0.3, together=False),
        silenced("silenced-together-0.4-3-uniform-1", beside("", *[uniform(1.0)] * 3), 0.4, together=True),
        censored(0.9, 0.0, CENSORED_BITS),
    ]


def _other_shapes() -> list[Task]:
    return [
        factor(0.5, FACTOR_BITS),
        loudness(1.0, LOUDNESS_BITS),
        bend(0.3, BEND_BITS),
        parity(2, 0.02),
        folded_sum((1, 1), 0.25),
        folded_sum((5,), 0.3),
        ring(0.3),
        swapped(0.9, SWAPPED_BITS),
    ]


def _variants() -> list[Task]:
    return [
        beside("beside-5-uniform-0.6", *[uniform(0.6)] * 5),
        beside("beside-student-1-uniform-0.4-normal-0.7", student(1, 1), uniform(0.4), normal(0.7)),
        beside("beside-6-uniform-2", *[uniform(2.0)] * 6),
        beside("beside-2-letters", *[letters()] * 2),
        beside("beside-student-2-2-uniform-1", student(2, 2), uniform(1.0)),
        with_noise("noisy-cross", cross(), 4),
        rotated("rotated-3-uniform-0.8", beside("", *[uniform(0.8)] * 3), 5),
        rotated("rotated-student-1-normal-0.9", beside("", student(1, 1), normal(0.9)), 6),
        rotated("rotated-letters-cross", beside("", letters(), cross()), 7),
        mixed("mixed-both-4-uniform", [uniform(e) for e in (0.1, 0.3, 1.0, 3.0)], [0.25] * 4, seen_in_y=True),
        mixed("mixed-both-2v2-0.7-0", [vector(2, 0.7), vector(2, 0.0)], [0.6, 0.4], seen_in_y=True),
        student(4, 1.5, 0.4),
        student(2, 1).mapped("student-2-1-0-cubed", cubed, cubed),
        rotated("rotated-student-3-3-cubed", student(3, 3, 0.5).mapped("", cubed, cubed), 8),
        spiraled("spiral-2-sparse-4", sparse(4), 2.0),
        spiraled("spiral-6-student-2-3", student(2, 3, 0.5), 1.0),
        rounded("rounded-normal-0.99", normal(0.99), 0.05, ROUNDED_STRONG_BITS),
        silenced("silenced-together-0.5-normal-0.9", normal(0.9), 0.5, together=True),
        silenced("silenced-apart-0.2-sparse-2", sparse(2), 0.2, together=False),
        silenced("silenced-together-0.2-student-3-2", student(3, 2), 0.2, together=True),
        factor(1.0, LOUD_FACTOR_BITS),
        parity(3, 0.0),
        folded_sum((1, 1, 1), 0.35),
        beside("beside-2-ring-0.4", ring(0.4), ring(0.4)),
    ]


def _kept() -> list[Task]:
    return [
        beside("beside-3-uniform-0.5-1-2", uniform(0.5), uniform(1.0), uniform(2.0)),
        beside("beside-cross-uniform-0.7", cross(), uniform(0.7)),
        beside("beside-2-student-2-normal-0.6", student(1, 2), student(1, 2), normal(0.6)),
        rotated("rotated-5-uniform-1.5", beside("", *[uniform(1.5)] * 5), 11),
        rotated("rotated-student-2-uniform-0.5", beside("", student(1, 2), uniform(0.5)), 12),
        rotated("rotated-uniform-sparse-3", sparse(3).mapped("", maps.normal_cdf, maps.normal_cdf), 13),
        rotated("rotated-normal-6", vector(6, 0.4), 14),
        mixed("mixed-both-uniform-0.2-normal--0.6", [uniform(0.2), normal(-0.6)], [0.35, 0.65], seen_in_y=True),
        mixed("mixed-x-0.7--0.7-0", [normal(r) for r in (0.7, -0.7, 0.0)], [0.3, 0.3, 0.4], seen_in_y=False),
        mixed("mixed-both-3v3", [vector(3, 0.5), sparse(3)], [0.5, 0.5], seen_in_y=True),
        student(3, 1.3, 0.2),
        student(2, 3, 0.6).mapped("student-2-3-0.6-cubed", cubed, cubed),
        rotated("rotated-student-2-1.5-cubed", student(2, 1.5).mapped("", cubed, cubed), 15),
        spiraled("spiral-5-normal-3", vector(3, 0.5), 5.0),
        spiraled("spiral-3-sparse-2", sparse(2), 3.0),
        spiraled("spiral-2-student-3-4", student(3, 4, 0.5), 2.0),
        rounded("rounded-normal-0.9", normal(0.9), 0.05, ROUNDED_KEPT_BITS),
        silenced("silenced-together-0.15-normal-0.8-uniform-1", beside("", normal(0.8), uniform(1.0)), 0.15, together=True),
        beside("beside-silenced-0.4-0.2", silenced("", normal(0.9), 0.4, together=True), silenced("", normal(0.7), 0.2, together=False)),
        silenced("silenced-apart-0.5-uniform-0.2", uniform(0.2), 0.5, together=False),
        with_noise("noisy-ring-0.3", ring(0.3), 3),
        parity(2, 0.1),
        folded_sum((2, 1), 0.3),
    ]


def _by_name(tasks: Sequence[Task]) -> Mapping[str, Task]:
    return MappingProxyType({task.name: task for task in tasks})


FOREIGN = _by_name(
    [*_concatenated(), *_rotated(), *_mixed(), *_heavy_and_turning(), *_rounded_and_silent(), *_other_shapes(), *_variants()]
)
KEPT = _by_name(_kept())
