"""CSV and TSV in blocks: only the chosen columns are kept, text as codes, numbers as float64, so that 10^7 rows fit in little memory."""

from __future__ import annotations

import csv
import gc
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np

from hartley.bits.files.columns import MOST_SYMBOLS, Choose, Codes, Column, Numbers, Progress, Text, separated, shown
from hartley.bits.tables import Floats
from hartley.errors import InputError

BLOCK_BYTES = 2**23
BLOCK_CELLS = 2**19
MOST_NUMBERS = 2**28
"""Cells of the chosen columns, 2 GiB as float64."""
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


class _Growing:
    """A column while it is read: codes as long as few distinct texts were seen, numbers from then on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.codes: dict[str, int] = {}
        self.coded: list[Codes] = []
        self.numbers: list[Floats] = []
        self.is_coded = True

    def add(self, cells: Sequence[str]) -> str | None:
        """Takes the cells of a block. Returns a cell that it cannot take, None where all went well."""
        if self.is_coded:
            # sorted, since the order of a set of strings changes from process to process
            new = sorted(set(cells) - self.codes.keys())
            if len(self.codes) + len(new) <= MOST_SYMBOLS:
                self.codes.update(zip(new, range(len(self.codes), len(self.codes) + len(new)), strict=True))
                self.coded.append(np.fromiter(map(self.codes.__getitem__, cells), dtype=np.int32, count=len(cells)))
                return next((cell for cell in new if _absent(cell)), None)
            odd = next((cell for cell in [*self.codes, *new] if _number(cell) is None), None)
            if odd is not None:
                return odd
            self._become_numbers()
        try:
            block = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
        except ValueError:
            return next(cell for cell in cells if _number(cell) is None)
        if not np.isfinite(block).all():
            return cells[int(np.flatnonzero(~np.isfinite(block))[0])]
        self.numbers.append(block)
        return None

    def _become_numbers(self) -> None:
        meaning = np.array([float(cell) for cell in self.codes])
        self.numbers = [meaning[codes] for codes in self.coded]
        self.coded, self.is_coded = [], False

    def done(self) -> Column:
        if self.is_coded and all(_number(cell) is not None for cell in self.codes):
            self._become_numbers()
        if self.is_coded:
            return Text(self.name, np.concatenate(self.coded), tuple(self.codes))
        values, self.numbers = np.concatenate(self.numbers), []
        return Numbers(self.name, values)


def read_delimited(
    stream: BinaryIO, where: str, separator: str, choose: Choose, header: bool | None = None, progress: Progress | None = None
) -> tuple[list[Column], list[Column]]:
    """The columns of x and those of y from a seekable stream of UTF-8 text, chosen by `choose` from the columns' names.

    header  whether the first line holds names; None: it does if none of its cells is a number and none comes again below.
    Columns without a name are called by their number, from 1. Blank lines are skipped. InputError names the line.
    """
    with _collector_paused():
        return _read(stream, where, separator, choose, header, progress)


def _read(
    stream: BinaryIO, where: str, separator: str, choose: Choose, header: bool | None, progress: Progress | None
) -> tuple[list[Column], list[Column]]:
    rows = _rows(stream, where, separator, progress)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{where}: is empty; takes lines of at least two columns")
    width = len(first)
    _only_column(first, where, separator)
    block = list(itertools.islice(rows, max(1, BLOCK_CELLS // width)))
    named = _is_header(first, block) if header is None else header
    names = [(cell.strip() if named else "") or f"column {place}" for place, cell in enumerate(first, 1)]
    chosen = choose(names)
    wanted = sorted({*chosen[0], *chosen[1]})
    growing = {place: _Growing(names[place]) for place in wanted}
    if not named:
        block.insert(0, first)
    read = 0
    while block:
        if set(map(len, block)) != {width}:
            _tell_ragged(stream, where, separator, width)
        columns = list(zip(*block, strict=True))
        for place in wanted:
            cell = growing[place].add(columns[place])
            if cell is not None:
                _tell_cell(stream, where, separator, (place, growing[place].name), cell, after=read, header=named)
        read += len(block)
        if read * len(wanted) > MOST_NUMBERS:
            raise InputError(f"{where}: over {MOST_NUMBERS:,} cells in the chosen columns; choose fewer columns or keep fewer rows")
        block = list(itertools.islice(rows, max(1, BLOCK_CELLS // width)))
    if read == 0:
        raise InputError(f"{where}: has a header and no rows")
    done = {place: growing.pop(place).done() for place in wanted}
    return [done[place] for place in chosen[0]], [done[place] for place in chosen[1]]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Rows are lists of strings, which make no cycles: a collector that walks them again and again doubles the time for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rows(
    stream: BinaryIO, where: str, separator: str, progress: Progress | None = None, at: list[int] | None = None
) -> Iterator[list[str]]:
    """The rows that are not blank. at: a list whose first entry follows the number of the line where the row ends."""
    reader = csv.reader(
        itertools.chain.from_iterable(map(_lines, _blocks(stream, where, progress))),
        delimiter=separator,
        strict=True,
        skipinitialspace=True,
    )
    try:
        if at is None:
            yield from filter(None, reader)
            return
        for row in reader:
            at[0] = reader.line_num
            if row:
                yield row
    except csv.Error as error:
        raise InputError(
            f"{where}, line {reader.line_num}: {error}; takes fields with {_name(separator)} between them, quotes in pairs"
        ) from None


def _lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline="")


def _blocks(stream: BinaryIO, where: str, progress: Progress | None) -> Iterator[str]:
    """Decoded text that ends with whole lines, about BLOCK_BYTES at a time."""
    total = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    rest, lines = b"", 0
    while True:
        raw = stream.read(BLOCK_BYTES)
        if progress is not None:
            progress(stream.tell(), total)
        cut = raw.rfind(b"\n") + 1 if raw else 0
        if raw and not cut:
            rest += raw
            if len(rest) > 2 * BLOCK_BYTES:
                raise InputError(f"{where}, line {lines + 1}: longer than {2 * BLOCK_BYTES:,} bytes; takes one row a line")
            continue
        whole, rest = (rest + raw[:cut], raw[cut:]) if raw else (rest, b"")
        if lines == 0 and whole:
            whole = whole.removeprefix(b"\xef\xbb\xbf")
        try:
            yield whole.decode("utf-8")
        except UnicodeDecodeError as error:
            mark = next((f" (it looks like {name})" for start, name in _BYTE_ORDER_MARKS if lines == 0 and whole.startswith(start)), "")
            line = lines + whole.count(b"\n", 0, error.start) + 1
            raise InputError(f"{where}, line {line}: byte 0x{whole[error.start]:02x} is not UTF-8{mark}; save the table as UTF-8") from None
        lines += whole.count(b"\n")
        if not raw:
            return


def _is_header(first: Sequence[str], block: Sequence[Sequence[str]]) -> bool:
    """Names, unless one is a number. Above text alone they also differ from each other, and one does not come again below."""
    if any(_number(cell) is not None for cell in first):
        return False
    columns = [{row[place] for row in block if place < len(row)} for place in range(len(first))]
    if any(below and all(_number(cell) is not None for cell in below) for below in columns):
        return True
    return len(set(first)) == len(first) and any(cell not in below for cell, below in zip(first, columns, strict=True))


def _number(cell: str) -> float | None:
    """The number a cell holds, NaN and infinity included; None for text. Python's 1_000 is text here."""
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _absent(cell: str) -> bool:
    number = _number(cell)
    return not cell.strip() or (number is not None and not math.isfinite(number))


