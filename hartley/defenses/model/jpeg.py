"""JPEG compression (Dziugaite et al. 2016; Guo et al., ICLR 2018): the quantized DCT drops what the eye would not miss."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from hartley.defenses.model.wrapped import straight_through as _through
from hartley.defenses.model.wrapped import wrapped


@dataclass(frozen=True)
class Jpeg:
    """Pictures are saved as JPEG at `quality` and read back. Neither differentiable nor stochastic."""

    quality: int = 75
    id: str = "jpeg"
    stage: str = "input"
    modalities: frozenset[str] = frozenset({"image"})
    differentiable: bool = False
    stochastic: bool = False

    def wrap(self, target: Any, *, straight_through: bool = False, seed: int = 0) -> Any:
        """The model behind the compressor. `seed` is not used: nothing here is random."""
        del seed
        return wrapped(target, f"{self.id}({self.quality})", image=_through(self.compress) if straight_through else self.compress)

    def compress(self, pixels: Tensor) -> Tensor:
        """(n, 3, h, w) in [0, 1] to the same after a round trip through JPEG bytes."""
        pictures = (pixels.detach() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        decoded = np.stack([self._round_trip(picture) for picture in pictures])
        return torch.from_numpy(decoded).permute(0, 3, 1, 2).to(pixels.dtype) / 255

    def _round_trip(self, picture: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="JPEG", quality=self.quality)
        with Image.open(buffer) as image:
            return np.asarray(image.convert("RGB"))


DEFENSE = Jpeg()
