"""A server that misbehaves in every way that we could think of: each ends in its reason, and none gets the key written anywhere."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hartley.targets.conversation import Message, ask
from hartley.targets.endpoint.budget import Budget, Limits
from hartley.targets.endpoint.client import EndpointEmbedder, EndpointPolicy
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.keys import HIDDEN
from hartley.targets.endpoint.lines import Lines
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.settings import Settings

CANARY = "sk-canary-0123456789-abcdefghij-KLMNOP"
QUESTION = ask("What is the capital?", pictures=0)
PATIENT = Settings(retries=0, most_bytes=100_000)
HURRIED = Settings(retries=0, read=0.2)
TOOLS = [{"type": "function", "function": {"name": "pay", "parameters": {"properties": {"amount": {"type": "integer"}}}}}]

Behavior = Callable[[socket.socket, str], None]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    monkeypatch.delenv("HARTLEY_API_KEY", raising=False)


@contextlib.contextmanager
def server(behave: Behavior) -> Iterator[tuple[int, list[str]]]:
    """A TCP server that reads a request, and then does as it likes; its port, and the requests that it got."""
    listener = socket.create_server(("127.0.0.1", 0))
    got: list[str] = []
    lines: list[socket.socket] = []

    def serve(line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            request = b""
            while b"\r\n\r\n" not in request:
                if not (part := line.recv(65536)):
                    return
                request += part
            head, _, body = request.partition(b"\r\n\r\n")
            length = int(next(row for row in head.lower().split(b"\r\n") if row.startswith(b"content-length")).split()[1])
            while len(body) < length:
                body += line.recv(65536)
            got.append((head + b"\n" + body).decode())
            behave(line, got[-1])

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = listener.accept()
                lines.append(line)
                threading.Thread(target=serve, args=(line,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield listener.getsockname()[1], got
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for line in lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def head(status: int = 200, kind: str = "application/json", length: int | None = None, more: str = "") -> bytes:
    """The head of a response that repeats the key."""
    size = "" if length is None else f"Content-Length: {length}\r\n"
    return f"HTTP/1.1 {status} Bearer {CANARY}\r\nContent-Type: {kind}\r\nX-Echo: Bearer {CANARY}\r\n{size}{more}\r\n".encode()


def says(content: str | bytes, status: int = 200, kind: str = "application/json", more: str = "") -> Behavior:
    raw = content.encode() if isinstance(content, str) else content
    return lambda line, _: line.sendall(head(status, kind, len(raw), more) + raw)


def fails(status: int) -> Behavior:
    return says(json.dumps({"error": {"message": f"Incorrect key: {CANARY}, or {CANARY[:20]}\n"}}), status)


def choice(**message: object) -> str:
    return json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]})


def reset(line: socket.socket, _: str) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def forever(first: bytes, again: bytes) -> Behavior:
    def behave(line: socket.socket, _: str) -> None:
        line.sendall(first)
        while True:
            line.sendall(again)

    return behave


def hang(line: socket.socket, _: str) -> None:
    line.recv(1)


def hang_in_the_middle(line: socket.socket, _: str) -> None:
    line.sendall(head(length=1000) + b'{"choices": [')
    line.recv(1)


CUT = head(length=1000) + b'{"choices": [{"message": {"role": "assistant", "con'
CHUNKED = "Transfer-Encoding: chunked\r\n"

FAILURES: dict[str, tuple[Reason, Settings, Behavior]] = {
    "says nothing": (Reason.TIMEOUT, HURRIED, hang),
    "stops in the middle": (Reason.TIMEOUT, HURRIED, hang_in_the_middle),
    "hangs up at once": (Reason.CUT, PATIENT, lambda line, _: None),
    "hangs up in the head": (Reason.CUT, PATIENT, lambda line, _: line.sendall(b"HTTP/1.1 200 OK\r\nContent-")),
    "hangs up in the middle": (Reason.CUT, PATIENT, lambda line, _: line.sendall(CUT)),
    "hangs up in a chunk": (Reason.CUT, PATIENT, lambda line, _: line.sendall(head(more=CHUNKED) + b"ff\r\n{")),
    "resets the connection": (Reason.CUT, PATIENT, reset),
    "sends too much": (Reason.TOO_LARGE, PATIENT, forever(head(), b"[" * 9000)),
    "announces too much": (Reason.TOO_LARGE, PATIENT, lambda line, _: line.sendall(head(length=10**15))),
    "speaks SSH": (Reason.NOT_HTTP, PATIENT, lambda line, _: line.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")),
    "has endless headers": (Reason.NOT_HTTP, PATIENT, forever(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 5000 + b"\r\n")),
    "breaks its chunks": (Reason.NOT_HTTP, PATIENT, lambda line, _: line.sendall(head(more=CHUNKED) + b"zz\r\n{}\r\n")),
    "answers a page": (Reason.CONTENT_TYPE, PATIENT, says(f"<html>{CANARY}</html>", kind="text/html")),
    "answers a stream": (Reason.CONTENT_TYPE, PATIENT, forever(head(kind="text/event-stream"), b"data: {}\n\n")),
    "answers compressed": (Reason.CONTENT_TYPE, PATIENT, says(b"\x1f\x8b", more="Content-Encoding: gzip\r\n")),
    "answers no JSON": (Reason.NOT_JSON, PATIENT, says(f"Hello, {CANARY}!")),
    "answers nothing": (Reason.NOT_JSON, PATIENT, says("")),
    "answers no text": (Reason.NOT_JSON, PATIENT, says(b"\xff\xfe\x00")),
    "nests too deeply": (Reason.NOT_JSON, PATIENT, says("[" * 50_000)),
    "cuts its JSON": (Reason.NOT_JSON, PATIENT, says(choice(content=CANARY)[:-1])),
    "answers NaN": (Reason.NOT_FINITE, PATIENT, says(choice(content="a")[:-1] + ', "logprob": NaN}')),
    "answers Infinity": (Reason.NOT_FINITE, PATIENT, says(choice(content="a")[:-1] + ', "logprob": -Infinity}')),
    "answers 1e999": (Reason.NOT_FINITE, PATIENT, says(choice(content="a")[:-1] + ', "logprob": 1e999}')),
    "answers a list": (Reason.SCHEMA, PATIENT, says("[]")),
    "answers an error as a success": (Reason.SCHEMA, PATIENT, says(json.dumps({"error": CANARY}))),
    "has choices of another kind": (Reason.SCHEMA, PATIENT, says('{"choices": [1]}')),
    "has text of another kind": (Reason.SCHEMA, PATIENT, says(choice(content=7))),
    "has calls of another kind": (Reason.SCHEMA, PATIENT, says(choice(content=None, tool_calls="pay"))),
    "says nothing in its answer": (Reason.EMPTY, PATIENT, says(choice(content=None))),
    "has no choices": (Reason.NO_CHOICES, PATIENT, says('{"choices": []}')),
    "does not know the key": (Reason.UNAUTHORIZED, PATIENT, fails(401)),
    "forbids": (Reason.FORBIDDEN, PATIENT, fails(403)),
    "does not know the model": (Reason.NO_MODEL, PATIENT, fails(404)),
    "refuses the request": (Reason.REJECTED, PATIENT, fails(400)),
    "is asked too often": (Reason.RATE_LIMITED, PATIENT, fails(429)),
    "breaks": (Reason.SERVER_ERROR, PATIENT, fails(500)),
    "is overloaded, endlessly": (Reason.SERVER_ERROR, PATIENT, forever(head(503), b"x" * 9000)),
    "sends elsewhere": (Reason.REDIRECT, PATIENT, says("", 307, more=f"Location: http://other.invalid/{CANARY}\r\n")),
    "sends nowhere": (Reason.REDIRECT, PATIENT, says("", 301)),
}


def secrets_in(failure: BaseException, folder: Path, log: str) -> list[str]:
    """Every place where the key is found."""
    found = ["log"] if CANARY in log else []
    found += [str(path) for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    frames = [frame for frame, _ in traceback.walk_tb(failure.__traceback__) if Path(frame.f_code.co_filename).parent.name == "endpoint"]
    assert frames
    found += [frame.f_code.co_name for frame in frames if CANARY in repr(frame.f_locals)]  # a traceback may be shown with them
    chain: BaseException | None = failure
    while chain is not None:
        found += [type(chain).__name__] if CANARY in f"{chain} {chain!r} {chain.args} {vars(chain)}" else []
        chain = chain.__cause__ or chain.__context__
    return found


@pytest.mark.parametrize("what", FAILURES)
def test_every_failure_has_its_reason_and_no_secret(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reason, settings, behave = FAILURES[what]
    with caplog.at_level(logging.DEBUG), server(behave) as (port, got):
        budget = Budget(Limits(requests=9), ledger=tmp_path / "ledger")
        endpoint = Endpoint(f"openai:m@http://127.0.0.1:{port}/v1", settings, cache=tmp_path / "cache", budget=budget)
        with pytest.raises(NotMeasured) as caught:
            EndpointPolicy(endpoint).respond([QUESTION], TOOLS)
        endpoint.close()
    failure = caught.value
    assert failure.reason is reason, failure
    assert str(failure).startswith(f"not measured: {reason}: ")
    assert str(failure).isprintable()
    assert len(str(failure)) < 300
    assert f"authorization: bearer {CANARY}".lower() in got[0].lower()
    assert len(got) == budget.spent.requests == 1
    assert failure.__cause__ is None
    assert "Incorrect" not in str(failure) or reason not in (Reason.UNAUTHORIZED, Reason.FORBIDDEN)  # where servers repeat keys
    assert secrets_in(failure, tmp_path, caplog.text) == []
    assert not list(tmp_path.glob("cache/*/*.json"))


@pytest.mark.parametrize(
    ("first", "again", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" ", Reason.ENDLESS),
        (b"HTTP/1.1 500 No\r\n\r\n", b" ", Reason.ENDLESS),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", Reason.TIMEOUT),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a", Reason.TIMEOUT),
    ],
)
def test_what_never_ends_is_ended_by_the_deadline(first: bytes, again: bytes, reason: Reason) -> None:
    # Seconds pass with every look at the clock, so that the deadline comes, however slow or fast this machine is.
    seconds = itertools.count(0.0, 0.2)

    def drip(line: socket.socket, _: str) -> None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall(first)
        while True:
            line.sendall(again)
            time.sleep(0.002)

    with server(drip) as (port, _):
        endpoint = Endpoint(f"openai:m@http://127.0.0.1:{port}/v1", Settings(retries=0, total=10), clock=lambda: next(seconds))
        with pytest.raises(NotMeasured) as caught:
            EndpointPolicy(endpoint).respond([QUESTION], [])
    assert caught.value.reason is reason


def test_a_server_that_is_down_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotMeasured) as caught:
        EndpointPolicy(Endpoint(f"openai:m@http://127.0.0.1:{port}/v1", PATIENT)).respond([QUESTION], [])
    assert caught.value.reason is Reason.REFUSED


def test_a_name_that_is_not_known_or_not_looked_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def slow(*_: object, **__: object) -> None:
        waiting.wait(60)

    for look_up, words in ((unknown, "there is no nowhere.invalid"), (slow, "not looked up in time")):
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        with pytest.raises(NotMeasured, match=words) as caught:
            EndpointPolicy(Endpoint("openai:m@http://nowhere.invalid/v1", Settings(retries=0, connect=0.1))).respond([QUESTION], [])
        assert caught.value.reason is Reason.DNS
    waiting.set()


def test_an_address_that_nothing_answers_from(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable(socket.socket):
        def connect(self, _: object) -> None:
            raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "socket", Unreachable)
    with pytest.raises(NotMeasured, match="No route to host") as caught:
        EndpointPolicy(Endpoint("openai:m@http://192.0.2.1/v1", PATIENT)).respond([QUESTION], [])
    assert caught.value.reason is Reason.UNREACHABLE


def test_a_server_without_encryption_is_asked_nothing_over_https() -> None:
    def plain(line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            line.recv(65536)
            line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert _over_https(plain).reason is Reason.TLS


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    chain, private = tmp_path / "chain.pem", tmp_path / "private.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", private, "-out", chain], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    got: list[bytes] = []

    def encrypted(line: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(line, server_side=True) as safe:
            got.append(safe.recv(65536))

    failure = _over_https(encrypted)
    assert failure.reason is Reason.TLS
    assert "not trusted" in failure.detail
    assert not any(got)


def _over_https(serve: Callable[[socket.socket], None]) -> NotMeasured:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: serve(listener.accept()[0]), daemon=True)
        thread.start()
        with pytest.raises(NotMeasured) as caught:
            EndpointPolicy(Endpoint(f"openai:m@https://127.0.0.1:{listener.getsockname()[1]}/v1", PATIENT)).respond([QUESTION], [])
        thread.join()
    return caught.value


def test_another_host_is_never_contacted(monkeypatch: pytest.MonkeyPatch) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    other.setblocking(False)
    where = f"Location: http://127.0.0.1:{other.getsockname()[1]}/v1/chat/completions\r\n"
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):  # neither does a proxy that nobody asked for
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.getsockname()[1]}")
    for status in (301, 302, 303, 307, 308):
        with server(says("", status, more=where)) as (port, got):
            with pytest.raises(NotMeasured) as caught:
                EndpointPolicy(Endpoint(f"openai:m@http://127.0.0.1:{port}/v1", PATIENT)).respond([QUESTION], [])
            assert caught.value.reason is Reason.REDIRECT
            assert len(got) == 1
    with pytest.raises(BlockingIOError):
        other.accept()
    other.close()


def test_a_proxy_is_used_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with server(says(choice(content="through the proxy"))) as (port, got):
        monkeypatch.setenv("http_proxy", f"http://user:proxy-secret@127.0.0.1:{port}")
        asked = EndpointPolicy(Endpoint("openai:m@http://far.invalid:8000/v1", Settings(proxies=True)))
        assert asked.respond([QUESTION], [])[0].text == "through the proxy"
        assert got[0].startswith("POST http://far.invalid:8000/v1/chat/completions HTTP/1.1")
        assert "proxy-secret" not in repr(asked.endpoint)
        with server(says(choice(content="without it"))) as (own, _):  # this machine is never asked through a proxy
            here = EndpointPolicy(Endpoint(f"openai:m@http://127.0.0.1:{own}/v1", Settings(proxies=True)))
            assert here.respond([QUESTION], [])[0].text == "without it"


def test_a_key_that_an_answer_repeats_is_taken_out_of_it(tmp_path: Path) -> None:
    calls = [{"id": CANARY, "type": "function", "function": {"name": "say", "arguments": json.dumps({"text": CANARY})}}]
    escaped = choice(content=f"Your key is {CANARY}.", tool_calls=calls).replace("canary", "\\u0063anary")
    tools = [{"type": "function", "function": {"name": "say", "parameters": {"properties": {"text": {"type": "string"}}}}}]
    with server(says(escaped)) as (port, _):
        endpoint = Endpoint(f"openai:m@http://127.0.0.1:{port}/v1", cache=tmp_path)
        message = EndpointPolicy(endpoint).respond([QUESTION], tools)[0]
    assert message.text == f"Your key is {HIDDEN}."
    assert message.calls[0].arguments == {"text": HIDDEN}
    assert message.calls[0].id == HIDDEN
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 1
    assert "canary" not in written[0]


def test_only_what_the_server_needs_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-secret")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Custom: custom-secret")
    with server(says(choice(content="ok"), more="Set-Cookie: a=cookie-secret\r\n")) as (port, got):
        policy = EndpointPolicy(Endpoint(f"openai:m@http://127.0.0.1:{port}/v1"))
        policy.respond([QUESTION], [])
        policy.respond([QUESTION], [])
    names = {row.split(":")[0].lower() for row in got[1].splitlines()[1:-1]}
    assert names == {"host", "accept", "content-type", "content-length", "user-agent", "accept-encoding", "authorization"}
    assert "secret" not in "".join(got)


MALFORMED_CALLS = [
    ({"id": "1", "function": {"name": "pay", "arguments": '{"amount": '}}, "not valid JSON"),
    ({"id": "1", "function": {"name": "pay", "arguments": '{"amount": NaN}'}}, "not valid JSON"),
    ({"id": "1", "function": {"name": "pay", "arguments": "[" * 9000}}, "not valid JSON"),
    ({"id": "1", "function": {"name": "pay", "arguments": "[5]"}}, "not an object"),
    ({"id": "1", "function": {"name": "pay", "arguments": '{"amount": "much"}'}}, "no number"),
    ({"id": "1", "function": {"name": "steal", "arguments": "{}"}}, "no tool"),
    ({"id": "1", "function": {"name": None, "arguments": "{}"}}, "no name"),
    ({"id": "1"}, "no name"),
]


@pytest.mark.parametrize(("call", "words"), MALFORMED_CALLS)
def test_a_malformed_call_is_what_the_model_said(call: dict[str, object], words: str) -> None:
    with server(says(choice(content="Now.", tool_calls=[call]))) as (port, _):
        message = EndpointPolicy(Endpoint(f"openai:m@http://127.0.0.1:{port}/v1")).respond([QUESTION], TOOLS)[0]
    assert message.calls == ()
    assert message.text.startswith("Now. malformed call: ")
    assert words in message.text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (choice(content=None, refusal="I cannot."), "I cannot."),
        (choice(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "ab"),
        (choice(content="lone \ud800 surrogate"), "lone \ufffd surrogate"),
        ("\ufeff" + choice(content="a"), "a"),
    ],
)
def test_odd_but_honest_answers_are_read(content: str, text: str, tmp_path: Path) -> None:
    with server(says(content)) as (port, _):
        endpoint = Endpoint(f"openai:m@http://127.0.0.1:{port}/v1", cache=tmp_path)
        assert EndpointPolicy(endpoint).respond([QUESTION], []) == [Message("assistant", text)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], Reason.SCHEMA),
        ([{"index": 0, "embedding": [1.0]}], Reason.SCHEMA),
        ([{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}], Reason.SCHEMA),
        ([{"index": 0, "embedding": [1.0]}, {"index": [], "embedding": [1.0]}], Reason.SCHEMA),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}], Reason.SCHEMA),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["a"]}], Reason.SCHEMA),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}], Reason.SCHEMA),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [10**400]}], Reason.NOT_FINITE),
    ],
)
def test_embeddings_of_another_form_are_not_measured(data: list[object], reason: Reason) -> None:
    with server(says(json.dumps({"data": data}))) as (port, _):
        with pytest.raises(NotMeasured) as caught:
            EndpointEmbedder(Endpoint(f"openai:m@http://127.0.0.1:{port}/v1", PATIENT)).embed_text(["a", "b"])
        assert caught.value.reason is reason


def test_embeddings_have_unit_norm_and_the_order_of_the_texts() -> None:
    data = [{"index": 1, "embedding": [0, 2.0]}, {"index": 0, "embedding": [3.0, 4.0]}]
    with server(says(json.dumps({"data": data, "usage": {"prompt_tokens": 2}}))) as (port, got):
        embedder = EndpointEmbedder(Endpoint(f"openai:m@http://127.0.0.1:{port}/v1"))
        assert embedder.embed_text(["a", "b"]).flatten().tolist() == pytest.approx([0.6, 0.8, 0, 1])
        assert embedder.endpoint.budget.spent.read == 2
    assert json.loads(got[0].splitlines()[-1]) == {"input": ["a", "b"], "model": "m", "encoding_format": "float"}


def test_lines_leave_nothing_open() -> None:
    with server(says(choice(content="ok"))) as (port, _):
        endpoint = Endpoint(f"openai:m@http://127.0.0.1:{port}/v1")
        EndpointPolicy(endpoint).respond([QUESTION], [])
        lines = endpoint._lines
        assert isinstance(lines, Lines)
        endpoint.close()
        assert not lines._open
