"""Loading a user's CLIP folder: it answers as transformers does, with gradients, and verifies saved pictures."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from hartley.data.folder import FolderData
from hartley.targets import huggingface
from hartley.targets.audio_tower import AudioTower, LogMel
from hartley.targets.protocols import Trainable

KINDS = ("byte pairs", "byte pairs, legacy", "words", "sharded", "crop")
SIDE = 32


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_becomes_an_encoder(clip_folders, kind, no_network, capfd):
    assert kind != "sharded" or len(list(clip_folders[kind].glob("model-*-of-*.safetensors"))) > 1
    encoder = huggingface.load(clip_folders[kind])
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert isinstance(encoder, Trainable)
    assert encoder.name == f"hf:{clip_folders[kind].name}"
    assert encoder.capabilities >= {"grad", "score", "train"} and encoder.modalities == {"image", "text"}
    assert encoder.image_size == ((40, 40) if kind == "crop" else (SIDE, SIDE))
    assert encoder.logit_scale == pytest.approx(np.exp(2.6592), rel=1e-4)
    texts = encoder.embed_text(["a photo of my cat", "red", ""])
    images = encoder.embed_image(torch.rand(2, 3, *encoder.image_size))
    for embeddings in (texts, images):
        assert embeddings.shape[1] == 16 and torch.allclose(embeddings.norm(dim=-1), torch.ones(len(embeddings)), atol=1e-5)
    assert encoder.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_are_those_of_transformers_itself(clip_folders, kind):
    """The folder through AutoModel, the tokenizer and the processor, as a user would run it."""
    from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel

    encoder, model = huggingface.load(clip_folders[kind]), CLIPModel.from_pretrained(clip_folders[kind])
    texts = ["a photo of my red cat", "bird"]
    tokens = AutoTokenizer.from_pretrained(clip_folders[kind])(texts, padding=True, return_tensors="pt")
    stored = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (60, 50, 3), dtype=np.uint8)) for i in range(3)]
    pixels = CLIPImageProcessorPil.from_pretrained(clip_folders[kind])(images=stored, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        expected = torch.nn.functional.normalize(model.get_text_features(**tokens).pooler_output, dim=-1)
        seen = torch.nn.functional.normalize(model.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
        raw = torch.stack([torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1) / 255 for picture in stored])
        assert torch.allclose(encoder.embed_text(texts), expected, atol=1e-5)
        assert torch.allclose(encoder.embed_saved([np.asarray(picture) for picture in stored]), seen, atol=1e-5)
        assert float((encoder.embed_image(raw) * seen).sum(dim=-1).min()) > 0.999  # resized by the differentiable twin


@pytest.mark.parametrize("kind", ["byte pairs", "words", "crop"])
def test_saved_pictures_embed_as_the_pixels_do(clip_folders, kind):
    encoder = huggingface.load(clip_folders[kind])
    stored = np.random.default_rng(0).integers(0, 256, (40, *encoder.image_size, 3), dtype=np.uint8)
    files = []
    for picture in stored:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, format="PNG")
        files.append(buffer.getvalue())
    with torch.no_grad():
        direct = encoder.embed_image(torch.from_numpy(stored).permute(0, 3, 1, 2).float() / 255)
    assert torch.allclose(encoder.embed_saved(files), direct, atol=1e-6)
    assert torch.allclose(encoder.embed_saved(stored), direct, atol=1e-6)
    assert encoder.embed_saved([]).shape == (0, 16)


@pytest.mark.parametrize("kind", ["byte pairs", "crop"])
def test_the_gradient_reaches_the_pixels_and_lowers_the_loss(clip_folders, kind):
    encoder = huggingface.load(clip_folders[kind])
    pixels = torch.full((2, 3, *encoder.image_size), 0.5, requires_grad=True)
    target = encoder.embed_text(["red", "blue"])
    loss = -(encoder.embed_image(pixels) * target).sum()
    (gradient,) = torch.autograd.grad(loss, pixels)
    after = -(encoder.embed_image(pixels - 0.01 * gradient.sign()) * target).sum()
    assert float(after.detach()) < float(loss.detach())
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in encoder.module.parameters())


def test_a_clone_is_trained_apart_and_verifies_with_its_own_weights(clip_folders):
    encoder = huggingface.load(clip_folders["words"])
    twin = encoder.clone()
    with torch.no_grad():
        twin.module.clip.visual_projection.weight.mul_(-1.0)
    stored = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    assert torch.allclose(twin.embed_saved(stored), -encoder.embed_saved(stored), atol=1e-6)
    assert twin.fingerprint != encoder.fingerprint


def test_the_fingerprint_follows_weights_settings_and_words(copied):
    folder = copied()
    seen = {huggingface.load(folder).fingerprint}
    weights = load_file(folder / "model.safetensors")
    weights["logit_scale"] = weights["logit_scale"] + 0.1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    seen.add(huggingface.load(folder).fingerprint)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | {"image_mean": [0.5, 0.5, 0.5]}))
    seen.add(huggingface.load(folder).fingerprint)
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace('"cat"', '"cow"'))
    seen.add(huggingface.load(folder).fingerprint)
    assert len(seen) == 4


def test_the_layout_of_transformers_five_with_a_nested_processor_is_read(copied):
    folder = copied()
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": settings, "processor_class": "CLIPProcessor"}))
    assert huggingface.load(folder).image_size == (SIDE, SIDE)


def test_half_precision_weights_and_old_position_ids_are_read(copied):
    folder = copied()
    weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    weights["text_model.embeddings.position_ids"] = torch.arange(20)[None]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    encoder = huggingface.load(folder)
    assert {parameter.dtype for parameter in encoder.module.parameters()} == {torch.float32}


def test_a_legacy_end_token_that_is_not_the_largest_is_noted(clip_folders):
    encoder = huggingface.load(clip_folders["words, legacy"])
    assert "eos_token_id 2 in config.json is a legacy switch" in encoder.notes[0]


def test_settings_of_transformers_are_put_back(clip_folders):
    from huggingface_hub import constants
    from transformers.utils import logging as chatter

    before = (chatter.get_verbosity(), chatter.is_progress_bar_enabled(), constants.HF_HUB_OFFLINE)
    state = torch.random.get_rng_state()
    huggingface.load(clip_folders["words"])
    assert (chatter.get_verbosity(), chatter.is_progress_bar_enabled(), constants.HF_HUB_OFFLINE) == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_audio_tower_is_loaded_with_the_folder(copied):
    folder = copied()
    add_sound(folder)
    encoder = huggingface.load(folder)
    assert encoder.modalities == {"image", "text", "audio"} and encoder.sample_rate == 16_000
    heard = encoder.embed_audio(torch.rand(2, 16_000) - 0.5)
    assert heard.shape == (2, 16) and torch.allclose(heard.norm(dim=-1), torch.ones(2), atol=1e-5)


def add_sound(folder: Path) -> None:
    """A tiny random audio tower, in the layout that the reference encoder has."""
    from transformers import WhisperConfig

    audio = folder / "audio"
    audio.mkdir()
    small = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}
    config = WhisperConfig(**small, num_mel_bins=20, max_source_positions=20)
    (audio / "config.json").write_text(json.dumps(config.to_dict()))
    front = {"feature_size": 20, "n_fft": 400, "hop_length": 400, "chunk_length": 1, "sampling_rate": 16_000}
    (audio / "preprocessor_config.json").write_text(json.dumps(front))
    tower = AudioTower(config, 16, LogMel(mels=20, n_fft=400, hop=400, seconds=1))
    save_file(tower.state_dict(), audio / "model.safetensors")


def test_a_folder_and_a_model_meet(clip_folders, tmp_path):
    """From two clip_folders on disk to a gradient and a verified picture."""
    encoder = huggingface.load(clip_folders["crop"])
    data = tmp_path / "pictures"
    data.mkdir()
    lines = ["file_name,caption,label"]
    for i in range(40):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (70, 60, 3), dtype=np.uint8)).save(data / f"{i}.png")
        lines.append(f"{i}.png,my {('cat', 'dog')[i % 2]},{('cat', 'dog')[i % 2]}")
    (data / "metadata.csv").write_text("\n".join(lines))
    assert encoder.image_size is not None
    pairs = FolderData(data, encoder.image_size, squash=encoder.preprocess.squash, mode=encoder.preprocess.mode).draw(
        10, torch.Generator().manual_seed(0)
    )
    stored = (pairs.images * 255).round().byte().permute(0, 2, 3, 1).numpy()
    with torch.no_grad():
        assert torch.allclose(encoder.embed_image(pairs.images), encoder.embed_saved(stored), atol=1e-6)
        assert encoder.embed_text(pairs.prompts).shape == (2, 16)
