"""The listener's training: the same weights with or without a kill; a whole folder at the end, without the encoder."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hartley.errors import InputError
from hartley.targets.reference import encoder, listener
from hartley.training import loop
from hartley.training.listener import card as written
from hartley.training.listener.stages import embed_pool
from hartley.training.listener.train import train
from hartley.training.loop import Order


class Killed(BaseException):
    """Stands for a kill: nothing in the training may catch it."""


def order(out: Path, seed: int = 3) -> Order:
    return Order(out, seed, {"answering": 4}, batch=16, every=2, samples=4)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors") | load_file(folder / "bridge.safetensors")


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
    assert steps == [1, 2, 3, 3, 4], "goes on after the checkpoint at step 2"
    first, second = weights(whole), weights(tmp_path)
    assert first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
    assert not (tmp_path / "checkpoints").exists()
    assert listener.load(tmp_path).fingerprint == listener.load(whole).fingerprint != encoder.load().fingerprint


def test_the_folder_is_whole_and_does_not_hold_the_encoder(whole: Path) -> None:
    found = weights(whole)
    assert all(value.dtype == torch.float16 for value in found.values()) and "lm_head.weight" not in found
    assert not [name for name in found if "encoder" in name or "vision" in name]
    record = json.loads((whole / "abilities.json").read_text(encoding="utf-8"))
    assert record["recipes"][0]["steps"] == 4 and record["abilities"]["all questions"]["n"] == 24
    card = (whole / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"| yes or no | {record['abilities']['yes or no']['value']:.3f} |" in card and "4 steps of 16 conversations" in card
    assert max(map(len, card.splitlines())) <= 140


def test_what_is_embedded_beforehand_is_what_the_encoder_says() -> None:
    ear = encoder.load()
    first, again, other = (embed_pool(ear, 6, 5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.embeddings.shape == (11, 64) and first.concepts.shape == (11,)
    assert torch.equal(first.embeddings, again.embeddings) and not torch.equal(first.embeddings, other.embeddings)
    assert torch.allclose(first.embeddings.norm(dim=1), torch.ones(11), atol=1e-5)
    from hartley.targets.reference.language import gallery

    nearest = (first.embeddings @ ear.embed_text(gallery()).T).argmax(1)
    assert int((nearest == first.concepts).sum()) >= 9, "each lies at its own concept, the pictures and all but a few bent sounds"


def test_a_missing_folder_and_an_unknown_stage_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no reference listener in .*; python -m hartley.training listener makes one"):
        listener.load(tmp_path)
    with pytest.raises(InputError, match="unknown stage 'answerin'"):
        train(Order(tmp_path, steps={"answerin": 3}))
