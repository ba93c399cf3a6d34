"""Rows of continuous numbers, checked: two sides of the same length, finite, not constant, not discrete; thinned and narrowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.bits.portfolio.ranks import normal_scores
from hartley.bits.tables import Floats
from hartley.errors import InputError

MOST_ROWS = 20_000
MOST_COLUMNS = 160
ROWS_A_DIRECTION = 16
KEPT_VARIANCE = 0.99
BLOCK = 2**22
FEWEST_VALUES, MOST_VALUES = 10, 100


@dataclass(frozen=True)
class Sides:
    """x (n, dx) and y (n, dy), ready to measure. rows: how many there were before thinning; narrowed: what was left out, in words."""

    x: Floats
    y: Floats
    rows: int
    narrowed: str


def checked_sides(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> Sides:
    """Two arrays of n rows, (n,) or (n, d), as Sides. InputError names side, column and row of what is wrong.

    Of more than 20,000 rows 20,000 are drawn. A side with more columns than a sixteenth of the rows (160 at most) is
    narrowed to the directions of largest variance of its normal scores.
    """
    sides = [_array("x", x), _array("y", y)]
    rows = len(sides[0])
    if len(sides[1]) != rows:
        raise InputError(f"x and y: {rows} and {len(sides[1])} rows, takes equal lengths")
    for name, side in zip("xy", sides, strict=True):
        _finite(name, side)
    if rows > MOST_ROWS:
        drawn = np.sort(np.random.default_rng([seed, rows]).choice(rows, MOST_ROWS, replace=False))
        sides = [side[drawn] for side in sides]
    ready, words = [], []
    for name, side in zip("xy", sides, strict=True):
        numbers = side.astype(np.float64)
        if rows > 1:
            _continuous(name, numbers)
        narrow, share = _narrowed(numbers, seed)
        ready.append(narrow)
        if share < KEPT_VARIANCE:
            words.append(
                f"{name} has {side.shape[1]} columns, of which {len(numbers)} rows allow {narrow.shape[1]} directions "
                f"({share:.0%} of the variance)"
            )
    text = "; ".join(words) + ": what the rest carries was not measured, the lower limit holds" if words else ""
    return Sides(ready[0], ready[1], rows, text)


def _array(name: str, values: ArrayLike) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name}: rows of unequal lengths ({error})") from None
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise InputError(f"{name}: shape {array.shape}, takes (n,) or (n, d), one row a pair")
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name}: {array.dtype}, takes real numbers")
    return array


def _finite(name: str, array: NDArray[Any]) -> None:
    step = max(1, BLOCK // array.shape[1])
    for start in range(0, len(array), step):
        fine = np.isfinite(array[start : start + step])
        if not fine.all():
            row, column = (int(i) for i in np.argwhere(~fine)[0])
            raise InputError(f"{name}, row {start + row}, column {column}: got {array[start + row, column]}, takes finite numbers")


def _continuous(name: str, numbers: Floats) -> None:
    """InputError for a constant column and for one of few distinct values, which counts measure better."""
    n = len(numbers)
    few = max(FEWEST_VALUES, min(n // 20, MOST_VALUES))
    for column in range(numbers.shape[1]):
        distinct = len(np.unique(numbers[:, column]))
        if distinct == 1:
            raise InputError(f"{name}, column {column}: constant ({numbers[0, column]:g}) over {n} rows, takes columns that vary")
        if distinct <= few and distinct < n / 2:
            raise InputError(
                f"{name}, column {column}: {distinct} distinct values in {n} rows, so it is discrete; takes continuous columns: "
                "use information() for symbols"
            )


def _narrowed(numbers: Floats, seed: int) -> tuple[Floats, float]:
    """(n, d) itself, or the widest directions of its normal scores, and the share of variance they hold."""
    n, d = numbers.shape
    most = max(1, min(MOST_COLUMNS, n // ROWS_A_DIRECTION))
    if d <= most:
        return numbers, 1.0
    scores = normal_scores(numbers, seed)
    values, vectors = np.linalg.eigh(scores.T @ scores / n)
    return np.asarray(scores @ vectors[:, -most:]), float(values[-most:].sum() / values.sum())
