"""Strict: reading JSON that comes from a server nobody vouches for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import NoReturn, cast

from hartley.targets.conversation import Json
from hartley.targets.endpoint.outcomes import NotMeasured, Reason, excerpt

MOST_VALUES = 1_000_000
"""In one answer: more takes longer to read than a request may last, and no answer has more."""


class NotFiniteError(ValueError):
    """A number that no JSON has: NaN, an infinity, or one too large for a float."""


def parse(text: str) -> Json:
    """A JSON value. Raises NotFiniteError for NaN and infinities, ValueError for whatever else is no JSON."""
    try:
        return cast(Json, json.loads(text, parse_constant=_refuse, parse_float=_finite))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_object(content: bytes, hide: Callable[[str], str]) -> dict[str, Json]:
    """The JSON object in a response, secrets hidden in all its strings. Raises NotMeasured for anything else."""
    if (values := sum(map(content.count, (b",", b"[", b"{")))) > MOST_VALUES:
        raise NotMeasured(Reason.TOO_LARGE, f"up to {values:,} values in one answer; at most {MOST_VALUES:,} are read")
    try:
        text = content.decode("utf-8-sig")
        value = parse(text)
        if "\\" in text or hide(text) != text:  # else every string stands there as it is, without a secret
            value = cleaned(value, hide)
    except NotFiniteError as error:
        raise NotMeasured(Reason.NOT_FINITE, f"the answer holds {error}") from None
    except (ValueError, RecursionError):
        said = excerpt(content[:400].decode(errors="replace"), hide)
        raise NotMeasured(Reason.NOT_JSON, f"it says: {said}" if said else "the answer is empty") from None
    if not isinstance(value, dict):
        raise NotMeasured(Reason.SCHEMA, "the answer is no JSON object")
    return value


def cleaned(value: Json, hide: Callable[[str], str]) -> Json:
    """The value with secrets hidden in every string, and lone surrogates, which no file takes, replaced."""
    if isinstance(value, str):
        text = hide(value)
        return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [cleaned(item, hide) for item in value]
    if isinstance(value, dict):
        return {str(cleaned(name, hide)): cleaned(item, hide) for name, item in value.items()}
    return value


def _refuse(constant: str) -> NoReturn:
    raise NotFiniteError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotFiniteError("a number too large for a float")
    return number
