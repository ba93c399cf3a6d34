"""The recognizer's training: the same weights with or without a kill; a whole folder at the end."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hartley.errors import InputError
from hartley.targets.reference import recognizer
from hartley.training import loop
from hartley.training.loop import Order
from hartley.training.recognizer import folder as written
from hartley.training.recognizer.train import train


class Killed(BaseException):
    """Stands for a kill: nothing in the training may catch it."""


def order(out: Path, seed: int = 3) -> Order:
    return Order(out, seed, {"hearing": 4}, batch=6, every=2, samples=4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "emerged", lambda target, count, seed: {})  # measured on the shipped weights
        train(order(out))
    return out


def test_a_killed_training_resumes_to_the_same_weights(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "emerged", lambda target, count, seed: {})
    steps: list[int] = []
    real = loop._shower

    def shower(bar: object, dies_at: int):
        show = real(bar)

        def shown(step: int, loss: float) -> None:
            show(step, loss)
            steps.append(step)
            if step == dies_at:
                raise Killed

        return shown

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_shower", lambda bar: shower(bar, 3))
        with pytest.raises(Killed):
            train(order(tmp_path))
    assert not (tmp_path / "model.safetensors").exists()
    monkeypatch.setattr(loop, "_shower", lambda bar: shower(bar, -1))
    train(order(tmp_path))
    assert steps == [1, 2, 3, 3, 4], "goes on after the checkpoint at step 2, in the middle of a draw"
    first, second = (load_file(folder / "model.safetensors") for folder in (whole, tmp_path))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    assert not (tmp_path / "checkpoints").exists()
    assert recognizer.load(tmp_path).fingerprint == recognizer.load(whole).fingerprint


def test_the_folder_is_whole_and_small_and_learns_everywhere(whole: Path) -> None:
    weights = load_file(whole / "model.safetensors")
    assert all(value.dtype == torch.float16 for value in weights.values())
    assert "proj_out.weight" not in weights, "the decoder's embeddings serve twice"
    ear = load_file(Path(recognizer.FOLDER).parent / "encoder" / "audio" / "model.safetensors")
    still = {
        key for key, value in weights.items() if value.dim() >= 2 and torch.equal(value, ear.get(key.removeprefix("model."), value + 1))
    }
    assert still == {"model.encoder.embed_positions.weight"}, "only Whisper's positions, which are fixed sinusoids, stay"
    record = json.loads((whole / "abilities.json").read_text(encoding="utf-8"))
    assert record["recipes"][0]["steps"] == 4 and record["abilities"]["words of requests"]["n"] > 0
    card = (whole / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"| words of phrases | {record['abilities']['words of phrases']['value']:.3f} |" in card and "4 steps of 6 sayings" in card
    assert max(map(len, card.splitlines())) <= 140


def test_a_missing_folder_and_an_unknown_stage_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no reference recognizer in .*; python -m hartley.training recognizer makes one"):
        recognizer.load(tmp_path)
    with pytest.raises(InputError, match="unknown stage 'hering'"):
        train(Order(tmp_path, steps={"hering": 3}))
