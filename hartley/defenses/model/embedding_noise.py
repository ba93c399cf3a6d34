"""Embedding rounding and noise: the released vector says less than the model knows (output perturbation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hartley.defenses.model.wrapped import straight_through as _through
from hartley.defenses.model.wrapped import wrapped

DRAWS = 16
"""Draws of the noise that an attack through this defense averages over in each step (expectation over transformation;
Athalye et al., ICML 2018). They are taken after the towers, so they cost next to nothing."""


@dataclass(frozen=True)
class EmbeddingNoise:
    """Every released embedding gets Gaussian noise and is then rounded to a grid.

    noise  expected norm of the noise beside the embedding's own norm of 1, so that it means the same in any dimension.
    grid   spacing of the grid in units of 1 / sqrt(d), the typical size of one entry.

    Stochastic, and the rounding is not differentiable.
    """

    noise: float = 0.3
    grid: float = 0.5
    id: str = "embedding-noise"
    stage: str = "output"
    modalities: frozenset[str] = frozenset({"embedding"})
    differentiable: bool = False
    stochastic: bool = True

    def wrap(self, target: Any, *, straight_through: bool = False, seed: int = 0) -> Any:
        """The model behind the release mechanism; its noise comes from a generator of its own, seeded by `seed`.

        With `straight_through` the rounding passes the gradient and the answer is the mean over DRAWS releases: the
        expectation that an attacker who knows the mechanism would optimize.
        """
        generator = torch.Generator().manual_seed(seed % 2**63)

        def release(embedding: Tensor) -> Tensor:
            width = embedding.shape[1] ** 0.5
            noisy = embedding + self.noise / width * torch.randn(embedding.shape, generator=generator)
            step = self.grid / width
            return (noisy / step).round() * step

        def expected(embedding: Tensor) -> Tensor:
            return torch.stack([release(embedding) for _ in range(DRAWS)]).mean(dim=0)

        return wrapped(target, f"{self.id}({self.noise}, {self.grid})", embedding=_through(expected) if straight_through else release)


DEFENSE = EmbeddingNoise()
