"""The reference recognizer that ships with the package: a small Whisper that hears the family's phrases and spoken requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hartley.errors import InputError

if TYPE_CHECKING:
    from hartley.targets.whisper import WhisperRecognizer

NAME = "reference:recognizer"
FOLDER = Path(__file__).parent.parent / "weights" / "recognizer"


def load(folder: Path = FOLDER) -> WhisperRecognizer:
    """The recognizer in `folder` (the shipped one by default), in float32 on the CPU. Raises InputError when it is not there."""
    from hartley.targets.clip import folder_fingerprint
    from hartley.targets.whisper import load_whisper_folder

    if not (folder / "model.safetensors").is_file():
        retrain = "python -m hartley.training recognizer"
        raise InputError(f"no reference recognizer in {folder}: model.safetensors is missing; {retrain} makes one")
    return load_whisper_folder(folder, name=NAME, fingerprint=folder_fingerprint)
