# ruff: noqa: RUF001 - the dashes and the minus sign are what the report prints
"""What a reader was once made to believe, entry by entry, and what the outputs say in its place."""

import csv
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hartley import catalog
from hartley.report import build
from hartley.report.lines import Line, of
from hartley.report.numbers import Number
from hartley.report.ranking import margin, ranked, rescue, stretch, widened
from hartley.report.records import cells
from hartley.report.terminal import summary
from hartley.runs.check import CheckResult, check
from hartley.runs.export import rows, to_csv
from hartley.runs.folder import Run
from hartley.runs.plan import Plan


@dataclass
class Told:
    """What every output says of one made-up run."""

    run: Run
    source: str

    @property
    def page(self) -> str:
        text = self.source[self.source.index("</style>") :]
        tipless = re.sub(r'<span class="tip".*?</span></span>', "</span>", text, flags=re.S)
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", tipless)))

    @property
    def verdict(self) -> str:
        found = re.search(r'<div class="verdict">(.*?)</div>', self.source, re.S)
        assert found is not None
        tipless = re.sub(r'<span class="tip".*?</span></span>', "</span>", found[1], flags=re.S)
        return " ".join(re.sub(r"<[^>]+>", "", tipless).split())

    @property
    def terminal(self) -> str:
        return "\n".join(summary(self.run.root))

    @property
    def lines(self) -> tuple[Line, ...]:
        return of(cells(self.run), [row.id for row in catalog.threats()])

    def check(self, rule: str) -> CheckResult:
        return check(self.run, [rule], catalog)


Measures = list[tuple[str, str, float | None, float, float]]


class Made:
    """One made-up run, built cell by cell from (kind, arm, value, low, high) and rates."""

    def __init__(self, made: ModuleType, folder: Path, *threats: str, defenses: tuple[str, ...] = ()) -> None:
        self.made, self.folder = made, folder
        self.maker = made.Maker(folder)
        self.maker.plan(Plan(threats, "reference:encoder", defenses=defenses))

    def bits(self, kind: str, value: float | None, low: float, high: float, **more: Any) -> dict[str, Any]:
        return {**self.made.bits(kind, value, low, high, 400, "halves disagree" if value is None else ""), **more}

    def channel(self, measures: Measures, rates: list[dict[str, Any]] | None = None, kind: str = "write", name: str = "image") -> Any:
        numbers = [{"arm": arm, "bits": self.bits(what, *three)} for what, arm, *three in measures]
        numbers.append({"arm": "clean", "bits": self.bits("sent_bits", 3.0, 3.0, 3.0)})
        return {"name": name, "kind": kind, "rates": rates or [], "measures": numbers, "costs": []}

    def add(self, threat: str, *channels: Any, defense: str = "none", **parts: Any) -> None:
        self.maker.cell(threat, defense, channels=list(channels), **parts)

    def told(self) -> Told:
        return Told(Run.open(self.folder), build(self.folder))


def rate(name: str, arm: str, value: float, half: float = 0.05, *, headline: bool = True, better: str = "attacker") -> dict[str, Any]:
    low, high = max(0.0, value - half), min(1.0, value + half)
    return {"name": name, "arm": arm, "value": value, "low": low, "high": high, "n": 100, "estimator": "cp",
            "headline": headline, "better": better}  # fmt: skip


GOOD: Measures = [("utility_bits", "clean", 2.8, 2.6, 3.0)]
TAKEN: Measures = [
    *GOOD,
    ("utility_bits", "attacked", 0.4, 0.3, 0.5),
    ("adversary_bits", "attacked", 2.0, 1.9, 2.1),
    ("margin_bits", "attacked", -1.6, -1.8, -1.4),
]
WEAK: Measures = [
    ("utility_bits", "clean", None, 0.0, 0.14),
    ("utility_bits", "attacked", None, 0.0, 0.14),
    ("adversary_bits", "attacked", 1.07, 0.9, 1.2),
    ("margin_bits", "attacked", None, -1.2, -0.8),
]


