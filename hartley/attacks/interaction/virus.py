"""Viruses: pictures whose border wins retrieval under any plan and makes whoever is asked about them speak a payload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hartley.attacks.engine.carrier import PIXELS
from hartley.environments.albums import fitted
from hartley.targets.conversation import Conversation
from hartley.targets.protocols import Answerer, Encoder

BORDER = 6
"""Pixels from the edge that are the adversary's (Gu et al. 2024 use as many, of a larger picture)."""
MOMENTUM = 0.9
RETRIEVAL = 2.0
"""The weight of retrieval beside the answer."""
SWEEPS = 2.5
"""How often all steps together would cross the whole range of a pixel."""


Lesson = Callable[[int], tuple[Conversation, str]]
"""A drawn conversation that ends with a question about the picture of that number, and the answer that its payload wants."""


@dataclass(frozen=True)
class Aim:
    """What so many borders are made for, each over an ensemble of conversations of its own and of plans (embedded, (p, d))."""

    pictures: int
    lesson: Lesson
    plans: Tensor


@dataclass(frozen=True)
class Crafted:
    """borders (pictures, 3, h, w), as a file holds them; losses: mean over the pictures, a step each; zero: the share of
    pictures whose first gradient was exactly zero."""

    borders: Tensor
    losses: tuple[float, ...]
    zero: float

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        """(name, why) of every sanity rule that did not hold."""
        found = [("zero gradients", f"{self.zero:.0%} of the borders were made blindly")] if self.zero > 0 else []
        if len(self.losses) > 1 and not self.losses[-1] < self.losses[0]:
            found.append(("loss does not fall", f"the mean loss went from {self.losses[0]:.4g} to {self.losses[-1]:.4g}"))
        return tuple(found)


def framed(pictures: Tensor, borders: Tensor, width: int = BORDER) -> Tensor:
    """Pictures (n, 3, h, w) with the outer `width` pixels from borders (n, 3, h, w); gradients reach the borders."""
    height, across = pictures.shape[-2:]
    inside = pictures.new_ones(height - 2 * width, across - 2 * width)
    mask = functional.pad(inside, (width, width, width, width))
    return pictures * mask + borders * (1 - mask)


def craft(
    answerer: Answerer,
    encoder: Encoder,
    aim: Aim,
    bases: Tensor,
    *,
    steps: int,
    rows: int,
    generator: torch.Generator,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Crafted:
    """One border each, on its own base (pictures, 3, h, w), by sign-gradient descent with momentum (MI-FGSM; Dong et al.,
    CVPR 2018).

    Every step draws `rows` conversations and plans for each picture. The loss is minus the log likelihood of the answer wanted, by
    words, plus one minus the cosine between picture and plan, weighted. Gradients are taken with respect to the borders alone.
    """
    borders = torch.rand(bases.shape, generator=generator)
    velocity = torch.zeros_like(borders)
    numbers = [number for number in range(aim.pictures) for _ in range(rows)]
    losses: list[float] = []
    zero = 0.0
    for step in range(steps):
        progress(step, steps)
        point = borders.clone().requires_grad_(True)
        shown = framed(bases, point).repeat_interleave(rows, dim=0)
        planned = aim.plans[torch.randint(len(aim.plans), (len(shown),), generator=generator)]
        talks, wanted = zip(*(aim.lesson(number) for number in numbers), strict=True)
        words = torch.tensor([len(answer.split()) + 1.0 for answer in wanted])
        said = answerer.log_likelihood(talks, wanted, fitted(shown, answerer.image_size).unsqueeze(1))
        found = (encoder.embed_image(fitted(shown, encoder.image_size)) * planned).sum(1)
        loss = -said / words + RETRIEVAL * (1 - found)
        (gradient,) = torch.autograd.grad(loss.sum(), point)
        losses.append(float(loss.detach().mean()))
        size = gradient.flatten(1).abs().mean(1)
        if step == 0:
            zero = float((size == 0).float().mean())
        velocity = MOMENTUM * velocity + gradient / size.clamp_min(1e-20).view(-1, 1, 1, 1)
        # steps shrink, so that what is found in the end is not stepped over
        borders = (borders - 2 * SWEEPS / steps * (1 - step / steps) * velocity.sign()).clamp(0, 1)
    progress(steps, steps)
    return Crafted(PIXELS.deliver(borders), tuple(losses), zero)
