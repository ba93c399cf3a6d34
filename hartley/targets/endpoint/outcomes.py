"""What becomes of a request that brings no answer: a typed reason, so that a caller can write a row "not measured" with it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

EXCERPT_CHARACTERS = 160


class Reason(StrEnum):
    """Why there is no answer. The value is for people; compare with the names."""

    REFUSED = "connection refused"
    UNREACHABLE = "host not reachable"
    DNS = "host name not resolved"
    TLS = "no safe connection (TLS)"
    TIMEOUT = "timed out"
    ENDLESS = "never stopped sending"
    CUT = "connection cut"
    NOT_HTTP = "not HTTP"
    TOO_LARGE = "answer too large"
    CONTENT_TYPE = "wrong content type"
    NOT_JSON = "not JSON"
    NOT_FINITE = "NaN or infinity"
    SCHEMA = "wrong schema"
    NO_CHOICES = "no choices"
    UNAUTHORIZED = "401 key not accepted"
    FORBIDDEN = "403 forbidden"
    NO_MODEL = "404 no such model"
    REJECTED = "request rejected"
    RATE_LIMITED = "429 too many requests"
    SERVER_ERROR = "server error"
    REDIRECT = "redirect"
    STOPPED = "stopped"
    FILTERED = "filtered by the server"
    LENGTH = "cut off by length"
    EMPTY = "empty answer"
    UNSEEN = "tools not shown to the model"
    UNREADABLE = "no call could be read"


RETRIED = frozenset(
    {
        Reason.REFUSED,
        Reason.UNREACHABLE,
        Reason.DNS,
        Reason.TIMEOUT,
        Reason.CUT,
        Reason.RATE_LIMITED,
        Reason.SERVER_ERROR,
    }
)
"""What may be gone a moment later; everything else would only fail again."""

FREE = frozenset(
    {
        Reason.REFUSED,
        Reason.UNREACHABLE,
        Reason.DNS,
        Reason.TLS,
        Reason.UNAUTHORIZED,
        Reason.FORBIDDEN,
        Reason.NO_MODEL,
        Reason.REJECTED,
        Reason.RATE_LIMITED,
        Reason.SERVER_ERROR,
        Reason.REDIRECT,
        Reason.UNSEEN,
    }
)
"""Failures for which nobody is charged. After any other the server may have worked, and the budget assumes that it has."""

ABOUT_ONE_REQUEST = frozenset(
    {Reason.REJECTED, Reason.STOPPED, Reason.FILTERED, Reason.LENGTH, Reason.EMPTY, Reason.UNSEEN, Reason.UNREADABLE}
)
"""Failures that say nothing about the server's health."""


class NotMeasured(Exception):  # noqa: N818 - an outcome, not an error
    """A request brought no answer. The text is one line, and holds no secret.

    reason    a `Reason`.
    detail    what was seen, for people.
    attempts  how many requests were sent before this was given up.
    wait      seconds that the server asked to wait; None where it did not.
    said      the server's own words, longer than in `detail`; "" where there are none.
    """

    def __init__(self, reason: Reason, detail: str, attempts: int = 1, wait: float | None = None, said: str = "") -> None:
        super().__init__(reason, detail, attempts, wait, said)
        self.reason = reason
        self.detail = detail
        self.attempts = attempts
        self.wait = wait
        self.said = said

    def __str__(self) -> str:
        tried = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"not measured: {self.reason}: {self.detail}{tried}"


def excerpt(text: str, hide: Callable[[str], str]) -> str:
    """The beginning of a foreign text on one printable line, without secrets."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in hide(text)).split())
    return line if len(line) <= EXCERPT_CHARACTERS else line[: EXCERPT_CHARACTERS - 1] + "…"
