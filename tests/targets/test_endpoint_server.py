"""Our own server: round trips with our client and with the official one, and what it refuses."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import NotFoundError, OpenAI
from PIL import Image

from hartley.errors import InputError
from hartley.targets.conversation import Call, Conversation, Message, ask
from hartley.targets.endpoint import server as module
from hartley.targets.endpoint.client import EndpointAnswerer, EndpointPolicy, data_url
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.served import read
from hartley.targets.endpoint.server import Server
from hartley.targets.endpoint.settings import Settings
from hartley.targets.endpoint.wire import to_messages
from hartley.targets.protocols import Answerer, Policy, TextEmbedder
from hartley.targets.scripted import ScriptedPolicy

AMOUNT = {"type": "object", "properties": {"to": {"type": "string"}, "amount": {"type": "integer"}}, "required": ["to"]}
TOOLS = [{"type": "function", "function": {"name": "pay", "description": "Pays.", "parameters": AMOUNT}}]
SCRIPT = {
    "pay anna 50": [
        Message("assistant", "at once", calls=(Call("pay", {"to": "anna", "amount": 50}), Call("pay", {"to": "bob"}))),
        Message("assistant", "done ✓"),
    ],
    "thanks": [Message("assistant", "you are welcome")],
    "": [Message("assistant", "i do not know that")],
}


class Painter:
    """Names the color of each picture, and finds short answers likely."""

    name = "painter"
    fingerprint = "0"
    image_size = (8, 8)
    capabilities = frozenset({"logprob", "text"})

    def answer(self, conversations: Sequence[Conversation], pixels: torch.Tensor | None = None, *, longest: int = 48) -> list[str]:
        assert len(conversations) == 1
        if pixels is None:
            return [f"nothing to see, {longest} words"]
        assert pixels.shape[0] == 1 and pixels.shape[2:] == (3, 8, 8)
        shown = sum(message.pictures for message in conversations[0])
        assert shown == pixels.shape[1]
        return [" ".join(f"{color:.6f}" for color in pixels.mean(dim=(3, 4)).flatten().tolist())]

    def log_likelihood(self, conversations: Any, answers: Sequence[str], pixels: torch.Tensor | None = None) -> torch.Tensor:
        seen = 0.0 if pixels is None else float(pixels.mean())
        return torch.tensor([-len(answers[0]) - seen - len(conversations[0])])

    def image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("HARTLEY_API_KEY", raising=False)


@pytest.fixture
def scripted() -> Iterator[Server]:
    with Server(ScriptedPolicy(SCRIPT)) as server:
        yield server


@pytest.fixture
def painter() -> Iterator[Server]:
    with Server(Painter()) as server:
        yield server


def endpoint(server: Server, **more: Any) -> Endpoint:
    return Endpoint(f"openai:{server.target_name}@{server.url}", **more)


def test_two_turns_with_tools_are_as_without_the_wire(scripted: Server) -> None:
    local, remote = ScriptedPolicy(SCRIPT), EndpointPolicy(endpoint(scripted))
    assert isinstance(remote, Policy)
    conversation = (Message("system", "be short"), *ask("pay anna 50", pictures=0))
    first = remote.respond([conversation], TOOLS)[0]
    assert [(call.name, call.arguments) for call in first.calls] == [("pay", {"to": "anna", "amount": 50}), ("pay", {"to": "bob"})]
    assert first.text == "at once"
    results = tuple(Message("tool", "paid", answers=call.id) for call in first.calls)
    second = remote.respond([(*conversation, first, *results)], TOOLS)[0]
    assert second == Message("assistant", "done ✓")
    whole = (*conversation, first, *results, second, Message("user", "thanks"))
    assert remote.respond([whole, whole[:-1]], TOOLS) == local.respond([whole, whole[:-1]], TOOLS)
    assert remote.endpoint.budget.spent.read > 0


def test_names_and_fingerprints(scripted: Server) -> None:
    asked = EndpointPolicy(endpoint(scripted))
    assert asked.name == f"openai:scripted@{scripted.url}"
    assert asked.capabilities == {"text"}
    prints = {
        EndpointPolicy(endpoint(scripted, settings=Settings(**setting))).fingerprint
        for setting in ({}, {"seed": 1}, {"temperature": None}, {"longest": 3}, {"read": 1.0}, {"concurrency": 2})
    }
    assert asked.fingerprint in prints
    assert len(prints) == 4  # how long one waits changes no answer


def test_a_missing_client_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hartley.targets.endpoint.endpoint.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install -e '.\[endpoint\]'"):
        Endpoint("openai:m@http://127.0.0.1:1/v1")


def test_pictures_arrive_as_they_were_shown(painter: Server) -> None:
    answerer = EndpointAnswerer(endpoint(painter), image_size=(8, 8))
    assert isinstance(answerer, Answerer)
    levels = torch.randint(0, 256, (2, 2, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    pixels = levels.float() / 255
    conversations = [(Message("user", "a", pictures=1), Message("assistant", "b"), Message("user", "c", pictures=1))] * 2
    heard = answerer.answer(conversations, pixels)
    expected = [Painter().answer([conversation], row[None])[0] for conversation, row in zip(conversations, pixels, strict=True)]
    assert heard == expected
    assert answerer.answer([ask("hello", pictures=0)], longest=7) == ["nothing to see, 7 words"]
    other = torch.rand(1, 1, 3, 20, 30, generator=torch.Generator().manual_seed(1))  # the server fits it to its model
    assert len(answerer.answer([ask("what")], other)[0].split()) == 3
    with pytest.raises(InputError, match="inner states"):
        answerer.image_features(pixels[0])


def test_given_answers_are_scored_where_the_server_does_so(painter: Server, scripted: Server) -> None:
    answerer = EndpointAnswerer(endpoint(painter))
    assert answerer.capabilities == {"text"}
    answerer.probe()
    assert answerer.capabilities == {"logprob", "text"}
    pixels = torch.ones(2, 1, 3, 8, 8)
    assert answerer.log_likelihood([ask("a"), ask("b")], ["yes", "certainly"], pixels).tolist() == [-5.0, -11.0]
    words_alone = EndpointAnswerer(endpoint(scripted))
    words_alone.probe()
    assert words_alone.capabilities == {"text"}
    with pytest.raises(NotMeasured):
        words_alone.log_likelihood([ask("a", pictures=0)], ["yes"])


def test_the_official_client_is_served_too(scripted: Server) -> None:
    client = OpenAI(base_url=scripted.url, api_key="none", max_retries=0)
    assert [model.id for model in client.models.list()] == ["scripted"]
    assert client.models.retrieve("scripted").owned_by == "hartley"
    with pytest.raises(NotFoundError):
        client.models.retrieve("other")
    messages: Any = [{"role": "developer", "content": "be short"}, {"role": "user", "content": [{"type": "text", "text": "thanks"}]}]
    answer = client.chat.completions.create(model="scripted", messages=messages, stop=["welcome", "z"])
    assert answer.choices[0].message.content == "you are "
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_a_stream_tells_the_same(scripted: Server) -> None:
    client = OpenAI(base_url=scripted.url, api_key="none", max_retries=0)
    messages: Any = [{"role": "user", "content": "pay anna 50"}]
    asked: Any = {"model": "scripted", "messages": messages, "tools": TOOLS}
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    whole = client.chat.completions.create(**asked)
    for one, other in ((final, whole), (whole, final)):
        message = one.choices[0].message
        assert message.content == "at once"
        assert [(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()] == [
            ("call_1_0", "pay", {"to": "anna", "amount": 50}),
            ("call_1_1", "pay", {"to": "bob"}),
        ]
        assert one.choices[0].finish_reason == "tool_calls"
        assert one.usage == other.usage


def send(server: Server, body: bytes | Any, path: str = "/chat/completions", **headers: str) -> tuple[int, Any]:
    """The status and the JSON of a request made by hand."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.split(":")[2].split("/")[0]), timeout=60)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", f"/v1{path}", content, {"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def body(**more: Any) -> dict[str, Any]:
    return {"model": "scripted", "messages": [{"role": "user", "content": "hello"}], **more}


def said(*messages: Any) -> dict[str, Any]:
    return body(messages=list(messages))


def user(*parts: Any) -> dict[str, Any]:
    return said({"role": "user", "content": list(parts)})


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


REFUSED: list[tuple[Any, str]] = [
    (b"{", "not JSON"),
    (b'{"model": NaN}', "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"\xff", "not JSON"),
    ([], "no JSON object with a model"),
    ({"model": 3}, "no JSON object with a model"),
    (body(messages=[]), "messages"),
    (body(messages="hello"), "messages"),
    (said("hello"), "roles"),
    (said({"role": ["user"]}), "roles"),
    (said({"role": "robot", "content": "a"}), "roles"),
    (said({"role": "user", "content": 3}), "neither text"),
    (user({"type": "audio"}), "neither text"),
    (said({"role": "system", "content": [image("data:image/png;base64,")]}), "neither text"),
    (user(image("http://169.254.169.254/secret")), "nothing is fetched"),
    (user(image("file:///etc/passwd")), "nothing is fetched"),
    (user(image("data:image/png;base64,????")), "not base64"),
    (user(*[image("data:image/png;base64,")] * 17), "more than 16 pictures"),
    (user(image("data:image/png;base64,")), "takes no pictures"),
    (said({"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{"}}]}), "a tool call"),
    (said({"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": {"b": 1}}}]}), "a tool call"),
    (said({"role": "assistant", "tool_calls": 3}), "tool_calls"),
    (said({"role": "tool", "tool_call_id": 3, "content": "a"}), "tool_call_id"),
    (body(tools={"a": 1}), "tools is no list"),
    (body(tools=[{"function": {}}]), "a tool has no function"),
    (body(tools=[{"function": {"name": "a", "parameters": []}}, 3]), "a tool"),
    (body(tools=[{"function": {"name": "a", "parameters": {"properties": 3}}}]), "JSON Schema"),
    (body(max_tokens=0), "max_tokens"),
    (body(max_completion_tokens=True), "max_completion_tokens"),
    (body(n=2), "n asks for"),
    (body(logprobs=True), "logprobs asks for"),
    (body(tool_choice="required"), "tool_choice asks for"),
    (body(response_format={"type": "json_object"}), "response_format asks for"),
    (body(prompt_logprobs=0), "does not score"),
    (body(prompt_logprobs=0, add_generation_prompt=False), "the last message is the assistant's"),
]


