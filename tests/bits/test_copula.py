"""Copulas: against loops, against closed forms, and blind to how a column is written."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hartley.bits.known import dense_gaussian, sparse_gaussian, student_identity
from hartley.bits.portfolio.copula import copula_bits, covariance_bits
from hartley.bits.portfolio.elliptical import Elliptical, elliptical_bits, fitted, scale_bits, tail_weight
from hartley.bits.portfolio.ranks import Margins, normal_scores, ranks


def slow_normal_scores(x):
    """Rank by counting, one value at a time; then scaled to mean square 1."""
    n, d = x.shape
    out = np.zeros((n, d))
    for j in range(d):
        for i in range(n):
            rank = sum(1 for other in range(n) if x[other, j] < x[i, j])
            out[i, j] = stats.norm.ppf((rank + 0.5) / n)
        out[:, j] /= np.sqrt(np.mean(out[:, j] ** 2))
    return out


def slow_covariance_bits(x, y):
    """Three log-determinants, each without the bias of a Wishart matrix; the nats turned into bits at the end."""

    def half_log_determinant(z):
        n, d = z.shape
        matrix = np.zeros((d, d))
        center = z.mean(0)
        for row in z:
            matrix += np.outer(row - center, row - center) / (n - 1)
        bias = sum(_psi((n - i) / 2) for i in range(1, d + 1))
        bias += d * np.log(2) - d * np.log(n - 1)
        return 0.5 * (np.log(np.linalg.det(matrix)) - bias)

    return (half_log_determinant(x) + half_log_determinant(y) - half_log_determinant(np.hstack([x, y]))) / np.log(2)


def _psi(value, step=1e-5):
    from scipy.special import gammaln

    return (gammaln(value + step) - gammaln(value - step)) / (2 * step)


def test_normal_scores_equal_counting():
    x = np.random.default_rng(0).standard_normal((60, 3))
    np.testing.assert_allclose(normal_scores(x), slow_normal_scores(x), atol=1e-12)


def test_bits_equal_three_determinants():
    x, y = dense_gaussian(3, 2).sample(80, np.random.default_rng(1))
    assert covariance_bits(x, y) == pytest.approx(slow_covariance_bits(x, y), abs=1e-6)


@pytest.mark.parametrize(("columns", "n", "seeds", "most"), [(25, 2000, 6, 0.05), (50, 2000, 6, 0.06), (25, 200, 60, 0.08)])
def test_no_bias_in_many_dimensions(columns, n, seeds, most):
    law = dense_gaussian(columns, columns)
    errors = [copula_bits(*law.sample(n, np.random.default_rng(seed))) - law.truth_bits for seed in range(seeds)]
    assert abs(np.mean(errors)) <= most
    assert abs(np.mean(errors)) <= 4 * np.std(errors) / np.sqrt(seeds)


def test_independent_columns_carry_nothing_on_average():
    generator = np.random.default_rng(2)
    values = [copula_bits(generator.standard_normal((120, 6)), generator.standard_normal((120, 6))) for _ in range(60)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60) + 1e-3


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="takes at least 40"):
        copula_bits(np.random.default_rng(0).standard_normal((30, 10)), np.random.default_rng(1).standard_normal((30, 10)))


@settings(derandomize=True, max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 2))
def test_increasing_maps_of_a_column_change_nothing(seed, column):
    x, y = sparse_gaussian(3, 3).sample(200, np.random.default_rng(seed))
    bent = x.copy()
    bent[:, column] = np.exp(bent[:, column] / 3)
    assert copula_bits(x, y) == copula_bits(bent, y)
    assert copula_bits(x, y) == pytest.approx(copula_bits(y, x), abs=1e-9)


def test_ties_are_broken_by_coin_and_the_coin_is_fixed():
    x = np.repeat(np.arange(20.0), 10)[:, None]
    first = ranks(x, 3)
    assert sorted(first[:, 0]) == list(range(200))
    np.testing.assert_array_equal(first, ranks(x, 3))
    assert (first != ranks(x, 4)).any()
    for block in range(20):
        assert set(first[10 * block : 10 * block + 10, 0]) == set(range(10 * block, 10 * block + 10))


def test_margins_place_new_rows_between_the_known():
    margins = Margins.of(np.array([[1.0], [2.0], [2.0], [5.0]]))
    placed = margins.uniform(np.array([[0.0], [1.5], [2.0], [9.0]]))[:, 0] * 5 - 0.5
    np.testing.assert_allclose(placed, [0, 1, 2, 4])


@pytest.mark.parametrize("nu", [1.0, 3.0, 10.0])
def test_the_scale_alone_carries_what_simulation_says(nu):
    law = student_identity(2, 3, nu)
    x, y = law.sample(200_000, np.random.default_rng(4))
    joint = stats.multivariate_t(np.zeros(5), np.eye(5), nu).logpdf(np.hstack([x, y]))
    apart = stats.multivariate_t(np.zeros(2), np.eye(2), nu).logpdf(x) + stats.multivariate_t(np.zeros(3), np.eye(3), nu).logpdf(y)
    density = (joint - apart) / np.log(2)
    assert scale_bits(2, 3, nu) == pytest.approx(density.mean(), abs=5 * density.std() / np.sqrt(len(density)))
    assert scale_bits(2, 3, float("inf")) == 0


@pytest.mark.parametrize("nu", [1.0, 2.0, 4.0])
def test_heavy_tails_are_found_and_their_information_with_them(nu):
    law = student_identity(3, 3, nu)
    x, y = law.sample(4000, np.random.default_rng(5))
    found = tail_weight(ranks(np.arcsinh(x)), ranks(y))
    assert found == pytest.approx(nu, rel=0.15)
    assert elliptical_bits(x, y, found) == pytest.approx(law.truth_bits, abs=0.06)


def test_gaussian_tails_stay_gaussian():
    found = [tail_weight(*(ranks(side) for side in dense_gaussian(2, 2).sample(1500, np.random.default_rng(seed)))) for seed in range(8)]
    assert sum(np.isinf(nu) for nu in found) >= 7


def slow_log_ratio(copula: Elliptical, x, y):
    """One pair: log-density of the t-copula with its own scatter, less those of the two sides, by scipy."""
    nu = copula.nu
    u, v = copula.margins_x.uniform(x[None]), copula.margins_y.uniform(y[None])
    a, b = stats.t.ppf(u, nu)[0] @ copula.turn_x, stats.t.ppf(v, nu)[0] @ copula.turn_y
    dx, dy = len(a), len(b)
    scatter = np.eye(dx + dy)
    for i, rho in enumerate(copula.rho):
        scatter[i, dx + i] = scatter[dx + i, i] = rho
    joint = stats.multivariate_t(np.zeros(dx + dy), scatter, nu).logpdf(np.concatenate([a, b]))
    apart = [stats.multivariate_t(np.zeros(len(z)), np.eye(len(z)), nu).logpdf(z) for z in (a, b)]
    return joint - sum(apart)


def test_log_ratio_equals_three_densities():
    x, y = sparse_gaussian(3, 2).sample(500, np.random.default_rng(6))
    copula = fitted(x, y, nu=5.0)
    assert len(copula.rho) == 2
    rows, pairs = copula.log_ratio(x[:4], y[:4]), copula.log_ratio(x[:4], y[:4], True)
    for i in range(4):
        assert rows[i] == pytest.approx(slow_log_ratio(copula, x[i], y[i]), abs=1e-8)
        for j in range(4):
            assert pairs[i, j] == pytest.approx(slow_log_ratio(copula, x[i], y[j]), abs=1e-8)


def test_log_ratio_of_a_gaussian_copula_averages_to_its_information():
    law = dense_gaussian(2, 2, 0.6)
    x, y = law.sample(20_000, np.random.default_rng(7))
    assert fitted(x, y, nu=float("inf")).log_ratio(x, y).mean() / np.log(2) == pytest.approx(law.truth_bits, abs=0.03)
