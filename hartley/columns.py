"""Columns of a table of evidence: what may be an array of numbers, what is frozen, what is equal."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError, SyntaxError, TokenError)
"""What zipfile and numpy raise for an archive or an array that is damaged, cut off or locked, beside OSError."""


class EvidenceError(ValueError):
    """A malformed table. The message names the column and, where there is one, the row."""


def numbers(name: str, given: Any) -> NDArray[Any]:
    """An array of whole or real numbers or flags; text, objects and complex numbers are refused, not converted."""
    try:
        values = np.asarray(given)
    except ValueError as error:
        raise EvidenceError(f"{name}: not an array ({error})") from None
    if values.dtype.kind not in "biuf":
        raise EvidenceError(f"{name}: got {values.dtype}, takes numbers")
    return values


def checked(name: str, given: Any, dtype: Any, rows: int, low: float | None, high: float | None) -> NDArray[Any]:
    """A frozen array (rows,) of dtype, every value finite, whole where dtype is, and from low to high."""
    values = numbers(name, given)
    wide = values.astype(np.float64)
    if values.shape != (rows,):
        raise EvidenceError(f"{name}: shape {values.shape}, needs ({rows},) like column arm")
    whole = np.issubdtype(dtype, np.integer)
    bad = ~np.isfinite(wide)
    if whole:
        bad |= wide != np.floor(wide)
    if low is not None:
        bad |= wide < low
    if high is not None:
        bad |= wide > high
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        takes = "whole numbers" if whole else "finite numbers"
        lowest, highest = "-inf" if low is None else low, "inf" if high is None else high
        span = "" if low is None and high is None else f" from {lowest} to {highest}"
        raise EvidenceError(f"{name}, row {row}: got {values[row]!r}, takes {takes}{span}")
    return frozen(values.astype(dtype))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A copy that cannot be written to."""
    array = np.array(array)
    array.setflags(write=False)
    return array


def same(left: Any, right: Any) -> bool:
    """Equal in type, shape and every value; NaN equals NaN."""
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)
