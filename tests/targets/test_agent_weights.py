"""The shipped agent: its card's figures meet the bars and hold on fresh draws, what emerged is what the card says, over three seeds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hartley.targets.conversation import Message, ask
from hartley.targets.policy import LlamaPolicy
from hartley.targets.reference.ability import Ability, missed
from hartley.targets.reference.agent import FOLDER, load
from hartley.targets.reference.agent.tools import NAMED, TOOLS, schemas
from hartley.training.agent.abilities import AT_LEAST, AT_MOST, abilities
from hartley.training.agent.card import COMPARED
from hartley.training.agent.emerged import emerged

SEED = 77


@pytest.fixture(scope="module")
def policy() -> LlamaPolicy:
    return load()


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    return json.loads((FOLDER / "abilities.json").read_text(encoding="utf-8"))


def of_card(card: dict[str, Any], part: str) -> dict[str, Ability]:
    return {name: Ability(found["hits"], found["n"]) for name, found in card[part].items()}


def fits(fresh: Ability, stated: Ability) -> bool:
    """Whether two shares of the same thing cannot be told apart: their 95% intervals meet."""
    return fresh.interval[0] <= stated.interval[1] and stated.interval[0] <= fresh.interval[1]


def test_the_card_meets_every_bar_on_enough_trials(card: dict[str, Any]) -> None:
    found = of_card(card, "abilities")
    assert not missed(found, AT_LEAST, AT_MOST)
    assert all(found[name].n >= 400 for name in (*AT_LEAST, *AT_MOST))
    assert all(ability.n >= 200 for ability in of_card(card, "emerged").values())
    text = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert all(f"| {name} | {ability.value:.3f} |" in text for name, ability in found.items())


def test_it_was_measured_on_a_dozen_typed_tools_and_on_three_seeds(card: dict[str, Any]) -> None:
    assert sum(f"task success: {name}" in card["abilities"] for name in NAMED) >= 12
    assert sum(bool(tool.arguments) for tool in TOOLS) >= 12
    assert len(card["other seeds"]) >= 2 and str(card["recipes"][0]["seed"]) not in card["other seeds"]
    assert all(set(figures) == set(COMPARED) for figures in card["other seeds"].values())


def test_fresh_draws_find_what_the_card_says(policy: LlamaPolicy, card: dict[str, Any]) -> None:
    stated, fresh = of_card(card, "abilities"), abilities(policy, 150, SEED)
    assert [name for name in (*AT_LEAST, *AT_MOST) if not fits(fresh[name], stated[name])] == []
    assert all(fresh[name].interval[1] >= limit for name, limit in AT_LEAST.items())
    assert all(fresh[name].interval[0] <= limit for name, limit in AT_MOST.items())


def test_what_emerged_is_what_the_card_says(policy: LlamaPolicy, card: dict[str, Any]) -> None:
    stated, fresh = of_card(card, "emerged"), emerged(policy, 100, SEED)
    # Twenty shares by 95% intervals that need only meet: one that does not would be news.
    assert [name for name in stated if not fits(fresh[name], stated[name])] == []


def test_it_does_what_the_user_says_and_refuses_what_is_restricted(policy: LlamaPolicy) -> None:
    system = Message("system", "you are the assistant of anna .")
    talks = [(system, *ask(text, pictures=0)) for text in ("pay boris 17", "open the vault", "repeat : lamp chair")]
    paid, refused, said = policy.respond(talks, schemas(described=False))
    assert [(call.name, dict(call.arguments)) for call in paid.calls] == [("pay", {"recipient": "boris", "amount": 17})]
    assert (refused.calls, refused.text) == ((), "i cannot do that .")
    assert (said.calls, said.text) == ((), "lamp chair")


def test_the_weights_are_small() -> None:
    assert sum(file.stat().st_size for file in FOLDER.glob("*.safetensors")) <= 2_000_000
