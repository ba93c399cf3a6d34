"""Estimate: what a scan of an endpoint will take, told before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from hartley.targets.endpoint.budget import Prices


class Range(NamedTuple):
    """How far an estimate may be off: the least and the most requests and seconds, and what they rest on, in words."""

    requests: tuple[int, int]
    seconds: tuple[float, float]
    rests_on: str

    def __str__(self) -> str:
        few, many = self.requests
        short, long = map(duration, self.seconds)
        return f"between {few:,} requests in {short} and {many:,} in {long}, {self.rests_on}"


@dataclass(frozen=True)
class Estimate:
    """What a number of requests will take: seconds, tokens read and written, and money; None without prices."""

    requests: int
    seconds: float
    read: int
    written: int
    money: float | None = None
    currency: str = "USD"
    range: Range | None = None

    def __str__(self) -> str:
        money = "" if self.money is None else f", about {self.money:.2f} {self.currency}"
        between = "" if self.range is None else f"; {self.range}"
        return f"{self.requests:,} requests: about {duration(self.seconds)}, {self.read + self.written:,} tokens{money}{between}"


def duration(seconds: float) -> str:
    """Seconds in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def estimate(requests: int, *, latency: float, read: float, written: float, concurrency: int = 1, prices: Prices | None = None) -> Estimate:
    """What `requests` will take when one takes `latency` seconds, reads and writes so many tokens, and `concurrency` go at once."""
    tokens = math.ceil(requests * read), math.ceil(requests * written)
    money = None if prices is None else prices.of(*tokens)
    return Estimate(requests, math.ceil(requests / concurrency) * latency, *tokens, money, "USD" if prices is None else prices.currency)
