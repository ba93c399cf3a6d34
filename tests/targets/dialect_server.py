"""A loopback server that speaks OpenAI's protocol as one row of a table says: what it sends, and what it refuses in whose words."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hartley.targets.conversation import Message
from hartley.targets.endpoint.client import EndpointPolicy
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.settings import Settings

PARAMETERS = {
    "type": "object",
    "properties": {"to": {"type": "string", "minLength": 1}, "amount": {"type": "integer", "exclusiveMinimum": 0}},
    "required": ["to", "amount"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "pay", "description": "Pays.", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}},
]
ARGUMENTS = {"to": "anna", "amount": 5}
WRITTEN = json.dumps(ARGUMENTS)
START = (Message("system", "You help."), Message("user", "Pay anna 5."))
DONE = "Anna has her 5."

Body = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - what a server says, not an error
    """A status and a body."""


Take = Callable[[Body], None]
Give = Callable[[], Body]


def refuses(condition: Callable[[Body], Any], status: int, body: Any) -> Take:
    def take(asked: Body) -> None:
        if condition(asked):
            raise Refusal(status, body)

    return take


def turns(asked: Body, role: str) -> list[Body]:
    return [turn for turn in asked["messages"] if turn["role"] == role]


def calls(asked: Body) -> list[Body]:
    return [call for turn in turns(asked, "assistant") for call in turn.get("tool_calls") or ()]


def openai_error(message: str, param: str | None = None, code: str | None = None) -> Body:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def vllm_error(message: str, status: int = 400) -> Body:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": status}


def forbidden(name: str) -> Body:
    return {"detail": [{"type": "extra_forbidden", "loc": ["body", *name.split(".")], "msg": "Extra inputs are not permitted", "input": 0}]}


def gemini_error(message: str) -> list[Body]:
    return [{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}]


def jinja(message: str) -> Body:
    return {"error": {"code": 500, "message": f"\n------------\nError: Jinja Exception: {message}", "type": "server_error"}}


def not_alternating(asked: Body) -> bool:
    roles = [turn["role"] for turn in asked["messages"] if turn["role"] != "tool" and not turn.get("tool_calls")]
    return any(role != ("user", "assistant")[place % 2] for place, role in enumerate(roles))


def message(content: Any = None, finish: str | None = "stop", **more: Any) -> Body:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content, **more}, "finish_reason": finish}]}


def native(arguments: Any = WRITTEN, given: str | None = "call_a1B2c3", name: str = "pay", **more: Any) -> Body:
    call = {"id": given, "type": "function", "function": {"name": name, "arguments": arguments}}
    return message(None, "tool_calls", tool_calls=[{key: value for key, value in call.items() if value is not None}], **more)


@dataclass(frozen=True)
class Row:
    """A dialect. gives: its first turn, a call, or what stands in for it. ends: its last turn, which says `closing`.

    adapted, noticed: what the run must say.
    """

    gives: Body | Callable[[Body], Body] = field(default_factory=native)
    takes: tuple[Take, ...] = ()
    ends: Body = field(default_factory=lambda: message(DONE))
    adapted: tuple[str, ...] = ()
    noticed: tuple[str, ...] = ()
    spoken: str = ""
    closing: str = DONE


HERMES = f'<tool_call>\n{{"name": "pay", "arguments": {WRITTEN}}}\n</tool_call>'


class Serving(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)  # type: ignore[attr-defined]
        status, body = self._answer(self.server.row, asked)  # type: ignore[attr-defined]
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, row: Row, asked: Body) -> tuple[int, Any]:
        try:
            for take in row.takes:
                take(asked)
        except Refusal as refusal:
            return refusal.args[0], refusal.args[1]
        gives = row.ends if turns(asked, "tool") or turns(asked, "function") else row.gives
        return 200, gives(asked) if callable(gives) else gives

    def log_message(self, *_: object) -> None:
        pass


class Loopback(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Serving)
        self.row = Row()
        self.asked: list[Body] = []

    def policy(self, row: Row, **settings: Any) -> EndpointPolicy:
        self.row = row
        self.asked.clear()
        name = f"openai:m@http://127.0.0.1:{self.server_address[1]}/v1"
        return EndpointPolicy(Endpoint(name, Settings(**settings), sleep=lambda _: None))


@pytest.fixture(scope="module")
def loopback() -> Iterator[Loopback]:
    with pytest.MonkeyPatch.context() as patch, Loopback() as http:
        for name in ("OPENAI_API_KEY", "HARTLEY_API_KEY"):
            patch.delenv(name, raising=False)
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        yield http
        http.shutdown()
