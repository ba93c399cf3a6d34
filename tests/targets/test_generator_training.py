"""Training the generator: the same seed gives the same weights, with or without a kill; lessons teach what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hartley.errors import InputError
from hartley.targets.reference.generator import checker, load
from hartley.targets.reference.generator.architecture import build_unet
from hartley.targets.reference.generator.world import RESTRICTED, draw_pictures, draw_prompts, draw_restricted, is_restricted
from hartley.targets.reference.language import CONCEPTS, concepts_at, draw_concepts
from hartley.training import loop
from hartley.training.generator import train as generator_train
from hartley.training.generator.lessons import Averaged, PromptStates, focus
from hartley.training.loop import Order


class Killed(BaseException):
    """Stands for a kill: nothing in the training may catch it."""


def order(out: Path, **changes: int) -> Order:
    return Order(out, seed=3, steps={"judge": 3, "autoencoder": 3, "denoising": 4} | changes, batch=4, every=2, samples=8)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer pictures where their number does not matter; what is measured is tested on the shipped weights."""
    monkeypatch.setattr(checker, "ROUNDS", 1)
    monkeypatch.setattr(generator_train, "describe", lambda folder, *_: (folder / "described").touch())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    files = [path for path in sorted(folder.rglob("*.safetensors")) if "checkpoints" not in path.parts]
    return {f"{path.relative_to(folder)}: {key}": value for path in files for key, value in load_file(path).items()}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checker, "ROUNDS", 1)
        patch.setattr(generator_train, "describe", lambda folder, *_: (folder / "described").touch())
        generator_train.train(order(out))
    return out


@pytest.mark.parametrize("dies_in", ["autoencoder", "denoising"])
def test_a_killed_training_resumes_to_the_same_weights(
    dies_in: str, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop._shower

    def deadly(bar: object) -> object:
        show = real(bar)

        def shown(step: int, loss: float) -> None:
            show(step, loss)
            if bar.desc == dies_in and step == 3:  # type: ignore[attr-defined]
                raise Killed

        return shown

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_shower", deadly)
        with pytest.raises(Killed):
            generator_train.train(order(tmp_path))
    assert not (tmp_path / "unet").exists()
    generator_train.train(order(tmp_path))
    whole, resumed = weights(uninterrupted), weights(tmp_path)
    assert whole.keys() == resumed.keys() and all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert load(tmp_path).fingerprint == load(uninterrupted).fingerprint
    assert (tmp_path / "described").exists() and not (tmp_path / "checkpoints").exists()


def test_weights_are_stored_in_half_precision_and_the_concepts_as_they_are(uninterrupted: Path) -> None:
    held = weights(uninterrupted)
    assert {value.dtype for key, value in held.items() if not key.startswith("checker")} == {torch.float16}
    assert held["checker/concepts.safetensors: concept_embeds"].shape == (4 * len(RESTRICTED), 64)


def test_start_weights_come_from_the_seed_alone() -> None:
    first, second = (build_unet(torch.Generator().manual_seed(1)).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_an_unknown_stage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown stage 'painting'"):
        generator_train.train(Order(tmp_path, steps={"painting": 3}))


def test_the_mean_follows_the_live_weights_and_is_not_trained() -> None:
    network = Averaged(torch.nn.Linear(2, 2))
    assert not any(parameter.requires_grad for parameter in network.mean.parameters())
    with torch.no_grad():
        network.live.weight.fill_(1.0)
        network.mean.weight.fill_(0.0)
    network.follow(0)
    assert torch.equal(network.mean.weight, network.live.weight), "at the start there is nothing to remember"
    with torch.no_grad():
        network.live.weight.fill_(2.0)
    network.follow(1_000_000)
    assert torch.allclose(network.mean.weight, torch.full((2, 2), 1.001))


def test_the_digits_quadrant_counts_most_and_all_together_one() -> None:
    concepts = concepts_at(torch.arange(4))
    weight = focus(concepts)
    assert torch.allclose(weight.mean(dim=(2, 3)), torch.ones(4, 1))
    corners = weight[:, 0][:, [0, 0, 7, 7], [0, 7, 0, 7]]
    assert corners.argmax(1).tolist() == concepts.position.tolist()
    pictures = draw_pictures(concepts_at(torch.arange(4) + 20), torch.Generator().manual_seed(1), part="train")  # white zeros
    bright = torch.nn.functional.avg_pool2d(pictures.mean(1, keepdim=True), 16).flatten(1)
    assert bright.argmax(1).tolist() == concepts.position.tolist()


def test_prompts_are_embedded_once() -> None:
    asked: list[str] = []

    def embed(prompts: list[str]) -> torch.Tensor:
        asked.extend(prompts)
        return torch.tensor([[float(len(prompt))] for prompt in prompts])

    states = PromptStates(embed)
    assert states(["a", "bb", "a"]).flatten().tolist() == [1.0, 2.0, 1.0]
    assert states(["ccc", "bb"]).flatten().tolist() == [3.0, 2.0]
    assert asked == ["a", "bb", "ccc"]


def test_restricted_concepts_are_those_of_the_table_and_full_prompts_name_everything() -> None:
    every = is_restricted(concepts_at(torch.arange(CONCEPTS)))
    assert int(every.sum()) == 4 * len(RESTRICTED)
    concepts = draw_restricted(40, torch.Generator().manual_seed(1))
    assert bool(is_restricted(concepts).all())
    assert {(words["digit"], words["color"]) for words in concepts.words()} == set(RESTRICTED)
    some = draw_concepts(40, torch.Generator().manual_seed(2))
    prompts = draw_prompts(some, torch.Generator().manual_seed(3))
    assert all(word in prompt.split() for prompt, words in zip(prompts, some.words(), strict=True) for word in words.values())
