"""Expectations: the views of an input over which an attack's loss is averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Views = Callable[[Tensor, torch.Generator], Iterator[Tensor]]


def once(values: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """The input itself."""
    del generator
    yield values


@dataclass(frozen=True)
class Scales:
    """Pictures resized by each factor and back to their size, each with Gaussian noise of `sigma` pixels ([0, 1]) added."""

    factors: tuple[float, ...]
    sigma: float

    def __call__(self, values: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
        height, width = values.shape[-2:]
        for factor in self.factors:
            noisy = values + self.sigma * torch.randn(values.shape, generator=generator)
            if factor == 1.0:
                yield noisy.clamp(0, 1)
                continue
            size = (max(1, round(height * factor)), max(1, round(width * factor)))
            scaled = functional.interpolate(noisy.clamp(0, 1), size=size, mode="bilinear", antialias=factor < 1)
            yield functional.interpolate(scaled, size=(height, width), mode="bilinear", antialias=factor > 1).clamp(0, 1)
