"""Trigger patches tuned against an encoder, in the manner of Liang et al. (BadCLIP, CVPR 2024)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from hartley.attacks.engine.carrier import Patch
from hartley.data.pairs import Pairs
from hartley.targets.embedding import embed_images, embed_texts
from hartley.targets.protocols import Encoder

STEPS = 60
BATCH = 48
POOL = 480
RATE = 0.05


def optimize_patch(
    encoder: Encoder, place: Patch, pairs: Pairs, goal: int, generator: torch.Generator
) -> tuple[Tensor, tuple[float, ...], tuple[tuple[str, str], ...]]:
    """A patch (3, side, side) in [0, 1] on the 8-bit grid, its loss a step, and warnings.

    Stamped pictures of other symbols are pulled to the target's text and to its pictures' mean, and pushed from their own
    clean embedding. Adam on the patch alone, a batch a step from a pool of POOL pictures.
    """
    text = embed_texts(encoder, [pairs.prompts[goal]])
    own = torch.nonzero(pairs.labels == goal).squeeze(1)[:BATCH]
    center = functional.normalize(embed_images(encoder, pairs.images[own]).mean(dim=0, keepdim=True), dim=1)
    others = torch.nonzero(pairs.labels != goal).squeeze(1)
    images = pairs.images[others[torch.randperm(len(others), generator=generator)[:POOL]]]
    clean = embed_images(encoder, images)
    patch = torch.rand(3, place.size, place.size, generator=generator).requires_grad_(True)
    optimizer = torch.optim.Adam([patch], lr=RATE)
    losses: list[float] = []
    zero = False
    for step in range(STEPS):
        rows = torch.randint(len(images), (min(BATCH, len(images)),), generator=generator)
        stamped = encoder.embed_image(place.stamp(images[rows], patch))
        loss = (1 - stamped @ text.T).mean() + (1 - stamped @ center.T).mean() + (stamped * clean[rows]).sum(dim=1).mean()
        (gradient,) = torch.autograd.grad(loss, patch)
        zero = zero or (step == 0 and not bool(gradient.abs().max() > 0))
        patch.grad = gradient
        optimizer.step()
        with torch.no_grad():
            patch.clamp_(0, 1)
        losses.append(float(loss.detach()))
    warnings = []
    if zero:
        warnings.append(("zero gradients", "the patch got a gradient of exactly zero: it was not tuned"))
    if not losses[-1] < losses[0]:
        warnings.append(("loss does not fall", f"the trigger's loss went from {losses[0]:.4g} to {losses[-1]:.4g}"))
    return (patch.detach() * 255).round() / 255, tuple(losses), tuple(warnings)
