"""Reads a CSV file of the catalog strictly: every refusal names the file, the row and the column."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from hartley.errors import InputError

ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Ids become file names, so nothing but these."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file. `number` counts as an editor does: the header is row 1."""

    file: str
    number: int
    cells: dict[str, str]

    def text(self, column: str) -> str:
        """The cell, which must not be empty."""
        value = self.cells[column]
        if not value:
            raise self.wrong(column, "a value that is not empty")
        return value

    def one_of(self, column: str, accepted: Collection[str]) -> str:
        """The cell, which must be one of `accepted`."""
        value = self.cells[column]
        if value not in accepted:
            raise self.wrong(column, ", ".join(sorted(accepted)))
        return value

    def some_of(self, column: str, accepted: Collection[str] | None = None, *, empty: bool = False) -> tuple[str, ...]:
        """The cell's parts, separated by semicolons: each different, none empty, each one of `accepted` where that is given."""
        if empty and not self.cells[column]:
            return ()
        parts = tuple(self.cells[column].split(";"))
        if len(set(parts)) != len(parts) or not all(part and part == part.strip() for part in parts):
            raise self.wrong(column, "different values separated by ';' without spaces")
        if accepted is not None and not set(parts) <= set(accepted):
            raise self.wrong(column, f"some of {', '.join(sorted(accepted))}, separated by ';'")
        return parts

    def natural(self, column: str) -> int:
        """The cell as a whole number above zero."""
        value = self.cells[column]
        if not (value.isascii() and value.isdigit() and int(value) > 0):
            raise self.wrong(column, "a whole number above 0")
        return int(value)

    def flag(self, column: str) -> bool:
        """The cell "yes" or "no" as a bool."""
        return self.one_of(column, ("yes", "no")) == "yes"

    def wrong(self, column: str, accepted: str) -> InputError:
        """The error that refuses this row's cell."""
        return InputError(f"{self.file}, row {self.number}, column {column}: got {self.cells[column]!r}; accepted: {accepted}")


def read(folder: Path, file: str, columns: Collection[str], key: str = "id") -> dict[str, Row]:
    """The rows of folder/file by their `key` column, in the file's order.

    Raises InputError for a missing file, bytes that are not UTF-8, other columns than `columns` (order included), a row
    with too few or too many cells, spaces around a cell, an empty key or one that stands twice.
    """
    rows: dict[str, Row] = {}
    for row in _lines(folder / file, list(columns)):
        name = row.text(key)
        if key == "id" and not ID.fullmatch(name):
            raise row.wrong(key, "lower-case letters, digits and hyphens")
        if name in rows:
            raise InputError(f"{file}, row {row.number}, column {key}: {name!r} stands in row {rows[name].number} already")
        rows[name] = row
    return rows


def _lines(path: Path, columns: list[str]) -> Iterator[Row]:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name}: cannot be read as UTF-8 text ({error})") from error
    reader = csv.reader(content.splitlines(), strict=True)
    try:
        header = next(reader, [])
        if header != columns:
            raise InputError(f"{path.name}, row 1: got the columns {', '.join(header)}; accepted: {', '.join(columns)}")
        for values in reader:
            if len(values) != len(columns):
                near = columns[min(len(values), len(columns) - 1)]
                raise InputError(f"{path.name}, row {reader.line_num}, column {near}: got {len(values)} cells; accepted: {len(columns)}")
            row = Row(path.name, reader.line_num, dict(zip(columns, values, strict=True)))
            for column, value in row.cells.items():
                if value != value.strip() or not value.isprintable():
                    raise row.wrong(column, "printable text without spaces around it")
            yield row
    except csv.Error as error:
        raise InputError(f"{path.name}, row {reader.line_num}: {error}") from error
