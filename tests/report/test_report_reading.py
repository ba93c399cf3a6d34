# ruff: noqa: RUF001 - the dashes and the minus sign are what the report prints
"""What a reader was once made to believe, entry by entry, and what the outputs say in its place."""

import csv
import io
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from telling import GOOD, TAKEN, WEAK, Made, Measures, rate

from hartley.report.lines import of
from hartley.report.ranking import ranked
from hartley.report.records import cells
from hartley.runs.export import rows, to_csv
from hartley.runs.folder import Run

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


def test_reading_8_on_a_narrow_screen_the_long_table_is_folded_and_opens(opened: Any, report_file: Path) -> None:
    wide, _ = opened(report_file)
    assert wide.locator("table.threats").is_visible() and not wide.locator(".widefold > summary").is_visible()
    narrow, events = opened(report_file, viewport={"width": 390, "height": 844})
    assert not narrow.locator("table.threats").is_visible() and events == []
    assert narrow.locator("#threats").bounding_box()["height"] < 1000
    narrow.locator(".widefold > summary").click()
    assert narrow.locator("table.threats").is_visible()
    plain, _ = opened(report_file, viewport={"width": 390, "height": 844}, java_script_enabled=False)
    assert plain.locator("table.threats").is_visible(), "without a script nothing is hidden"