def _only_column(first: Sequence[str], where: str, separator: str) -> None:
    """One column where another separator stands in it: the wrong kind of table."""
    if len(first) > 1:
        return
    other = next((mark for mark in (",", "\t", ";") if mark != separator and mark in first[0]), None)
    found = f"the first line has {_name(other)} in it, where {_name(separator)} are taken" if other else "the first line has one column"
    raise InputError(f"{where}: {found}; takes at least two columns (.csv: commas, .tsv: tabs)")


def _name(separator: str) -> str:
    return {",": "commas", "\t": "tabs", ";": "semicolons"}[separator]


def _tell_ragged(stream: BinaryIO, where: str, separator: str, width: int) -> None:
    """Reads again up to the first row of another width, to name its line."""
    at = [0]
    for row in _rows(stream, where, separator, at=at):
        if len(row) != width:
            raise InputError(f"{where}, line {at[0]}: {len(row)} fields, the first line has {width}; takes as many in every line")


def _tell_cell(stream: BinaryIO, where: str, separator: str, column: tuple[int, str], cell: str, *, after: int, header: bool) -> None:
    """Reads again up to the row that holds the cell, to name its line."""
    at = [0]
    for number, row in enumerate(_rows(stream, where, separator, at=at), -1 if header else 0):
        if row[column[0]] == cell and number >= (after if _absent(cell) else 0):
            break
    place = f"{where}, line {at[0]}, column {shown(column[1])}"
    if not cell.strip():
        raise InputError(f"{place}: is empty; takes a symbol or a finite number in every row")
    if _absent(cell):
        raise InputError(f"{place}: got {shown(cell)}, takes symbols or finite numbers")
    takes = f"takes numbers alone, or at most {MOST_SYMBOLS:,} symbols"
    if separated([cell]):
        takes = "takes numbers without separators and with a decimal point"
    raise InputError(f"{place}: got {shown(cell)!r} in a column of over {MOST_SYMBOLS:,} distinct cells; {takes}")
