"""Defense: what wraps a model and is one of the same family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from hartley.targets.protocols import Encoder


class Defense(Protocol):
    """A catalog row made runnable.

    stage           "input", "training" or "output".
    modalities      the carriers it acts on ("image", "audio", "text", "embedding").
    differentiable  False: attacks through it need a straight-through gradient.
    stochastic      True: attacks through it need an expectation over its noise.
    """

    @property
    def id(self) -> str: ...

    @property
    def stage(self) -> str: ...

    @property
    def modalities(self) -> frozenset[str]: ...

    @property
    def differentiable(self) -> bool: ...

    @property
    def stochastic(self) -> bool: ...

    def wrap(self, target: Any, *, straight_through: bool = False, seed: int = 0) -> Any:
        """The defended model, of the same family. With `straight_through` it is what an attacker who knows the defense optimizes
        through: the backward pass treats a non-differentiable step as the identity, and a stochastic one is averaged over its draws."""
        ...


@runtime_checkable
class TrainingDefense(Defense, Protocol):
    """A defense that drops suspicious training pairs."""

    def keep(self, target: Encoder, images: Tensor, captions: list[str], clean_images: Tensor, clean_captions: list[str]) -> Kept:
        """Which of n training pairs to keep, with the threshold fitted on clean held-out pairs alone."""
        ...


@dataclass(frozen=True)
class Kept:
    """mask: (n,) bool, the pairs kept. threshold: of the alignment score. false_positives of clean held-out pairs, out of checked."""

    mask: Tensor
    threshold: float
    false_positives: int
    checked: int
