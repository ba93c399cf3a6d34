"""Retries, waits, concurrency, budgets and the cache of an endpoint."""

from __future__ import annotations

import email.utils
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hartley.errors import InputError
from hartley.targets.conversation import Message, ask
from hartley.targets.endpoint.batch import each
from hartley.targets.endpoint.budget import Budget, Limits, OutOfBudget, Prices, Spent
from hartley.targets.endpoint.cache import Cache, digest
from hartley.targets.endpoint.client import EndpointPolicy
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.estimate import estimate
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.retry import asked_to_wait
from hartley.targets.endpoint.settings import Settings


class Counted(ThreadingHTTPServer):
    """A server that repeats the user's words, and counts. plan: (status, headers) of each request in turn, then successes."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Repeat)
        self.plan: Iterator[tuple[int, dict[str, str]]] = iter(())
        self.asked: list[dict[str, Any]] = []
        self.during: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Repeat(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Counted

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.during()
        status, headers = next(self.server.plan, (200, {}))
        message = {"role": "assistant", "content": body["messages"][-1]["content"]}
        answer = {"choices": [{"message": message}], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
        content = json.dumps(answer if status == 200 else {"error": {"message": "not now"}}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Counted]:
    with Counted() as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield http
        http.shutdown()
        thread.join()


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def policy(server: Counted, settings: Settings | None = None, clock: Clock | None = None, **more: Any) -> EndpointPolicy:
    clock = clock or Clock()
    name = f"openai:m@{server.url}"
    return EndpointPolicy(Endpoint(name, settings, clock=clock, sleep=clock.sleep, jitter=lambda: 0.0, **more))


def questions(count: int) -> list[tuple[Message, ...]]:
    return [ask(f"question {number}", pictures=0) for number in range(count)]


def test_waits_double_and_every_attempt_counts(server: Counted) -> None:
    server.plan = iter([(500, {}), (429, {}), (503, {})])
    clock = Clock()
    asked = policy(server, clock=clock)
    assert asked.respond(questions(1), []) == [Message("assistant", "question 0")]
    assert clock.slept == [0.5, 1.0, 2.0]
    assert len(server.asked) == asked.endpoint.budget.spent.requests == 4
    assert asked.endpoint.budget.spent == Spent(4, 100, 10)


def test_jitter_shortens_a_wait_by_up_to_a_half(server: Counted) -> None:
    server.plan = iter([(500, {})] * 3)
    clock = Clock()
    draws = iter([0.0, 0.5, 1.0])
    endpoint = Endpoint(f"openai:m@{server.url}", clock=clock, sleep=clock.sleep, jitter=lambda: next(draws))
    EndpointPolicy(endpoint).respond(questions(1), [])
    assert clock.slept == [0.5, 0.75, 1.0]


def test_what_fails_to_the_end_says_how_often_it_was_tried(server: Counted) -> None:
    server.plan = iter([(500, {})] * 9)
    with pytest.raises(NotMeasured, match=r"server error: status 500; it says: not now \(3 attempts\)") as caught:
        policy(server, Settings(retries=2)).respond(questions(1), [])
    assert caught.value.attempts == len(server.asked) == 3


def test_what_cannot_pass_is_not_tried_again(server: Counted) -> None:
    server.plan = iter([(status, {}) for status in (400, 401, 403, 404)])
    asked = policy(server)
    reasons = [item.reason for item in asked.attempt(questions(4), []) if isinstance(item, NotMeasured)]
    assert sorted(reasons) == sorted([Reason.REJECTED, Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.NO_MODEL])
    assert len(server.asked) == 4


def test_retry_after_is_honored(server: Counted) -> None:
    server.plan = iter([(429, {"Retry-After": "7"}), (503, {"Retry-After-Ms": "2500"}), (429, {"Retry-After": "0"})])
    clock = Clock()
    policy(server, clock=clock).respond(questions(1), [])
    assert clock.slept == [7.0, 2.5, 0.0]


@pytest.mark.parametrize("settings", [Settings(longest_wait=6), Settings(total=6)])
def test_a_server_that_asks_for_too_long_a_wait_is_given_up(server: Counted, settings: Settings) -> None:
    server.plan = iter([(429, {"Retry-After": "7"})])
    clock = Clock()
    with pytest.raises(NotMeasured) as caught:
        policy(server, settings, clock).respond(questions(1), [])
    assert (caught.value.reason, caught.value.wait, clock.slept) == (Reason.RATE_LIMITED, 7.0, [])


def test_all_attempts_end_within_the_total(server: Counted) -> None:
    server.plan = iter([(500, {})] * 99)
    clock = Clock()
    with pytest.raises(NotMeasured):
        policy(server, Settings(retries=50, total=10), clock).respond(questions(1), [])
    assert clock.slept == [0.5, 1, 2, 4]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"retry-after": "Tue, 01 Jan 2019 00:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "x", "retry-after": "2"}, 2.0),
    ],
)
def test_how_long_a_server_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_to_wait(headers) == seconds


def test_a_date_to_wait_for() -> None:
    assert asked_to_wait({"retry-after": email.utils.formatdate(time.time() + 1000, usegmt=True)}) == pytest.approx(1000, abs=60)


def test_a_server_that_is_down_is_left_alone(server: Counted) -> None:
    server.plan = itertools.repeat((500, {}))
    clock = Clock()
    asked = policy(server, Settings(retries=0, patience=3, rest=30, concurrency=1), clock)
    failures = [item for item in asked.attempt(questions(10), []) if isinstance(item, NotMeasured)]
    assert len(server.asked) == 3
    assert [failure.attempts for failure in failures] == [1] * 3 + [0] * 7
    assert {failure.reason for failure in failures} == {Reason.SERVER_ERROR}
    assert "not asked after 3 failures in a row" in str(failures[-1])
    clock.now += 31
    server.plan = iter([(500, {})])
    asked.attempt(questions(5), [])
    assert len(server.asked) == 4
    clock.now += 31
    assert all(isinstance(item, Message) for item in asked.attempt(questions(5), []))
    assert len(server.asked) == 9


def test_a_request_that_is_turned_down_says_nothing_of_the_server(server: Counted) -> None:
    server.plan = itertools.repeat((400, {}))
    asked = policy(server, Settings(retries=0, patience=3, concurrency=1))
    failures = asked.attempt(questions(10), [])
    assert len(server.asked) == 10
    assert {item.reason for item in failures if isinstance(item, NotMeasured)} == {Reason.REJECTED}


def test_no_more_than_the_limit_at_once_and_no_less(server: Counted) -> None:
    lock, together = threading.Lock(), threading.Barrier(3)
    now, most = 0, 0

    def during() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(timeout=60)  # breaks unless three are there at once
        with lock:
            now -= 1

    server.during = during
    asked = policy(server, Settings(concurrency=3))
    threads = [threading.Thread(target=asked.respond, args=([question], [])) for question in questions(3)]
    for thread in threads:  # also where the callers are several threads of the user's
        thread.start()
    assert asked.respond([ask(f"more {number}", pictures=0) for number in range(9)], [])
    for thread in threads:
        thread.join()
    assert len(server.asked) == 12
    assert most == 3


def test_a_budget_of_requests_stops_with_what_was_done_kept(server: Counted, tmp_path: Path) -> None:
    asked = policy(server, Settings(concurrency=1), budget=Budget(Limits(requests=3)), cache=tmp_path)
    with pytest.raises(OutOfBudget, match="the budget of 3 requests is used up: 3 requests, 300 tokens read, 30 written") as caught:
        asked.respond(questions(5), [])
    assert caught.value.answers == (*(Message("assistant", f"question {number}") for number in range(3)), None, None)
    assert caught.value.spent == Spent(3, 300, 30)
    assert len(server.asked) == 3
    again = policy(server, cache=tmp_path)
    assert len(again.respond(questions(5), [])) == 5
    assert len(server.asked) == 5
    assert (again.endpoint.found, again.endpoint.budget.spent.requests) == (3, 2)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(tokens=1000), "1,000 tokens"),
        (Limits(money=0.1, prices=Prices(50, 500, "EUR")), "0.10 EUR"),
    ],
)
def test_a_budget_of_tokens_or_money_is_not_passed(server: Counted, limits: Limits, words: str) -> None:
    budget = Budget(limits)
    with pytest.raises(OutOfBudget, match=words) as caught:
        policy(server, Settings(longest=20, concurrency=1), budget=budget).respond(questions(50), [])
    spent = caught.value.spent
    assert limits.passed(spent) is None
    assert limits.passed(Spent(spent.requests + 1, spent.read + 100, spent.written + 20, (spent.money or 0) + 0.015)) is not None
    assert 0 < len(server.asked) < 50


def test_many_at_once_wait_for_each_other_rather_than_give_up(server: Counted) -> None:
    # One request may cost 512 tokens written and costs 10: with room for 600, only one goes at a time, and all get through.
    asked = policy(server, Settings(longest=512, concurrency=8), budget=Budget(Limits(tokens=600 + 110 * 8)))
    assert len(asked.respond(questions(8), [])) == 8


def test_a_failure_that_may_have_cost_counts_the_most(server: Counted) -> None:
    server.plan = iter([(200, {"Content-Type": "text/html"}), (500, {})])
    asked = policy(server, Settings(longest=77))
    assert isinstance(asked.attempt(questions(1), [])[0], NotMeasured)
    first = asked.endpoint.budget.spent
    assert (first.requests, first.written) == (1, 77)
    assert first.read > 0
    asked.attempt(questions(1), [])
    assert asked.endpoint.budget.spent == Spent(3, first.read + 100, 87)


def test_a_ledger_is_shared_and_outlives_its_process(tmp_path: Path) -> None:
    limits = Limits(requests=3, money=1.0, prices=Prices(1, 1))
    ledger = tmp_path / "ledger"
    one, other = Budget(limits, ledger), Budget(limits, ledger)
    for budget in (one, other):
        with budget.charge(10, 20) as charge:
            charge.costs(5, 6)
    assert one.spent == other.spent == Spent(2, 10, 12, pytest.approx(22e-6))
    charging = f"""
