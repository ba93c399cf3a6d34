"""A scan of a server that misbehaves: every cell says why it was not measured, nothing waits beyond its limit, no key is written."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import logging
import os
import re
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import run_fakes
from run_fakes import FAKES, MARKS

from hartley.runs import worker
from hartley.runs.allowance import Allowance
from hartley.runs.answering import settle
from hartley.runs.context import VERSIONS, Context
from hartley.runs.folder import Run
from hartley.runs.local import run
from hartley.runs.plan import Plan
from hartley.runs.store import Store
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.keys import HIDDEN
from hartley.targets.endpoint.outcomes import RETRIED, Reason

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("misbehaving", HERE.parent / "targets" / "test_endpoint_failures.py")
assert _spec is not None and _spec.loader is not None
misbehaving: Any = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(misbehaving)

CANARY, says, choice, head, forever = misbehaving.CANARY, misbehaving.says, misbehaving.choice, misbehaving.head, misbehaving.forever
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in CANARY)
LIMIT_SECONDS = 1.5
PATIENCE_SECONDS = 900
"""For a whole scan: the packages alone take a minute to import where everything is busy. Each cell's own time is in its row."""


def drips(line: socket.socket, _: str) -> None:
    line.sendall(head())
    while True:
        line.sendall(b" ")
        time.sleep(0.01)


TWELVE = {
    "is down": (Reason.REFUSED, None),
    "says nothing": (Reason.TIMEOUT, misbehaving.hang),
    "never stops": (Reason.ENDLESS, drips),
    "streams events": (Reason.CONTENT_TYPE, forever(head(kind="text/event-stream"), b"data: {}\n\n")),
    "sends too much": (Reason.TOO_LARGE, forever(head(), b"[" * 2**20)),
    "hangs up in the middle": (Reason.CUT, lambda line, _: line.sendall(misbehaving.CUT)),
    "answers a page": (Reason.CONTENT_TYPE, says(f"<html>{CANARY}</html>", kind="text/html")),
    "answers nonsense": (Reason.NOT_JSON, says(f"Hello, {CANARY}!")),
    "answers without a choice": (Reason.NO_CHOICES, says('{"choices": []}')),
    "asks for fewer requests": (Reason.RATE_LIMITED, misbehaving.fails(429)),
    "breaks": (Reason.SERVER_ERROR, misbehaving.fails(500)),
    "does not know the key": (Reason.UNAUTHORIZED, misbehaving.fails(401)),
}
"""What a server does, and the reason that each row gives. All but the first repeat the key wherever they can."""


def limit(reason: Reason) -> float:
    """Seconds for a request. What ends by itself has more than it needs, so that a busy machine makes no timeout of it."""
    return LIMIT_SECONDS if reason in RETRIED or reason is Reason.ENDLESS else 30.0


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv(MARKS, str(tmp_path / "marks"))
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.delenv("HARTLEY_API_KEY", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(HERE))


