"""Rows of float32 that only grow: in memory, or in a file that is mapped and never read as a whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley import files
from hartley.errors import InputError

LARGEST_NORM, SMALLEST_NORM = 1e12, 1e-12
"""Beyond these the products of float32 overflow or vanish; 0 itself is accepted."""


def checked(given: ArrayLike, dimension: int, what: str) -> NDArray[np.float32]:
    """(n, dimension) float32. `what` names a row in messages.

    Raises InputError for another shape, and for numbers that cannot be compared.
    """
    try:
        with np.errstate(over="ignore"):
            matrix = np.ascontiguousarray(given, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} is not an array of numbers ({str(error).splitlines()[0]})") from None
    if matrix.ndim != 2 or matrix.shape[1] != dimension:
        raise InputError(f"{what} comes in an array of shape {matrix.shape}; (n, {dimension}) is accepted")
    norms = lengths(matrix)
    bad = ~(np.isfinite(norms) & ((norms == 0) | ((norms >= SMALLEST_NORM) & (norms <= LARGEST_NORM))))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        how = f"has length {norms[row]:.3g}" if np.isfinite(norms[row]) else "is not finite"
        raise InputError(f"{what}, row {row}, {how}; 0, or lengths from {SMALLEST_NORM:g} to {LARGEST_NORM:g} are accepted")
    return matrix


def lengths(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) Euclidean lengths of (n, d), each the same whatever rows come along."""
    found = np.empty(len(matrix))
    for start in range(0, len(matrix), 4096):
        wide = matrix[start : start + 4096].astype(np.float64)
        found[start : start + 4096] = np.sqrt((wide * wide).sum(axis=1))
    return found


def refuse_damaged(ids: NDArray[np.int64], long: NDArray[np.float64]) -> None:
    """Raises InputError when the vector of an entry (ids at least 0), of that length, is not finite: it was stored finite."""
    if len(bad := np.flatnonzero((ids >= 0) & ~np.isfinite(long))):
        raise InputError(f"the vector of entry {ids[bad[0]]} is not finite, so its file is damaged; write the entries again")


class Vectors(Protocol):
    """Where the vectors of a store lie, row by row. A row may be written anew while no entry points to it."""

    @property
    def whole_rows(self) -> int:
        """How many rows can be read."""
        ...

    def write(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """vectors (n, d) into the n rows, durably where there is a disk. Raises OSError when the disk refuses."""
        ...

    def read(self, count: int) -> NDArray[np.float32]:
        """The first `count` rows as a read-only view (count, d)."""
        ...

    def close(self) -> None: ...


class InMemory:
    """Vectors in an array that doubles when it is full."""

    def __init__(self, dimension: int) -> None:
        self._held = np.empty((0, dimension), np.float32)

    @property
    def whole_rows(self) -> int:
        return len(self._held)

    def write(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        needed = int(rows.max(initial=-1)) + 1
        if needed > len(self._held):
            grown = np.empty((max(needed, 2 * len(self._held), 64), self._held.shape[1]), np.float32)
            grown[: len(self._held)] = self._held
            self._held = grown
        self._held[rows] = vectors

    def read(self, count: int) -> NDArray[np.float32]:
        view = self._held[:count]
        view.setflags(write=False)
        return view

    def close(self) -> None:
        """Nothing to close."""


class OnDisk:
    """Vectors in a file of little-endian float32; rows beyond those that the database counts are nobody's.

    Raises OSError when the file cannot be opened.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        self._path, self._dimension, self._stride = path, dimension, 4 * dimension
        new = not path.exists()
        self._file = files.kept(path, os.O_RDWR)
        if new:  # a file whose name is not on the disk yet would be gone after a power cut, whatever was written into it
            _sync_folder(path.parent)

    @property
    def whole_rows(self) -> int:
        return os.fstat(self._file).st_size // self._stride

    def write(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        if not len(rows):
            return
        content = np.ascontiguousarray(vectors, dtype="<f4")
        starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            self._write_run(int(rows[start]) * self._stride, content[start:stop])
        os.fsync(self._file)

    def _write_run(self, offset: int, run: NDArray[np.float32]) -> None:
        left = memoryview(run.tobytes())
        while left:
            written = os.pwrite(self._file, left[: 2**30], offset)
            left, offset = left[written:], offset + written

    def read(self, count: int) -> NDArray[np.float32]:
        if count == 0:  # an empty file cannot be mapped
            return np.empty((0, self._dimension), np.float32)
        return np.memmap(self._path, dtype="<f4", mode="r", shape=(count, self._dimension))

    def close(self) -> None:
        """Closes the file; views that `read` gave stay valid."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
