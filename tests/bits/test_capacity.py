"""Capacity: closed forms, a plain Blahut-Arimoto as twin, certificates, and intervals that hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.capacity import capacity, channel_capacity
from hartley.bits.known import Channel, binary_erasure, binary_symmetric, noisy_typewriter, symmetric, z_channel
from hartley.errors import InputError


def slow_capacity(matrix, steps=3000):
    """Blahut-Arimoto as in the textbook, no acceleration, by loops."""
    inputs, outcomes = matrix.shape
    law = [1 / inputs] * inputs
    for _ in range(steps):
        out = [sum(law[x] * matrix[x, y] for x in range(inputs)) for y in range(outcomes)]
        d = [sum(matrix[x, y] * np.log2(matrix[x, y] / out[y]) for y in range(outcomes) if matrix[x, y] > 0) for x in range(inputs)]
        law = [law[x] * 2 ** d[x] for x in range(inputs)]
        law = [p / sum(law) for p in law]
    return sum(law[x] * d[x] for x in range(inputs))


@pytest.mark.parametrize(
    "channel",
    [
        *(binary_symmetric(e) for e in (0.0, 0.01, 0.11, 0.4, 0.5)),
        *(z_channel(f) for f in (0.01, 0.3, 0.5, 0.9, 0.99)),
        *(binary_erasure(e) for e in (0.0, 0.3, 0.99)),
        *(symmetric(k, e) for k in (3, 10, 100) for e in (0.05, 0.5)),
        noisy_typewriter(7),
        noisy_typewriter(26),
    ],
    ids=lambda channel: channel.name,
)
def test_closed_forms_to_the_certificate(channel):
    value, gap, law = channel_capacity(channel.matrix)
    assert 0 <= gap <= 1e-9
    assert value <= channel.capacity_bits + 1e-12 and value + gap >= channel.capacity_bits - 1e-12
    assert law.sum() == pytest.approx(1) and (law >= 0).all()
    assert channel.information_bits(law) == pytest.approx(value, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 10_000))
def test_agrees_with_the_plain_algorithm(inputs, outcomes, seed):
    matrix = np.random.default_rng(seed).dirichlet(np.ones(outcomes), inputs)
    value, gap, _ = channel_capacity(matrix)
    # the plain one converges from below, like 1/steps
    assert slow_capacity(matrix, 400) <= value + gap + 1e-9
    assert value == pytest.approx(slow_capacity(matrix, 400), abs=5e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 8), st.integers(2, 8), st.integers(0, 10_000), st.sampled_from([0.05, 0.3, 1.0, 10.0]))
def test_properties_of_capacity(inputs, outcomes, seed, spread):
    generator = np.random.default_rng(seed)
    matrix = generator.dirichlet(np.full(outcomes, spread), inputs)
    value, gap, law = channel_capacity(matrix)
    assert gap <= 1e-9 and 0 <= value <= np.log2(min(inputs, outcomes)) + 1e-9
    # any input law carries at most the capacity
    other = generator.dirichlet(np.ones(inputs))
    assert Channel("", matrix, 0.0, law).information_bits(other) <= value + gap + 1e-12
    # relabeling changes nothing, a copy of an input adds nothing, processing the outcome takes away
    order, columns = generator.permutation(inputs), generator.permutation(outcomes)
    assert channel_capacity(matrix[order][:, columns])[0] == pytest.approx(value, abs=2e-9)
    assert channel_capacity(np.vstack([matrix, matrix[:1]]))[0] == pytest.approx(value, abs=2e-9)
    processed = matrix @ generator.dirichlet(np.ones(3), outcomes)
    assert channel_capacity(processed)[0] <= value + 2e-9


def test_two_channels_side_by_side_add_up():
    first, second = z_channel(0.3), binary_symmetric(0.1)
    both = np.kron(first.matrix, second.matrix)
    assert channel_capacity(both)[0] == pytest.approx(first.capacity_bits + second.capacity_bits, abs=1e-8)


def test_a_large_channel_is_certified():
    matrix = np.random.default_rng(0).dirichlet(np.full(200, 0.5), 200)
    value, gap, _ = channel_capacity(matrix)
    assert gap <= 1e-9 and 0 < value < np.log2(200)


def test_a_certificate_out_of_reach_is_an_error():
    with pytest.raises(ArithmeticError, match="gap"):
        channel_capacity(np.random.default_rng(0).dirichlet(np.ones(20), 20), max_steps=3)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], "row 1"),
        ([[1.5, -0.5], [0.5, 0.5]], "row 0"),
        ([[np.nan, 1.0]], "row 0"),
        ([0.5, 0.5], "shape (2,)"),
    ],
)
def test_what_is_no_channel_is_refused(matrix, words):
    assert channel_capacity([[0.5, 0.5], [0.5, 0.5]])[0] == 0.0
    with pytest.raises(InputError) as caught:
        channel_capacity(matrix)
    assert words in str(caught.value)


def missed(channel, per_input, repeats, seed):
    generator = np.random.default_rng(seed)
    outside = alarms = 0
    for _ in range(repeats):
        found = capacity(channel.balanced(per_input * channel.inputs, generator), permutations=499)
        outside += not found.low - 1e-9 <= channel.capacity_bits <= found.high + 1e-9
        alarms += found.low > 0
    return outside / repeats, alarms / repeats


COVERED = [binary_symmetric(0.0), binary_symmetric(0.05), binary_symmetric(0.5), z_channel(0.5), binary_erasure(0.3)]
COVERED += [symmetric(10, 0.05), symmetric(10, 0.3), symmetric(10, 0.9), noisy_typewriter(10)]


@pytest.mark.parametrize("channel", COVERED, ids=lambda channel: channel.name)
def test_the_interval_covers(channel):
    share, alarms = missed(channel, 30, 40, 3)
    assert share <= 7 / 40
    if channel.capacity_bits < 1e-9:
        assert alarms <= 4 / 40


@pytest.mark.slow
@pytest.mark.parametrize("channel", [*COVERED, symmetric(30, 0.1), symmetric(30, 29 / 30)], ids=lambda channel: channel.name)
@pytest.mark.parametrize("per_input", [10, 30, 100, 300])
def test_the_interval_covers_at_length(channel, per_input):
    share, alarms = missed(channel, per_input, 200, 4)
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    if channel.capacity_bits < 1e-9:
        assert alarms <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 200)


def test_a_measured_channel():
    found = capacity(z_channel(0.5).balanced(2000, np.random.default_rng(1)))
    assert found.trusted and found.low < found.value < found.high
    assert found.value == pytest.approx(np.log2(5 / 4), abs=0.05)
    assert found.checks["duality_gap_bits"] <= 1e-9


def test_no_channel_and_too_few_trials_are_said():
    nothing = capacity(symmetric(5, 0.8).balanced(100, np.random.default_rng(0)))
    assert nothing.value is None and nothing.low == 0 and "no channel detected" in nothing.why
    few = capacity(np.diag([8, 8, 8]))
    assert few.value is None and "an input has 8" in few.why and few.low < np.log2(3) <= few.high + 1e-12
    one = capacity([[5, 5], [0, 0]])
    assert one.low is None and "fewer than two" in one.why
