"""Server: a small OpenAI-compatible server over the standard library, for one target and one machine.

GET /v1/models and POST /v1/chat/completions, with tools, pictures as data URLs, and answers as a stream of events where that is
asked for. It is made for tests, for documentation and for a model that ships with the package, not for the open network: it has
no accounts and no encryption.
"""

from __future__ import annotations

import io
import json
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from hartley.errors import InputError
from hartley.targets.conversation import Json
from hartley.targets.endpoint.clients import Clients, Reading
from hartley.targets.endpoint.name import is_loopback
from hartley.targets.endpoint.replies import body, events
from hartley.targets.endpoint.served import Asked, Refused, read
from hartley.targets.endpoint.voices import Said, voice

if TYPE_CHECKING:
    from hartley.targets.endpoint.voices import Target

MOST_BYTES = 32 * 2**20
MOST_BODY_BYTES = 256 * 2**20
"""Of all requests together that are being read or answered."""
MOST_HEADER_BYTES = 2**17
MOST_CONNECTIONS = 64
"""When as many are open, the one that has kept us waiting for longest makes room for the next."""
MOST_WAITING = 16
HEADER_SECONDS = 10.0
"""In all, for a request's line and headers, however slowly they come; also how long a connection may rest between two requests."""
BODY_SECONDS = 60.0
IDLE_SECONDS = 30.0


def _say_nothing(_line: str) -> None:
    """Where nobody wants to hear."""