# 1. A target that cannot do the clean tasks


def test_reading_1_a_target_too_weak_to_be_attacked_is_the_first_sentence(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    run.add("sga", run.channel(WEAK, [rate("ASR", "attacked", 0.84), rate("ASR", "clean", 0.1)]))
    told = run.told()
    assert told.verdict.startswith("There is no service to attack: ") and "This run cannot tell" in told.verdict
    assert "left alone it delivers 0.00 to 0.14 bits of the 3.00 sent" in told.verdict and "still writes" not in told.verdict
    assert "writes shows all the same: 1.07" in told.verdict, "what is written on such a target is no secret"
    assert "demonstrable part of the service" not in told.page
    lanes = told.page[told.page.index("The channel, flow by flow") : told.page.index("A full pipe is")]
    assert "sga, no service to attack" in lanes
    sentences = told.terminal.split("\n\n")[-1]
    assert sentences.startswith("There is no service to attack: ") and "no service to attack" in told.terminal.split("\n\n")[0]
    assert all("delivers 0.00 to 0.14" in row["weak"] for row in rows(told.run))
    for rule in ("adversary_bits.high <= 2.0 under sga", "success.high <= 0.99 under any", "utility_bits.high <= 9 when clean"):
        result = told.check(rule)
        assert result.exit_code == 2 and "no service to attack" in result.unmeasured[0].detail and result.weak
    assert told.check("adversary_bits.high <= 0.5 under sga").exit_code == 1, "what breaks a rule breaks it on a weak target too"


@pytest.mark.parametrize(
    ("measures", "accuracy", "weak"),
    [
        ([("utility_bits", "clean", 0.5, 0.2, 0.8)], None, True),  # a tenth of 3.00 lies above the lower limit
        ([("utility_bits", "clean", 0.5, 0.35, 0.8)], None, False),
        ([("utility_bits", "clean", 1.2, 0.9, 1.5)], 0.13, True),  # informative, and never right
        ([("utility_bits", "clean", 1.2, 0.9, 1.5)], 0.4, False),
        ([("utility_bits", "clean", None, 0.0, 3.0)], 0.95, False),  # too few trials for bits, not for a share
        ([("utility_bits", "clean", None, 0.0, 3.0)], None, True),
        ([("utility_bits", "clean", 0.0, 0.0, 0.1)], None, True),
    ],
)
def test_reading_1_what_counts_as_a_service(
    measures: Measures, accuracy: float | None, weak: bool, made: ModuleType, tmp_path: Path
) -> None:
    run = Made(made, tmp_path, "sga")
    right = [] if accuracy is None else [rate("zero-shot accuracy", "clean", accuracy, headline=False, better="user")]
    run.add("sga", run.channel(measures, right))
    (line,) = of(cells(Run.open(tmp_path)), ["sga"])
    assert bool(line.weak) is weak, line.weak


def test_reading_1_a_secret_stands_and_falls_with_the_service_beside_it(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "spill-the-beans", "sga")
    secret = [("adversary_bits", "attacked", None, 0.0, 0.1)]
    run.add("spill-the-beans", run.channel(secret, kind="read", name="passwords"), run.channel(WEAK[:1], kind="jam", name="service"))
    run.add("sga", run.channel(TAKEN, [rate("ASR", "attacked", 0.9), rate("ASR", "clean", 0.0)]))
    told = run.told()
    assert told.verdict.startswith("On 2 of 3 channels there is no service to attack (spill-the-beans (passwords)")
    assert "Under sga the adversary has more say" in told.verdict
    assert told.check("adversary_bits.high <= 1 under spill-the-beans").exit_code == 2
    assert told.check("adversary_bits.high <= 3 under sga").exit_code == 0
    assert {line.threat for line in told.lines if line.weak} == {"spill-the-beans"}
    assert [place.line.threat for place in ranked(told.lines).places] == ["sga"] and not ranked(told.lines, reading=True).places


# 2. Rates without their control


@pytest.mark.parametrize(
    ("attacked", "clean", "said"),
    [
        (0.385, 0.615, ": demonstrably less than without an attack"),
        (0.444, 0.444, ": not demonstrably more than without an attack"),
        (0.9, 0.02, "."),
        (0.9, None, "."),
    ],
)
def test_reading_2_the_rate_without_an_attack_stands_beside_it_everywhere(
    attacked: float, clean: float | None, said: str, made: ModuleType, tmp_path: Path
) -> None:
    run = Made(made, tmp_path, "crossfire", defenses=("jpeg",))
    control = [] if clean is None else [rate("hits", "clean", clean)]
    run.add("crossfire", run.channel(TAKEN, [rate("hits", "attacked", attacked), *control]))
    held = [("utility_bits", "defended", 2.8, 2.6, 3.0), ("utility_bits", "defended_attacked", 2.7, 2.5, 2.9),
            ("adversary_bits", "defended_attacked", 0.1, 0.0, 0.2)]  # fmt: skip
    run.add(
        "crossfire",
        run.channel(held, [rate("hits", arm, value) for arm, value in (("clean", 0.6), ("defended", 0.3), ("defended_attacked", 0.1))]),
        defense="jpeg",
    )
    told, shown = run.told(), f"{100 * attacked:.1f}%"
    words = "no control was measured" if clean is None else f"{100 * clean:.1f}% without an attack"
    sentence = told.page[told.page.index("In its paper's own terms") :]
    assert re.match(rf"In its paper's own terms, hits: {shown} .*?\({words}\){re.escape(said)}", sentence)
    for part in ("map", "threats", "parts"):
        section = told.source[told.source.index(f'<section id="{part}"') :]
        text = re.sub(r"<[^>]+>", "", section[: section.index("</section>")])
        assert re.search(rf"{shown} [0-9.–%]+ \({words}\)", text), part
    assert "10.0% 5.0–15.0% (30.0% without an attack)" in told.page, "a defended arm's control is the defended one"
    assert re.search(rf"hits {shown} .*\({words.removesuffix(' an attack')}\)", told.terminal)
    table = list(csv.DictReader(io.StringIO(to_csv(told.run), newline="")))
    row = next(row for row in table if row["arm"] == "attacked" and row["measure"] == "hits")
    assert row["control"] == ("" if clean is None else repr(clean)) and bool(row["control_low"]) is (clean is not None)
    assert ("no control was measured" in row["why"]) is (clean is None)
    beside = "no control was measured" if clean is None else f"({clean:.4g} [" if clean else ""
    assert beside in told.check("success.high <= 1 under crossfire").verdicts[0].detail


def test_reading_2_what_only_an_attack_can_plant_has_no_control_to_miss(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "p2sql")
    run.add("p2sql", run.channel(TAKEN, [rate("attack success", "attacked", 0.9), rate("attack success", "clean", 0.0),
                                         rate("injection read", "attacked", 1.0, headline=False)]))  # fmt: skip
    assert "no control was measured" not in run.told().page


# 4. Best defense


def guarded(run: Made, defense: str, low: float, high: float, *, adversary: bool = True) -> None:
    value = (low + high) / 2
    measures: Measures = [("utility_bits", "defended", 2.8, 2.6, 3.0), ("utility_bits", "defended_attacked", value, low, high)]
    measures += [("adversary_bits", "defended_attacked", 0.05, 0.0, 0.1)] if adversary else []
    run.add("sga", run.channel(measures), defense=defense)


@pytest.mark.parametrize(
    ("jpeg", "bits", "said"),
    [
        (((0.3, 0.5), True), ((0.3, 0.5), True), "Of the 2 defenses measured none is demonstrably better than no defense"),
        (((2.6, 2.8), True), ((2.6, 2.8), True), "2 are demonstrably better than no defense, but none than every other"),
        (((2.6, 2.8), False), ((0.3, 0.5), False), "Of the 2 defenses measured none is demonstrably better"),
        (((2.6, 2.8), True), ((0.5, 0.7), True), "The best defense against it, JPEG compression"),
    ],
)
def test_reading_4_best_needs_a_demonstrated_difference(jpeg: Any, bits: Any, said: str, made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga", defenses=("bit-reduction", "jpeg"))
    bare: Measures = [*GOOD, ("utility_bits", "attacked", 0.4, 0.3, 0.5), ("adversary_bits", "attacked", 0.05, 0.0, 0.1)]
    run.add("sga", run.channel(bare))
    for defense, (span, adversary) in (("jpeg", jpeg), ("bit-reduction", bits)):
        guarded(run, defense, *span, adversary=adversary)
    told = run.told()
    assert said in told.page and said in told.terminal
    best = "The best defense" in said
    for text in (told.page[: told.page.index("What the words mean")], told.terminal):
        assert ("best defense" in text.lower()) is best
    (line,) = told.lines
    assert (line.best is not None) is best


# 5. What is not demonstrated is said in numbers


def test_reading_5_what_could_still_be_lost_is_said(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga", defenses=("jpeg",))
    run.add("sga", run.channel([*GOOD, ("utility_bits", "attacked", 0.4, 0.3, 0.5), ("adversary_bits", "attacked", None, 0.0, 0.35)]))
    guarded(run, "jpeg", 2.4, 2.6)
    told = run.told()
    for text in (told.page, told.terminal):
        assert "no demonstrable part of the clean service, but it could still cost up to 0.40 bits" in text
        assert "no demonstrable say, but it could still be up to 0.35 bits" in text
    assert "could still be up to 0.40" in told.page[told.page.index("Defenses side by side") :]


def test_reading_5_an_attack_that_shows_nothing_is_told_with_what_it_could_be(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    run.add("sga", run.channel([*GOOD, ("utility_bits", "attacked", 2.7, 2.5, 2.9), ("adversary_bits", "attacked", None, 0.0, 0.2)]))
    assert "one could still take up to 0.50 bits and give the adversary up to 0.20" in run.told().verdict


# 6. "All cells were measured" above withheld numbers


def test_reading_6_all_cells_never_stands_without_what_is_withheld(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    run.add("sga", run.channel([*GOOD, ("utility_bits", "attacked", None, 0.0, 0.5)]))
    told, said = (
        run.told(),
        "Of the 3 numbers in bits in the table of threats 1 are withheld (only a bracket is stated) and 1 were not measured.",
    )
    assert f"All 1 cells of this run ended with a result. {said}" in told.page and said in told.terminal
    assert "cells of this run were measured" not in told.page and "everything" not in told.page.lower().split("what the words mean")[0]


# 7. An exhibit of a success on a trial that was wrong before


def test_reading_7_a_trial_that_was_wrong_before_is_labelled(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    right, wrong = (made.exhibit("image", "two", "nine", "nine", image=run.maker.image()) for _ in range(2))
    wrong["outcome_clean"] = "four"
    run.add("sga", run.channel(TAKEN), exhibits=[right, wrong])
    assert run.told().page.count("Not right before the attack either") == 1


# 8. Limits of an interface, amplification, timestamps, height


def test_reading_8_limits_of_an_interface_stand_apart_with_a_sentence(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    tables = "".join(re.findall(r'<table class="(?:guards|threats)">.*?</table>', page, re.S))
    assert "bandwidth" not in re.sub(r'class="tip".*?</span></span>', "", tables, flags=re.S).lower() and "cut bound" not in tables
    places = re.findall(r'<div class="through">.*?</div></div>', page, re.S)
    assert places and all("It is no measurement of what this attack said" in place for place in places) and "61.40" in "".join(places)
    assert "drawn 8 times as strong as it is, around middle gray" in text and "× 8" not in text


def test_reading_8_a_timestamp_never_breaks_and_threats_are_folded_and_words_lead_to_the_glossary(
    page: str, opened: Any, report_file: Path
) -> None:
    assert '<span class="tight">2026-01-01</span>' in page and '<span class="tight">12:00:00 UTC</span>' in page
    shown, events = opened(report_file)
    folds = shown.locator("details.threatfold")
    assert folds.count() >= 10 and shown.locator("details.threatfold[open]").count() == 0
    assert shown.evaluate("document.documentElement.scrollHeight") < 12_000 and events == []
    tops = [shown.locator(part).bounding_box()["y"] for part in ("#answer", ".toc", "#map", "#ranking", "#threats", "#parts", "#reading")]
    assert tops == sorted(tops)
    links = {link.get_attribute("href") for link in shown.locator("a[href^='#g-']").all()}
    assert {"#g-margin", "#g-withheld", "#g-utility-bits", "#g-adversary-bits", "#g-limits-for-all-at-once"} <= links
    assert all(shown.locator(str(link)).count() == 1 for link in links)
    shown.locator("table.threats a[href^='#t-']").first.click()
    shown.locator("details.threatfold[open]").wait_for(timeout=3000)  # a link into a fold opens it


# audit 7: a service that is destroyed has a point


def test_audit_7_zero_with_a_limit_is_a_point_in_every_output(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    channel = run.channel(TAKEN)
    nil = {"value": 0.0, "low": 0.0, "high": 0.14, "trusted": True, "why": "", "checks": {"equivalence_bits": 0.14}}
    channel["measures"][1]["bits"] |= nil | {"clusters": 24, "design_effect": 9.1, "n": 2185}
    run.add("sga", channel)
    told = run.told()
    assert "destroys the service: it leaves 0 (at most 0.14) bits" in told.page and "it destroys the service" in told.verdict
    assert "0 (at most 0.14)" in told.terminal and "~" not in told.terminal.split("\n")[1]
    assert "withheld" not in told.page[told.page.index("Threats") : told.page.index("Threat by threat")]
    assert "0 (at most 0.14)" in told.check("utility_bits.high <= 1 under sga").verdicts[0].detail
    row = next(row for row in rows(told.run) if row["arm"] == "attacked" and row["measure"] == "utility_bits")
    assert (row["value"], row["high"], row["clusters"], row["design_effect"]) == (0.0, 0.14, 24, 9.1)
    assert "Utility, attacked: 2,185 in 24 units, design effect 9.1" in told.page


def test_audit_3_with_one_unit_the_interval_is_withheld_with_its_reason(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    channel = run.channel(TAKEN)
    alone = {
        "value": 0.4,
        "low": None,
        "high": None,
        "clusters": 1,
        "design_effect": None,
        "trusted": False,
        "why": "one society has no spread",
    }
    channel["measures"][1]["bits"] |= alone
    run.add("sga", channel)
    told = run.told()
    assert "leaves 0.40 (no interval) bits" in told.page and "0.40 [no interval]" in told.terminal
    assert "400 in 1 unit" in told.page and "one society has no spread" in told.page
    assert "not measured" in told.check("utility_bits.low >= 0 under sga").verdicts[0].state
    assert "Under sga the adversary has more say" in told.verdict, "the margin still has its limits"


# audit 9: the headline


def number(value: float | None, low: float | None, high: float | None, clusters: int | None = None, name: str = "margin_bits") -> Number:
    return Number(value, low, high, 100, name, clusters=clusters)


def test_audit_9_limits_hold_for_all_that_are_compared() -> None:
    assert stretch(1, None) == stretch(1, 8) == 1.0
    assert stretch(27, None) == pytest.approx(3.11298 / 1.95996, rel=1e-4)
    assert stretch(27, 8) == pytest.approx(4.852 / 2.3646, rel=1e-3) and stretch(27, 8) > stretch(27, 20) > stretch(27, None)
    point = widened(number(-1.0, -1.4, -0.8), 27)
    assert point.low == pytest.approx(-1 - 0.4 * stretch(27, None)) and point.high == pytest.approx(-1 + 0.2 * stretch(27, None))
    held = widened(number(None, 0.0, 1.0), 27)
    assert held.low == pytest.approx(0.5 - 0.5 * stretch(27, None)) and held.high == pytest.approx(0.5 + 0.5 * stretch(27, None))
    assert widened(number(0.1, 0.0, 0.4, name="utility_bits"), 27).low == 0.0
    assert widened(number(None, None, 0.4), 27) == number(None, None, 0.4)


def ranking_of(made: ModuleType, folder: Path, **margins: tuple[float, float, float]) -> Told:
    run = Made(made, folder, *margins)
    for threat, (clean, utility, adversary) in margins.items():
        left = utility - adversary
        run.add(threat, run.channel([("utility_bits", "clean", clean, clean - 0.1, clean + 0.1),
                                     ("utility_bits", "attacked", utility, max(0.0, utility - 0.1), utility + 0.1),
                                     ("adversary_bits", "attacked", adversary, max(0.0, adversary - 0.1), adversary + 0.1),
                                     ("margin_bits", "attacked", left, left - 0.2, left + 0.2)]))  # fmt: skip
    return run.told()


def test_audit_9_a_poorer_service_is_not_the_worse_attacked(made: ModuleType, tmp_path: Path) -> None:
    """-0.9 of a clean utility of 0.6 is -1.5 of it, and -2.6 of 3.0 only -0.9; the margin is what the user is left with."""
    told = ranking_of(made, tmp_path, sga=(0.6, 0.1, 1.0), badclip=(3.0, 0.2, 2.8))
    assert [place.line.threat for place in ranked(told.lines).places] == ["badclip", "sga"]
    assert "badclip is demonstrably the worst of the 2 channels compared" in told.verdict


def test_audit_9_ties_are_said_to_be_ties(made: ModuleType, tmp_path: Path) -> None:
    told = ranking_of(made, tmp_path, sga=(2.8, 0.3, 2.5), badclip=(2.8, 0.3, 2.4), crossfire=(2.8, 2.3, 0.5))
    assert "1 of the 2 other channels compared is not demonstrably different from sga: ties" in told.verdict
    said = "by limits that hold for all 3 at once; badclip (image) is not demonstrably different"
    assert said in told.page and said in told.terminal
    section = told.page[told.page.index("Worst first", told.page.index("What the user keeps")) :]
    assert section.count("tied for the worst") == 2 and section.count("demonstrably less bad") == 1


def test_audit_9_the_worst_of_many_noisy_margins_is_no_finding(made: ModuleType, tmp_path: Path) -> None:
    """One of 20 unchanged channels lies below 95% limits; by limits that hold for all 20 nothing is claimed."""
    run = Made(made, tmp_path, "sga")
    quiet = [("utility_bits", "clean", 2.8, 2.7, 2.9), ("utility_bits", "attacked", 2.75, 2.65, 2.85)]
    odd = [("utility_bits", "clean", 2.9, 2.81, 2.99), ("utility_bits", "attacked", 2.7, 2.6, 2.8)]
    run.add("sga", *(run.channel(quiet, kind="jam", name=f"c{at}") for at in range(19)), run.channel(odd, kind="jam", name="odd"))
    assert run.told().verdict.startswith("No attack of this run takes a demonstrable part of the service; one could still take up to")
    run = Made(made, tmp_path / "alone", "sga")
    run.add("sga", run.channel(odd, kind="jam"))
    assert run.told().verdict.startswith("Attacks take a part of the service")


def test_audit_9_a_jam_is_ranked_by_the_utility_that_it_leaves(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    jam = run.channel([*GOOD, ("utility_bits", "attacked", 0.4, 0.3, 0.5)], kind="jam")
    writes = run.channel([*GOOD, ("utility_bits", "attacked", 0.4, 0.3, 0.5)], name="other")
    run.add("sga", jam, writes)
    (first, second) = run.told().lines
    assert margin(first, "jam", "attacked").value == 0.4
    left = margin(second, "write", "attacked")
    assert (left.value, left.low, left.high) == (None, None, 0.5), "without the adversary's bits only an upper limit is left"
    assert rescue(first).strongest is None
