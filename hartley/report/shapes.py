"""Geometry of the inline drawings: bars with whiskers, curves, and the channel map's bands. Plain numbers, no markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hartley.report.numbers import Number

MOST_POINTS = 240


@dataclass(frozen=True)
class Bar:
    """A bar from 0 to `end` with a whisker from `low` to `high`, in percent of the scale; None: no such part."""

    end: float | None
    low: float | None
    high: float | None


def bar(number: Number, scale: float) -> Bar:
    """A withheld number has a whisker only; one that was not measured has nothing. What lies outside the scale is cut."""

    def place(value: float | None) -> float | None:
        return None if value is None or scale <= 0 else round(100 * min(max(value / scale, 0.0), 1.0), 2)

    low, high = number.low, number.high
    if low is None and high is not None and number.value is None:
        low = 0.0  # "at most" with no lower statement: bits start at zero
    return Bar(place(number.value), place(low), place(high))


@dataclass(frozen=True)
class Plot:
    """A curve as SVG path data in a box of 300 x 90, with the figures for its corners."""

    path: str
    lowest: float
    highest: float
    first: float
    last: float
    steps: int


def plot(values: Sequence[float | None]) -> Plot | None:
    """None when fewer than two values are finite. Gaps stay gaps; long curves are thinned."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    lowest, highest = min(known), max(known)
    span = highest - lowest or 1.0
    stride = max(1, -(-len(values) // MOST_POINTS))
    kept = [*range(0, len(values), stride)]
    if kept[-1] != len(values) - 1:
        kept.append(len(values) - 1)
    commands, pen_down = [], False
    for index in kept:
        value = values[index]
        if value is None:
            pen_down = False
            continue
        x, y = 300 * index / (len(values) - 1), 90 - 90 * (value - lowest) / span
        commands.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
        pen_down = True
    return Plot("".join(commands), lowest, highest, known[0], known[-1], len(values) - 1)


TOP, BOTTOM = 8.0, 52.0
LEFT, RIGHT = 3.0, 97.0


def intent_band(before: float, after: float) -> str:
    """The user's bits through the pipe, as fractions of its height: as sent on the left, as received on the right."""
    a, b = TOP + _thick(before), TOP + _thick(after)
    return (
        f"M{LEFT} {TOP}L{RIGHT} {TOP}L{RIGHT} {b:.2f}L64 {b:.2f}C54 {b:.2f} 52 {a:.2f} 42 {a:.2f}L{LEFT} {a:.2f}Z"
    )  # fmt: skip


def adversary_band(after: float) -> str:
    """The adversary's bits: a thread that enters from below and spreads in the pipe."""
    top = BOTTOM - _thick(after)
    return f"M8 61L36 61C48 61 52 {BOTTOM} 64 {BOTTOM}L{RIGHT} {BOTTOM}L{RIGHT} {top:.2f}L64 {top:.2f}C52 {top:.2f} 48 59.6 36 59.6L8 59.6Z"


def leak_band(after: float) -> str:
    """A secret that leaves the pipe downwards, to be read."""
    thick = _thick(after)
    a, b = BOTTOM - thick, 60 - thick
    return f"M36 {a:.2f}C48 {a:.2f} 52 {b:.2f} 64 {b:.2f}L{RIGHT} {b:.2f}L{RIGHT} 60L64 60C52 60 48 {BOTTOM} 36 {BOTTOM}Z"


def _thick(fraction: float) -> float:
    """Never thinner than a visible thread."""
    return max(1.2, (BOTTOM - TOP) * min(max(fraction, 0.0), 1.0))
