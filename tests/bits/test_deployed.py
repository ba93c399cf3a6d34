"""Deployed information: what the head delivers, what it costs when it misleads."""

import numpy as np
import pytest

from hartley.bits.deployed import deployed_information, mean_bits, misinformation
from hartley.bits.known import symmetric
from hartley.errors import InputError


def head(channel, error_believed, n, seed, flip=0):
    """log2 q of a head that believes in symmetric(K, error_believed), on a channel whose outcome is shifted by `flip`."""
    k = channel.inputs
    generator = np.random.default_rng(seed)
    x = generator.integers(0, k, n)
    y = np.array([generator.choice(k, p=channel.matrix[i]) for i in x])
    belief = symmetric(k, error_believed).matrix
    return np.log2(belief[x, (y + flip) % k])


def test_an_honest_head_delivers_all_there_is():
    channel = symmetric(10, 0.2)
    found = deployed_information(head(channel, 0.2, 4000, 0), -np.log2(10))
    assert found.low <= channel.capacity_bits <= found.high
    assert found.value == pytest.approx(channel.capacity_bits, abs=0.1)
    assert found.trusted and found.kind == "deployed_bits"


def test_a_flipped_label_keeps_the_information_and_misleads():
    """I(X; Y) is still 1 bit of 1; the deployed head, sure at 1%, delivers 1 + log2 0.01."""
    channel = symmetric(2, 0.0001)
    found = deployed_information(head(channel, 0.01, 400, 1, flip=1), -1.0)
    assert found.value == pytest.approx(1 + np.log2(0.01), abs=0.01)
    assert misinformation(head(channel, 0.01, 400, 1, flip=1), -1.0).value == pytest.approx(-found.value)


def test_the_mean_equals_its_slow_twin():
    q, prior = np.array([-0.5, -3.0, -0.1, -9.0]), np.array([-1.0, -2.0, -2.0, -1.0])
    gains = [q[i] - prior[i] for i in range(4)]
    assert deployed_information(q, prior).value == pytest.approx(sum(gains) / 4)
    assert misinformation(q, prior).value == pytest.approx(sum(-g for g in gains if g < 0) / 4)


def test_a_perfect_head_has_no_width_and_no_misinformation():
    found = deployed_information(np.zeros(100), np.full(100, -2.0))
    assert (found.low, found.value, found.high) == (2.0, 2.0, 2.0)
    assert misinformation(np.zeros(100), np.full(100, -2.0)).value == 0


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_the_interval_covers_rare_failures(share):
    """One trial in a hundred costs 15 bits: the t interval alone would miss the truth in a third of the tables."""
    generator = np.random.default_rng(4)
    truth = 3.0 - 15 * share
    outside = 0
    for _ in range(200):
        q = np.where(generator.random(200) < share, -15.0, 0.0)
        found = deployed_information(q, -3.0)
        # a table that never saw a failure cannot know: counted apart
        outside += q.min() < 0 and not found.low - 1e-9 <= truth <= found.high + 1e-9
    assert outside / 200 <= 0.08


def test_coverage_of_a_soft_head():
    generator = np.random.default_rng(5)
    outside = 0
    for _ in range(300):
        q = -generator.exponential(1.0, 150)
        found = deployed_information(q, -2.0)
        outside += not found.low <= 1.0 <= found.high
    assert outside / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize(
    ("q", "prior", "words"),
    [
        ([-1.0, np.nan], -1.0, "column log2_q, row 1: got nan"),
        ([-1.0, 0.5], -1.0, "column log2_q, row 1: got 0.5"),
        ([-1.0, -1.0], [-1.0, -np.inf], "column log2_prior, row 1"),
        ([-1.0, -1.0], [-1.0], "column log2_prior: shape (1,)"),
        ([[-1.0]], -1.0, "column log2_q: shape (1, 1)"),
    ],
)
def test_wrong_columns_are_refused(q, prior, words):
    assert deployed_information([-1.0, -0.5], -1.0).value == pytest.approx(0.25)
    with pytest.raises(InputError) as caught:
        deployed_information(q, prior)
    assert words in str(caught.value)


def test_too_few_to_say():
    assert deployed_information([], -1.0).low is None
    one = deployed_information([-0.5], -1.0)
    assert one.value == 0.5 and not one.trusted and one.low is None


@pytest.mark.parametrize("sizes", [np.r_[600, np.full(19, 5)], 2 ** np.arange(1, 9), np.full(20, 10)])
def test_a_mean_over_clusters_is_covered_whatever_their_sizes(sizes):
    """With one cluster of 600 beside nineteen of 5 limits by plain totals held in 16%."""
    cluster, held = np.repeat(np.arange(len(sizes)), sizes), 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        common, own = generator.standard_normal(len(sizes))[cluster], generator.standard_normal(len(cluster))
        bits = mean_bits(np.sqrt(0.2) * common + np.sqrt(0.8) * own, "information_bits", "mean", cluster=cluster)
        assert bits.low <= bits.value <= bits.high
        held += bits.low <= 0 <= bits.high
    assert held >= 184
