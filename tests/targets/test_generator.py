"""Stable Diffusion as a target: it draws what diffusers' pipelines draw, from one generator, and gradients reach the pixels."""

from __future__ import annotations

import pytest
import torch

from hartley.targets.diffusion import StableDiffusion
from hartley.targets.protocols import Generator
from hartley.targets.reference.generator import FOLDER, load
from hartley.targets.reference.generator.world import draw_pictures, draw_restricted
from hartley.targets.reference.language import concepts_at, draw_concepts
from hartley.training.generator.abilities import quadrant

PROMPTS = ["a red two at the top left", "a blue six at the bottom right"]


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def target() -> StableDiffusion:
    generator = load()
    generator.steps = 6
    return generator


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    return draw_pictures(concepts_at(torch.tensor([48, 155])), seeded(), part="held-out")


def test_it_is_a_generator_with_frozen_weights(target: StableDiffusion) -> None:
    assert isinstance(target, Generator) and target.image_size == (32, 32)
    assert not any(parameter.requires_grad for parameter in target.module.parameters()) and not target.module.training
    assert {parameter.dtype for parameter in target.module.parameters()} == {torch.float32}
    assert len(target.fingerprint) == 64 and target.fingerprint == load().fingerprint


def test_the_same_seed_draws_the_same_picture_and_leaves_the_global_state(target: StableDiffusion) -> None:
    before = torch.random.get_rng_state()
    first, second = target.generate(PROMPTS, seeded()), target.generate(PROMPTS, seeded())
    assert torch.equal(first.pixels, second.pixels) and first.pixels.shape == (2, 3, 32, 32)
    assert float(first.pixels.min()) >= 0 and float(first.pixels.max()) <= 1
    assert not torch.equal(first.pixels, target.generate(PROMPTS, seeded(4)).pixels)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_it_draws_what_the_pipeline_of_diffusers_draws_from_its_folder(target: StableDiffusion, guidance: float) -> None:
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(FOLDER, dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    drawn = pipe(PROMPTS, generator=seeded(), num_inference_steps=5, guidance_scale=guidance, output_type="pt").images
    ours = target.generate(PROMPTS, seeded(), steps=5, guidance=guidance).pixels
    assert torch.allclose(ours, drawn, atol=1e-4)


def test_gradients_reach_the_pixels(target: StableDiffusion, pictures: torch.Tensor) -> None:
    pixels = pictures.clone().requires_grad_()
    assert target.checker is not None
    for value in (
        target.encode(pixels).square(),
        target.denoising_loss(PROMPTS, pixels, seeded()),
        target.checker.scores(pixels),
        target.decode(target.encode(pixels)),
    ):
        (gradient,) = torch.autograd.grad(value.sum(), pixels)
        assert bool((gradient.flatten(1).abs().amax(1) > 0).all())


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_the_loss_is_that_of_the_noise_whatever_is_predicted(target: StableDiffusion, pictures: torch.Tensor, kind: str) -> None:
    twin = target.clone()
    twin.scheduler.register_to_config(prediction_type=kind)
    latents = twin.encode(pictures)
    times, noise = torch.tensor([300, 600]), torch.randn(latents.shape, generator=seeded())
    noisy = twin.scheduler.add_noise(latents, noise, times)
    perfect = {"epsilon": noise, "v_prediction": twin.scheduler.get_velocity(latents, noise, times), "sample": latents}[kind]
    assert torch.allclose(twin._as_noise(perfect, noisy, times), noise, atol=1e-3)


def test_a_prompt_fits_its_picture_better_than_another(target: StableDiffusion, pictures: torch.Tensor) -> None:
    rounds = range(12)
    right = torch.stack([target.denoising_loss(PROMPTS, pictures, seeded(i)) for i in rounds]).mean(0)
    wrong = torch.stack([target.denoising_loss(PROMPTS[::-1], pictures, seeded(i)) for i in rounds]).mean(0)
    assert bool((right < wrong).all())


def test_a_little_redrawing_stays_near_and_much_does_not(target: StableDiffusion, pictures: torch.Tensor) -> None:
    back = target.decode(target.encode(pictures))
    little = target.redraw(PROMPTS, pictures, seeded(), strength=0.17).pixels
    much = target.redraw(PROMPTS[::-1], pictures, seeded(), strength=1.0).pixels
    assert float((little - back).abs().mean()) < 0.05 < float((much - back).abs().mean())
    for strength in (0.0, 1.5):
        with pytest.raises(ValueError, match="strength is"):
            target.redraw(PROMPTS, pictures, seeded(), strength=strength)


def test_filling_in_keeps_what_is_not_masked(target: StableDiffusion, pictures: torch.Tensor) -> None:
    mask = quadrant(concepts_at(torch.tensor([48, 155])))
    filled = target.fill(PROMPTS[::-1], pictures, mask, seeded()).pixels
    assert torch.equal(filled * (1 - mask), pictures * (1 - mask))
    assert float(((filled - pictures).abs() * mask).sum() / mask.sum()) > 0.05


def test_the_checker_says_what_that_of_diffusers_says(target: StableDiffusion) -> None:
    some = torch.cat([draw_pictures(draw(12, seeded(6)), seeded(7), part="held-out") for draw in (draw_restricted, draw_concepts)])
    checker = target.checker
    assert checker is not None
    _, theirs = checker.module(checker.preprocess(some), [*some.permute(0, 2, 3, 1).clone()])
    flagged = target.flagged(some)
    assert flagged is not None and flagged.tolist() == theirs
    assert bool(flagged.any()) and not bool(flagged.all())


def test_special_care_lowers_the_thresholds(target: StableDiffusion, pictures: torch.Tensor) -> None:
    from hartley.targets.checker import CARE, SafetyChecker

    assert target.checker is not None
    plain = target.checker.scores(pictures)
    module = target.checker.module
    nothing = module.special_care_embeds, module.special_care_embeds_weights
    try:
        module.special_care_embeds = torch.nn.Parameter(module.concept_embeds[:1].clone(), requires_grad=False)
        module.special_care_embeds_weights = torch.nn.Parameter(torch.tensor([-2.0]), requires_grad=False)
        assert torch.allclose(SafetyChecker(module, target.checker.preprocess).scores(pictures), plain + CARE, atol=1e-6)
    finally:
        module.special_care_embeds, module.special_care_embeds_weights = nothing


def test_a_clone_has_weights_of_its_own(target: StableDiffusion) -> None:
    twin = target.clone()
    assert twin.fingerprint != target.fingerprint
    before = twin.fingerprint
    with torch.no_grad():
        next(twin.module.unet.parameters()).add_(0.1)
    assert twin.fingerprint != before and target.fingerprint == load().fingerprint


def test_parts_that_do_not_fit_are_refused(target: StableDiffusion) -> None:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    other = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=4)
    with pytest.raises(ValueError, match="takes 8 channels, the autoencoder's latents have 4"):
        StableDiffusion(
            name="x",
            vae=other,
            unet=target.module.unet,
            text_encoder=target.module.text_encoder,
            tokenizer=target.tokenizer,
            scheduler=target.scheduler,
            fingerprint="x",
        )


def test_text_of_a_user_is_words_and_no_special_token(target: StableDiffusion) -> None:
    typed, unknown, plain = target.embed_prompt(["a red two <eos> at", "a red two # # # at", "a red two at"])
    assert torch.equal(typed, unknown) and not torch.equal(typed, plain)
