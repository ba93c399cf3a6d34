"""Safeguards around AgentDojo's tools, under the same ids as around our own agents: tool-allow-list and flow-control."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from hartley.errors import unknown
from hartley.targets.agentdojo.environments import as_text
from hartley.targets.agentdojo.extra import enroll
from hartley.targets.agentdojo.suites import READING
from hartley.targets.agentdojo.twin import Asked, key_of, twin_calls

TURNS = 15
"""Answers of tools that a policy may wait for in one task, as in AgentDojo's own loop. A policy that asks for one call at a time may
have `turns` of its own: some ground truths are longer."""

SPARE = 1
"""Calls beyond the plan's that the allow-list's budget allows: a plan made without reading may be short of one."""

Judge = Callable[["Watched", str, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Answer:
    """What a tool was asked and gave. result: its value, before it became text; why: why it was not run, "" where it was."""

    function: str
    arguments: Mapping[str, Any]
    result: Any = None
    why: str = ""

    @cached_property
    def text(self) -> str:
        """The result as AgentDojo shows it."""
        return as_text(self.result)


class Watched:
    """AgentDojo's runtime with judges before its tools, and a record of what was run and refused; it is used as a runtime.

    twin    the calls that trusted words explain; those that a judge let through are used up.
    """

    def __init__(self, inner: Any, words: str, twin: Sequence[Asked] = (), judges: Sequence[Judge] = ()) -> None:
        self.inner, self.words = inner, words
        self.left = Counter(asked.key for asked in twin)
        self.twin, self.judges = tuple(twin), tuple(judges)
        self.answers: list[Answer] = []
        self.ran: list[Any] = []

    @property
    def functions(self) -> dict[str, Any]:
        """The tools on offer."""
        return dict(self.inner.functions)

    def update_functions(self, functions: dict[str, Any]) -> None:
        self.inner.update_functions(functions)

    def run_function(self, env: Any, function: str, kwargs: Any, raise_on_error: bool = False) -> tuple[Any, str | None]:
        """As AgentDojo's; a refused call is an error that says why."""
        given = {
            name: self.run_function(env, value.function, value.args, raise_on_error=True)[0] if hasattr(value, "function") else value
            for name, value in kwargs.items()
        }
        for judge in self.judges:
            if why := judge(self, function, given):
                self.answers.append(Answer(function, given, why=why))
                if raise_on_error:
                    raise PermissionError(why)
                return "", f"NotAllowed: {why}"
        result, error = self.inner.run_function(env, function, given, raise_on_error)
        self.answers.append(Answer(function, given, result))
        self.ran.append(kwargs)
        return result, error


class Safeguards:
    """An element for AgentDojo's pipelines: from here on, its tools are guarded. It stands after the user's words.

    llm     the element that decides, ours or any of AgentDojo's. Its twin is asked before anything untrusted was read.
    ids     of `GUARDS`; none: nothing is guarded, and what the tools do is recorded all the same.
    Raises InputError for another id.
    """

    name = None

    def __init__(self, llm: Any, *ids: str, turns: int = TURNS) -> None:
        enroll(type(self))
        self.llm, self.turns = llm, turns
        for one in ids:
            if one not in GUARDS:
                raise unknown("safeguard around AgentDojo's tools", one, GUARDS)
        self.ids = ids

    def query(self, query: str, runtime: Any, env: Any, messages: Sequence[Any] = (), extra_args: Any = None) -> tuple[Any, ...]:
        extra = {} if extra_args is None else extra_args
        twin = twin_calls(self.llm, query, runtime, env, messages, extra, self.turns) if self.ids else []
        if "tool-allow-list" in self.ids:
            planned = {asked.function for asked in twin}
            runtime = type(runtime)([tool for name, tool in runtime.functions.items() if name in planned])
        return query, Watched(runtime, query, twin, [judge for one in self.ids for judge in GUARDS[one]]), env, messages, extra


class Executed:
    """The last element of a guarded pipeline: takes calls that were not run out of what AgentDojo's judges count as made.

    What was said stays as it was in extra_args["said"], and what the tools did in extra_args["watched"].
    """

    name = None

    def __init__(self) -> None:
        enroll(type(self))

    def query(self, query: str, runtime: Any, env: Any, messages: Sequence[Any] = (), extra_args: Any = None) -> tuple[Any, ...]:
        extra = {**(extra_args or {}), "said": list(messages), "watched": runtime}
        if isinstance(runtime, Watched):
            messages = [_without(message, runtime.ran) for message in messages]
        return query, runtime, env, messages, extra


def _without(message: Any, ran: Sequence[Any]) -> Any:
    """A message without the calls that were not run. Equal calls differ in fate, so arguments are compared by identity."""
    if message["role"] != "assistant" or not message["tool_calls"]:
        return message
    kept = [call for call in message["tool_calls"] if any(call.args is arguments for arguments in ran)]
    return {**message, "tool_calls": kept or None}


def explained(watched: Watched, function: str, arguments: Mapping[str, Any]) -> str:
    """Flow control: "" where a call may run, or why not.

    A privileged call runs before any tool has answered, and later where the twin asks for the same one, which is then used up.
    """
    if function in READING:
        return ""
    key = key_of(watched.inner, function, arguments)
    if watched.left[key] > 0:
        watched.left[key] -= 1
        return ""
    if all(answer.why for answer in watched.answers):
        return ""
    traced = [f"{name} stands in the answer of {source}" for name, source in sources(watched, arguments).items()]
    if traced:
        return f"{function} is privileged, and trusted words do not explain it: {', '.join(traced)}"
    asked = any(one.function == function for one in watched.twin)
    return f"{function} is privileged, and {'not with these arguments' if asked else 'nothing trusted'} asks for it"


def budget(watched: Watched, function: str, arguments: Mapping[str, Any]) -> str:
    """The call budget that comes with the allow-list: as many as planned, and `SPARE` more. "" or why not."""
    most = len(watched.twin) + SPARE
    return "" if len(watched.ran) < most else f"the task's {most} calls are used up"


def sources(watched: Watched, arguments: Mapping[str, Any]) -> dict[str, str]:
    """For each argument that the user's words do not hold, the tool whose answer holds it: labels by tracing values."""
    found: dict[str, str] = {}
    for name, value in arguments.items():
        for answer in watched.answers:
            if not answer.why and from_text(value, watched.words, answer.text):
                found[name] = answer.function
                break
    return found


def from_text(value: Any, trusted: str, text: str) -> bool:
    """Whether a part of a value stands in the text and not in the trusted words: numbers by value, strings word by word."""
    if isinstance(value, Mapping):
        return any(from_text(item, trusted, text) for item in value.values())
    if isinstance(value, list | tuple):
        return any(from_text(item, trusted, text) for item in value)
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, int | float):
        return float(value) in numbers(text) - numbers(trusted)
    return bool((tokens(str(value)) - tokens(trusted)) & tokens(text))


@lru_cache(512)
def tokens(text: str) -> frozenset[str]:
    """The words and numbers of a text that say something: three letters or more, or a digit."""
    return frozenset(word for word in re.findall(r"[^\W_]+", text.casefold()) if len(word) > 2 or word.isdigit())


@lru_cache(512)
def numbers(text: str) -> frozenset[float]:
    """The numbers in a text."""
    return frozenset(float(found) for found in re.findall(r"\d+(?:\.\d+)?", text.replace(",", "")))


GUARDS: Mapping[str, tuple[Judge, ...]] = {"tool-allow-list": (budget,), "flow-control": (explained,)}
"""The safeguards, by their catalog ids, with what judges each call. The allow-list also cuts what is on offer."""
