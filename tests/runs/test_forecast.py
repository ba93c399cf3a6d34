"""What a scan of a server will cost: every recipe rehearsed on a policy that counts, and a few short questions to the server."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import pytest
import run_fakes
from run_fakes import FAKES

from hartley.runs import forecast, systems
from hartley.runs.allowance import Allowance
from hartley.runs.plan import Plan
from hartley.runs.shipped import PARTS
from hartley.targets.conversation import Message, ask
from hartley.targets.endpoint.server import Server
from hartley.targets.memory.lexical import Lexical
from hartley.targets.scripted import ScriptedPolicy
from hartley.targets.system import System

TOOL = {"type": "function", "function": {"name": "pay", "description": "", "parameters": {}}}


@pytest.fixture(autouse=True)
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "embedder", lambda _own=False: Lexical())


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(ScriptedPolicy({"": [Message("assistant", "done")]})) as one:
        yield one


def plan(url: str, *threats: str, trials: int = 6, **allowed: object) -> Plan:
    return Plan(threats, f"openai:scripted@{url}", effort={"trials": trials}, endpoint=Allowance.from_table(allowed))


def rehearsed(asked: Plan, **more: object) -> forecast.Rehearsal:
    system = System("s", ScriptedPolicy({}), Lexical(), reference=False)
    return forecast.rehearse(asked, asked.cells(), system, FAKES, **more)  # type: ignore[arg-type]


def test_the_same_request_is_counted_once_and_a_task_with_tools_takes_steps() -> None:
    counting = forecast.Counting()
    said = counting.respond([ask("a", pictures=0), ask("b", pictures=0), ask("a", pictures=0)], [])
    assert said == [Message("assistant", "done")] * 3 and counting.requests == 2
    counting.respond([ask("a", pictures=0)], [TOOL])
    assert counting.requests == 2 + forecast.STEPS


def test_trials_are_scaled_up_and_cells_with_a_defense_come_last() -> None:
    url = "http://127.0.0.1:9/v1"
    assert rehearsed(plan(url, "asks")).requests == 6
    assert rehearsed(plan(url, "asks", trials=2 * forecast.REHEARSED_TRIALS)).requests == 2 * forecast.REHEARSED_TRIALS
    guarded = dataclasses.replace(plan(url, "asks"), defenses=("shield",))
    # The fake defense is refused, and the questions are those of the cell without it, so nothing is added.
    assert rehearsed(guarded).requests == 6
    clock = itertools.chain([0.0, 0.0], itertools.repeat(forecast.REHEARSAL_SECONDS))
    late = rehearsed(guarded, clock=lambda: next(clock))
    assert late.requests == 6 * (1 + forecast.DEFENDED_SHARE) and late.unsure == ()


def test_a_recipe_that_stumbles_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(run_fakes.RECIPES, "asks", run_fakes.raises)
    found = rehearsed(plan("http://127.0.0.1:9/v1", "asks", "asks-too"))
    assert (found.requests, found.unsure) == (6, ("asks",))


def test_the_estimate_names_requests_time_tokens_and_money_and_passes_the_budget(server: Server, tmp_path) -> None:
    asked = plan(server.url, "asks", read_price=10.0, written_price=20.0, max_requests=8)
    first, second = forecast.lines(asked, asked.cells(), tmp_path, FAKES)
    assert first.startswith("estimate: about 6 requests: about ") and " tokens, about 0.00 USD" in first
    assert second == "that is more than the budget of 8 requests; the scan will stop there, and keep what is done"
    assert (tmp_path / "endpoint" / "spent.json").read_text().startswith('{"requests": 6,'), "the questions are paid for as well"


def test_what_cannot_be_asked_is_said_and_the_rehearsal_still_counts(server: Server, tmp_path) -> None:
    poor = plan(server.url, "asks", max_requests=0)
    said = forecast.lines(poor, poor.cells(), tmp_path, FAKES)
    assert said == ("estimate: about 6 requests", "the budget of 0 requests is used up: 0 requests, 0 tokens read, 0 written")
    wrong = dataclasses.replace(poor, target=f"openai:another@{server.url}", endpoint=Allowance())
    said = forecast.lines(wrong, wrong.cells(), None, FAKES)
    assert said[0] == "estimate: about 6 requests" and "the server gave no answer to a first question: 404" in said[1]


def test_only_servers_cost_something() -> None:
    there = Plan(("p2sql",), "reference:agent")
    assert PARTS.forecast(there, there.cells(), None) == ()
    served = Plan(("p2sql",), "openai:m@http://127.0.0.1:9/v1")
    assert PARTS.forecast(served, (), None) == ()


def test_tasks_that_begin_alike_and_go_different_ways_are_counted_each_but_for_their_beginning() -> None:
    counting = forecast.Counting(beginnings=True)
    counting.respond([ask("a", pictures=0)] * 3, [TOOL])
    assert counting.requests == 1 + 3 * (forecast.STEPS - 1)
    counting.respond([ask("a", pictures=0)] * 2, [])
    assert counting.requests == 2 + 3 * (forecast.STEPS - 1), "without tools there is no further step"
