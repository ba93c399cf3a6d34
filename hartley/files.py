"""Files: the one place that opens what somebody else may have made, and the one that puts results down.

Read are regular files alone, of a size that is looked at first; a pipe or a device is never waited for. Inside a root, such as a run
folder, no link is followed: what it holds must lie in it. A path that a user types may be a link, and so may the files of a model
folder, since model caches are made of links; they must lead to regular files.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from hartley.errors import InputError

TEMPORARY = ".part-"
"""How the name of an unfinished file starts; such files are nobody's and may be deleted."""
_UNFINISHED = re.compile(r"\.part-[a-z0-9_]{8}")
_UMASK = os.umask(0o077)
os.umask(_UMASK)
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class MissingError(InputError):
    """There is no such file."""


def opened(path: Path, *, root: Path | None = None) -> IO[bytes]:
    """A regular file, open for reading. root: a folder that the path must lie in, without any link below it.

    Raises MissingError where there is none, InputError for anything but a regular file, and when it cannot be opened.
    """
    try:
        descriptor = _open(path, root)
    except FileNotFoundError:
        raise MissingError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        why = "is a link, or stands behind one" if _is_link(error) else f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise InputError(f"{path}: {why}; a regular file{'' if root is None else f' inside {root}'} is accepted") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError(f"{path}: is no regular file; folders, links, pipes and devices are not accepted")
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise


def read(path: Path, most: int, *, root: Path | None = None) -> bytes:
    """All of a file of up to `most` bytes. Raises as `opened` does, and InputError for a larger one, also one that grows."""
    with opened(path, root=root) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise InputError(f"{path}: holds {size:,} bytes; up to {most:,} are accepted")
        try:
            content = file.read(size + 1)  # as much as there is, and what shows that it grows
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > size:
        raise InputError(f"{path}: grows while it is read; try again when nobody writes to it")
    return content


def text(content: bytes, where: object) -> str:
    """UTF-8, or UTF-16 with its mark; a mark of either is left out. Raises InputError for anything else."""
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def parsed_json(content: bytes | str, where: object) -> Any:
    """JSON without NaN and infinities. Raises InputError for anything else, for numbers of thousands of digits, and for what is nested
    too deeply."""
    try:
        return json.loads(content if isinstance(content, str) else text(content, where), parse_constant=_no_constant)
    except RecursionError:
        raise InputError(f"{where}: is not valid JSON (nested too deeply)") from None
    except ValueError as error:
        raise InputError(f"{where}: is not valid JSON ({str(error).splitlines()[0][:120]})") from None


def parsed_toml(content: bytes | str, where: object) -> dict[str, Any]:
    """TOML. Raises InputError for anything else, and for what is nested too deeply."""
    try:
        return tomllib.loads(content if isinstance(content, str) else text(content, where))
    except RecursionError:
        raise InputError(f"{where}: not TOML (nested too deeply)") from None
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise InputError(f"{where}: not TOML ({str(error).splitlines()[0][:160]})") from None


def unpacked_size(file: IO[bytes]) -> int:
    """The bytes that a zip archive says its members hold together. Raises BadZipFile for what is none."""
    with zipfile.ZipFile(file) as archive:
        total = sum(info.file_size for info in archive.infolist())
    file.seek(0)
    return total


def write(path: Path, content: bytes) -> None:
    """Puts `content` at `path`, so that a reader sees the old file or the new one, also after a crash: written beside it, flushed,
    renamed, and the folder flushed. Readable by whom the umask lets read. Raises OSError, and then the old file is untouched.

    What stands there must be a regular file: a link, a pipe or a device is not replaced.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if not stat.S_ISREG(mode):
            what = "is a folder" if stat.S_ISDIR(mode) else "is a link" if stat.S_ISLNK(mode) else "is no regular file"
            raise OSError(0, f"what stands there {what}, and only a regular file is replaced")
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_UMASK)
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # gone already when the rename succeeded


def sync_folder(folder: Path) -> None:
    """Flushes a folder's names. Some file systems cannot; that is no error."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unfinished(folder: Path) -> Iterator[Path]:
    """Files in a folder that a killed process left unfinished: regular, and of a name that `write` gives."""
    with contextlib.suppress(OSError):
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if _UNFINISHED.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _open(path: Path, root: Path | None) -> int:
    if root is None:
        return os.open(path, _FLAGS)
    *folders, name = path.relative_to(root).parts
    if any(part in ("..", ".", "") for part in (*folders, name)):
        raise ValueError("leads out of the folder")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _is_link(error: Exception) -> bool:
    import errno

    return isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENOTDIR)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
