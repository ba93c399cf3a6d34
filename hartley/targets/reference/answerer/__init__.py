"""The reference answerers that ship with the package: small LLaVAs that see digits, read signs and refuse some requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hartley.errors import InputError

if TYPE_CHECKING:
    from hartley.targets.llava import LlavaAnswerer

NAME = "reference:answerer"
WEIGHTS = Path(__file__).parent.parent / "weights"
FOLDER = WEIGHTS / "answerer"


def load(folder: Path | None = None, *, member: str = "answerer") -> LlavaAnswerer:
    """The answerer in `folder` (the shipped one by default), in float32 on the CPU. Raises InputError when it is not there.

    member: which of the family's answerers it is, "answerer" or "answerer-b".
    """
    folder = WEIGHTS / member if folder is None else folder
    if not (folder / "model.safetensors").is_file():
        retrain = f"python -m hartley.training {member}"
        raise InputError(f"no reference {member} in {folder}: model.safetensors is missing; {retrain} makes one")
    from hartley.targets.reference.answerer.folder import read_folder

    return read_folder(folder, name=f"reference:{member}")
