# ruff: noqa: RUF001 - the dashes and the minus sign are what the report prints
import json

import pytest

from hartley.report import textdiff, visible
from hartley.report.numbers import BITS, PLAIN, SHARE, Number, absent, difference, figure, of_bits, of_rate, real


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("\ufeffa", "U+FEFF"),
        ("a\x00b", "NUL"),
        ("\x1b[31m", "ESC"),
        ("a\x85b", "U+0085"),
        ("a\u2028b", "U+2028"),
        ("a\U000e0041b", "U+E0041"),
        ("a\u3164b", "U+3164"),
        ("a\ufe0fb", "U+FE0F"),
        (json.loads('"a\\ud800b"'), "U+D800"),
    ],
)
def test_what_hides_is_labelled(text: str, shown: str) -> None:
    html = visible.inline(text)
    assert f'<span class="hid">{shown}</span>' in html
    assert not any(visible.hidden(character) for character in html.replace("\n", ""))
    assert f"[{shown}]" in visible.plain(text)
    html.encode("utf-8")


def test_plain_letters_of_any_script_stay() -> None:
    for text in ("sieben", "שבע", "سبعة", "七", "é", "e\u0301", "🙂"):
        assert visible.plain(text) == text
        assert f">{text}</bdi>" in visible.inline(text)


def test_piled_marks_become_tokens() -> None:
    assert visible.plain("a" + "\u0301" * 9).count("[U+0301]") == 6


def test_markup_is_text() -> None:
    assert visible.inline("<script>\"'&") == '<bdi class="said">&lt;script&gt;&#34;&#39;&amp;</bdi>'


def test_long_text_is_folded_and_whole() -> None:
    text = "x" * 9_999 + "END"
    html = visible.folded(text)
    assert "all 10,002 characters" in html and html.count("END") == 1
    assert visible.folded("short") == visible.inline("short")
    assert visible.plain(text, 10) == "x" * 10 + "…"


def test_pieces_give_both_texts_again() -> None:
    before, after = "a photo of a red seven, top left", "a photo of one green seven; top left"
    pieces = textdiff.changes(before, after)
    assert pieces is not None
    assert "".join(text for kind, text in pieces if kind != textdiff.NEW) == before
    assert "".join(text for kind, text in pieces if kind != textdiff.GONE) == after
    assert ("gone", "red") in pieces and ("new", "green") in pieces


def test_endless_texts_are_not_compared() -> None:
    assert textdiff.changes("a " * 20_000, "b") is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (-0.42, BITS, "−0.42"),
        (-0.001, BITS, "0.00"),
        (3.0, BITS, "3.00"),
        (0.971, SHARE, "97.1%"),
        (12345.6, PLAIN, "12,346"),
        (0.0314, PLAIN, "0.0314"),
    ],
)
def test_figures(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text


def test_a_withheld_number_is_a_bracket_and_no_zero() -> None:
    number = of_bits(
        {"kind": "utility_bits", "value": None, "low": 0.1, "high": 0.5, "n": 40, "trusted": False, "why": "few trials"}, "attacked"
    )
    assert number.withheld and number.point == "withheld" and number.interval == "0.10–0.50"
    assert absent("utility_bits", "clean", "refused").point == "not measured"
    assert Number(None, None, 0.2, 3, "x").interval == "at most 0.20"


@pytest.mark.parametrize("junk", ["0.5", True, None, [1], float("nan"), float("inf"), 10**400, {"a": 1}])
def test_junk_is_no_number(junk: object) -> None:
    assert real(junk) is None
    assert not of_rate({"name": "x", "value": junk, "low": junk, "high": junk}).measured


def test_a_difference_takes_intervals_at_their_worst() -> None:
    won = difference(Number(1.0, 0.9, 1.2, 10, "a"), Number(0.4, 0.3, 0.6, 20, "b"), "won_back_bits")
    assert (won.value, won.low, won.high, won.n) == (pytest.approx(0.6), pytest.approx(0.3), pytest.approx(0.9), 10)
    assert not difference(Number(1.0, 0.9, 1.2, 10, "a"), absent("b", "", "gone"), "won_back_bits").measured
