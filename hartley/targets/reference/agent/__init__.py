"""The reference agent that ships with the package: a small LLaMA that reads a task, calls tools and reports back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hartley.errors import InputError

if TYPE_CHECKING:
    from hartley.targets.policy import LlamaPolicy

NAME = "reference:agent"
FOLDER = Path(__file__).parent.parent / "weights" / "agent"
RETRAIN = "python -m hartley.training agent"


def load(folder: Path = FOLDER) -> LlamaPolicy:
    """The agent in `folder` (the shipped one by default), in float32 on the CPU. Raises InputError when it is not there."""
    if not (folder / "model.safetensors").is_file():
        raise InputError(f"no reference agent in {folder}: model.safetensors is missing; {RETRAIN} makes one")
    from hartley.targets.policy import load_llama_folder
    from hartley.targets.tool_calls import read_word_calls

    return load_llama_folder(folder, name=NAME, read=read_word_calls)
