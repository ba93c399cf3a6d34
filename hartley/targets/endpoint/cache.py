"""Cache: answers that were paid for once, one JSON file each, found again by a hash of the whole request."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from hartley import files
from hartley.errors import InputError
from hartley.targets.conversation import Json

FORMAT = 1
MOST_BYTES = 2**26
_OLD_SECONDS = 3600.0


def digest(value: Json | Mapping[str, Json]) -> str:
    """A hash of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(_canonical(value)).hexdigest()


class Cache:
    """The answers in a folder, which many processes may share. No secret is in it: what comes in has been cleaned.

    An entry is whole or not there, also after kill -9 in the middle of a write. One that was damaged since is not used,
    its file's name is put into `damaged`, and the next answer takes its place.
    Raises InputError when the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from None
        _sweep(folder)

    def get(self, request: str) -> dict[str, Json] | None:
        """The answer to the request of that hash; None where there is none."""
        path = self._path(request)
        try:
            entry = files.parsed_json(files.read(path, MOST_BYTES, root=self.folder), path)
            answer = entry["answer"]
            sound = entry["format"] == FORMAT and entry["request"] == request and entry["sum"] == digest(answer)
        except files.MissingError:
            return None
        except (InputError, ValueError, LookupError, TypeError, RecursionError):
            sound = False
        if sound and isinstance(answer, dict):
            return answer
        self.damaged.append(path.name)
        return None

    def put(self, request: str, answer: Mapping[str, Json]) -> None:
        """Keeps an answer. Raises InputError when the disk does not take it."""
        entry: dict[str, Json] = {"format": FORMAT, "request": request, "sum": digest(answer), "answer": dict(answer)}
        path = self._path(request)
        try:
            path.parent.mkdir(exist_ok=True)
            files.write(path, json.dumps(entry, ensure_ascii=False, allow_nan=False).encode(), root=self.folder)
        except OSError as error:
            raise _unwritable(path, error) from None

    def _path(self, request: str) -> Path:
        return self.folder / request[:2] / f"{request}.json"


def _canonical(value: Json | Mapping[str, Json]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _sweep(folder: Path) -> None:
    """Deletes what killed processes left unfinished; a young file may belong to one that is alive."""
    with contextlib.suppress(OSError):
        for inner in list(os.scandir(folder)):
            files.clear(Path(inner.path), files.UNFINISHED, root=folder, older_than=_OLD_SECONDS)


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write the endpoint's cache at {path}: {error.strerror or error}")
