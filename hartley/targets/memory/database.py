"""The database of a store: its tables, and the checks that it is one of ours before anything in it is believed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hartley import files
from hartley.errors import InputError
from hartley.targets.memory.faults import damaged

DATABASE = "entries.sqlite"
FORMAT = 2
"""1: the sum did not hold the dimension and the embedder; such a memory is still read and written."""
MARK = 0x48544C59
"""SQLite's application id: the letters HTLY."""
_JOURNAL = bytes.fromhex("d9d505f920a163d7")
"""How a journal of SQLite begins, and how one ends that names a file of several databases."""
SECONDS_TO_WAIT = 10.0
MODULUS = 2**256
LARGEST_DIMENSION = 65_536
_TABLES = (
    "CREATE TABLE description (dimension INTEGER NOT NULL, embedder TEXT NOT NULL, sum TEXT NOT NULL)",
    "CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, row INTEGER NOT NULL UNIQUE, text TEXT NOT NULL, picture BLOB, "
    "source TEXT NOT NULL, trusted INTEGER NOT NULL, readers TEXT, metadata TEXT NOT NULL, digest BLOB NOT NULL)",
)


@dataclass(frozen=True)
class Description:
    """What all vectors of a store share. dimension None and embedder "" say: whatever is there."""

    dimension: int | None
    embedder: str


def connect(folder: Path | None, own: str) -> sqlite3.Connection:
    """The open database in `folder`, made if need be, or one in memory. `own`: the file that may lie beside it from the start.

    Raises OSError and sqlite3.Error as they come; InputError for a folder that holds other things and no memory.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_foreign(folder, (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", own))
        ours = {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", own}
        if not (folder / DATABASE).exists() and (others := sorted(path.name for path in folder.iterdir() if path.name not in ours)):
            raise InputError(f"{folder}: holds {others[0]!r} and no memory; a new or empty folder, or a memory's, is accepted")
    base = sqlite3.connect(":memory:" if folder is None else folder / DATABASE, timeout=SECONDS_TO_WAIT, isolation_level=None)
    try:
        # A database that somebody else made is data: nothing in its schema may run.
        base.execute("PRAGMA trusted_schema = OFF")
        base.execute("PRAGMA cell_size_check = ON")
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
    except BaseException:
        base.close()
        raise
    return base


def refuse_foreign(folder: Path, changed: tuple[str, ...]) -> None:
    """Raises InputError where a memory's folder holds a link, a pipe or a device, which an index beside it might be read from or written
    to; and for what is changed in place, where it is no file or has another name elsewhere."""
    for entry in os.scandir(folder):
        found = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) and (entry.name in changed or not stat.S_ISDIR(found.st_mode)):
            raise InputError(f"{entry.path}: is a link or no regular file; a memory's own files are accepted")
        if entry.name in changed and found.st_nlink > 1:
            raise InputError(f"{entry.path}: {files.HARD_LINK}")
    with contextlib.suppress(files.MissingError), files.opened(folder / f"{DATABASE}-journal", root=folder) as journal:
        # SQLite deletes the file that such a journal names, wherever it lies. Ours name none.
        journal.seek(max(0, os.fstat(journal.fileno()).st_size - len(_JOURNAL)))
        if journal.read() == _JOURNAL:
            raise InputError(f"{folder / DATABASE}-journal: names another file, and no journal of ours does; remove it")


def describe(base: sqlite3.Connection, where: str, wanted: Description) -> Description:
    """What the store holds; a new one is set up as wanted.

    Raises InputError when it is not ours, or not as wanted, or new without a dimension.
    """
    if _is_empty(base):
        base.execute("BEGIN IMMEDIATE")
        try:
            if _is_empty(base):  # nobody was faster
                _set_up(base, where, wanted)
            base.execute("COMMIT")
        except BaseException:
            if base.in_transaction:
                base.execute("ROLLBACK")
            raise
    _check_ours(base, where)
    rows = base.execute("SELECT dimension, embedder FROM description").fetchall()
    if len(rows) != 1 or not isinstance(rows[0][0], int) or not 1 <= rows[0][0] <= LARGEST_DIMENSION:
        raise damaged(where, "its description cannot be read")
    found = Description(*rows[0])
    if wanted.dimension not in (None, found.dimension):
        raise InputError(f"{where}: holds vectors of dimension {found.dimension}, not {wanted.dimension}; open it with its own embedder")
    if wanted.embedder and found.embedder and wanted.embedder != found.embedder:
        raise InputError(
            f"{where}: was written with another embedder ({found.embedder[:12]}, not {wanted.embedder[:12]}), whose vectors do not "
            "compare; open it with that one, or write a new memory"
        )
    return found


def _is_empty(base: sqlite3.Connection) -> bool:
    return not base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _set_up(base: sqlite3.Connection, where: str, wanted: Description) -> None:
    if wanted.dimension is None:
        raise InputError(f"{where}: holds no memory yet; a new one needs the dimension of its vectors")
    if not 1 <= wanted.dimension <= LARGEST_DIMENSION:
        raise InputError(f"{where}: vectors of dimension {wanted.dimension}; 1 to {LARGEST_DIMENSION:,} are accepted")
    for table in _TABLES:
        base.execute(table)
    base.execute(f"PRAGMA application_id = {MARK}")
    base.execute(f"PRAGMA user_version = {FORMAT}")
    base.execute(
        "INSERT INTO description VALUES (?, ?, ?)",
        (wanted.dimension, wanted.embedder, f"{_start(base, wanted.dimension, wanted.embedder):064x}"),
    )


def _check_ours(base: sqlite3.Connection, where: str) -> None:
    if base.execute("PRAGMA application_id").fetchone()[0] != MARK:
        raise damaged(where, "another program's database")
    if (version := base.execute("PRAGMA user_version").fetchone()[0]) not in (1, FORMAT):
        raise InputError(f"{where}: was written in format {version}; this version of hartley reads formats 1 to {FORMAT}")
    made = {sql for (sql,) in base.execute("SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    if made != set(_TABLES):
        raise damaged(where, "its tables are not as they were made")


def counted(digests: Iterable[bytes]) -> int:
    """The sum of the digests, which no order of writing changes."""
    return sum(int.from_bytes(one, "big") for one in digests) % MODULUS


def total(base: sqlite3.Connection, digests: Iterable[bytes], sign: int) -> int:
    """The sum over all entries after adding (sign 1) or taking away (-1) those digests; written where it changes."""
    dimension, embedder, written = base.execute("SELECT dimension, embedder, sum FROM description").fetchone()
    start, change = _start(base, dimension, embedder), sign * counted(digests)
    if change:
        base.execute("UPDATE description SET sum = ?", (f"{(int(written, 16) + change) % MODULUS:064x}",))
    return (int(written, 16) - start + change) % MODULUS


def _start(base: sqlite3.Connection, dimension: int, embedder: str) -> int:
    """What a memory's sum begins with, so that it also stands for what all entries share."""
    if base.execute("PRAGMA user_version").fetchone()[0] == 1:
        return 0
    return int.from_bytes(hashlib.sha256(f"{dimension} {embedder}".encode()).digest(), "big")
