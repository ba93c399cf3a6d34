"""Wire: conversations as OpenAI's chat API has them, and its embeddings and counts; `choices` reads its answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from hartley.targets.conversation import Call, Conversation, Json, Message
from hartley.targets.endpoint.choices import to_message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason

__all__ = ["from_call", "to_message", "to_messages", "to_vectors", "usage"]

MOST_TOKENS = 10**9
"""More than any server reads or writes for one request."""


def to_messages(conversation: Conversation, pictures: Sequence[str] = ()) -> list[dict[str, Json]]:
    """The turns in OpenAI's form. pictures: data URLs, shown in order by the messages that say so.

    Calls without an id get one of nine letters and digits, as some servers demand, and the tool's turns that answer without an id
    answer them in order. Those turns name their tool, as other servers demand.
    Raises ValueError when the pictures do not fit the messages, when anybody but the user shows one, and for a tool's turn
    that answers no call.
    """
    shown = iter(pictures)
    open_calls: dict[str, str] = {}
    result = [_message(message, place, shown, open_calls) for place, message in enumerate(conversation)]
    if next(shown, None) is not None:
        raise ValueError(f"{len(pictures)} pictures are given, and the messages show {sum(message.pictures for message in conversation)}")
    return result


def _message(message: Message, place: int, shown: Iterator[str], open_calls: dict[str, str]) -> dict[str, Json]:
    if message.role == "user":
        return {"role": "user", "content": _content(message, shown)}
    if message.pictures:
        raise ValueError(f"the {message.role}'s turn shows a picture; to an endpoint only the user shows pictures")
    if message.role == "tool":
        answered = message.answers or next(iter(open_calls), "")
        if answered not in open_calls:
            raise ValueError(f"the tool's turn at place {place} answers no call")
        return {"role": "tool", "tool_call_id": answered, "name": open_calls.pop(answered), "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [replace(call, id=call.id or f"c{place % 10**5:05}{number:03}") for number, call in enumerate(message.calls)]
    open_calls.clear()
    open_calls |= {call.id: call.name for call in calls}
    return {"role": message.role, "content": message.text or None, "tool_calls": [from_call(call) for call in calls]}


def _content(message: Message, shown: Iterator[str]) -> Json:
    if not message.pictures:
        return message.text
    urls = [url for _, url in zip(range(message.pictures), shown, strict=False)]
    if len(urls) < message.pictures:
        raise ValueError("the messages show more pictures than are given")
    parts: list[Json] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [*parts, {"type": "text", "text": message.text}] if message.text else parts


def from_call(call: Call) -> dict[str, Json]:
    """A call in OpenAI's form, its arguments as the text of a JSON object."""
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False, allow_nan=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def to_vectors(body: Mapping[str, Json], count: int) -> list[list[float]]:
    """The embeddings in an answer, in the order of the texts. Raises NotMeasured when they are not `count` vectors of one size."""
    data: Any = body.get("data")
    if not isinstance(data, list) or len(data) != count or not all(isinstance(item, dict) for item in data):
        raise NotMeasured(Reason.SCHEMA, f"the answer has no list of {count} embeddings")
    found = {
        item.get("index", place) if isinstance(item.get("index", place), int) else -1: _vector(item) for place, item in enumerate(data)
    }
    if set(found) != set(range(count)) or len({len(vector) for vector in found.values()}) != 1:
        raise NotMeasured(Reason.SCHEMA, "the embeddings are not numbered, or differ in size")
    return [found[place] for place in range(count)]


def _vector(item: Mapping[str, Any]) -> list[float]:
    vector = item.get("embedding")
    if not isinstance(vector, list) or not vector or any(isinstance(x, bool) or not isinstance(x, int | float) for x in vector):
        raise NotMeasured(Reason.SCHEMA, "an embedding is no list of numbers")
    try:
        numbers = [float(x) for x in vector]
    except OverflowError:
        raise NotMeasured(Reason.NOT_FINITE, "an embedding holds a number too large for a float") from None
    if not any(numbers):
        raise NotMeasured(Reason.SCHEMA, "an embedding is zero, and has no direction")
    return numbers


def usage(body: Mapping[str, Json]) -> tuple[int, int] | None:
    """Tokens in and out that the server counted; None where it does not say, or more than `MOST_TOKENS`."""
    counts = body.get("usage")
    if not isinstance(counts, dict):
        return None
    read, written = counts.get("prompt_tokens"), counts.get("completion_tokens", 0)
    if any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= MOST_TOKENS for n in (read, written)):
        return None
    return cast(tuple[int, int], (read, written))
