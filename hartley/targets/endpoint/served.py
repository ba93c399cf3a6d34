"""Served: what a client asks of our server, read strictly."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from hartley.targets.conversation import Call, Conversation, Json, Message
from hartley.targets.endpoint import strict
from hartley.targets.endpoint.likelihood import FIELD

LONGEST = 256
MOST_PICTURES = 16
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
_DATA_URL = "data:image/"


class Refused(Exception):  # noqa: N818 - an answer to the client, not an error of ours
    """A request that is not served. status: of HTTP. kind: what OpenAI's API calls such errors."""

    def __init__(self, status: int, why: str, kind: str = "invalid_request_error", code: str | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.kind = kind
        self.code = code


@dataclass(frozen=True)
class Asked:
    """A request: the conversation, its pictures as files, the tools on offer, and how much may be said.

    scored: whether the conversation's own probability is asked for; answer: the assistant's last turn in it, if that is so.
    """

    model: str
    conversation: Conversation
    pictures: tuple[bytes, ...]
    tools: tuple[Mapping[str, Json], ...]
    longest: int
    stop: tuple[str, ...]
    streamed: bool
    counted: bool
    scored: bool
    answer: str | None


def read(content: bytes) -> Asked:
    """The request in a body. Raises Refused for whatever is malformed, and for what this server cannot do."""
    try:
        body: Any = strict.cleaned(strict.parse(content.decode("utf-8-sig")), str)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        refuse("the body is no JSON object with a model")
    _refuse_unable(body)
    pictures: list[bytes] = []
    listed = body.get("messages")
    if not isinstance(listed, list) or not listed:
        refuse("messages is no list with at least one message")
    conversation = tuple(_message(message, pictures) for message in listed)
    scored = body.get(FIELD) is not None
    answer = None
    if scored and body.get("add_generation_prompt") is False:
        if conversation[-1].role != "assistant" or len(conversation) < 2:
            refuse("without add_generation_prompt the last message is the assistant's")
        answer, conversation = conversation[-1].text, conversation[:-1]
    options = body.get("stream_options") or {}
    return Asked(
        model=body["model"],
        conversation=conversation,
        pictures=tuple(pictures),
        tools=_tools(body),
        longest=_longest(body),
        stop=_stop(body),
        streamed=body.get("stream") is True,
        counted=isinstance(options, dict) and options.get("include_usage") is True,
        scored=scored,
        answer=answer,
    )


def refuse(why: str) -> NoReturn:
    """Raises Refused with status 400."""
    raise Refused(400, why)


def _refuse_unable(body: Mapping[str, Any]) -> None:
    """What would change the answer in a way that no target here can do is refused, not passed over."""
    form = body.get("response_format")
    unable = {
        "n": body.get("n") not in (None, 1),
        "logprobs": bool(body.get("logprobs")),
        "tool_choice": body.get("tool_choice") not in (None, "auto", "none"),
        "response_format": form is not None and not (isinstance(form, dict) and form.get("type") == "text"),
    }
    for name, asked in unable.items():
        if asked:
            refuse(f"this server cannot do what {name} asks for")


def _longest(body: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                refuse(f"{name} is no whole number above 0")
            return min(value, LONGEST)
    return LONGEST


def _stop(body: Mapping[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop") or []
    marks = [stop] if isinstance(stop, str) else stop
    if not isinstance(marks, list) or not all(isinstance(mark, str) for mark in marks):
        refuse("stop is no text and no list of texts")
    return tuple(filter(None, marks))


def _tools(body: Mapping[str, Any]) -> tuple[Mapping[str, Json], ...]:
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        refuse("tools is no list")
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            refuse("a tool has no function with a name")
        for name, kind in (("parameters", dict), ("description", str)):
            if not isinstance(function.get(name) or kind(), kind):
                refuse(f"a tool's {name} has the wrong form")
        parameters = function.get("parameters") or {}
        if not isinstance(parameters.get("properties") or {}, dict) or not isinstance(parameters.get("required") or [], list):
            refuse("a tool's parameters are no JSON Schema of an object")
    whole = [{**tool, "function": {"description": "", "parameters": {}, **tool["function"]}} for tool in tools]
    return () if body.get("tool_choice") == "none" else tuple(whole)


def _message(message: Any, pictures: list[bytes]) -> Message:
    role = _ROLES.get(message.get("role", "")) if isinstance(message, dict) and isinstance(message.get("role"), str) else None
    if role is None:
        refuse(f"a message has none of the roles {', '.join(_ROLES)}")
    content = message.get("content")
    parts = content if isinstance(content, list) else [] if content is None else [{"type": "text", "text": content}]
    texts: list[str] = []
    before = len(pictures)
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "image_url" and role == "user":
            pictures.append(_picture(part))
        else:
            refuse("a message's content is neither text nor, with the user, a list of texts and pictures")
    if len(pictures) > MOST_PICTURES:
        refuse(f"more than {MOST_PICTURES} pictures")
    calls = message.get("tool_calls") or [] if role == "assistant" else []
    answers = message.get("tool_call_id") or "" if role == "tool" else ""
    if not isinstance(calls, list) or not isinstance(answers, str):
        refuse("tool_calls is no list, or tool_call_id no text")
    return Message(role, "\n".join(texts), len(pictures) - before, tuple(map(_call, calls)), answers)


def _call(item: Any) -> Call:
    function: Any = item.get("function") if isinstance(item, dict) else None
    try:
        arguments = strict.parse(function["arguments"] or "{}")
        if isinstance(arguments, dict) and isinstance(function["name"], str):
            return Call(function["name"], arguments, str(item.get("id") or ""))
    except (ValueError, TypeError, LookupError):
        pass
    refuse("a tool call has no function with a name and the text of a JSON object as arguments")


def _picture(part: Mapping[str, Any]) -> bytes:
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, dict) else given
    if not isinstance(url, str) or not url.startswith(_DATA_URL) or ";base64," not in url[:64]:
        refuse("a picture is given as a data URL (data:image/png;base64,...) alone; nothing is fetched")
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        refuse("a picture's data URL is not base64")
