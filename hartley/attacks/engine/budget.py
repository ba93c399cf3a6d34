"""Budgets: how far a carrier may move. Each names the space its size is counted in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

TOLERANCE = 1e-5
"""Relative slack when a perturbation is held against its budget: float32 rounding, nothing else."""


def _rows(values: Tensor) -> Tensor:
    return values.flatten(1)


@dataclass(frozen=True)
class Linf:
    """Largest absolute change of any entry at most `epsilon`, in units of `space` ("pixel": [0, 1]; "waveform": [-1, 1])."""

    epsilon: float
    space: str

    @property
    def cost(self) -> str:
        """The name of this norm among the costs of the evidence."""
        return f"linf_{self.space}"

    def project(self, delta: Tensor, clean: Tensor) -> Tensor:
        """The nearest perturbation inside the budget. `clean` is not needed by this one."""
        del clean
        return delta.clamp(-self.epsilon, self.epsilon)

    def step(self, clean: Tensor, steps: int) -> Tensor:
        """A step that crosses the ball about two and a half times over all steps: (n, 1, ...), units of the space."""
        size = min(self.epsilon, 2.5 * self.epsilon / steps)
        return torch.full((clean.shape[0], *[1] * (clean.ndim - 1)), size)

    def measure(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """(n,) largest absolute change."""
        return _rows((perturbed - clean).abs()).amax(dim=1)

    def exceeded(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """(n,) bool."""
        return self.measure(clean, perturbed) > self.epsilon * (1 + TOLERANCE) + 1e-7


@dataclass(frozen=True)
class Snr:
    """Perturbation energy at least `decibels` below the energy of the clean signal, in `space` ("waveform")."""

    decibels: float
    space: str

    @property
    def cost(self) -> str:
        """The name of this ratio among the costs of the evidence."""
        return f"snr_db_{self.space}"

    def _radius(self, clean: Tensor) -> Tensor:
        norm = _rows(clean).norm(dim=1) * 10 ** (-self.decibels / 20)
        return norm.reshape(-1, *[1] * (clean.ndim - 1))

    def project(self, delta: Tensor, clean: Tensor) -> Tensor:
        """The nearest perturbation inside the ball whose radius follows each signal's own energy."""
        radius = self._radius(clean)
        norm = _rows(delta).norm(dim=1).reshape(radius.shape)
        return delta * (radius / norm.clamp_min(1e-12)).clamp_max(1.0)

    def step(self, clean: Tensor, steps: int) -> Tensor:
        """A sign step whose Euclidean length crosses the ball two and a half times over all steps: (n, 1, ...)."""
        entries = _rows(clean).shape[1] ** 0.5
        return self._radius(clean) * min(1.0, 2.5 / steps) / entries

    def measure(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """(n,) signal-to-noise ratio in dB; NaN where nothing was changed."""
        signal = _rows(clean).square().sum(dim=1)
        noise = _rows(perturbed - clean).square().sum(dim=1)
        ratio = 10 * torch.log10(signal / noise.clamp_min(1e-30))
        return torch.where(noise > 0, ratio, torch.full_like(ratio, torch.nan))

    def exceeded(self, clean: Tensor, perturbed: Tensor) -> Tensor:
        """(n,) bool: the perturbation is louder than allowed. 0.05 dB of slack: rounding to 16-bit samples."""
        return self.measure(clean, perturbed) < self.decibels - 0.05


@dataclass(frozen=True)
class Words:
    """At most `count` words of a text replaced."""

    count: int

    @property
    def cost(self) -> str:
        """The name of this count among the costs of the evidence."""
        return "words_changed"

    def measure(self, clean: list[str], perturbed: list[str]) -> Tensor:
        """(n,) how many words differ, position by position."""
        pairs = zip(clean, perturbed, strict=True)
        changed = [sum(a != b for a, b in zip(old.split(), new.split(), strict=False)) for old, new in pairs]
        lengths = [abs(len(old.split()) - len(new.split())) for old, new in zip(clean, perturbed, strict=True)]
        return torch.tensor([a + b for a, b in zip(changed, lengths, strict=True)], dtype=torch.float64)
