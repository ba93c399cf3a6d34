"""Resolve: from the names in a plan to a loaded target and its data. Imports nothing heavy until it loads."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hartley.errors import InputError, unknown

if TYPE_CHECKING:
    from hartley.data.pairs import Data
    from hartley.targets.protocols import Encoder

TARGETS = ("reference:encoder", "hf:PATH")
REFERENCE_DATA = "reference"


@dataclass(frozen=True)
class Loaded:
    """A target and the data it is measured on, ready to use."""

    target: Encoder
    data: Data


def check_target(name: str) -> None:
    """Raises InputError, with the nearest names, for a target string of no known form or a folder that is not there."""
    if name == "reference:encoder":
        return
    if not name.startswith("hf:"):
        hint = "; a local model folder is named as hf:PATH" if Path(name).exists() else ""
        raise InputError(f"{unknown('target', name, TARGETS)}{hint}")
    folder = Path(name.removeprefix("hf:"))
    if name == "hf:" or not folder.is_dir():
        raise InputError(
            f"target {name!r}: {'there is a file' if folder.is_file() else 'no such folder'}; hf:PATH takes a local model folder"
        )


def check_data(name: str) -> None:
    """Raises InputError, with the nearest names, for data that is neither "reference" nor a folder that exists."""
    path = Path(name)
    if name == REFERENCE_DATA or path.is_dir():
        return
    if path.is_file():
        raise InputError(f"data {name!r} is a file; it takes {REFERENCE_DATA!r} or a folder with metadata.csv or metadata.jsonl")
    try:
        beside = [str(path.with_name(entry.name)) for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        beside = []
    near = difflib.get_close_matches(name, [REFERENCE_DATA, *beside], n=3, cutoff=0.6)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise InputError(f"data {name!r}: no such folder; it takes {REFERENCE_DATA!r} or a folder with metadata.csv or metadata.jsonl{hint}")


def load(target: str, data: str) -> Loaded:
    """Loads both. Raises InputError for whatever the user can mend."""
    check_target(target)
    check_data(data)
    encoder = load_target(target)
    return Loaded(encoder, load_data(data, encoder))


def load_target(name: str) -> Encoder:
    """Raises InputError for an unknown name or a folder that holds no usable model."""
    check_target(name)
    if name == "reference:encoder":
        from hartley.targets.reference import encoder

        reference: Encoder = encoder.load()
        return reference
    from hartley.targets import huggingface

    return huggingface.load(Path(name.removeprefix("hf:")))


def load_data(name: str, target: Encoder) -> Data:
    """Raises InputError for an unknown name or a folder that holds no usable pairs."""
    check_data(name)
    if name == REFERENCE_DATA:
        from hartley.targets.reference import ReferenceData

        scenes: Data = ReferenceData()
        return scenes
    from hartley.data.folder import FolderData

    pairs: Data = FolderData(Path(name), image_size=target.image_size, sample_rate=target.sample_rate)
    return pairs
