"""Percolation: all subgraphs as twin, drawn graphs against the exact answer, R0 by hand, and clearing that is nothing."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hartley.bits.percolation import percolation_bound, reproduction_number, spectral_radius
from hartley.errors import InputError


def slow_open_path(edges, share, source, agent, directed):
    """Every subset of the edges, and a search in each."""
    total = 0.0
    for state in itertools.product([0, 1], repeat=len(edges)):
        chance = 1.0
        for up, p in zip(state, share, strict=True):
            chance *= p if up else 1 - p
        found, grown = {source}, True
        while grown:
            grown = False
            for (a, b), up in zip(edges, state, strict=True):
                for one, two in ((a, b),) if directed else ((a, b), (b, a)):
                    if up and one in found and two not in found:
                        found.add(two)
                        grown = True
        total += chance * (agent in found)
    return total


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=8), st.booleans(), st.integers(0, 1000))
def test_equals_all_subgraphs(edges, directed, seed):
    edges = [*edges, (0, 1)]
    share = np.random.default_rng(seed).random(len(edges)).round(1)
    found = percolation_bound(edges, share, 0, 1, 2.0, directed=directed)
    assert found.high == pytest.approx(2 * slow_open_path(edges, share, 0, 1, directed), abs=1e-12)
    assert found.value is None and found.low == 0 and found.checks["exact"] == 1


def test_chains_parallel_ways_and_the_bridge():
    assert percolation_bound([("a", "b"), ("b", "c")], 0.5, "a", "c", 3.0).high == pytest.approx(0.75)
    assert percolation_bound([("a", "b"), ("a", "b")], 0.5, "a", "b", 1.0).high == pytest.approx(0.75)
    bridge = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    assert percolation_bound(bridge, 0.5, 0, 3, 1.0).high == pytest.approx(0.5)
    assert percolation_bound([(0, 1), (2, 1)], 0.9, 0, 2, 1.0, directed=True).high == 0.0
    assert percolation_bound([(0, 1)], 0.3, 0, 0, 1.5).high == 1.5


def test_large_graphs_are_drawn_and_the_limit_holds():
    # a ladder of 12 independent stages, each two edges in parallel: (1 - 0.3^2)^12, and 24 edges
    edges = [(i, i + 1) for i in range(12) for _ in range(2)]
    truth = (1 - 0.3**2) ** 12
    found = [percolation_bound(edges, 0.7, 0, 12, 1.0, samples=300, seed=seed) for seed in range(20)]
    assert all(one.checks["exact"] == 0 and one.n == 300 for one in found)
    assert sum(one.high < truth for one in found) <= 3
    assert np.mean([one.checks["open_path"] for one in found]) == pytest.approx(truth, abs=0.02)


def test_more_transmission_never_lowers_the_bound():
    edges = [(0, 1), (1, 2), (0, 2), (2, 3), (1, 3)]
    bounds = [percolation_bound(edges, t, 0, 3, 1.0).high for t in (0.0, 0.2, 0.5, 0.9, 1.0)]
    assert bounds == sorted(bounds) and bounds[0] == 0 and bounds[-1] == 1


def ring(n):
    return sparse.csr_array((np.ones(2 * n), (np.tile(np.arange(n), 2), np.concatenate([np.roll(np.arange(n), s) for s in (1, -1)]))))


def slow_radius(matrix, steps=4000):
    """Power iteration on A + I by plain products."""
    x = np.ones(len(matrix))
    for _ in range(steps):
        y = matrix @ x + x
        x, size = y / np.abs(y).max(), np.abs(y).max()
    return size - 1


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(2, 8), st.integers(0, 1000))
def test_radius_equals_power_iteration(n, seed):
    generator = np.random.default_rng(seed)
    matrix = generator.random((n, n)) + 0.05
    assert spectral_radius(matrix) == pytest.approx(slow_radius(matrix, 300), abs=1e-6)


def test_radius_of_known_graphs():
    assert spectral_radius(np.ones((6, 6)) - np.eye(6)) == pytest.approx(5)
    assert spectral_radius(ring(1000)) == pytest.approx(2)
    star = sparse.lil_array((401, 401))
    star[0, 1:] = star[1:, 0] = 1
    assert spectral_radius(star) == pytest.approx(20)
    chain = sparse.diags_array(np.ones(499), offsets=1)
    assert spectral_radius(chain) == 0.0
    cycle = chain.tolil()
    cycle[499, 0] = 1
    assert spectral_radius(cycle) == pytest.approx(1, abs=1e-6)


def test_reproduction_number_by_hand_and_with_limits():
    triangle = np.ones((3, 3)) - np.eye(3)
    assert reproduction_number(triangle, 0.3, 0.2).value == pytest.approx(3.0)
    measured = reproduction_number(triangle, (30, 100), (20, 100))
    assert measured.value == pytest.approx(3.0) and 1.2 < measured.low < 2.2 and 4 < measured.high < 8
    exact = reproduction_number(triangle, (3000, 10_000), 0.2)
    assert 2.8 < exact.low < 3 < exact.high < 3.2


def test_limits_cover():
    generator, t, g, missed = np.random.default_rng(0), 0.2, 0.3, 0
    for _ in range(300):
        found = reproduction_number([[0, 1], [1, 0]], (int(generator.binomial(50, t)), 50), (int(generator.binomial(80, g)), 80))
        missed += not (found.low <= t / g and (found.high is None or t / g <= found.high))
    assert missed <= 15


def test_without_clearing_there_is_no_number():
    triangle = np.ones((3, 3)) - np.eye(3)
    still = reproduction_number(triangle, 0.3, 0.0)
    assert still.value is None and still.high is None and "saturates" in still.why and "unbounded" in str(still)
    seen = reproduction_number(triangle, (30, 100), (0, 50))
    assert seen.value is None and seen.low > 2 and seen.high is None
    assert reproduction_number(triangle, 0.0, 0.0).value == 0.0
    assert "no number" not in str(reproduction_number(triangle, (0, 50), (10, 50)))
    assert reproduction_number(triangle, (0, 50), (10, 50)).high > 0


@pytest.mark.slow
def test_a_million_nodes():
    assert spectral_radius(ring(1_000_000)) == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: percolation_bound([(0, 1)], 1.5, 0, 1, 1.0), "row 0"),
        (lambda: percolation_bound([(0, 1)], [0.5, 0.5], 0, 1, 1.0), "shape"),
        (lambda: percolation_bound([(0, 1)], np.nan, 0, 1, 1.0), "row 0"),
        (lambda: percolation_bound([(0,)], 0.5, 0, 1, 1.0), "edges, row 0"),
        (lambda: percolation_bound([(0, 1)], 0.5, 0, 7, 1.0), "agent"),
        (lambda: percolation_bound([(0, 1)], 0.5, 0, 1, -1.0), "entropy_bits"),
        (lambda: spectral_radius(np.ones((2, 3))), "shape"),
        (lambda: spectral_radius([[0, -1], [1, 0]]), "from 0"),
        (lambda: reproduction_number([[1]], 2.0, 0.5), "transmissibility"),
        (lambda: reproduction_number([[1]], (5, 3), 0.5), "transmissibility"),
        (lambda: reproduction_number([[1]], 0.5, (1, 0)), "clearing"),
    ],
)
def test_wrong_input_is_one_clear_line(call, words):
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value)
