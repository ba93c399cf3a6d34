"""Refusals: what a server says in place of an answer, by a status of HTTP or inside a success, as one outcome each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from hartley.targets.endpoint.outcomes import NotMeasured, Reason, excerpt

Hide = Callable[[str], str]

MOST_SAID = 2_000
"""Characters of a server's words that are looked at."""
_STATUSES = {
    401: (Reason.UNAUTHORIZED, "the server does not accept the key"),
    403: (Reason.FORBIDDEN, "the key may not use this model, or the server serves nobody from here"),
    404: (Reason.NO_MODEL, "no such model, or no such path; most servers want a URL that ends in /v1"),
    408: (Reason.TIMEOUT, "the server itself gave up waiting"),
    429: (Reason.RATE_LIMITED, "the server asks for fewer requests"),
}


_FILTERS = re.compile(
    r"content[ _-]?(?:filter|management policy|policy|moderation)|responsible ?ai|moderation"
    r"|safety[ _](?:system|filter|setting|polic|reason)|^safety$|guardrail|inappropriate|usage polic|prohibited[ _]content|invalid_prompt"
    r"|content exists risk|high[ -]risk|data[ _-]?inspection|sensitive content"
    r"|(?:prompt|request|response|content|input|output|message)s? (?:was|is|were|has been|have been) (?:flagged|blocked)",
    re.I,
)
"""Words with which a server says that it was a filter, and not the model, that let nothing through."""
_KINDS = (
    (429, re.compile(r"rate.?limit|too many requests|quota", re.I)),
    (
        503,
        re.compile(
            r"overload|unavailable|server.?error|internal|time[d ]?.?out|capacity|try again|upstream|returned error|bad gateway", re.I
        ),
    ),
    (401, re.compile(r"unauthorized|authentication|invalid.?api.?key", re.I)),
    (400, re.compile(r"invalid.?request|bad.?request|unsupported", re.I)),
)
"""What an error without a number means by its words."""


_TEXTS = ("message", "msg", "detail", "error", "reason", "raw", "error_message", "error_msg", "status_msg", "errors")


class Words(NamedTuple):
    """What an error says: in words, in its codes, and the status that it names, if it does."""

    text: str
    codes: str
    status: int | None


def of_status(status: int, content: bytes, hide: Hide, wait: float | None = None) -> NotMeasured:
    """What a status that is no success means. content: the response's body. hide: takes secrets out of a text.

    With 401 and 403 the server's own words are left out, for that is where servers repeat keys; a filter's are not.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        plain = content[: 4 * MOST_SAID].decode(errors="replace").strip()
        body = "" if plain.startswith(("<", "{", "[")) else plain  # a proxy's page says nothing, a line of text does
    return _of(status, words_of(body), hide, f"status {status}", wait)


def _of(status: int, words: Words, hide: Hide, meaning: str, wait: float | None = None) -> NotMeasured:
    if 300 <= status < 400:
        return NotMeasured(Reason.REDIRECT, f"status {status}; redirects are not followed: name the final URL")
    said = excerpt(words.text, hide)
    if 400 <= status < 500 and status not in (401, 404, 408, 429) and (_FILTERS.search(words.codes) or _FILTERS.search(words.text)):
        return NotMeasured(Reason.FILTERED, f"{meaning}; it says: {said or excerpt(words.codes, hide)}", wait=wait)
    reason, meaning = _STATUSES.get(status, (Reason.SERVER_ERROR if status >= 500 else Reason.REJECTED, meaning))
    if status in (401, 403) or not said:
        return NotMeasured(reason, meaning, wait=wait)
    whole = f"{words.codes} {words.text}"[:MOST_SAID]
    return NotMeasured(reason, f"{meaning}; it says: {said}", wait=wait, said=hide(whole))


def said_before_failing(status: int, content: bytes) -> bytes | None:
    """The answer inside a refusal: what the model said, where the server could not read its call (Groq). None for all others."""
    if status != 400 or b"failed_generation" not in content:
        return None
    try:
        said = json.loads(content)["error"]["failed_generation"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(said, str) or not said.strip():
        return None
    return json.dumps({"choices": [{"message": {"content": said}, "finish_reason": "tool_use_failed"}]}).encode()


def error_in(body: Mapping[str, Any], hide: Hide = str) -> NotMeasured | None:
    """What a success means that holds an error in place of its answer, or inside its choice; None where it holds none.

    It counts as the status that it names, or whose words it has.
    """
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    places = [body.get("error"), first.get("error"), *_elsewhere(body, choices)]
    found = next((place for place in places if place), None)
    if found is None:
        return None
    words = words_of(found if found == body else {"error": found})
    status = words.status or next((status for status, kind in _KINDS if kind.search(f"{words.codes} {words.text}")), None)
    if status is None and _FILTERS.search(f"{words.codes} {words.text}"):
        status = 400
    if status is None:
        said = excerpt(words.text or words.codes, hide)
        return NotMeasured(Reason.SCHEMA, f"an error in place of an answer; it says: {said or 'nothing'}")
    return _of(status, words, hide, f"status {words.status} inside an answer" if words.status else "an error inside an answer")


def _elsewhere(body: Mapping[str, Any], choices: object) -> Iterator[Any]:
    """Errors of servers that have no field `error`: FastAPI's detail, or the error as the whole body."""
    if choices is None and "data" not in body and any(key in body for key in (*_TEXTS, "base_resp", "code", "success")):
        yield body.get("detail") or dict(body)
    feedback = body.get("promptFeedback") or body.get("prompt_feedback")
    if not choices and isinstance(feedback, dict):
        yield {"code": "content_filter", "message": f"the prompt was blocked: {json.dumps(feedback)[:MOST_SAID]}"}
    if not choices and any(item.get("filtered") is True for item in _objects(body.get("prompt_filter_results"), 6)):
        yield {"code": "content_filter", "message": f"the prompt was filtered: {filtered(body.get('prompt_filter_results'))}"}


