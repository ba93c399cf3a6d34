"""Cuts: all subsets of nodes as twin, exactness in fractions, and interfaces without a bound."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.cut import cut_bound, network_cut
from hartley.errors import InputError


def slow_cut(edges, source, sink):
    """The smallest sum over all sets of nodes with the source and without the sink; None where all are unbounded."""
    others = sorted({node for edge in edges for node in edge[:2]} - {source, sink})
    best = None
    for size in range(len(others) + 1):
        for side in itertools.combinations(others, size):
            inside = {source, *side}
            crossing = [(rate, bits) for a, b, rate, bits in edges if a in inside and b not in inside]
            if any(bits is None and rate > 0 for rate, bits in crossing):
                continue
            total = sum(rate * bits for rate, bits in crossing if bits is not None)
            best = total if best is None else min(best, total)
    return best


NODES = st.sampled_from("abcdet")
EDGE = st.tuples(NODES, NODES, st.sampled_from([0.0, 0.1, 1.0, 2.5]), st.sampled_from([None, 0.0, 0.3, 1.585, 10.0]))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(EDGE, max_size=12))
def test_equals_the_smallest_of_all_cuts(edges):
    edges = [edge for edge in edges if edge[0] != edge[1]]
    found, slow = network_cut(edges, "a", "t"), slow_cut(edges, "a", "t")
    assert (found.bits is None) == (slow is None)
    if slow is not None:
        assert found.bits == pytest.approx(slow, abs=1e-12)
        crossing = set(found.interfaces)
        assert sum(rate * (bits or 0) for a, b, rate, bits in edges if (a, b) in crossing) == pytest.approx(slow, abs=1e-12)
        # without these interfaces nothing is left
        rest = [edge for edge in edges if edge[:2] not in crossing]
        assert network_cut(rest, "a", "t").bits == 0


def test_one_interface():
    assert cut_bound(3, 2.0) == 6.0 and cut_bound(0.5, 10) == 5.0
    assert cut_bound(1, None) is None and cut_bound(0, None) == 0.0


def test_in_series_the_narrowest_in_parallel_the_sum():
    assert network_cut([("user", "tool", 2, 3.0), ("tool", "mail", 1, 4.0)], "user", "mail").bits == 4.0
    two = [("u", "a", 1, 3.0), ("u", "b", 1, 0.1), ("a", "m", 1, None), ("b", "m", 1, 0.2), ("u", "m", 2, 0.25)]
    found = network_cut(two, "u", "m")
    assert found.bits == pytest.approx(3.6, abs=1e-15) and "at most 3.600 bits per task" in str(found)
    assert network_cut([("u", "m", 1, 1.0), ("u", "m", 1, 2.0)], "u", "m").bits == 3.0
    assert network_cut([], "u", "m").bits == 0.0
    assert "unbounded" in str(network_cut([("u", "m", 1, None)], "u", "m"))


def test_restricting_an_interface_never_widens_the_cut():
    generator = np.random.default_rng(0)
    for _ in range(20):
        edges = [
            (int(a), int(b), 1.0, float(w))
            for a, b, w in zip(*generator.integers(0, 7, (2, 15)), generator.random(15), strict=True)
            if a != b
        ]
        before = network_cut(edges, 0, 6).bits
        narrow = [(*edge[:3], edge[3] / 2) if i % 3 == 0 else edge for i, edge in enumerate(edges)]
        assert network_cut(narrow, 0, 6).bits <= before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cut_bound(-1, 2), "rate"),
        (lambda: cut_bound(1, float("inf")), "bandwidth_bits"),
        (lambda: cut_bound("3", 2), "rate"),
        (lambda: network_cut([("a", "b", 1, 1)], "a", "a"), "both"),
        (lambda: network_cut([("a", "b", 1)], "a", "b"), "row 0"),
        (lambda: network_cut([("a", "b", 1, 1), ("a", "b", 1, -1)], "a", "b"), "row 1"),
    ],
)
def test_wrong_input_is_one_clear_line(call, words):
    with pytest.raises(InputError) as caught:
        call()
    assert words in str(caught.value)
