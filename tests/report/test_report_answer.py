# ruff: noqa: RUF001 - the dashes and the minus sign are what the report prints
"""The rules behind the answer: each case states numbers and what may, and may not, be said of them."""

from dataclasses import replace

import pytest

from hartley.report.answer import Answer, answer
from hartley.report.lines import Guard, Line
from hartley.report.numbers import Number, absent, difference
from hartley.report.ranking import worst
from hartley.report.records import Cell, Channel
from hartley.report.sentences import plain

NAMES = {"sga": "sga", "badclip": "badclip", "mia": "mia", "jpeg": "JPEG compression", "noise": "Noise"}


def span(kind: str, arm: str, low: float, high: float, *, withheld: bool = False) -> Number:
    value = None if withheld else (low + high) / 2
    return Number(value, low, high, 400, kind, arm=arm, trusted=not withheld, why="halves disagree" if withheld else "")


def channel(kind: str, *numbers: Number) -> Channel:
    return Channel("image", kind, "", {(number.arm, number.name): number for number in numbers}, (), ())


def line(threat: str, kind: str, *numbers: Number, guards: tuple[Guard, ...] = (), possible: float | None = 3.32, weak: str = "") -> Line:
    made = replace(channel(kind, *numbers), sent_bits=possible, weak=weak) if numbers else None
    cell = Cell("k", "enc", threat, "none", "0", "quick", "measured" if numbers else "failed", "", (made,) if made else (), (), (), ())
    return Line(threat, "enc", "0", "quick", cell.status, "", made, guards, (cell,))


def guard(name: str, bare: Line, alone: tuple[float, float], *arms: Number) -> Guard:
    held = channel("jam", span("utility_bits", "defended", *alone), *arms)
    adaptive = any(number.arm == "defended_adaptive" for number in arms)
    made = Guard(name, "measured", "", held, absent("won_back_bits", "", ""), absent("price_bits", "", ""), adaptive)
    won = difference(made.number("utility_bits", made.hardest), bare.number("utility_bits", "attacked"), "won_back_bits")
    price = difference(bare.number("utility_bits", "clean"), made.number("utility_bits", "defended"), "price_bits")
    return replace(made, won_back=won, price=price)


def jam(attacked: tuple[float, float], *, withheld: bool = False, threat: str = "sga") -> Line:
    return line(threat, "jam", span("utility_bits", "clean", 3.1, 3.3), span("utility_bits", "attacked", *attacked, withheld=withheld))


def write(attacked: tuple[float, float], adversary: tuple[float, float], margin: tuple[float, float]) -> Line:
    return line(
        "badclip", "write",
        span("utility_bits", "clean", 3.1, 3.3), span("utility_bits", "attacked", *attacked),
        span("adversary_bits", "attacked", *adversary), span("margin_bits", "attacked", *margin),
    )  # fmt: skip


def told(*lines: Line) -> Answer:
    return answer(lines, NAMES)


def test_nothing_measured_claims_nothing() -> None:
    said = told(line("sga", "jam"))
    assert plain(said.verdict).startswith("Not measured")
    assert "was not measured" in plain(said.clean) and "No attack" in plain(said.attack)
    assert plain(said.missing).startswith("1 of 1 cells were not measured (1 failed)")
    assert plain(answer((), NAMES).verdict).startswith("Not measured")


def test_an_adversary_with_the_larger_share_is_named() -> None:
    said = told(write((0.1, 0.2), (2.8, 3.0), (-2.9, -2.6)))
    assert "the adversary has more say in the outcome than the user" in plain(said.verdict)
    assert "no defense was measured" in plain(said.verdict)
    assert "leaves 0.15 (0.10–0.20) bits; it gives the adversary 2.90 (2.80–3.00) bits" in plain(said.attack)


def test_a_margin_whose_interval_reaches_zero_is_not_called_lost() -> None:
    said = told(write((1.0, 1.4), (1.2, 1.4), (-0.4, 0.2)))
    assert "more say" not in plain(said.verdict)
    assert "less than half" in plain(said.verdict)


def test_overlapping_intervals_are_no_loss() -> None:
    assert plain(told(jam((3.0, 3.2))).verdict) == (
        "No attack of this run takes a demonstrable part of the service; one could still take up to 0.30 bits."
    )


def test_a_small_but_certain_loss() -> None:
    assert "Attacks take a part" in plain(told(jam((2.5, 2.7))).verdict)


def test_a_withheld_number_is_bracketed_and_not_a_point() -> None:
    said = told(jam((0.1, 0.5), withheld=True))
    assert "leaves 0.10–0.50 bits of utility (the point is withheld)" in plain(said.attack)
    assert "0.30" not in plain(said.attack)


def test_withheld_numbers_are_not_called_worst_on_a_guess() -> None:
    sure, vague = jam((0.9, 1.1)), jam((0.0, 2.0), withheld=True, threat="badclip")
    assert worst((sure, vague)) is sure


def test_the_worst_attack_is_the_one_that_leaves_the_smallest_share() -> None:
    small = line("badclip", "jam", span("utility_bits", "clean", 0.88, 0.92), span("utility_bits", "attacked", 0.84, 0.9), possible=1.0)
    large = jam((1.1, 1.3))
    assert worst((small, large)) is large


def test_a_certain_loss_comes_before_an_uncertain_one() -> None:
    uncertain = line("badclip", "jam", span("utility_bits", "clean", 0.2, 1.0), span("utility_bits", "attacked", 0.1, 0.3))
    certain = jam((2.6, 2.8))
    assert worst((uncertain, certain)) is certain


