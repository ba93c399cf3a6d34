"""Known answers: continuous pairs, maps and same-class pairing against enumeration, quadrature and their own samples."""

import numpy as np
import pytest
from scipy import integrate, stats

from hartley.bits.known import (
    BinaryInputGaussian,
    GaussianMixture,
    GaussianPair,
    GaussianVector,
    StudentVector,
    Task,
    dense_gaussian,
    same_class_pairing,
    sparse_gaussian,
    student_identity,
)
from hartley.bits.known import maps as known_maps
from hartley.bits.tables import cross_tabulate, information_of_law
from hartley.errors import InputError


def test_a_gaussian_pair_is_a_gaussian_vector_of_one_and_one():
    for rho in (-0.9, 0.0, 0.3, 0.75):
        assert dense_gaussian(1, 1, rho).truth_bits == pytest.approx(GaussianPair(rho).truth_bits, abs=1e-12)


def test_gaussian_information_adds_over_independent_pairs_and_ignores_the_scale():
    assert sparse_gaussian(5, 7, 3).truth_bits == pytest.approx(3 * GaussianPair(0.8).truth_bits, abs=1e-12)
    mixing = np.diag([3.0, 0.01, 5.0, 1.0])
    seen = GaussianVector(mixing @ dense_gaussian(2, 2).covariance @ mixing, 2)
    assert seen.truth_bits == pytest.approx(dense_gaussian(2, 2).truth_bits, abs=1e-9)
    assert seen.dim_y == 2


def test_student_vectors_become_gaussian_with_many_degrees_of_freedom():
    gaussian = dense_gaussian(2, 3)
    truths = [StudentVector(gaussian, freedom).truth_bits for freedom in (1, 2, 5, 100, 1e6)]
    assert truths == sorted(truths, reverse=True)
    assert truths[-1] == pytest.approx(gaussian.truth_bits, abs=1e-4)
    assert student_identity(2, 3, 1e6).truth_bits == pytest.approx(0, abs=1e-4)


def test_cauchy_pair_by_quadrature():
    """The published closed form for the Cauchy pair is log(8 pi) - 3 nats; the integral agrees."""

    def inner(a, b):
        joint = 1 / (2 * np.pi * (1 + np.tan(a) ** 2 + np.tan(b) ** 2) ** 1.5)
        product = 1 / (np.pi**2 * (1 + np.tan(a) ** 2) * (1 + np.tan(b) ** 2))
        return joint * np.log2(joint / product) / (np.cos(a) * np.cos(b)) ** 2

    half = np.pi / 2 - 1e-7
    value = 4 * integrate.dblquad(inner, 0, half, 0, half, epsabs=1e-5)[0]
    assert student_identity(1, 1, 1).truth_bits == pytest.approx(value, abs=1e-4)
    assert student_identity(1, 1, 1).truth_bits == pytest.approx((np.log(8 * np.pi) - 3) / np.log(2), abs=1e-9)


def test_a_mixture_of_one_is_its_gaussian():
    law = dense_gaussian(1, 1, 0.6)
    mixture = GaussianMixture(np.ones(1), np.array([[2.0, -1.0]]), law.covariance[None], 1)
    assert mixture.quadrature_bits(201) == pytest.approx(law.truth_bits, abs=1e-10)
    value, error = mixture.monte_carlo_bits(20_000, np.random.default_rng(0))
    assert abs(value - law.truth_bits) < 4 * error < 0.05


def test_a_mixture_with_a_narrow_y_is_a_binary_input_channel():
    law = BinaryInputGaussian(1.0)
    mixture = GaussianMixture(np.full(2, 0.5), np.array([[-1.0, 0.0], [1.0, 100.0]]), np.tile(np.eye(2), (2, 1, 1)), 1)
    assert mixture.quadrature_bits(201) == pytest.approx(law.truth_bits, abs=1e-6)


