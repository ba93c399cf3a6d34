"""Many capacities at once: closed forms, a grid over input laws as twin, agreement one by one, certificates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.capacities import channel_capacities
from hartley.bits.capacity import channel_capacity
from hartley.bits.counted.interior_point import divergences
from hartley.bits.known import binary_symmetric, noisy_typewriter, symmetric, z_channel
from hartley.bits.tables import information_of_law
from hartley.errors import InputError


def slow_capacity(matrix, points=2001):
    """Two inputs: the best of a grid of input laws."""
    return max(information_of_law(np.array([[p], [1 - p]]) * matrix) for p in np.linspace(0, 1, points))


def test_two_inputs_equal_the_best_of_a_grid():
    channels = np.random.default_rng(0).dirichlet(np.ones(3), (10, 2))
    values, gaps = channel_capacities(channels, 1e-9)
    assert (gaps <= 1e-9).all()
    for value, channel in zip(values, channels, strict=True):
        assert value == pytest.approx(slow_capacity(channel), abs=1e-6)


def test_closed_forms():
    known = [binary_symmetric(e) for e in (0.0, 0.11, 0.5)] + [z_channel(f) for f in (0.01, 0.5, 0.99)]
    values, gaps = channel_capacities(np.stack([channel.matrix for channel in known]), 1e-9)
    truth = np.array([channel.capacity_bits for channel in known])
    assert (values <= truth + 1e-12).all() and (values + gaps >= truth - 1e-12).all()
    for channel in (symmetric(10, 0.3), noisy_typewriter(9)):
        assert channel_capacities(channel.matrix[None], 1e-9)[0][0] == pytest.approx(channel.capacity_bits, abs=1e-9)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000), st.sampled_from([0.05, 0.3, 1.0, 10.0]))
def test_agrees_with_one_by_one(inputs, outcomes, seed, spread):
    channels = np.random.default_rng(seed).dirichlet(np.full(outcomes, spread), (4, inputs))
    values, gaps = channel_capacities(channels)
    assert (gaps <= 1e-6).all() and (gaps >= 0).all()
    for value, gap, channel in zip(values, gaps, channels, strict=True):
        alone, rest, _ = channel_capacity(channel)
        assert value <= alone + rest + 1e-12 and alone <= value + gap + 1e-12


def test_copies_and_inputs_not_worth_using_are_no_obstacle():
    rows = np.random.default_rng(3).dirichlet(np.ones(5), 4)
    copies = np.stack([np.vstack([rows, rows]), np.vstack([rows, np.tile(rows.mean(0), (4, 1))])])
    values, gaps = channel_capacities(copies, 1e-9)
    assert (gaps <= 1e-9).all()
    assert values == pytest.approx(channel_capacity(rows)[0], abs=2e-9)


def test_blocks_change_nothing():
    channels = np.random.default_rng(1).dirichlet(np.ones(200), (60, 200))
    few = channel_capacities(channels[[0, 59]])
    many = channel_capacities(channels)
    assert many[0][[0, 59]] == pytest.approx(few[0], abs=1e-12) and many[1].max() <= 1e-6


def test_divergences_equal_their_slow_twin():
    generator = np.random.default_rng(2)
    channels, laws = generator.dirichlet(np.ones(3), (2, 4)), generator.dirichlet(np.ones(4), 2)
    negative = (channels * np.log2(channels)).sum(2)
    for m in range(2):
        out = [sum(laws[m, x] * channels[m, x, y] for x in range(4)) for y in range(3)]
        for x in range(4):
            slow = sum(channels[m, x, y] * np.log2(channels[m, x, y] / out[y]) for y in range(3))
            assert divergences(channels, negative, laws)[m, x] == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ([[[0.5, 0.5], [0.5, 0.6]]], "channel 0, row 1"),
        ([[[0.5, 0.5]], [[np.nan, 1.0]]], "channel 1, row 0"),
        ([[0.5, 0.5]], "shape (1, 2)"),
        ([[["a", "b"]]], "not an array of numbers"),
        (np.zeros((0, 2, 2)), "shape (0, 2, 2)"),
    ],
)
def test_what_are_no_channels_is_refused(channels, words):
    assert channel_capacities([[[0.5, 0.5], [0.5, 0.5]]])[0][0] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(InputError) as caught:
        channel_capacities(channels)
    assert words in str(caught.value) and "\n" not in str(caught.value)
