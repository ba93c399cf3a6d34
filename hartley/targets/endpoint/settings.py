"""What a user may set of an endpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hartley.errors import InputError


@dataclass(frozen=True)
class Settings:
    """How an endpoint is asked. Times in seconds. Raises InputError for a number out of its range.

    connect      until the connection stands, name look-up and TLS included.
    read         of silence before a request counts as dead.
    total        for one request with all its attempts and waits: nothing outlasts it.
    retries      further attempts after a failure that may pass; 0 for none.
    longest_wait between two attempts; a server that asks for more is given up.
    concurrency  requests under way at once, in this process.
    patience     failures in a row after which the server is left alone for `rest` seconds.
    most_bytes   of an answer.
    longest      tokens of an answer.
    temperature  None leaves it to the server, which models that reason ask for.
    seed         None leaves it to the server.
    thinking_counts  whether what a model thinks before it answers is a part of its answer; else it is kept apart, as by default.
    proxies      whether the environment's proxies are used.
    """

    connect: float = 10.0
    read: float = 120.0
    total: float = 300.0
    retries: int = 4
    longest_wait: float = 60.0
    concurrency: int = 4
    patience: int = 5
    rest: float = 30.0
    most_bytes: int = 16 * 2**20
    longest: int = 512
    temperature: float | None = 0.0
    seed: int | None = 0
    thinking_counts: bool = False
    proxies: bool = False

    def __post_init__(self) -> None:
        for name in ("connect", "read", "total", "longest_wait", "rest"):
            value = getattr(self, name)
            if not 0 < value <= 86_400:
                raise InputError(f"{name} is {value}; an endpoint takes more than 0 and up to 86,400 seconds")
        for name, least, most in (
            ("retries", 0, 100),
            ("concurrency", 1, 256),
            ("patience", 1, 1_000_000),
            ("most_bytes", 1_000, 2**30),
            ("longest", 1, 1_000_000),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise InputError(f"{name} is {value}; an endpoint takes {least:,} to {most:,}")
        if self.temperature is not None and not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"temperature is {self.temperature}; it takes 0 or more")

    def deciding(self) -> dict[str, float | int | None]:
        """Those that can change an answer."""
        thinking = {"thinking_counts": True} if self.thinking_counts else {}
        return {"longest": self.longest, "temperature": self.temperature, "seed": self.seed, **thinking}
