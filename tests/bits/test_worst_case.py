"""Worst case: grids over mixes, laws and jammers as twins, known channels, certificates, and limits from counts that hold."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.capacity import channel_capacity
from hartley.bits.known import binary_symmetric, symmetric, z_channel
from hartley.bits.tables import information_of_law
from hartley.bits.worst_case import symmetrizable, worst_case, worst_case_capacity
from hartley.errors import InputError

FLIP = np.array([np.eye(2), np.eye(2)[::-1]])
ADDER = np.zeros((2, 2, 3))
for state in (0, 1):
    for symbol in (0, 1):
        ADDER[state, symbol, symbol + state] = 1.0


def random_channels(seed, states, inputs, outcomes, spread=0.5):
    return np.random.default_rng(seed).dirichlet(np.full(outcomes, spread), (states, inputs))


def slow_worst_case(channels, points=101):
    """Two states and two inputs: the largest over input laws of the smallest over mixes, on a grid of both."""
    best = 0.0
    for p in np.linspace(0, 1, points):
        law = np.array([p, 1 - p])
        worst = min(information_of_law(law[:, None] * (q * channels[0] + (1 - q) * channels[1])) for q in np.linspace(0, 1, points))
        best = max(best, worst)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_grid_over_laws_and_mixes(seed):
    channels = random_channels(seed, 2, 2, 3)
    found = worst_case_capacity(channels)
    assert found.random_code_bits == pytest.approx(slow_worst_case(channels), abs=2e-3)


def slow_symmetrizable(channels, points=201):
    """Two states and two inputs: the smallest largest violation on a grid of U(0|x), U(0|x')."""
    grid = np.linspace(0, 1, points)
    best = np.inf
    for u in grid:
        for v in grid:
            one = v * channels[0][0] + (1 - v) * channels[1][0]
            other = u * channels[0][1] + (1 - u) * channels[1][1]
            best = min(best, np.abs(one - other).max())
    return best


@pytest.mark.parametrize("seed", range(4))
def test_defect_equals_a_grid_over_jammers(seed):
    channels = random_channels(seed, 2, 2, 2, 0.4)
    found, slow = symmetrizable(channels), slow_symmetrizable(channels)
    assert found.defect <= slow + 1e-9 and found.defect == pytest.approx(slow, abs=0.01)
    assert found.at_least == pytest.approx(found.defect, abs=1e-7)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 4), st.integers(2, 4), st.integers(2, 4), st.integers(0, 1000))
def test_the_jammer_and_both_bounds_are_what_they_claim(states, inputs, outcomes, seed):
    channels = random_channels(seed, states, inputs, outcomes)
    verdict = symmetrizable(channels)
    assert (verdict.jammer >= 0).all() and verdict.jammer.sum(1) == pytest.approx(np.ones(inputs))
    worst = 0.0
    for x in range(inputs):
        for other in range(inputs):
            for y in range(outcomes):
                left = sum(channels[s, x, y] * verdict.jammer[other, s] for s in range(states))
                right = sum(channels[s, other, y] * verdict.jammer[x, s] for s in range(states))
                worst = max(worst, abs(left - right))
    assert worst == pytest.approx(verdict.defect, abs=1e-9)
    assert verdict.at_least <= verdict.defect + 1e-9
    found = worst_case_capacity(channels)
    mixed = np.einsum("s,sxy->xy", found.mix, channels)
    assert channel_capacity(mixed)[0] == pytest.approx(found.random_code_bits, abs=1e-7)
    assert 0 <= found.gap_bits <= 1e-6
    # the law returned is good against every single state, and no state alone is worse than the worst mix
    for one in channels:
        assert channel_capacity(one)[0] >= found.random_code_bits - 1e-7


