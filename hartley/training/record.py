"""What a training leaves behind in abilities.json: what was measured, what was asked for, from what, and what it took."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import torch

from hartley.targets.reference.ability import Ability
from hartley.training.loop import Recipe


def record(
    shares: Mapping[str, Mapping[str, Ability]], more: Mapping[str, object], recipes: Sequence[Recipe], seconds: float, seed: int
) -> dict[str, object]:
    """shares: groups of abilities, by the name of the group. more: what else stands there, above all what is required. seconds: of one
    processor thread, training. seed: of the samples that abilities are measured on."""
    return {
        **{group: {name: ability.to_json() for name, ability in found.items()} for group, found in shares.items()},
        **more,
        "interval": "Clopper-Pearson 95%",
        "seed": seed,
        "recipes": [asdict(recipe) for recipe in recipes],
        "training_cpu_seconds": round(seconds),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