import os, signal
from pathlib import Path
from hartley.targets.endpoint.budget import Budget
with Budget(ledger=Path({str(ledger)!r})).charge(1000, 2000):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", charging], check=False).returncode == -signal.SIGKILL
    assert one.spent == Spent(3, 1010, 2012, pytest.approx(3022e-6))
    with pytest.raises(OutOfBudget, match="3 requests"), other.charge(0, 0):
        raise AssertionError
    ledger.write_text('{"requests": -1}')
    with pytest.raises(InputError, match="damaged"):
        Budget(limits, ledger)
    with pytest.raises(InputError, match="cannot keep the budget's ledger"):
        Budget(limits, tmp_path / "missing" / "ledger")


@pytest.mark.parametrize(
    "wrong", [{"requests": -1}, {"tokens": float("nan")}, {"money": 1.0}, {"money": float("inf"), "prices": Prices(1, 1)}]
)
def test_a_budget_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Limits(**wrong)
    with pytest.raises(InputError, match="cost 0 or more"):
        Prices(-1, 1)


def test_what_a_scan_will_take(server: Counted) -> None:
    clock = Clock()
    asked = policy(server, Settings(concurrency=4), clock, budget=Budget(Limits(prices=Prices(1, 10))))
    with pytest.raises(ValueError, match="nothing was answered yet"):
        asked.endpoint.estimate(10)
    server.during = lambda: setattr(clock, "now", clock.now + 2.0)
    asked.probe()
    assert str(asked.endpoint.estimate(1002)) == "1,002 requests: about 8 min 22 s, 110,220 tokens, about 0.20 USD"
    assert str(estimate(7200, latency=1, read=0, written=0)) == "7,200 requests: about 2 h 0 min, 0 tokens"
    assert str(estimate(2, latency=1, read=0.4, written=0.1)) == "2 requests: about 2 s, 2 tokens"