@pytest.mark.parametrize(("request_body", "words"), REFUSED)
def test_a_malformed_request_is_refused_with_its_reason(scripted: Server, request_body: Any, words: str) -> None:
    status, answer = send(scripted, request_body)
    assert status == 400
    assert words in answer["error"]["message"]
    assert answer["error"]["type"] == "invalid_request_error"


def test_other_ways_to_be_refused(scripted: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def status(*arguments: Any, **headers: str) -> int:
        return send(scripted, *arguments, **headers)[0]

    assert status({**body(), "model": "other"}) == 404
    assert status(body(), "/completions") == 404
    assert status(body(), **{"Content-Type": "text/plain"}) == 415  # what a page in a browser may send without asking
    assert status(body(), Host="evil.example:8000") == 403
    assert status(body(), Host="localhost:8000") == 200
    assert status(b"", **{"Transfer-Encoding": "chunked", "Content-Length": "x"}) == 411
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    assert status(body()) == 413


def test_a_picture_that_is_none_or_too_large(painter: Server) -> None:
    bomb = io.BytesIO()
    Image.new("1", (5_000, 5_000)).save(bomb, "PNG")
    for content, words in ((b"no picture", "damaged"), (bomb.getvalue(), "pixels")):
        url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        status, answer = send(painter, {**user(image(url)), "model": "painter"})
        assert status == 400
        assert words in answer["error"]["message"]
    status, answer = send(painter, body(model="painter", tools=TOOLS))
    assert (status, answer["error"]["message"]) == (400, "painter takes no tools")


def test_a_target_that_fails_is_reported_and_the_server_lives() -> None:
    class Moody(ScriptedPolicy):
        error: Exception = RuntimeError("secret of the inside")

        def respond(self, conversations: Any, tools: Any) -> list[Message]:
            raise self.error

    heard: list[str] = []
    policy = Moody({})
    with Server(policy, report=heard.append) as server:
        assert send(server, body()) == (
            500,
            {"error": {"message": "the model failed: RuntimeError", "type": "server_error", "param": None, "code": None}},
        )
        assert heard == ["scripted failed: RuntimeError: secret of the inside"]
        policy.error = InputError("the conversation is too long")
        assert send(server, body())[1]["error"]["message"] == "the conversation is too long"
        with pytest.raises(NotMeasured, match="it says: the conversation is too long") as caught:
            EndpointPolicy(endpoint(server)).respond([ask("hello", pictures=0)], [])
        assert caught.value.reason is Reason.REJECTED


def test_one_request_at_a_time_reaches_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(ScriptedPolicy):
        def respond(self, conversations: Any, tools: Any) -> list[Message]:
            assert alone.acquire(blocking=False)
            begun.set()
            hold.wait(60)
            alone.release()
            return super().respond(conversations, tools)

    alone, begun, hold = threading.Lock(), threading.Event(), threading.Event()
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    with Server(Slow(SCRIPT)) as server:
        asked = EndpointPolicy(endpoint(server, settings=Settings(retries=0, concurrency=1)))
        answers: list[Message] = []
        threads = [threading.Thread(target=lambda: answers.extend(asked.respond([ask("thanks", pictures=0)], []))) for _ in range(2)]
        for thread in threads:
            thread.start()
        begun.wait(60)
        other = EndpointPolicy(endpoint(server, settings=Settings(retries=0)))
        hold.set()
        for thread in threads:
            thread.join()
        assert answers == [Message("assistant", "you are welcome")] * 2
        hold.clear()
        begun.clear()
        blocked = [threading.Thread(target=send, args=(server, body()), daemon=True) for _ in range(2)]
        for thread in blocked:
            thread.start()
        begun.wait(60)
        while server._http._waiting._value:  # until both are in
            threading.Event().wait(0.01)
        with pytest.raises(NotMeasured, match="too many requests wait already") as caught:
            other.respond([ask("thanks", pictures=0)], [])
        assert (caught.value.reason, caught.value.wait) == (Reason.SERVER_ERROR, 1.0)
        hold.set()
        for thread in blocked:
            thread.join()


def test_where_it_listens() -> None:
    with pytest.raises(InputError, match="reached from other machines"):
        Server(ScriptedPolicy({}), host="0.0.0.0")
    with Server(ScriptedPolicy(SCRIPT), host="0.0.0.0", to_network=True) as server:
        assert server.url.startswith("http://0.0.0.0:")
    with Server(ScriptedPolicy(SCRIPT)) as server, pytest.raises(InputError, match="in use; port 0 takes any free one"):
        Server(ScriptedPolicy({}), port=int(server.url.split(":")[2].split("/")[0]))
    with pytest.raises(InputError, match="neither answers nor calls tools"):
        Server(object.__new__(type("Encoder", (), {"name": "encoder"})))


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6() -> None:
    try:
        server = Server(ScriptedPolicy(SCRIPT), host="::1")
    except InputError:
        pytest.skip("no IPv6 loopback here")
    with server:
        assert EndpointPolicy(endpoint(server)).respond([ask("thanks", pictures=0)], [])[0].text == "you are welcome"


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
names = st.text("abcdefghij_", min_size=1, max_size=9)


@st.composite
def conversations(draw: Callable[..., Any]) -> Conversation:
    """Turns of all roles, with calls that are answered by their ids."""
    turns = [Message("system", draw(words))] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 3))):
        turns.append(Message("user", draw(words), pictures=draw(st.integers(0, 2))))
        calls = tuple(
            Call(draw(names), draw(st.dictionaries(words, values, max_size=2)), f"id{turn}{number}")
            for number in range(draw(st.integers(0, 2)))
        )
        turns.append(Message("assistant", draw(words), calls=calls))
        turns += [Message("tool", draw(words), answers=call.id) for call in calls]
    return tuple(turns)


