"""Shapes: requests put otherwise, each way as a function from a body to a body. What is given is never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hartley.targets.conversation import Json

Body = dict[str, Any]
Turn = dict[str, Any]

MOST_CARRIED = 4_000
_LIMITS = ("max_tokens", "max_completion_tokens")
_THOUGHTS = ("reasoning_content", "reasoning")
NEEDED = frozenset({"model", "messages", "tools", "input", "extra_body", *_LIMITS})
"""Fields without which a request is another one."""


def without(body: Body, field: str) -> Body:
    """Without a field: of the request, or `message NAME` of every turn."""
    if field.startswith("message "):
        name = field.removeprefix("message ")
        return _turns(body, lambda turn: {key: value for key, value in turn.items() if key != name})
    return {key: value for key, value in body.items() if key != field or field in NEEDED}


def limited(body: Body, most: int) -> Body:
    """With answers of at most so many tokens."""
    return {key: min(value, most) if key in _LIMITS else value for key, value in body.items()}


def renamed_limit(body: Body) -> Body:
    """With the other one of the two names that the longest answer has."""
    other = dict(zip(_LIMITS, reversed(_LIMITS), strict=True))
    return {other.get(key, key): value for key, value in body.items()}


def with_fields(**fields: Any) -> Callable[[Body], Body]:
    """With further fields where tools are on offer."""
    return lambda body: {**body, **fields} if body.get("tools") else body


def schemas_without(body: Body, word: str) -> Body:
    """With a word of JSON Schema, and what stands behind it, left out of the tools' parameters; properties of that name stay."""

    def cut(schema: Any, *, names: bool = False) -> Any:
        if isinstance(schema, list):
            return [cut(item) for item in schema]
        if not isinstance(schema, Mapping):
            return schema
        return {key: cut(item, names=not names and key == "properties") for key, item in schema.items() if names or key != word}

    return _tools(body, lambda function: {**function, "parameters": cut(function["parameters"])} if "parameters" in function else function)


def closed(body: Body) -> Body:
    """With the tools' parameters closed to arguments that they do not name."""

    def close(function: Mapping[str, Any]) -> dict[str, Any]:
        return {**function, "parameters": {**(function.get("parameters") or {}), "additionalProperties": False}}

    return _tools(body, close)


def typed(body: Body) -> Body:
    """With parameters of every tool that say that they are an object."""

    def whole(function: Mapping[str, Any]) -> dict[str, Any]:
        return {**function, "parameters": {"type": "object", "properties": {}, **(function.get("parameters") or {})}}

    return _tools(body, whole)


def described(body: Body) -> Body:
    """With a description of every tool, its name where it has none."""
    return _tools(body, lambda function: {**function, "description": function.get("description") or function["name"]})


def as_functions(body: Body) -> Body:
    """With the older functions in place of tools, one call in a turn."""
    turns: list[Turn] = []
    for turn in single_calls(body).get("messages", []):
        rest = {key: value for key, value in turn.items() if key not in ("tool_calls", "tool_call_id")}
        if turn["role"] == "tool":
            turns.append({**rest, "role": "function"})
        else:
            calls = turn.get("tool_calls")
            turns.append({**rest, "function_call": calls[0]["function"]} if calls else turn)
    found = {key: value for key, value in body.items() if key not in ("tools", "tool_choice")}
    functions = {"functions": [tool["function"] for tool in body["tools"]]} if body.get("tools") else {}
    return {**found, **functions, **({"messages": turns} if "messages" in body else {})}


def without_empty_parameters(body: Body) -> Body:
    """Tools that take nothing have no parameters."""

    def bare(function: Mapping[str, Any]) -> dict[str, Any]:
        empty = not (function.get("parameters") or {}).get("properties")
        return {key: value for key, value in function.items() if key != "parameters" or not empty}

    return _tools(body, bare)


def short_ids(body: Body) -> Body:
    """With ids of nine letters and digits for all calls."""

    def short(turn: Turn) -> Turn:
        found = dict(turn)
        if isinstance(turn.get("tool_calls"), list):
            found["tool_calls"] = [{**call, "id": _nine(call["id"])} for call in turn["tool_calls"]]
        if "tool_call_id" in turn:
            found["tool_call_id"] = _nine(turn["tool_call_id"])
        return found

    return _turns(body, short)


def _nine(given: str) -> str:
    return given if len(given) == 9 and given.isascii() and given.isalnum() else hashlib.sha256(given.encode()).hexdigest()[:9]


def system_as(role: str) -> Callable[[Body], Body]:
    """With another name for the system's role."""
    return lambda body: _turns(body, lambda turn: {**turn, "role": role} if turn["role"] in ("system", "developer") else turn)


def system_in_user(body: Body) -> Body:
    """With the system's words before those of the first user's turn."""
    turns = body.get("messages", [])
    words = [turn["content"] for turn in turns if turn["role"] in ("system", "developer")]
    rest = [turn for turn in turns if turn["role"] not in ("system", "developer")]
    place = next((place for place, turn in enumerate(rest) if turn["role"] == "user"), None)
    if not words:
        return body
    if place is None:
        rest.insert(0, {"role": "user", "content": "\n\n".join(words)})
    else:
        for text in reversed(words):
            rest[place] = {**rest[place], "content": _together(text, rest[place]["content"])}
    return {**body, "messages": rest}


