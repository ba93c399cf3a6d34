"""0 as a point: an equivalence test that says so where it may, and hardly ever where there is something."""

import numpy as np
import pytest

from hartley.bits.capacity import capacity
from hartley.bits.conditional import conditional_information
from hartley.bits.counted.permutation import Null, independence
from hartley.bits.counts import information
from hartley.bits.known import Channel, symmetric
from hartley.bits.limits import near_zero_high_bits
from hartley.bits.margin import margin
from hartley.bits.tables import information_of_law
from hartley.bits.trust import EQUIVALENT_SHARE, equivalent


def strength(family, bits):
    """The member of a family of matrices (one parameter, 0 to 1, rising information) with this information at equal inputs."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if information_of_law(family(middle) / len(family(middle))) < bits else (low, middle)
    return family(low)


def shifted(inputs):
    return lambda a: a * np.eye(inputs) + (1 - a) / inputs


def one_input(inputs):
    """One input alone is answered."""
    return lambda a: np.vstack([(1 - a) / inputs + a * np.eye(inputs)[0], np.full((inputs - 1, inputs), 1 / inputs)])


def told_apart(inputs):
    """Rare outcomes that each give the input away."""
    return lambda a: np.hstack([np.full((inputs, inputs), (1 - a) / inputs), a * np.eye(inputs)])


def tables(matrix, n, seeds):
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        yield np.stack([generator.multinomial(n // len(matrix), row) for row in matrix])


def test_nothing_is_zero_with_a_limit():
    for inputs, n in ((2, 400), (4, 400), (10, 500)):
        found = information(symmetric(inputs, 1 - 1 / inputs).balanced(n, np.random.default_rng(0)), prior=np.full(inputs, 1 / inputs))
        assert found.value == found.low == 0 and found.trusted
        assert 0 < found.high <= found.checks["equivalence_bits"] == pytest.approx(EQUIVALENT_SHARE * np.log2(inputs))
        assert "equivalent to 0, at most" in found.why and "no channel detected" in found.why


@pytest.mark.parametrize("family", [shifted(2), one_input(2), shifted(10), one_input(10), told_apart(10)])
def test_what_is_there_is_hardly_ever_called_zero(family):
    inputs = len(family(0.5))
    n, seeds, most = (200, 100, 7) if inputs == 2 else (400, 40, 4)
    matrix = strength(family, EQUIVALENT_SHARE * np.log2(inputs))
    called = [information(table, prior=np.full(inputs, 1 / inputs), permutations=99).value == 0 for table in tables(matrix, n, seeds)]
    # 2.5% are 2.5 and 1: more would happen once in 100 times
    assert sum(called) <= most


def test_few_trials_and_a_detected_channel_are_never_zero():
    few = information(symmetric(3, 2 / 3).balanced(27, np.random.default_rng(0)))
    assert few.value is None and few.low == 0
    assert equivalent(0.5, 0.01, 1.0, 10) and not equivalent(0.01, 0.01, 1.0, 10)
    assert not equivalent(0.5, 0.11, 1.0, 10) and not equivalent(0.5, 0.01, 1.0, 9.9)


def test_a_perfect_draw_proves_no_more_than_a_usual_one():
    flat = np.full((4, 4), 20)
    usual = symmetric(4, 0.75).balanced(320, np.random.default_rng(2))
    high = near_zero_high_bits(flat, independence(flat))
    assert high == pytest.approx(near_zero_high_bits(usual, independence(usual)), rel=0.7) and high > 0.01


def test_the_limit_is_that_of_the_noncentral_chi_square():
    """One degree of freedom, plug-in at its mean under the null: sqrt(2 n ln2 I) is normal, so the limit is (1 + 1.96)^2."""
    unit = 1 / (2 * 1000 * np.log(2))
    table = np.array([[250, 250], [250, 250]])
    hidden = 3.69 / 1000
    found = near_zero_high_bits(table, Null(0.5, unit, np.sqrt(2) * unit))
    assert found == pytest.approx(np.hypot(2.96**2 * unit, hidden), rel=0.02)


def test_rare_outcomes_could_tell_everything():
    plain, rare = np.full((10, 10), 20), np.hstack([np.full((10, 10), 20), np.eye(10, dtype=int)])
    assert near_zero_high_bits(rare, independence(plain)) > 2 * near_zero_high_bits(plain, independence(plain))


def test_capacity_and_conditional_information_have_their_zero_and_margins_their_point():
    generator = np.random.default_rng(0)
    x, y, u = generator.integers(0, 2, (3, 4000))
    for found in (capacity(x, y), conditional_information(x, y, u)):
        assert found.value == found.low == 0 < found.high <= found.checks["equivalence_bits"] and found.trusted
    lost, written = information(x, y, kind="utility_bits"), information(x, x, kind="adversary_bits")
    found = margin(lost, written)
    assert found.trusted and found.value == pytest.approx(-1.0, abs=0.01) and found.low <= found.value < found.high


def test_unequal_inputs_are_asked_at_their_own_law():
    """Seen at nine to one, asked at one half each: the limit grows with what the rare input could hide."""
    matrix = Channel("same", np.full((2, 2), 0.5), 0.0, np.array([0.5, 0.5])).matrix
    generator = np.random.default_rng(0)
    counts = np.stack([generator.multinomial(n, row) for n, row in zip((3600, 400), matrix, strict=True)])
    assert information(counts, prior=[0.5, 0.5]).high > 2 * information(counts).high
