"""The answerer's training: a kill changes nothing, every part learns, and what is written is what transformers reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hartley.errors import InputError
from hartley.targets.conversation import ask
from hartley.targets.reference.answerer import load
from hartley.targets.reference.encoder import load as load_encoder
from hartley.training import loop
from hartley.training.answerer import train as answerer_train
from hartley.training.loop import Order


class Killed(BaseException):
    """Stands for a kill: nothing in the training may catch it."""


def order(out: Path, seed: int = 3) -> Order:
    return Order(out, seed=seed, steps={"words": 3, "sight": 3, "answers": 3, "options": 2, "choices": 3}, batch=6, every=2, samples=2)


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes longer than all of this; it is tested on the shipped weights."""
    monkeypatch.setattr(answerer_train, "describe", lambda *_: None)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answerer_train, "describe", lambda *_: None)
        answerer_train.train(order(out))
    return out


@pytest.mark.parametrize("dies_at", [("words", 3), ("answers", 2), ("choices", 3)])
def test_a_killed_training_resumes_to_the_same_weights(
    dies_at: tuple[str, int], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop._shower

    def deadly(bar: object) -> object:
        show = real(bar)

        def shown(step: int, loss: float) -> None:
            show(step, loss)
            if (bar.desc.rstrip(": "), step) == dies_at:  # type: ignore[attr-defined]
                raise Killed

        return shown

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_shower", deadly)
        with pytest.raises(Killed):
            answerer_train.train(order(tmp_path))
    assert not (tmp_path / "model.safetensors").exists()
    answerer_train.train(order(tmp_path))
    whole, resumed = (load_file(folder / "model.safetensors") for folder in (uninterrupted, tmp_path))
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert load(tmp_path).fingerprint == load(uninterrupted).fingerprint
    assert not (tmp_path / "checkpoints").exists()


def test_the_tower_starts_from_the_encoder_and_every_matrix_learns(uninterrupted: Path) -> None:
    order_ = order(uninterrupted)
    start = answerer_train.untrained(order_.recipe("words", steps=3, batch=6, rate=2e-3, warmup=100), 215).state_dict()
    tower = load_encoder().module.clip.vision_model.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(start[f"model.vision_tower.{name}"], value) for name, value in tower.items())
    held = {
        name.replace("language_model.model", "model.language_model"): v
        for name, v in load_file(uninterrupted / "model.safetensors").items()
    }
    moved = {name for name, value in held.items() if name in start and not torch.equal(start[name].half(), value)}
    still = {name for name, value in held.items() if name in start and value.dim() >= 2} - moved
    assert len(moved) > 60 and not still


def test_what_is_written_loads_as_any_llava(uninterrupted: Path) -> None:
    from transformers import AutoTokenizer, LlavaForConditionalGeneration

    model, found = LlavaForConditionalGeneration.from_pretrained(uninterrupted, local_files_only=True, output_loading_info=True)
    assert not found["missing_keys"] and not found["unexpected_keys"]
    assert model.config.vision_feature_layer == [-2, -1] and model.config.text_config.eos_token_id == 3
    assert AutoTokenizer.from_pretrained(uninterrupted, local_files_only=True).eos_token_id == 3
    assert not [file for file in uninterrupted.rglob("*") if file.suffix in {".bin", ".pt", ".pkl"}]
    assert json.loads((uninterrupted / "preprocessor_config.json").read_text())["crop_size"] == {"height": 48, "width": 48}
    target = load(uninterrupted)
    assert target.name == "reference:answerer" and len(target.fingerprint) == 64
    assert isinstance(target.answer([ask("what digit is it")], torch.rand(1, 1, 3, 48, 48), longest=2)[0], str)


def test_what_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model\.safetensors is missing; python -m hartley\.training answerer"):
        load(tmp_path)
    with pytest.raises(InputError, match="stage"):
        answerer_train.train(Order(tmp_path, steps={"pictures": 3}))
