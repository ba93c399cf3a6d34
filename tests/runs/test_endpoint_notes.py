"""What a cell says of the server it was measured on: how it was asked, how it was read, and where nothing can be said at all."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import run_fakes
from run_fakes import FAKES, MARKS

sys.path.insert(0, str(Path(__file__).parent.parent / "targets"))  # the loopback server is a helper of theirs
from dialect_server import DONE, HERMES, TOOLS, Loopback, Row, forbidden, loopback, message, native, refuses

from hartley.case import Case
from hartley.runs import forecast, systems, worker
from hartley.runs.allowance import Allowance
from hartley.runs.answering import settle
from hartley.runs.context import VERSIONS, Context
from hartley.runs.folder import Run
from hartley.runs.plan import Plan
from hartley.runs.store import Store
from hartley.targets.agent.agent import responses
from hartley.targets.conversation import ask
from hartley.targets.memory.lexical import Lexical

__all__ = ["loopback"]


@pytest.fixture(autouse=True)
def marks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv(MARKS, str(tmp_path / "marks"))
    for name in ("OPENAI_API_KEY", "HARTLEY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(systems, "embedder", lambda _own=False: Lexical())


def calling(case: Case) -> Any:
    """The fake recipe, with tools on offer."""
    questions = [ask(f"pay {number}", pictures=0) for number in range(4)]
    responses(case.target.policy, questions, TOOLS)  # type: ignore[attr-defined]
    return run_fakes.asks(case)


class Deaf:
    def send_bytes(self, content: bytes) -> None:
        """Nobody listens."""


def cell(loopback: Loopback, row: Row, root: Path, **allowed: Any) -> dict[str, Any]:
    """The record of one cell, measured in this process on a server that behaves so."""
    loopback.policy(row)
    target = f"openai:m@http://127.0.0.1:{loopback.server_address[1]}/v1"
    plan = Plan(("asks",), target, effort={"trials": 6}, endpoint=Allowance(**{"timeout_seconds": 30.0, "concurrency": 1, **allowed}))
    loaded = run_fakes.load(plan, True)
    context = Context(
        "",
        "",
        {"trials": 6, "steps": 1, "poison_pairs": 1, "members": 1, "epochs": 1},
        {"": "code"},
        dict.fromkeys(VERSIONS, "1"),
        system="s",
    )
    store = Store.prepare(root, plan, context)
    settle(loaded, store, plan.endpoint)
    (asked,) = plan.cells()
    worker._answer(Deaf(), {"root": str(root), "cell": asked.to_json(), "environment": context.environment()}, loaded, FAKES)  # type: ignore[arg-type]
    assert loaded.endpoint is not None
    loaded.endpoint.close()
    (record,) = Run.open(root).cells()
    return record


@pytest.fixture
def with_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(run_fakes.RECIPES, "asks", calling)


NO_ANSWERS = {
    "cut off by length": message("", "length"),
    "filtered by the server": message(None, "content_filter"),
    "empty answer": message(""),
    "server error": {"error": {"message": "Provider is overloaded", "code": 502}},
}


@pytest.mark.parametrize("words", NO_ANSWERS)
def test_a_server_that_gives_no_answers_is_not_measured(loopback: Loopback, tmp_path: Path, words: str) -> None:
    record = cell(loopback, Row(gives=NO_ANSWERS[words]), tmp_path / "run", timeout_seconds=1.0)
    assert record["status"] == "not measured" and record["why"].startswith(words), record["why"]


@pytest.mark.usefixtures("with_tools")
def test_a_cell_in_which_no_call_could_be_read_is_not_measured(loopback: Loopback, tmp_path: Path) -> None:
    broken = native('{"to": ')
    record = cell(loopback, Row(gives=lambda a: broken if a.get("tools") else message("yes")), tmp_path / "run")
    assert record["status"] == "not measured"
    assert record["why"].startswith("no call could be read: 4 turns had one, like: malformed call: its arguments are not valid JSON")


@pytest.mark.usefixtures("with_tools")
def test_a_cell_says_how_its_server_was_asked_and_read(loopback: Loopback, tmp_path: Path) -> None:
    no_seed = refuses(lambda a: "seed" in a, 422, forbidden("seed"))
    row = Row(takes=(no_seed,), gives=lambda a: message(f"<think>\nWell.\n</think>\n{HERMES}") if a.get("tools") else message(DONE))
    record = cell(loopback, row, tmp_path / "run")
    assert record["status"] == "measured"
    assert [(flag["name"], flag["channel"], flag["arm"]) for flag in record["flags"]] == [("server", "", "")] * 3
    assert [flag["why"] for flag in record["flags"]] == [
        "adapted: seed left out",
        "4 answers came with thinking, which is kept apart, and no part of the answer",
        "the server did not parse its model's calls: 4 turns with calls were read from the words",
    ]
    assert list(json.loads((tmp_path / "run" / "endpoint" / "dialect.json").read_text())) == ["without seed"]
    within = cell(loopback, row, tmp_path / "other", thinking_counts=True)
    assert any("which is a part of the answer" in flag["why"] for flag in within["flags"])


@pytest.mark.usefixtures("with_tools")
def test_a_server_that_shows_its_model_no_tools_measures_nothing_with_tools(loopback: Loopback, tmp_path: Path, monkeypatch: Any) -> None:
    def only_with_tools(case: Case) -> Any:
        said = responses(case.target.policy, [ask("pay", pictures=0)], TOOLS)  # type: ignore[attr-defined]
        return run_fakes.asks(case) if not any(isinstance(one, Exception) for one in said) else ()

    monkeypatch.setitem(run_fakes.RECIPES, "asks", only_with_tools)
    usage = {"completion_tokens": 1}
    row = Row(gives=lambda a: {**message("yes"), "usage": {**usage, "prompt_tokens": len(json.dumps(a["messages"]))}})
    record = cell(loopback, row, tmp_path / "run")
    assert record["status"] == "not measured" and record["why"].startswith("tools not shown to the model: usage.prompt_tokens is the same")


def test_an_estimate_gives_a_range_and_says_what_it_rests_on(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback.policy(Row(gives=message("yes")))
    target = f"openai:m@http://127.0.0.1:{loopback.server_address[1]}/v1"
    monkeypatch.setitem(run_fakes.RECIPES, "asks", calling)
    plan = Plan(("asks",), target, effort={"trials": 6}, endpoint=Allowance())
    (line,) = forecast.lines(plan, plan.cells(), None, FAKES)
    # Four questions with tools, at 3, 5 and 8 steps each, and six without: 18 to 38, and .8 to 1.4 of these.
    assert line.startswith("estimate: about 26 requests: about ")
    assert "; between 15 requests in " in line and " and 54 in " in line
    assert line.endswith("by 3 to 8 steps a task, what other answers make of it, and the quickest and slowest of 4 answers just now")


def test_an_estimate_keeps_to_the_timeout_of_the_plan() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"openai:m@http://127.0.0.1:{silent.getsockname()[1]}/v1"
        begun = time.monotonic()
        plan = Plan(("asks",), target, effort={"trials": 6}, endpoint=Allowance(timeout_seconds=0.5))
        lines = forecast.lines(plan, plan.cells(), None, FAKES)
    assert "timed out" in lines[1] and time.monotonic() - begun < 10
    assert Allowance(timeout_seconds=900.0).settings().read == 900.0, "nor does a silent server end sooner than the plan says"
