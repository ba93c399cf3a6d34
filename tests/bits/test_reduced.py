"""Reduction: canonical pairs against an eigenvalue problem, Bartlett's test, and what neighbors make of the pairs."""

import numpy as np
import pytest
from scipy import linalg, stats

from hartley.bits.known import TASKS, sparse_gaussian
from hartley.bits.portfolio.canonical import canonical, significant
from hartley.bits.portfolio.features import Coupled, Curved
from hartley.bits.portfolio.reduced import neighbor_bits, pairs_worth_keeping, reduced_bits

HARD = (
    "half_cube-multinormal-sparse-25-25-2-2.0",
    "normal_cdf-multinormal-sparse-25-25-2-2.0",
    "multinormal-sparse-25-25-2-2.0",
    "mult-sparse-w-inliers-25-25-2-2.0-0.2",
)


def slow_canonical(x, y):
    """Correlations from the generalized eigenvalue problem of the cross-covariance."""
    x, y = x - x.mean(0), y - y.mean(0)
    xx, yy, xy = x.T @ x, y.T @ y, x.T @ y
    values = linalg.eigh(xy @ np.linalg.inv(yy) @ xy.T, xx, eigvals_only=True)
    return np.sqrt(np.clip(values[::-1], 0, 1))[: min(x.shape[1], y.shape[1])]


def test_canonical_equals_the_eigenvalue_problem():
    x, y = sparse_gaussian(4, 3).sample(300, np.random.default_rng(0))
    found = canonical(x, y)
    np.testing.assert_allclose(found.rho, slow_canonical(x, y)[:3], atol=1e-9)
    for i in range(3):
        assert np.corrcoef(found.x(x)[:, i], found.y(y)[:, i])[0, 1] == pytest.approx(found.rho[i], abs=1e-9)
    np.testing.assert_allclose(np.cov(found.x(x).T, bias=True), np.eye(4), atol=1e-9)


def test_canonical_is_unmoved_by_linear_maps_and_drops_copies():
    generator = np.random.default_rng(1)
    x, y = sparse_gaussian(4, 4).sample(400, generator)
    mixed = x @ generator.standard_normal((4, 4)) + 3
    np.testing.assert_allclose(canonical(mixed, y).rho, canonical(x, y).rho, atol=1e-8)
    doubled = canonical(np.hstack([x, x[:, :1]]), y)
    np.testing.assert_allclose(doubled.rho[:4], canonical(x, y).rho, atol=1e-6)


def test_bartletts_test_step_by_step():
    rho, n, dx, dy = np.array([0.5, 0.3, 0.05]), 200, 3, 4
    kept = 0
    for k in range(3):
        statistic = -(n - 1 - (dx + dy + 1) / 2) * sum(np.log(1 - r**2) for r in rho[k:])
        if stats.chi2.sf(statistic, (dx - k) * (dy - k)) > 0.01:
            break
        kept += 1
    assert significant(rho, n, dx, dy) == kept == 2


def test_bartletts_test_keeps_nothing_of_noise():
    generator = np.random.default_rng(2)
    kept = [canonical(generator.standard_normal((400, 5)), generator.standard_normal((400, 5))).kept for _ in range(200)]
    assert np.mean(np.array(kept) > 0) <= 0.04


@pytest.mark.parametrize("name", HARD)
def test_hard_tasks_of_25_columns(name):
    task = TASKS[name]
    errors = [reduced_bits(*task.sample(2000, np.random.default_rng(seed))).bits - task.truth_bits for seed in range(6)]
    assert abs(np.mean(errors)) <= 0.05 + 2 * np.std(errors) / np.sqrt(6)
    assert reduced_bits(*task.sample(2000, np.random.default_rng(9))).pairs == 2


def test_no_pairs_no_bits():
    generator = np.random.default_rng(3)
    found = reduced_bits(generator.standard_normal((300, 6)), generator.standard_normal((300, 6)))
    assert found.pairs == 0 and found.bits == 0


def test_the_optimism_of_chosen_directions_is_taken_off():
    law = sparse_gaussian(25, 25)
    gaps = []
    for seed in range(8):
        x, y = law.sample(500, np.random.default_rng(seed))
        known = neighbor_bits(x[:, :2], y[:, :2])
        gaps.append(reduced_bits(x, y).bits - known)
    assert abs(np.mean(gaps)) < 0.1  # uncorrected: 0.13


def test_curved_features_hold_the_scores_first_and_stay_bounded():
    x = np.random.default_rng(4).standard_cauchy((500, 3))
    features = Curved.of(x)
    found = features(x)
    assert found.shape[0] == 500 and 3 < found.shape[1] <= 120
    np.testing.assert_allclose(found[:, 0], np.clip(features.margins.normal(x)[:, 0], -3.5, 3.5))
    assert np.abs(found).max() <= 3.5**5
    np.testing.assert_allclose(features(np.exp(x / np.abs(x).max())).shape, found.shape)


def test_features_do_not_outgrow_their_rows():
    for n, d in ((60, 2), (400, 10), (2000, 64), (4000, 200)):
        x = np.random.default_rng(5).standard_normal((n, d))
        assert Curved.of(x)(x).shape[1] <= max(d + 1, min(n // 10, 50), n // 20)


def test_a_spiral_is_unwound():
    task = TASKS["spiral-multinormal-sparse-5-5-2-2.0"]
    x, y = task.sample(6000, np.random.default_rng(6))
    half = slice(0, 3000), slice(3000, 6000)
    coupled = Coupled.of(x[half[0]], y[half[0]])
    learned, left = coupled(x[half[0]], y[half[0]]), coupled(x[half[1]], y[half[1]])
    pairs = pairs_worth_keeping(learned.x, learned.y)
    unwound = neighbor_bits(left.x[:, :pairs], left.y[:, :pairs])
    straight = reduced_bits(x, y).bits
    assert straight < task.truth_bits - 0.4
    assert abs(unwound - task.truth_bits) < 0.25


def test_one_product_among_three_hundred_is_found():
    generator = np.random.default_rng(7)
    x = generator.standard_normal((3000, 25))
    y = np.stack([np.sign(x[:, 3] * x[:, 17]) * np.abs(generator.standard_normal(3000)), x[:, 0] + generator.standard_normal(3000)], 1)
    coupled = Coupled.of(x, y)
    assert (3, 17) in coupled.curved_x.terms
    assert sum(1 for term in coupled.curved_x.terms if len(set(term)) == 2) <= 8
    shuffled = Coupled.of(x, y[generator.permutation(3000)])
    assert not [term for term in shuffled.curved_x.terms if len(set(term)) == 2]
