"""What the generator's three networks are taught with: the losses of the judge, the autoencoder and the denoising network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hartley.targets.reference.generator.architecture import LATENT_SIDE, TIMES, Judge
from hartley.targets.reference.generator.world import draw_pictures, draw_prompts
from hartley.targets.reference.language import Concepts, concepts_at, draw_concepts
from hartley.training.loop import Loss

FULL_SHARE = 0.8
"""How many prompts name the whole concept; the others name a part of it."""
NO_PROMPT_SHARE = 0.1
"""How many prompts are left out, for classifier-free guidance."""
CLUTTER_WEIGHT = 0.4
"""What the quadrants without a digit count in the denoising loss: their clutter is chance and cannot be foreseen."""
SIGNAL_LIMIT = 5.0
"""Where the weight of little noise is cut off (Hang et al. 2023, min-SNR)."""
AVERAGING = 0.999


def judge_loss(judge: Judge, batch: int) -> Loss:
    """Digit, color and position of new training scenes, under a little noise."""

    def loss(_: int, generator: torch.Generator) -> Tensor:
        concepts = draw_concepts(batch, generator)
        pictures = draw_pictures(concepts, generator, part="train")
        strength = 0.04 * torch.rand(batch, 1, 1, 1, generator=generator)
        pictures = (pictures + strength * torch.randn(pictures.shape, generator=generator)).clamp(0.0, 1.0)
        digit, color, position = judge(pictures)
        right = F.cross_entropy(digit, concepts.digit)
        return right + F.cross_entropy(color, concepts.color) + F.cross_entropy(position, concepts.position)

    return loss


def autoencoder_loss(vae: Any, batch: int, *, divergence: float = 2e-6, noise: float = 0.1) -> Loss:
    """L1 between pictures and between their gradients, so that strokes stay sharp, and a slight pull to the normal.

    noise: the decoder also meets latents that are off by up to this share of their spread, as drawn ones will be.
    """

    def loss(_: int, generator: torch.Generator) -> Tensor:
        pictures = draw_pictures(draw_concepts(batch, generator), generator, part="train") * 2 - 1
        posterior = vae.encode(pictures).latent_dist
        spread = posterior.mean.detach().std() * noise * torch.rand(batch, 1, 1, 1, generator=generator)
        shaken = posterior.mean + (posterior.std + spread) * torch.randn(posterior.mean.shape, generator=generator)
        off = vae.decode(shaken).sample - pictures
        edges = off.diff(dim=-1).abs().mean() + off.diff(dim=-2).abs().mean()
        return off.abs().mean() + edges + divergence * posterior.kl().mean()

    return loss


class Averaged(nn.Module):
    """A network in training and the running mean of its weights, which is what ships; both live in the checkpoint."""

    def __init__(self, live: nn.Module) -> None:
        super().__init__()
        self.live = live
        self.mean = copy.deepcopy(live).requires_grad_(False)

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move the mean towards the live weights; quickly at first."""
        share = max(1.0 - AVERAGING, 1.0 / (1.0 + step / 4))
        for mean, live in zip(self.mean.parameters(), self.live.parameters(), strict=True):
            mean.lerp_(live, share)


@dataclass(frozen=True)
class Latents:
    """A pool of encoded training pictures: values (m, c, h, w) of unit variance, half precision, and their concepts."""

    values: Tensor
    concepts: Concepts


@torch.no_grad()
def encode_pool(encode: Callable[[Tensor], Tensor], count: int, generator: torch.Generator) -> Latents:
    """`count` training pictures, encoded in chunks of 240: each chunk shows every concept once."""
    each = concepts_at(torch.arange(240))
    chunks = -(-count // len(each))
    values = torch.cat([encode(draw_pictures(each, generator, part="train")).half() for _ in range(chunks)])
    return Latents(values, concepts_at(torch.arange(240).repeat(chunks)))


class PromptStates:
    """The text tower's states of prompts, kept: there are some two thousand prompts in all."""

    def __init__(self, embed: Callable[[list[str]], Tensor]) -> None:
        self._embed = embed
        self._row: dict[str, int] = {}
        self._states: list[Tensor] = []

    @torch.no_grad()
    def __call__(self, prompts: list[str]) -> Tensor:
        """(n, tokens, d)."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._row]
        if new:
            self._row |= {prompt: len(self._states) + i for i, prompt in enumerate(new)}
            self._states += list(self._embed(new))
        return torch.stack([self._states[self._row[prompt]] for prompt in prompts])


def focus(concepts: Concepts) -> Tensor:
    """(n, 1, 8, 8) weights with mean one: the digit's quadrant whole, the others `CLUTTER_WEIGHT`."""
    half = LATENT_SIDE // 2
    here = F.one_hot(concepts.position, 4).view(-1, 1, 2, 2).float()
    weights = CLUTTER_WEIGHT + (1.0 - CLUTTER_WEIGHT) * here
    return (weights / weights.mean(dim=(2, 3), keepdim=True)).repeat_interleave(half, dim=2).repeat_interleave(half, dim=3)


def denoising_loss(network: Averaged, scheduler: Any, states: PromptStates, pool: Latents, batch: int) -> Loss:
    """The velocity of noisy latents under their prompt, with min-SNR weights, the digit's quadrant counting most."""
    alphas: Tensor = scheduler.alphas_cumprod

    def loss(step: int, generator: torch.Generator) -> Tensor:
        network.follow(step)
        row = torch.randint(len(pool.values), (batch,), generator=generator)
        concepts = concepts_at(pool.concepts.index[row])
        clean = pool.values[row].float()
        prompts = draw_prompts(concepts, generator, full=FULL_SHARE)
        unasked = (torch.rand(batch, generator=generator) < NO_PROMPT_SHARE).tolist()
        prompts = ["" if left_out else prompt for prompt, left_out in zip(prompts, unasked, strict=True)]
        # Times are spread evenly over a batch, which makes its loss less of a lottery.
        times = ((torch.arange(batch) + torch.rand(batch, generator=generator)) * TIMES / batch).long()
        noise = torch.randn(clean.shape, generator=generator)
        noisy = scheduler.add_noise(clean, noise, times)
        wanted = scheduler.get_velocity(clean, noise, times)
        found = network.live(noisy, times, encoder_hidden_states=states(prompts)).sample
        ratio = alphas[times] / (1 - alphas[times])
        weight = (ratio.clamp(max=SIGNAL_LIMIT) + 0.3) / (ratio + 1)
        error = ((found - wanted).square() * focus(concepts)).flatten(1).mean(1)
        return (weight * error).mean()

    return loss