def test_a_cached_answer_needs_no_request(server: Counted, tmp_path: Path) -> None:
    first = policy(server, cache=tmp_path).respond(questions(2), [])
    assert policy(server, cache=Cache(tmp_path)).respond(questions(2), []) == first
    assert len(server.asked) == 2
    tool = {"type": "function", "function": {"name": "pay", "parameters": {}}}
    policy(server, cache=tmp_path).respond(questions(1), [tool])
    for setting in ({"seed": 1}, {"seed": None}, {"temperature": 0.5}, {"longest": 9}):
        policy(server, Settings(**setting), cache=tmp_path).respond(questions(1), [])
    assert len(server.asked) == 7  # whatever decides the answer is part of the request
    fields = {"model", "messages", "max_tokens", "temperature", "seed"}
    assert [set(body) for body in server.asked[2:5]] == [fields | {"tools"}, fields, fields - {"seed"}]


def test_the_same_question_many_times_at_once_is_asked_once(server: Counted, tmp_path: Path) -> None:
    server.during = lambda: time.sleep(0.05)
    same = [ask("the same", pictures=0)] * 8
    assert policy(server, cache=tmp_path).respond(same, []) == [Message("assistant", "the same")] * 8
    assert len(server.asked) == 1
    policy(server).respond(same, [])  # without a cache every trial is its own
    assert len(server.asked) == 9


