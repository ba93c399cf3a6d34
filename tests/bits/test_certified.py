"""The certified lower limit: it holds on channels with a known answer, and it comes near where the decoder can."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.certified import FITS, certified_information
from hartley.bits.embeddings.posteriors import canonical, discriminant, label_means, logistic, neighbors, softmax, tempered
from hartley.bits.embeddings.scores import clipped_scores_bits, score_low_bits
from hartley.bits.known import BinaryInputGaussian, binary_erasure, binary_symmetric, symmetric, z_channel
from hartley.errors import InputError

COIN = np.full(2, 0.5)


def embedded(channel, n, generator):
    """(one-hot outcomes (n, outcomes), inputs (n,)) of a discrete channel, inputs in turn."""
    x = np.arange(n) % channel.inputs
    y = (generator.random(n)[:, None] > np.cumsum(channel.matrix[x], axis=1)).sum(1)
    return np.eye(channel.matrix.shape[1])[y], x


@pytest.mark.parametrize("amplitude", [0.3, 1.0, 4.0])
def test_the_limit_holds_for_binary_input_awgn(amplitude):
    channel, generator = BinaryInputGaussian(amplitude), np.random.default_rng(0)
    lows = []
    for seed in range(25):
        x, y = channel.sample(200, generator)
        lows.append(certified_information(y, x, prior=COIN, seed=seed).low)
    assert sum(low > channel.truth_bits for low in lows) <= 2
    assert np.mean(lows) > channel.truth_bits - 0.25


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 200, 1000])
def test_coverage_of_the_limit(n):
    generator = np.random.default_rng(1)
    for channel in (
        binary_symmetric(0.01),
        binary_symmetric(0.001),
        binary_erasure(0.3),
        symmetric(10, 0.005),
        symmetric(10, 0.05),
        z_channel(0.02),
    ):
        truth, failed = channel.information_bits(channel.uniform), 0
        for seed in range(200):
            z, x = embedded(channel, n, generator)
            failed += certified_information(z, x, prior=channel.uniform, seed=seed).low > truth
        assert failed <= 10
    for amplitude in (0.3, 1.0, 2.5, 4.0):
        channel, failed = BinaryInputGaussian(amplitude), 0
        for seed in range(200):
            x, y = channel.sample(n, generator)
            failed += certified_information(y, x, prior=COIN, seed=seed).low > channel.truth_bits
        assert failed <= 10


def test_no_information_gives_no_limit():
    generator = np.random.default_rng(2)
    for seed in range(6):
        bits = certified_information(generator.standard_normal((120, 5)), np.arange(120) % 3, seed=seed)
        assert bits.low < 0.02 and bits.high == pytest.approx(np.log2(3)) and bits.value is None


def test_rings_need_neighbors():
    """Two rings have the same mean: only a decoder that is not linear reads them."""
    generator = np.random.default_rng(3)
    label = np.arange(600) % 2
    angle, radius = generator.uniform(0, 2 * np.pi, 600), 1 + label + 0.1 * generator.standard_normal(600)
    bits = certified_information(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1), label)
    assert bits.low > 0.85 and "neighbors" in bits.estimator


def test_a_perfect_decoder_is_not_certified_beyond_what_its_rows_can_say():
    label = np.arange(300) % 3
    bits = certified_information(np.eye(3)[label], label)
    assert 1.35 < bits.low < np.log2(3) - 0.03


def test_a_known_prior_and_a_missing_label():
    generator = np.random.default_rng(4)
    label = np.repeat([0, 1], [300, 60])
    z = 6.0 * label + generator.standard_normal(360)
    whole = certified_information(z, label, prior=COIN)
    assert 0.7 < whole.low <= 1.0 == whole.high
    part = certified_information(z, label, prior=[0.4, 0.4, 0.2])
    assert part.low == pytest.approx(0.8 * whole.low, abs=1e-9) and part.high == pytest.approx(1.5219, abs=1e-3)


def test_more_dimensions_than_rows():
    generator = np.random.default_rng(5)
    label = np.arange(120) % 3
    z = generator.standard_normal((120, 400)) + 8 * generator.standard_normal((3, 400))[label] / np.sqrt(40)
    assert certified_information(z, label).low > 0.8


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_scale_shift_and_names_change_nothing(seed):
    generator = np.random.default_rng(seed)
    label = np.arange(80) % 2
    z = generator.standard_normal((80, 2)) + label[:, None]
    before = certified_information(z, label, seed=1)
    after = certified_information(z * [4.0, 0.5] + 8, np.array(["b", "d"])[label], seed=1)
    assert after.low == pytest.approx(before.low, abs=1e-6)


def test_the_limit_of_a_mean_holds_without_variance():
    """1,000 draws of 100 scores, bad with probability 2%: most draws of few bad ones must still not overstate the mean."""
    generator = np.random.default_rng(6)
    good, bad, weight = 1.0, -5.0, np.full(100, 0.01)
    for rate in (0.005, 0.02, 0.1):
        truth = good + rate * (bad - good)
        failed = sum(score_low_bits(np.where(generator.random(100) < rate, bad, good), weight, bad) > truth for _ in range(1000))
        assert failed <= 38
    assert score_low_bits(np.full(100, good), weight, bad) == pytest.approx(good - 6 * (1 - 0.025 ** (1 / 100)))
    assert score_low_bits(np.full(100, -1.0), weight, bad) == 0.0


def test_clipping_bounds_the_price_of_a_mistake():
    scores = clipped_scores_bits(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]), COIN, 0.01)
    assert scores == pytest.approx([np.log2(0.99 * 2 + 0.01), np.log2(0.01)])


def test_the_discriminant_equals_its_slow_twin():
    generator = np.random.default_rng(7)
    z, label, law = generator.standard_normal((30, 3)), np.arange(30) % 2, np.array([0.3, 0.7])
    means = np.stack([z[label == k].mean(0) for k in range(2)])
    scatter = sum(np.outer(row - means[k], row - means[k]) for row, k in zip(z, label, strict=True)) / 30
    shrunk = 0.8 * scatter + 0.2 * np.trace(scatter) / 3 * np.eye(3)
    expected = [[np.log(law[k]) - (row - means[k]) @ np.linalg.inv(shrunk) @ (row - means[k]) / 2 for k in range(2)] for row in z]
    got = discriminant(0.2)(z, label, law)(z)
    assert np.allclose(softmax(got)[0], softmax(np.array(expected))[0], atol=1e-9)


def test_the_discriminant_is_the_same_by_either_matrix():
    generator = np.random.default_rng(8)
    z, label = generator.standard_normal((12, 12)), np.arange(12) % 3
    law = np.full(3, 1 / 3)
    narrow = discriminant(0.3)(z, label, law)(z)
    wide = discriminant(0.3)(np.hstack([z, np.zeros((12, 3))]), label, law)(np.hstack([z, np.zeros((12, 3))]))
    residual = z - label_means(z, label, np.bincount(label))[label]
    scale = (residual**2).sum() / 12
    assert narrow.shape == wide.shape == (12, 3)
    ridge = 0.3 * scale / 15
    slow = np.linalg.inv(0.7 * residual.T @ residual / 12 + ridge * np.eye(12))
    means = label_means(z, label, np.bincount(label))
    assert np.allclose(wide, z @ slow @ means.T + np.log(law) - np.einsum("kd,de,ke->k", means, slow, means) / 2, atol=1e-7)


def test_logistic_regression_finds_the_stationary_point():
    generator = np.random.default_rng(9)
    z, label = generator.standard_normal((200, 2)), (generator.random(200) < 0.4).astype(int)
    fitted = logistic(0.1)(z, label, COIN)
    posterior = softmax(fitted(z))[0]
    residual = posterior - np.eye(2)[label]
    weights = np.stack([fitted(np.eye(2)[[i]])[0] - fitted(np.zeros((1, 2)))[0] for i in range(2)])
    assert np.allclose(z.T @ residual / 200 + 0.1 * weights, 0, atol=1e-3) and np.allclose(residual.mean(0), 0, atol=1e-3)


def test_neighbors_count_the_nearest_rows():
    generator = np.random.default_rng(10)
    z, label = generator.standard_normal((49, 2)), np.arange(49) % 2
    got = neighbors(False)(z, label, COIN)(z[:5] + 0.01)
    for row, logit in zip(z[:5] + 0.01, got, strict=True):
        near = np.argsort(((z - row) ** 2).sum(1))[:7]
        assert np.allclose(np.exp(logit), np.bincount(label[near], minlength=2) + COIN)


def test_temperature_softens_a_decoder_that_is_too_sure():
    generator = np.random.default_rng(11)
    label = generator.integers(0, 2, 500)
    right = np.where(generator.random(500) < 0.75, label, 1 - label)
    logit = np.where(np.eye(2)[right] > 0, 8.0, 0.0)
    temperature, share, loss = tempered(logit, label, COIN, np.full(500, 1 / 500))
    assert (temperature > 4 or share > 0.2) and loss < 0.87


@pytest.mark.parametrize("name", [name for name, _ in FITS])
def test_every_decoder_reads_an_easy_channel(name):
    generator = np.random.default_rng(12)
    label = np.arange(200) % 2
    z = generator.standard_normal((200, 3)) + 4 * label[:, None]
    posterior = softmax(dict(FITS)[name](z[:100], label[:100], COIN)(z[100:]))[0]
    assert (posterior.argmax(1) == label[100:]).mean() > 0.95


def test_canonical_directions_need_rows():
    z = np.random.default_rng(13).standard_normal((20, 30))
    assert np.allclose(canonical(z, np.arange(20) % 2, COIN)(z), np.log(0.5))


def test_bad_input_and_too_few_rows():
    with pytest.raises(InputError, match="4 and 3 rows"):
        certified_information(np.arange(4.0), [0, 1, 0])
    few = certified_information(np.arange(4.0), [0, 1, 0, 1])
    assert few.low is None and "8 rows" in few.why


@pytest.mark.slow
def test_more_rows_than_are_needed():
    generator = np.random.default_rng(14)
    label = np.arange(41_000) % 2
    bits = certified_information(2.0 * label + generator.standard_normal(41_000), label)
    assert bits.n < 20_000 < bits.checks["rows_given"] == 41_000
    assert 0.44 < bits.low < BinaryInputGaussian(1.0).truth_bits
