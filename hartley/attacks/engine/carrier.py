"""Carriers: where the adversary's symbol enters the input, and the medium in which it is delivered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Additive:
    """clean + delta, kept inside [low, high]; `levels` is how many steps the delivered file has per unit (PNG: 255)."""

    modality: str
    low: float
    high: float
    levels: int

    def apply(self, clean: Tensor, delta: Tensor) -> Tensor:
        """The perturbed input, same shape as `clean`."""
        return (clean + delta).clamp(self.low, self.high)

    def deliver(self, values: Tensor) -> Tensor:
        """What is left after saving to a file of this medium: values rounded to its levels.

        A number measured on floats that no file can hold would not be about a deliverable attack.
        """
        return (values * self.levels).round().div(self.levels).clamp(self.low, self.high)


PIXELS = Additive("image", 0.0, 1.0, 255)
WAVEFORM = Additive("audio", -1.0, 1.0, 32767)


@dataclass(frozen=True)
class Patch:
    """A square of `size` pixels stamped over the picture with its top left corner at (top, left)."""

    top: int
    left: int
    size: int

    def stamp(self, images: Tensor, patch: Tensor) -> Tensor:
        """images (n, 3, h, w) and patch (3, size, size) to stamped images (n, 3, h, w); gradients reach the patch."""
        height, width = images.shape[-2:]
        if self.top + self.size > height or self.left + self.size > width:
            raise ValueError(f"patch of {self.size} px at ({self.top}, {self.left}) does not fit a picture of {height} x {width} px")
        before = (self.left, width - self.left - self.size, self.top, height - self.top - self.size)
        mask = torch.nn.functional.pad(torch.ones(1, self.size, self.size), before)
        return images * (1 - mask) + torch.nn.functional.pad(patch, before)
