"""Budget: how much an endpoint may cost, in requests, tokens and money; counted in a file when several processes share it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hartley import files
from hartley.errors import InputError


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, read and written, in a currency."""

    read: float
    written: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.read) and math.isfinite(self.written) and min(self.read, self.written) >= 0):
            raise InputError(f"prices are {self.read} and {self.written}; a million tokens cost 0 or more")

    def of(self, read: float, written: float) -> float:
        """What so many tokens cost."""
        return (self.read * read + self.written * written) / 1e6


@dataclass(frozen=True)
class Spent:
    """Requests sent (every attempt counts), tokens read and written, and money; None without prices."""

    requests: int = 0
    read: int = 0
    written: int = 0
    money: float | None = None
    currency: str = "USD"

    def __str__(self) -> str:
        money = "" if self.money is None else f", {self.money:.2f} {self.currency}"
        return f"{self.requests:,} requests, {self.read:,} tokens read, {self.written:,} written{money}"


class OutOfBudget(Exception):  # noqa: N818 - an end, not an error
    """The next request might cost more than is left. The scan ends here; what was done is kept.

    spent    what has been spent.
    answers  where several were asked for at once: what came of each, None where it was not asked.
    """

    def __init__(self, limit: str, spent: Spent, answers: tuple[object, ...] = ()) -> None:
        super().__init__(limit, spent, answers)
        self.limit = limit
        self.spent = spent
        self.answers = answers

    def __str__(self) -> str:
        return f"the budget of {self.limit} is used up: {self.spent}"


@dataclass(frozen=True)
class Limits:
    """The most that may be spent; None for no limit. Raises InputError for one below 0, and for money without prices."""

    requests: int | None = None
    tokens: int | None = None
    money: float | None = None
    prices: Prices | None = None

    def __post_init__(self) -> None:
        for name, value in (("requests", self.requests), ("tokens", self.tokens), ("money", self.money)):
            if value is not None and not 0 <= value < math.inf:
                raise InputError(f"a budget of {value} {name}; it takes 0 or more")
        if self.money is not None and self.prices is None:
            raise InputError("a budget in money needs prices: what a million tokens cost, read and written")

    def passed(self, spent: Spent) -> str | None:
        """The limit that so much spending passes, in words; None when all hold."""
        if self.requests is not None and spent.requests > self.requests:
            return f"{self.requests:,} requests"
        if self.tokens is not None and spent.read + spent.written > self.tokens:
            return f"{self.tokens:,} tokens"
        if self.money is not None and (spent.money or 0.0) > self.money:
            return f"{self.money:.2f} {spent.currency}"
        return None


class Budget:
    """Counts what is spent, and stops before a limit is passed.

    Every request is charged the most it can cost before it is sent, and what it did cost once that is known: a process that
    is killed in between has spent the most. How much a request makes the server read is a guess until the server tells.
    ledger: a file, kept on a local disk, that all processes with the same limits share, and that a resumed scan goes on from.
    Raises InputError when the ledger cannot be used.
    """

    def __init__(self, limits: Limits | None = None, ledger: Path | None = None) -> None:
        self.limits = limits or Limits()
        self._ledger = ledger
        self._memory = Spent()
        self._changed = threading.Condition()
        self._under_way = 0
        if ledger is not None:
            with self._changed, self._counted():
                pass

    @property
    def spent(self) -> Spent:
        """What all processes have spent, requests under way at the most that they can cost."""
        with self._changed, self._counted() as count:
            return self._priced(count[0])

    @contextlib.contextmanager
    def charge(self, read: int, written: int) -> Iterator[Charge]:
        """A block in which one request is sent that makes the server read and write so many tokens at most.

        Waits for this process's other requests when only what they may cost stands in the way. Raises OutOfBudget.
        """
        most = Spent(1, read, written)
        with self._changed:
            while (end := self._reserve(most)) is not None:
                if not self._under_way:
                    raise end
                self._changed.wait()
            self._under_way += 1
        charge = Charge(most)
        try:
            yield charge
        finally:
            with self._changed:
                try:
                    with self._counted() as count:
                        now = count[0]
                        count[0] = Spent(now.requests, now.read - read + charge.cost.read, now.written - written + charge.cost.written)
                finally:  # those who wait go on, whatever became of the ledger
                    self._under_way -= 1
                    self._changed.notify_all()

    def _reserve(self, most: Spent) -> OutOfBudget | None:
        with self._counted() as count:
            now = count[0]
            after = Spent(now.requests + most.requests, now.read + most.read, now.written + most.written)
            limit = self.limits.passed(self._priced(after))
            if limit is not None:
                return OutOfBudget(limit, self._priced(now))
            count[0] = after
        return None

    def _priced(self, spent: Spent) -> Spent:
        prices = self.limits.prices
        return spent if prices is None else replace(spent, money=prices.of(spent.read, spent.written), currency=prices.currency)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[list[Spent]]:
        """The count so far, in a list of one, to be replaced in the block; nobody else counts meanwhile."""
        if self._ledger is None:
            count = [self._memory]
            yield count
            self._memory = count[0]
            return
        try:
            descriptor = files.kept(self._ledger, os.O_RDWR)
        except OSError as error:
            raise self._unkept(error) from None
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # gone with the process that holds it, even one that was killed
            count = [self._recorded(file.read())]
            before = count[0]
            yield count
            if count[0] != before:
                # One line of a fixed length in one write: what is killed in between leaves the old line or the new one.
                counts = {"requests": count[0].requests, "read": count[0].read, "written": count[0].written}
                line = json.dumps({**counts, "sum": _sum(counts)})
                try:
                    os.pwrite(file.fileno(), f"{line:<126}\n".encode(), 0)
                except OSError as error:
                    raise self._unkept(error) from None

    def _unkept(self, error: OSError) -> InputError:
        return InputError(f"cannot keep the budget's ledger at {self._ledger}: {error.strerror}")

    def _recorded(self, content: bytes) -> Spent:
        if not content:
            return Spent()
        try:
            numbers = json.loads(content)
            counts = [numbers["requests"], numbers["read"], numbers["written"]]
            # A ledger of before there were sums is still counted on.
            if ("sum" in numbers and numbers.pop("sum") != _sum(numbers)) or set(numbers) != {"requests", "read", "written"}:
                raise ValueError
            if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in counts):
                raise ValueError
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise InputError(f"the budget's ledger at {self._ledger} is damaged; delete it to count from nothing") from None
        return Spent(*counts)


def _sum(counts: Mapping[str, int]) -> str:
    """What shows that a ledger says what was written."""
    return hashlib.sha256(json.dumps(counts, sort_keys=True).encode()).hexdigest()[:16]


class Charge:
    """One request's charge: the most that it can cost, until `costs` says what it did."""

    def __init__(self, most: Spent) -> None:
        self.cost = most

    def costs(self, read: int, written: int) -> None:
        """So many tokens were read and written."""
        self.cost = Spent(1, read, written)
