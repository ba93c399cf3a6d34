"""Text protocol: tools for models without native tool calls. Everything is words; one JSON object a step.

The tools stand in the system turn, a call is `{"tool": NAME, "arguments": {...}}`, closing words are `{"answer": "..."}`, and what a
tool answers comes back in a user's turn, marked as such: a document in it is set apart less clearly than in a tool's own turn.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from hartley.targets.agent.agent import Remembering, responses
from hartley.targets.arguments import MalformedCallError, Tools, not_finite, offered, typed_call, unwrapped
from hartley.targets.conversation import Conversation, Json, Message
from hartley.targets.endpoint.batch import first_failure
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.protocols import Policy
from hartley.targets.tool_calls import malformed
from hartley.targets.written_calls import LONGEST, plain_name

PROTOCOLS = NATIVE, JSON = "native", "json"
"""How a policy is given tools: as its server or its chat template does it, or as here."""
INSTRUCTIONS = (
    "You can use tools. Answer with exactly one JSON object and nothing else.\n"
    'To use a tool: {{"tool": "NAME", "arguments": {{"ARGUMENT": VALUE}}}}\n'
    'When you are done, or no tool is needed: {{"answer": "your answer to the user"}}\n'
    "After each use of a tool you are shown its result, and answer with the next JSON object.\n\nTools:\n{tools}"
)
RESULT = "Result of the tool {name}:\n{text}"

_THINKING = re.compile(r"<(think|thinking|reasoning|scratchpad)>.*?(?:</\1>|$)", re.S | re.I)
_TOOL = ("tool", "tool_name", "name", "function", "function_name", "action")
_ARGUMENTS = ("arguments", "args", "parameters", "params", "input", "tool_input", "action_input", "kwargs")
_ANSWER = ("answer", "final_answer", "final", "response", "reply", "message")
_INSIDE = ("tool_call", "call", "function_call", "tool_calls", "calls", "step", "tool", "function")
_PYTHON = (("true", "True"), ("false", "False"), ("null", "None"))
_MOST_OBJECTS = 64


class TextProtocol:
    """A policy that is offered tools in words; satisfies `Policy`. Without tools it is asked as it is."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.name, self.capabilities = policy.name, policy.capabilities

    @property
    def fingerprint(self) -> str:
        """The policy's own, and that of this protocol."""
        return f"{self.policy.fingerprint} json 1"

    def respond(self, conversations: Sequence[Conversation], tools: Tools) -> list[Message]:
        """The next step of each conversation. Raises the first NotMeasured."""
        return first_failure(self.attempt(conversations, tools))

    def attempt(self, conversations: Sequence[Conversation], tools: Tools) -> list[Message | NotMeasured]:
        """The next step of each conversation, or why there is none."""
        if not tools:
            return responses(self.policy, conversations, ())
        said = responses(self.policy, [in_words(conversation, tools) for conversation in conversations], ())
        return [one if isinstance(one, NotMeasured) else read_step(one.text, tools) for one in said]

    def log_likelihood(self, conversations: Sequence[Conversation], answers: Sequence[Message], tools: Tools) -> Tensor:
        """The policy's own, where no tools are on offer."""
        policy: Any = self.policy
        found: Tensor = policy.log_likelihood(conversations, answers, tools)
        return found

    def probe(self, _tools: Tools = ()) -> None:
        """A server is tried out without tools: none are sent to it."""
        policy: Any = self.policy
        policy.probe(())


class RememberingTextProtocol(TextProtocol):
    """The same, around a policy that keeps what it has read."""

    def session(self) -> Policy:
        """With a policy that does not read again what it has read."""
        return TextProtocol(self.policy.session() if isinstance(self.policy, Remembering) else self.policy)


def text_protocol(policy: Policy) -> TextProtocol:
    """The policy behind the text protocol."""
    return RememberingTextProtocol(policy) if isinstance(policy, Remembering) else TextProtocol(policy)


def in_words(conversation: Conversation, tools: Tools) -> Conversation:
    """A conversation with tools as one without: system, user and assistant take turns."""
    listed = "\n".join(_described(name, function) for name, function in offered(tools).items())
    instructions = INSTRUCTIONS.format(tools=listed)
    before = [message.text for message in conversation if message.role == "system"]
    turns: list[Message] = [Message("system", "\n\n".join([*before, instructions]))]
    names: dict[str, str] = {}
    waiting: list[str] = []
    for message in conversation:
        if message.role == "assistant":
            names |= {call.id: call.name for call in message.calls if call.id}
            waiting += [call.name for call in message.calls]
            steps = [json.dumps({"tool": call.name, "arguments": dict(call.arguments)}) for call in message.calls]
            turns.append(Message("assistant", "\n".join(steps) or json.dumps({"answer": message.text}, ensure_ascii=False)))
        elif message.role == "tool":
            oldest = waiting.pop(0) if waiting else "tool"
            shown = RESULT.format(name=names.get(message.answers, oldest), text=message.text)
            if turns[-1].role == "user":  # results of one turn, or a user's words right behind: templates want turns to alternate
                turns[-1] = replace(turns[-1], text=f"{turns[-1].text}\n\n{shown}")
            else:
                turns.append(Message("user", shown))
        elif message.role == "user":
            turns.append(message)
    return tuple(turns)


