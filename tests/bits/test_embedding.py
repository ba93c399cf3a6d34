"""Embedding to label: closed forms and quadrature, a slow twin, invariances, and whether the interval holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import f as fisher
from scipy.stats import norm

from hartley.bits.embedding import information_point, label_information
from hartley.bits.embeddings.gram import corrected_gram, inverse_wishart, limits_bits, placed, wishart
from hartley.bits.embeddings.labeled import entropy_high_bits, labeled
from hartley.bits.embeddings.mixture import mixture_information
from hartley.bits.embeddings.pillai import left_out_p, leverage_squares, permutation_p
from hartley.bits.known import BinaryInputGaussian
from hartley.bits.spectrum import moments_of
from hartley.errors import InputError


def draws(n, dimensions, labels, power, seed, rank=None):
    """(embedding, label, true centers): means of mean squared length `power` in unit noise, balanced labels."""
    generator = np.random.default_rng(seed)
    centers = np.zeros((labels, dimensions))
    rank = rank or dimensions
    centers[:, :rank] = generator.standard_normal((labels, rank))
    centers *= np.sqrt(power * labels / (centers**2).sum())
    label = np.arange(n) % labels
    return centers[label] + generator.standard_normal((n, dimensions)), label, centers


def moments(z, label):
    hot = np.eye(label.max() + 1)[label]
    return moments_of(hot.T @ z, z.T @ z, np.bincount(label))


def true_bits(centers, law):
    return mixture_information(centers, law, seed=99).bits


def slow_gram(z, label):
    """Entry by entry from the definition."""
    n, d = z.shape
    labels = label.max() + 1
    means, scatter = [], np.zeros((d, d))
    for k in range(labels):
        rows = z[label == k]
        means.append(rows.mean(0))
        for row in rows:
            scatter += np.outer(row - means[k], row - means[k])
    inverse = np.linalg.inv(scatter / (n - labels))
    gram = np.empty((labels, labels))
    for i in range(labels):
        for j in range(labels):
            gram[i, j] = means[i] @ inverse @ means[j] * (n - labels - d - 1) / (n - labels)
            if i == j:
                gram[i, j] -= d / (label == i).sum()
    law = np.bincount(label) / n
    center = np.eye(labels) - np.outer(np.ones(labels), law)
    return center @ gram @ center.T


def pillai(white, label, counts):
    """tr(P C), the projections on white columns and on labels, by sums over the labels."""
    sums = np.zeros((len(counts), white.shape[1]))
    np.add.at(sums, label, white)
    return float(((sums**2).sum(1) / counts).sum()) / len(label)


def slow_mixture_bits(points, law):
    """h(Z) - h(Z|Y) in one dimension by adaptive quadrature."""

    def density(z):
        return sum(p * norm.pdf(z - c) for p, c in zip(law, points, strict=True))

    cuts = sorted(points)
    entropy = quad(lambda z: -density(z) * np.log2(max(density(z), 1e-300)), cuts[0] - 12, cuts[-1] + 12, points=cuts, limit=400)[0]
    return entropy - 0.5 * np.log2(2 * np.pi * np.e)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(2, 5), st.integers(1, 6), st.integers(0, 10**6))
def test_the_gram_matrix_equals_its_slow_twin(labels, dimensions, seed):
    z, label, _ = draws(60, dimensions, labels, 2.0, seed)
    law = np.bincount(label) / len(label)
    assert np.allclose(corrected_gram(moments(z, label), law), slow_gram(z, label), atol=1e-8)


def test_the_gram_matrix_is_unbiased():
    true = draws(10, 6, 3, 2.0, 1)[2]
    generator = np.random.default_rng(2)
    label, law = np.arange(30) % 3, np.full(3, 1 / 3)
    grams = [corrected_gram(moments(true[label] + generator.standard_normal((30, 6)), label), law) for _ in range(3000)]
    centered = true - true.mean(0)
    error = np.std(grams, axis=0) / np.sqrt(len(grams))
    assert (np.abs(np.mean(grams, axis=0) - centered @ centered.T) < 4 * error).all()


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.lists(st.floats(-6, 6), min_size=2, max_size=5), st.integers(0, 10**6))
def test_mixture_information_equals_quadrature_in_one_dimension(points, seed):
    law = np.random.default_rng(seed).dirichlet(np.ones(len(points)) * 3)
    assert mixture_information(np.array(points)[:, None], law).bits == pytest.approx(slow_mixture_bits(points, law), abs=1e-4)


@pytest.mark.parametrize("points", [[0.0, 1.0], [-2.0, 0.0, 3.0], [0.0, 0.1, 5.0]])
def test_monte_carlo_agrees_with_quadrature(points):
    """The same points in the plane, where the second coordinate says nothing."""
    law = np.full(len(points), 1 / len(points))
    plane = np.stack([points, np.zeros(len(points))], 1)
    drawn = mixture_information(plane, law)
    assert abs(drawn.bits - slow_mixture_bits(points, law)) < 4 * drawn.error_bits
    assert drawn.error_bits < 0.01


def test_the_overlap_is_the_gradient_of_the_information():
    generator = np.random.default_rng(3)
    centers, law, step = generator.standard_normal((4, 3)), np.array([0.1, 0.2, 0.3, 0.4]), 1e-4
    slope = mixture_information(centers, law).laplacian @ centers / np.log(2)
    for k in range(4):
        for axis in range(3):
            moved = centers.copy()
            moved[k, axis] += step
            back = centers.copy()
            back[k, axis] -= step
            change = (mixture_information(moved, law).bits - mixture_information(back, law).bits) / (2 * step)
            assert change == pytest.approx(slope[k, axis], abs=0.01)


def test_the_mixture_never_says_more_than_its_entropy_and_far_points_say_all():
    law = np.array([0.5, 0.3, 0.2])
    far = mixture_information(np.eye(3) * 50, law)
    assert far.bits == pytest.approx(-law @ np.log2(law), abs=1e-9)
    assert mixture_information(np.zeros((3, 2)), law).bits == pytest.approx(0, abs=1e-12)


def test_wishart_draws_have_the_right_means():
    generator = np.random.default_rng(4)
    for freedom in (2, 9):
        assert np.allclose(wishart(generator, 4000, 3, freedom).mean(0), freedom * np.eye(3), atol=0.3)
    assert np.allclose(inverse_wishart(generator, 4000, 3, 9).mean(0), np.eye(3) / 5, atol=0.02)


def test_two_labels_get_the_interval_of_hotelling():
    """For K = 2 the family of scaled means is the whole model, so the limits invert the noncentral F law."""
    z, label, _ = draws(120, 3, 2, 0.5, 5)
    part, law = moments(z, label), np.full(2, 0.5)
    low, high = limits_bits(placed(part, law), part, law)
    n, d = 120, 3
    distance = part.means[1] - part.means[0]
    statistic = (n / 4) * distance @ np.linalg.solve(part.within, distance) * (n - d - 1) / ((n - 2) * d)

    def level(bits):
        sizes = np.linspace(0.01, 6, 3000)
        found = np.interp(bits, [mixture_information(np.array([[0.0], [s]]), law).bits for s in sizes[::30]], sizes[::30])
        from scipy.stats import ncf

        return ncf.cdf(statistic, d, n - d - 1, n / 4 * found**2)

    assert fisher.sf(statistic, d, n - d - 1) < 0.01
    assert level(low) == pytest.approx(0.975, abs=0.012)
    assert level(high) == pytest.approx(0.025, abs=0.012)


@pytest.mark.parametrize(
    ("n", "dimensions", "labels", "power"), [(500, 2, 10, 1.0), (500, 64, 10, 2.0), (1000, 20, 4, 0.3), (600, 8, 30, 6.0)]
)
def test_the_point_is_right_and_trusted(n, dimensions, labels, power):
    law = np.full(labels, 1 / labels)
    errors, inside, trusted = [], 0, 0
    for seed in range(5):
        z, label, true = draws(n, dimensions, labels, power, 100 + seed)
        bits, truth = label_information(z, label), true_bits(true, law)
        inside += bits.low <= truth <= bits.high
        trusted += bits.trusted
        errors.append(information_point(labeled(z, label, None)) - truth)
    assert abs(np.mean(errors)) < 0.03 + 3 * np.std(errors) / np.sqrt(len(errors))
    assert inside >= 4 and trusted >= 3


def test_many_labels_with_few_rows_each_are_not_read_as_information():
    """Clipping alone would say 1 bit too much here."""
    z, label, true = draws(2000, 128, 100, 3.0, 6)
    assert information_point(labeled(z, label, None)) == pytest.approx(true_bits(true, np.full(100, 0.01)), abs=0.15)


def test_shuffled_labels_carry_nothing():
    generator = np.random.default_rng(7)
    found = 0
    for seed in range(12):
        z, label, _ = draws(400, 10, 4, 3.0, seed)
        bits = label_information(z, generator.permutation(label))
        found += bits.value is not None
        # shuffled rows are a mixture within each label, so some are withheld for that, with no upper limit but H(Y)
        assert bits.low < 0.02 and (bits.high < 0.2 or "not Gaussian" in bits.why)
    assert found <= 2


@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_invertible_linear_maps_and_relabeling_change_nothing(seed):
    z, label, _ = draws(400, 5, 3, 1.5, seed)
    generator = np.random.default_rng(seed)
    mixed = z @ (generator.standard_normal((5, 5)) + 3 * np.eye(5)) * 1e3 + 7
    before, after, renamed = label_information(z, label), label_information(mixed, label), label_information(z, label * 10 - 3)
    for one in (after, renamed):
        assert one.checks["point_bits"] == pytest.approx(before.checks["point_bits"], abs=1e-6)
        assert one.low == pytest.approx(before.low, abs=1e-6) and one.high == pytest.approx(before.high, abs=1e-6)
    named = label_information(z, np.array(["cat", "dog", "eel"])[label])
    assert named.checks["point_bits"] == pytest.approx(before.checks["point_bits"], abs=1e-9)


def test_processing_adds_nothing_and_copies_add_up():
    z, label, _ = draws(2000, 6, 3, 1.5, 8)
    other, second, _ = draws(2000, 4, 2, 1.0, 9)
    whole = label_information(z, label)
    assert label_information(z[:, :3], label).value <= whole.high
    generator = np.random.default_rng(10)
    second_order = generator.permutation(2000)
    pair = label_information(np.hstack([z, other[second_order]]), label * 2 + second[second_order])
    separate = label_information(other, second)
    assert pair.low <= whole.value + separate.value <= pair.high


@pytest.mark.parametrize("amplitude", [0.15, 1.0, 2.5])
def test_the_interval_holds_for_binary_input_awgn(amplitude):
    channel, generator = BinaryInputGaussian(amplitude), np.random.default_rng(11)
    inside = 0
    for seed in range(30):
        x, y = channel.sample(200, generator)
        bits = label_information(y, x, seed=seed)
        inside += bits.low <= channel.truth_bits <= bits.high
    assert inside >= 27


@pytest.mark.slow
@pytest.mark.parametrize("amplitude", [0.02, 0.15, 1.0, 2.0, 3.2])
@pytest.mark.parametrize("n", [200, 2000, 20000])
def test_coverage_of_binary_input_awgn(n, amplitude):
    channel, generator = BinaryInputGaussian(amplitude), np.random.default_rng(12)
    inside = 0
    for seed in range(200):
        x, y = channel.sample(n, generator)
        bits = label_information(y, x, seed=seed)
        inside += bits.low <= channel.truth_bits <= bits.high
    assert inside >= 186


@pytest.mark.slow
@pytest.mark.parametrize("power", [0.05, 1.0, 6.0])
@pytest.mark.parametrize(("n", "dimensions", "labels"), [(500, 2, 10), (600, 64, 10), (2000, 30, 40)])
def test_coverage_of_gaussian_concepts(n, dimensions, labels, power):
    inside, law = 0, np.full(labels, 1 / labels)
    for seed in range(100):
        z, label, true = draws(n, dimensions, labels, power, 1000 + seed)
        bits = label_information(z, label, seed=seed)
        inside += bits.low - 0.002 <= true_bits(true, law) <= bits.high + 0.002
    assert inside >= 91


def test_a_known_prior_is_used():
    generator = np.random.default_rng(13)
    label = np.repeat([0, 1], [900, 100])
    z = 2.0 * label + generator.standard_normal(1000)
    bits = label_information(z, label, prior=[0.5, 0.5])
    assert bits.low <= BinaryInputGaussian(1.0).truth_bits <= bits.high and bits.trusted
    assert label_information(z, label).value < bits.value - 0.1


def test_a_label_that_never_occurred_withholds_the_point():
    z, label, _ = draws(600, 3, 2, 9.0, 14)
    bits = label_information(z, label, prior=[0.4, 0.4, 0.2])
    assert bits.value is None and "never occurred" in bits.why
    assert bits.low <= 0.8 and bits.high == pytest.approx(-2 * 0.4 * np.log2(0.4) - 0.2 * np.log2(0.2))


@pytest.mark.parametrize("noise", ["t4", "norm", "covariance"])
def test_noise_that_is_not_gaussian_withholds_the_point(noise):
    generator = np.random.default_rng(15)
    z, label, true = draws(2000, 128, 10, 4.0, 16)
    e = z - true[label]
    if noise == "t4":
        e /= np.sqrt(generator.chisquare(4, (2000, 1)) / 4)
    elif noise == "norm":
        e *= np.sqrt(128) / np.linalg.norm(e, axis=1, keepdims=True)
    else:
        e *= np.where((np.arange(128) + label[:, None]) % 10 == 0, 2.0, 1.0)
    bits = label_information(true[label] + e, label)
    assert bits.value is None and "not Gaussian" in bits.why
    assert 0 < bits.low < bits.high == pytest.approx(np.log2(10))


def test_too_few_rows_say_so():
    z, label, _ = draws(60, 8, 3, 2.0, 17)
    bits = label_information(z, label)
    assert bits.value is None and "n - K - d" in bits.why and bits.high == pytest.approx(np.log2(3))
    z, label, _ = draws(300, 400, 3, 2.0, 18)
    bits = label_information(z, label)
    assert bits.value is None and "PCA to 100 of 400" in bits.estimator and "variance" in bits.why
    assert label_information(z[:1], label[:1]).low is None


def test_pca_is_used_where_it_costs_nothing():
    z, label, true = draws(900, 6, 3, 2.0, 19)
    wide = z @ np.random.default_rng(20).standard_normal((6, 600))
    bits = label_information(wide, label)
    assert bits.trusted and "PCA to 6 of 600" in bits.estimator
    assert bits.value == pytest.approx(label_information(z, label).value, abs=0.02)
    assert bits.low <= true_bits(true, np.full(3, 1 / 3)) <= bits.high


def test_labels_that_differ_where_pca_does_not_look_withhold_the_point():
    """Forty factors make nearly all of the variance; the labels differ in the weakest direction of what is left."""
    generator = np.random.default_rng(21)
    label = np.arange(300) % 2
    factors = generator.standard_normal((300, 40))
    factors[:, 0] += 2 * label
    z = factors @ generator.standard_normal((40, 150)) + 0.3 * generator.standard_normal((300, 150))
    assert "left out" not in label_information(z, label).why
    weakest = np.linalg.svd(z - z.mean(0))[2][-1]
    z = z - np.outer(z @ weakest, weakest) + np.outer(0.3 * label + 0.05 * generator.standard_normal(300), weakest)
    bits = label_information(z, label)
    assert bits.value is None and "left out" in bits.why


def test_the_test_of_what_was_left_out_has_its_level_and_power():
    generator = np.random.default_rng(25)
    quiet, loud = [], []
    for _ in range(200):
        white = np.linalg.qr(generator.standard_normal((120, 30)))[0]
        white = (white - white.mean(0)) * np.sqrt(120)
        label = (white[:, 0] + generator.standard_normal(120) > 0).astype(int)
        quiet.append(left_out_p(white, 10, label, np.bincount(label)))
        label = (white[:, 0] + white[:, 20] + 0.5 * generator.standard_normal(120) > 0).astype(int)
        loud.append(left_out_p(white, 10, label, np.bincount(label)))
    assert 0.3 < np.mean(quiet) < 0.7 and np.mean(np.array(quiet) < 0.05) < 0.1
    assert np.mean(np.array(loud) < 0.01) > 0.8
    assert left_out_p(white, 30, label, np.bincount(label)) == 1.0


def test_perfect_separation_is_not_an_error():
    label = np.arange(300) % 3
    bits = label_information(np.eye(3)[label], label)
    assert bits.value is None and "singular" in bits.why and bits.low > 1.3 and bits.high == pytest.approx(np.log2(3))


def test_the_gate_is_a_permutation_test():
    """Moments and p of Pillai's trace against 3,000 real permutations."""
    generator = np.random.default_rng(22)
    z = generator.standard_t(3, (60, 3))
    z -= z.mean(0)
    label = np.repeat([0, 1, 2], [10, 20, 30])
    covariance = z.T @ z / 60
    white = np.linalg.solve(np.linalg.cholesky(covariance), z.T).T
    counts = np.bincount(label)
    drawn = np.array([pillai(white, generator.permutation(label), counts) for _ in range(3000)])
    squares = leverage_squares(z, covariance)
    for level in (0.5, 0.1, 0.02):
        trace = float(np.quantile(drawn, 1 - level))
        assert permutation_p(trace, 3, squares, counts) == pytest.approx(level, abs=0.35 * level + 0.005)


