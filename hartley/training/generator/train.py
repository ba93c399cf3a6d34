"""The reference generator's training: a judge of pictures, an autoencoder, then the denoising network on its latents."""

from __future__ import annotations

import shutil
from typing import Any

import torch
from torch import nn

from hartley.targets.diffusion import StableDiffusion
from hartley.targets.reference import encoder
from hartley.targets.reference.generator import NAME
from hartley.targets.reference.generator.architecture import (
    GUIDANCE,
    STEPS,
    Judge,
    build_scheduler,
    build_text_encoder,
    build_unet,
    build_vae,
)
from hartley.targets.reference.generator.checker import calibrate
from hartley.targets.reference.generator.folder import write_weights
from hartley.targets.reference.generator.world import draw_pictures
from hartley.targets.reference.language import draw_concepts
from hartley.targets.reference.saving import initialize
from hartley.training.generator.card import describe
from hartley.training.generator.lessons import (
    Averaged,
    PromptStates,
    autoencoder_loss,
    denoising_loss,
    encode_pool,
    judge_loss,
)
from hartley.training.loop import Order, Recipe, run_stage, single_thread

STAGES = ("judge", "autoencoder", "denoising")
POOL_SHARE = 5
"""Pictures in the pool of latents a step of training: each is met about thirteen times, under other prompts, times and noise."""


def train(order: Order) -> None:
    """Train the three stages, calibrate the safety checker, write the folder `order.out`, measure it and write the card.

    Checkpoints lie in `out`/checkpoints until the end. Raises InputError for a stage that there is not.
    """
    order.checked(STAGES)
    judging = order.recipe("judge", steps=1_200, batch=64, rate=2e-3, decay=0.01)
    coding = order.recipe("autoencoder", steps=2_200, batch=32, rate=2e-3, decay=0.01)
    denoising = order.recipe("denoising", steps=4_000, batch=64, rate=2e-3, decay=0.01, after=coding)
    with single_thread():
        judge = Judge()
        initialize(judge, judging.generator("weights"))
        seconds = run_stage(order, judging, judge, judge_loss(judge, judging.batch))
        vae = build_vae(coding.generator("weights"))
        seconds += run_stage(order, coding, vae, autoencoder_loss(vae, coding.batch))
        standardize(vae, coding.generator("spread"))
        base = encoder.load()
        generator = _assemble(vae, build_unet(denoising.generator("weights")), base)
        seconds += _denoise(order, denoising, generator)
        fold_shift(vae)
        concepts = calibrate(base, denoising.generator("checker"))
        write_weights(order.out, generator, judge, concepts)
        describe(order.out, NAME, (judging, coding, denoising), seconds, order.samples)
        shutil.rmtree(order.out / "checkpoints")


@torch.no_grad()
def standardize(vae: Any, generator: torch.Generator) -> None:
    """Set the autoencoder's shift and scale so that the latents of training pictures have mean zero and unit variance."""
    vae.eval()
    pictures = draw_pictures(draw_concepts(960, generator), generator, part="train")
    latents = vae.encode(pictures * 2 - 1).latent_dist.mean
    vae.register_to_config(scaling_factor=round(1.0 / latents.std().item(), 4), shift_factor=round(latents.mean().item(), 4))


@torch.no_grad()
def fold_shift(vae: Any) -> None:
    """Move the shift into the two 1 x 1 convolutions around the latents: StableDiffusionPipeline does not heed shift_factor."""
    shift = vae.config.shift_factor
    vae.quant_conv.bias[: vae.config.latent_channels] -= shift
    vae.post_quant_conv.bias += shift * vae.post_quant_conv.weight.sum(dim=(1, 2, 3))
    vae.register_to_config(shift_factor=None)


def _assemble(vae: nn.Module, unet: nn.Module, base: Any) -> StableDiffusion:
    return StableDiffusion(
        name=NAME,
        vae=vae,
        unet=unet,
        text_encoder=build_text_encoder(base.module.clip),
        tokenizer=base.tokenizer,
        scheduler=build_scheduler(),
        fingerprint="in training",
        steps=STEPS,
        guidance=GUIDANCE,
    )


def _denoise(order: Order, recipe: Recipe, generator: StableDiffusion) -> float:
    """Train the denoising network of `generator` and leave the mean of its weights in it; returns processor seconds."""
    network = Averaged(generator.module.unet)
    network.live.requires_grad_(True)
    pool = encode_pool(generator.encode, POOL_SHARE * recipe.steps, recipe.generator("pool"))
    states = PromptStates(generator.embed_prompt)
    seconds = run_stage(order, recipe, network, denoising_loss(network, generator.scheduler, states, pool, recipe.batch))
    network.follow(recipe.steps)
    generator.module.unet = network.mean.eval()
    return seconds
