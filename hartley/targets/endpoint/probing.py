"""Probing: what can be known of a server before a scan is paid for, by a few short questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hartley.targets.arguments import Tools
from hartley.targets.conversation import Conversation, Json, ask
from hartley.targets.endpoint.choices import Said, read_choice
from hartley.targets.endpoint.client import answered, chat
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.wire import to_messages, usage

if TYPE_CHECKING:
    from hartley.targets.endpoint.endpoint import Endpoint

SHORT, LONG = "say ok", "say ok, and say it once more, and do not say anything else than that, whatever you may think of it"


@dataclass(frozen=True)
class Verdict:
    """What a first probe found.

    failure   why the server gives no answer at all; None where it does.
    seen      whether the model is shown the tools; None where the server does not count what it reads, or not so that it tells.
    calls     "native", "written" (the server did not parse them), "unreadable", or "none", when the model was asked to call a tool.
    line      the verdict in one line.
    """

    failure: NotMeasured | None
    seen: bool | None
    calls: str
    line: str

    @property
    def usable(self) -> bool:
        """Whether threats that need tools can be measured."""
        return self.failure is None and self.seen is not False and self.calls in ("native", "written")


def first_probe(endpoint: Endpoint, tools: Tools, question: Conversation) -> Verdict:
    """Asks whether the server answers, whether its model sees the tools, and whether it calls one when `question` asks for that.

    Three to five requests, none from the cache. Raises OutOfBudget.
    """
    try:
        seen = _seen(endpoint, tools)
        answer = _ask(endpoint, question, tools) if seen is not False else None
    except NotMeasured as failure:
        return Verdict(failure, None, "none", f"the server gives no answer: {str(failure).removeprefix('not measured: ')}")
    if answer is None:
        return Verdict(None, False, "none", _unseen().detail)
    said = read_choice(answer, tools, thinking_counts=endpoint.settings.thinking_counts, may_be_silent=True)
    calls = "unreadable" if said.unreadable else ("written" if said.written else "native") if said.message.calls else "none"
    return Verdict(None, seen, calls, f"{_CALLS[calls]}; {_SEEN[seen]}")


_CALLS = {
    "native": "the model calls tools, and the server parses its calls",
    "written": "the model calls tools; the server does not parse its calls, which are read from the words",
    "unreadable": "the model's calls cannot be read",
    "none": "the model was asked to call a tool, and did not",
}
_SEEN = {
    True: "it is shown the tools",
    None: "whether it is shown the tools, the server's counts do not tell",
}


def tools_unseen(endpoint: Endpoint, tools: Tools) -> NotMeasured | None:
    """Why nothing can be measured with tools, where the server drops them or its model's template has no place for them; else None.

    One request where the server counts nothing, two as a rule, four at most, none from the cache.
    Raises NotMeasured when the server gives no answer, OutOfBudget.
    """
    return _unseen() if _seen(endpoint, tools) is False else None


def _unseen() -> NotMeasured:
    return NotMeasured(
        Reason.UNSEEN,
        "usage.prompt_tokens is the same with and without tools, so the server drops them, or its model's template renders none",
    )


def _seen(endpoint: Endpoint, tools: Tools) -> bool | None:
    """Whether the server reads more where tools are on offer; None where its counts do not tell."""
    offered = _count(endpoint, SHORT, tools)
    if not tools or offered is None:
        return None
    bare = _count(endpoint, SHORT)
    if bare is None or offered > bare:
        return None if bare is None else True
    longer = _count(endpoint, LONG)
    if longer is None or longer <= bare:
        return None  # it does not count what this question has more either
    try:
        forced = _count(endpoint, SHORT, tools, tool_choice="auto")
    except NotMeasured as failure:
        if failure.reason is not Reason.REJECTED:
            raise
        return False  # it does not take that field at all
    if forced is None or forced <= bare:
        return False
    endpoint.dialect.adopt("tool-choice", 'tool_choice "auto" is sent, since the server drops tools without it', proven=True)
    return True


def _count(endpoint: Endpoint, words: str, tools: Tools = (), **more: Json) -> int | None:
    """The tokens that the server says it has read. With tools alone its model must have had something to say, or to call."""
    silent = not tools or bool(more)
    counted = usage(_ask(endpoint, ask(words, pictures=0), tools, more, answered if silent else None))
    return None if counted is None or not counted[0] else counted[0]


def _ask(
    endpoint: Endpoint,
    question: Conversation,
    tools: Tools,
    more: Mapping[str, Json] | None = None,
    check: Callable[[Mapping[str, Json]], object] | None = None,
) -> Mapping[str, Json]:
    """The server's own answer to a question. check: instead of reading it as one that a silent model has ended itself."""
    offered: dict[str, Json] = {**({"tools": [dict(tool) for tool in tools]} if tools else {}), **(more or {})}

    def read(answer: Mapping[str, Json]) -> Said:
        return read_choice(answer, tools, thinking_counts=endpoint.settings.thinking_counts, may_be_silent=True)

    return chat(endpoint, to_messages(question), endpoint.settings.longest, offered, check=check or read, fresh=True)
