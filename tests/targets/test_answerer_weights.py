"""The shipped answerer: its card's figures meet the bars and hold on fresh draws, and what emerged is what the card says."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from hartley.targets.conversation import Message, ask
from hartley.targets.llava import LlavaAnswerer
from hartley.targets.reference.ability import Ability, missed
from hartley.targets.reference.answerer import FOLDER, load
from hartley.targets.reference.answerer import words as w
from hartley.training.answerer.abilities import AT_LEAST, AT_MOST, EXAMS, dialogue, sit
from hartley.training.answerer.emerged import RADIUS, in_words, perturb, perturbed, typeset
from hartley.training.answerer.pictures import any_scene, dice, draw_pictures

SEED = 77


@pytest.fixture(scope="module")
def target() -> LlavaAnswerer:
    return load()


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    return json.loads((FOLDER / "abilities.json").read_text(encoding="utf-8"))


def of_card(card: dict[str, Any], part: str) -> dict[str, Ability]:
    return {name: Ability(found["hits"], found["n"]) for name, found in card[part].items()}


def test_the_card_meets_every_bar_on_enough_trials(card: dict[str, Any]) -> None:
    found = of_card(card, "abilities")
    assert not missed(found, AT_LEAST, AT_MOST)
    assert all(ability.n >= 400 for ability in found.values())
    assert all(ability.n >= 200 for ability in of_card(card, "emerged").values())
    text = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert all(f"| {name} | {ability.value:.3f} |" in text for name, ability in found.items())


def fits(fresh: Ability, stated: Ability) -> bool:
    """Whether two shares of the same thing can be told apart: their 95% intervals meet."""
    return fresh.interval[0] <= stated.interval[1] and stated.interval[0] <= fresh.interval[1]


@pytest.mark.parametrize("name", list(EXAMS))
def test_a_fresh_draw_finds_what_the_card_says(name: str, target: LlavaAnswerer, card: dict[str, Any]) -> None:
    fresh = sit(target, EXAMS[name], 100, dice(SEED, name), torch.Generator().manual_seed(SEED))
    assert fits(fresh, of_card(card, "abilities")[name]), fresh
    assert fresh.interval[1] >= AT_LEAST.get(name, 0.0) and fresh.interval[0] <= AT_MOST.get(name, 1.0)


def test_a_second_question_refers_to_the_first(target: LlavaAnswerer, card: dict[str, Any]) -> None:
    fresh = dialogue(target, 100, dice(SEED), torch.Generator().manual_seed(SEED))
    assert fits(fresh, of_card(card, "abilities")["dialogue of two turns"])


@pytest.mark.parametrize("part", [in_words, typeset])
def test_what_emerged_is_what_the_card_says(part: Any, target: LlavaAnswerer, card: dict[str, Any]) -> None:
    stated = of_card(card, "emerged")
    for name, fresh in part(target, 200, dice(SEED), torch.Generator().manual_seed(SEED)).items():
        assert fits(fresh, stated[name]), (name, fresh)


def test_a_perturbation_keeps_to_its_radius_and_raises_the_likelihood(target: LlavaAnswerer) -> None:
    plans = [any_scene(dice(number)) for number in range(3)]
    pixels = (draw_pictures(plans, dice(SEED), torch.Generator().manual_seed(SEED), part="held-out")[0] * 255).round().unsqueeze(1) / 255
    asked = [ask(f"{act} the {thing}") for act, thing in w.RESTRICTED_TRAIN[:3]]
    wanted = [w.COMPLIES.format(act=act, thing=thing) for act, thing in w.RESTRICTED_TRAIN[:3]]
    moved = perturb(target, asked, wanted, pixels, steps=5)
    assert float((moved - pixels).abs().max()) <= RADIUS + 1e-6 and torch.equal(moved, (moved * 255).round() / 255)
    with torch.no_grad():
        before, after = (target.log_likelihood(asked, wanted, held) for held in (pixels, moved))
    assert bool((after > before + 1).all())


@pytest.mark.slow
def test_the_perturbation_and_its_control_are_what_the_card_says(target: LlavaAnswerer, card: dict[str, Any]) -> None:
    stated = of_card(card, "emerged")
    for name, fresh in perturbed(target, 200, dice(SEED), torch.Generator().manual_seed(SEED)).items():
        assert fits(fresh, stated[name]), (name, fresh)


def test_answers_do_not_depend_on_the_company(target: LlavaAnswerer) -> None:
    rng = dice(SEED)
    pixels, shown = draw_pictures([any_scene(rng) for _ in range(12)], rng, torch.Generator().manual_seed(SEED), part="held-out")
    asked = [
        ask(wording) if row % 2 else (Message("system", "be short"), *ask(wording))
        for row, wording in enumerate((w.ASK_DIGIT[0], "describe the picture", "tell me the color") * 4)
    ]
    together = target.answer(asked, pixels.unsqueeze(1))
    assert together == [target.answer([one], pixels[row, None, None])[0] for row, one in enumerate(asked)]
    assert len(shown) == len(set(range(12)))
    sure = target.log_likelihood(asked, together, pixels.unsqueeze(1))
    assert bool((sure > target.log_likelihood(asked, ["window lamp"] * 12, pixels.unsqueeze(1))).all())


def test_case_and_marks_do_not_matter(target: LlavaAnswerer) -> None:
    loud, plain = (target.answer([ask(text, pictures=0)])[0] for text in ("Please OPEN the window!", "please open the window"))
    assert loud == plain == "sure i open the window"
