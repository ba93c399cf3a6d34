"""The reference encoders that ship with the package: CLIP's towers and an audio tower in one space."""

from __future__ import annotations

from pathlib import Path

from hartley.errors import InputError
from hartley.targets.clip import ClipEncoder, load_clip_folder

NAME = "reference:encoder"
WEIGHTS = Path(__file__).parent.parent / "weights"
FOLDER = WEIGHTS / "encoder"


def load(folder: Path | None = None, *, member: str = "encoder") -> ClipEncoder:
    """The encoder in `folder` (the shipped one by default), in float32 on the CPU. Raises InputError when it is not there.

    member: which of the family's encoders it is, "encoder" or "encoder-b".
    """
    folder = WEIGHTS / member if folder is None else folder
    if not (folder / "model.safetensors").is_file():
        retrain = f"python -m hartley.training {member}"
        raise InputError(f"no reference {member} in {folder}: model.safetensors is missing; {retrain} makes one")
    return load_clip_folder(folder, name=f"reference:{member}")