def test_mixture_moments():
    weights, means = np.array([0.2, 0.8]), np.array([[0.0, 0, 5], [1, 2, 3]])
    covariances = np.array([np.diag([1.0, 2, 3]), dense_gaussian(2, 1, 0.7).covariance])
    x, y = GaussianMixture(weights, means, covariances, 2).sample(40_000, np.random.default_rng(0))
    centered = means - weights @ means
    expected = np.einsum("k,kij->ij", weights, covariances) + centered.T @ (weights[:, None] * centered)
    rows = np.concatenate([x, y], axis=1)
    np.testing.assert_allclose(rows.mean(0), weights @ means, atol=0.05)
    np.testing.assert_allclose(np.cov(rows.T), expected, atol=0.06)


def test_maps_of_far_tails_keep_their_digits():
    z = np.array([[-8.0], [-3.0], [0.0], [3.0], [8.0]])
    seen = known_maps.two_normals(z, weight=0.3, means=(0.0, 5.0))[:, 0]
    lower = 0.3 * stats.norm.cdf(seen) + 0.7 * stats.norm.cdf(seen - 5)
    upper = 0.3 * stats.norm.sf(seen) + 0.7 * stats.norm.sf(seen - 5)
    np.testing.assert_allclose(np.where(z[:, 0] <= 0, lower, upper), stats.norm.sf(np.abs(z[:, 0])), rtol=1e-9)


def pools(classes, rows=20):
    """Embeddings whose first coordinate is their class and whose second is their row."""
    label = np.repeat(np.arange(classes), rows)
    return np.stack([label, np.arange(len(label))], axis=1).astype(float), label


@pytest.mark.parametrize("flip", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("classes", [2, 8])
def test_pairing_truth_by_enumeration(classes, flip):
    bits = int(np.log2(classes))
    law = np.zeros((classes, classes))
    for c in range(classes):
        for other in range(classes):
            wrong = bin(c ^ other).count("1")
            law[c, other] = flip**wrong * (1 - flip) ** (bits - wrong) / classes
    task = same_class_pairing(*pools(classes), *pools(classes), flip)
    assert isinstance(task, Task) and (task.dim_x, task.dim_y) == (2, 2)
    assert task.truth_bits == pytest.approx(information_of_law(law), abs=1e-12)
    x, y = task.sample(20_000, np.random.default_rng(0))
    table = cross_tabulate(x[:, 0].astype(int), y[:, 0].astype(int), inputs=classes, outcomes=classes)
    np.testing.assert_allclose(table / 20_000, law, atol=0.012)


def test_pairing_uses_every_row_before_one_repeats():
    task = same_class_pairing(*pools(2, 500), *pools(2, 30), 0.2)
    x, y = task.sample(600, np.random.default_rng(0))
    assert len(np.unique(x[:, 1])) == 600
    assert np.ptp(np.unique(y[y[:, 0] == 0, 1], return_counts=True)[1]) <= 1
    assert len(np.unique(y[:, 1])) == 60


def test_pairing_rows_are_independent_given_the_class():
    task = same_class_pairing(*pools(2, 4), *pools(2, 4), 0.0)
    x, y = task.sample(8000, np.random.default_rng(1))
    table = cross_tabulate(x[:, 1].astype(int), y[:, 1].astype(int), inputs=8, outcomes=8)
    expected = np.kron(np.eye(2), np.full((4, 4), 8000 / 32))
    np.testing.assert_allclose(table, expected, atol=80)


def test_pairing_takes_named_classes():
    x, _ = pools(2)
    names = np.repeat(["dog", "cat"], 20)
    first, _ = same_class_pairing(x, names, x, names, 0.0).sample(100, np.random.default_rng(0))
    assert set(first[:, 0]) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("first", "second", "flip", "message"),
    [
        (pools(3), pools(3), 0.0, "got 3, takes a power of 2"),
        (pools(1), pools(1), 0.0, "got 1, takes a power of 2"),
        (pools(4), pools(2), 0.0, "4 in first, 2 in second"),
        (pools(2), (pools(2)[0], pools(2)[1] + 5), 0.0, "same classes"),
        (pools(2), pools(2), 1.5, "flip: got 1.5"),
        ((np.zeros((3, 2)), np.zeros(4)), pools(2), 0.0, "first: embedding"),
        ((np.full((2, 1), np.nan), np.arange(2)), pools(2), 0.0, "first, row 0"),
    ],
)
def test_pairing_errors(first, second, flip, message):
    with pytest.raises(InputError, match=message):
        same_class_pairing(*first, *second, flip)
