"""Allowance: what a scan may spend on a target behind a server, and how hard it may press it. It decides no result but
`server_sampling`, `longest_answer` and `thinking_counts`, which are part of the target's fingerprint."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from hartley.errors import InputError, unknown

if TYPE_CHECKING:
    from hartley.targets.endpoint.budget import Limits
    from hartley.targets.endpoint.settings import Settings

CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Allowance:
    """The table [endpoint] of a plan. Raises InputError for a number out of its range.

    max_requests, max_tokens, max_money   the most that all scans into one run folder may spend together; None: no limit.
    read_price, written_price             what a million tokens cost, in `currency`.
    concurrency       requests under way at once.
    timeout_seconds   for one request with all its attempts and waits.
    longest_answer    tokens of an answer at most.
    thinking_counts   what a model thinks before it answers is a part of its answer; else it is kept apart.
    server_sampling   leave temperature and seed to the server, as models that reason demand; else temperature 0 and one seed are asked for.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    max_money: float | None = None
    read_price: float | None = None
    written_price: float | None = None
    currency: str = "USD"
    concurrency: int = 4
    timeout_seconds: float = 300.0
    longest_answer: int = 512
    server_sampling: bool = False
    thinking_counts: bool = False

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            kind = _KINDS[item.name]
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)):
                raise InputError(f"plan: endpoint.{item.name} takes {_WORDS[kind]}, got {value!r}")
        if (self.read_price is None) != (self.written_price is None):
            raise InputError("plan: endpoint.read_price and endpoint.written_price go together: what a million tokens cost")
        if not self.currency.isalpha() or len(self.currency) > 8:
            raise InputError(f"plan: endpoint.currency takes up to 8 letters, like EUR, got {self.currency!r}")
        self.limits()
        self.settings()

    @staticmethod
    def from_table(table: object) -> Allowance:
        """The allowance of a plan's table. Raises InputError for what is none, and for an unknown key with the nearest ones."""
        if isinstance(table, Allowance):
            return table
        if not isinstance(table, Mapping):
            raise InputError(f"plan: endpoint takes a table, got {table!r}")
        known = [item.name for item in fields(Allowance)]
        for key in table:
            if key not in known:
                raise unknown("key in the plan's endpoint", str(key), known)
        return Allowance(**table)

    def to_table(self) -> dict[str, Any]:
        """The fields that are not as they are by default; `from_table` reads them back."""
        return {item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) != item.default}

    def replaced(self, **given: Any) -> Allowance:
        """With the given fields in place of its own; None leaves one as it is."""
        return dataclasses.replace(self, **{name: value for name, value in given.items() if value is not None})

    def limits(self) -> Limits:
        """The budget."""
        from hartley.targets.endpoint.budget import Limits, Prices

        prices = None
        if self.read_price is not None and self.written_price is not None:
            prices = Prices(self.read_price, self.written_price, self.currency)
        if self.max_money is not None and not math.isfinite(self.max_money):
            raise InputError(f"plan: endpoint.max_money takes a number, got {self.max_money}")
        return Limits(self.max_requests, self.max_tokens, self.max_money, prices)

    def settings(self) -> Settings:
        """How the endpoint is asked."""
        from hartley.targets.endpoint.settings import Settings

        sampling: dict[str, Any] = {"temperature": None, "seed": None} if self.server_sampling else {}
        return Settings(
            connect=min(CONNECT_SECONDS, self.timeout_seconds),
            read=self.timeout_seconds,  # a server that does not stream is silent until its model is done
            total=self.timeout_seconds,
            concurrency=self.concurrency,
            longest=self.longest_answer,
            thinking_counts=self.thinking_counts,
            **sampling,
        )


_KINDS: dict[str, Any] = {
    "max_requests": int,
    "max_tokens": int,
    "max_money": (int, float),
    "read_price": (int, float),
    "written_price": (int, float),
    "currency": str,
    "concurrency": int,
    "timeout_seconds": (int, float),
    "longest_answer": int,
    "server_sampling": bool,
    "thinking_counts": bool,
}
_WORDS: dict[Any, str] = {int: "a whole number", (int, float): "a number", str: "text", bool: "true or false"}
