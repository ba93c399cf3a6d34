"""The younger siblings: of another seed and shape than their elders, for the same pictures and words, and as able as their cards say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch

from hartley import targets
from hartley.runs import resolve
from hartley.targets import family, registry
from hartley.targets.device import modules
from hartley.targets.reference import answerer, encoder
from hartley.targets.reference.ability import Ability, missed
from hartley.targets.reference.answerer.architecture import SHAPES
from hartley.training.__main__ import main
from hartley.training.answerer import abilities as answering
from hartley.training.answerer import train as answerer_train
from hartley.training.encoder import abilities as encoding
from hartley.training.loop import Recipe

PAIRS = [(younger, elder) for younger, elder in registry.SIBLINGS.items() if younger in registry.MEMBERS]


@pytest.fixture(scope="module")
def loaded() -> Callable[[str], Any]:
    held: dict[str, Any] = {}

    def of(name: str) -> Any:
        if name not in held:
            held[name] = targets.load(f"reference:{name}")
        return held[name]

    return of


def record(name: str) -> dict[str, Any]:
    return json.loads((family.WEIGHTS / name / "abilities.json").read_text(encoding="utf-8"))


def measured(name: str) -> dict[str, Ability]:
    return {ability: Ability(row["hits"], row["n"]) for ability, row in record(name)["abilities"].items()}


def fits(fresh: Ability, stated: Ability) -> bool:
    """Whether two shares cannot be told apart: their 95% intervals meet."""
    return fresh.interval[0] <= stated.interval[1] and stated.interval[0] <= fresh.interval[1]


@pytest.mark.parametrize(("younger", "elder"), PAIRS)
def test_they_differ_in_weights_and_shape_and_take_the_same_pictures_and_words(
    younger: str, elder: str, loaded: Callable[[str], Any]
) -> None:
    one, other = loaded(younger), loaded(elder)
    assert one.name == f"reference:{younger}" and type(one) is type(other)
    assert one.fingerprint != other.fingerprint
    assert one.image_size == other.image_size and one.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    assert one.capabilities == other.capabilities
    ours, theirs = (modules(target) for target in (one, other))
    shapes = [{name: tuple(w.shape) for module in held for name, w in module.named_parameters()} for held in (ours, theirs)]
    assert shapes[0] != shapes[1]
    assert {parameter.dtype for module in ours for parameter in module.parameters()} == {torch.float32}
    assert not any(parameter.requires_grad for module in ours for parameter in module.parameters())
    assert not any(module.training for module in ours)


@pytest.mark.parametrize(("younger", "elder"), PAIRS)
def test_the_card_belongs_to_the_weights_and_says_what_falls_short(younger: str, elder: str, loaded: Callable[[str], Any]) -> None:
    card = (family.WEIGHTS / younger / "MODEL_CARD.md").read_text(encoding="utf-8")
    found = measured(younger)
    assert card.startswith(f"# Reference {younger}\n") and f"hartley.training {younger}`" in card
    assert all(f"| {name} | {ability.value:.3f} |" in card for name, ability in found.items())
    asked = encoding if elder == "encoder" else answering
    short = missed(found, asked.AT_LEAST, asked.AT_MOST)
    assert ("is not reached" in card) == bool(short) and all(name in card.partition("is not reached")[2] for name in short)
    assert {recipe["seed"] for recipe in record(younger)["recipes"]} == {1} and "; seed 1." in card
    assert {recipe["seed"] for recipe in record(elder)["recipes"]} == {0}
    folder = family.WEIGHTS / younger
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {".safetensors", ".json", ".md"}
    shape = encoder_shape if elder == "encoder" else answerer_shape
    assert all(words in " ".join(card.split()) for words in shape(loaded(younger)))


def encoder_shape(target: Any) -> tuple[str, str, str]:
    clip, audio = target.module.clip.config, target.module.audio.encoder.config
    return (
        f"width {clip.vision_config.hidden_size}, {clip.vision_config.num_hidden_layers} layers",
        f"text width {clip.text_config.hidden_size}, {clip.text_config.num_hidden_layers} layers",
        f"width {audio.d_model}, {audio.encoder_layers} layers",
    )


def answerer_shape(target: Any) -> tuple[str, str]:
    text = target.model.config.text_config
    return f"a LLaMA of width {text.hidden_size} with {text.num_hidden_layers} layers", "encoder-b's vision tower"


def test_the_younger_answerer_does_what_its_card_says_and_is_told_apart_by_a_surrogate(loaded: Callable[[str], Any]) -> None:
    stated = measured("answerer-b")
    fresh = answering.abilities(loaded("answerer-b"), 150, seed=78)
    assert fresh.keys() == stated.keys() and all(ability.n >= 2_000 for ability in stated.values())
    assert not {name: (fresh[name], stated[name]) for name in fresh if not fits(fresh[name], stated[name])}
    found = resolve.load("reference:answerer", "reference", surrogate="reference:answerer-b")
    assert found.surrogate.name == "reference:answerer-b" and found.members["answerer"].name == "reference:answerer"


def test_the_younger_encoder_does_what_its_card_says(loaded: Callable[[str], Any]) -> None:
    stated = measured("encoder-b")
    fresh = encoding.abilities(loaded("encoder-b"), 300, seed=78)
    assert fresh.keys() == stated.keys() and all(ability.n >= 2_000 for ability in stated.values())
    assert not {name: (fresh[name], stated[name]) for name in fresh if not fits(fresh[name], stated[name])}
    assert fresh["digit by prompt"].value > 0.9


def test_the_younger_answerer_starts_from_the_younger_encoder_s_tower(loaded: Callable[[str], Any]) -> None:
    recipe = Recipe("words", seed=1, steps=1, batch=1, rate=1e-3, decay=0.0, warmup=1)
    start = answerer_train.untrained(recipe, 215, SHAPES["answerer-b"]).model.vision_tower.state_dict()
    tower = loaded("encoder-b").module.clip.vision_model.state_dict()
    assert start.keys() == tower.keys() and all(torch.equal(start[name], tower[name]) for name in tower)


def test_an_elder_s_folder_is_not_taken_for_the_younger_by_default() -> None:
    assert encoder.load(member="encoder-b").fingerprint != encoder.load().fingerprint == encoder.load(encoder.FOLDER).fingerprint


@pytest.mark.parametrize(("seed", "drawn"), [([], 1), (["--seed", "5"], 5)])
def test_the_command_trains_a_sibling_in_its_own_shape_from_its_own_seed(seed: list[str], drawn: int, tmp_path: Any) -> None:
    steps = ["--steps", "pictures=2", "--steps", "speech=2"]
    assert main(["encoder-b", "--out", str(tmp_path), *steps, "--batch", "8", "--samples", "4", *seed]) == 0
    recipes = json.loads((tmp_path / "abilities.json").read_text(encoding="utf-8"))["recipes"]
    assert {recipe["seed"] for recipe in recipes} == {drawn}
    made = encoder.load(tmp_path, member="encoder-b")
    assert made.name == "reference:encoder-b"
    assert encoder_shape(made) == encoder_shape(encoder.load(member="encoder-b")) != encoder_shape(encoder.load())
    assert "What was asked for and is not reached: " in (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_the_answerer_s_sibling_is_trained_by_the_same_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(answerer_train, "describe", lambda *_: None)
    short = [part for stage in answerer_train.STAGES for part in ("--steps", f"{stage}=1")]
    assert main(["answerer-b", "--out", str(tmp_path), *short, "--batch", "4"]) == 0
    made, shape = answerer.load(tmp_path, member="answerer-b"), SHAPES["answerer-b"]
    assert made.name == "reference:answerer-b" and made.model.config.text_config.hidden_size == shape.width
    seen, tower = made.model.config.vision_config, encoder.load(member="encoder-b").module.clip.config.vision_config  # type: ignore[union-attr]
    assert (seen.hidden_size, seen.num_hidden_layers) == (tower.hidden_size, tower.num_hidden_layers)
    assert made.image_size == answerer.load().image_size
    assert made.tokenizer.get_vocab() == answerer.load().tokenizer.get_vocab()


def test_all_weights_stay_within_sixteen_megabytes() -> None:
    held = [file for file in family.WEIGHTS.rglob("*") if file.is_file() and "checkpoints" not in file.parts]
    assert sum(file.stat().st_size for file in held) <= 16_000_000
