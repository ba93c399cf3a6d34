"""Contingency tables: how often input symbol x met outcome symbol y. Checked once, here; entropies of what they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.errors import InputError

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def checked_table(counts: ArrayLike) -> Counts:
    """A contingency table (inputs, outcomes) of whole numbers >= 0. InputError names the row and the column."""
    try:
        wide = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"counts: not a table of numbers ({error})") from None
    if wide.ndim != 2 or 0 in wide.shape:
        raise InputError(f"counts: shape {wide.shape}, takes a table of at least one input (row) and one outcome (column)")
    bad = ~np.isfinite(wide) | (wide < 0) | (wide != np.floor(wide)) | (wide > 2**53)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"counts, row {row}, column {column}: got {wide[row, column]:g}, takes whole numbers from 0")
    return wide.astype(np.int64)


def checked_cube(counts: ArrayLike, axes: str) -> Counts:
    """Counts with three axes, named in `axes`, of whole numbers >= 0. InputError names the cell."""
    try:
        cube = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"counts: not a table of numbers ({error})") from None
    if cube.ndim != 3 or 0 in cube.shape:
        raise InputError(f"counts: shape {cube.shape}, takes ({axes})")
    bad = ~np.isfinite(cube) | (cube < 0) | (cube != np.floor(cube))
    if bad.any():
        x, y, s = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"counts, cell ({x}, {y}, {s}): got {cube[x, y, s]:g}, takes whole numbers from 0")
    return checked_table(cube.reshape(-1, cube.shape[2])).reshape(cube.shape)


def cross_tabulate(
    x: ArrayLike, y: ArrayLike, *, inputs: int | None = None, outcomes: int | None = None, names: tuple[str, str] = ("x", "y")
) -> Counts:
    """Counts (inputs, outcomes) from two arrays of n symbols each.

    With `inputs` (or `outcomes`) given, the symbols are indices below that number, and symbols that never occur keep
    their row; without, they are any values that sort, and the rows are the distinct values in order.
    InputError names the column, as in `names`, and the row for unequal lengths, a NaN or an index out of range.
    """
    rows, kx = symbols(names[0], x, inputs)
    columns, ky = symbols(names[1], y, outcomes)
    if len(rows) != len(columns):
        raise InputError(f"columns {names[0]} and {names[1]}: {len(rows)} and {len(columns)} rows, takes equal lengths")
    return np.bincount(rows * ky + columns, minlength=kx * ky).reshape(kx, ky).astype(np.int64)


def symbols(name: str, values: ArrayLike, size: int | None) -> tuple[Counts, int]:
    """(indices (n,) from 0, how many symbols) of a column; as in `cross_tabulate`, which see."""
    array: NDArray[Any] = np.asarray(values)
    if array.ndim != 1 or array.dtype == object:
        raise InputError(f"column {name}: shape {array.shape} of {array.dtype}, takes one symbol a row")
    if len(array) == 0:
        raise InputError(f"column {name}: no rows, takes at least one")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array))[0])
        raise InputError(f"column {name}, row {row}: got {array[row]}, takes finite symbols")
    if size is None:
        found, index = np.unique(array, return_inverse=True)
        return index.astype(np.int64), len(found)
    if array.dtype.kind not in "iufb":
        raise InputError(f"column {name}: got {array.dtype}, takes indices from 0 to {size - 1}")
    bad = (array != np.floor(array)) | (array < 0) | (array >= size)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"column {name}, row {row}: got {array[row]}, takes whole numbers from 0 to {size - 1}")
    return array.astype(np.int64), size


def checked_law(name: str, law: ArrayLike, size: int) -> Floats:
    """Probabilities (size,) that sum to 1, exactly normalized. InputError otherwise."""
    try:
        values = np.asarray(law, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: not numbers ({error})") from None
    if values.shape != (size,):
        raise InputError(f"{name}: shape {values.shape}, takes ({size},), one probability a symbol")
    if not np.isfinite(values).all() or (values < 0).any() or not np.isclose(values.sum(), 1.0, atol=1e-6):
        raise InputError(f"{name}: takes probabilities from 0 that sum to 1, got smallest {values.min():g} and sum {values.sum():g}")
    return np.asarray(values / values.sum(), dtype=np.float64)


def checked_channel(channel: ArrayLike) -> Floats:
    """A channel W(y|x), (inputs, outcomes), its rows exactly normalized. InputError names the row."""
    try:
        w = np.asarray(channel, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"channel: not a table of numbers ({error})") from None
    if w.ndim != 2 or 0 in w.shape:
        raise InputError(f"channel: shape {w.shape}, takes (inputs, outcomes)")
    bad = ~np.isfinite(w).all(axis=1, keepdims=False) | (w < 0).any(axis=1) | ~(np.abs(w.sum(axis=1) - 1) <= 1e-6)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"channel, row {row}: sums to {w[row].sum():g}, takes probabilities from 0 that sum to 1")
    return np.asarray(w / w.sum(1, keepdims=True), dtype=np.float64)


def entropy_bits(law: Floats) -> float:
    """Entropy of a law (any shape, sums to 1), in bits: -sum p log2 p with 0 log 0 = 0 (Shannon 1948)."""
    positive = law[law > 0]
    return float(-(positive * np.log2(positive)).sum()) + 0.0


def binary_entropy_bits(p: float) -> float:
    """h(p) in bits for p in [0, 1]."""
    return entropy_bits(np.array([p, 1.0 - p]))


def information_of_law(joint: Floats) -> float:
    """I(X; Y) in bits of a joint law (inputs, outcomes) that is known exactly; never below 0."""
    return max(0.0, entropy_bits(joint.sum(1)) + entropy_bits(joint.sum(0)) - entropy_bits(joint))


def joint_law(counts: Counts, prior: Floats | None) -> Floats:
    """Empirical joint law (inputs, outcomes); with `prior`, P(x, y) = prior(x) counts(x, y) / counts(x).

    Reweighting takes the luck of the draw of inputs out. It needs every input with prior > 0 to have occurred;
    otherwise the plain frequencies are returned.
    """
    per_input = counts.sum(1)
    if prior is None or (per_input[prior > 0] == 0).any():
        return np.asarray(counts / counts.sum(), dtype=np.float64)
    weight = np.divide(prior, per_input, out=np.zeros(len(prior)), where=per_input > 0)
    return np.asarray(weight[:, None] * counts, dtype=np.float64)
