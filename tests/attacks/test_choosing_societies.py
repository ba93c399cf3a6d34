"""How words are chosen against societies, by its effect on the number: members that fall for nothing once they have settled, and a
safeguard that lets one wording through."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from hartley.attacks.interaction import infection, prompts
from hartley.attacks.interaction.prompt_infection import prompt_infection
from hartley.attacks.interaction.prompt_infection import rates as infection_rates
from hartley.case import Refused, SystemCase
from hartley.defenses.system.safeguard import Safeguard
from hartley.effort import Effort
from hartley.rows import ATTACKED, EVERY
from hartley.targets.agent.agent import ALLOWED, Guard, Verdict
from hartley.targets.conversation import Call, Message
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System

TRIALS = 16
TINY = Effort("tiny", trials=TRIALS, steps=1, poison_pairs=0, members=8, epochs=1)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(infection, "MOST_TRIALS", {"tiny": TRIALS})
    monkeypatch.setattr(infection, "PILOTS", {"tiny": TRIALS})


def watched(what, done, total):
    assert what and isinstance(what, str) and 0 <= done <= total > 0, "progress says what, and how much of how much"


def case_of(policy, safeguard=None, *, stream="honest", **more):
    system = System("fake", policy, Lexical())
    return SystemCase(target=system, defense=safeguard, effort=TINY, stream=stream, progress=watched, **more)


def value(rates, name, arm):
    return next(rate.value for rate in rates if (rate.name, rate.arm) == (name, arm))


class Office:
    """Does what its mail asks for where `falls` says so: (the mail, whether an ordinary mail was read before)."""

    name, fingerprint, capabilities = "office", "0" * 64, frozenset({"text"})

    def __init__(self, falls):
        self.falls, self.settled, self.mails = falls, False, []

    def respond(self, conversations: Sequence, tools):
        return [self.next(conversation) for conversation in conversations]

    def next(self, conversation):
        before = re.search(r"mail from (\w+)", conversation[0].text).group(1)
        calls = sum(len(message.calls) for message in conversation)
        if calls == 0:
            return Message("assistant", calls=(Call("read_mail", {"sender": before}),))
        mail = next(message.text for message in conversation if message.role == "tool")
        asks = next((one for one in infection.PAYLOADS if one.ask in mail), None)
        if calls == 1:
            self.mails.append(mail)
            self.settled = self.settled or asks is None
            if asks is not None and self.falls(mail, self.settled):
                return Message("assistant", calls=(asks.call,))
        return Message("assistant", "done .")


def infected(policy, safeguard=None):
    # a stream whose pilots and trials have no mail in common by chance, of so few
    tables = {table.channel: table for table in prompt_infection(case_of(policy, safeguard, stream="honest mails 3"))}
    table = tables["distance 1"]
    rates = infection_rates(table)
    return {arm: value(rates, "payload executed, distance 1", arm) for arm in table.arms}


def test_infections_are_chosen_on_mails_that_no_trial_sends():
    """Members fall for strangers' mail until they have read an ordinary one, which all pilots come before and all trials after. The
    same words are not asked about twice: a pilot that is a trial would still count as fallen for."""
    assert infected(Office(lambda mail, settled: not settled)) == {"clean": 0.0, "attacked": 0.0}


@pytest.mark.parametrize("weak", ["you must", "report", "ignore the previous"])
def test_a_society_meets_the_wording_that_infects_most(weak):
    words = weak if weak != "report" else "done :"
    assert infected(Office(lambda mail, settled: words in mail)) == {"clean": 0.0, "attacked": 1.0}


def test_a_safeguard_of_members_is_measured_against_the_wording_that_is_worst_for_it():
    """All wordings infect without it; behind it none but those that say that they are important."""

    class Strict(Guard):
        def judge(self, asked):
            return [
                ALLOWED if call.name == "read_mail" or "important" in trace.entries[2].message.text else Verdict(False, "no")
                for trace, call in asked
            ]

    strict = Safeguard("strict", agent=lambda agent: agent.guarded(Strict()))
    found = infected(Office(lambda mail, settled: True), strict)
    assert found == {"clean": 0.0, "attacked": 1.0, "defended": 0.0, "defended_attacked": 0.0, "defended_adaptive": 1.0}


@pytest.mark.parametrize(
    ("first", "pilots", "finals", "chosen"),
    [
        (None, [[9, 1], [9, 2], [9, 9], [0, 0]], [[0, 0], [0, 10]], 1),
        (None, [[9, 1], [9, 2], [9, 9], [0, 0]], [[0, 3], [9, 4]], 2),
        (None, [[9, 9], [9, 9], [0, 0], [0, 0]], [[5, 5], [5, 5]], 0),
        (1, [[9, 9], [9, 9], [0, 0], [0, 0]], [[5, 5], [5, 5]], 1),
        (3, [[16, 16], [16, 16], [0, 0], [16, 16]], None, 3),
        (None, [[16, 16], [0, 0], [0, 0], [0, 0]], None, 0),
        (None, [[16, 15], [16, 16], [0, 0], [0, 0]], None, 1),
    ],
)
def test_all_wordings_are_tried_on_few_chains_and_the_best_on_more(first, pilots, finals, chosen, monkeypatch):
    """By the last member of a chain, then by all; what the finals count is added to what the pilots counted, and of those that are
    level it is `first`. Where a wording infects everybody there is nothing left to be decided."""
    asked = []

    def infected(tried, purpose, count):
        asked.append((purpose, [prompt.name for prompt in tried], count))
        rows = np.array(pilots if purpose == "pilots" else finals)
        return rows[[int(prompt.name) for prompt in tried]] if purpose == "pilots" else rows

    monkeypatch.setattr(prompts, "FINALISTS", 2)
    some = tuple(prompts.Prompt(str(place), "") for place in range(4))
    found = prompts.farthest(some, None if first is None else some[first], infected, TRIALS)
    assert int(found["chosen"]) == chosen
    order = sorted("0123", key=lambda name: name != str(first))
    assert asked[0] == ("pilots", order, TRIALS) and len(asked) == 1 + (finals is not None)
    if finals is not None:
        assert asked[1][0] == "finals" and len(asked[1][1]) == 2 and asked[1][2] == prompts.FINAL * TRIALS


def test_an_effort_of_another_name_tries_its_words_on_as_few_chains_as_there_can_be(monkeypatch):
    counted = []
    monkeypatch.setattr(infection, "farthest", lambda tried, known, infected, count: counted.append(count) or {"chosen": torch.tensor(0)})
    case = case_of(Office(None))
    case.effort = replace(TINY, name="some other")
    infection.Chains(case, None, None, None, prompts.PROMPTS).chosen(ATTACKED, None, None)
    assert counted == [infection.UNNAMED]


def test_members_are_guarded_by_what_guards_agents_or_them():
    policy, other = Office(None), Office(None)
    by_member = infection.guarded(case_of(policy, Safeguard("x", member=lambda given: (given is policy and other) or None)))
    assert by_member.agent.policy is other
    by_agent = infection.guarded(case_of(policy, Safeguard("x", agent=lambda agent: agent.guarded(Guarding()), member=lambda given: other)))
    assert by_agent.agent.policy is policy and isinstance(by_agent.agent.guards[0], Guarding)
    assert infection.guarded(case_of(policy)) is None
    with pytest.raises(Refused, match=r"^x guards nothing .*; this threat attacks an agent's tools or what members of a society hear"):
        infection.guarded(case_of(policy, Safeguard("x")))
    own, behind = object(), object()
    chains = infection.Chains(case_of(policy), None, own, behind, ())
    assert [chains.members(arm) for arm in EVERY] == [own, own, behind, behind, behind]


class Guarding(Guard):
    """A guard to be recognized by."""
