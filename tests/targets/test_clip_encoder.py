"""ClipEncoder from parts: protocols, gradients, independent clones, the audio tower's log-mel."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hartley.targets.audio_tower import LogMel
from hartley.targets.clip import ClipEncoder, Normalize, folder_fingerprint
from hartley.targets.protocols import Encoder, Trainable
from hartley.targets.reference.encoder.architecture import build_audio, build_clip, build_tokenizer
from hartley.targets.reference.saving import initialize

SIZE = (48, 48)


@pytest.fixture(scope="module")
def encoder() -> ClipEncoder:
    tokenizer = build_tokenizer()
    clip, audio = build_clip(len(tokenizer)), build_audio()
    generator = torch.Generator().manual_seed(0)
    initialize(clip, generator)
    initialize(audio, generator)
    normalize = Normalize((0.5, 0.4, 0.3), (0.2, 0.25, 0.3), SIZE)
    return ClipEncoder(
        name="tiny", clip=clip, tokenizer=tokenizer, preprocess=normalize, image_size=SIZE, fingerprint="f" * 64, audio=audio
    )


def pixels(count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, *SIZE, generator=torch.Generator().manual_seed(seed))


def waveform(count: int = 2, samples: int = 48_000) -> torch.Tensor:
    return torch.rand(count, samples, generator=torch.Generator().manual_seed(1)) - 0.5


def test_it_satisfies_both_protocols(encoder: ClipEncoder) -> None:
    assert isinstance(encoder, Encoder) and isinstance(encoder, Trainable)
    assert encoder.modalities == {"image", "text", "audio"} and {"grad", "score", "train"} <= encoder.capabilities
    assert encoder.image_size == SIZE and encoder.sample_rate == 16_000 and encoder.logit_scale > 1.0


def test_embeddings_have_unit_norm_in_one_space(encoder: ClipEncoder) -> None:
    for embedded in (encoder.embed_image(pixels()), encoder.embed_text(["a seven", "", "qwerty!"]), encoder.embed_audio(waveform())):
        assert embedded.shape[1] == 64
        assert torch.allclose(embedded.norm(dim=1), torch.ones(len(embedded)), atol=1e-5)


def test_gradients_reach_pixels_and_waveform_and_no_parameter(encoder: ClipEncoder) -> None:
    image, sound = pixels().requires_grad_(), waveform().requires_grad_()
    total = encoder.embed_image(image)[:, 0].sum() + encoder.embed_audio(sound)[:, 0].sum()
    to_image, to_sound = torch.autograd.grad(total, (image, sound))
    assert bool((to_image.abs().amax((1, 2, 3)) > 0).all()) and bool((to_sound.abs().amax(1) > 0).all())
    assert not any(parameter.requires_grad for parameter in encoder.module.parameters())


def test_a_clone_trains_without_touching_its_origin(encoder: ClipEncoder) -> None:
    before = encoder.embed_text(["a seven"])
    twin = encoder.clone()
    untrained = twin.fingerprint
    twin.module.requires_grad_(True)
    twin.embed_text(["a seven"]).sum().backward()
    with torch.no_grad():
        for parameter in twin.module.parameters():
            if parameter.grad is not None:
                parameter.sub_(0.1 * parameter.grad)
    assert torch.equal(encoder.embed_text(["a seven"]), before)
    assert not torch.allclose(twin.embed_text(["a seven"]), before)
    assert twin.fingerprint != untrained and encoder.fingerprint == "f" * 64
    assert not any(parameter.requires_grad for parameter in encoder.module.parameters())


def test_text_is_cut_lowered_and_unknown_words_are_one_token(encoder: ClipEncoder) -> None:
    long = " ".join(["seven"] * 100)
    assert torch.allclose(encoder.embed_text([long]), encoder.embed_text([long + " red"]), atol=1e-6)
    assert torch.allclose(encoder.embed_text(["A Red SEVEN"]), encoder.embed_text(["a red seven"]), atol=1e-6)
    assert torch.allclose(encoder.embed_text(["a xylophone"]), encoder.embed_text(["a gnu"]), atol=1e-6)
    assert encoder.embed_text([]).shape == (0, 64)


def test_what_a_text_is_batched_with_does_not_matter(encoder: ClipEncoder) -> None:
    alone = encoder.embed_text(["seven"])
    beside = encoder.embed_text(["a picture of the digit seven in red at the top left", "seven"])[1:]
    assert torch.allclose(alone, beside, atol=1e-5)


def test_the_text_tower_pools_at_the_end(encoder: ClipEncoder) -> None:
    ids = encoder.tokenizer(["a red seven"])["input_ids"][0]
    assert ids[0] == 1 and ids[-1] == 3
    assert encoder.module.clip.config.text_config.eos_token_id == 3  # type: ignore[union-attr]
    first, second = encoder.embed_text(["zero a red", "zero a blue"])
    assert not torch.allclose(first, second, atol=1e-3)


def test_another_picture_size_is_refused_with_both_sizes(encoder: ClipEncoder) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 50, 48\).*\(n, 3, 48, 48\)"):
        encoder.embed_image(torch.rand(2, 3, 50, 48))


def test_without_an_audio_tower_speech_is_refused(encoder: ClipEncoder) -> None:
    deaf = ClipEncoder(
        name="deaf",
        clip=build_clip(10),
        tokenizer=encoder.tokenizer,
        preprocess=encoder.preprocess,
        image_size=SIZE,
        fingerprint="0",
    )
    assert deaf.modalities == {"image", "text"} and deaf.sample_rate == 16_000
    with pytest.raises(ValueError, match="deaf has no audio tower"):
        deaf.embed_audio(waveform())


def test_log_mel_equals_the_whisper_extractor() -> None:
    from transformers import WhisperFeatureExtractor

    theirs = WhisperFeatureExtractor(feature_size=40, hop_length=400, chunk_length=3, n_fft=400)
    sound = waveform(2)
    expected = theirs(list(sound.numpy()), sampling_rate=16_000, return_tensors="np")["input_features"]
    assert np.abs(LogMel()(sound).numpy() - expected).max() < 1e-3


def test_log_mel_gradient_equals_a_difference_quotient() -> None:
    front = LogMel().double()
    sound = waveform(1).double().requires_grad_()
    direction = torch.randn(sound.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (gradient,) = torch.autograd.grad(front(sound).square().sum(), sound)
    with torch.no_grad():
        step = 1e-6
        quotient = (front(sound + step * direction).square().sum() - front(sound - step * direction).square().sum()) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(quotient), rel=1e-4)


@pytest.mark.parametrize("samples", [100, 48_000, 60_000])
def test_any_length_of_sound_is_fitted_to_three_seconds(samples: int) -> None:
    assert LogMel()(waveform(1, samples)).shape == (1, 40, 120)


def test_silence_has_a_finite_gradient() -> None:
    silence = torch.zeros(1, 48_000, requires_grad=True)
    (gradient,) = torch.autograd.grad(LogMel()(silence).sum(), silence)
    assert bool(gradient.isfinite().all())


def test_the_fingerprint_is_of_weights_and_settings_not_of_reports(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    first = folder_fingerprint(tmp_path)
    (tmp_path / "abilities.json").write_text("{}")
    assert folder_fingerprint(tmp_path) == first
    (tmp_path / "model.safetensors").write_bytes(b"abd")
    assert folder_fingerprint(tmp_path) != first
