"""The table beside a folder of pictures (metadata.csv or metadata.jsonl), read strictly and as data."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from hartley import files as opening
from hartley.errors import InputError

TABLES = ("metadata.csv", "metadata.jsonl")
COLUMNS = "columns file_name and caption (or text), optional label, prompt, audio, question, answer, options"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
LONGEST_TEXT = 10_000
MOST_ROWS = 500_000
LARGEST_TABLE = 512 * 2**20


@dataclass(frozen=True)
class Row:
    """One line of the table. `where` names the file and line for messages; an optional column that is not filled is None."""

    where: str
    file_name: str
    caption: str
    label: str | None = None
    prompt: str | None = None
    audio: str | None = None
    question: str | None = None
    answer: str | None = None
    options: tuple[str, ...] = ()


def shown(text: str) -> str:
    """A user's string for a message: quoted, on one line, control and direction characters escaped, not too long."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def table_of(folder: Path) -> Path:
    """The folder's table. Raises InputError when the folder or the table is missing, or when there are two tables."""
    if not folder.exists():
        raise InputError(f"{folder}: does not exist; a folder of captioned pictures with {TABLES[0]} or {TABLES[1]} is accepted")
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; a folder of captioned pictures with {TABLES[0]} or {TABLES[1]} is accepted")
    found = [folder / name for name in TABLES if (folder / name).exists()]
    if len(found) == 2:
        raise InputError(f"{folder}: holds both {TABLES[0]} and {TABLES[1]}; one of them is accepted")
    if not found:
        pictures = len(pictures_below(folder))
        held = f"{pictures} pictures without captions" if pictures else "no pictures and no captions"
        raise InputError(f"{folder}: holds {held}; {TABLES[0]} or {TABLES[1]} is needed, with {COLUMNS}")
    return inside(folder, found[0].name, str(folder))


def inside(folder: Path, name: str, where: str) -> Path:
    """The regular file called `name` in `folder`. Raises InputError when it is missing or leads out of the folder."""
    parts = name.replace("\\", "/").split("/")
    if "\0" in name or name.startswith("/") or PureWindowsPath(name).drive or ".." in parts:
        raise InputError(f"{where}: {shown(name)} leads out of the folder; paths inside {folder} are accepted")
    try:
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            raise InputError(f"{where}: {shown(name)} is a link that leads out of the folder; paths inside {folder} are accepted")
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{where}: {shown(name)} is not a file")
    except FileNotFoundError:
        raise InputError(f"{where}: {shown(name)} does not exist in {folder}") from None
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long, no permission
        raise InputError(f"{where}: {shown(name)} cannot be read ({type(error).__name__})") from None
    return path