def system_first(body: Body) -> Body:
    """With one system's turn, before all others."""
    turns = body.get("messages", [])
    words = [turn["content"] for turn in turns if turn["role"] == "system"]
    rest = [turn for turn in turns if turn["role"] != "system"]
    return {**body, "messages": [{"role": "system", "content": "\n\n".join(words)}, *rest]} if words else body


def alternating(body: Body) -> Body:
    """With neighboring turns of one role as one turn; those of tools stay."""
    found: list[Turn] = []
    for turn in body.get("messages", []):
        last = found[-1] if found else {}
        if last.get("role") == turn["role"] != "tool" and not last.get("tool_calls"):
            found[-1] = {**last, **turn, "content": _together(last["content"], turn["content"])}
        else:
            found.append(turn)
    return {**body, "messages": found} if "messages" in body else body


def answered_tools(body: Body) -> Body:
    """With a short turn of the assistant between what a tool answers and what the user says next."""
    found: list[Turn] = []
    for turn in body.get("messages", []):
        if found and found[-1]["role"] == "tool" and turn["role"] == "user":
            found.append({"role": "assistant", "content": "ok"})
        found.append(turn)
    return {**body, "messages": found} if "messages" in body else body


def single_calls(body: Body) -> Body:
    """With one call in a turn: several are put one after the other, each with its answer."""
    turns: Sequence[Turn] = body.get("messages", [])
    answers = {turn["tool_call_id"]: turn for turn in turns if turn["role"] == "tool"}
    found: list[Turn] = []
    moved: set[str] = set()
    for turn in turns:
        calls = turn.get("tool_calls") or []
        if len(calls) < 2 and turn.get("tool_call_id") not in moved:
            found.append(turn)
        for place, call in enumerate(calls if len(calls) > 1 else ()):
            found.append({**turn, "tool_calls": [call], "content": None if place else turn.get("content")})
            if call["id"] in answers:
                found.append(answers[call["id"]])
                moved.add(call["id"])
    return {**body, "messages": found} if "messages" in body else body


def contents(change: Callable[[Any], Any]) -> Callable[[Body], Body]:
    """With every turn's content put otherwise."""
    return lambda body: _turns(body, lambda turn: {**turn, "content": change(turn.get("content"))})


def as_text(content: Any) -> Any:
    """Content that is null as an empty text; parts that are texts alone as one text."""
    if isinstance(content, list) and all(part.get("type") == "text" for part in content):
        return "".join(part["text"] for part in content)
    return "" if content is None else content


def as_parts(content: Any) -> Any:
    """Content that is text as a list of one part."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def never_empty(content: Any) -> Any:
    """Content that is empty or null as a word that says so."""
    return content or "(empty)"


def carried(answer: Mapping[str, Any]) -> dict[str, Mapping[str, Json]]:
    """What the calls of an answer carry along beside the protocol's own fields, by the call's id: extra_content, and the thought."""
    found: dict[str, Mapping[str, Json]] = {}
    for choice in answer.get("choices") or ():
        said = choice.get("message") if isinstance(choice, dict) else None
        calls = said.get("tool_calls") if isinstance(said, dict) else None
        thought = next((said[name] for name in _THOUGHTS if isinstance(said.get(name), str)), "") if isinstance(said, dict) else ""
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and isinstance(call.get("id"), str) and call["id"] and (thought or call.get("extra_content")):
                found[call["id"]] = {"extra_content": call.get("extra_content"), "thought": thought}
    return found


def carrying(body: Body, known: Mapping[str, Mapping[str, Any]], thoughts: bool) -> Body:
    """With what earlier calls carried along given back: their extra_content always, their thought where the server asks for it."""
    if not known and not thoughts:
        return body

    def back(turn: Turn) -> Turn:
        calls = turn.get("tool_calls")
        if turn["role"] != "assistant" or not calls:
            return {**turn, "reasoning_content": " "} if thoughts and turn["role"] == "assistant" else turn
        whole = [{**call, **{k: v for k, v in known.get(call["id"], {}).items() if k == "extra_content" and v}} for call in calls]
        thought = next((known[call["id"]]["thought"] for call in calls if call["id"] in known), "")
        return {**turn, "tool_calls": whole, **({"reasoning_content": thought or " "} if thoughts else {})}

    return _turns(body, back)


def _turns(body: Body, change: Callable[[Turn], Turn]) -> Body:
    return {**body, "messages": [change(turn) for turn in body["messages"]]} if "messages" in body else body


def _tools(body: Body, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Body:
    return {**body, "tools": [{**tool, "function": change(tool["function"])} for tool in body["tools"]]} if body.get("tools") else body


def schema_words(body: Mapping[str, Any]) -> Iterator[str]:
    """The words of JSON Schema that the tools' parameters use, without the names of properties."""

    def walk(schema: Any, *, names: bool = False) -> Iterator[str]:
        for key, item in schema.items() if isinstance(schema, Mapping) else enumerate(schema if isinstance(schema, list) else ()):
            if isinstance(key, str) and not names:
                yield key
            yield from walk(item, names=not names and key == "properties")

    for tool in body.get("tools") or ():
        yield from walk(tool["function"].get("parameters") or {})


def _together(first: Any, second: Any) -> Any:
    """Two turns' contents as one."""
    if isinstance(first, list) or isinstance(second, list):
        return [*(as_parts(first) or []), *(as_parts(second) or [])]
    return "\n\n".join(filter(None, [first, second]))
