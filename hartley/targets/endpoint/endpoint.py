"""Endpoint: one model on one OpenAI-compatible server: its cache, its budget, its limits, and every way in which it can fail."""

from __future__ import annotations

import math
import os
import random
import statistics
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hartley.errors import InputError
from hartley.targets.conversation import Json
from hartley.targets.endpoint.budget import Budget
from hartley.targets.endpoint.cache import Cache, digest
from hartley.targets.endpoint.dialect import MOST_RULES, Dialect
from hartley.targets.endpoint.estimate import Estimate, estimate
from hartley.targets.endpoint.keys import hide_in_logs, key_for, refuse_key_in
from hartley.targets.endpoint.name import EndpointName, parse
from hartley.targets.endpoint.notices import Notices
from hartley.targets.endpoint.outcomes import FREE, NotMeasured, Reason
from hartley.targets.endpoint.refusals import error_in, of_status, said_before_failing
from hartley.targets.endpoint.retry import Health, Waits, asked_to_wait
from hartley.targets.endpoint.settings import Settings
from hartley.targets.endpoint.strict import cleaned, read_object
from hartley.targets.endpoint.wire import usage

if TYPE_CHECKING:
    from openai import OpenAI

Check = Callable[[dict[str, Json]], object]
Send = Callable[["OpenAI"], Callable[..., Any]]

_BYTES_A_TOKEN = 3
_PICTURE_TOKENS = 1600
_MEMORY = 1000


