"""Half-sample drift: every half enumerated as twin, and the rule it feeds."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hartley.bits.capacity import capacity
from hartley.bits.counted.halves import drift_bits
from hartley.bits.counts import information, jackknife_bits
from hartley.bits.known import symmetric
from hartley.bits.tables import entropy_bits
from hartley.bits.trust import DRIFT_BITS, drifts, too_few_trials

SMALL = hnp.arrays(np.int64, st.tuples(st.integers(2, 3), st.integers(2, 3)), elements=st.integers(0, 4)).filter(
    lambda counts: 4 <= counts.sum() <= 10
)


def halves(counts):
    """Every table that half of the trials of counts (any shape) can make, once for each choice of trials."""
    trials = np.repeat(np.arange(counts.size), counts.ravel())
    for chosen in combinations(range(len(trials)), len(trials) // 2):
        yield np.bincount(trials[list(chosen)], minlength=counts.size).reshape(counts.shape)


def slow_jackknife_entropy(counts):
    n = counts.sum()
    total = n * entropy_bits(counts / n)
    for symbol, count in enumerate(counts):
        for _ in range(count):
            left = counts.copy()
            left[symbol] -= 1
            total -= (n - 1) / n * entropy_bits(left / (n - 1))
    return total


@settings(max_examples=25, deadline=None, derandomize=True)
@given(SMALL)
def test_drift_equals_that_of_all_halves(counts):
    half = np.mean([jackknife_bits(one, None) for one in halves(counts)])
    assert drift_bits(counts, None) == pytest.approx(jackknife_bits(counts, None) - half, abs=1e-9)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(hnp.arrays(np.int64, (2, 3), elements=st.integers(0, 2)).filter(lambda counts: (counts.sum(1) >= 4).all()))
def test_with_a_known_law_every_input_is_halved_by_itself(counts):
    def drift(symbols):
        return slow_jackknife_entropy(symbols) - np.mean([slow_jackknife_entropy(one) for one in halves(symbols)])

    prior = np.array([0.3, 0.7])
    slow = drift(counts.sum(0)) - 0.3 * drift(counts[0]) - 0.7 * drift(counts[1])
    assert drift_bits(counts, prior) == pytest.approx(slow, abs=1e-9)


def test_many_trials_cost_no_more_than_few_and_drift_by_nothing():
    counts = symmetric(5, 0.3).balanced(10_000_000, np.random.default_rng(0))
    assert abs(drift_bits(counts, None)) < 1e-5
    assert drift_bits(np.diag([25, 25, 25]), np.full(3, 1 / 3)) == pytest.approx(0, abs=1e-3)


def test_labels_and_order_do_not_matter():
    counts = symmetric(6, 0.4).balanced(300, np.random.default_rng(1))
    order = np.random.default_rng(2).permutation(6)
    assert drift_bits(counts[order][:, order[::-1]], None) == pytest.approx(drift_bits(counts, None), abs=1e-12)


def test_a_point_that_still_moves_is_withheld_with_its_interval():
    channel = symmetric(30, 0.3)
    tables = [channel.balanced(3000, np.random.default_rng(seed)) for seed in range(8)]
    moving = [table for table in tables if abs(drift_bits(table, channel.uniform)) > DRIFT_BITS]
    assert len(moving) > 0
    for table in moving:
        found = information(table, prior=channel.uniform, permutations=199)
        assert found.value is None and found.low <= channel.capacity_bits <= found.high
        assert found.why.startswith("the point has not settled") or "occupied cells" in found.why
    assert any("not settled" in information(table, prior=channel.uniform, permutations=199).why for table in moving)
    assert any("not settled" in capacity(table, permutations=199).why for table in moving)


def test_the_rules_in_words():
    assert drifts(1.0, 0.95, 0.0) == "" and drifts(1.0, 0.7, 0.2) == ""
    assert "0.700 bits on half" in drifts(1.0, 0.7, 0.1)
    assert too_few_trials(10, 100, 20) == ""
    assert "an input has 9" in too_few_trials(9, 100, 20) and "needs 105" in too_few_trials(10, 100, 21)
