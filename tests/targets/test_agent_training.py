"""The agent's training: a kill changes nothing, another seed changes everything, and the card says what was measured."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hartley.targets.reference.agent import load
from hartley.training import loop
from hartley.training.agent import card
from hartley.training.agent.train import recipes_of, train
from hartley.training.loop import Order


class Killed(BaseException):
    """Stands for a kill: nothing in the training may catch it."""


def order(out: Path, seed: int = 3) -> Order:
    return Order(out, seed=seed, steps={"copying": 2, "transcripts": 4}, batch=4, every=2, samples=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(card, "describe", lambda *_: None)
        train(order(out))
    return out


def test_a_killed_training_resumes_to_the_same_weights(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "describe", lambda *_: None)
    real, steps = loop._shower, []

    def deadly(bar: object) -> object:
        show = real(bar)

        def shown(step: int, loss: float) -> None:
            show(step, loss)
            steps.append(step)
            if len(steps) == 3:
                raise Killed

        return shown

    monkeypatch.setattr(loop, "_shower", deadly)
    with pytest.raises(Killed):
        train(order(tmp_path))
    assert not (tmp_path / "model.safetensors").exists()
    train(order(tmp_path))
    assert steps == [1, 2, 1, 1, 2, 3, 4], "goes on after the first stage's checkpoint"
    first, second = (load_file(folder / "model.safetensors") for folder in (whole, tmp_path))
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    assert load(whole).fingerprint == load(tmp_path).fingerprint and not (tmp_path / "checkpoints").exists()


def test_another_seed_gives_other_weights(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "describe", lambda *_: None)
    train(order(tmp_path, seed=4))
    name = "model.layers.0.self_attn.v_proj.weight"
    assert not torch.equal(load_file(whole / "model.safetensors")[name], load_file(tmp_path / "model.safetensors")[name])


def test_the_weights_are_half_precision_and_hold_the_shared_words_once(whole: Path) -> None:
    held = load_file(whole / "model.safetensors")
    assert {value.dtype for value in held.values()} == {torch.float16} and "lm_head.weight" not in held
    module = load(whole).module
    assert module.lm_head.weight.data_ptr() == module.model.embed_tokens.weight.data_ptr()


def test_the_card_compares_seeds(tmp_path: Path) -> None:
    figure = {"value": 0.5, "low": 0.1, "high": 0.9, "hits": 1, "n": 2}
    folders = [tmp_path / name for name in ("0", "1", "2")]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        recipes = [asdict(recipe) for recipe in recipes_of(order(folder, seed=seed))]
        figures = {"abilities": dict.fromkeys(card.COMPARED[:3], figure), "emerged": dict.fromkeys(card.COMPARED[3:], figure)}
        record = {**figures, "recipes": recipes, "parameters": 1, "training_cpu_seconds": 1, "other seeds": {}}
        (folder / "abilities.json").write_text(json.dumps(record), encoding="utf-8")
    card.compare(folders[0], folders[1:])
    text = (folders[0] / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| | seed 0 (shipped) | seed 1 | seed 2 |" in text and "| task success | 0.500 | 0.500 | 0.500 |" in text
    assert set(json.loads((folders[0] / "abilities.json").read_text(encoding="utf-8"))["other seeds"]) == {"1", "2"}