class Endpoint:
    """A model on a server, to be asked by the policy, the answerer and the embedder in `client`, which may share it.

    cache, budget  None for none.
    clock, sleep   seconds that only go up, and how to let some pass; replaced in tests.
    jitter         draws from [0, 1), so that many clients do not come back at the same moment.
    dialect, notices  how requests are put to this server, and what a reader must know of its answers: both say so in sentences.
    answered, lost what the server has answered and what was given up, `found` what the cache answered; last_failure: why the last one
                   was given up, None once the server has answered again. watch: called after each answer, in whatever thread.
    Raises InputError for a malformed name, a missing key, and when the official client is not installed.
    """

    def __init__(
        self,
        name: str | EndpointName,
        settings: Settings | None = None,
        *,
        cache: Cache | Path | None = None,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        if find_spec("openai") is None:
            raise InputError("an endpoint is asked through the official client; not installed: openai; takes: pip install -e '.[endpoint]'")
        if isinstance(name, str):
            refuse_key_in(name)
        self.address = parse(name) if isinstance(name, str) else name
        self.settings = settings or Settings()
        self.cache = Cache(cache) if isinstance(cache, Path) else cache
        self.budget = budget or Budget()
        self.dialect = Dialect()
        self.notices = Notices(thinking_counts=self.settings.thinking_counts)
        self._key = key_for(self.address)
        hide_in_logs(self._key)
        self._client, self._lines = _open(self.address, self._key, self.settings, clock)
        self._clock = clock
        self._waits = Waits(self.settings, jitter or random.Random(os.getpid()).random)  # noqa: S311 - no secret hangs on it
        self._sleep = sleep or self._lines.stopped.wait
        self._health = Health(self.settings, clock)
        self._turns = threading.BoundedSemaphore(self.settings.concurrency)
        self._lock = threading.Lock()
        self._asking: weakref.WeakValueDictionary[str, threading.Lock] = weakref.WeakValueDictionary()
        self._seen: list[tuple[float, int, int]] = []
        self._scale = 1.0
        self.found = 0
        self.estimated = 0
        self.answered = 0
        self.lost = 0
        self.last_failure: NotMeasured | None = None
        self.watch: Callable[[], None] = _unwatched

    def __repr__(self) -> str:
        return f"Endpoint({str(self.address)!r})"

    @property
    def fingerprint(self) -> str:
        """A hash of the name, which holds the URL, and of the settings that can change an answer."""
        return digest({"name": str(self.address), "url": self.address.url, "settings": dict(self.settings.deciding())})

    def ask(
        self, send: Send, body: Mapping[str, Json], check: Check, *, most_written: int, pictures: int = 0, fresh: bool = False
    ) -> dict[str, Json]:
        """The server's answer to a request, from the cache where it is there.

        send    picks the method of the official client that sends `body`.
        check   raises NotMeasured for an answer of the wrong form, which then is not kept.
        most_written, pictures  tokens that the answer can have at most, and pictures that `body` shows: for the budget.
        fresh   asks the server itself, and keeps nothing.
        Raises NotMeasured with its reason, OutOfBudget before a request that might cost too much.
        """
        body = {name: cleaned(value, str) for name, value in body.items()}
        request = digest({"url": self.address.url, "body": body})
        guess = 16 + _bytes(body) // _BYTES_A_TOKEN + pictures * _PICTURE_TOKENS
        if self.cache is None or fresh:
            with self._turns:
                return self._persist(send, body, check, guess, most_written)
        with self._lock:
            alone = self._asking.setdefault(request, threading.Lock())
        with alone:  # the same request in another thread waits, and finds the answer in the cache
            found = self.cache.get(request)
            if found is not None:
                try:
                    check(found)
                except NotMeasured as failure:  # kept by another reading of what is an answer
                    self.given_up(failure)
                    raise
                self.dialect.remember(found)
                with self._lock:
                    self.found += 1
                return found
            with self._turns:
                answer = self._persist(send, body, check, guess, most_written)
            self.cache.put(request, answer)
            return answer

    def _persist(self, send: Send, body: Mapping[str, Json], check: Check, guess: int, most: int) -> dict[str, Json]:
        """Asks until there is an answer, or a reason to give up; counts which of the two it was."""
        try:
            answer = self._patiently(send, body, check, guess, most)
        except NotMeasured as failure:
            self.given_up(failure)
            raise
        self.dialect.remember(answer)
        with self._lock:
            self.answered += 1
            self.last_failure = None
        self.watch()
        return answer

    def given_up(self, failure: NotMeasured) -> None:
        """Counts a request that brought no answer, or was not even sent."""
        self.notices.lost(failure)
        with self._lock:
            self.lost += 1
            self.last_failure = failure

    def _patiently(self, send: Send, body: Mapping[str, Json], check: Check, guess: int, most: int) -> dict[str, Json]:
        self._health.may_ask()
        ends = self._clock() + self.settings.total
        attempts = 0
        tried: list[str] = []
        before: NotMeasured | None = None
        while True:
            attempts += 1
            sent = self.dialect.put(body)
            answer = self._once(send, sent, check, guess, most, ends)
            if not isinstance(answer, NotMeasured):
                self._health.well()
                self.dialect.held(body, sent)
                return answer
            left = ends - self._clock()
            if left > 0 and attempts <= 2 * MOST_RULES and self.dialect.otherwise(body, sent, answer, before, tried):
                before = answer
                continue
            if before is not None and left <= 0:  # what the server did says more than that there was no time left to see it do so again
                answer = before
            before = answer
            pause = self._waits.after(answer, attempts, left)
            if pause is None:
                if answer.said:  # else it ended otherwise, which says nothing of what was tried
                    self.dialect.refute(tried)
                final = NotMeasured(answer.reason, answer.detail, attempts, answer.wait)
                self._health.failed(final)
                raise final  # a new one, outside of any handler: it carries no other one along, and so nothing that another one holds
            self._sleep(pause)

    def _once(
        self, send: Send, body: Mapping[str, Json], check: Check, guess: int, most: int, ends: float
    ) -> dict[str, Json] | NotMeasured:
        """One request: its answer, or why there is none."""
        reads = math.ceil(guess * self._scale)
        with self.budget.charge(reads, most) as charge:
            began = self._clock()
            answer: dict[str, Json] = {}
            try:
                with self._lines.until(ends):
                    answer = read_object(self._sent(send, body), self._key.hide)
                check(answer)
            except NotMeasured as failure:
                refused = failure.reason is Reason.FILTERED and not answer  # by a status: its model has not begun
                if failure.reason in FREE or refused or error_in(answer) is not None:
                    charge.costs(0, 0)
                elif (counted := usage(answer)) is not None:
                    charge.costs(*counted)
                return failure
            counted = usage(answer)
            charge.costs(*(counted or (reads, most)))
            self._remember(self._clock() - began, counted, guess)
            return answer

    def _sent(self, send: Send, body: Mapping[str, Json]) -> bytes:
        """The bytes of a success. Raises NotMeasured for any other status."""
        from openai import APIStatusError

        try:
            return bytes(send(self._client)(**body).content)
        except APIStatusError as error:
            response = error.response
            generated = said_before_failing(response.status_code, response.content)
            if generated is not None:
                return generated
            raise of_status(response.status_code, response.content, self._key.hide, asked_to_wait(response.headers)) from None

    def _remember(self, seconds: float, counted: tuple[int, int] | None, guess: int) -> None:
        with self._lock:
            self.estimated += counted is None
            if counted is not None:  # from now on nothing is guessed to be less than what this server counts
                self._scale = max(self._scale, counted[0] / guess)
            self._seen.append((seconds, *(counted or (guess, 0))))
            del self._seen[:-_MEMORY]

    def estimate(self, requests: int) -> Estimate:
        """What so many requests will take, going by the medians of those that this endpoint has answered.

        Raises ValueError when it has answered none: ask something first.
        """
        with self._lock:
            seen = list(self._seen)
        if not seen:
            raise ValueError("nothing was answered yet, so nothing is known of the latency")
        latency, read, written = (statistics.median(column) for column in zip(*seen, strict=True))
        return estimate(
            requests,
            latency=latency,
            read=read,
            written=written,
            concurrency=self.settings.concurrency,
            prices=self.budget.limits.prices,
        )

    def latencies(self) -> list[float]:
        """Seconds of each of the last answers, in their order; those from the cache are not among them."""
        with self._lock:
            return [seconds for seconds, _, _ in self._seen]

    def stop(self) -> None:
        """Ends all requests under way, in whatever thread: each ends as NotMeasured with Reason.STOPPED. There is no way back."""
        self._lines.shut()

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()


def _open(address: EndpointName, key: Any, settings: Settings, clock: Callable[[], float]) -> tuple[OpenAI, Any]:
    """The official client over our own transport, and the lines beneath it."""
    import httpx2
    from openai import OpenAI

    from hartley.targets.endpoint.lines import Lines
    from hartley.targets.endpoint.transport import Transport

    lines = Lines(clock)
    timeout = httpx2.Timeout(connect=settings.connect, read=settings.read, write=settings.read, pool=settings.total)
    http = httpx2.Client(transport=Transport(address, key, settings, lines), timeout=timeout, trust_env=False, follow_redirects=False)
    # The client gets a stand-in; the key itself is known to the transport alone.
    client = OpenAI(api_key="none", admin_api_key="none", base_url=address.url, http_client=http, max_retries=0, timeout=timeout)
    return client, lines


def _unwatched() -> None:
    """Nobody watches."""


def _bytes(value: Json | Mapping[str, Json]) -> int:
    """How many bytes the words in a value have; a picture's data URL counts as none."""
    if isinstance(value, str):
        return 0 if value.startswith("data:") else len(value.encode(errors="replace"))
    if isinstance(value, list):
        return sum(map(_bytes, value))
    if isinstance(value, Mapping):
        return sum(_bytes(name) + _bytes(item) for name, item in value.items())
    return 4
