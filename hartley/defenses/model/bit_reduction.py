"""Bit reduction (feature squeezing; Xu et al., NDSS 2018): fewer levels leave a small perturbation nowhere to sit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from hartley.defenses.model.wrapped import Step, wrapped
from hartley.defenses.model.wrapped import straight_through as _through


@dataclass(frozen=True)
class BitReduction:
    """Pictures keep `image_bits` bits a channel, waveforms `audio_bits` bits a sample. Neither differentiable nor stochastic."""

    image_bits: int = 4
    audio_bits: int = 8
    id: str = "bit-reduction"
    stage: str = "input"
    modalities: frozenset[str] = frozenset({"image", "audio"})
    differentiable: bool = False
    stochastic: bool = False

    def wrap(self, target: Any, *, straight_through: bool = False, seed: int = 0) -> Any:
        """The model behind the quantizer. `seed` is not used: nothing here is random."""
        del seed
        image, audio = self._levels(2**self.image_bits - 1), self._levels(2 ** (self.audio_bits - 1) - 1)
        if straight_through:
            image, audio = _through(image), _through(audio)
        return wrapped(target, f"{self.id}({self.image_bits}, {self.audio_bits})", image=image, audio=audio)

    @staticmethod
    def _levels(count: int) -> Step:
        def quantize(values: Tensor) -> Tensor:
            return (values * count).round() / count

        return quantize


DEFENSE = BitReduction()
