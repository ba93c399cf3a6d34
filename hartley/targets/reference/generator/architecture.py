"""The reference generator's shape: a Stable Diffusion in miniature, from diffusers' own classes, and the judge of its pictures."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hartley.targets.reference.generator.world import SIDE
from hartley.targets.reference.language import COLORS, DIGITS
from hartley.targets.reference.saving import initialize

LATENT_CHANNELS = 8
LATENT_SIDE = 8
TEXT_WIDTH = 96
TIMES = 1000
STEPS = 20
GUIDANCE = 4.0


def build_vae(generator: torch.Generator) -> Any:
    """An untrained AutoencoderKL: 32 x 32 x 3 to 8 x 8 x 8."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    vae: Any = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 32),
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=SIDE,
        mid_block_add_attention=False,
        force_upcast=False,
    )
    initialize(vae, generator)
    return vae


def build_text_encoder(clip: Any) -> Any:
    """The text tower of a CLIPModel by itself, with copies of its weights."""
    from transformers import CLIPTextModel

    text = CLIPTextModel(clip.config.text_config)
    text.load_state_dict(clip.text_model.state_dict())
    return text


def build_unet(generator: torch.Generator) -> Any:
    """An untrained UNet2DConditionModel on 8 x 8 x 8 latents; the prompt reaches it by attention and beside the time.

    Its first prediction is zero everywhere: a start from random ones costs some hundred steps.
    """
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    unet: Any = UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        mid_block_type=None,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(48, 72),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=8,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
        resnet_time_scale_shift="scale_shift",
        use_linear_projection=True,
    )
    initialize(unet, generator)
    nn.init.zeros_(unet.conv_out.weight)
    # The one start value that is neither a layer's nor constant: diffusers takes it from torch's global generator.
    start = torch.randn(unet.add_embedding.pool.positional_embedding.shape, generator=generator)
    unet.add_embedding.pool.positional_embedding.data.copy_(start / TEXT_WIDTH**0.5)
    return unet


def build_scheduler() -> Any:
    """DDIM with a cosine schedule that ends in pure noise; the network predicts the velocity (Salimans and Ho 2022)."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=TIMES,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        steps_offset=1,
    )


class Judge(nn.Module):
    """A small convolutional network, trained on real pictures alone, that says what a picture shows."""

    SIZES = (len(DIGITS), len(COLORS), 4)

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        channels = (3, width, width, 2 * width, 2 * width, 3 * width, 3 * width)
        strides = (1, 2, 1, 2, 1, 2)
        layers: list[nn.Module] = []
        for before, after, stride in zip(channels, channels[1:], strides, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(3 * width * 16, sum(self.SIZES))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 3, 32, 32) in [0, 1] to logits: digit (n, 10), color (n, 6), position (n, 4)."""
        digit, color, position = self.head(self.layers(pixels * 2 - 1).flatten(1)).split(self.SIZES, dim=1)
        return digit, color, position

    @torch.no_grad()
    def look(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The likeliest digit, color and position (n,) each."""
        digit, color, position = self(pixels)
        return digit.argmax(1), color.argmax(1), position.argmax(1)
