"""What a defense of a model does to a number: on fakes that keep what reached them, against the right answer by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from hartley.defenses.model.alignment_filter import AlignmentFilter
from hartley.defenses.model.bit_reduction import BitReduction
from hartley.defenses.model.embedding_noise import DRAWS, EmbeddingNoise
from hartley.defenses.model.jpeg import Jpeg

SIZE = 12


class Keeping:
    """An encoder that keeps all that reached it. Embeddings are fixed directions of the input."""

    name, fingerprint, logit_scale, sample_rate, image_size = "plain", "plain-1", 10.0, 16_000, (8, 8)
    capabilities = frozenset({"grad", "score", "train"})
    modalities = frozenset({"image", "text", "audio"})

    def __init__(self):
        self.pictures, self.waveforms, self.texts = [], [], []
        self.into = torch.randn(3 * 64, SIZE, generator=seeded(3))

    def embed_image(self, pixels):
        self.pictures.append(pixels.detach())
        return functional.normalize(pixels.flatten(1).to(torch.float32) @ self.into, dim=1)

    def embed_audio(self, waveform):
        self.waveforms.append(waveform.detach())
        return functional.normalize(waveform[:, :SIZE], dim=1)

    def embed_text(self, texts):
        self.texts.append(list(texts))
        return functional.normalize(torch.stack([torch.randn(SIZE, generator=seeded(len(text))) for text in texts]), dim=1)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pictures():
    return torch.rand(4, 3, 8, 8, generator=seeded(0))


@pytest.fixture
def waveforms():
    return torch.rand(4, 100, generator=seeded(1)) * 2 - 1


def test_a_wrapped_target_is_named_after_its_defense_and_its_settings():
    """The fingerprint is what cached answers are kept under: two settings under one name would share their numbers."""
    for defense, own in (
        (BitReduction(), "bit-reduction(4, 8)"),
        (BitReduction(3, 6), "bit-reduction(3, 6)"),
        (Jpeg(), "jpeg(75)"),
        (Jpeg(10), "jpeg(10)"),
        (EmbeddingNoise(), "embedding-noise(0.3, 0.5)"),
        (EmbeddingNoise(0.1, 0.2), "embedding-noise(0.1, 0.2)"),
    ):
        for through in (False, True):
            wrapped = defense.wrap(Keeping(), straight_through=through)
            assert (wrapped.name, wrapped.fingerprint) == (f"plain + {own}", f"plain-1+{own}")
            assert wrapped.capabilities == {"grad", "score"} and wrapped.modalities == Keeping.modalities
            assert (wrapped.image_size, wrapped.sample_rate, wrapped.logit_scale) == ((8, 8), 16_000, 10.0)


def test_every_picture_that_is_asked_about_comes_through_the_defense(pictures):
    """Query and database, clean and attacked: whoever asks, the encoder never sees a picture as it was sent."""
    for defense in (BitReduction(), Jpeg()):
        for through in (False, True):
            inner = Keeping()
            wrapped = defense.wrap(inner, straight_through=through)
            first = wrapped.embed_image(pictures)
            wrapped.embed_image(pictures[:1])
            seen = inner.pictures[0]
            assert not torch.equal(seen, pictures)
            assert torch.allclose(inner.pictures[1], seen[:1], atol=1e-6)
            assert torch.allclose(first, Keeping().embed_image(seen), atol=1e-6)


def test_bit_reduction_rounds_to_the_grid_of_its_bits(pictures, waveforms):
    for through in (False, True):
        inner = Keeping()
        wrapped = BitReduction(image_bits=3, audio_bits=5).wrap(inner, straight_through=through)
        wrapped.embed_image(pictures)
        wrapped.embed_audio(waveforms)
        assert torch.allclose(inner.pictures[0], (pictures * 7).round() / 7, atol=1e-6)
        assert torch.allclose(inner.waveforms[0], (waveforms * 15).round() / 15, atol=1e-6)


def test_jpeg_loses_more_at_lower_quality_and_stays_a_picture(pictures):
    lost = []
    for quality in (90, 75, 20):
        inner = Keeping()
        Jpeg(quality).wrap(inner).embed_image(pictures)
        assert 0 <= inner.pictures[0].min() < inner.pictures[0].max() <= 1
        lost.append(float((inner.pictures[0] - pictures).abs().mean()))
    assert lost[0] < lost[1] < lost[2] < 0.3


def test_jpeg_takes_what_a_step_of_an_attack_has_pushed_over_the_edge_and_keeps_the_number_type(pictures):
    """Without the clamp 1.01 becomes a black pixel: the attacker would see another defense than the one that is there."""
    over = torch.cat([torch.full((1, 3, 8, 8), 1.01), torch.full((1, 3, 8, 8), -0.01)]).double()
    found = Jpeg().compress(over)
    assert found.dtype == torch.float64
    assert found[0].min() > 0.98 and found[1].max() < 0.02
    assert Jpeg().compress(torch.zeros(1, 3, 8, 8)).max() == 0 and Jpeg().compress(torch.ones(1, 3, 8, 8)).min() == 1
    assert Jpeg().compress(pictures[:, :1].expand(-1, 3, -1, -1)).shape == pictures.shape


@pytest.mark.parametrize("defense", [BitReduction(), Jpeg(), EmbeddingNoise()], ids=lambda defense: defense.id)
def test_a_gradient_passes_only_for_an_attacker_who_asks_for_it(defense, pictures, waveforms):
    """Straight-through off is the system as it is deployed; on, every carrier that the defense acts on has a gradient."""
    carriers = {"embed_image": pictures, "embed_audio": waveforms}
    if defense.id == "jpeg":
        del carriers["embed_audio"]
    for name, values in carriers.items():
        for asked in ({}, {"straight_through": False}, {"straight_through": True}):
            point = values.clone().requires_grad_(True)
            embedding = getattr(defense.wrap(Keeping(), seed=1, **asked), name)(point)
            size = torch.autograd.grad(embedding[:, 0].sum(), point, allow_unused=True)[0] if embedding.requires_grad else None
            passes = size is not None and bool(size.abs().max() > 0)
            assert passes is asked.get("straight_through", False), (name, asked)


def released(embedding, noise, grid, generator):
    """The release by hand: noise of the norm it names, then a grid."""
    width = embedding.shape[1] ** 0.5
    noisy = embedding + noise / width * torch.randn(embedding.shape, generator=generator)
    return (noisy * width / grid).round() * grid / width


def test_embedding_noise_is_what_it_names_from_its_own_seed(pictures):
    clean = Keeping().embed_image(pictures)
    for seed in (0, 5, 6, 2**62 + 5):
        wrapped, generator = EmbeddingNoise(0.4, 0.3).wrap(Keeping(), seed=seed), seeded(seed)
        for _ in range(2):  # every release draws anew
            assert torch.allclose(
                wrapped.embed_image(pictures), functional.normalize(released(clean, 0.4, 0.3, generator), dim=1), atol=1e-6
            )
    plain = EmbeddingNoise(0.4, 0.3)
    first = plain.wrap(Keeping()).embed_image(pictures)
    assert torch.equal(first, plain.wrap(Keeping(), seed=0).embed_image(pictures))
    assert torch.equal(first, plain.wrap(Keeping(), seed=2**63).embed_image(pictures)), "seeds of any size are taken"
    assert not torch.equal(first, plain.wrap(Keeping(), seed=1).embed_image(pictures))


def test_whoever_attacks_through_the_noise_averages_over_its_draws(pictures):
    """Expectation over the noise (Athalye et al., 2018): the attacker's answer is the mean of DRAWS releases, the service's is one."""
    clean, generator = Keeping().embed_image(pictures), seeded(7)
    mean = sum(released(clean, 0.4, 0.3, generator) for _ in range(DRAWS)) / DRAWS
    through = EmbeddingNoise(0.4, 0.3).wrap(Keeping(), straight_through=True, seed=7).embed_image(pictures)
    assert torch.allclose(through, functional.normalize(mean, dim=1), atol=1e-6)
    one = EmbeddingNoise(0.4, 0.3).wrap(Keeping(), seed=7).embed_image(pictures)
    assert (through * clean).sum(1).mean() > (one * clean).sum(1).mean(), "an average of releases is nearer to what the model knows"


def test_noise_falls_on_texts_and_sounds_as_on_pictures(waveforms):
    wrapped, generator = EmbeddingNoise(0.4, 0.3).wrap(Keeping(), seed=2), seeded(2)
    for found, clean in (
        (wrapped.embed_text(["a", "bc"]), Keeping().embed_text(["a", "bc"])),
        (wrapped.embed_audio(waveforms), Keeping().embed_audio(waveforms)),
    ):
        assert torch.allclose(found, functional.normalize(released(clean, 0.4, 0.3, generator), dim=1), atol=1e-6)
    inner = Keeping()
    assert torch.allclose(BitReduction().wrap(inner).embed_text(["a", "bc"]), Keeping().embed_text(["a", "bc"]), atol=1e-6)
    assert inner.texts == [["a", "bc"]]


class Scored:
    """Pairs whose cosine is what the picture's first pixel says."""

    def embed_image(self, pixels):
        score = pixels[:, 0, 0, 0]
        return torch.stack([score, (1 - score**2).sqrt()], dim=1)

    def embed_text(self, texts):
        return torch.tensor([[1.0, 0.0]]).expand(len(texts), 2)