def test_a_failure_is_not_cached(server: Counted, tmp_path: Path) -> None:
    server.plan = iter([(400, {})])
    asked = policy(server, cache=tmp_path)
    assert isinstance(asked.attempt(questions(1), [])[0], NotMeasured)
    assert asked.respond(questions(1), [])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-9],
    "emptied": lambda content: b"",
    "changed": lambda content: content.replace(b"question", b"answered"),
    "of another request": lambda content: content.replace(b'"request": "', b'"request": "0'),
    "of another format": lambda content: content.replace(b'"format": 1', b'"format": 2'),
    "a list": lambda content: b"[]",
    "deep": lambda content: b"[" * 9000,
    "binary": lambda content: b"\x80\x04]\x94.",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_reported_and_asked_again(server: Counted, tmp_path: Path, damage: str) -> None:
    policy(server, cache=tmp_path).respond(questions(1), [])
    (entry,) = tmp_path.glob("*/*.json")
    whole = entry.read_bytes()
    entry.write_bytes(DAMAGES[damage](whole))
    cache = Cache(tmp_path)
    assert policy(server, cache=cache).respond(questions(1), []) == [Message("assistant", "question 0")]
    assert cache.damaged == [entry.name]
    assert len(server.asked) == 2
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the endpoint's cache"):
        Cache(tmp_path / "file")
    cache = Cache(tmp_path / "cache")
    (tmp_path / "cache" / "ab").write_text("")
    with pytest.raises(InputError, match="cannot write the endpoint's cache"):
        cache.put("ab" * 32, {})


def test_kill_9_in_the_middle_of_writing_leaves_a_readable_cache(tmp_path: Path) -> None:
    writing = f"""
from pathlib import Path
from hartley.targets.endpoint.cache import Cache, digest
cache = Cache(Path({str(tmp_path)!r}))
for number in range(10**9):
    cache.put(digest(number % 50), {{"text": "x" * 300_000, "number": number % 50}})
"""
    process = subprocess.Popen([sys.executable, "-c", writing])
    while len(list(tmp_path.glob("*/*.json"))) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    for left in tmp_path.glob("*/.part-*"):
        os.utime(left, (0, 0))
    unfinished = tmp_path / "ab" / ".part-abcd_123"
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.write_text("half")
    os.utime(unfinished, (0, 0))
    cache = Cache(tmp_path)
    found = [cache.get(digest(number)) for number in range(50)]
    assert sum(entry is not None for entry in found) == len(list(tmp_path.glob("*/*.json"))) >= 5
    assert all(entry == {"text": "x" * 300_000, "number": number} for number, entry in enumerate(found) if entry is not None)
    assert cache.damaged == []
    assert not list(tmp_path.glob("*/.part-*"))


def test_ctrl_c_ends_what_is_under_way(server: Counted) -> None:
    under_way, hold, held = threading.Event(), threading.Event(), queue.Queue[bool]()

    def during() -> None:
        under_way.set()
        held.put(hold.wait(60))

    server.during = during
    asked = policy(server, Settings(read=600, total=600, concurrency=2))
    outcomes: list[object] = []

    def interrupted() -> None:
        under_way.wait(60)
        raise KeyboardInterrupt

    def question() -> None:
        outcomes.extend(asked.attempt(questions(1), []))

    with pytest.raises(KeyboardInterrupt):
        each(asked.endpoint, [interrupted, question])
    hold.set()
    assert held.get(timeout=60), "the request ended while the server still held it"
    assert [item.reason for item in outcomes if isinstance(item, NotMeasured)] == [Reason.STOPPED]


def test_the_last_attempt_s_lack_of_time_does_not_hide_what_the_server_did(server: Counted) -> None:
    clock = Clock()
    server.plan = iter([(500, {}), (500, {})])
    server.during = lambda: setattr(clock, "now", clock.now + (100.0 if len(server.asked) == 2 else 0.0))
    with pytest.raises(NotMeasured) as caught:
        policy(server, Settings(total=50.0), clock=clock).respond(questions(1), [])
    assert caught.value.reason is Reason.SERVER_ERROR and caught.value.attempts == 2
