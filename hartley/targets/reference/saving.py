"""How the reference family's weights are drawn at first and written at last: fan-in, fp16 safetensors, readable settings."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn


def initialize(module: nn.Module, generator: torch.Generator) -> None:
    """Redraw all weights by fan-in, in place. With transformers' default (std 0.02) towers this small stay on a plateau."""
    for name, part in module.named_modules():
        if isinstance(part, nn.Linear):
            gain = 1.3 if name.rsplit(".", 1)[-1] in {"q_proj", "k_proj"} else 0.8
            _redraw(part.weight, gain / part.in_features**0.5, generator)
        elif isinstance(part, nn.Conv1d | nn.Conv2d):
            _redraw(part.weight, part.weight[0].numel() ** -0.5, generator)
        elif isinstance(part, nn.Embedding) and part.weight.requires_grad:
            _redraw(part.weight, 0.5, generator)
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d) and part.bias is not None:
            nn.init.zeros_(part.bias)
    for name, parameter in module.named_parameters():
        if name.endswith("class_embedding"):
            _redraw(parameter, 0.5, generator)


def _redraw(weight: Tensor, std: float, generator: torch.Generator) -> None:
    with torch.no_grad():
        weight.copy_(torch.randn(weight.shape, generator=generator) * std)


def save_half(module: nn.Module, path: Path, *, skip: tuple[str, ...] = ()) -> None:
    """Write the module's floating-point state as fp16 safetensors, without the tensors named in `skip` (tied ones, say)."""
    state = module.state_dict().items()
    tensors = {name: value.detach().half().contiguous() for name, value in state if value.is_floating_point() and name not in skip}
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)


def write_json(path: Path, value: object) -> None:
    """Write `value` as readable JSON that ends with a line break."""
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
