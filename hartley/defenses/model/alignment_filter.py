"""Alignment-score filter: training pairs whose picture and caption do not match are dropped before training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hartley.defenses.model.defense import Kept
from hartley.targets.protocols import Encoder

CHUNK = 128


@dataclass(frozen=True)
class AlignmentFilter:
    """Drops pairs whose cosine, by the target's own encoder, lies below a threshold.

    The threshold is the `quantile` of the cosines of clean held-out pairs, one half of them; the other half counts the
    false positives. It never comes from the training set itself, which the adversary has a hand in. Deterministic.
    """

    quantile: float = 0.05
    id: str = "alignment-filter"
    stage: str = "training"
    modalities: frozenset[str] = frozenset({"pairs"})
    differentiable: bool = True
    stochastic: bool = False

    def wrap(self, target: Encoder, *, straight_through: bool = False, seed: int = 0) -> Encoder:
        """The target as it is: this defense acts before training, through `keep`."""
        del straight_through, seed
        return target

    def keep(self, target: Encoder, images: Tensor, captions: list[str], clean_images: Tensor, clean_captions: list[str]) -> Kept:
        """Which of n pairs to keep: images (n, 3, h, w) with n captions; clean held-out pairs (m, 3, h, w) with m captions.

        Raises ValueError with fewer than 40 clean pairs: a 5% quantile of fewer is a guess.
        """
        if len(clean_captions) < 40:
            raise ValueError(f"the alignment filter needs at least 40 clean held-out pairs, got {len(clean_captions)}")
        clean = alignment(target, clean_images, clean_captions)
        fitted, checked = clean[::2], clean[1::2]
        threshold = float(torch.quantile(fitted, self.quantile))
        mask = alignment(target, images, captions) >= threshold
        return Kept(mask, threshold, int((checked < threshold).sum()), len(checked))


@torch.no_grad()
def alignment(target: Encoder, images: Tensor, captions: list[str]) -> Tensor:
    """(n,) cosine of each picture with its own caption."""
    parts = []
    for start in range(0, len(captions), CHUNK):
        rows = slice(start, start + CHUNK)
        parts.append((target.embed_image(images[rows]) * target.embed_text(captions[rows])).sum(dim=1))
    return torch.cat(parts)


DEFENSE = AlignmentFilter()
