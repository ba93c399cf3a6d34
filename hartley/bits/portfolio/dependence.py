"""The gate for continuous data: is there any dependence at all? A permutation test in any dimension."""

from __future__ import annotations

import numpy as np

from hartley.bits.portfolio.ranks import normal_scores
from hartley.bits.tables import Floats
from hartley.bits.trust import GATE

ROWS_AT_FIRST = 1_000
PERMUTATIONS = 299
MOST_STRAIGHT = 64
MOST_SQUARES = 16
WAVES = 24
SMALLEST_SHARE = 1e-3
"""Directions of less variance than this (of the widest) hang on a few far rows, and so would the test."""


def dependence_p(x: Floats, y: Floats, *, permutations: int = PERMUTATIONS, seed: int = 0) -> float:
    """p of the hypothesis that rows of x (n, dx) and y (n, dy) are independent, exact at any n.

    Three statistics are compared with those of shuffled rows: the squared canonical correlations summed (Pillai 1955) of
    normal scores, of these with their squares, and of random waves as well (Rahimi, Recht 2007), which see any
    dependence given rows enough. The largest of the three, each in standard deviations of all draws, is the
    statistic, so one test is made, not three.
    With more than 1,500 rows the first 1,000 are tested alone; only if they do not reject, all are, and twice the smaller p is
    given (Bonferroni).
    """
    n = len(x)
    generator = np.random.default_rng([seed, n])
    if n <= ROWS_AT_FIRST * 3 // 2:
        return _p(x, y, permutations, generator, seed)
    some = generator.permutation(n)[:ROWS_AT_FIRST]
    first = 2 * _p(x[some], y[some], permutations, generator, seed)
    if first <= GATE:
        return first
    return min(1.0, first, 2 * _p(x, y, permutations, generator, seed))


def _p(x: Floats, y: Floats, permutations: int, generator: np.random.Generator, seed: int) -> float:
    blocks_x, blocks_y = _blocks(x, generator, seed), _blocks(y, generator, seed + 1)
    sizes_x, sizes_y = np.cumsum([b.shape[1] for b in blocks_x]), np.cumsum([b.shape[1] for b in blocks_y])
    whole_x = np.ascontiguousarray(np.concatenate(blocks_x, axis=1), dtype=np.float32)
    whole_y = np.ascontiguousarray(np.concatenate(blocks_y, axis=1), dtype=np.float32)
    drawn = np.empty((permutations + 1, len(sizes_x)))
    for row in range(permutations + 1):
        order = np.arange(len(x)) if row == 0 else generator.permutation(len(x))
        square = (whole_x.T @ whole_y[order]) ** 2
        drawn[row] = [square[:i, :j].sum() for i, j in zip(sizes_x, sizes_y, strict=True)]
    # the cube root of a sum of squares is nearly normal (Wilson, Hilferty 1931), so the three can be compared
    roots = np.cbrt(drawn)
    largest = ((roots - roots.mean(0)) / np.maximum(roots.std(0), 1e-300)).max(1)
    return float((largest >= largest[0]).sum()) / (permutations + 1)


def _blocks(x: Floats, generator: np.random.Generator, seed: int) -> list[Floats]:
    """Straight, square and wavy features of x (n, d), each block uncorrelated within itself and of variance 1."""
    scores = normal_scores(x, seed)
    straight = _white(scores, MOST_STRAIGHT)
    d = straight.shape[1]
    squares = np.concatenate([straight[:, :MOST_SQUARES] ** 2, (straight**2).mean(1, keepdims=True)], axis=1)
    scale = np.repeat(np.array([0.5, 1.0, 3.0]) / np.sqrt(d), WAVES // 3)
    turns = generator.standard_normal((d, WAVES)) * scale
    waves = np.cos(straight @ turns + generator.uniform(0, 2 * np.pi, WAVES))
    return [straight, _white(squares, 2 * MOST_SQUARES), _white(waves, WAVES)]


def _white(x: Floats, most: int) -> Floats:
    """The `most` widest directions of x (n, d), uncorrelated, of variance 1."""
    centered = x - x.mean(0)
    values, vectors = np.linalg.eigh(centered.T @ centered / len(x))
    used = np.flatnonzero(values > SMALLEST_SHARE * max(float(values.max()), 1e-300))[-most:]
    return np.asarray(centered @ vectors[:, used] / np.sqrt(values[used]), dtype=np.float64)
