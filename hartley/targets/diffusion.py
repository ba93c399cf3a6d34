"""Stable Diffusion as a Generator: text to picture, picture to picture and in-painting, from diffusers' own parts.

The loops are diffusers' StableDiffusionPipeline, Img2ImgPipeline and InpaintPipeline written out: the same parts and the same
noise give the same picture. Latents start at the mean of the autoencoder's posterior, so that nothing is drawn but from the
generator passed in.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hartley.targets.checker import SafetyChecker
from hartley.targets.protocols import Pictures


class Parts(nn.Module):
    """The parameters of a StableDiffusion: autoencoder, denoising network and text tower."""

    def __init__(self, vae: nn.Module, unet: nn.Module, text_encoder: nn.Module) -> None:
        super().__init__()
        self.vae = vae
        self.unet = unet
        self.text_encoder = text_encoder


class StableDiffusion:
    """A Stable Diffusion from parts that are already loaded; satisfies `Generator`.

    name          what the report calls it.
    vae           diffusers' AutoencoderKL.          unet          UNet2DConditionModel over its latents.
    text_encoder  transformers' CLIPTextModel; these three are put into evaluation mode and their parameters frozen.
    tokenizer     pads to its model_max_length, which must be the text tower's last position.
    scheduler     a DDIMScheduler (`DDIMScheduler.from_config(other.config)` makes one of another's settings).
    fingerprint   a hash of the weights and settings. A clone's is computed from its live weights instead.
    checker       a SafetyChecker, or None.
    steps, guidance  what `generate` takes when it is not told.

    Raises ValueError when the network does not take the autoencoder's latents (a network made for in-painting alone, say).
    """

    def __init__(
        self,
        *,
        name: str,
        vae: nn.Module,
        unet: nn.Module,
        text_encoder: nn.Module,
        tokenizer: Any,
        scheduler: Any,
        fingerprint: str,
        checker: SafetyChecker | None = None,
        steps: int = 50,
        guidance: float = 7.5,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.scheduler = copy.deepcopy(scheduler)
        self.checker = checker
        self.steps = steps
        self.guidance = guidance
        self._fingerprint = fingerprint
        self._is_clone = False
        self._parts = Parts(vae, unet, text_encoder).eval().requires_grad_(False)
        channels, latents = self._unet.config.in_channels, self._vae.config.latent_channels
        if channels != latents:
            raise ValueError(f"the denoising network takes {channels} channels, the autoencoder's latents have {latents}")

    @property
    def _vae(self) -> Any:
        return self._parts.vae

    @property
    def _unet(self) -> Any:
        return self._parts.unet

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and of all settings; for a clone, of its weights as they are now."""
        if not self._is_clone:
            return self._fingerprint
        digest = hashlib.sha256(self._fingerprint.encode())
        for key, value in sorted(self._parts.state_dict().items()):
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"grad", "hidden", "train"})

    @property
    def image_size(self) -> tuple[int, int]:
        side = self._unet.config.sample_size
        height, width = side if isinstance(side, Sequence) else (side, side)
        return int(height) * self._shrinks, int(width) * self._shrinks

    @property
    def module(self) -> Parts:
        """The live parameters. Train a `clone()`, never these."""
        return self._parts

    def clone(self) -> StableDiffusion:
        """A copy with parameters of its own, in evaluation mode and frozen; the checker is shared."""
        twin = copy.copy(self)
        twin._parts = copy.deepcopy(self._parts)
        twin.scheduler = copy.deepcopy(self.scheduler)
        twin._is_clone = True
        return twin

    @torch.no_grad()
    def generate(
        self, prompts: Sequence[str], generator: torch.Generator, *, steps: int | None = None, guidance: float | None = None
    ) -> Pictures:
        height, width = self.image_size
        shape = (len(prompts), self._vae.config.latent_channels, height // self._shrinks, width // self._shrinks)
        times = self._times(steps or self.steps)
        latents = self._noise(shape, generator) * self.scheduler.init_noise_sigma
        return self._drawn(self.decode(self._walk(prompts, latents, times, guidance)))

    @torch.no_grad()
    def redraw(self, prompts: Sequence[str], pixels: Tensor, generator: torch.Generator, *, strength: float = 0.6) -> Pictures:
        """Image to image: the last `strength` of the steps, from the picture with that much noise. Raises ValueError for a
        strength outside (0, 1]."""
        return self._drawn(self.redrawn(prompts, pixels, generator, strength=strength))

    def redrawn(self, prompts: Sequence[str], pixels: Tensor, generator: torch.Generator, *, strength: float = 0.6) -> Tensor:
        """`redraw`'s pixels (n, 3, height, width) alone, differentiably in `pixels`, through all of the steps."""
        times = self._late(strength)
        return self.decode(self._walk(prompts, self._noised(pixels, times, generator)[0], times, None))

    @torch.no_grad()
    def fill(self, prompts: Sequence[str], pixels: Tensor, mask: Tensor, generator: torch.Generator) -> Pictures:
        """In-painting with a network that was not made for it: after each step the latents outside the mask are put back,
        as noisy as the step leaves them. Where mask (n, 1, height, width) is 0 the pixels come back unchanged."""
        times = self._times(self.steps)
        _, known, noise = self._noised(pixels, times, generator)
        free = nn.functional.interpolate(mask.to(known), size=known.shape[-2:], mode="nearest")

        def keep(latents: Tensor, index: int) -> Tensor:
            last = index + 1 == len(times)
            here = known if last else self.scheduler.add_noise(known, noise, times[index + 1 : index + 2])
            return here * (1 - free) + latents * free

        drawn = self.decode(self._walk(prompts, noise * self.scheduler.init_noise_sigma, times, None, keep))
        return self._drawn(pixels * (1 - mask) + drawn * mask)

    def embed_prompt(self, prompts: Sequence[str]) -> Tensor:
        """(n, tokens, d): the text tower's last states, padding among them, as Stable Diffusion takes them."""
        ids = self.tokenizer(
            list(prompts),
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            split_special_tokens=True,  # "<eos>" in a prompt is words
        )
        text: Any = self._parts.text_encoder
        rows = {key: torch.tensor(ids[key], device=text.device) for key in ("input_ids", "attention_mask")}
        mask = rows["attention_mask"] if getattr(text.config, "use_attention_mask", False) else None
        states: Tensor = text(input_ids=rows["input_ids"], attention_mask=mask)[0]
        return states

    def whole_words(self) -> dict[int, str]:
        """By token, the words that are one token each and stay that token when a prompt is written with them."""
        special = set(self.tokenizer.all_special_ids)
        found = {}
        for number in range(len(self.tokenizer)):
            word = self.tokenizer.decode([number]).strip()
            if number not in special and word.isalpha() and self._ids(word) == [number]:
                found[number] = word
        return found

    def embed_tokens(self, ids: Tensor) -> Tensor:
        """(n, length) tokens of prompts to (n, d): the state in which the text tower ends each, by which prompts are compared."""
        return self._ended(ids, None)

    def token_gradient(self, ids: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """(length, tokens): how the loss of one prompt's (1, d) state would change, to first order, with each token at each place."""
        table: Any = self._parts.text_encoder.get_input_embeddings()  # type: ignore[operator]
        weights: Tensor = table.weight
        point = weights[ids].detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(self._ended(ids[None], point[None])).sum(), point)
        return gradient @ weights.T

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])

    def _ended(self, ids: Tensor, embedded: Tensor | None) -> Tensor:
        """The last state of prompts of these tokens; embedded (n, length, d) stands in for their embeddings."""
        text: Any = self._parts.text_encoder
        length = ids.shape[1]
        # What stands around every prompt; the text tower looks back alone, so that what pads it does not matter.
        *before, end = self.tokenizer("")["input_ids"]
        begins = len(before)
        rows = torch.tensor([[*before, *row, end] for row in ids.tolist()], device=text.device)

        def put(_module: Any, _given: Any, found: Tensor) -> Tensor:
            return found if embedded is None else torch.cat([found[:, :begins], embedded, found[:, begins + length :]], dim=1)

        hook = text.get_input_embeddings().register_forward_hook(put)
        try:
            states: Tensor = text(input_ids=rows)[0]
        finally:
            hook.remove()
        return nn.functional.normalize(states[:, begins + length], dim=1)

    def encode(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) in [0, 1] to latents (n, c, h, w) of about unit variance: the posterior's mean."""
        config = self._vae.config
        latents: Tensor = self._vae.encode(pixels.to(self._unet.device) * 2 - 1).latent_dist.mean
        return (latents - (config.shift_factor or 0.0)) * config.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pixels in [0, 1], differentiably within the range."""
        config = self._vae.config
        pixels: Tensor = self._vae.decode(latents / config.scaling_factor + (config.shift_factor or 0.0)).sample
        return (pixels / 2 + 0.5).clamp(0.0, 1.0)

    def denoising_loss(self, prompts: Sequence[str], pixels: Tensor, generator: torch.Generator) -> Tensor:
        """(n,) mean squared error of the predicted noise, at one time each, uniform over the schedule."""
        latents = self.encode(pixels)
        drawn = torch.randint(len(self.scheduler.alphas_cumprod), (len(latents),), generator=generator, device=generator.device)
        times = drawn.to(latents.device)
        noise = self._noise(latents.shape, generator)
        noisy = self.scheduler.add_noise(latents, noise, times)
        output = self._unet(noisy, times, encoder_hidden_states=self.embed_prompt(prompts)).sample
        predicted = self._as_noise(output, noisy, times)
        return (predicted - noise).square().flatten(1).mean(1)

    def flagged(self, pixels: Tensor) -> Tensor | None:
        return None if self.checker is None else self.checker.flagged(pixels)

    def withheld_scores(self, pixels: Tensor) -> Tensor | None:
        """(n, concepts) by how much each restricted concept is above the safety checker's threshold, differentiably; None without one."""
        return None if self.checker is None else self.checker.scores(pixels)

    @property
    def _shrinks(self) -> int:
        return 2 ** (len(self._vae.config.block_out_channels) - 1)

    def _noise(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return torch.randn(tuple(shape), generator=generator, device=generator.device).to(self._unet.device)

    def _drawn(self, pixels: Tensor) -> Pictures:
        return Pictures(pixels, self.flagged(pixels))

    def _times(self, steps: int) -> Tensor:
        self.scheduler.set_timesteps(steps, device=self._unet.device)
        return torch.as_tensor(self.scheduler.timesteps, device=self._unet.device)

    def _late(self, strength: float) -> Tensor:
        if not 0.0 < strength <= 1.0:
            raise ValueError(f"strength is {strength}; a number in (0, 1] is accepted")
        return self._times(self.steps)[self.steps - max(1, min(int(self.steps * strength), self.steps)) :]

    def _noised(self, pixels: Tensor, times: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """The picture's latents as noisy as the first time wants them, the clean latents, and the noise."""
        clean = self.encode(pixels)
        noise = self._noise(clean.shape, generator)
        return self.scheduler.add_noise(clean, noise, times[:1]), clean, noise

    def _walk(
        self,
        prompts: Sequence[str],
        latents: Tensor,
        times: Tensor,
        guidance: float | None,
        keep: Callable[[Tensor, int], Tensor] | None = None,
    ) -> Tensor:
        """Denoise step by step with classifier-free guidance; keep(latents, index) mends them after each step."""
        scale = self.guidance if guidance is None else guidance
        guided = scale > 1.0
        states = self.embed_prompt([*[""] * len(prompts), *prompts] if guided else prompts)
        for index, time in enumerate(times):
            doubled = self.scheduler.scale_model_input(torch.cat([latents, latents]) if guided else latents, time)
            output = self._unet(doubled, time, encoder_hidden_states=states).sample
            if guided:
                free, asked = output.chunk(2)
                output = free + scale * (asked - free)
            latents = self.scheduler.step(output, time, latents).prev_sample
            latents = latents if keep is None else keep(latents, index)
        return latents

    def _as_noise(self, output: Tensor, noisy: Tensor, times: Tensor) -> Tensor:
        """What the network predicts, read as noise. Raises ValueError for a prediction type other than diffusers' three."""
        kind = self.scheduler.config.prediction_type
        if kind == "epsilon":
            return output
        signal = self.scheduler.alphas_cumprod.to(noisy)[times].view(-1, 1, 1, 1)
        if kind == "v_prediction":
            return signal.sqrt() * output + (1 - signal).sqrt() * noisy
        if kind == "sample":
            return (noisy - signal.sqrt() * output) / (1 - signal).sqrt().clamp(min=1e-6)
        raise ValueError(f"prediction_type is {kind!r}; epsilon, v_prediction and sample are accepted")
