"""Writing a file so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import errno
from pathlib import Path

from hartley import files
from hartley.errors import InputError
from hartley.files import TEMPORARY

__all__ = ["TEMPORARY", "make_folder", "sweep", "unwritable", "write"]

_REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file or a link, not a folder",
    errno.EEXIST: "there is a file of that name, not a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


def unwritable(path: Path, error: OSError) -> InputError:
    """The one line for an operating system's refusal to write `path`."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return InputError(f"cannot write {path}: {reason}; what was finished before is kept")


def write(path: Path, content: bytes, *, root: Path | None = None) -> None:
    """Puts `content` at `path` as `files.write` does. Raises InputError when the operating system refuses, and for a path at which
    something stands that is no regular file; the old file, if there was one, is then untouched.
    """
    try:
        files.write(path, content, root=root)
    except OSError as error:
        raise unwritable(path, error) from None


def make_folder(path: Path) -> None:
    """Raises InputError when it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def sweep(folder: Path, *, root: Path) -> None:
    """Deletes unfinished files that a killed process left in `folder`, which lies in `root` or is it."""
    files.clear(folder, files.UNFINISHED, root=root)