@settings(max_examples=60, deadline=None, database=None)
@given(conversations())
def test_what_goes_out_comes_in_as_it_was(conversation: Conversation) -> None:
    shown = sum(message.pictures for message in conversation)
    urls = [data_url(torch.full((3, 1, 1), number / 255)) for number in range(shown)]
    sent = json.dumps({"model": "m", "messages": to_messages(conversation, urls)})
    asked = read(sent.encode())
    assert asked.conversation == conversation
    assert [f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in asked.pictures] == urls


@pytest.mark.parametrize(
    ("conversation", "pictures", "words"),
    [
        (ask("a", pictures=1), 0, "more pictures than are given"),
        (ask("a", pictures=0), 1, "1 pictures are given"),
        ((Message("tool", "a"),), 0, "answers no call"),
        ((Message("assistant", calls=(Call("f", id="1"),)), Message("tool", "a", answers="2")), 0, "answers no call"),
        ((Message("assistant", "a", pictures=1),), 1, "only the user shows pictures"),
        ((Message("assistant", calls=(Call("f", {"x": math.nan}),)),), 0, "JSON compliant"),
    ],
)
def test_a_conversation_that_cannot_be_sent(conversation: Conversation, pictures: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        to_messages(conversation, ["data:image/png;base64,"] * pictures)


def test_calls_without_ids_are_answered_in_order() -> None:
    calls = (Call("a"), Call("b"))
    messages = to_messages((Message("assistant", calls=calls), Message("tool", "1"), Message("tool", "2")))
    assert [message["tool_call_id"] for message in messages[1:]] == ["c00000000", "c00000001"]
    assert [message["name"] for message in messages[1:]] == ["a", "b"]


def test_protocols() -> None:
    from hartley.targets.endpoint.client import EndpointEmbedder

    one = Endpoint("openai:m@http://127.0.0.1:1/v1")
    assert isinstance(EndpointPolicy(one), Policy)
    assert isinstance(EndpointAnswerer(one), Answerer)
    assert isinstance(EndpointEmbedder(one), TextEmbedder)
    assert isinstance(ScriptedPolicy({}), Policy)


def test_headers_that_drip_keep_nobody_out(scripted: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is that of the whole head: a byte now and then wins nothing."""
    monkeypatch.setattr(module, "HEADER_SECONDS", 0.6)
    port = int(scripted.url.split(":")[2].split("/")[0])
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(module.MOST_CONNECTIONS + 6)]
        ends = time.monotonic() + 30
        while time.monotonic() < ends:
            for line in lines:
                with contextlib.suppress(OSError):
                    line.sendall(b"X")
            with contextlib.suppress(OSError, http.client.HTTPException):
                assert send(scripted, said({"role": "user", "content": "thanks"}))[0] == 200
                return
            time.sleep(0.05)
    raise AssertionError("nobody else was served")


def port_of(server: Server) -> int:
    return int(server.url.split(":")[2].split("/")[0])


class Dripping:
    """Clients that send a byte of a request now and then, and come back when they are thrown out."""

    def __init__(self, port: int, count: int, begin: bytes, drop: bytes) -> None:
        self._port, self._count, self._begin, self._drop = port, count, begin, drop
        self._stop = threading.Event()
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _open(self) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self._port))
        line.sendall(self._begin)
        line.setblocking(False)
        return line

    def _run(self) -> None:
        lines = [self._open() for _ in range(self._count)]
        self.ready.set()
        while not self._stop.wait(0.05):
            for place, line in enumerate(lines):
                try:
                    line.send(self._drop)
                except OSError:
                    line.close()
                    lines[place] = self._open()
        for line in lines:
            line.close()

    def __enter__(self) -> Dripping:
        self._thread.start()
        assert self.ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
DRIPS = {
    "a request line": (b"", b"G"),
    "headers": (HEAD, b"X-More: 1\r\n"),
    "a header": (HEAD + b"X-", b"x"),
    "a body": (HEAD + b"Content-Length: 1000000\r\n\r\n", b"["),
    "nothing": (b"", b""),
}


@pytest.mark.parametrize("what", DRIPS)
def test_hostile_7_seventy_clients_that_drip_keep_nobody_out(scripted: Server, what: str) -> None:
    with Dripping(port_of(scripted), 70, *DRIPS[what]):
        for _ in range(5):
            began = time.monotonic()
            assert send(scripted, said({"role": "user", "content": "thanks"}))[0] == 200
            assert time.monotonic() - began < 2.0


def test_hostile_7_clients_that_take_no_answer_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 4)
    target = ScriptedPolicy({"": [Message("assistant", "x" * 8_000_000)], "thanks": [Message("assistant", "you are welcome")]})
    with Server(target) as server, contextlib.ExitStack() as stack:
        content = json.dumps(said({"role": "user", "content": "long"})).encode()
        for _ in range(6):
            line = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(server))))
            line.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(content) + content)
        time.sleep(0.3)
        began = time.monotonic()
        assert send(server, said({"role": "user", "content": "thanks"}))[0] == 200
        assert time.monotonic() - began < 5.0


def test_hostile_7_headers_without_end_are_given_up(scripted: Server) -> None:
    with socket.create_connection(("127.0.0.1", port_of(scripted)), timeout=10) as line:
        line.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 4 * 2**20:
                sent += line.send(b"X-%d: " % (sent % 7) + b"x" * 60_000 + b"\r\n")
                time.sleep(0.001)
        assert sent < 4 * 2**20


def test_hostile_7_large_bodies_share_a_limit(scripted: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted._http.clients, "_most_bytes", 300_000)
    held = socket.create_connection(("127.0.0.1", port_of(scripted)))
    with held:
        held.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"[" * 250_000)
        ends = time.monotonic() + 10
        while scripted._http.clients._held < 250_000 and time.monotonic() < ends:
            time.sleep(0.01)
        large = said({"role": "user", "content": "x" * 100_000})
        assert send(scripted, large)[0] == 503
        assert send(scripted, said({"role": "user", "content": "thanks"}))[0] == 200
    while scripted._http.clients._held and time.monotonic() < ends:
        time.sleep(0.01)
    assert scripted._http.clients._held == 0
