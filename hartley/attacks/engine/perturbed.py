"""Perturbed inputs: what an adversary changes, the model that is asked in every arm and the one that attacks are made on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.objective import Loss
from hartley.attacks.engine.optimizer import Square
from hartley.case import Curve, Flag, ModelCase, Refused
from hartley.channel import Seen, without_defense
from hartley.evidence import NONE, Evidence
from hartley.exhibit import Exhibit
from hartley.rows import ATTACKED, CLEAN, Arm

KEPT = 4
"""Trials of an attack on a model to look at."""


@dataclass(frozen=True)
class Inputs:
    """What the adversary may change, n trials of each; None: not part of this attack. costs: name to (n,) float64."""

    images: Tensor | None = None
    audio: Tensor | None = None
    texts: tuple[str, ...] | None = None
    costs: Mapping[str, Tensor] = field(default_factory=dict)

    @staticmethod
    def of(modality: str, values: Tensor | None, costs: Mapping[str, Tensor] | None = None) -> Inputs:
        """Pictures or waveforms."""
        return Inputs(images=values, costs=costs or {}) if modality == "image" else Inputs(audio=values, costs=costs or {})

    @property
    def values(self) -> Tensor:
        """The pictures, or the waveforms. Raises ValueError where there are none."""
        found = self.audio if self.images is None else self.images
        if found is None:
            raise ValueError("the data has no pictures and no speech to show")
        return found

    def to_tensors(self) -> dict[str, Tensor]:
        """As tensors, so that a run can keep them: texts become UTF-8 bytes."""
        tensors = {f"cost.{name}": values for name, values in self.costs.items()}
        tensors |= {name: values for name in ("images", "audio") if (values := getattr(self, name)) is not None}
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


@dataclass(frozen=True)
class Models:
    """One of the case's models in every arm. name: of the channel, so that a defense's noise is each channel's own."""

    case: ModelCase
    model: Any
    name: str

    @cached_property
    def _seed(self) -> int:
        return self.case.generator("defense", self.name).initial_seed()

    @cached_property
    def _defended(self) -> Any:
        assert self.case.defense is not None
        return self.case.defense.wrap(self.model, seed=self._seed)

    def asked(self, arm: Arm) -> Any:
        """The model that users and adversaries meet."""
        return self._defended if arm.defended else self.model

    def made_on(self, arm: Arm) -> Any:
        """What an attack is made on: the case's surrogate, where there is one; through the defense by those who know of it."""
        model = self.model if self.case.surrogate is None else self.case.surrogate
        if not arm.adaptive or self.case.defense is None:
            return model
        return self.case.defense.wrap(model, straight_through=True, seed=self._seed + 1)


def applies(case: ModelCase, carriers: frozenset[str]) -> bool:
    """Whether the case's defense stands in the way of an attack on these carriers of a trained model."""
    defense = case.defense
    return defense is None or (defense.stage != "training" and bool(defense.modalities & (carriers | {"embedding"})))


def check_applies(case: ModelCase, carriers: frozenset[str]) -> None:
    """Raises Refused when the defense has nothing to act on, so that 'no effect' is never reported as a measurement."""
    if not applies(case, carriers) and case.defense is not None:
        acts = "training pairs" if case.defense.stage == "training" else " and ".join(sorted(case.defense.modalities))
        raise Refused(f"{case.defense.id} acts on {acts}; this threat changes {' and '.join(sorted(carriers))} of a trained model")


def crafted(case: ModelCase, arm: Arm, name: str, craft: Callable[[], Inputs]) -> Inputs:
    """What `craft` makes; what is made without a defense once a run."""
    return Inputs.from_tensors(without_defense(case, arm, f"crafted/{name}", lambda: craft().to_tensors()))


def perturbed(
    case: ModelCase, arm: Arm, name: str, attack: Attack, loss: Loss, clean: Tensor,
    seeded: Sequence[str] | None = None,
) -> Inputs:  # fmt: skip
    """Adversarial inputs for `clean` (n, ...) and what they cost; the loss is left as the channel's curve. seeded: the purpose that its
    draws are named by; None: the channel's name and the arm's."""
    made = attack.craft(
        loss, clean, case.generator("craft", *((name, arm.name) if seeded is None else seeded)),
        progress=lambda done, total: case.progress(f"{name}, {arm.name}", done, total),
    )  # fmt: skip
    note(case, name, arm.name, made.losses, made.warnings)
    passes = torch.full((len(clean),), made.passes, dtype=torch.float64)
    costs = {attack.budget.cost: attack.budget.measure(clean, made.adversarial).double(), "forward_passes": passes}
    costs |= {"queries": passes} if isinstance(attack.optimizer, Square) else {}
    return Inputs.of(attack.carrier.modality, made.adversarial, costs)


def note(
    case: ModelCase, channel: str, arm: str, losses: tuple[float, ...], warnings: tuple[tuple[str, str], ...] = (), name: str = "loss"
) -> None:
    """Leaves a loss curve and its warnings with the case."""
    case.curves.append(Curve(channel, arm, name, tuple(round(value, 6) for value in losses)))
    case.flags.extend(Flag(channel, arm, warning, why) for warning, why in warnings)


def picture(values: Tensor) -> NDArray[np.uint8]:
    """(3, h, w) in [0, 1] to (h, w, 3) uint8."""
    pixels: NDArray[np.uint8] = (values * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return pixels


def before_and_after(
    clean: Inputs,
    texts: Sequence[str] = (),
    sample_rate: int | None = None,
    said: Callable[[Any], str] = str,
    given: Callable[[Any], Inputs] = lambda payload: payload,
) -> Callable[[Arm, int, Mapping[Arm, Seen[Any]]], Exhibit | None]:
    """How a channel shows a trial: the clean input beside the attacked one, and what the model made of both.

    texts   shown with both, where none was changed.
    said    of a trial's words, where the model answers in words, those that are shown.
    given   the payload as inputs.
    """

    def show(arm: Arm, trial: int, seen: Mapping[Arm, Seen[Any]]) -> Exhibit | None:
        if arm != ATTACKED:
            return None
        before, after = seen[CLEAN], seen[ATTACKED]
        sides = {"clean": clean, "attacked": clean if after.payload is None else given(after.payload)}
        shown: dict[str, Any] = {
            f"{name}_{when}": as_shown(values[trial])
            for name, kind, as_shown in (("image", "images", picture), ("audio", "audio", Tensor.numpy), ("text", "texts", str))
            for when, one in sides.items()
            if (values := getattr(one, kind)) is not None
        }
        if texts:
            shown |= {"text_clean": texts[trial], "text_attacked": texts[trial]}
        was, now = (said(one.rows.said[trial]) if one.rows.said else named(one.evidence, "outcome", trial) for one in (before, after))
        wanted = None if after.evidence.adversary[trial] == NONE else named(after.evidence, "adversary", trial)
        rate = None if clean.audio is None else sample_rate
        return Exhibit(
            after.evidence.channel, arm.name, named(after.evidence, "intent", trial), wanted, was, now, sample_rate=rate, **shown
        )

    return show


def named(part: Evidence, column: str, row: int) -> str:
    """A row's symbol in words."""
    index = int(getattr(part, column)[row])
    return "no answer" if index == NONE else str(getattr(part, f"{column}_alphabet")[index])
