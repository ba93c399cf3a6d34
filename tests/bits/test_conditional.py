"""Conditional information: against plain loops, channels whose answer is known, the chain rule, and its interval's coverage."""

import math
from collections import Counter

import numpy as np
import pytest

from hartley.bits.conditional import conditional_information
from hartley.bits.counts import information
from hartley.bits.known import binary_symmetric
from hartley.errors import InputError


def plain(x, y, given):
    """I(X; Y | U) of the frequencies, trial by trial."""
    x, y, given = list(x), list(y), list(given)
    n, total = len(x), 0.0
    u, xu, yu, xyu = Counter(given), Counter(zip(x, given)), Counter(zip(y, given)), Counter(zip(x, y, given))  # noqa: B905
    for (a, b, c), count in xyu.items():
        total += count / n * math.log2(count * u[c] / (xu[a, c] * yu[b, c]))
    return total


def drawn(seed, n, error=0.1):
    """u a coin; x equal to u nine times in ten; y = x through a BSC: I(X; Y | U) = h(0.1 * error) - h(error)."""
    generator = np.random.default_rng(seed)
    u = generator.integers(0, 2, n)
    x = u ^ (generator.random(n) < 0.1)
    return x, x ^ (generator.random(n) < error), u


def h(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


TRUTH = h(0.1 * 0.9 + 0.9 * 0.1) - h(0.1)


def test_at_large_n_it_is_what_plain_loops_say():
    x, y, u = drawn(0, 20_000)
    bits = conditional_information(x, y, u)
    assert bits.value == pytest.approx(plain(x, y, u), abs=1e-3)
    assert bits.value == pytest.approx(TRUTH, abs=0.02)


@pytest.mark.parametrize("n", [60, 300, 3_000])
def test_the_interval_covers(n):
    found = [conditional_information(*drawn(seed, n), permutations=199) for seed in range(60)]
    stated = [bits for bits in found if bits.low is not None]
    assert len(stated) >= 55
    assert sum(bits.low <= TRUTH <= bits.high for bits in stated) >= len(stated) - 4


def test_what_the_third_symbol_explains_is_no_information():
    generator = np.random.default_rng(0)
    u = generator.integers(0, 4, 2_000)
    x, y = ((u + (generator.random(2_000) < 0.2)) % 4 for _ in range(2))
    assert information(x, y).low > 0.5
    bits = conditional_information(x, y, u)
    assert bits.value == bits.low == 0.0 < bits.high < bits.checks["equivalence_bits"]
    assert "no channel detected" in bits.why and "equivalent to 0" in bits.why


def test_xor_shows_only_when_the_third_symbol_is_known():
    generator = np.random.default_rng(1)
    x, u = generator.integers(0, 2, (2, 1_000))
    y = x ^ u
    assert information(x, y).value == 0 and "no channel detected" in information(x, y).why
    assert conditional_information(x, y, u).value == pytest.approx(1.0, abs=0.01)


def test_the_chain_rule_holds():
    x, y, u = drawn(3, 20_000)
    whole = information(x, 2 * y.astype(int) + u)
    assert whole.value == pytest.approx(information(x, u).value + conditional_information(x, y, u).value, abs=2e-3)


def test_symmetry_and_relabeling_change_nothing():
    x, y, u = drawn(4, 500)
    one, other = conditional_information(x, y, u), conditional_information(y, x, u)
    assert one.value == pytest.approx(other.value, abs=1e-12)
    renamed = conditional_information(np.array(["b", "a"])[x.astype(int)], 7 - y.astype(int), 1 - u)
    assert renamed.value == pytest.approx(one.value, abs=1e-12)
    assert (renamed.low, renamed.high) == (pytest.approx(one.low), pytest.approx(one.high))


def test_one_stratum_is_plain_information():
    counts = binary_symmetric(0.2).balanced(400, np.random.default_rng(5))
    x, y = (np.repeat(index, counts.ravel()) for index in np.indices(counts.shape).reshape(2, -1))
    assert conditional_information(x, y, np.zeros(400)).value == pytest.approx(information(counts).value, abs=1e-12)


def test_false_alarms_are_rare():
    alarms = 0
    for seed in range(100):
        x, y, u = np.random.default_rng(seed).integers(0, 3, (3, 200))
        alarms += conditional_information(x, y, u, permutations=199).low > 0
    assert alarms <= 4


def test_too_few_trials_withhold_the_point_and_a_constant_is_not_measured():
    x, y, u = drawn(6, 30)
    assert "too few trials" in conditional_information(x, x, u).why
    assert conditional_information(u, y, u).why.startswith("x is the same throughout")


@pytest.mark.parametrize(
    ("columns", "names"),
    [(([0, 1], [0, 1, 1], [0, 1]), "x and y"), (([0, 1], [0, 1], [0]), "x and given"), (([0.0, np.nan], [0, 1], [0, 1]), "row 1")],
)
def test_wrong_columns_are_named(columns, names):
    with pytest.raises(InputError, match=names):
        conditional_information(*columns)


def test_strata_with_equal_margins_are_shuffled_apart():
    """Eight strata alike, each too weak alone: shuffled with one and the same draw their sum would not be detected."""
    table = np.array([[14, 6], [7, 13]])
    x, y = (np.repeat(index, table.ravel()) for index in np.indices(table.shape).reshape(2, -1))
    assert information(x, y).value is None
    bits = conditional_information(np.tile(x, 8), np.tile(y, 8), np.repeat(np.arange(8), len(x)))
    assert bits.checks["permutation_p"] <= 0.001
