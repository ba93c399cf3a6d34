"""Arms: the conditions under which the same trials are read out, and how an attack meets a defense."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hartley.attacks.case import Curve, Flag, ModelCase, Refused
from hartley.evidence import Evidence


@dataclass(frozen=True)
class Inputs:
    """What the adversary may change, n trials of each; None: not part of this attack. costs: name to (n,) float64."""

    images: Tensor | None = None
    audio: Tensor | None = None
    texts: tuple[str, ...] | None = None
    costs: Mapping[str, Tensor] = field(default_factory=dict)

    def to_tensors(self) -> dict[str, Tensor]:
        """As tensors, so that a run can keep them: texts become UTF-8 bytes."""
        tensors = {f"cost.{name}": values for name, values in self.costs.items()}
        if self.images is not None:
            tensors["images"] = self.images
        if self.audio is not None:
            tensors["audio"] = self.audio
        if self.texts is not None:
            tensors["texts"] = torch.frombuffer(bytearray("\n".join(self.texts).encode()), dtype=torch.uint8)
        return tensors

    @staticmethod
    def from_tensors(tensors: Mapping[str, Tensor]) -> Inputs:
        """Reads back what `to_tensors` made."""
        costs = {name.removeprefix("cost."): values for name, values in tensors.items() if name.startswith("cost.")}
        texts = tensors.get("texts")
        lines = None if texts is None else tuple(bytes(texts.tolist()).decode().split("\n"))
        return Inputs(tensors.get("images"), tensors.get("audio"), lines, costs)


Craft = Callable[[Any, str], Inputs]
"""(model to attack, name of the arm) to adversarial inputs."""
Read = Callable[[Any, Inputs, str], Evidence]
"""(model to ask, inputs, name of the arm) to one arm's evidence."""


def applies(case: ModelCase, carriers: frozenset[str]) -> bool:
    """Whether the case's defense stands in the way of an attack on these carriers of a trained model."""
    defense = case.defense
    return defense is None or (defense.stage != "training" and bool(defense.modalities & (carriers | {"embedding"})))


def check_applies(case: ModelCase, carriers: frozenset[str]) -> None:
    """Raises Refused when the defense has nothing to act on, so that 'no effect' is never reported as a measurement."""
    if not applies(case, carriers) and case.defense is not None:
        acts = "training pairs" if case.defense.stage == "training" else " and ".join(sorted(case.defense.modalities))
        raise Refused(f"{case.defense.id} acts on {acts}; this threat changes {' and '.join(sorted(carriers))} of a trained model")


def all_arms(
    case: ModelCase, channel: str, clean: Inputs, craft: Craft, read: Read, *, crafted_as: str | None = None, target: Any = None
) -> Evidence:
    """Reads every arm of the case: clean and attacked, and with a defense also defended, defended against the same attack
    made without knowing of it, and defended against one made through it.

    The undefended attack is crafted once per (target, threat, seed, effort), kept under the name `crafted_as` (the
    channel's, unless several channels share one attack) and shared by all defenses. target: another of the case's models than
    its first. Where the case has a surrogate, attacks are made on that one, and the defense's as well, and read on the model.
    """
    model = case.target if target is None else target
    shared = crafted_once(case, crafted_as or channel, craft, model)
    parts = [read(model, clean, "clean"), read(model, shared, "attacked")]
    if case.defense is not None:
        seed = case.generator("defense", channel).initial_seed()
        defended = case.defense.wrap(model, seed=seed)
        parts.append(read(defended, clean, "defended"))
        parts.append(read(defended, shared, "defended_attacked"))
        through = case.defense.wrap(_made_on(case, model), straight_through=True, seed=seed + 1)
        parts.append(read(defended, craft(through, "defended_adaptive"), "defended_adaptive"))
    return Evidence.concat(parts)


def crafted_once(case: ModelCase, name: str, craft: Craft, target: Any = None) -> Inputs:
    """The attack on the undefended target, from the run's cache where it is there already."""
    model = _made_on(case, case.target if target is None else target)
    return Inputs.from_tensors(case.once(f"crafted/{name}", lambda: craft(model, "attacked").to_tensors()))


def _made_on(case: ModelCase, model: Any) -> Any:
    """What an attack on the model is made on: the surrogate, where there is one."""
    return model if case.surrogate is None else case.surrogate


def note(
    case: ModelCase, channel: str, arm: str, losses: tuple[float, ...], warnings: tuple[tuple[str, str], ...], name: str = "loss"
) -> None:
    """Leaves a loss curve and its warnings with the case."""
    case.curves.append(Curve(channel, arm, name, tuple(round(value, 6) for value in losses)))
    case.flags.extend(Flag(channel, arm, warning, why) for warning, why in warnings)
