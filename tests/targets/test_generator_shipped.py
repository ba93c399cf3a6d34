"""The shipped generator: small, without pickle, and able to do what its card says, by a judge that shares nothing with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from hartley.errors import InputError
from hartley.targets.reference.ability import Ability, missed
from hartley.targets.reference.generator import FOLDER, load
from hartley.targets.reference.generator.folder import load_judge
from hartley.targets.reference.generator.world import draw_pictures, draw_prompts, draw_restricted
from hartley.targets.reference.language import draw_concepts
from hartley.training.generator.abilities import AT_LEAST, AT_MOST, abilities, draw, look
from hartley.training.generator.emerged import emerged
from hartley.training.loop import single_thread


@pytest.fixture(scope="module")
def record() -> dict[str, dict[str, dict[str, float]]]:
    return json.loads((FOLDER / "abilities.json").read_text(encoding="utf-8"))


def test_it_draws_what_is_asked() -> None:
    generator = torch.Generator().manual_seed(31)
    concepts = draw_concepts(60, generator)
    with single_thread():
        seen = look(load_judge(FOLDER), draw(load(), draw_prompts(concepts, generator), generator).pixels)
    assert int((seen.digit == concepts.digit).sum()) >= 54
    assert int((seen.color == concepts.color).sum()) >= 58 and int((seen.position == concepts.position).sum()) >= 58


def test_the_checker_and_the_judge_on_real_pictures() -> None:
    generator = torch.Generator().manual_seed(32)
    concepts, restricted = draw_concepts(300, generator), draw_restricted(300, generator)
    pictures, hidden = (draw_pictures(some, generator, part="held-out") for some in (concepts, restricted))
    seen = look(load_judge(FOLDER), pictures)
    assert int((seen.digit == concepts.digit).sum()) >= 285
    target = load()
    flagged, passed = target.flagged(hidden), target.flagged(pictures)
    assert flagged is not None and passed is not None
    assert int(flagged.sum()) >= 285 and int(passed.sum()) <= 0.08 * 300, "one in thirty of the drawn concepts is restricted"


@pytest.mark.slow
def test_every_bar_is_met() -> None:
    found = abilities(load(), 500, seed=77)
    assert missed(found, AT_LEAST, AT_MOST) == []


@pytest.mark.slow
def test_what_emerged_is_what_the_record_says(record: dict[str, dict[str, dict[str, float]]]) -> None:
    found = emerged(load(), 200, seed=78)
    assert set(found) == set(record["emerged"])
    outside = [name for name, ability in found.items() if not _agrees(ability, record["emerged"][name])]
    assert len(outside) <= 1, "95% intervals that do not even overlap"


def _agrees(ability: Ability, recorded: dict[str, float]) -> bool:
    low, high = ability.interval
    return low <= recorded["high"] and recorded["low"] <= high


def test_the_card_and_the_record_cover_every_bar(record: dict[str, dict[str, dict[str, float]]]) -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    held = {name: Ability(int(row["hits"]), int(row["n"])) for name, row in record["abilities"].items()}
    assert missed(held, AT_LEAST, AT_MOST) == []
    assert all(held[name].n >= 400 and f"| {name} |" in card for name in (*AT_LEAST, *AT_MOST))
    assert all(row["n"] >= 200 and f"| {name} |" in card for name, row in record["emerged"].items())


def test_the_weights_are_small_and_only_safetensors() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file() and "checkpoints" not in path.parts]
    assert sum(path.stat().st_size for path in files if path.suffix == ".safetensors") <= 4_400_000
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md"}


def test_a_folder_without_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="training generator makes one"):
        load(tmp_path)
