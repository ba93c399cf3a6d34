"""Dialect: what one server refuses of a request, learned once from its own words, and how requests are then put.

Servers of this protocol differ in parameters, names and shapes. What is sent at first is the least that most take; where a
server refuses it and says why, one rule is tried, and kept if the server then answers. What is kept stands in the run.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from hartley.files import write
from hartley.targets.conversation import Json
from hartley.targets.endpoint import shapes
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.rules import RULES, Rule, fields_named, lower_limit, schema_words_named

Body = dict[str, Any]

LEARNS_FROM = frozenset({Reason.REJECTED, Reason.SERVER_ERROR, Reason.NO_MODEL})
"""A template's objections come with 400, with 500 and even with 404."""
MOST_RULES = 12
"""That one request may learn."""


class Dialect:
    """How requests are put to one server. Threads share it.

    folder: where what was learned is kept for other processes and for the run's reader; None for nowhere.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, str] = {}
        self._proven: set[str] = set()
        self._refuted: set[str] = set()
        self._folder: Path | None = None
        self._carried: dict[str, Mapping[str, Json]] = {}

    @property
    def adapted(self) -> tuple[str, ...]:
        """What is done otherwise for this server, one sentence each; what is only being tried is not among it."""
        with self._lock:
            return tuple(f"adapted: {sentence}" for name, sentence in self._kept.items() if name in self._proven)

    def keep_in(self, folder: Path) -> None:
        """Reads what other processes have learned there, and writes there what is learned from now on."""
        self._folder = folder
        with self._lock:
            known = read(folder)
            self._kept |= known
            self._proven |= set(known)

    def adopt(self, name: str, sentence: str, *, proven: bool = False) -> None:
        """From now on requests are put so. name: of a rule, or what is left out."""
        with self._lock:
            self._kept[name] = sentence
        if proven:
            self.prove([name])

    def prove(self, names: Iterable[str]) -> None:
        """What was tried has helped; it is kept for good."""
        with self._lock:
            news = {name for name in names if name in self._kept} - self._proven
            self._proven |= news
            if news and self._folder is not None:
                whole = {**read(self._folder), **{name: self._kept[name] for name in self._kept if name in self._proven}}
                # The ledger and the cache, which matter more, say so when nothing can be written there.
                with contextlib.suppress(OSError):
                    write(self._folder / FILE, json.dumps(whole, indent=1).encode())

    def held(self, body: Mapping[str, Any], sent: Mapping[str, Any]) -> None:
        """A request was answered as it was sent: what is now done otherwise has held, if it is what was done then."""
        if self.put(body) == sent:
            self.prove(tuple(self._kept))

    def refute(self, names: Iterable[str]) -> None:
        """What did not help is taken back, and not tried again."""
        with self._lock:
            for name in set(names) - self._proven:
                self._kept.pop(name, None)
                self._refuted.add(name)

    def put(self, body: Mapping[str, Any]) -> Body:
        """A request as this server takes it."""
        with self._lock:
            names = list(self._kept)
            carried = dict(self._carried) if self._carried else {}
        found = shapes.carrying(dict(body), carried, "thoughts" in names)
        for name in names:
            found = _applied(name, found)
        return found

    def otherwise(
        self, body: Mapping[str, Any], sent: Mapping[str, Any], failure: NotMeasured, before: NotMeasured | None, tried: list[str]
    ) -> bool:
        """Whether a request that failed, sent as `sent`, can now be put otherwise.

        before, tried: its failure before this one, and what it has tried so far, to which this adds.
        """
        if failure.reason not in LEARNS_FROM or not failure.said:
            return False
        if tried and before is not None and failure.said != before.said:
            self.prove(tried[-1:])  # the server has another objection now: the last one is met
        elif tried and "without" in tried[-1]:
            self.refute([tried.pop()])
        elif self.put(body) != sent:
            return True  # another thread has learned something meanwhile
        name = self.learn(failure, body) if len(tried) < MOST_RULES else None
        if name is not None:
            tried.append(name)
        return name is not None

    def learn(self, failure: NotMeasured, body: Mapping[str, Any]) -> str | None:
        """The name of what may help, tried from now on; None where the server's words name nothing that can be changed."""
        if failure.reason not in LEARNS_FROM or not failure.said:
            return None
        sent = self.put(body)
        for name, sentence in _candidates(failure, sent):
            with self._lock:
                known = name in self._refuted or name in self._kept
            if not known:
                self.adopt(name, sentence)
                if self.put(body) != sent:
                    return name
                with self._lock:
                    self._kept.pop(name, None)
        return None

    def remember(self, answer: Mapping[str, Any]) -> None:
        """What an answer's calls carry along that this server wants back: a thought's signature, or the thought itself."""
        found = shapes.carried(answer)
        if found:
            with self._lock:
                self._carried |= found
                for oldest in list(self._carried)[: max(0, len(self._carried) - shapes.MOST_CARRIED)]:
                    del self._carried[oldest]


FILE = "dialect.json"


def read(folder: Path) -> dict[str, str]:
    """What was adapted for the server of a run, by the rule's name; nothing where nothing was."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = json.loads(file.read(2**16)) if stat.S_ISREG(os.fstat(descriptor).st_mode) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {name: sentence[:300] for name, sentence in known if isinstance(name, str) and isinstance(sentence, str) and _rule(name)}


def _candidates(failure: NotMeasured, sent: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What may help, the surest first: rules for shapes by the server's words, limits, fields and schema words that it names."""
    said = failure.said
    found = [(rule.name, rule.sentence) for rule in RULES if rule.words.search(said) and (rule.but is None or not rule.but.search(said))]
    if failure.reason is not Reason.REJECTED:
        return found
    limit = lower_limit(said, sent)
    found += [] if limit is None else [(f"limit {limit}", f"answers of at most {limit} tokens, the most that it allows")]
    found += [(f"without {field}", f"{field} left out") for field in fields_named(said, sent)]
    found += [(f"schemas without {word}", f"{word} left out of the tools' schemas") for word in schema_words_named(said, sent)]
    return found


def _rule(name: str) -> Callable[[Body], Body] | None:
    kind, _, rest = name.partition(" ")
    if name in _RULES:
        return _RULES[name].put
    if name.startswith("schemas without "):
        return lambda body: shapes.schemas_without(body, name.removeprefix("schemas without "))
    if kind == "without":
        return lambda body: shapes.without(body, rest)
    if kind == "limit" and rest.isdecimal():
        return lambda body: shapes.limited(body, int(rest))
    return None


def _applied(name: str, body: Body) -> Body:
    put = _rule(name)
    return body if put is None else put(body)


_RULES: dict[str, Rule] = {rule.name: rule for rule in RULES}
