# ruff: noqa: RUF001 - the dashes are what the report prints
"""Runs of every kind in which a reader could take a sentence or a number wrongly, by name of the kind."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from telling import GOOD, TAKEN, Made, Measures, rate

from hartley.report import words
from hartley.report.answer import answer
from hartley.report.numbers import Number, of_bits
from hartley.report.sentences import plain
from hartley.runs.export import rows, to_csv

ONE_UNIT = {"low": 0.0, "high": 1.0, "clusters": 1, "estimator": "no limits, one cluster: how much others would differ cannot be told"}
READ: Measures = [("adversary_bits", "attacked", 0.25, 0.1, 0.5)]


def test_audit_3_a_rate_over_one_unit_has_no_limits_in_any_output(made: ModuleType, tmp_path: Path) -> None:
    """0 and 1 stand in the file for want of limits; read as measured they made a target with 90% right answers "too weak"."""
    run = Made(made, tmp_path, "sga")
    right = rate("right answers", "clean", 0.9, headline=False, better="user")
    run.add("sga", run.channel(TAKEN, [{**one, **ONE_UNIT} for one in (rate("ASR", "attacked", 0.5), rate("ASR", "clean", 0.1), right)]))
    told = run.told()
    assert "no service to attack" not in told.page.split("What the words mean")[0] and told.verdict.startswith("Under sga")
    assert "ASR: 50.0% (no interval; 10.0% without an attack)" in told.terminal and "ASR 50.0% [no interval]" in told.terminal
    assert "0.0–100.0%" not in told.page and "how much others would differ cannot be told" in told.page
    shares = [row for row in rows(told.run) if row["what"] == "rate"]
    assert shares and all(row["low"] is row["high"] is None and row["why"].startswith("no limits") and not row["weak"] for row in shares)
    assert ("success.high <= 1", told.check("success.high <= 1 under sga").exit_code) == ("success.high <= 1", 2)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (READ, "a secret can be read from it"),
        ([("adversary_bits", "attacked", None, 0.0, 0.6)], "reads a demonstrable part of a secret; up to 0.60 bits could still be read"),
    ],
)
def test_reading_5_a_run_that_only_reads_secrets_says_what_was_read(secret: Measures, said: str, made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "ko-vlm-mia")
    run.add("ko-vlm-mia", run.channel(secret, kind="read", name="s"))
    told = run.told()
    assert said in told.verdict and "says nothing" not in told.verdict and "from the service was not measured" in told.verdict


def test_audit_9_ties_among_readers_and_jams_are_said(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "ko-vlm-mia", "sga", "co-attack")
    run.add(
        "ko-vlm-mia",
        run.channel(READ, kind="read", name="a"),
        run.channel([("adversary_bits", "attacked", 0.2, 0.1, 0.6)], kind="read", name="b"),
    )
    for threat in ("sga", "co-attack"):
        run.add(threat, run.channel([*GOOD, ("utility_bits", "attacked", 1.6, 1.4, 1.8)], kind="jam"))
    told = run.told()
    assert "bits of a secret per use. Tied with it: ko-vlm-mia (a)." in told.page
    assert "takes the most" not in told.verdict and "is among those that take the most" in told.verdict
    assert "tied for the worst of 2 threats" in told.page[: told.page.index("A full pipe is")]


def test_reading_5_no_more_can_be_lost_than_was_sent(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga", "crossfire")
    held: Measures = [("utility_bits", "clean", None, 1.2, 3.0), ("utility_bits", "attacked", None, 0.0, 3.0),
                      ("adversary_bits", "attacked", None, 0.0, 2.0), ("margin_bits", "attacked", None, -2.0, 3.0)]  # fmt: skip
    for threat in ("sga", "crossfire"):
        run.add(threat, run.channel(held))
    told = run.told()
    assert "one could still take up to 3.00 bits" in told.verdict and "to 3.00 by limits that hold for all 2 at once" in told.terminal
    assert "the least may be left by" in told.page


def test_reading_4_a_defense_whose_adversary_was_not_measured_says_so(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga", "crossfire", defenses=("jpeg",))
    left: Measures = [("utility_bits", "defended", 2.8, 2.6, 3.0), ("utility_bits", "defended_attacked", 2.5, 2.4, 2.6)]
    for threat in ("sga", "crossfire"):
        run.add(threat, run.channel(TAKEN))
    run.add("sga", run.channel([*left, ("adversary_bits", "defended_attacked", 0.05, 0.0, 0.1)]), defense="jpeg")
    run.add("crossfire", run.channel(left), defense="jpeg")
    told = run.told()
    assert "what it leaves to the adversary was not measured" in told.page
    assert "Of the 2 channels on which a defense was measured, 1 have one demonstrably better than none." in told.page
    assert "jpeg: utility 2.50 [2.40–2.60], adversary 0.05 [0.00–0.10]" in told.terminal


def test_audit_9_other_seeds_are_not_called_other_channels(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    run.add("sga", run.channel(TAKEN))
    (line,) = run.told().lines
    said = plain(answer((line, replace(line, seed="1")), {"sga": "sga"}).verdict)
    assert "1 of the 1 other channels and seeds compared" in said


def test_left_alone_the_withheld_channels_are_not_left_out_of_the_range(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga", "badclip")
    run.add("sga", run.channel(TAKEN, name="a"), run.channel([("utility_bits", "clean", 2.4, 2.2, 2.6)], name="b"))
    run.add("badclip", run.channel([("utility_bits", "clean", None, 0.5, 2.9)]))
    said = "Over the 2 channels with a point it is 2.40 to 2.80; on 1 more the point is withheld, and it could be as low as 0.50."
    assert said in run.told().page


SPECTRUM = {"uncapped_bits": 14.9, "uncapped_low_bits": 13.7, "uncapped_high_bits": 16.1,
            "effective_dimension": 5.5, "effective_dimension_low": 4.4, "effective_dimension_high": 6.6}  # fmt: skip


def test_audit_10_what_stands_behind_a_capped_reading_is_shown_in_every_output(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    channel: dict[str, Any] = run.channel([*TAKEN, ("c_g_bits", "clean", 3.0, 3.0, 3.0)])
    channel["measures"][-2]["bits"]["checks"] = SPECTRUM
    run.add("sga", channel)
    told, said = run.told(), "uncapped 14.90 [13.70–16.10] bits, effective dimension 5.50 [4.40–6.60]"
    assert told.page.count(said) >= 2, "beside the reading and among all numbers"
    row = next(row for row in rows(told.run) if row["measure"] == "c_g_bits")
    assert '"effective_dimension": 5.5' in row["checks"] and "effective_dimension_low" in to_csv(told.run)


def test_an_estimate_whose_limits_fell_together_is_not_called_counted() -> None:
    record = {"kind": "c_g_bits", "value": 3.0, "low": 3.0, "high": 3.0, "trusted": True, "checks": SPECTRUM}
    capped, counted = of_bits(record, "clean"), of_bits({**record, "kind": "bandwidth_bits"}, "clean")
    quiet = Number(0.0, 0.0, 0.0, 100, "misinformation_bits", arm="clean")
    for number in (capped, quiet):
        assert not number.exact and number.span == "no interval" and "counted exactly" not in words.statement(number)
        assert "no certainty" in words.statement(number)
    assert "effective dimension 5.50" in words.statement(capped) and counted.exact and counted.spectrum == ""


def test_bandwidth_in_use_is_per_task_and_in_every_arm() -> None:
    said = words.QUANTITIES["used_bandwidth_bits"][1]
    assert "per task" in said and "per call" not in said and "under the condition named" in said


def test_reading_1_a_utility_without_limits_is_not_said_to_be_nothing(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    channel = run.channel(TAKEN)
    channel["measures"][0]["bits"] |= {"low": None, "high": None, "clusters": 1, "trusted": False, "why": "one cluster"}
    run.add("sga", channel)
    told = run.told()
    assert "delivers 2.80 bits with no limits to them (one cluster) of the 3.00 sent, not demonstrably more than 10%" in told.verdict
    assert "at least 0.00" not in told.page and told.check("adversary_bits.high <= 3 under sga").exit_code == 2


def test_reading_7_exhibits_say_that_they_were_picked(page: str) -> None:
    assert page.count("picked to show what the attack does") >= 8


def test_reading_4_the_verdict_says_what_the_defense_costs(made: ModuleType, tmp_path: Path) -> None:
    """A guard that silences the adversary by ending the service is no rescue; and of equal attacks the one that knows of it is named."""
    run = Made(made, tmp_path, "sga", defenses=("jpeg",))
    run.add("sga", run.channel(TAKEN))
    shut: Measures = [("utility_bits", "defended", 0.05, 0.0, 0.1)]
    for arm in ("defended_attacked", "defended_adaptive"):
        shut += [("utility_bits", arm, 0.05, 0.0, 0.1), ("adversary_bits", arm, 0.05, 0.0, 0.1)]
    run.add("sga", run.channel(shut), defense="jpeg")
    told = run.told()
    assert "of what the adversary gains, and costs most of the clean service." in plain(answer(told.lines, {"sga": "sga"}).verdict)
    assert "an attacker who knows of it" in told.page and "who does not know of it" not in told.terminal
