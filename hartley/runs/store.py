"""Store: the only code that writes to a run folder.

RUN/plan.toml, environment.json, cells/KEY.json, timing/KEY.json, evidence/KEY.CHANNEL.npz, media/HASH.png|wav,
cache/HASH.safetensors, log.txt; and for a target behind a server endpoint/,
which is filled by that server's own cache and ledger. The file under cells/ is written last: a cell counts from then on.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from hartley import files
from hartley.errors import InputError
from hartley.evidence import Evidence
from hartley.runs import atomic
from hartley.runs.context import Context
from hartley.runs.plan import Plan

PLAN = "plan.toml"
ENVIRONMENT = "environment.json"
LOCK = ".lock"
LOG = "log.txt"
ENDPOINT, LEDGER = "endpoint", "spent.json"
CELLS, TIMING, EVIDENCE, MEDIA, CACHE = FOLDERS = ("cells", "timing", "evidence", "media", "cache")


_OWN_LOCK = re.compile(r"[0-9a-f]{32}\.lock")


def refuse_foreign(root: Path) -> None:
    """Raises InputError where anything that a scan would write to, read or clear away is no plain file or folder in the run folder:
    links, pipes, devices, or a file where a folder must be."""
    for name in (*FOLDERS, ENDPOINT):
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR((root / name).lstat().st_mode):
                raise InputError(f"{root / name}: is a link or a file where a run has a folder; nothing was touched")
    for name in (PLAN, ENVIRONMENT, LOCK, LOG):
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG((root / name).lstat().st_mode):
                raise InputError(f"{root / name}: is no regular file (a link, a pipe, a device or a folder); nothing was touched")
    for name in (LOCK, LOG, f"{ENDPOINT}/{LEDGER}"):
        with contextlib.suppress(FileNotFoundError):
            if (root / name).lstat().st_nlink > 1:
                raise InputError(f"{root / name}: {files.HARD_LINK}; nothing was touched")
    for folder in (root / name for name in (*FOLDERS, ENDPOINT)):
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                inner = folder.name == ENDPOINT and entry.is_dir(follow_symlinks=False)
                if not inner and not entry.is_file(follow_symlinks=False):
                    raise InputError(f"{entry.path}: is no regular file (a link, a pipe, a device or a folder); nothing was touched")


def slug(channel: str) -> str:
    """A channel's name as it stands in a file name and in a policy: "image to text" is image-to-text.

    Raises ValueError when nothing is left of it, or more than 64 letters.
    """
    name = re.sub(r"[^a-z0-9_]+", "-", channel.lower()).strip("-")
    if not 1 <= len(name) <= 64:
        raise ValueError(f"channel {channel!r}: needs 1 to 64 letters or digits")
    return name


SEAL = "seal"
"""Where a record says what it was when it was put down: the digest of all else in it."""


PLAN_DIGEST = "plan"
"""Where environment.json says what plan.toml was when it was put down."""


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its seal."""
    return {**record, SEAL: hashlib.sha256(canonical(record)).hexdigest()}


def canonical(record: Mapping[str, Any]) -> bytes:
    """Sorted keys, indent 1, floats by repr, no NaN, a newline at the end: equal records give equal bytes."""
    return (json.dumps(record, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=True) + "\n").encode()