def test_a_jam_gains_nothing_rather_than_zero_bits() -> None:
    said = plain(told(jam((0.2, 0.4))).attack)
    assert "it jams" in said and "0.00" not in said


def test_an_adversary_at_chance_has_no_demonstrable_say() -> None:
    said = plain(told(write((0.2, 0.4), (0.0, 0.1), (0.1, 0.4))).attack)
    assert "no demonstrable say, but it could still be up to 0.10 bits" in said


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ((2.9, 3.1), "most of the loss"),
        ((1.6, 1.8), "a good part of the loss"),
        ((0.6, 0.8), "a small part of the loss"),
        ((0.3, 0.6), "the one defense measured is not demonstrably better"),
    ],
)
def test_what_a_defense_wins_back(left: tuple[float, float], words: str) -> None:
    bare = jam((0.2, 0.4))
    made = guard(
        "jpeg", bare, (3.0, 3.2), span("utility_bits", "defended_attacked", 3.0, 3.2), span("utility_bits", "defended_adaptive", *left)
    )
    said = told(replace(bare, guards=(made,)))
    assert words in plain(said.verdict)
    if "wins back" in plain(said.verdict):
        assert "JPEG compression, wins back" in plain(said.defense) and "an attacker who knows of it" in plain(said.defense)


def test_a_defense_not_attacked_through_is_doubted() -> None:
    bare = jam((0.2, 0.4))
    made = guard("jpeg", bare, (3.0, 3.2), span("utility_bits", "defended_attacked", 2.9, 3.1))
    said = told(replace(bare, guards=(made,)))
    assert "may be overstated" in plain(said.defense) and "does not know of it" in plain(said.verdict)


def test_the_best_defense_is_judged_under_its_harder_attack() -> None:
    bare = jam((0.2, 0.4))
    mask = guard(
        "noise", bare, (3.1, 3.3), span("utility_bits", "defended_attacked", 3.0, 3.2), span("utility_bits", "defended_adaptive", 0.2, 0.4)
    )
    real = guard(
        "jpeg", bare, (2.9, 3.0), span("utility_bits", "defended_attacked", 2.0, 2.2), span("utility_bits", "defended_adaptive", 1.4, 1.6)
    )
    found = replace(bare, guards=(mask, real)).best
    assert found is not None and found.defense == "jpeg"


def test_the_price_is_stated_only_where_it_is_certain() -> None:
    bare = jam((0.2, 0.4))
    arms = (span("utility_bits", "defended_attacked", 2.0, 2.2), span("utility_bits", "defended_adaptive", 1.4, 1.6))
    dear = told(replace(bare, guards=(guard("jpeg", bare, (2.0, 2.2), *arms),)))
    cheap = told(replace(bare, guards=(guard("jpeg", bare, (3.0, 3.2), *arms),)))
    assert "It costs 1.10 (0.90–1.30) bits of the clean service" in plain(dear.defense)
    assert "no demonstrable part of the clean service, but it could still cost up to 0.30 bits" in plain(cheap.defense)


def test_a_leak_is_told_beside_the_worst_attack() -> None:
    leak = line("mia", "read", span("adversary_bits", "attacked", 0.02, 0.1, withheld=True), possible=None)
    none = line("mia", "read", span("adversary_bits", "attacked", 0.0, 0.1, withheld=True), possible=None)
    assert "mia reads 0.02–0.10 bits of a secret" in plain(told(jam((0.2, 0.4)), leak).attack)
    assert "no demonstrable part of a secret, but up to 0.10 bits could still be read" in plain(told(none).attack)
    assert "a secret can be read" in plain(told(leak).verdict)


def test_the_ceiling_is_stated_only_where_it_is_known() -> None:
    assert "of the 3.32 that are possible" in plain(told(jam((0.2, 0.4))).clean)
    assert "possible" not in plain(
        told(line("sga", "jam", span("utility_bits", "clean", 3.1, 3.3), span("utility_bits", "attacked", 0.2, 0.4), possible=None)).clean
    )


def test_success_in_the_papers_terms_is_told_with_its_interval() -> None:
    bare = jam((0.1, 0.5), withheld=True)
    rate = Number(0.9, 0.85, 0.94, 400, "success at R@1", unit="share", arm="attacked", better="attacker", headline=True)
    assert bare.channel is not None
    said = told(replace(bare, channel=replace(bare.channel, rates=(rate,))))
    assert "In its paper's own terms, success at R@1: 90.0% (85.0–94.0%)." in plain(said.attack)
    assert "paper's own terms" not in plain(told(bare).attack)


def test_names_from_the_run_are_marked_as_said() -> None:
    said = answer((jam((0.2, 0.4), threat="<b>"),), NAMES)
    assert "<b>" in [getattr(part, "text", "") for part in said.attack]


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ((0.0, 0.1), "The adversary is the only user here, and gets what they ask for: 0.70 (0.50–0.90) bits under sga."),
        ((0.3, 0.6), "No attack of this run is shown to get what the adversary asks for; it could still be 0.70 (0.50–0.90) bits."),
    ],
)
def test_a_generator_that_gives_what_it_must_not_is_no_run_without_a_finding(without: tuple[float, float], said: str) -> None:
    """There is no user beside the adversary, and so no utility that could be ranked."""
    control = span("drawn", "clean", *without)
    rate = replace(span("drawn", "attacked", 0.4, 0.8), headline=True, control=control)
    one = line("sga", "write", span("adversary_bits", "attacked", 0.5, 0.9))
    assert one.channel is not None
    held = replace(one.channel, rates=(rate,))
    assert plain(told(replace(one, channel=held)).verdict).startswith(said)
