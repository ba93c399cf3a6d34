"""The store of a memory: entries in SQLite, their vectors in a mapped file beside it; or both in memory.

A write puts the vectors on disk first and then commits the entries that point to them in one transaction, so that a killed
process loses no committed entry and leaves none half-written: rows of vectors that no entry counts are nobody's.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.errors import InputError
from hartley.targets.memory.database import DATABASE, Description, connect, counted, describe, total
from hartley.targets.memory.entry import Entry, digest, from_columns, to_columns
from hartley.targets.memory.faults import damaged, sound, told
from hartley.targets.memory.vectors import InMemory, OnDisk, Vectors, checked

VECTORS = "vectors.f32"
CHUNK = 4096
_COLUMNS = "text, picture, source, trusted, readers, metadata"
_INSERT = "INSERT INTO entries (id, row, text, picture, source, trusted, readers, metadata, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Store:
    """Entries with one vector each. Use `with`, or call `close`.

    folder     where it lies, made if need be; None: in memory, gone at the end.
    dimension  d of the vectors; needed for a new store, checked against one that is there.
    embedder   the fingerprint of what makes the vectors; written into a new store, checked against one that is there; "": any.
    verify     every entry and vector is held against its digest, once, when the store is opened. False: `check` does so when asked.

    Texts and pictures stay in the database until they are asked for; vectors are mapped, not read. Raises InputError, in one
    line, when the folder cannot be used, is damaged, or holds a memory of another dimension or embedder.
    """

    def __init__(self, folder: Path | str | None = None, *, dimension: int | None = None, embedder: str = "", verify: bool = True) -> None:
        self.folder = None if folder is None else Path(folder)
        self._ids = np.empty(0, np.int64)
        self.loaded = 0
        """How often the entries were read anew, at first and after another process wrote: an index made before is out of date."""
        self._where = "the memory" if self.folder is None else str(self.folder / DATABASE)
        with told(self._where), sound(self._where):
            self._base = connect(self.folder, own=VECTORS)
        try:
            with told(self._where), sound(self._where):
                self._described = describe(self._base, self._where, Description(dimension, embedder))
                self._vectors = self._opened()
                self._load()
            if verify and self.folder is not None:
                self.check()
        except BaseException:
            self._base.close()
            raise

    def _opened(self) -> Vectors:
        return InMemory(self.dimension) if self.folder is None else OnDisk(self.folder / VECTORS, self.dimension)

    @property
    def dimension(self) -> int:
        """d of the vectors."""
        return self._described.dimension or 0

    @property
    def fingerprint(self) -> str:
        """A hash of all entries, their numbers and vectors; the order in which they were written changes nothing."""
        said = f"memory 1 {self.dimension} {self._described.embedder} {self._sum:064x}"
        return hashlib.sha256(said.encode()).hexdigest()

    def __len__(self) -> int:
        return int((self._ids >= 0).sum())

    @property
    def ids(self) -> NDArray[np.int64]:
        """(rows,) the entry of each row of `vectors`; -1 where an entry was removed."""
        view = self._ids.view()
        view.setflags(write=False)
        return view

    @property
    def vectors(self) -> NDArray[np.float32]:
        """(rows, d) read-only, mapped where there is a folder."""
        return self._vectors.read(len(self._ids))

    def add(self, entries: Sequence[Entry], vectors: ArrayLike) -> NDArray[np.int64]:
        """The ids (n,) of n entries with vectors (n, d), all written or none, durable when this returns.

        Raises InputError for another dimension, a vector that is not finite, an id that is there already, and whatever the
        disk refuses; the store is then as it was before.
        """
        matrix = checked(vectors, self.dimension, "a vector to be stored")
        if len(matrix) != len(entries):
            raise InputError(f"{len(entries)} entries came with {len(matrix)} vectors; one vector an entry is accepted")
        with self._transaction():
            ids = self._numbered(entries)
            rows = self._free_rows(len(entries))
            self._vectors.write(rows, matrix)
            digests = []
            for entry, number, row, vector in zip(entries, ids.tolist(), rows.tolist(), matrix, strict=True):
                columns = to_columns(entry)
                digests.append(digest(number, columns, vector.tobytes()))
                try:
                    self._base.execute(_INSERT, (number, row, *columns, digests[-1]))
                except sqlite3.IntegrityError:
                    raise InputError(f"{self._where}: there is an entry {number} already; another id, or none, is accepted") from None
            summed = total(self._base, digests, 1)
        grown = max(int(rows.max(initial=-1)) + 1, len(self._ids))
        self._ids = np.concatenate([self._ids, np.full(grown - len(self._ids), -1, np.int64)])
        self._ids[rows] = ids
        self._sum, self._current = summed, True
        return ids

    def remove(self, ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Forgets the entries, all or none; their rows are used again. Raises InputError for an id that is not there."""
        wanted = [int(number) for number in ids]
        with self._transaction():
            digests = []
            for number in wanted:
                row = self._base.execute("SELECT digest FROM entries WHERE id = ?", (number,)).fetchone()
                if row is None:
                    raise InputError(f"{self._where}: there is no entry {number} to remove")
                self._base.execute("DELETE FROM entries WHERE id = ?", (number,))
                digests.append(row[0])
            summed = total(self._base, digests, -1)
        self._ids[np.isin(self._ids, wanted)] = -1
        self._sum, self._current = summed, True

    def get(self, ids: Sequence[int] | NDArray[np.int64]) -> list[Entry]:
        """The entries of these ids, in this order, word by word as they were written. Raises InputError for an id that is not there."""
        found = []
        with told(self._where):
            for number in ids:
                row = self._base.execute(f"SELECT {_COLUMNS} FROM entries WHERE id = ?", (int(number),)).fetchone()  # noqa: S608 - a constant
                if row is None:
                    raise InputError(f"{self._where}: there is no entry {int(number)}")
                found.append(self._entry(int(number), row))
        return found

    def chunks(self, size: int = CHUNK) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """(ids, vectors) of all entries in pieces of at most `size`, in the order of their rows."""
        vectors, ids = self.vectors, self._ids.copy()
        for start in range(0, len(ids), size):
            piece = ids[start : start + size]
            kept = piece >= 0
            yield piece[kept], vectors[start : start + size][kept]

    def check(self) -> None:
        """Reads everything once. Raises InputError when a page, an entry or a vector is not what was written."""
        with told(self._where):
            verdict = self._base.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise damaged(self._where, str(verdict))
            vectors, digests = self.vectors, []
            cursor = self._base.execute(f"SELECT id, row, digest, {_COLUMNS} FROM entries")  # noqa: S608 - a constant
            for number, row, written, *columns in cursor:
                if digest(number, tuple(columns), np.ascontiguousarray(vectors[row]).tobytes()) != written:
                    raise damaged(self._where, f"entry {number} or its vector is not what was written")
                digests.append(written)
            if counted(digests) != self._sum:
                raise damaged(self._where, "entries are missing, or its description is not what was written")
            if int(self._ids.max(initial=0)) > self._last():
                raise damaged(self._where, "its count of entries is not what was written")

    def refresh(self) -> bool:
        """Whether another process has written since; what it wrote is then seen here too."""
        with told(self._where):
            if self._current and self._version() == self._seen:
                return False
            self._load()
        return True

    def close(self) -> None:
        """Closes the files. Calling it twice does nothing."""
        self._vectors.close()
        self._base.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with told(self._where):
            self._base.execute("BEGIN IMMEDIATE")
            try:
                if not self._current or self._version() != self._seen:
                    self._load()
                # Whatever interrupts from here on, even after the commit, the rows are then read anew before the next write.
                self._current = False
                yield
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:  # a full disk may have rolled back already
                    self._base.execute("ROLLBACK")
                raise

    def _version(self) -> int:
        return int(self._base.execute("PRAGMA data_version").fetchone()[0])

    def _load(self) -> None:
        """Which entry lies in which row; 16 bytes an entry pass through memory, no text does."""
        self._seen, self._current = self._version(), True
        self.loaded += 1
        self._sum = total(self._base, (), 1)
        numbers = np.fromiter((value for pair in self._base.execute("SELECT id, row FROM entries") for value in pair), np.int64)
        ids, rows = numbers[0::2], numbers[1::2]
        count = int(rows.max(initial=-1)) + 1
        if min(rows.min(initial=0), ids.min(initial=0)) < 0 or count > self._vectors.whole_rows:
            raise damaged(self._where, f"{VECTORS} holds {self._vectors.whole_rows:,} vectors, {count:,} are needed")
        self._ids = np.full(count, -1, np.int64)
        self._ids[rows] = ids

    def _numbered(self, entries: Sequence[Entry]) -> NDArray[np.int64]:
        """The given ids, and the next free ones for entries without."""
        given = [entry.id for entry in entries if entry.id is not None]
        following = max([self._last(), *given]) + 1
        ids = np.empty(len(entries), np.int64)
        for place, entry in enumerate(entries):
            ids[place] = following if entry.id is None else entry.id
            following += entry.id is None
        return ids

    def _last(self) -> int:
        """The largest id that there ever was."""
        found = self._base.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
        return 0 if found is None else int(found[0])

    def _free_rows(self, count: int) -> NDArray[np.int64]:
        free = np.flatnonzero(self._ids < 0)[:count]
        return np.concatenate([free, np.arange(len(self._ids), len(self._ids) + count - len(free))])

    def _entry(self, number: int, row: tuple[object, ...]) -> Entry:
        try:
            return from_columns(number, row)  # type: ignore[arg-type]
        except (InputError, ValueError, TypeError, RecursionError, MemoryError) as error:
            raise damaged(self._where, f"entry {number}: {error}") from None
