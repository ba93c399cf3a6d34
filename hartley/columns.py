"""Columns of a table of evidence: what may be an array of numbers, what is frozen, what is equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