class Port:
    """A port on which a server behaves so, or on which there is none."""

    def __init__(self, behave: Any) -> None:
        self._server = None if behave is None else misbehaving.server(behave)

    def __enter__(self) -> int:
        if self._server is not None:
            port, self.got = self._server.__enter__()
            return int(port)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            return int(closed.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.__exit__(None, None, None)


def plan(port: int, *threats: str, trials: int = 6, **allowed: Any) -> Plan:
    allowance = Allowance(**{"timeout_seconds": LIMIT_SECONDS, **allowed})
    target = f"openai:m@http://127.0.0.1:{port}/v1"
    return Plan(threats, target, effort={"trials": trials}, endpoint=allowance)


def in_this_process(asked: Plan, root: Path, pipe: Any = None) -> list[dict[str, Any]]:
    """What a worker does with the plan's cells, without a process of its own."""
    loaded = run_fakes.load(asked, True)
    effort = {"trials": 6, "steps": 1, "poison_pairs": 1, "members": 1, "epochs": 1}
    context = Context("", "", effort, {"": "code"}, dict.fromkeys(VERSIONS, "1"), system="s")
    store = Store.prepare(root, asked, context)
    settle(loaded, store, asked.endpoint)
    orders = [{"root": str(root), "cell": cell.to_json(), "environment": context.environment()} for cell in asked.cells()]
    try:
        return [worker._answer(pipe or _Deaf(), order, loaded, FAKES) for order in orders]
    finally:
        loaded.endpoint.close()


class _Deaf:
    """A pipe whose other end nobody reads."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send_bytes(self, content: bytes) -> None:
        self.sent.append(json.loads(content))


def with_the_key(root: Path, *more: str) -> list[str]:
    """Every file below the folder, or within an archive there, and every text given, in which the key is found, plain or escaped."""
    marks = (CANARY[:16], ESCAPED[: 6 * 16])
    files = [str(path) for path in root.rglob("*") if path.is_file() and any(mark.encode() in path.read_bytes() for mark in marks)]
    for path in root.rglob("*.npz"):
        with zipfile.ZipFile(path) as archive:
            files += [f"{path}: {name}" for name in archive.namelist() if any(mark.encode() in archive.read(name) for mark in marks)]
    return files + [text for text in more if any(mark in text for mark in marks)]


def test_the_key_would_be_found(tmp_path: Path) -> None:
    """What searches for the key finds one, wherever it stands."""
    assert with_the_key(tmp_path, "Hello") == []
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.txt").write_bytes(b"\0" + CANARY.encode())
    (tmp_path / "b.json").write_text(json.dumps({"said": ESCAPED}).replace("\\\\", "\\"))
    with zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("words.npy", CANARY * 3)
    found = with_the_key(tmp_path, CANARY[:20])
    assert sorted(place.removeprefix(str(tmp_path)) for place in found) == ["/a/log.txt", "/b.json", "/c.npz: words.npy", CANARY[:20]]


@pytest.mark.parametrize("what", TWELVE)
def test_a_misbehaving_server_gives_a_row_with_its_reason(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reason, behave = TWELVE[what]
    root = tmp_path / "run"
    with Port(behave) as port, caplog.at_level(logging.DEBUG):
        asked = plan(port, "asks", timeout_seconds=limit(reason))
        begin = time.monotonic()
        (answer,) = in_this_process(asked, root)
        took = time.monotonic() - begin
    assert answer["status"] == "not measured" and answer["why"].startswith(f"{reason}: "), answer
    (record,) = Run.open(root).cells()
    assert (record["status"], record["why"], record["channels"]) == ("not measured", answer["why"], [])
    assert answer["why"].isprintable() and not answer["ends"]
    assert took < limit(reason) + 30, "the limit holds, with room for a machine that is busy"
    assert with_the_key(root, caplog.text, json.dumps(answer)) == []


@pytest.mark.slow
@pytest.mark.parametrize("what", TWELVE)
def test_a_whole_scan_of_a_misbehaving_server_ends_with_a_report(what: str, tmp_path: Path) -> None:
    """The command itself, with the real threats: a report, a table with a row for each threat, exit code 1, and no key anywhere."""
    reason, behave = TWELVE[what]
    root = tmp_path / "run"
    with Port(behave) as port:
        command = [sys.executable, "-c", "from hartley.cli import main; main()", "scan", "--target", f"openai:m@http://127.0.0.1:{port}/v1"]
        more = ["--threats", "p2sql,poisonedrag", "--defenses", "none", "--timeout", str(limit(reason)), "--out", str(root)]
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 1, done.stderr
    rows = [line for line in done.stdout.splitlines() if re.split("  +", line)[1:3] == ["-", "not measured"]]
    assert len(rows) == len(Run.open(root).cells()) == 2
    assert all(str(reason) in row for row in rows)
    assert "estimate: about " in done.stderr and "the server gave no answer to a first question" in done.stderr
    assert (root / "report.html").stat().st_size > 10_000 and str(reason) in (root / "report.html").read_text()
    assert "Traceback" not in done.stdout + done.stderr + (root / "log.txt").read_text()
    assert with_the_key(root, done.stdout, done.stderr) == []


def repeats(line: socket.socket, request: str) -> None:
    """An answer like others, with the key in the words and, in escapes, in the arguments of a call."""
    body = json.loads(request[request.index("\n{") :])
    calls = []
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        function = body["tools"][0]["function"]
        names = function["parameters"].get("required") or list(function["parameters"].get("properties", {}))
        arguments = "{" + ", ".join(f'"{name}": "{ESCAPED}"' for name in names) + "}"
        calls = [{"id": "1", "type": "function", "function": {"name": function["name"], "arguments": arguments}}]
    message = {"content": f"Hello {CANARY}", "tool_calls": calls} if calls else {"content": f"Hello {CANARY}"}
    says(choice(**message))(line, request)


@pytest.mark.slow
def test_a_server_that_answers_and_repeats_the_key_has_it_nowhere(tmp_path: Path) -> None:
    root = tmp_path / "run"
    with Port(repeats) as port:
        command = [sys.executable, "-c", "from hartley.cli import main; main()", "scan", "--target", f"openai:m@http://127.0.0.1:{port}/v1"]
        more = ["--threats", "p2sql,poisonedrag", "--defenses", "none", "--trials", "16", "--out", str(root)]
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert "Traceback" not in done.stdout + done.stderr + (root / "log.txt").read_text()
    assert [record["status"] for record in Run.open(root).cells()] == ["measured"] * 2, done.stderr
    assert any(HIDDEN in path.read_text() for path in root.glob("cells/*.json")), "what was said stands there, without the key"
    assert HIDDEN in (root / "report.html").read_text()
    assert with_the_key(root, done.stdout, done.stderr) == []


def test_a_used_up_budget_ends_the_scan_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    events: list[Any] = []
    with Port(says(choice(content="yes"))) as port:
        poor = plan(port, "asks", "asks-again", "asks-too", max_requests=10)
        found = run(poor, tmp_path / "run", parts=FAKES, progress=events.append)
        first, second, third = found.cells()
        assert [record["status"] for record in (first, second, third)] == ["measured", "not measured", "not measured"]
        assert second["why"].startswith("the budget of 10 requests is used up: 10 requests") and third["why"] == second["why"]
        assert [event.done for event in events if event.kind == "finished"] == [1, 2, 3]
        rich = dataclasses.replace(poor, endpoint=dataclasses.replace(poor.endpoint, max_requests=100))
        again = run(rich, tmp_path / "run", parts=FAKES)
        assert [record["status"] for record in again.cells()] == ["measured"] * 3
        # One question each time a worker begins, and six a cell, those that were answered before only once.
        spent = json.loads((tmp_path / "run" / "endpoint" / "spent.json").read_text())
        assert spent["requests"] == 2 + 3 * 6
    assert with_the_key(tmp_path / "run") == []


@pytest.mark.slow
def test_a_server_that_is_down_is_soon_left_alone_and_asked_again_by_the_next_scan(tmp_path: Path) -> None:
    threats = ("asks", "asks-again", "asks-too")
    with Port(None) as port:
        pass
    found = run(plan(port, *threats), tmp_path / "run", parts=FAKES)
    assert [record["status"] for record in found.cells()] == ["not measured"] * 3
    assert found.cells()[2]["why"].startswith("not asked after 2 cells without an answer; connection refused: ")
    with Port(says(choice(content="yes"))) as other:
        redirected = plan(other, *threats)
        with pytest.raises(Exception, match="another plan"):
            run(redirected, tmp_path / "run", parts=FAKES)
        assert [record["status"] for record in run(redirected, tmp_path / "new", parts=FAKES).cells()] == ["measured"] * 3


def test_what_was_computed_while_answers_were_missing_is_computed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the requests fail: the cell is measured on the others, and what it shares with other cells is not kept."""
    import torch

    sees: list[int] = []
    asks = run_fakes.asks

    def shares(case: Any) -> Any:
        tables: list[Any] = []

        def compute() -> dict[str, Any]:
            tables.append(asks(case))
            return {"n": torch.tensor([len(tables[0][0])])}

        sees.append(int(case.once("shared", compute)["n"][0]))
        return tables[0] if tables else asks(case)

    monkeypatch.setitem(run_fakes.RECIPES, "asks", shares)
    troubled = [True]

    def half(line: socket.socket, request: str) -> None:
        fails = troubled[0] and any(f"question {number}" in request for number in (0, 2, 4))
        (misbehaving.fails(400) if fails else says(choice(content="yes")))(line, request)

    with Port(half) as port:
        asked = plan(port, "asks", concurrency=1)
        (answer,) = in_this_process(asked, tmp_path / "run")
        troubled[0] = False
        (again,) = in_this_process(asked, tmp_path / "run")
        (kept,) = in_this_process(asked, tmp_path / "run")
    assert {answer["status"], again["status"], kept["status"]} == {"measured"}
    assert sees == [3, 6, 6], "what was not answered is asked again"


def test_a_recipe_of_a_server_that_answers_fails_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbles(case: Any) -> Any:
        run_fakes.asks(case)
        raise ZeroDivisionError("a fault of its own")

    monkeypatch.setitem(run_fakes.RECIPES, "asks", stumbles)
    with Port(says(choice(content="yes"))) as port:
        (answer,) = in_this_process(plan(port, "asks"), tmp_path / "run")
    assert answer["type"] == "failed" and answer["why"] == "ZeroDivisionError: a fault of its own"


def test_the_server_is_tried_out_again_after_a_failure_alone(tmp_path: Path) -> None:
    kinds: list[str] = []

    def counts(line: socket.socket, request: str) -> None:
        kinds.append("probe" if "say ok" in request else "question")
        (misbehaving.fails(400) if len(kinds) == 1 else says(choice(content="yes")))(line, request)

    with Port(counts) as port:
        answers = in_this_process(plan(port, "asks", "asks-again", concurrency=1), tmp_path / "run")
    assert [answer["status"] for answer in answers] == ["not measured", "measured"]
    assert kinds == ["probe", "probe", *["question"] * 6]


def test_nothing_is_sent_before_the_first_cell(tmp_path: Path) -> None:
    with Port(says(choice(content="yes"))) as port:
        loaded = run_fakes.load(plan(port, "asks"), True)
        assert isinstance(loaded.endpoint, Endpoint) and loaded.endpoint.budget.spent.requests == 0
    assert os.listdir(tmp_path) == ["marks"]


def test_while_a_server_answers_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STEP_SECONDS", 0.0)
    pipe = _Deaf()
    with Port(says(choice(content="yes"))) as port:
        in_this_process(plan(port, "asks"), tmp_path / "run", pipe)
    told = [message["what"] for message in pipe.sent if message["type"] == "step"]
    assert told[0] == "trying the server out, 1 answers," and len(told) == 7 and "7 answers" in told[-1]
