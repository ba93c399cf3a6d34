"""Files: the one place that opens what somebody else may have made, and the one that puts results down.

Read are regular files alone, of a size that is looked at first; a pipe or a device is never waited for. Inside a root, such as a run
folder, no link is followed: what it holds must lie in it. A path that a user types may be a link, and so may the files of a model
folder, since model caches are made of links; they must lead to regular files.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import secrets
import stat
import time
import tomllib
import zipfile
from pathlib import Path
from typing import IO, Any

from hartley.errors import InputError

TEMPORARY = ".part-"
"""How the name of an unfinished file starts; such files are nobody's and may be deleted."""
UNFINISHED = re.compile(r"\.part-[a-z0-9_]{8}")
HARD_LINK = "the file has another name (a hard link), and would be changed there too; copy it"
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class MissingError(InputError):
    """There is no such file."""


def opened(path: Path, *, root: Path | None = None) -> io.BufferedReader:
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


def read_named(path: Path, most: int, where: str) -> bytes:
    """`read`, for a file that a table names: what is wrong is told with the place that names it, `where`, and the file's own name."""
    try:
        return read(path, most)
    except InputError as error:
        raise InputError(f"{where}: {path.name} {str(error).removeprefix(f'{path}: ')}") from None


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
        written = content if isinstance(content, str) else text(content, where)
        return json.loads(written, parse_constant=_no_constant, parse_float=_finite)
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


def write(path: Path, content: bytes, *, root: Path | None = None) -> None:
    """Puts `content` at `path`, so that a reader sees the old file or the new one, also after a crash: written beside it, flushed,
    renamed, and the folder flushed. Readable by whom the umask lets read. root: a folder that the path must lie in, without any link
    below it. Raises OSError, and then the old file is untouched.

    What stands there must be a regular file: a link, a pipe or a device is not replaced. Another name of the same file (a hard link)
    keeps the old content.
    """
    folder = _folder(path.parent, root)
    temporary = f"{TEMPORARY}{secrets.token_hex(4)}"
    try:
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode if path.name else stat.S_IFDIR
            if not stat.S_ISREG(mode):
                what = "is a folder" if stat.S_ISDIR(mode) else "is a link" if stat.S_ISLNK(mode) else "is no regular file"
                raise OSError(0, f"what stands there {what}, and only a regular file is replaced")
        try:
            with os.fdopen(_begun(temporary, folder), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            with contextlib.suppress(OSError):  # some file systems cannot flush a folder's names
                os.fsync(folder)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)  # gone already when the rename succeeded
    finally:
        os.close(folder)


def kept(path: Path, flags: int, *, root: Path | None = None) -> int:
    """The descriptor of a file of ours that is written in place, such as a log or a lock; made if need be, as the umask says.

    Raises OSError for a link, for anything but a regular file, and for one that has another name (a hard link): what is written here
    would be written there too.
    """
    folder = _folder(path.parent, root)
    try:
        descriptor = os.open(path.name, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666, dir_fd=folder)
    finally:
        os.close(folder)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise OSError(0, "what stands there is no regular file" if found.st_nlink == 1 else HARD_LINK)
    return descriptor


def clear(folder: Path, names: re.Pattern[str], *, root: Path | None = None, older_than: float = 0.0) -> None:
    """Deletes the regular files in a folder whose whole name fits, and that nobody has changed for so many seconds. What cannot be
    deleted stays. root: as for `write`."""
    with contextlib.suppress(OSError):
        descriptor = _folder(folder, root)
        try:
            for entry in list(os.scandir(descriptor)):
                if names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(OSError):
                        if not older_than or time.time() - entry.stat(follow_symlinks=False).st_mtime > older_than:
                            os.unlink(entry.name, dir_fd=descriptor)
        finally:
            os.close(descriptor)


def _begun(name: str, folder: int) -> int:
    # Made as the umask says, unlike tempfile's, which only the owner may read.
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=folder)


def _open(path: Path, root: Path | None) -> int:
    if root is None:
        return os.open(path, _FLAGS)
    folder = _folder(path.parent, root)
    try:
        if path.name in ("..", ""):
            raise ValueError("leads out of the folder")
        return os.open(path.name, _FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _folder(path: Path, root: Path | None) -> int:
    """The descriptor of a folder. root: one that it must lie in, or be; nothing below that is followed if it is a link."""
    if root is None:
        return os.open(path, _DIRECTORY)
    parts = path.relative_to(root).parts
    if ".." in parts:
        raise ValueError("leads out of the folder")
    folder = os.open(root, _DIRECTORY)
    try:
        for part in parts:
            inner = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
    except BaseException:
        os.close(folder)
        raise
    return folder


def _is_link(error: Exception) -> bool:
    import errno

    return isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENOTDIR)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(written: str) -> float:
    if not math.isfinite(value := float(written)):
        raise ValueError(f"{written[:20]} is too large a number")
    return value
