"""Contraction: all sets of outcomes as twin, strong data processing itself, coverage, and what is withheld."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.contraction import Contraction, chain_bound, contraction, dobrushin
from hartley.bits.known import binary_symmetric, symmetric, z_channel
from hartley.bits.tables import entropy_bits, information_of_law
from hartley.errors import InputError


def slow_dobrushin(channel):
    """The largest difference over all pairs of inputs and all sets of outcomes."""
    best = 0.0
    for x, other in itertools.permutations(range(len(channel)), 2):
        for size in range(channel.shape[1] + 1):
            for inside in itertools.combinations(range(channel.shape[1]), size):
                best = max(best, sum(channel[x, y] - channel[other, y] for y in inside))
    return best


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(2, 4), st.integers(2, 5), st.integers(0, 10_000))
def test_equals_all_sets_of_outcomes(inputs, outcomes, seed):
    channel = np.random.default_rng(seed).dirichlet(np.full(outcomes, 0.5), inputs)
    assert dobrushin(channel) == pytest.approx(slow_dobrushin(channel), abs=1e-12)


def test_known_channels():
    assert dobrushin(binary_symmetric(0.1).matrix) == pytest.approx(0.8)
    assert dobrushin(z_channel(0.3).matrix) == pytest.approx(0.7)
    assert dobrushin(symmetric(10, 0.3).matrix) == pytest.approx(1 - 0.3 * 10 / 9)
    assert dobrushin(np.eye(3)) == 1.0 and dobrushin(np.full((4, 2), 0.5)) == 0.0


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_strong_data_processing_and_chains(seed):
    generator = np.random.default_rng(seed)
    joint = generator.dirichlet(np.ones(9)).reshape(3, 3)
    edges = [generator.dirichlet(np.ones(3), 3) for _ in range(3)]
    etas = [dobrushin(edge) for edge in edges]
    far = joint
    for edge in edges:
        near, far = far, far @ edge
        assert information_of_law(far) <= dobrushin(edge) * information_of_law(near) + 1e-12
    assert information_of_law(far) <= chain_bound(etas, entropy_bits(joint.sum(1))) + 1e-12
    assert dobrushin(edges[0] @ edges[1]) <= etas[0] * etas[1] + 1e-12


CHANNELS = [
    binary_symmetric(0.0),
    binary_symmetric(0.1),
    binary_symmetric(0.45),
    binary_symmetric(0.5),
    z_channel(0.02),
    symmetric(10, 0.1),
    symmetric(10, 0.9),
]


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@pytest.mark.parametrize("per_input", [15, 100])
def test_intervals_cover(channel, per_input):
    truth, generator = dobrushin(channel.matrix), np.random.default_rng(1)
    found = [contraction(channel.balanced(per_input * channel.inputs, generator), permutations=199) for _ in range(60)]
    assert sum(not one.low - 1e-12 <= truth <= one.high + 1e-12 for one in found) <= 5  # 7 of 60 at 5% once in 50
    assert truth > 1e-9 or sum(one.value is not None for one in found) <= 3


def test_the_plug_in_is_biased_up_and_the_point_less_so():
    channel = symmetric(10, 0.5)
    truth, tables = dobrushin(channel.matrix), [channel.balanced(1000, np.random.default_rng(seed)) for seed in range(30)]
    plug_in = np.mean([dobrushin(table / table.sum(1, keepdims=True)) for table in tables])
    points = np.mean([contraction(table, permutations=199).value for table in tables])
    assert plug_in - truth > 0.05 and abs(points - truth) < plug_in - truth


def test_what_cannot_be_said_is_not_said():
    none = contraction([[50, 50], [0, 0]])
    assert none.value is None and none.high == 1 and "fewer than two" in none.why
    untried = contraction([[50, 0], [0, 50], [0, 0]])
    assert untried.high == 1 and untried.low > 0.75
    few = contraction([[9, 0], [0, 9]])
    assert few.value is None and "too few trials" in few.why and "[low" in str(few)
    silent = contraction([[50, 50], [52, 48]])
    assert silent.value is None and silent.low == 0 and "no channel detected" in silent.why and silent.high < 0.3


def test_relabeling_changes_the_limit_from_above_in_nothing():
    counts = np.array([[40, 10, 5], [10, 40, 5], [20, 20, 15]])
    one, other = contraction(counts), contraction(counts[[2, 0, 1]][:, [1, 2, 0]])
    assert one.high == pytest.approx(other.high, abs=1e-12)


def test_chains_take_the_upper_limit_and_refuse_nonsense():
    edge = Contraction(0.5, 0.4, 0.6, 100)
    assert chain_bound([edge, 0.5], 3.0) == pytest.approx(0.9)
    assert chain_bound([], 3.0) == 3.0
    for etas, bits in (([1.5], 1.0), ([0.5], -1.0), ([0.5], float("nan"))):
        with pytest.raises(InputError):
            chain_bound(etas, bits)
    with pytest.raises(ValueError, match="low <= value"):
        Contraction(0.5, 0.6, 0.7, 10)
    with pytest.raises(InputError, match="row 0"):
        dobrushin([[0.5, 0.6]])
