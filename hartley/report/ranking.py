"""Which attack is the worst and which defense the best, with limits that hold for all that were compared at once."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from scipy.stats import norm, t

from hartley.report.numbers import Number, apart, difference

if TYPE_CHECKING:
    from hartley.report.lines import Guard, Line

LEVEL = 0.05
SIGNED = ("margin_bits", "deployed_bits", "won_back_bits", "price_bits")
"""Quantities that may lie below zero; no limit of another is drawn below it."""


class Measured(Protocol):
    """What has numbers in bits by kind and arm: a line, or a defense on it."""

    def number(self, kind: str, arm: str) -> Number: ...


@functools.cache
def stretch(compared: int, clusters: int | None) -> float:
    """How many times wider a 95% interval gets so that `compared` of them hold together with 95% (Bonferroni).

    The ratio of the quantiles at 1 - .025 / compared and .975, of Student's t with clusters - 1 degrees of freedom where the number
    rests on clusters, else of the normal law. 1 for one comparison.
    """
    tail = LEVEL / 2
    law = norm if clusters is None or clusters < 2 else t(clusters - 1)
    return float(law.isf(tail / max(1, compared)) / law.isf(tail))


def widened(number: Number, compared: int) -> Number:
    """The number with limits that hold for all `compared` at once, widened around its point or, where that is withheld, around the
    middle of its bracket. A side that is not stated stays so; what cannot lie below zero is not drawn there."""
    low, high = number.low, number.high
    center = number.value if number.value is not None else (low + high) / 2 if low is not None and high is not None else None
    if center is None:
        return number
    ratio = stretch(compared, number.clusters)
    floor = None if number.name in SIGNED else min(0.0, center)
    if low is not None:
        low = center - ratio * (center - low)
        low = low if floor is None else max(floor, low)
    return replace(number, low=low, high=None if high is None else center + ratio * (high - center))


def margin(of: Measured, kind: str, arm: str, compared: int = 1) -> Number:
    """What the user has over the adversary under one arm, in bits: utility minus adversary bits. A jam gives the adversary nothing
    to say, so its margin is the utility that is left. Of a secret that is read it is the bits that were read, below zero.

    As measured, or where only the two parts were, their difference with both intervals at their worst. Where the adversary's part was
    not measured only an upper limit is left, the utility's (for as many as are compared at once). Not measured without either.
    """
    utility, adversary = of.number("utility_bits", arm), of.number("adversary_bits", arm)
    if kind == "read":
        flipped = {name: None if value is None else -value for name, value in (("low", adversary.high), ("high", adversary.low))}
        value = None if adversary.value is None else -adversary.value
        return replace(adversary, value=value, name="margin_bits", checks={}, low=flipped["low"], high=flipped["high"])
    found = of.number("margin_bits", arm)
    if found.measured:
        return found
    if kind == "jam":
        return utility
    if utility.measured and not adversary.measured:
        why = f"the adversary's bits were not measured{': ' + adversary.why if adversary.why else ''}"
        return replace(widened(utility, compared), value=None, low=None, name="margin_bits", trusted=False, why=why, checks={})
    return difference(utility, adversary, "margin_bits")


@dataclass(frozen=True)
class Place:
    """A line in the ranking. margin: as printed, with its own 95% limits. sure: with limits that hold for all compared.

    shown: whether the attack demonstrably takes or writes something at all, by those limits.
    """

    line: Line
    margin: Number
    sure: Number
    shown: bool


@dataclass(frozen=True)
class Ranking:
    """The worst first: those whose effect is shown before those whose effect is not, each by the upper limit of the margin.

    By the upper limit and not by the point, so that nothing is called worst on a guess: the first is the one of which most is sure.
    """

    places: tuple[Place, ...]

    @property
    def compared(self) -> int:
        return len(self.places)

    @property
    def worst(self) -> Line | None:
        return self.places[0].line if self.places else None

    @property
    def ties(self) -> tuple[Place, ...]:
        """The others that are not demonstrably less bad than the first: their simultaneous limits overlap."""
        return tuple(place for place in self.places[1:] if not apart(self.places[0].sure, place.sure))


def ranked(lines: Iterable[Line], *, reading: bool = False) -> Ranking:
    """The ranking of the lines that read a secret, or of those that do not. Left out: lines without a margin, and those without a
    service that could be attacked."""
    found = [(line, margin(line, line.kind, "attacked")) for line in lines if (line.kind == "read") is reading and not line.weak]
    found = [(line, number) for line, number in found if number.sure_high is not None]
    count = len(found)
    wide = [
        _capped(widened(margin(line, line.kind, "attacked", count), count), 0.0 if reading else line.possible_bits) for line, _ in found
    ]
    places = [Place(line, number, sure, _shown(line, sure, count)) for (line, number), sure in zip(found, wide, strict=True)]
    return Ranking(tuple(sorted(places, key=lambda place: (not place.shown, _upper(place.sure)))))


def _capped(number: Number, most: float | None) -> Number:
    """A user has no more over an adversary than was sent, and nothing over one that reads, however wide the limits are."""
    if most is None or number.high is None or number.high <= most:
        return number
    return replace(number, high=max(most, number.value if number.value is not None else most))


def _upper(number: Number) -> float:
    return number.high if number.high is not None else number.sure_high or 0.0


def _shown(line: Line, sure: Number, compared: int) -> bool:
    if sure.high is not None and sure.high < 0:
        return True
    clean, attacked = (widened(line.number("utility_bits", arm), compared) for arm in ("clean", "attacked"))
    return line.kind != "read" and (apart(attacked, clean) or writes(line, compared))


def writes(line: Line, compared: int = 1) -> bool:
    """Whether the adversary demonstrably says more in the outcome than the tie of its symbol to the user's would, with limits that
    hold for `compared` lines at once."""
    attacked = widened(line.number("adversary_bits", "attacked"), compared)
    null = widened(line.number("adversary_bits", "clean"), compared)
    given = widened(line.number("adversary_given_user_bits", "attacked"), compared)
    if line.kind != "write" or attacked.low is None:
        return False
    if null.measured:
        return apart(null, attacked)
    sure = given if given.measured else attacked
    return sure.low is not None and sure.low > 0


@dataclass(frozen=True)
class Rescue:
    """What defenses do for a line, with limits that hold for all of its measured defenses at once.

    helping   those that leave demonstrably more margin under their harder attack than there is without a defense, strongest first.
    best      the first of them, where it is demonstrably better than every other; None otherwise.
    strongest the one with the most to say for it, helping or not; None where none was measured.
    """

    helping: tuple[Guard, ...]
    best: Guard | None
    strongest: Guard | None
    compared: int

    @property
    def tied(self) -> str:
        """ "tied" where one helps and is not demonstrably better than every other, else ""."""
        return "tied" if self.helping and self.best is None else ""


def rescue(line: Line) -> Rescue:
    """The defenses of one line, compared. One whose adversary was not measured under an attack that was made is never the best."""
    known = sorted((guard for guard in line.guards if guard.left.measured), key=lambda guard: -_lower(guard.left))
    count = len(known)
    sure = [widened(margin(guard, guard.kind, guard.hardest, count), count) for guard in known]
    bare = widened(margin(line, line.kind, "attacked", count), count)
    helping = [at for at in range(len(known)) if apart(bare, sure[at])]
    first = helping[0] if helping else None
    alone = first is not None and all(apart(number, sure[first]) for at, number in enumerate(sure) if at != first)
    best = known[first] if first is not None and alone else None
    strongest = known[first or 0] if known else None
    return Rescue(tuple(known[at] for at in helping), best, strongest, count)


def _lower(number: Number) -> float:
    return number.sure_low if number.sure_low is not None else float("-inf")


def worst(lines: Iterable[Line], *, reading: bool = False) -> Line | None:
    """The first of `ranked`; None without any."""
    return ranked(lines, reading=reading).worst