def pictures_below(folder: Path) -> tuple[str, ...]:
    """Relative names of all picture files in the folder and below, hidden ones left out, sorted; links are not followed."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.relpath(os.path.join(parent, name), folder) for name in files if _is_picture(name)]
    return tuple(sorted(name.replace(os.sep, "/") for name in found))


def _is_picture(name: str) -> bool:
    return name.lower().endswith(PICTURES) and not name.startswith(".")


def read_rows(table: Path) -> tuple[Row, ...]:
    """The rows of a table, in order. Unknown columns are ignored.

    Raises InputError for text that is not UTF-8, a broken line, a missing column, an empty table, an empty or overlong
    caption, or a value of the wrong type, naming file and line.
    """
    text = opening.text(opening.read(table, LARGEST_TABLE, root=table.parent), table)
    records = _csv_records(table, text) if table.suffix == ".csv" else _json_records(table, text)
    rows = []
    for where, record in records:
        rows.append(_row(where, record))
        if len(rows) > MOST_ROWS:
            raise InputError(f"{table}: has more than {MOST_ROWS:,} rows; up to that many are accepted")
    if not rows:
        raise InputError(f"{table}: holds no rows; one row a caption is accepted, with {COLUMNS}")
    return tuple(rows)


def _csv_records(table: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(table, header)
        line = reader.line_num + 1
        for fields in reader:
            where, line = f"{table} line {line}", reader.line_num + 1
            if not any(field.strip() for field in fields):
                continue
            if len(fields) != len(header):
                raise InputError(f"{where}: has {len(fields)} fields, the header has {len(header)}; quote a text that holds commas")
            yield where, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise InputError(f"{table} line {line}: is not valid CSV ({error})") from None


def _check_header(table: Path, header: list[str]) -> None:
    found = ", ".join(shown(name) for name in header[:12]) or "nothing"
    for needed, spellings in (("file_name", ("file_name",)), ("caption", ("caption", "text"))):
        if not any(name in header for name in spellings):
            raise InputError(f"{table}: has no column {needed}; it has {found}; accepted: {COLUMNS}")
    if len(set(header)) != len(header):
        raise InputError(f"{table}: names a column twice; it has {found}")


def _json_records(table: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{table} line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: is not valid JSON ({str(error).splitlines()[0][:80]}); one JSON object a line") from None
        if not isinstance(record, dict):
            raise InputError(f"{where}: holds a {type(record).__name__}; one JSON object a line is accepted")
        yield where, record


def _row(where: str, record: Mapping[str, Any]) -> Row:
    caption = _text(where, record, ("caption", "text"))
    file_name = _text(where, record, ("file_name",))
    if file_name is None:
        raise InputError(f"{where}: a caption without a picture; file_name is needed")
    if caption is None:
        raise InputError(f"{where}: the caption of {shown(file_name)} is empty; a text in the column caption (or text) is needed")
    return Row(
        where=where,
        file_name=file_name,
        caption=caption,
        label=_text(where, record, ("label",), whole_numbers=True),
        prompt=_text(where, record, ("prompt",)),
        audio=_text(where, record, ("audio", "audio_file_name")),
        **_asked(where, record),
    )


def _asked(where: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """The question about a picture, its answer, and the options to choose it from: a list, or in one text with | between them."""
    question, answer = _text(where, record, ("question",)), _text(where, record, ("answer",), whole_numbers=True)
    if (question is None) != (answer is None):
        filled, empty = ("question", "answer") if answer is None else ("answer", "question")
        raise InputError(f"{where}: has the {filled} {shown(question or answer or '')} and no {empty}; both or neither are accepted")
    given = record.get("options")
    if isinstance(given, list):
        if not all(isinstance(option, str) for option in given):
            raise InputError(f"{where}: options holds what is no text; a list of texts is accepted")
        options = tuple(_text(where, {"options": option}, ("options",)) or "" for option in given)
    else:
        options = tuple(part.strip() for part in (_text(where, record, ("options",)) or "").split("|") if part.strip())
    if options and (len(options) < 2 or len(set(options)) != len(options) or "" in options):
        raise InputError(f"{where}: options are {shown(' | '.join(options))}; two or more different texts are accepted")
    if options and answer is None:
        raise InputError(f"{where}: has options and no question; a question with its answer is needed beside them")
    if options and answer not in options:
        raise InputError(f"{where}: the answer {shown(answer or '')} is none of the options {shown(' | '.join(options))}")
    return {"question": question, "answer": answer, "options": options}


def _text(where: str, record: Mapping[str, Any], names: tuple[str, ...], *, whole_numbers: bool = False) -> str | None:
    """The first of the columns that is filled, stripped; None when none is."""
    for name in names:
        value = record.get(name)
        if whole_numbers and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InputError(
                f"{where}: {name} is a {type(value).__name__}; a string is accepted{' (or a whole number)' if whole_numbers else ''}"
            )
        if len(value) > LONGEST_TEXT:
            raise InputError(f"{where}: {name} has {len(value):,} characters; up to {LONGEST_TEXT:,} are accepted")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise InputError(f"{where}: {name} holds half of a surrogate pair, which is no character; plain Unicode text is accepted")
        if value.strip():
            return value.strip()
    return None
