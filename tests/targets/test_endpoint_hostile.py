"""Answers that are made to break whoever reads them, and a ledger that fails under requests that wait: nothing hangs, nothing leaks."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.errors import InputError
from hartley.targets.conversation import Message, ask
from hartley.targets.endpoint.budget import Budget, Limits
from hartley.targets.endpoint.choices import read_choice
from hartley.targets.endpoint.client import EndpointEmbedder
from hartley.targets.endpoint.dialect import Dialect
from hartley.targets.endpoint.keys import HIDDEN, Key
from hartley.targets.endpoint.likelihood import answer_logarithm
from hartley.targets.endpoint.lines import Lines
from hartley.targets.endpoint.name import parse
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.refusals import of_status
from hartley.targets.endpoint.served import Refused, read
from hartley.targets.endpoint.settings import Settings
from hartley.targets.endpoint.shapes import carried
from hartley.targets.endpoint.strict import read_object
from hartley.targets.endpoint.transport import Transport
from hartley.targets.endpoint.wire import to_message, usage

SECRET = "sk-canary-0123456789-abcdefghij-KLMNOP/qr"
KEY = Key(SECRET)
ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in SECRET)
TOOLS = [{"type": "function", "function": {"name": "say", "parameters": {"properties": {"words": {"type": "string"}}}}}]


@pytest.mark.parametrize(
    "arguments", [f'{{"words": "{SECRET}"}}', f'{{"words": "{ESCAPED}"}}', json.dumps({"words": SECRET}).replace("/", r"\/")]
)
def test_a_key_in_a_call_s_arguments_is_hidden_whatever_its_escapes(arguments: str) -> None:
    function = {"name": "say", "arguments": arguments}
    body = {"choices": [{"message": {"content": None, "tool_calls": [{"id": "1", "function": function}]}}]}
    (call,) = to_message(read_object(json.dumps(body).encode(), KEY.hide), TOOLS).calls
    assert call.arguments == {"words": HIDDEN}


def test_a_key_in_escapes_is_hidden_in_what_is_no_json() -> None:
    with pytest.raises(NotMeasured) as caught:
        read_object(f"Hello, {ESCAPED}!".encode(), KEY.hide)
    assert caught.value.detail == f"it says: Hello, {HIDDEN}!"


def test_escapes_without_a_key_stay_as_they_are() -> None:
    for text in (r"a \u0041 b \/ c", r"\ud800", "\\", r"\u00", f"{SECRET[:8]}\\n"):
        assert KEY.hide(text) == text
    assert Key("none").hide(r"none \u006e") == r"none \u006e"


@pytest.mark.parametrize("cut", [12, 13, 20, len(SECRET) - 1, len(SECRET)])
def test_a_beginning_of_the_key_is_hidden_as_far_as_it_goes(cut: int) -> None:
    assert KEY.hide(f"a {SECRET[:cut]}! b {SECRET[:cut]}") == f"a {HIDDEN}! b {HIDDEN}"
    assert KEY.hide(SECRET[:11]) == SECRET[:11]


def test_a_key_s_beginning_repeated_without_end_takes_time_in_proportion() -> None:
    """A server has the key, and could otherwise keep us busy for hours with one answer."""
    begun = time.process_time()
    hidden = KEY.hide((SECRET[:14] + " ") * 200_000)
    assert hidden == f"{HIDDEN} " * 200_000
    assert time.process_time() - begun < 10


@pytest.mark.parametrize("place", range(len(SECRET) - 12 + 1))
def test_a_piece_of_the_key_is_hidden_wherever_it_begins(place: int) -> None:
    for piece in (SECRET[place:], SECRET[place : place + 12]):
        assert KEY.hide(f"a {piece}! b") == f"a {HIDDEN}! b"
    assert KEY.hide(SECRET[place : place + 11][:11]) == SECRET[place : place + 11]


@pytest.mark.parametrize("length", [8, 9, 13, 20, 24, 60])
def test_a_key_of_any_length_is_hidden_without_its_first_five_letters(length: int) -> None:
    secret = "".join(chr(97 + (place * place + 3 * place) % 26) + str(place % 10) for place in range(length))[:length]
    assert Key(secret).hide(f"<{secret}>") == f"<{HIDDEN}>"
    if length >= 13:
        assert Key(secret).hide(f"<{secret[5:]}>") == f"<{HIDDEN}>"


@pytest.mark.parametrize("content", [b'{"a": [' + b"[]," * 4_900_000 + b"[]]}", b'{"a": [' + b"{}," * 4_900_000 + b"{}]}"])
def test_an_answer_of_millions_of_values_is_refused_before_it_is_read(content: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(NotMeasured, match="values in one answer") as caught:
        read_object(content, KEY.hide)
    assert caught.value.reason is Reason.TOO_LARGE
    assert time.process_time() - begun < 1


def test_the_largest_answer_that_is_read_takes_a_few_seconds() -> None:
    begun = time.process_time()
    read_object(b'{"a": [' + b'"\\n",' * 990_000 + b"1]}", KEY.hide)
    assert time.process_time() - begun < 8


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
ANY = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6
)
WORDS = st.sampled_from(
    [
        "",
        " ",
        "stop",
        "length",
        "SAFETY",
        "say",
        "text",
        '{"words": "a"}',
        '"{}"',
        "{",
        "<think>a</think>b",
        "<tool_call>{",
        "502",
        "[say()]",
    ]
)
NAMES = [
    *(
        "choices",
        "message",
        "delta",
        "content",
        "tool_calls",
        "function_call",
        "function",
        "name",
        "arguments",
        "id",
        "type",
        "text",
        "index",
    ),
    *("finish_reason", "finish_details", "error", "code", "status", "metadata", "detail", "loc", "msg", "refusal", "audio", "transcript"),
    *("reasoning", "reasoning_content", "thinking", "usage", "prompt_tokens", "completion_tokens", "content_filter_results", "filtered"),
    *("promptFeedback", "prompt_filter_results", "object", "success", "base_resp", "input", "parameters"),
]
NODES = st.recursive(
    ANY | WORDS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
)
MESSAGES = st.fixed_dictionaries({"content": NODES}, optional=dict.fromkeys(NAMES[4:6] + NAMES[24:29], NODES))
CHOICES = st.fixed_dictionaries({"message": MESSAGES | NODES}, optional={"finish_reason": WORDS | NODES, "index": NODES, "error": NODES})


@settings(max_examples=250)
@given(
    st.fixed_dictionaries({"choices": st.lists(CHOICES, min_size=1, max_size=2) | NODES}, optional={"error": NODES, "usage": NODES})
    | st.dictionaries(st.sampled_from(NAMES), NODES, max_size=6),
    st.booleans(),
)
def test_whatever_a_server_sends_is_a_turn_or_a_reason(body: dict[str, Any], flag: bool) -> None:
    found: Any
    try:
        found = read_choice(body, TOOLS if flag else (), thinking_counts=flag, may_be_silent=not flag)
    except NotMeasured as failure:
        found = failure
    if isinstance(found, NotMeasured):
        assert str(found).isprintable() and len(str(found)) < 400
    else:
        assert isinstance(found.message, Message) and all(call.name == "say" for call in found.message.calls)
        assert found.message.text or found.message.calls or not flag
        carried(body)
    usage(body)


@settings(max_examples=120)
@given(st.integers(300, 599), NODES)
def test_whatever_a_refusal_says_is_one_reason(status: int, body: Any) -> None:
    failure = of_status(status, json.dumps(body).encode(), KEY.hide)
    assert str(failure).isprintable() and len(str(failure)) < 400
    sent = {"model": "m", "messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], "tools": TOOLS, "seed": 0}
    dialect = Dialect()
    while dialect.learn(failure, sent) is not None:
        pass
    assert dialect.put(sent)["model"] == "m"


@pytest.mark.parametrize("count", [10**10, 10**400])
def test_a_count_of_tokens_that_cannot_be_is_none(count: int) -> None:
    assert usage({"usage": {"prompt_tokens": count, "completion_tokens": 1}}) is None
    assert usage({"usage": {"prompt_tokens": 1, "completion_tokens": count}}) is None


def scored(*logarithms: Any) -> dict[str, Any]:
    return {"prompt_logprobs": [None, *({str(place): {"logprob": one}} for place, one in enumerate(logarithms))]}


@pytest.mark.parametrize("logarithms", [(-(10**400),), (-1e308, -1e308)])
def test_a_score_that_no_float_holds_is_not_measured(logarithms: tuple[Any, ...]) -> None:
    with pytest.raises(NotMeasured) as caught:
        answer_logarithm({"prompt_logprobs": [None]}, scored(*logarithms))
    assert caught.value.reason is Reason.NOT_FINITE


class Vectors:
    """What an embedder needs of an endpoint, with one answer."""

    class Address:
        model = "m"

    address, settings = Address(), type("Settings", (), {"concurrency": 1})()

    def __init__(self, vector: list[float]) -> None:
        self._vector = vector

    def ask(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"data": [{"index": 0, "embedding": self._vector}]}


@pytest.mark.parametrize("size", [1e308, 1e-320])
def test_an_embedding_of_any_size_keeps_its_direction(size: float) -> None:
    found = EndpointEmbedder(Vectors([size, 0.0, -size])).embed_text(["a"])  # type: ignore[arg-type]
    assert torch.allclose(found, torch.tensor([[0.5**0.5, 0.0, -(0.5**0.5)]]))


def test_a_ledger_that_fails_lets_those_who_wait_go_on(tmp_path: Path) -> None:
    budget, under_way = Budget(Limits(requests=1), tmp_path / "ledger"), threading.Event()
    ends: list[BaseException] = []

    def request(hold: float) -> None:
        try:
            with budget.charge(1, 1) as charge:
                under_way.set()
                time.sleep(hold)
                (tmp_path / "ledger").write_text("nonsense")
                charge.costs(0, 0)
        except BaseException as error:
            ends.append(error)

    threads = [threading.Thread(target=request, args=(0.3,), daemon=True)]
    threads[0].start()
    under_way.wait(60)
    threads.append(threading.Thread(target=request, args=(0.0,), daemon=True))  # waits for what the first may cost
    threads[1].start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert [type(error) for error in ends] == [InputError, InputError] and all("is damaged" in str(error) for error in ends)


def test_a_ledger_on_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(Limits(), tmp_path / "ledger")

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(InputError, match=r"cannot keep the budget's ledger at .*: No space left on device"), budget.charge(1, 1):
        raise AssertionError("nothing is sent that cannot be counted")


@pytest.mark.parametrize("stop", [5, True, {"a": 1}, ["a", 5]])
def test_our_server_refuses_stops_that_are_none(stop: Any) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stop": stop}
    with pytest.raises(Refused, match="stop is no text"):
        read(json.dumps(body).encode())
    assert read(json.dumps({**body, "stop": ["a", ""]}).encode()).stop == ("a",)
    assert read(json.dumps(body | {"stop": "z"}).encode()).conversation == (Message("user", "hi"),) == ask("hi", pictures=0)


@pytest.mark.parametrize("other", ["http://127.0.0.2:{}/v1", "https://127.0.0.1:{}/v1", "http://127.0.0.1:1/v1"])
def test_a_request_to_any_other_server_is_never_sent(other: str) -> None:
    """The key goes with every request, so that whatever the client makes of an answer, one server alone may see it."""
    with socket.create_server(("127.0.0.1", 0)) as here:
        port = here.getsockname()[1]
        transport = Transport(parse(f"openai:m@http://127.0.0.1:{port}/v1"), KEY, Settings(), Lines(time.monotonic))
        with pytest.raises(NotMeasured) as failure:
            transport.handle_request(httpx2.Request("GET", other.format(port)))
        here.settimeout(0)
        with pytest.raises(BlockingIOError):
            here.accept()
    assert failure.value.reason is Reason.REDIRECT
