"""Resolve: from the names in a plan to a loaded target and its data. Imports nothing heavy until it loads."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hartley.errors import InputError, unknown
from hartley.targets.registry import NAMED

if TYPE_CHECKING:
    from hartley.data.folder import FolderData
    from hartley.data.pairs import Data
    from hartley.targets.clip import ClipEncoder
    from hartley.targets.protocols import Encoder
    from hartley.targets.system import System

REFERENCE_TARGET = "reference:encoder"
TARGETS = (REFERENCE_TARGET, "hf:PATH")
REFERENCE_DATA = "reference"


@dataclass(frozen=True)
class Loaded:
    """What a run measures, ready to use.

    target, data   an encoder and what it is measured on; None where there is no encoder.
    notes          plain sentences that a reader of the numbers should know.
    system         what the system-level threats run against; None where the target is a model alone.
    """

    target: Encoder | None
    data: Data | None
    notes: tuple[str, ...] = ()
    system: System | None = None


def check_target(name: str) -> None:
    """Raises InputError, with the nearest names, for a target that a scan does not take, or a folder that is not there."""
    if name == REFERENCE_TARGET:
        return
    if name in NAMED:
        raise InputError(f"target {name!r} is no encoder of pictures and text; a scan takes {' or '.join(TARGETS)} so far")
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


def load(target: str, data: str, checked: bool = False) -> Loaded:
    """Loads both. `checked`: another process has looked into every file of the data already.

    Raises InputError for whatever the user can mend.
    """
    check_target(target)
    check_data(data)
    if target == REFERENCE_TARGET:
        from hartley.targets.reference import encoder as reference

        encoder: ClipEncoder = reference.load()
        squash, mode = False, "bicubic"
        notes: tuple[str, ...] = ()
    else:
        from hartley.targets import huggingface

        found = huggingface.load(Path(target.removeprefix("hf:")))
        encoder, squash, mode, notes = found, found.preprocess.squash, found.preprocess.mode, found.notes
    if data == REFERENCE_DATA:
        return Loaded(encoder, _reference_data(encoder), notes)
    pairs = _folder_data(Path(data), encoder, squash, mode, not checked)
    return Loaded(encoder, pairs, (*notes, *pairs.notes))


def _reference_data(encoder: ClipEncoder) -> Data:
    import torch

    from hartley.targets.reference.data import ReferenceData

    scenes = ReferenceData()
    size = tuple(scenes.draw(1, torch.Generator().manual_seed(0)).images.shape[-2:])
    if encoder.image_size not in (None, size):
        raise InputError(
            f"data {REFERENCE_DATA!r} has pictures of {size[0]} x {size[1]} pixels, and target {encoder.name} takes "
            f"{encoder.image_size}; name a folder of captioned pictures as data"
        )
    return scenes


def _folder_data(folder: Path, encoder: ClipEncoder, squash: bool, mode: str, validate: bool) -> FolderData:
    from hartley.data.folder import FolderData

    if encoder.image_size is None:
        raise InputError(f"target {encoder.name} names no picture size, so the pictures in {folder} cannot be brought to it")
    ear = encoder.module.audio
    seconds = 3.0 if ear is None else ear.front.samples / ear.sample_rate
    return FolderData(
        folder, encoder.image_size, squash=squash, mode=mode, sample_rate=encoder.sample_rate, seconds=seconds, validate=validate
    )
