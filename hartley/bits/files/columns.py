"""What a reader hands over: named columns of numbers or of coded text, and words for whatever came from a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hartley.errors import InputError

MOST_SYMBOLS = 4_096
"""Distinct symbols a column of text may hold."""
Codes = NDArray[np.int32]
Choice = tuple[tuple[int, ...], tuple[int, ...]]
"""Places of the columns that are x and of those that are y."""
Choose = Callable[[Sequence[str]], Choice]
Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes in all."""


@dataclass(frozen=True)
class Numbers:
    """A column of finite numbers: values (n,) or (n, d) of any real or whole dtype."""

    name: str
    values: NDArray[Any]

    @property
    def rows(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Text:
    """A column of text: codes (n,) into `symbols`, which are distinct."""

    name: str
    codes: Codes
    symbols: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.codes)


Column = Numbers | Text
_SEPARATED = re.compile(r"[+-]?(?:\d{1,3}(?:[, '\u00a0\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})*,\d+|\d{1,3}(?:\.\d{3}){2,})", re.ASCII)


def separated(cells: Iterable[str]) -> str | None:
    """A cell that is a number written with separators ("1,234", "1 234", "0,5"), where all others are numbers too; else None."""
    found = None
    for cell in map(str.strip, cells):
        if _SEPARATED.fullmatch(cell):
            found = found or cell
            continue
        try:
            float(cell)
        except ValueError:
            return None
    return found


def shown(text: object, limit: int = 48) -> str:
    """Text from a file, safe to print: what is not printable (controls, escapes, direction marks) is escaped, the rest cut at `limit`."""
    whole = str(text)
    cut = whole if len(whole) <= limit else whole[: limit - 3] + "..."
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in cut)


def finite(what: str, values: NDArray[Any]) -> None:
    """Raises InputError for the first NaN or infinity of values (n,) or (n, d); `what` begins the message, row and column follow."""
    if values.dtype.kind != "f":
        return
    step = max(1, 2**22 // max(1, values.shape[1] if values.ndim == 2 else 1))
    for start in range(0, len(values), step):
        bad = np.argwhere(~np.isfinite(values[start : start + step]))
        if len(bad):
            place = f"row {start + int(bad[0][0])}" + (f", column {int(bad[0][1])}" if values.ndim == 2 else "")
            got = values[(start + int(bad[0][0]), *(int(i) for i in bad[0][1:]))]
            raise InputError(f"{what}, {place} (counted from 0): got {got}, takes finite numbers")
