"""The reference listener that ships with the package: the reference encoder's ear, a linear bridge, and a small LLaMA."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from hartley.errors import InputError

if TYPE_CHECKING:
    from hartley.targets.spoken import SpokenListener

NAME = "reference:listener"
FOLDER = Path(__file__).parent.parent / "weights" / "listener"


def load(folder: Path = FOLDER) -> SpokenListener:
    """The listener in `folder` (the shipped one by default), in float32 on the CPU, with the shipped encoder as its ear.

    Raises InputError when one of the two is not there.
    """
    from hartley.targets.clip import folder_fingerprint
    from hartley.targets.reference import encoder
    from hartley.targets.reference.listener.folder import read_weights
    from hartley.targets.spoken import PLAIN, SpokenListener

    if not (folder / "model.safetensors").is_file():
        retrain = "python -m hartley.training listener"
        raise InputError(f"no reference listener in {folder}: model.safetensors is missing; {retrain} makes one")
    ear = encoder.load()
    bridge, language, tokenizer = read_weights(folder)
    both = f"{ear.fingerprint} {folder_fingerprint(folder)}"
    return SpokenListener(
        name=NAME,
        encoder=ear,
        bridge=bridge,
        language=language,
        tokenizer=tokenizer,
        layout=PLAIN,
        fingerprint=hashlib.sha256(both.encode()).hexdigest(),
    )
