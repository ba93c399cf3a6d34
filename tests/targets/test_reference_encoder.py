"""The shipped encoder: small, quick to load, without pickle, and able to do what its card says, on images and voices it never saw."""

import json
from pathlib import Path

import pytest
import torch

from hartley.errors import InputError
from hartley.targets.clip import ClipEncoder
from hartley.targets.protocols import Trainable
from hartley.targets.reference.ability import Ability
from hartley.targets.reference.data import ReferenceData
from hartley.targets.reference.encoder import FOLDER, load
from hartley.targets.reference.speech import voice_table
from hartley.training.encoder.abilities import AT_LEAST, abilities

SAMPLES = 1_000


@pytest.fixture(scope="module")
def encoder() -> ClipEncoder:
    return load()


@pytest.fixture(scope="module")
def found(encoder: ClipEncoder) -> dict[str, Ability]:
    return abilities(encoder, SAMPLES, seed=77)


@pytest.mark.parametrize("name", sorted(AT_LEAST))
def test_ability_is_reached_on_held_out_data(name: str, found: dict[str, Ability]) -> None:
    assert found[name].n == SAMPLES
    assert found[name].value >= AT_LEAST[name], f"{name}: {found[name].to_json()}"


def test_how_often_a_written_word_misleads_is_reported(found: dict[str, Ability]) -> None:
    record = json.loads((FOLDER / "abilities.json").read_text(encoding="utf-8"))["abilities"]
    written = record["misled by a written word"]
    assert written["n"] >= 2_000 and written["low"] <= written["value"] <= written["high"]
    again = found["misled by a written word"]
    assert again.interval[0] <= written["high"] and written["low"] <= again.interval[1]
    assert again.hits + found["digit by prompt, beside a written word"].hits <= SAMPLES


def test_the_card_and_the_record_cover_every_required_ability() -> None:
    record = json.loads((FOLDER / "abilities.json").read_text(encoding="utf-8"))
    card = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    for name, least in AT_LEAST.items():
        assert record["abilities"][name]["n"] >= 2_000 and record["abilities"][name]["value"] >= least
        assert f"| {name} |" in card
    assert record["training_cpu_seconds"] > 0 and "minutes of one processor thread" in card


def test_the_card_says_how_well_each_held_out_voice_is_heard() -> None:
    by_voice = json.loads((FOLDER / "abilities.json").read_text(encoding="utf-8"))["whole phrase by held-out voice"]
    card = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    parts, names, _, _ = voice_table()
    assert list(by_voice) == [names[i] for i in parts["held-out"]]
    assert all(f"{ability['value']:.3f} ({name})" in card for name, ability in by_voice.items())


def test_the_weights_are_small_and_only_safetensors() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if path.suffix == ".safetensors") <= 4_000_000
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md"}


def test_it_is_a_target_in_full_precision_with_frozen_weights(encoder: ClipEncoder) -> None:
    assert isinstance(encoder, Trainable) and encoder.name == "reference:encoder"
    assert encoder.modalities == {"image", "text", "audio"} and encoder.image_size == (48, 48)
    assert {parameter.dtype for parameter in encoder.module.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in encoder.module.parameters()) and not encoder.module.training
    assert len(encoder.fingerprint) == 64 and encoder.fingerprint == load().fingerprint


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.safetensors is missing"):
        load(tmp_path)


def test_gradients_reach_the_inputs(encoder: ClipEncoder) -> None:
    pairs = ReferenceData().draw(4, torch.Generator().manual_seed(5), speech=True)
    assert pairs.audio is not None
    texts = encoder.embed_text(pairs.captions)
    pixels, sound = pairs.images.clone().requires_grad_(), pairs.audio.clone().requires_grad_()
    agreement = (encoder.embed_image(pixels) * texts).sum() + (encoder.embed_audio(sound) * texts).sum()
    for gradient in torch.autograd.grad(agreement, (pixels, sound)):
        assert bool((gradient.flatten(1).abs().amax(1) > 0).all())


def test_every_word_of_the_tokenizer_was_trained(encoder: ClipEncoder) -> None:
    from hartley.targets.reference.language import vocabulary

    assert set(encoder.tokenizer.get_vocab()) - set(encoder.tokenizer.all_special_tokens) == set(vocabulary())


def test_the_interval_is_clopper_and_pearsons() -> None:
    assert Ability(0, 10).interval == pytest.approx((0.0, 0.3085), abs=1e-4)
    assert Ability(10, 10).interval == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert Ability(81, 263).interval == pytest.approx((0.2527, 0.3676), abs=1e-4)
