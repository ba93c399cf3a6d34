"""Bits and the margin of two of them."""

import json

import pytest

from hartley.bits.margin import margin
from hartley.bits.value import Bits


def bits(value, low, high, kind="utility_bits", trusted=True, why=""):
    return Bits(value, low, high, 100, "test", kind, trusted, why)


def test_json_and_back():
    one = Bits(1.0, 0.5, 1.5, 10, "test", "utility_bits", True, "", {"b": 2.0, "a": 1.0})
    assert Bits.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert list(one.to_json()["checks"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "utility"}, "must end in _bits"),
        ({"low": 1.2}, "lies outside"),
        ({"high": 0.9}, "lies outside"),
        ({"low": 2.0, "high": 1.0, "value": None, "trusted": False, "why": "x"}, "above high"),
        ({"value": float("nan")}, "not finite"),
        ({"value": None}, "cannot be trusted"),
        ({"trusted": False}, "must say why"),
    ],
)
def test_contradictions_cannot_be_written_down(change, words):
    good = {"value": 1.0, "low": 0.5, "high": 1.5, "n": 10, "estimator": "test", "kind": "utility_bits", "trusted": True}
    assert Bits(**good).value == 1.0
    with pytest.raises(ValueError, match=words):
        Bits(**(good | change))


def test_one_readable_line():
    assert str(bits(1.0, 0.5, 1.5)) == "utility_bits: 1.000 bits [low 0.500, high 1.500 bits] (n=100, test)"
    assert "not measured (no rows)" in str(Bits.unmeasured("utility_bits", "no rows"))
    assert "withheld" in str(bits(None, 0.0, 1.0, trusted=False, why="few")) and "few" in str(
        bits(None, 0.0, 1.0, trusted=False, why="few")
    )


def test_the_margin_subtracts_crosswise():
    found = margin(bits(2.0, 1.5, 2.5), bits(0.5, 0.25, 1.0, "adversary_bits"))
    assert (found.value, found.low, found.high, found.kind) == (1.5, 0.5, 2.25, "margin_bits") and found.trusted


def test_a_withheld_part_withholds_the_margin_but_not_its_interval():
    found = margin(bits(2.0, 1.5, 2.5), bits(None, 0.0, 0.2, "adversary_bits", False, "no channel detected"))
    assert found.value is None and (found.low, found.high) == (1.3, 2.5) and "adversary_bits: no channel detected" in found.why


def test_an_unmeasured_part_leaves_the_margin_unmeasured():
    for pair in (
        (Bits.unmeasured("utility_bits", "no intent"), bits(1.0, 0.0, 1.0)),
        (bits(1.0, 0.0, 1.0), Bits.unmeasured("adversary_bits", "no symbol")),
    ):
        found = margin(*pair)
        assert found.low is None and found.high is None and "was not measured" in found.why