def filtered(results: object) -> str:
    """The categories that a server's filter names as the ones that let nothing through; "" where it names none."""
    names = [
        str(name) for item in _objects(results, 6) for name, one in item.items() if isinstance(one, dict) and one.get("filtered") is True
    ]
    return ", ".join(dict.fromkeys(names))


def _objects(value: object, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth and isinstance(value, dict):
        yield value
        for item in list(value.values())[:50]:
            yield from _objects(item, depth - 1)
    elif depth and isinstance(value, list):
        for item in value[:50]:
            yield from _objects(item, depth - 1)


def words_of(body: object) -> Words:
    """What an error's body says, in the shapes that servers use: {"error": ...}, {"message"}, {"detail": [...]}, or a list of one."""
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0] if any(key in body[0] for key in ("error", "message")) else {"detail": body}
    if not isinstance(body, dict):
        return Words(body if isinstance(body, str) else "", "", None)
    texts: list[str] = []
    codes: list[str] = []
    status: int | None = None
    for item in (body, *_within(body)):
        texts += [_text(item[key]) for key in _TEXTS if key in item]
        codes += [str(item[key]) for key in ("code", "type", "param", "status") if isinstance(item.get(key), str | int)]
        named = [item.get(key) for key in ("code", "status", "status_code", "http_status")]
        numbers = [int(str(one)) for one in named if re.fullmatch(r"[45][0-9]{2}", str(one))]
        status = status or next(iter(numbers), None)
    return Words("; ".join(dict.fromkeys(filter(None, texts)))[:MOST_SAID], " ".join(codes)[:200], status)


def _within(body: Mapping[str, Any], depth: int = 4) -> Iterator[Mapping[str, Any]]:
    """The objects in which an error says more."""
    for key in ("error", "metadata", "innererror", "detail", "base_resp"):
        inner = body.get(key)
        if isinstance(inner, dict) and depth:
            yield inner
            yield from _within(inner, depth - 1)


def _text(value: object) -> str:
    """Words: a text as it is, a validator's list as `field: what is wrong`."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    lines = []
    for item in value[:20]:
        if isinstance(item, dict):
            place = item.get("loc")
            where = ".".join(str(step) for step in place if step != "body") if isinstance(place, list) else ""
            lines.append(": ".join(filter(None, [where, str(item.get("msg") or item.get("message") or "")])))
        else:
            lines.append(str(item))
    return "; ".join(lines)
