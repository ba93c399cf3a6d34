"""--trials is run as it is asked for, or a line says why not; the budgets' own numbers stay what they were."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from hartley.cli import main
from hartley.effort import EFFORTS, Effort
from hartley.evidence import Evidence
from hartley.runs.execute import effort_numbers, other_numbers
from hartley.scan_command import _other_numbers


def effort(trials: int, **more: int) -> Effort:
    return Effort("quick", **effort_numbers("quick", {"trials": trials, **more}))


@pytest.mark.parametrize("asked", [8, 24, 64, 96, 200, 1000])
@pytest.mark.parametrize(("share", "fewest", "most"), [(1.0, 1, None), (0.5, 96, None), (0.6, 1, None), (1.0, 1, 48)])
def test_what_is_asked_for_is_run(asked: int, share: float, fewest: int, most: int | None) -> None:
    assert effort(asked).trials_for(share, fewest=fewest, most=most) == asked


@pytest.mark.parametrize(
    ("budget", "share", "fewest", "most", "trials"),
    [
        ("quick", 1.0, 1, None, 200),
        ("quick", 0.5, 96, None, 100),
        ("quick", 0.6, 1, None, 120),
        ("quick", 1.0, 1, 48, 48),
        ("standard", 0.5, 96, None, 500),
        ("full", 0.6, 1, None, 1200),
    ],
)
def test_without_it_a_threat_takes_what_it_can_afford(budget: str, share: float, fewest: int, most: int | None, trials: int) -> None:
    plain = Effort(budget, **effort_numbers(budget, {}))
    assert plain == EFFORTS[budget] and plain.trials_for(share, fewest=fewest, most=most) == trials


def test_members_and_non_members_are_as_many_as_asked_for_but_where_a_plan_says_itself_how_many() -> None:
    assert (effort(24).members, effort(64).members, effort(24, members=20).members) == (12, 32, 20)


def table(clean: int, attacked: int) -> Evidence:
    rows, none = clean + attacked, np.full(clean + attacked, -1)
    arm = np.repeat([0, 1], [clean, attacked])
    return Evidence("image", "write", ("a",), ("b",), ("a",), arm, np.arange(rows), np.zeros(rows), none, np.zeros(rows), none)


@pytest.mark.parametrize(("clean", "attacked", "said"), [(24, 24, ""), (24, 20, "20 or 24"), (30, 30, "30")])
def test_another_number_is_said(clean: int, attacked: int, said: str) -> None:
    found = other_numbers(SimpleNamespace(effort=effort(24)), [table(clean, attacked)])
    assert [flag.why.startswith(f"--trials asks for 24; this channel has {said} in an arm") for flag in found] == ([True] if said else [])
    assert not other_numbers(SimpleNamespace(effort=EFFORTS["quick"]), [table(clean, attacked)])


def test_the_terminal_says_it_once_for_each_threat_and_reason() -> None:
    flags = [{"channel": channel, "arm": "", "name": "trials", "why": "24 asked, 16 there"} for channel in ("edge", "answer")]
    other = {"channel": "edge", "arm": "", "name": "server", "why": "adapted"}
    cells = [{"cell": {"threat": "agent-smith"}, "flags": [*flags, other]}, {"cell": {"threat": "agent-smith"}, "flags": flags}]
    assert _other_numbers(cells) == ["agent-smith (edge, answer): 24 asked, 16 there"]


@pytest.mark.parametrize("asked", ["1", "0", "-1", "7", "1000000001", "many", ""])
def test_a_number_that_cannot_be_run_is_one_line(asked: str) -> None:
    done = CliRunner().invoke(main, ["scan", "--trials", asked])
    assert done.exit_code == 2 and len(done.output.strip().splitlines()) == 1 and "--trials" in done.output