def scored(scores):
    return torch.tensor(scores)[:, None, None, None].expand(-1, 3, 2, 2), ["text"] * len(scores)


def test_the_filter_s_threshold_comes_from_one_half_of_the_clean_pairs_and_is_judged_on_the_other():
    """Rows 0, 2, 4, ... set it; rows 1, 3, 5, ... count its false positives; what stands exactly on it is kept."""
    clean = [0.5 if row % 2 == 0 else (0.25 if row < 6 else 0.5) for row in range(40)]
    kept = AlignmentFilter().keep(Scored(), *scored([0.5, 0.25, 0.75, 0.49]), *scored(clean))
    assert kept.threshold == 0.5
    assert kept.mask.tolist() == [True, False, True, False]
    assert (kept.false_positives, kept.checked) == (3, 20)
    with pytest.raises(ValueError, match="at least 40 clean held-out pairs, got 39"):
        AlignmentFilter().keep(Scored(), *scored([0.5]), *scored(clean[:39]))


def test_poison_cannot_move_the_filter_s_threshold():
    """A threshold fitted on the training set would follow the poison down, and let it pass."""
    generator = seeded(0)
    clean = (0.6 + 0.2 * torch.rand(200, generator=generator)).tolist()
    for poison in (10, 400):
        kept = AlignmentFilter(0.1).keep(Scored(), *scored([0.2] * poison + clean[:50]), *scored(clean))
        assert kept.threshold == pytest.approx(float(torch.tensor(clean[::2]).quantile(0.1)))
        assert not kept.mask[:poison].any() and kept.mask[poison:].float().mean() > 0.8


def test_a_filter_of_training_pairs_leaves_the_trained_model_as_it_is():
    inner = Keeping()
    assert AlignmentFilter().wrap(inner) is AlignmentFilter().wrap(inner, straight_through=True, seed=3) is inner