class Server:
    """Serves a target until it is stopped: in this thread with `run`, or in another one as a context manager.

    target      what `voice` takes: a policy or an answerer. One request at a time reaches it.
    port        0 for any free one; `url` says which.
    to_network  whether an address that other machines reach is allowed.
    report      hears, in one line, of every failure of the target.
    Raises InputError for an address that cannot be had.
    """

    def __init__(
        self,
        target: Target,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        to_network: bool = False,
        report: Callable[[str], None] = _say_nothing,
    ) -> None:
        if not is_loopback(host) and not to_network:
            raise InputError(f"{host} is reached from other machines, and this server has no accounts; it takes 127.0.0.1")
        try:
            self._http = _Http(host, port, target, report)
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"cannot serve at {host}, port {port}: {why.lower()}; port 0 takes any free one") from None
        self._thread: threading.Thread | None = None

    @property
    def target_name(self) -> str:
        """The model's name, as clients must give it."""
        return self._http.target.name

    @property
    def url(self) -> str:
        """What goes behind the @ of an endpoint's name."""
        host, port = str(self._http.server_address[0]), self._http.server_address[1]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

    def run(self) -> None:
        """Serves in this thread, until `KeyboardInterrupt` or another thread's `stop`."""
        try:
            self._http.serve_forever(poll_interval=0.1)
        finally:
            self._http.server_close()

    def stop(self) -> None:
        """Ends `run`, from another thread."""
        self._http.shutdown()

    def __enter__(self) -> Server:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True, name="hartley-server")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        if self._thread is not None:
            self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, host: str, port: int, target: Target, report: Callable[[str], None]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.local = is_loopback(host)
        self.target = target
        self.report = report
        self.numbers = count(1)
        self._voice = voice(target)
        self._model = threading.Lock()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self.clients = Clients(MOST_CONNECTIONS, MOST_BODY_BYTES)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Without http.server's own, which asks the network for this machine's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self.clients.enter(request):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.clients.leave(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is nobody's business; `answer` has reported all else."""

    def answer(self, asked: Asked) -> Said:
        """What the target says. Raises Refused when too many wait for it already, and when it fails."""
        if asked.model != self.target.name:
            raise Refused(404, f"there is no model {asked.model!r} here; there is {self.target.name!r}", code="model_not_found")
        if not self._waiting.acquire(blocking=False):
            raise Refused(503, "too many requests wait already", "server_error")
        try:
            with self._model:
                return self._voice(asked)
        except InputError as error:
            raise Refused(400, str(error)) from None
        except Refused:
            raise
        except Exception as error:  # whatever a target raises must not end the server
            self.report(f"{self.target.name} failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
            raise Refused(500, f"the model failed: {type(error).__name__}", "server_error") from None
        finally:
            self._waiting.release()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hartley"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True  # head and body are written apart: else the second waits 40 ms for an acknowledgment
    server: _Http

    def setup(self) -> None:
        super().setup()
        self._reading = Reading(self.connection)
        self.rfile = io.BufferedReader(self._reading)

    def handle_one_request(self) -> None:
        self._reading.ends, self._reading.left = time.monotonic() + HEADER_SECONDS, MOST_HEADER_BYTES
        self.server.clients.owes(self.connection)
        super().handle_one_request()

    def do_GET(self) -> None:
        self._served(self._models)

    def do_POST(self) -> None:
        self._served(self._completion)

    def log_message(self, *_: object) -> None:
        """Nothing is logged: requests hold what people said."""

    def _served(self, serve: Callable[[str], None]) -> None:
        try:
            self._refuse_strangers()
            serve(unquote(urlsplit(self.path).path).rstrip("/"))
        except Refused as refusal:
            self.close_connection = True  # what is left of the body was not read
            error = {"message": refusal.why, "type": refusal.kind, "param": None, "code": refusal.code}
            wait = {"Retry-After": "1"} if refusal.status == 503 else {}
            self._send(refusal.status, json.dumps({"error": error}).encode(), "application/json", wait)

    def _refuse_strangers(self) -> None:
        """A page in the user's browser may know our port; it cannot know us by a name that means this machine."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        if self.server.local and not is_loopback(host):
            raise Refused(403, "the header Host names another machine")

    def _models(self, path: str) -> None:
        target = self.server.target
        model = {"id": target.name, "object": "model", "created": 0, "owned_by": "hartley"}
        if path == "/v1/models":
            self._send_json({"object": "list", "data": [model]})
        elif path == f"/v1/models/{target.name}":
            self._send_json(model)
        else:
            raise Refused(404, f"there is nothing at {path[:100]}; there are /v1/models and /v1/chat/completions")

    def _completion(self, path: str) -> None:
        if path != "/v1/chat/completions":
            raise Refused(404, f"there is nothing at {path[:100]}; there are /v1/models and /v1/chat/completions")
        if self.headers.get_content_type() != "application/json":
            raise Refused(415, "the body's content type is not application/json")
        content = self._body()
        try:
            self.server.clients.owed(self.connection)
            asked = read(content)
            said = self.server.answer(asked)
        finally:
            self.server.clients.hold(-len(content))
        number = next(self.server.numbers)
        if asked.streamed:
            self._send(200, events(self._head(number, "chat.completion.chunk"), asked, said), "text/event-stream")
        else:
            self._send_json({**self._head(number, "chat.completion"), **body(asked, said)})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise Refused(411, "the header Content-Length is missing")
        if len(length) > 12 or int(length) > MOST_BYTES:
            raise Refused(413, f"the body has more than {MOST_BYTES:,} bytes")
        self._reading.ends, self._reading.left = time.monotonic() + BODY_SECONDS, int(length)
        content = bytearray()
        try:
            while len(content) < int(length):
                part = self._part(int(length) - len(content))
                if not self.server.clients.hold(len(part)):
                    raise Refused(503, "too many large requests at once", "server_error")
                content += part
        except BaseException:
            self.server.clients.hold(-len(content))
            raise
        return bytes(content)

    def _part(self, most: int) -> bytes:
        try:
            part = self.rfile.read1(min(most, 2**16))
        except TimeoutError:
            part = b""
        if not part:
            raise Refused(408, "the body did not come in time")
        return part

    def _head(self, number: int, kind: str) -> dict[str, Json]:
        target = self.server.target
        head: dict[str, Json] = {"id": f"chatcmpl-{number}", "object": kind, "created": int(time.time()), "model": target.name}
        return {**head, "system_fingerprint": target.fingerprint}

    def _send_json(self, content: Mapping[str, Any]) -> None:
        self._send(200, json.dumps(content, allow_nan=False).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str, more: Mapping[str, str] | None = None) -> None:
        self.server.clients.owes(self.connection)
        self.connection.settimeout(IDLE_SECONDS)  # of all that is sent, not of a piece
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(more or {})}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
