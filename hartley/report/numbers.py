"""Numbers as the report shows them: a point, an interval, what they rest on, and the words for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hartley.runs.reading import NO_CONTROL, is_nil, needs_control

BITS, SHARE, PLAIN = "bits", "share", "plain"
EN_DASH = "\N{EN DASH}"
UNCAPPED = ("uncapped_bits", "uncapped_low_bits", "uncapped_high_bits")
DIMENSION = ("effective_dimension", "effective_dimension_low", "effective_dimension_high")
"""Of a Shannon-Hartley reading the checks that show what stands behind it: value and limits."""
COUNTED = ("bandwidth_bits", "cut_bound_bits", "sent_bits", "possible_bits")
"""Quantities that are counted and not estimated; any other whose limits fall together was cut at a cap, or saw no spread."""
UNLIMITED = ("bandwidth_bits", "cut_bound_bits")
"""Limits that an interface need not have: a free string lets everything through."""


@dataclass(frozen=True)
class Number:
    """One figure of the run.

    value, low, high   the point (None: withheld or not measured) and its lower and upper statement (None: no such statement).
    name               what it is: a kind of bits ("utility_bits") or the name of a rate or a cost.
    unit               BITS, SHARE (a proportion, shown in percent) or PLAIN.
    arm                the condition it was measured under, a name of hartley.evidence.ARMS, or "".
    better             "user", "attacker" or "": whom a larger value serves.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    name: str
    unit: str = BITS
    arm: str = ""
    estimator: str = ""
    trusted: bool = True
    why: str = ""
    better: str = ""
    headline: bool = False
    checks: Mapping[str, float] = field(default_factory=dict)
    clusters: int | None = None
    design_effect: float | None = None
    control: Number | None = None
    attack: bool = False
    """Whether it is an attack's success; `control` is then the same rate without the attack, None where that was not counted."""

    @property
    def nil(self) -> bool:
        """Whether it was shown to be 0 up to a limit: a point, and not a withheld one."""
        return is_nil({"value": self.value, "low": self.low, "high": self.high, "checks": self.checks})

    @property
    def beside(self) -> str:
        """In words the rate without the attack, for what is an attack's success; "" for what is none."""
        if not self.attack:
            return ""
        return NO_CONTROL if self.control is None else f"{self.control.point} without an attack"

    @property
    def trials(self) -> str:
        """What it rests on: "2,185 in 24 units, design effect 9.1"; "" where that is not known."""
        if not self.n or self.clusters is None:
            return f"{self.n:,}" if self.n else ""
        effect = "" if self.design_effect is None else f", design effect {self.design_effect:.3g}"
        return f"{self.n:,} in {self.clusters:,} unit{'s' if self.clusters != 1 else ''}{effect}"

    @property
    def told(self) -> str:
        """Point and interval for a line of text, and beside an attack's success the rate without it."""
        if not self.measured:
            return f"{self.point} ({self.beside})" if self.attack else self.point
        if self.value is None:
            return self.interval
        inside = "; ".join(part for part in (self.span, self.beside) if part)
        return f"{self.point} ({inside})" if inside else self.point

    @property
    def measured(self) -> bool:
        """Whether anything at all is stated."""
        return not (self.value is None and self.low is None and self.high is None)

    @property
    def withheld(self) -> bool:
        return self.value is None and self.measured and not self.bound

    @property
    def bound(self) -> bool:
        """Whether it is a statement from above only, by its nature: nothing is withheld."""
        return self.value is None and self.high is not None and self.name.endswith("_bound_bits")

    @property
    def exact(self) -> bool:
        """Whether it was counted and not estimated: its two statements are the point."""
        return self.flat and self.name in COUNTED

    @property
    def flat(self) -> bool:
        """Whether its two statements are the point."""
        ends = (self.low, self.high)
        return self.value is not None and all(end is not None and math.isclose(end, self.value, abs_tol=1e-9) for end in ends)

    @property
    def spectrum(self) -> str:
        """Of a Shannon-Hartley reading what it was before it was cut at what there is to say, and over how many dimensions; else ""."""
        if self.name != "c_g_bits" or "uncapped_bits" not in self.checks:
            return ""
        uncut, spread = (self._check(*names) for names in (UNCAPPED, DIMENSION))
        return f"uncapped {uncut} bits, effective dimension {spread or 'not measured'}"

    def _check(self, value: str, low: str, high: str) -> str:
        """A figure of the checks with its limits; "" without one."""
        if value not in self.checks:
            return ""
        ends = [figure(self.checks[name], BITS) for name in (low, high) if name in self.checks]
        return f"{figure(self.checks[value], BITS)}{' [' + EN_DASH.join(ends) + ']' if len(ends) == 2 else ', no interval'}"

    @property
    def unbounded(self) -> bool:
        """Whether the run says that there is no limit, which is more than not knowing one."""
        return not self.measured and self.name in UNLIMITED and self.why.startswith("nothing bounds")

    @property
    def point(self) -> str:
        """The point in words: a figure, a bound, "withheld", "no limit" or "not measured"."""
        if self.nil:
            return "0"
        if self.value is not None:
            return figure(self.value, self.unit)
        if self.bound:
            return self.interval
        return "withheld" if self.measured else "no limit" if self.unbounded else "not measured"

    @property
    def interval(self) -> str:
        """The interval in words; empty when there is none, or nothing between its ends."""
        if self.flat:
            return ""
        if self.low is not None and self.high is not None and not self.nil and not (self.bound and self.low <= 0):
            dash = " to " if self.low < 0 else "\N{EN DASH}"
            low = figure(self.low, self.unit)
            return f"{low.rstrip('%') if self.unit == SHARE else low}{dash}{figure(self.high, self.unit)}"
        if self.low is not None and self.high is None:
            return f"at least {figure(self.low, self.unit)}"
        if self.high is not None:
            return f"at most {figure(self.high, self.unit)}"
        return ""

    @property
    def span(self) -> str:
        """What stands beside the point: its interval, or that there is none; empty where the point was counted, or is withheld."""
        return "" if self.exact or self.value is None else self.interval or ("" if self.name in UNLIMITED else "no interval")

    @property
    def sure_high(self) -> float | None:
        """The point, or where it is withheld the upper statement."""
        return self.value if self.value is not None else self.high

    @property
    def sure_low(self) -> float | None:
        """The point, or where it is withheld the lower statement."""
        return self.value if self.value is not None else self.low


