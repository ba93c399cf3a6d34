"""What SQLite and the disk refuse, each as one line for the user."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hartley.errors import InputError

_DAMAGED = "is damaged or is no memory of Hartley's; restore it from a copy, or remove it and write the entries again"
_REASONS: Mapping[int, str] = {
    sqlite3.SQLITE_FULL: "cannot be written: no space left on the device; what was written before is kept",
    sqlite3.SQLITE_READONLY: "cannot be written: no permission to write there",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: it or its folder may be neither read nor written here",
    sqlite3.SQLITE_PERM: "cannot be opened: no permission",
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_BUSY: "is being written by another process; try again when it has ended",
    sqlite3.SQLITE_LOCKED: "is being written by another process; try again when it has ended",
    sqlite3.SQLITE_TOOBIG: "cannot take an entry so large",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk or its limits refuse; what was written before is kept",
    sqlite3.SQLITE_NOMEM: "cannot be read: out of memory",
}


def damaged(path: Path | str, how: str) -> InputError:
    """The one line for a file whose content cannot be."""
    return InputError(f"{path}: {_DAMAGED} ({' '.join(how.split())[:160]})")


@contextmanager
def told(path: Path | str) -> Iterator[None]:
    """Turns what SQLite or the operating system refuses about `path` into an InputError of one line."""
    try:
        yield
    except sqlite3.ProgrammingError:  # a closed store, or another thread's: the caller's mistake, not the file's
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        # The low byte is the kind of error, the rest its finer cause.
        reason = _REASONS.get(code & 0xFF, f"cannot be used ({error})")
        raise InputError(f"{path}: {reason}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be used: {error.strerror or error}; what was written before is kept") from None


@contextmanager
def sound(path: Path | str) -> Iterator[None]:
    """While a store is opened: what its bytes make Python stumble over is damage."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, LookupError, RecursionError) as error:
        raise damaged(path, f"{type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}") from None
