"""Writing a file so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from hartley.errors import InputError

TEMPORARY = ".part-"
"""How the name of an unfinished file starts; such files are nobody's and may be deleted."""

_REASONS = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EEXIST: "there is a file of that name, not a folder",
    errno.ENAMETOOLONG: "the name is too long",
}


def unwritable(path: Path, error: OSError) -> InputError:
    """The one line for an operating system's refusal to write `path`."""
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return InputError(f"cannot write {path}: {reason}; what was finished before is kept")


def write(path: Path, content: bytes) -> None:
    """Puts `content` at `path`: a temporary file beside it, flushed to disk, then renamed over it.

    Raises InputError when the operating system refuses; the old file, if there was one, is then untouched.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # gone already when the rename succeeded


def make_folder(path: Path) -> None:
    """Raises InputError when it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None


def sweep(folder: Path) -> None:
    """Deletes unfinished files that a killed process left in `folder`."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)