def absent(name: str, arm: str, why: str) -> Number:
    """Not measured, and why."""
    return Number(None, None, None, 0, name, arm=arm, trusted=False, why=why)


def figure(value: float, unit: str) -> str:
    """A number for reading, with a true minus sign: 2 decimals for bits, percent for a share, 3 significant digits otherwise."""
    if unit == SHARE:
        text = f"{100 * value:.1f}%"
    elif unit == BITS:
        text = f"{value:.2f}" if abs(value) < 1000 else f"{value:.4g}"
    else:
        text = f"{value:,.0f}" if abs(value) >= 1000 and abs(value) < 1e12 else f"{value:.3g}"
    if float(text.strip("%").replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "\N{MINUS SIGN}")


def difference(after: Number, before: Number, name: str) -> Number:
    """after - before in bits. The interval takes the two intervals at their worst, so it is wider than a paired one would be."""
    n = min(after.n, before.n)
    if not after.measured or not before.measured:
        return absent(name, after.arm, after.why or before.why or "one of the two was not measured")
    value = None if after.value is None or before.value is None else after.value - before.value
    low = None if after.low is None or before.high is None else after.low - before.high
    high = None if after.high is None or before.low is None else after.high - before.low
    why = "" if value is not None else (after.why if after.value is None else before.why)
    return Number(
        value,
        low,
        high,
        n,
        name,
        arm=after.arm,
        estimator="difference, intervals at their worst",
        trusted=value is not None and before.trusted and after.trusted,
        why=why,
    )


def apart(left: Number, right: Number) -> bool:
    """Whether `left` lies below `right` with no overlap of their intervals."""
    return left.high is not None and right.low is not None and left.high < right.low


def real(value: Any) -> float | None:
    """A finite float, or None for everything else a file may hold in its place."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def of_bits(record: Mapping[str, Any], arm: str) -> Number:
    """From Bits.to_json(). Fields of a wrong type count as absent."""
    value, low, high = (real(record.get(part)) for part in ("value", "low", "high"))
    checks = record.get("checks")
    figures = {str(key): real(item) for key, item in checks.items()} if isinstance(checks, Mapping) else {}
    name = text(record.get("kind"))
    better = {"utility_bits": "user", "margin_bits": "user", "deployed_bits": "user", "adversary_bits": "attacker"}.get(name, "")
    return Number(
        value, low, high, count(record.get("n")), name, BITS, arm, text(record.get("estimator")),
        trusted=record.get("trusted") is True and value is not None,
        why=text(record.get("why")),
        better=better,
        checks={key: item for key, item in figures.items() if item is not None},
        clusters=count(record.get("clusters")) or None,
        design_effect=real(record.get("design_effect")),
    )  # fmt: skip


def of_rate(record: Mapping[str, Any], control: Mapping[str, Any] | None = None) -> Number:
    """From one entry of a channel's rates, and that of the same rate without the attack."""
    value, low, high = (real(record.get(part)) for part in ("value", "low", "high"))
    name = text(record.get("name"))
    bounded = all(part is None or 0.0 <= part <= 1.0 for part in (value, low, high))
    # An area under a curve is no proportion of trials: it stays a plain figure.
    unit = SHARE if bounded and "auc" not in name.lower() else PLAIN
    return Number(
        value, low, high, count(record.get("n")), name, unit, text(record.get("arm")), text(record.get("estimator")),
        trusted=value is not None,
        why=text(record.get("why")),
        better=text(record.get("better")),
        headline=record.get("headline") is True,
        clusters=count(record.get("clusters")) or None,
        design_effect=real(record.get("design_effect")),
        control=None if control is None else of_rate(control),
        attack=needs_control({"arm": None, "headline": False, "better": "", "name": "", **record}),
    )  # fmt: skip


def count(value: Any) -> int:
    """A count of trials; 0 for what is none."""
    number = real(value)
    return 0 if number is None or number < 0 else int(number)


def text(value: Any) -> str:
    """A string from the run; other types in their JSON-like form, None as nothing."""
    return "" if value is None else value if isinstance(value, str) else repr(value)
