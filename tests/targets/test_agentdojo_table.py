"""AgentDojo's trials as a table: what was done is read off all predicates, whoever wanted it. AgentDojo itself is not needed."""

from types import SimpleNamespace

import numpy as np
import pytest

from hartley.attacks.action.injection import injection_rates
from hartley.bits.for_evidence import for_evidence
from hartley.evidence import NONE
from hartley.targets.agentdojo.table import columns, table
from hartley.targets.agentdojo.trials import Trial

SUITE = SimpleNamespace(name="made", users=tuple(f"user {n}" for n in range(6)), injections=tuple(f"goal {n}" for n in range(4)))
PAIRS = [(user, goal) for user in range(6) for goal in range(4)]


def made(user, goal, users, goals):
    """A trial after which these tasks are done; its own predicates say what these sets say."""
    return Trial(user, goal, user in users, goal in goals, goal != NONE, "", (), (), frozenset(users), frozenset(goals))


def arms(users, goals):
    """Trials of an agent that does the same whatever it is asked and whatever is planted."""
    alone = [made(user, NONE, users, ()) for user in range(6)]
    return table(SUITE, {"clean": columns(alone), "attacked": columns([made(*pair, users, goals) for pair in PAIRS])})


@pytest.mark.parametrize("goals", [(), (2,), (0, 1, 2, 3)], ids=["idle", "one thing", "everything"])
@pytest.mark.parametrize("users", [(), (3,), tuple(range(6))], ids=["idle", "one thing", "everything"])
def test_an_agent_that_does_the_same_whatever_is_wanted_shows_nothing(users, goals):
    found = arms(users, goals)
    for part in (found.of("clean"), found.of("attacked")):
        assert len(set(part.outcome.tolist())) == len(set(part.effect.tolist())) == 1
    for _, bits in for_evidence(found):
        assert bits.kind not in ("utility_bits", "adversary_bits") or not (bits.low or bits.value), bits


def test_success_is_the_pair_s_own_predicate_and_has_a_control_without_the_attack():
    found = arms((3,), (2,))
    rates = {(rate.name, rate.arm): rate for rate in injection_rates(found)}
    assert rates["attack success", "attacked"].value == 0.25 and rates["attack success", "clean"].value == 0
    assert rates["utility", "clean"].value == pytest.approx(1 / 6) == rates["utility under attack", "attacked"].value
    assert all(rate.clusters == 6 for rate in rates.values())
    assert (found.of("clean").trial == found.of("attacked").trial).all(), "a task that ran alone stands beside each of its pairs"


def test_what_two_tasks_share_is_a_symbol_of_its_own():
    trials = [made(user, goal, (user,), (goal, 0)) for user, goal in PAIRS]
    part = table(SUITE, {"attacked": columns(trials)})
    assert set(part.effect_alphabet) == {"goal 0", "goal 0 + goal 1", "goal 0 + goal 2", "goal 0 + goal 3"}
    assert all(SUITE.injections[goal] in part.effect_alphabet[effect] for goal, effect in zip(part.adversary, part.effect, strict=True))
    assert (np.array(part.outcome_alphabet)[part.outcome] == np.array(SUITE.users)[part.intent]).all()


def test_no_outcome_is_made_up_from_the_pair_s_own_predicates():
    with pytest.raises(ValueError, match="every=True"):
        columns([Trial(0, 1, True, True, True)])
    assert len(table(SUITE, {"attacked": columns([Trial(0, 1, error="no answer")])})) == 0