def test_known_channels():
    nested = worst_case_capacity([binary_symmetric(0.1).matrix, binary_symmetric(0.2).matrix])
    assert nested.random_code_bits == pytest.approx(binary_symmetric(0.2).capacity_bits, abs=1e-6)
    assert nested.deterministic_code_bits == nested.random_code_bits
    # a flip at the attacker's will: half and half is pure noise
    flip = worst_case_capacity(FLIP)
    assert flip.random_code_bits == pytest.approx(0, abs=1e-6) and flip.symmetrizability.symmetrizable
    # y = x + s: Blackwell, Breiman and Thomasian's example, 1/2 bit with a random code and nothing with a fixed one
    adder = worst_case_capacity(ADDER)
    assert adder.random_code_bits == pytest.approx(0.5, abs=1e-6) and adder.deterministic_code_bits == 0.0
    assert adder.symmetrizability.defect <= 1e-9 and "0.500 bits with a random code, 0.000 bits with a fixed one" in str(adder)
    one = worst_case_capacity([z_channel(0.3).matrix])
    assert one.random_code_bits == pytest.approx(z_channel(0.3).capacity_bits, abs=1e-6)


def test_more_attacks_never_help_and_processing_never_adds():
    channels = random_channels(3, 4, 3, 4)
    values = [worst_case_capacity(channels[:s]).random_code_bits for s in (1, 2, 3, 4)]
    assert all(later <= earlier + 1e-6 for earlier, later in itertools.pairwise(values))
    worn = channels @ np.random.default_rng(0).dirichlet(np.ones(3), 4)
    assert worst_case_capacity(worn).random_code_bits <= values[-1] + 1e-6
    order = np.random.default_rng(1).permutation(4)
    assert worst_case_capacity(channels[order]).random_code_bits == pytest.approx(values[-1], abs=2e-6)


def drawn(channels, per_row, seed):
    generator = np.random.default_rng(seed)
    return np.stack([generator.multinomial(per_row, one) for one in channels])


SETS = {
    "mild and strong": np.array([symmetric(4, 0.1).matrix, symmetric(4, 0.3).matrix]),
    "adder": ADDER,
    "random": random_channels(0, 3, 3, 4, 0.3),
    "flip": FLIP,
}


def missed(name, per_row, repeats):
    """How many intervals miss, and the points that were given."""
    truth = worst_case_capacity(SETS[name]).random_code_bits
    found = [worst_case(drawn(SETS[name], per_row, seed), seed=seed) for seed in range(repeats)]
    points = [one.value for one in found if one.value is not None]
    return sum(not one.low - 1e-6 <= truth <= one.high + 1e-6 for one in found), points, truth


@pytest.mark.parametrize("name", SETS)
def test_limits_from_counts_cover(name):
    outside, points, truth = missed(name, 100, 6)
    assert outside <= 1
    assert points or truth < 0.3
    assert truth > 0.1 or not points


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("per_row", [30, 300])
def test_limits_from_counts_cover_over_100_seeds(name, per_row):
    outside, points, truth = missed(name, per_row, 100)
    assert outside <= 9
    assert len(points) < 10 or np.mean(points) == pytest.approx(truth, abs=0.1)
    assert truth > 0.1 or not points


def test_a_channel_that_survives_is_shown_to():
    found = worst_case(drawn(SETS["mild and strong"], 400, 0))
    truth = symmetric(4, 0.3).capacity_bits
    assert found.trusted and found.value == pytest.approx(truth, abs=0.1) and 0.5 * truth < found.low < truth < found.high
    assert found.checks["states"] == 2
    gone = worst_case(drawn(FLIP, 400, 0))
    assert gone.value is None and gone.low == 0 and "survive" in gone.why
    few = worst_case(drawn(SETS["mild and strong"], 6, 0))
    assert few.value is None and few.why


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: symmetrizable(np.eye(2)), "shape (2, 2)"),
        (lambda: symmetrizable([[[0.5, 0.6], [0.5, 0.5]]]), "state 0"),
        (lambda: worst_case_capacity([[["a"]]]), "numbers"),
        (lambda: worst_case(np.ones((2, 2))), "shape (2, 2)"),
        (lambda: worst_case([[[1, 1], [0, 0]]]), "state 0, input 1"),
        (lambda: worst_case([[[1, -1], [2, 2]]]), "takes whole numbers"),
    ],
)
def test_wrong_input_is_one_clear_line(call, words):
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value)


def test_one_input_is_no_channel():
    assert symmetrizable(np.ones((2, 1, 1))).symmetrizable
    assert worst_case(np.full((2, 1, 2), 20)).high is None
