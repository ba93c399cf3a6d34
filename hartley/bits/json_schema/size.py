"""How many: exact whole numbers while they can be written out, their log2 beyond, infinity where nothing bounds them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_WRITTEN = 200_000
"""Bits up to which a count is kept as a whole number."""
_TERMS = 2_000


@dataclass(frozen=True)
class Size:
    """number: the count, None when it is too long to write out or has no bound; log2: its logarithm, -inf for none, inf
    for no bound. exact: False says that the true count may be smaller."""

    number: int | None
    log2: float
    exact: bool = True

    @property
    def unbounded(self) -> bool:
        return self.log2 == math.inf

    @property
    def none(self) -> bool:
        return self.log2 == -math.inf

    def at_most(self) -> Size:
        """The same figure as an upper bound."""
        return Size(self.number, self.log2, False)


def log2_of(number: int) -> float:
    """log2 of a whole number > 0 of any length; exact for powers of 2."""
    shift = max(0, number.bit_length() - 64)
    return shift + math.log2(number >> shift)


def of(number: int) -> Size:
    """Exactly this many."""
    if number <= 0:
        return Size(0, -math.inf)
    return Size(number, log2_of(number)) if number.bit_length() <= _WRITTEN else Size(None, log2_of(number))


UNBOUNDED = Size(None, math.inf)
ONE = of(1)
NONE = of(0)


def product(sizes: Iterable[Size]) -> Size:
    """All combinations; nothing times no bound is nothing."""
    parts = list(sizes)
    exact = all(part.exact for part in parts)
    if any(part.none for part in parts):
        return Size(0, -math.inf, all(part.exact for part in parts if part.none))
    bits = math.fsum(part.log2 for part in parts)
    if all(part.number is not None for part in parts) and bits <= _WRITTEN:
        found = of(math.prod(part.number for part in parts if part.number is not None))
        return Size(found.number, found.log2, exact)
    return Size(None, bits, exact)


def total(sizes: Iterable[Size]) -> Size:
    """One or the other, where no two share anything."""
    parts = [part for part in sizes if not part.none or not part.exact]
    exact = all(part.exact for part in parts)
    if all(part.number is not None for part in parts):
        found = of(sum(part.number for part in parts if part.number is not None))
        return Size(found.number, found.log2, exact)
    top = max(part.log2 for part in parts)
    if top == math.inf:
        return Size(None, top, exact)
    return Size(None, top + math.log2(math.fsum(2.0 ** (part.log2 - top) for part in parts)), exact)


def powers(base: Size, least: int, most: int | None) -> Size:
    """base^least + ... + base^most: sequences of between `least` and `most` symbols, each one of `base`."""
    if most is not None and most < least:
        return NONE
    if base.none:
        return Size(1 if least == 0 else 0, 0.0 if least == 0 else -math.inf, base.exact)
    if most is None or (base.unbounded and most > 0):
        return Size(None, math.inf, base.exact)
    if most == 0:
        return ONE
    if base.number == 1:
        return Size(most - least + 1, log2_of(most - least + 1), base.exact)
    if base.number is not None and (most + 1) * (base.log2 + 1) <= _WRITTEN:
        found = of((base.number ** (most + 1) - base.number**least) // (base.number - 1))
        return Size(found.number, found.log2, base.exact)
    # the geometric series is its last term times b / (b - 1), less what falls below `least`
    rest = -math.expm1(-(most + 1 - least) * base.log2 * math.log(2))
    return Size(None, most * base.log2 + math.log2(rest / -math.expm1(-base.log2 * math.log(2))), base.exact)


def arrangements(base: Size, least: int, most: int | None) -> Size:
    """Sequences of between `least` and `most` different symbols out of `base`."""
    if base.unbounded and (most is None or most > 0):
        return Size(None, math.inf, base.exact)
    if base.number is None:
        return powers(base, least, most).at_most()
    most = base.number if most is None else min(most, base.number)
    if most < least:
        return Size(0, -math.inf, base.exact)
    if most <= _TERMS and most * max(base.log2, 0.0) <= _WRITTEN:
        found, run = 0, 1
        for length in range(most + 1):
            found += run if length >= least else 0
            run *= base.number - length
        return Size(of(found).number, of(found).log2, base.exact)
    # too many terms to add: the longest sequences times e bounds the sum
    longest = math.lgamma(base.number + 1) - math.lgamma(base.number - most + 1) if base.log2 < 900 else most * base.log2 * math.log(2)
    return Size(None, (longest + 1) / math.log(2), False)
