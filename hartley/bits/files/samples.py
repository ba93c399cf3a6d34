"""Samples of a channel from a user's file: which columns are x and y, and whether each is symbols or numbers."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np

from hartley.bits.files.arrays import read_npy, read_npz
from hartley.bits.files.chosen import chosen, chosen_with_cluster
from hartley.bits.files.columns import MOST_SYMBOLS, Choice, Codes, Column, Numbers, Progress, Text, separated, shown
from hartley.bits.files.delimited import read_delimited
from hartley.bits.tables import Counts, Floats
from hartley.errors import InputError

Sort = Literal["symbols", "numbers"]
SORTS: tuple[Sort, ...] = ("symbols", "numbers")
FEWEST_ROWS = 10
MOST_WHOLE = 256
"""Up to this many distinct whole numbers that come again count as symbols, unless told otherwise."""
_ROWS_A_SYMBOL = 4
_RARE = 10
LARGEST = 1e60
"""The largest number: sums of its fourth powers must be numbers as well."""
SUFFIXES = ".npz, .npy, .csv or .tsv"


@dataclass(frozen=True)
class Symbols:
    """One end of a channel: n symbols as codes (n,) into `names`. `end` says what it is, as in "x is color"."""

    name: str
    codes: Codes
    names: tuple[str, ...]
    end: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.end or self.name}: {len(self.names):,} symbols{self.note}"


@dataclass(frozen=True)
class Vectors:
    """One end of a channel: n points, values (n, d), finite, none of the d columns constant. `end` as in Symbols."""

    name: str
    values: Floats
    end: str = ""
    note: str = ""

    def __str__(self) -> str:
        d = self.values.shape[1]
        return f"{self.end or self.name}: {'numbers' if d == 1 else f'vectors of {d:,} numbers'}{self.note}"


Side = Symbols | Vectors


@dataclass(frozen=True)
class Samples:
    """Both ends of a channel over the same rows. cluster (rows,): the independent unit of each row, named by `unit`; None: its own."""

    where: str
    x: Side
    y: Side
    rows: int
    cluster: Counts | None = None
    unit: str = ""


def read_samples(
    path: Path,
    x: str | None = None,
    y: str | None = None,
    *,
    cluster: str | None = None,
    sorts: Mapping[str, Sort] | None = None,
    header: bool | None = None,
    progress: Progress | None = None,
) -> Samples:
    """Samples from an .npz, .npy, .csv or .tsv file; "-" is a table on standard input.

    x, y    names of columns or arrays, or numbers and ranges of them from 1 ("3", "2-65"), with commas between; several make a
            vector, or where they are symbols one symbol of all. None: "x" and "y" where so named, else the first and
            the rest; with one of them given, the other is the rest.
    cluster the column that names the independent unit of each row; rows of one unit may depend on each other in any way. It is
            on neither side.
    sorts   "symbols" or "numbers" for "x" or "y"; otherwise text, booleans and few repeated whole numbers are symbols.
    header  of a table: whether the first line holds names; None: decided by what stands in it.
    Raises InputError with one line that names the file, the line or row, and what is accepted.
    """
    where = "standard input" if str(path) == "-" else shown(path, 200)

    def choose(names: Sequence[str]) -> Choice:
        if cluster is None:
            return chosen(names, x, y, where)
        left, right, unit = chosen_with_cluster(names, x, y, cluster, where)
        return left, (*right, unit)

    suffix = ".csv" if str(path) == "-" else _suffix(path, where)
    try:
        if suffix == ".npz":
            ends = read_npz(path, where, choose)
        elif suffix == ".npy":
            ends = read_npy(path, where, choose)
        else:
            with tempfile.TemporaryFile() if str(path) == "-" else path.open("rb") as stream:
                separator = "\t" if suffix == ".tsv" else ","
                if str(path) == "-":
                    separator = _spooled(cast(BinaryIO, stream))
                ends = read_delimited(cast(BinaryIO, stream), where, separator, choose, header, progress)
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror or type(error).__name__})") from None
    lengths = {shown(column.name): column.rows for end in ends for column in end}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {rows:,}" for name, rows in list(lengths.items())[:6])
        raise InputError(f"{where}: columns of different lengths ({told} rows); takes one row of each for every use of the channel")
    rows = ends[0][0].rows
    if rows < FEWEST_ROWS:
        raise InputError(f"{where}: {rows} rows; takes at least {FEWEST_ROWS}, and some hundred say more")
    unit = None if cluster is None else ends[1].pop()
    sorts = sorts or {}
    sides = [_side(name, end, sorts.get(name), where) for name, end in zip("xy", ends, strict=True)]
    if unit is None:
        return Samples(where, sides[0], sides[1], rows)
    return Samples(where, sides[0], sides[1], rows, _units(unit, where), shown(unit.name))


def _units(column: Column, where: str) -> Counts:
    """Index from 0 of the unit of each row. InputError for a column of more than one dimension."""
    values = column.codes if isinstance(column, Text) else column.values
    if values.ndim != 1:
        raise InputError(f"--cluster: {where}: {shown(column.name)} has shape {values.shape}, takes one unit a row")
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _suffix(path: Path, where: str) -> str:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        raise InputError(f"{where}: there is no such file; takes {SUFFIXES}, or - for a table on standard input") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{where}: is a folder; takes a file, {SUFFIXES}")
    if not stat.S_ISREG(mode):
        raise InputError(f"{where}: is not a regular file; takes {SUFFIXES}, or - for a table on standard input")
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".npy", ".csv", ".tsv"):
        raise InputError(f"{where}: ends in {shown(suffix) or 'nothing'}, takes {SUFFIXES}")
    if path.stat().st_size == 0:
        raise InputError(f"{where}: is empty")
    return suffix


def _spooled(stream: BinaryIO) -> str:
    """Copies standard input to the stream, since a message may need to read it again. Returns the separator of its first line."""
    shutil.copyfileobj(sys.stdin.buffer, stream, 2**20)
    stream.seek(0)
    first = stream.readline(2**20)
    return "\t" if b"\t" in first and b"," not in first else ","


def _side(end: str, columns: list[Column], sort: Sort | None, where: str) -> Side:
    """One end of the channel as symbols or as numbers: as told, or as its values look."""
    label = shown(columns[0].name) if len(columns) == 1 else end
    names = ", ".join(shown(column.name) for column in columns[:4]) + (f", ... ({len(columns)} columns)" if len(columns) > 4 else "")
    whole = end if names == end else f"{end} is {names}"
    text = next((column for column in columns if isinstance(column, Text)), None)
    if sort == "numbers" and text is not None:
        raise InputError(f"{where}: {label} cannot be numbers: column {shown(text.name)!r} holds {shown(text.symbols[0])!r}")
    if text is not None and sort != "symbols" and (cell := separated(text.symbols)) is not None:
        raise InputError(
            f"{where}: column {shown(text.name)!r} holds numbers with separators ({shown(cell)!r}); takes them without and with a decimal "
            f"point, or as labels with --as {end}=symbols"
        )
    if sort != "numbers":
        symbols = _as_symbols(label, columns, where, forced=sort == "symbols")
        if symbols is not None:
            rare = bool((np.bincount(symbols.codes) < _RARE).any()) and symbols.note
            hint = f", some in under {_RARE} rows; --as {end}=numbers takes them as numbers" if rare else ""
            return replace(symbols, end=whole, note=symbols.note + hint)
        if text is not None:
            plain = next(shown(column.name) for column in columns if not isinstance(column, Text))
            raise InputError(f"{where}: {label} mixes text ({shown(text.name)!r}) with numbers ({plain!r}); takes one sort on each side")
    vectors = _as_vectors(label, [column for column in columns if isinstance(column, Numbers)], where)
    if sort is None and vectors.values.shape[1] == 1 and not (vectors.values[: 2**16] % 1).any():
        vectors = replace(vectors, note=f"{vectors.note}; take them as labels with --as {end}=symbols")
    return replace(vectors, end=whole)


def _as_symbols(label: str, columns: list[Column], where: str, *, forced: bool) -> Symbols | None:
    """One symbol a row of all the columns together; None where they are not to be taken as symbols and were not told to be."""
    rows = columns[0].rows
    pure = all(isinstance(column, Text) for column in columns)
    most = MOST_SYMBOLS if forced or pure else min(MOST_WHOLE, max(2, rows // _ROWS_A_SYMBOL))
    codes, names = np.zeros(rows, dtype=np.int64), [""]
    for column in columns:
        parts = _coded(column, most, whole_only=not (forced or pure))
        if parts is None:
            return None
        for own, words in parts:
            mixed = codes * len(words) + own
            found, codes = np.unique(mixed, return_inverse=True) if len(names) * len(words) > most else (None, mixed)
            pairs = range(len(names) * len(words)) if found is None else found.tolist()
            if len(pairs) > most:
                if forced or pure:
                    raise InputError(
                        f"{where}: {label} has over {most:,} distinct symbols; group them, or take --as numbers where they are"
                    )
                return None
            names = [f"{names[p // len(words)]}{' ' if names[p // len(words)] else ''}{words[p % len(words)]}" for p in pairs]
    occurring, codes = np.unique(codes, return_inverse=True)
    if len(occurring) < 2:
        raise InputError(f"{where}: {label} is constant ({shown(names[int(occurring[0])])!r} in all {rows:,} rows); takes one that varies")
    if len(occurring) > rows / 2 and (pure or forced):
        raise InputError(
            f"{where}: {label} has {len(occurring):,} distinct symbols in {rows:,} rows; takes symbols that come again: group them"
        )
    note = "" if pure or forced else ", from whole numbers"
    return Symbols(label, codes.astype(np.int32), tuple(names[place] for place in occurring.tolist()), note=note)


def _coded(column: Column, most: int, *, whole_only: bool) -> list[tuple[Codes, tuple[str, ...]]] | None:
    """Codes and names of a column, a pair for each of its d dimensions; None where too many values or other than whole ones stand there."""
    if isinstance(column, Text):
        return [(column.codes, column.symbols)]
    values = column.values if column.values.ndim == 2 else column.values[:, None]
    out: list[tuple[Codes, tuple[str, ...]]] = []
    for dimension in range(values.shape[1]):
        part = values[:, dimension]
        seen: set[float] = set()
        for start in range(0, len(part), 2**16):
            block = np.unique(part[start : start + 2**16])
            if whole_only and part.dtype.kind == "f" and (block != np.floor(block)).any():
                return None
            seen.update(block.tolist())
            if len(seen) > most:
                return None if whole_only else [(np.zeros(len(part), np.int32), ("",) * (most + 1))]
        order = np.array(sorted(seen))
        out.append((np.searchsorted(order, part).astype(np.int32), tuple(f"{value:g}" for value in order.tolist())))
    return out


def _as_vectors(label: str, columns: list[Numbers], where: str) -> Vectors:
    stacked = [column.values if column.values.ndim == 2 else column.values[:, None] for column in columns]
    varies = [part.max(axis=0) > part.min(axis=0) for part in stacked]
    kept = [part[:, keep] if not keep.all() else part for part, keep in zip(stacked, varies, strict=True)]
    dropped = sum(int((~keep).sum()) for keep in varies)
    if all(part.shape[1] == 0 for part in kept):
        raise InputError(f"{where}: {label} is constant ({stacked[0][0, 0]} in all {len(stacked[0]):,} rows); takes one that varies")
    values = kept[0].astype(np.float64, copy=False) if len(kept) == 1 else np.concatenate(kept, axis=1, dtype=np.float64)
    largest = float(max(values.max(), -values.min()))
    if largest > LARGEST:
        raise InputError(
            f"{where}: {label} reaches {largest:.3g}, takes numbers up to {LARGEST:g}: rescale them, which changes no information"
        )
    note = f" ({dropped:,} that never change are left out)" if dropped else ""
    return Vectors(label, values, note=note)
