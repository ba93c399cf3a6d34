"""Columns: what may be an array of numbers, within which range, what is kept of it, and what is the same."""

from __future__ import annotations

import numpy as np
import pytest

from hartley.columns import checked, frozen, numbers, same
from hartley.evidence import EvidenceError


@pytest.mark.parametrize(
    ("given", "dtype", "low", "high", "words"),
    [
        ([0, 3], np.int8, 0, 2, "x, row 1: got np.int64(3), takes whole numbers from 0 to 2"),
        ([-1, 3], np.int8, 0, None, "x, row 0: got np.int64(-1), takes whole numbers from 0 to inf"),
        ([0.5, 1], np.int8, None, None, "x, row 0: got np.float64(0.5), takes whole numbers"),
        ([0.5, np.nan], np.float64, None, 1, "x, row 1: got np.float64(nan), takes finite numbers from -inf to 1"),
        ([0, np.inf], np.int8, None, None, "x, row 1: got np.float64(inf), takes whole numbers"),
        ([0.5], np.float64, None, 1, "x: shape (1,), needs (2,) like column arm"),
        ([1j, 0], np.float64, None, None, "x: got complex128, takes numbers"),
    ],
)
def test_a_column_is_held_against_its_type_and_range(given, dtype, low, high, words):
    with pytest.raises(EvidenceError) as caught:
        checked("x", given, dtype, 2, low, high)
    assert str(caught.value) == words


def test_the_ends_of_a_range_are_inside_and_what_is_kept_is_a_copy():
    given = np.array([0.0, 2.0])
    kept = checked("x", given, np.int8, 2, 0, 2)
    assert kept.tolist() == [0, 2] and kept.dtype == np.int8 and not kept.flags.writeable
    again = frozen(given)
    given[0] = 5
    assert again.tolist() == [0.0, 2.0] and not again.flags.writeable and frozen([1]).tolist() == [1]
    assert numbers("x", [True, False]).dtype == bool and numbers("x", np.uint8([1])).dtype == np.uint8
    with pytest.raises(EvidenceError, match=r"^x: not an array \(.+\)$"):
        numbers("x", [[0], [0, 1]])


def test_sameness_is_of_type_shape_and_every_value():
    a = np.array([0.0, np.nan])
    assert same(a, a.copy()) and not same(a, np.array([0.0, 1.0])) and not same(a, a.astype(np.float32)) and not same(a, a[None])
    assert same(np.array([1, 2]), np.array([1, 2])) and not same(np.array([1]), np.array([2])) and not same(a, [0.0, np.nan])
    assert not same([0.0], np.array([0.0])) and not same(np.array(["a"]), np.array(["b"])) and same(np.array(["a"]), np.array(["a"]))
    assert (
        same({"x": a}, {"x": a.copy()})
        and not same({"x": a}, {"y": a})
        and not same({"x": a}, {"x": np.zeros(2)})
        and not same({"x": 1}, 1)
    )
    assert not same(1, {"x": 1}) and not same({"x": 1, "y": 1}, {"x": 1, "y": 2}) and not same({"x": 1, "y": 2}, {"x": 3, "y": 2})
    assert same(1, 1) and not same(1, 1.0) and not same(1, 2) and same(None, None) and same(("a",), ("a",)) and same(1, 1) is True
