"""What an audit found in the headline: zero with a limit, one unit, and the worst of many."""

from pathlib import Path
from types import ModuleType

import pytest
from telling import GOOD, TAKEN, Made, Told

from hartley.report.numbers import Number
from hartley.report.ranking import margin, ranked, rescue, stretch, widened
from hartley.runs.export import rows

# audit 7: a service that is destroyed has a point


def test_audit_7_zero_with_a_limit_is_a_point_in_every_output(made: ModuleType, tmp_path: Path) -> None:
    run = Made(made, tmp_path, "sga")
    channel = run.channel(TAKEN)
    nil = {"value": 0.0, "low": 0.0, "high": 0.14, "trusted": True, "why": "", "checks": {"equivalence_bits": 0.14}}
    channel["measures"][1]["bits"] |= nil | {"clusters": 24, "design_effect": 9.1, "n": 2185}
    run.add("sga", channel)
    told = run.told()
    assert "destroys the service: it leaves 0 (at most 0.14) bits" in told.page and "the service is destroyed" in told.verdict
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
    assert "sga need not be the worst: 1 of the 2 other channels compared is not demonstrably different (ties)" in told.verdict
    said = "by limits that hold for all 3 at once. Tied with it: badclip (image)."
    assert said in told.page and said in told.terminal and "One of 2 tied for the worst of 3 channels compared, sga" in told.page
    lanes = told.page[told.page.index("The channel, flow by flow") : told.page.index("A full pipe is")]
    assert "tied for the worst" not in lanes and "the worst of 2 threats" in lanes, "each flow has its own ranking"
    section = told.page[told.page.index("Worst first", told.page.index("Its margin, utility minus")) :]
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
