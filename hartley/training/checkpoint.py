"""Checkpoints of a training stage as one safetensors file: weights, AdamW's state and the step. No pickle.

Every batch is drawn from a generator that the seed, the stage and the step decide, so no random state needs keeping, and
a resumed training ends with the very weights of an uninterrupted one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from hartley.errors import InputError

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class Progress:
    """Steps done, and the processor seconds that they took."""

    step: int
    seconds: float


def save_checkpoint(path: Path, module: nn.Module, optimizer: torch.optim.AdamW, recipe: dict[str, object], at: Progress) -> None:
    """Write all of it to `path`, atomically: a kill leaves the previous checkpoint or the new one."""
    # A copy each: tied weights share their memory, which safetensors refuses.
    tensors = {f"weight/{name}": value.detach().clone(memory_format=torch.contiguous_format) for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        for moment in MOMENTS:
            if moment in optimizer.state.get(parameter, {}):
                tensors[f"{moment}/{name}"] = optimizer.state[parameter][moment].detach().contiguous()
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"step": str(at.step), "seconds": repr(at.seconds), "recipe": json.dumps(recipe, sort_keys=True)})
    os.replace(partial, path)


def load_checkpoint(path: Path, module: nn.Module, optimizer: torch.optim.AdamW, recipe: dict[str, object]) -> Progress:
    """Put the state in `path` into module and optimizer and return how far it got; step 0 when there is no such file.

    Raises InputError when the file belongs to a training with another recipe.
    """
    if not path.exists():
        return Progress(0, 0.0)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if json.loads(metadata.get("recipe", "null")) != json.loads(json.dumps(recipe)):
            raise InputError(
                f"{path} belongs to a training with other settings ({metadata.get('recipe')}); remove it or choose another --out"
            )
        held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    module.load_state_dict({key.removeprefix("weight/"): value for key, value in held.items() if key.startswith("weight/")})
    for name, parameter in module.named_parameters():
        state = {moment: held[f"{moment}/{name}"] for moment in MOMENTS if f"{moment}/{name}" in held}
        if state:
            optimizer.state[parameter] = state
    return Progress(int(metadata["step"]), float(metadata["seconds"]))
