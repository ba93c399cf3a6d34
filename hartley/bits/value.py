"""Bits: the one shape in which a number of bits leaves this package."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bits:
    """A number of bits with what may be said about it.

    value      the point estimate in bits per use of the channel; None when it is withheld or was not measured.
    low, high  the lower and the upper statement in bits (95% unless `checks` says otherwise); None: no such statement.
    n          how many trials it rests on.
    estimator  how it was computed, by name.
    kind       the quantity, a name that ends in `_bits` ("utility_bits", "capacity_bits").
    trusted    whether the point passed the trust rules; False always comes with `why`.
    why        plain words: why it is withheld or not trusted; empty otherwise.
    checks     the figures behind the verdict (permutation p, duality gap in bits, occupied cells).
    clusters   how many independent units the n trials come from; None: each trial is its own.
    design_effect   how many times wider than for n independent trials the variance is; None: not estimated, or each trial is its own.

    Raises ValueError when the parts contradict each other, so that no such number can be written down.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    estimator: str
    kind: str
    trusted: bool
    why: str = ""
    checks: Mapping[str, float] = field(default_factory=dict)
    clusters: int | None = None
    design_effect: float | None = None

    def __post_init__(self) -> None:
        if not self.kind.endswith("_bits"):
            raise ValueError(f"kind: {self.kind!r} must end in _bits")
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{self.kind}.{name}: {number} is not finite; None says 'no such statement'")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"{self.kind}: low {self.low} is above high {self.high}")
        for limit, side in ((self.low, 1), (self.high, -1)):
            if self.value is not None and limit is not None and side * (limit - self.value) > 1e-9:
                raise ValueError(f"{self.kind}: value {self.value} lies outside its interval ({self.low}, {self.high})")
        if self.value is None and self.trusted:
            raise ValueError(f"{self.kind}: a withheld value cannot be trusted")
        if not self.trusted and not self.why:
            raise ValueError(f"{self.kind}: a value that is not trusted must say why")

    @staticmethod
    def unmeasured(kind: str, why: str, n: int = 0) -> Bits:
        """Not measured, and why. Not the same as 0 bits."""
        return Bits(None, None, None, n, "none", kind, False, why)

    def __str__(self) -> str:
        span = ", ".join(f"{word} {number:.3f}" for word, number in (("low", self.low), ("high", self.high)) if number is not None)
        head = "withheld" if self.value is None else f"{self.value:.3f} bits"
        if self.value is None and self.low is None and self.high is None:
            return f"{self.kind}: not measured ({self.why})"
        tail = f"; {self.why}" if self.why else ""
        return f"{self.kind}: {head} [{span} bits] (n={self.n}, {self.estimator}){tail}"

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "estimator": self.estimator,
            "trusted": self.trusted,
            "why": self.why,
            "checks": dict(sorted(self.checks.items())),
            # left out where every trial is its own unit, so that records without clusters keep their bytes
            **({} if self.clusters is None else {"clusters": self.clusters, "design_effect": self.design_effect}),
        }

    @staticmethod
    def from_json(record: Mapping[str, Any]) -> Bits:
        return Bits(**dict(record))