def inspect(root: Path, plan: Plan) -> None:
    """Raises InputError unless `root` is absent, empty, or a run of the same plan. Writes nothing."""
    try:
        if not root.exists():
            near = next((folder for folder in root.absolute().parents if folder.exists()), Path("/"))
            if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
                raise atomic.unwritable(root, OSError(errno.EACCES if near.is_dir() else errno.ENOTDIR, ""))
            return
        if not root.is_dir():
            raise InputError(f"{root}: there is a file of that name; a run needs a folder")
        if not os.access(root, os.W_OK | os.X_OK):
            raise atomic.unwritable(root, OSError(errno.EACCES, ""))
        names = [entry.name for entry in root.iterdir()]
    except OSError as error:
        raise atomic.unwritable(root, error) from None
    if PLAN not in names:
        if all(name == LOCK or files.UNFINISHED.fullmatch(name) for name in names):
            return
        raise InputError(f"{root}: not empty and not a run (it has no {PLAN}); name another folder")
    refuse_foreign(root)
    held = Plan.read(root / PLAN, root=root)
    if different := held.differs(plan):
        raise InputError(f"{root} holds another plan (differs in: {', '.join(different)}); name another folder")


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Holds the folder for one scan; the system lets go of it when the process ends, however it ends.

    Raises InputError when another scan holds it, or when the folder cannot be written.
    """
    atomic.make_folder(root)
    try:
        file = os.fdopen(files.kept(root / LOCK, os.O_WRONLY | os.O_APPEND), "ab")  # the lock lives as long as it is open
    except OSError as error:
        raise atomic.unwritable(root, error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{root}: another scan is writing to this folder; wait for it or name another") from None
        except OSError as error:
            raise atomic.unwritable(root, error) from None
        yield


class Store:
    """One run folder, for writing. Every method raises InputError when the operating system refuses."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def prepare(root: Path, plan: Plan, context: Context) -> Store:
        """Makes the folder, or takes up the one of the same plan; clears away what a killed scan left unfinished.

        Raises InputError as `inspect` does.
        """
        inspect(root, plan)
        store = Store(root)
        atomic.make_folder(root)
        atomic.sweep(root, root=root)
        written = plan.to_toml().encode()
        store._settle(PLAN, written)
        for name in FOLDERS:
            atomic.make_folder(root / name)
            atomic.sweep(root / name, root=root)
        store.unlock()
        circumstances = {**context.environment(), PLAN_DIGEST: hashlib.sha256(written).hexdigest()}
        store._settle(ENVIRONMENT, canonical(sealed(circumstances)))
        return store

    def _settle(self, name: str, content: bytes) -> None:
        path = self.root / name
        with contextlib.suppress(InputError):
            if files.read(path, len(content), root=self.root) == content:
                return
        atomic.write(path, content, root=self.root)

    def unlock(self) -> None:
        """Clears away the cache's lock files. Only while no worker is at work."""
        files.clear(self.root / CACHE, _OWN_LOCK, root=self.root)

    def write_cell(self, result: Mapping[str, Any]) -> None:
        """Puts a cell's result down. The evidence and media that it names must be there already."""
        atomic.write(self.root / CELLS / f"{result['key']}.json", canonical(sealed(result)), root=self.root)

    def write_timing(self, key: str, timing: Mapping[str, Any]) -> None:
        """What a cell took. Not part of its result."""
        atomic.write(self.root / TIMING / f"{key}.json", canonical(sealed(timing)), root=self.root)

    def write_evidence(self, key: str, evidence: Evidence) -> tuple[str, str]:
        """The name inside the run folder, and the digest. Raises ValueError for a channel's name that `slug` refuses."""
        name, content = f"{EVIDENCE}/{key}.{slug(evidence.channel)}.npz", evidence.to_bytes()
        atomic.write(self.root / name, content, root=self.root)
        return name, hashlib.sha256(content).hexdigest()

    def write_media(self, content: bytes, ending: str) -> str:
        """Stores by content; the same content is stored once. Gives the name inside the run folder."""
        name = f"{MEDIA}/{hashlib.sha256(content).hexdigest()[:24]}.{ending}"
        self._settle(name, content)
        return name

    def cache_file(self, name: str) -> Path:
        """Where the cache entry of that name lies."""
        return self.root / CACHE / f"{name}.safetensors"

    def write_cache(self, name: str, content: bytes) -> None:
        atomic.write(self.cache_file(name), content, root=self.root)

    def lock_cache(self, name: str) -> IO[bytes]:
        """The open file whose lock says who computes that entry."""
        try:
            return os.fdopen(files.kept(self.root / CACHE / f"{name}.lock", os.O_WRONLY | os.O_APPEND, root=self.root), "ab")
        except OSError as error:
            raise atomic.unwritable(self.root / CACHE, error) from None

    def endpoint_folder(self) -> Path:
        """Where the answers of a server and what they cost are kept."""
        folder = self.root / ENDPOINT
        atomic.make_folder(folder)
        return folder

    def open_log(self) -> int:
        """A file descriptor that appends to log.txt; the caller closes it."""
        try:
            return files.kept(self.root / LOG, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise atomic.unwritable(self.root / LOG, error) from None

    def log(self, text: str) -> None:
        """Appends to log.txt. A full disk does not matter here: the results say the same more briefly."""
        descriptor = self.open_log()
        try:
            with contextlib.suppress(OSError):
                os.write(descriptor, (text.rstrip("\n") + "\n").encode(errors="backslashreplace"))
        finally:
            os.close(descriptor)