def _described(name: str, function: Mapping[str, Any]) -> str:
    parameters = function.get("parameters") or {}
    return json.dumps({"tool": name, "description": function.get("description", ""), "arguments": parameters.get("properties", {})})


def read_step(text: str, tools: Tools) -> Message:
    """What a model wrote, as a turn: the first object that stands by itself decides, a call or an answer; what follows it, such as
    results that the model made up, is not read. Plain words are an answer. What cannot be read as a call says so, and is none.

    An object in the middle of a line of words is a quotation. Thinking is not read.
    """
    bare = _THINKING.sub("", text[: LONGEST + 1]).strip()
    if len(text) > LONGEST:
        return malformed("", MalformedCallError(f"it stands in {len(text):,} characters; up to {LONGEST:,} are read"))
    names = frozenset(offered(tools))
    try:
        for value in _objects(bare):
            if (found := _step(value, names, tools)) is not None:
                return found
    except MalformedCallError as error:
        return malformed("", error)
    return Message("assistant", bare)


def _step(value: Mapping[str, Any], names: frozenset[str], tools: Tools) -> Message | None:
    """The turn that an object is; None where it is neither a call nor an answer."""
    for around in _INSIDE:
        inner = value.get(around)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, Mapping) and not (
            around in ("tool", "function") and not any(isinstance(inner.get(name), str) for name in _TOOL)
        ):
            return _step(inner, names, tools)
    key = next((key for key in _TOOL if isinstance(value.get(key), str) and value[key].strip()), None)
    if key is None:
        first = next(iter(value), "")
        if len(value) == 1 and first in names and isinstance(value[first], Mapping):
            return _called(first, value[first], tools)
        said = next((value[key] for key in _ANSWER if isinstance(value.get(key), str | int | float)), None)
        return None if said is None else Message("assistant", str(said))
    name = plain_name(value[key], names)
    if name not in names:
        if name.lower() in (*_ANSWER, "none", "finish", "final answer"):
            given = next((value[other] for other in (*_ARGUMENTS, *_ANSWER) if other in value and other != key), "")
            return Message("assistant", given if isinstance(given, str) else str(next(iter(given.values()), "")) if given else "")
        raise MalformedCallError(f"there is no tool {name[:60]!r}")
    given = next((value[other] for other in _ARGUMENTS if other in value), None)
    if given is None and not any(other in value for other in _ARGUMENTS):
        given = {other: item for other, item in value.items() if other not in (key, "id", "type", "thought", "reasoning", *_ANSWER)}
    arguments = unwrapped(given)
    if isinstance(arguments.get("properties"), Mapping) and arguments.get("type") == "object":
        raise MalformedCallError("it repeats the description of a tool")
    return _called(name, arguments, tools)


def _called(name: str, arguments: Mapping[str, Json], tools: Tools) -> Message:
    return Message("assistant", calls=(typed_call(name, arguments, tools),))


def _objects(text: str) -> list[Mapping[str, Any]]:
    """The objects that stand by themselves: at the beginning or the end of the text, on lines of their own, or in a fence."""
    found: list[Mapping[str, Any]] = []
    place, broken = 0, False
    for _ in range(_MOST_OBJECTS):
        start = text.find("{", place)
        if start < 0:
            break
        end = _closed(text, start)
        line_before = text[text.rfind("\n", 0, start) + 1 : start].strip(" \t`[,>*-:#0123456789.")
        alone = not line_before or line_before.lower() in _LABELS or not text[end:].strip(" \t\n`].,;") or (not found and start == 0)
        if alone:
            try:
                value = _value(text[start:end])
            except ValueError:
                broken = broken or bool(re.search(r"[\"'](?:tool|name|function|action)[\"']\s*:", text[start:end]))
            else:
                found += [value] if isinstance(value, dict) else []
        place = max(end, start + 1)
    if broken and not found:
        raise MalformedCallError("it is not valid JSON")
    return found


_LABELS = frozenset(
    {"json", "tool", "call", "action", "output", "response", "step", "tool call", "assistant", "answer", "next step", "tool_call"}
)


def _closed(text: str, start: int) -> int:
    """The place behind the brace that closes the one at `start`; the end of the text where none does."""
    depth, quote, escaped = 0, "", False
    for place in range(start, len(text)):
        letter = text[place]
        if escaped:
            escaped = False
        elif quote:
            escaped, quote = letter == "\\", "" if letter == quote else quote
        elif letter in "\"'" and (letter == '"' or text[place - 1] in " {[:,(\n\t"):
            quote = letter
        elif letter in "{}":
            depth += 1 if letter == "{" else -1
            if depth == 0:
                return place + 1
    return len(text)


def _value(text: str) -> Any:
    """JSON, or the same as Python writes it. Raises ValueError for anything else."""
    try:
        return json.loads(text, strict=False, parse_constant=not_finite)
    except RecursionError:
        raise ValueError("too deep") from None
    except MalformedCallError:
        raise
    except ValueError:
        pass
    for json_word, word in _PYTHON:
        text = re.sub(rf"(?<=[:\[,\s]){json_word}(?=\s*[,}}\]])", word, text)
    try:
        return ast.literal_eval(text.replace("\u201c", '"').replace("\u201d", '"'))
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        raise ValueError("neither JSON nor Python") from None
