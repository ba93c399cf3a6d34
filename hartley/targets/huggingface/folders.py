"""Any local model folder as a target: what its own config.json or model_index.json says decides which loader takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hartley.errors import InputError, unknown
from hartley.targets.checkpoint import existing_folder, read_json
from hartley.targets.huggingface import blip, blip2, clap, clip, idefics, llama, llava, qwen2_audio, stable_diffusion, whisper

if TYPE_CHECKING:
    from hartley.targets.protocols import Target

LOADERS: dict[str, Callable[[Path], Target]] = {
    "clip": clip.load,
    "blip": blip.load,
    "blip-2": blip2.load,
    "idefics": idefics.load,
    "llava": llava.load,
    "clap": clap.load,
    "whisper": whisper.load,
    "qwen2_audio": qwen2_audio.load,
    "llama": llama.load,
}
"""By the model_type in config.json."""


def load_folder(path: str | Path) -> Target:
    """The model in a local folder. Raises InputError, in one line, for what is not accepted, naming what is."""
    folder = Path(path)
    if (folder / stable_diffusion.INDEX).is_file():
        return stable_diffusion.load(folder)
    kind = read_json(existing_folder(folder, "transformers or diffusers") / "config.json").get("model_type")
    if not isinstance(kind, str):
        raise InputError(f"{folder / 'config.json'}: has no model_type; accepted: {', '.join(LOADERS)}, or a {stable_diffusion.INDEX}")
    if kind not in LOADERS:
        near = str(unknown("model type", kind, LOADERS)).partition("; ")[2]
        raise InputError(
            f"{folder / 'config.json'}: has the model type {kind!r}; accepted: {', '.join(LOADERS)}, or a {stable_diffusion.INDEX} ({near})"
        )
    return LOADERS[kind](folder)
