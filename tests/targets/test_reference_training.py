"""Training: the same seed gives the same weights, with or without a kill in between; nothing is pickled; bad orders are refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hartley.errors import InputError
from hartley.targets.reference.encoder import load
from hartley.training import __main__ as train
from hartley.training import checkpoint, loop
from hartley.training.encoder.train import train as train_encoder
from hartley.training.loop import Order, Recipe


class Killed(BaseException):
    """Stands for a kill: nothing in the training may catch it."""


def order(out: Path, seed: int = 3, pictures: int = 5, speech: int = 4) -> Order:
    return Order(out, seed=seed, steps={"pictures": pictures, "speech": speech}, batch=8, every=2, samples=20)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors") | {f"audio.{k}": v for k, v in load_file(folder / "audio/model.safetensors").items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    train_encoder(order(out))
    return out


@pytest.mark.parametrize("dies_at", [("pictures", 3), ("speech", 3)])
def test_a_killed_training_resumes_to_the_same_weights(
    dies_at: tuple[str, int], uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps_seen: list[int] = []
    real = loop._shower

    def deadly(bar: object) -> object:
        show = real(bar)

        def shown(step: int, loss: float) -> None:
            show(step, loss)
            steps_seen.append(step)
            if bar.desc.startswith(dies_at[0]) and step == dies_at[1]:  # type: ignore[attr-defined]
                raise Killed

        return shown

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_shower", deadly)
        with pytest.raises(Killed):
            train_encoder(order(tmp_path))
    assert not (tmp_path / "model.safetensors").exists()
    before = len(steps_seen)
    monkeypatch.setattr(loop, "_shower", lambda bar: lambda step, loss: steps_seen.append(step))
    train_encoder(order(tmp_path))
    assert steps_seen[before] == 3, "goes on after the checkpoint at step 2, not from the start"
    whole, resumed = weights(uninterrupted), weights(tmp_path)
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert load(tmp_path).fingerprint == load(uninterrupted).fingerprint
    assert not (tmp_path / "checkpoints").exists()


def test_another_seed_gives_other_weights(uninterrupted: Path, tmp_path: Path) -> None:
    train_encoder(order(tmp_path, seed=4))
    assert not torch.equal(weights(tmp_path)["visual_projection.weight"], weights(uninterrupted)["visual_projection.weight"])


def test_every_matrix_learns(uninterrupted: Path, tmp_path: Path) -> None:
    train_encoder(order(tmp_path, pictures=1, speech=1))
    early, late = weights(tmp_path), weights(uninterrupted)
    still = {key for key in early if early[key].dim() >= 2 and torch.equal(early[key], late[key])}
    assert still == {"audio.encoder.embed_positions.weight"}, "only Whisper's positions, which are fixed sinusoids, stay"


def test_a_trained_folder_is_whole_and_says_what_it_measured(uninterrupted: Path) -> None:
    names = {path.relative_to(uninterrupted).as_posix() for path in uninterrupted.rglob("*") if path.is_file()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "audio/model.safetensors", "MODEL_CARD.md", "abilities.json"} <= names
    assert not {name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl", ".ckpt"))}
    assert all(value.dtype == torch.float16 for value in weights(uninterrupted).values())
    record = json.loads((uninterrupted / "abilities.json").read_text(encoding="utf-8"))
    digit = record["abilities"]["image to caption: digit"]
    assert digit["low"] <= digit["value"] <= digit["high"] and digit["n"] == 20
    assert [recipe["steps"] for recipe in record["recipes"]] == [5, 4]
    card = (uninterrupted / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"| misled by a written word | {record['abilities']['misled by a written word']['value']:.3f} |" in card


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    path = tmp_path / "a.safetensors"
    checkpoint.save_checkpoint(path, module, optimizer, {"seed": 0}, checkpoint.Progress(1, 0.5))
    assert checkpoint.load_checkpoint(path, module, optimizer, {"seed": 0}) == checkpoint.Progress(1, 0.5)
    with pytest.raises(InputError, match="other settings"):
        checkpoint.load_checkpoint(path, module, optimizer, {"seed": 1})


def test_the_rate_warms_up_and_anneals() -> None:
    recipe = Recipe("x", 0, steps=100, batch=1, rate=1.0, decay=0.0, warmup=10)
    rates = [recipe.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == pytest.approx(1.0) and rates[-1] < 0.02
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("wrong", [["encoder", "--batch", "-1"], ["decoder"]])
def test_wrong_orders_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        train.main(wrong)
    assert stop.value.code == 2 and wrong[-1] in capsys.readouterr().err


@pytest.mark.parametrize("steps", ["0", "pictures=0", "pictures=many", "=3", "pixels=3"])
def test_wrong_steps_are_refused_in_one_line(steps: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["encoder", "--out", str(tmp_path), "--steps", steps]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and steps.partition("=")[0] in said
    assert not any(tmp_path.iterdir())
