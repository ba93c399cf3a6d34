"""Defenses: each wraps an encoder, is an encoder, and does what its row says."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from hartley import catalog
from hartley.defenses.model.alignment_filter import DEFENSE as FILTER
from hartley.defenses.model.alignment_filter import alignment
from hartley.defenses.model.bit_reduction import DEFENSE as BITS
from hartley.defenses.model.defense import TrainingDefense
from hartley.defenses.model.embedding_noise import DEFENSE as NOISE
from hartley.defenses.model.jpeg import DEFENSE as JPEG
from hartley.targets.protocols import Encoder

ALL = (BITS, JPEG, FILTER, NOISE)


class Plain:
    """The mean color of each cell of a 4 x 4 grid; texts by length: enough to see what reaches the encoder."""

    name, fingerprint, logit_scale, sample_rate, image_size = "plain", "plain-1", 10.0, 16_000, None
    capabilities = frozenset({"grad", "score", "train"})
    modalities = frozenset({"image", "text", "audio"})

    def embed_image(self, pixels):
        return functional.normalize(functional.adaptive_avg_pool2d(pixels, 4).flatten(1), dim=1)

    def embed_text(self, texts):
        rows = torch.stack([torch.randn(48, generator=torch.Generator().manual_seed(len(text))) for text in texts])
        return functional.normalize(rows, dim=1)

    def embed_audio(self, waveform):
        return functional.normalize(waveform[:, :48], dim=1)


@pytest.fixture
def images():
    return (torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255).round() / 255


@pytest.mark.parametrize("defense", ALL, ids=lambda defense: defense.id)
def test_a_wrapped_target_is_a_target_and_defenses_compose(defense, images):
    inner = Plain()
    wrapped = BITS.wrap(defense.wrap(inner, seed=1), seed=1)
    assert isinstance(wrapped, Encoder)
    embedding = wrapped.embed_image(images)
    assert embedding.shape == (6, 48)
    assert torch.allclose(embedding.norm(dim=1), torch.ones(6), atol=1e-5)
    assert "train" not in wrapped.capabilities
    assert wrapped.fingerprint != inner.fingerprint


@pytest.mark.parametrize("defense", ALL, ids=lambda defense: defense.id)
def test_declarations_agree_with_the_catalog_and_with_behavior(defense, images):
    row = catalog.defense(defense.id)
    assert (row.stage, row.differentiable, row.stochastic) == (defense.stage, defense.differentiable, defense.stochastic)
    wrapped = defense.wrap(Plain(), seed=5)
    first, second = wrapped.embed_image(images), wrapped.embed_image(images)
    assert torch.equal(first, second) is not defense.stochastic
    assert torch.equal(defense.wrap(Plain(), seed=5).embed_image(images), first)


@pytest.mark.parametrize("defense", [BITS, JPEG, NOISE], ids=lambda defense: defense.id)
def test_straight_through_answers_the_same_and_lets_the_gradient_pass(defense, images):
    plain, through = defense.wrap(Plain(), seed=2), defense.wrap(Plain(), straight_through=True, seed=2)
    point = images.clone().requires_grad_(True)
    embedding = through.embed_image(point)
    draws = 4_000 if defense.stochastic else 1
    expected = functional.normalize(sum(plain.embed_image(images) for _ in range(draws)), dim=1)
    # A stochastic defense is attacked through the mean of its releases, which is their expectation up to sampling noise.
    assert torch.allclose(embedding, expected, atol=0.05 if defense.stochastic else 1e-5)
    (gradient,) = torch.autograd.grad(embedding[:, 0].sum(), point)
    assert (gradient.flatten(1).abs().amax(1) > 0).all()


def test_bit_reduction_leaves_so_many_levels():
    ramp = torch.linspace(0, 1, 1000).reshape(1, 1, 1, 1000).expand(1, 3, 1, 1000)
    seen = []

    class Spy(Plain):
        def embed_image(self, pixels):
            seen.append(pixels)
            return super().embed_image(pixels)

        def embed_audio(self, waveform):
            seen.append(waveform)
            return super().embed_audio(waveform)

    wrapped = BITS.wrap(Spy())
    wrapped.embed_image(ramp)
    wrapped.embed_audio(torch.linspace(-1, 1, 5000)[None])
    assert len(seen[0].unique()) == 2**BITS.image_bits
    assert len(seen[1].unique()) == 2**BITS.audio_bits - 1
    assert BITS.wrap(Spy()).embed_audio(torch.zeros(1, 100)).abs().max() == 0


def test_jpeg_is_the_library_s_own_round_trip(images):
    picture = (images[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=JPEG.quality)
    slow = np.asarray(Image.open(buffer).convert("RGB"))
    assert np.array_equal((JPEG.compress(images)[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy(), slow)


def test_embedding_noise_has_the_norm_it_names():
    embedding = functional.normalize(torch.randn(4000, 64, generator=torch.Generator().manual_seed(0)), dim=1)

    class Fixed(Plain):
        def embed_image(self, pixels):
            return embedding

    released = NOISE.wrap(Fixed(), seed=1).embed_image(torch.zeros(1))
    cosine = (released * embedding).sum(1).mean()
    # Rounding to a grid of g / sqrt(d) adds noise of norm g / sqrt(12), whatever d is.
    expected = 1 / (1 + NOISE.noise**2 + NOISE.grid**2 / 12) ** 0.5
    assert float(cosine) == pytest.approx(expected, abs=0.01)


def test_alignment_filter_fits_its_threshold_on_clean_pairs_alone():
    generator = torch.Generator().manual_seed(0)
    directions = functional.normalize(torch.randn(3, 48, generator=generator), dim=1)

    class Words(Plain):
        def embed_text(self, texts):
            return directions[torch.tensor([int(text) for text in texts])]

        def embed_image(self, pixels):
            return functional.normalize(pixels.flatten(1)[:, :48], dim=1)

    def draw(count):
        labels = torch.randint(3, (count,), generator=generator)
        noise = torch.randn(count, 48, generator=generator) * 0.1
        return (directions[labels] + noise).reshape(count, 3, 4, 4), [str(label) for label in labels.tolist()]

    assert isinstance(FILTER, TrainingDefense)
    clean, clean_texts = draw(400)
    images, texts = draw(300)
    swapped = [str((int(text) + 1) % 3) if row < 30 else text for row, text in enumerate(texts)]
    kept = FILTER.keep(Words(), images, swapped, clean, clean_texts)
    assert (~kept.mask[:30]).float().mean() > 0.9
    assert kept.mask[30:].float().mean() > 0.85
    assert kept.checked == 200 and kept.false_positives < 30
    alone = FILTER.keep(Words(), images[:50], swapped[:50], clean, clean_texts)
    assert alone.threshold == kept.threshold, "the training set must not move the threshold"
    assert torch.equal(kept.mask, alignment(Words(), images, swapped) >= kept.threshold)
    with pytest.raises(ValueError, match="at least 40"):
        FILTER.keep(Words(), images, swapped, clean[:10], clean_texts[:10])
