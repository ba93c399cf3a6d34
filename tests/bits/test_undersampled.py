"""Chao-Wang-Jost: the formula as printed in the paper as twin, and where it stands beside the jackknife."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hartley.bits.counted.undersampled import chao_wang_jost_bits
from hartley.bits.counts import information, jackknife_bits
from hartley.bits.known import symmetric


def slow_entropy(counts):
    """Chao, Wang and Jost (2013), equation 7 with A of equation 5, term by term, in bits."""
    seen = [int(c) for c in np.ravel(counts) if c > 0]
    n, once, twice = sum(seen), seen.count(1), seen.count(2)
    if n < 2:
        return 0.0
    nats = sum(c / n * sum(1 / k for k in range(c, n)) for c in seen if c < n)
    if once > 0:
        a = 2 * twice / ((n - 1) * once + 2 * twice) if twice > 0 else 2 / ((n - 1) * (once - 1) + 2)
        if a < 1:
            nats += once / n * (1 - a) ** (1 - n) * (-np.log(a) - sum((1 - a) ** r / r for r in range(1, n)))
    return nats / np.log(2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(hnp.arrays(np.int64, st.tuples(st.integers(2, 6), st.integers(2, 6)), elements=st.integers(0, 4)).filter(lambda c: c.sum() > 0))
def test_equals_its_slow_twin(counts):
    slow = slow_entropy(counts.sum(1)) + slow_entropy(counts.sum(0)) - slow_entropy(counts)
    assert chao_wang_jost_bits(counts) == pytest.approx(max(0.0, slow), abs=1e-6)


def test_thin_tables_show_it_and_others_do_not():
    channel = symmetric(10, 0.3)
    thin = information(channel.balanced(50, np.random.default_rng(0)), permutations=199)
    assert thin.value is None and thin.checks["chao_wang_jost_bits"] > 0
    assert "chao_wang_jost_bits" not in information(channel.balanced(5000, np.random.default_rng(0)), permutations=199).checks


@pytest.mark.parametrize("per_input", [3, 10])
def test_it_errs_less_than_the_jackknife_where_cells_outnumber_trials(per_input):
    channel, generator = symmetric(30, 0.7), np.random.default_rng(0)
    tables = [channel.balanced(30 * per_input, generator) for _ in range(10)]
    error = np.mean([abs(chao_wang_jost_bits(table) - channel.capacity_bits) for table in tables])
    assert error < 0.5 * np.mean([abs(jackknife_bits(table, channel.uniform) - channel.capacity_bits) for table in tables])