def test_the_entropy_limit_holds():
    generator = np.random.default_rng(23)
    for law in ([0.5, 0.5], [0.7, 0.2, 0.1], [0.25] * 4):
        truth = -np.asarray(law) @ np.log2(law)
        held = sum(entropy_high_bits(c[c > 0]) >= truth - 1e-12 for c in generator.multinomial(100, law, 400))
        assert held >= 385


def test_bad_input_is_named():
    z, label = np.random.default_rng(24).standard_normal((20, 2)), np.arange(20) % 2
    with pytest.raises(InputError, match="row 3, column 1"):
        label_information(np.where(np.arange(40).reshape(20, 2) == 7, np.nan, z), label)
    with pytest.raises(InputError, match="20 and 19 rows"):
        label_information(z, label[:-1])
    with pytest.raises(InputError, match="constant"):
        label_information(np.ones((20, 2)), label)
    with pytest.raises(InputError, match="probability 0"):
        label_information(z, label, prior=[1.0, 0.0])
    with pytest.raises(InputError, match="3 probabilities for 2"):
        label_information(z, label + 5, prior=[0.2, 0.3, 0.5])
    with pytest.raises(InputError, match="not numbers"):
        label_information([["a", "b"]] * 20, label)
    with pytest.raises(InputError, match="label, row 0"):
        label_information(z, np.full(20, np.nan))
    assert "one label" in label_information(z, np.zeros(20)).why
