"""Objectives: one loss a row, which an attack makes smaller.

An attack's loss is a function of the perturbed input: of some rows (m, ...) and the index (m,) of these rows, so that references stay
aligned when an optimizer leaves solved rows out. Likelihoods, latents and hidden states are such losses as they are; the objectives
here are functions of embeddings (m, d) of unit norm in the input's place, and `through` makes losses of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Objective = Callable[[Tensor, Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]
"""(perturbed inputs (m, ...), rows (m,)) to (m,)."""


def through(embed: Callable[[Tensor], Tensor], objective: Objective) -> Loss:
    """An objective of what a model makes of the input."""
    return lambda view, rows: objective(embed(view), rows)


def toward(reference: Tensor) -> Objective:
    """1 - cosine to each row's reference (n, d)."""
    return lambda embedding, rows: 1 - (embedding * reference[rows]).sum(dim=1)


def away(reference: Tensor) -> Objective:
    """Cosine to each row's reference (n, d): smaller is farther."""
    return lambda embedding, rows: (embedding * reference[rows]).sum(dim=1)


def angle(reference: Tensor) -> Objective:
    """The angle in radians to each row's reference (n, d); clipped inside (-1, 1), where arccos has a slope."""
    return lambda embedding, rows: torch.arccos((embedding * reference[rows]).sum(dim=1).clamp(-0.9999, 0.9999))


def diverge(reference: Tensor) -> Objective:
    """Minus the KL divergence (in bits) of softmax(reference) from softmax(embedding), rows (n, d)."""
    law = reference.softmax(dim=1)
    scale = 1 / torch.log(torch.tensor(2.0))

    def loss(embedding: Tensor, rows: Tensor) -> Tensor:
        p = law[rows]
        return -scale * (p * (p.clamp_min(1e-12).log() - embedding.log_softmax(dim=1))).sum(dim=1)

    return loss


def away_from_set(references: Tensor, members: Tensor) -> Objective:
    """Sum of cosines to each row's own set: references (n, m, d), members (n, m) 1 where the set has an entry."""
    return lambda embedding, rows: (torch.einsum("nd,nmd->nm", embedding, references[rows]) * members[rows]).sum(dim=1)


def misclassify(prompts: Tensor, labels: Tensor, scale: float) -> Objective:
    """Log-probability in bits of the right label under the zero-shot head: prompts (k, d), labels (n,)."""

    def loss(embedding: Tensor, rows: Tensor) -> Tensor:
        logits = scale * embedding @ prompts.T
        return logits.log_softmax(dim=1).gather(1, labels[rows, None]).squeeze(1) / torch.log(torch.tensor(2.0))

    return loss


def weighted(*parts: tuple[float, Objective]) -> Objective:
    """The weighted sum of several objectives."""
    return lambda embedding, rows: torch.stack([weight * part(embedding, rows) for weight, part in parts]).sum(dim=0)
