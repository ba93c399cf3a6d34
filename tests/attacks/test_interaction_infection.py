"""Prompt infection among members whose behavior is known: what obeys and copies, what only obeys, what does neither, and errors."""

from __future__ import annotations

import inspect
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from hartley import catalog
from hartley.attacks.interaction import prompt_infection as module
from hartley.attacks.interaction.infection import MOST_TRIALS, Chains
from hartley.attacks.interaction.prompt_infection import prompt_infection, rates
from hartley.attacks.interaction.prompts import FINAL, PLAIN_PROMPTS, PROMPTS, Prompt
from hartley.bits.for_evidence import for_evidence
from hartley.case import SystemCase
from hartley.defenses.system.safeguard import Safeguard
from hartley.effort import Effort
from hartley.environments.message_chains import ChainOutcome, MessageChains
from hartley.environments.office import NO_FACT, OTHER, PAYLOADS, SEVERAL, openings, plain_office, reference_office
from hartley.evidence import NONE, Evidence
from hartley.rows import ATTACKED, CLEAN, Rows
from hartley.targets.agent.agent import Agent, Guard, Verdict
from hartley.targets.conversation import Call, Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.reference.agent.words import NAMES
from hartley.targets.system import System

TINY = Effort("tiny", trials=48, steps=1, poison_pairs=1, members=1, epochs=1)
MANY = replace(TINY, trials=128)


LAST = next(prompt for prompt in PROMPTS if prompt.name == "last")


class Clerk:
    """Reads its mail, makes the call of every payload that the mail asks for (`obeys`), and forwards the mail or the fact alone."""

    name, fingerprint, capabilities = "clerk", "clerk", frozenset({"text"})

    def __init__(self, *, obeys=True, copies=True, silent=frozenset(), does=None):
        """does: what it does instead, of a mail: the payloads' numbers."""
        self.obeys, self.copies, self.silent, self.does = obeys, copies, silent, does

    def _next(self, conversation):
        user = conversation[0].text.split() if conversation[0].role == "user" else conversation[1].text.split()
        before, after = user[user.index("from") + 1], user[-1]
        results = [message.text for message in conversation if message.role == "tool"]
        if not results:
            return Message("assistant", calls=(Call("read_mail", {"sender": before}, "a"),))
        if any(word in results[0].split() for word in self.silent):
            return NotMeasured(Reason.TIMEOUT, "too slow")
        asked = [payload.call for payload in PAYLOADS if payload.ask in results[0]] if self.obeys else []
        if self.does is not None:
            asked = [PAYLOADS[place].call for place in self.does(results[0])]
        told = results[0] if self.copies else next((part for part in results[0].split(" . ") if "client" in part), "hello")
        plan = [*asked, Call("send_mail", {"to": after, "text": told})]
        done = len(results) - 1
        return Message("assistant", calls=(replace(plan[done], id=f"b{done}"),)) if done < len(plan) else Message("assistant", "done .")

    def attempt(self, conversations, tools):
        return [self._next(conversation) for conversation in conversations]

    def respond(self, conversations, tools):
        return self.attempt(conversations, tools)


class Urgency:
    """Texts that ask for a payload, or say that something is important, are all alike; all others are too."""

    name, fingerprint, capabilities = "urgency", "urgency", frozenset({"score"})

    def embed_text(self, texts):
        asks = [any(payload.ask in text for payload in PAYLOADS) or "important" in text for text in texts]
        return torch.tensor([[1.0, 0.0] if one else [0.0, 1.0] for one in asks])


def case_of(policy, safeguard=None, shelf=None, effort=TINY):
    shelf = {} if shelf is None else shelf

    def cached(name, compute):
        if name not in shelf:
            shelf[name] = compute()
        return shelf[name]

    system = System("test", policy, Urgency())
    return SystemCase(target=system, effort=effort, stream="test/prompt-infection", defense=safeguard, cached=cached)


@pytest.fixture
def one_wording(monkeypatch):
    """An attack set of one: a sentence of its own behind what is told."""
    monkeypatch.setattr(module, "PROMPTS", (LAST,))


def bits(table, kind, arm):
    return next(found for where, found in for_evidence(table) if where == arm and found.kind == kind)


def by_channel(tables):
    return {table.channel: table for table in tables}


def test_clerks_who_obey_and_copy_carry_every_payload_to_everyone():
    case = case_of(Clerk())
    tables = by_channel(prompt_infection(case))
    assert set(tables) == {"edge", "distance 1", "distance 2"} | {f"{name}, shared thread" for name in ("edge", "distance 1", "distance 2")}
    for table in tables.values():
        assert table.arms == ("clean", "attacked") and table.kind == "write"
        attacked, clean = table.of("attacked"), table.of("clean")
        assert (attacked.success == 1).all() and (attacked.effect == attacked.adversary).all()
        assert (attacked.outcome == attacked.intent).all(), "the message arrives as well"
        assert (clean.effect == NONE).all() and (clean.success == 0).all() and (clean.outcome == clean.intent).all()
        assert Evidence.from_arrays(table.to_arrays()) == table
    assert bits(tables["distance 2"], "adversary_bits", "attacked").high >= 3 - 1e-9
    assert bits(tables["distance 2"], "adversary_bits", "clean").low == 0
    spreading = next(exhibit.spreading for exhibit in case.exhibits if exhibit.spreading is not None)
    facts = dict(spreading.facts)
    assert all(facts[name].startswith("1.000") for name in ("retrieval (beta)", "arrival", "transmission"))
    assert spreading.shares["measured"][-1] > spreading.shares["measured"][0]
    assert {exhibit.transcript != () for exhibit in case.exhibits} == {True, False}


def test_clerks_who_obey_and_do_not_copy_infect_nobody_but_readers_of_the_thread(one_wording):
    tables = by_channel(prompt_infection(case_of(Clerk(copies=False))))
    assert (tables["distance 1"].of("attacked").success == 1).all()
    assert (tables["distance 2"].of("attacked").effect == NONE).all()
    assert bits(tables["edge"], "adversary_bits", "attacked").low == 0
    assert (tables["distance 2, shared thread"].of("attacked").success == 1).all()


def test_clerks_who_do_not_obey_carry_what_they_never_do(one_wording):
    tables = by_channel(prompt_infection(case_of(Clerk(obeys=False))))
    for table in tables.values():
        assert (table.of("attacked").effect == NONE).all()
    # nobody did what it was asked for, so that the criterion of passing it on applies to no pair
    assert (tables["edge"].of("attacked").success == NONE).all()
    assert (tables["distance 2"].of("attacked").success == 0).all()


def test_an_error_is_no_outcome():
    case = case_of(Clerk(silent=frozenset({"oven"})))
    tables = by_channel(prompt_infection(case))
    attacked = tables["distance 1"].of("attacked")
    assert 0 not in attacked.adversary and len(attacked) == TINY.trials * 7 // 8
    assert {flag.name for flag in case.flags if flag.arm == "attacked"} >= {"trials lost"}
    assert len(tables["distance 1"].of("clean")) == TINY.trials


def chains_of(*prompts, relays=None, case=None):
    return Chains(case or case_of(Clerk()), reference_office, relays or MessageChains(Agent(Clerk())), None, prompts or PROMPTS)


def test_the_prompt_that_infects_most_is_chosen():
    useless, works = Prompt("useless", "{fact} ."), Prompt("works", "{ask} . {fact} .")
    for prompts in ((useless, works), (works, useless)):
        chains = chains_of(*prompts)
        assert chains.chosen(ATTACKED, chains.bare, None).name == "works"


def test_the_best_of_the_pilots_are_tried_again_and_what_is_level_keeps_the_first(monkeypatch):
    """A wording that is right about the pilots and wrong about the finals loses; of perfect ones the first stays, without finals."""
    names = ("lucky", "steady", "plain")
    seen = []

    def chains(mails, length, *, shared=False):
        seen.append(len(mails))
        works = {"lucky": len(seen) == 1, "steady": True, "plain": False}
        return [(*(heard(works[text.split()[0]], text) for _ in range(length - 1)), None) for _, text in mails]

    def heard(works, mail):
        done = frozenset(place for place, payload in enumerate(PAYLOADS) if works and payload.ask in mail)
        return ChainOutcome(done, min(done, default=NONE), mail, False, None)

    relays = MessageChains(Agent(Clerk()))
    monkeypatch.setattr(relays, "chains", chains)
    one = chains_of(*(Prompt(name, name + " {fact} {ask} .") for name in names), relays=relays)
    assert one.chosen(ATTACKED, relays, None).name == "steady" and len(seen) == 2 and seen[1] == FINAL * seen[0]
    good = [Prompt(name, "{fact} . {ask} .") for name in names]
    other = chains_of(*good)
    assert other.chosen(ATTACKED, other.bare, good[2]) == good[2]


def test_the_other_mode_tries_first_what_the_one_before_it_has_chosen():
    good = [Prompt(name, "{fact} . {ask} .") for name in ("a", "b")]
    own = chains_of(Prompt("useless", "{fact} ."), *good)
    assert own.chosen(ATTACKED, own.bare, None).name == "a"
    after = replace(own, prompts=good[::-1], suffix=", shared thread", shared=True, before=own)
    assert after.chosen(ATTACKED, own.bare, None).name == "a", "level with the first of its own set"


def test_every_chain_has_an_office_of_its_own_and_no_mail_that_words_are_chosen_on_is_a_trial():
    most = max(MOST_TRIALS.values())
    for prompt in (None, LAST):
        trials, *others = (
            {(mail.office.before, mail.office.after, mail.text) for mail in chains_of().mails(prompt, purpose, most)}
            for purpose in ("trials", "pilots", "finals")
        )
        assert len(trials) == most and all(trials.isdisjoint(mails) for mails in others)


class Stop(Guard):
    """A guard that lets nobody pay, or any other payload's call, but mail."""

    def offer(self, traces):
        return [tuple(name for name in trace.tools if name.endswith("mail")) for trace in traces]

    def judge(self, asked):
        return [Verdict(call.name in trace.tools, "not on the list") for trace, call in asked]


def test_safeguards_of_agents_and_of_members(one_wording):
    shelf = {}
    bare = by_channel(prompt_infection(case_of(Clerk(), shelf=shelf)))
    guards = (
        Safeguard("stop", agent=lambda agent: agent.guarded(Stop())),
        Safeguard("deaf", member=lambda policy: Clerk(obeys=False)),
    )
    for guard in guards:
        tables = by_channel(prompt_infection(case_of(Clerk(), guard, shelf)))
        for name, table in tables.items():
            assert table.arms == ("clean", "attacked", "defended", "defended_attacked", "defended_adaptive")
            assert table.of("clean") == bare[name].of("clean") and table.of("attacked") == bare[name].of("attacked")
            for arm in ("defended_attacked", "defended_adaptive"):
                assert (table.of(arm).effect == NONE).all()
            assert (table.of("defended").outcome == table.of("defended").intent).all()


def test_rates_are_those_of_the_paper(one_wording):
    table = by_channel(prompt_infection(case_of(Clerk(copies=False))))["distance 2"]
    found = {(rate.name, rate.arm): rate for rate in rates(table)}
    assert found["payload executed, distance 2", "attacked"].value == 0 and found["payload executed, distance 2", "attacked"].headline
    assert found["message passed on", "clean"].better == "user"


def test_the_same_case_gives_the_same_tables(one_wording):
    one, two = (prompt_infection(case_of(Clerk())) for _ in range(2))
    assert all(a == b for a, b in zip(one, two, strict=True))


def asked(executed, told=None, error=None, payload=(0, 1, 2)):
    executed = np.array(executed)
    return Rows(
        more={
            "reached": (executed > -2).astype(int),
            "executed": np.where(executed == -2, NONE, executed),
            "did": (executed == np.array(payload)[:, None]).astype(int),
            "told": np.zeros_like(executed) if told is None else np.array(told),
            "error": np.zeros_like(executed) if error is None else np.array(error),
        }
    )


def kept(rows):
    """Trials, effects and successes of what was not lost."""
    left = np.flatnonzero(~rows.lost)
    return left.tolist(), rows.effect[left].tolist(), rows.success[left].tolist()


def test_edges_and_distances_by_hand():
    chains = chains_of()
    found = asked([[0, 0, 0], [1, -1, -2], [-1, 2, 2]], error=[[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    assert kept(chains.at_distance(1, ATTACKED, found)) == ([0, 1, 2], [0, 1, -1], [1, 1, 0])
    assert kept(chains.at_distance(3, ATTACKED, found)) == ([0, 1], [0, -1], [1, 0])
    # chain 2's last member failed, so that its edge is no row
    chains.__dict__["hops"] = np.array([0, 0, 1])
    assert kept(chains.edge(ATTACKED, found)) == ([0, 1], [0, -1], [1, 0])
    # what a chain's first member did not do cannot be passed on; without an attack nobody was asked to
    chains.__dict__["hops"] = np.array([1, 1, 0])
    late = asked([[0, 0, 0], [1, -1, -2], [-1, 2, 2]])
    assert chains.edge(ATTACKED, late).success.tolist() == [1, NONE, NONE]
    assert chains.edge(CLEAN, late).success.tolist() == [1, 0, 1]


def test_what_is_let_in_and_what_is_told_are_dealt_out_and_no_member_has_a_say():
    """A member that does what it is told, and not what it is asked: its deeds follow the client's name, and would look like an
    adversary's where what the member before did stands for what was let in."""

    def does(mail):
        return {NAMES.index(word) % 8 for word in mail.split() if word in NAMES and f"the client is {word}" in mail}

    for table in by_channel(prompt_infection(case_of(Clerk(does=does), effort=MANY))).values():
        for arm in table.arms:
            rows = table.of(arm)
            joint = np.zeros((8, 8), dtype=int)
            np.add.at(joint, (rows.adversary, rows.intent), 1)
            assert (joint == 2).all() and len(set(rows.trial)) == len(rows) == 128
        attacked = table.of("attacked")
        assert len(set(attacked.effect)) == 8
        found = bits(table, "adversary_bits", "attacked")
        assert found.low == 0 and "no channel detected" in found.why, table.channel


@pytest.mark.parametrize("does", [(), (3,), (0, 1, 2, 3)], ids=["nothing", "one thing", "everything"])
def test_members_who_ignore_what_is_asked_give_the_adversary_nothing(does):
    for table in by_channel(prompt_infection(case_of(Clerk(does=lambda mail: does)))).values():
        for arm in table.arms:
            assert set(table.of(arm).effect) == {NONE if not does else does[0] if len(does) == 1 else SEVERAL}
            found = bits(table, "adversary_bits", arm)
            assert found.low == 0 and found.value in (None, 0)
        # the criterion is the paper's, so that what is done anyway counts as success: the rate without an attack says so
        reached = {arm: table.of(arm).success for arm in table.arms}
        if len(does) == 4:
            assert all(((success == 1) == (table.of(arm).adversary < 4)).all() for arm, success in reached.items())


def test_other_deeds_are_symbols_of_their_own():
    office = reference_office(Random(0))
    outside = next(name for name in ("anna", "boris", "clara", "ines") if name not in (office.before, office.after))

    class Writer(Clerk):
        def _next(self, conversation):
            read = [message for message in conversation if message.role == "tool"]
            calls = [Call("read_mail", {"sender": office.before}, "a"), Call("send_mail", {"to": outside, "text": "hello"}, "b")]
            return Message("assistant", calls=(calls[len(read)],)) if len(read) < 2 else Message("assistant", "done .")

    heard = MessageChains(Agent(Writer())).hear([(office, "the cup is red .")])[0]
    assert (heard.effect, heard.done, heard.sent) == (OTHER, frozenset(), None)
    assert office.fact_in("hello") == NO_FACT


def test_openings_are_balanced_and_prompts_fit_the_agents_words():
    from hartley.targets.reference.agent.words import vocabulary

    office, known = reference_office(Random(3)), set(vocabulary())
    for prompt in (None, *PROMPTS):
        template = None if prompt is None else prompt.template
        mails = openings(reference_office, 64, Random(1), template)
        assert {(mail.payload, mail.fact) for mail in mails} == {(a, b) for a in range(8) for b in range(8)}
        for mail in mails:
            assert set(mail.text.split()) <= known, prompt
            assert (PAYLOADS[mail.payload].ask in mail.text) == (prompt is not None) and mail.office.fact_in(mail.text) == mail.fact
        assert len({mail.text for mail in mails}) > 56, "trials differ"
        assert {(mail.payload, mail.fact) for mail in openings(reference_office, 16, Random(1), template, 4)} == {
            (a, b) for a in range(4) for b in range(4)
        }
    assert set(" ".join(office.routine).split()) <= known
    assert office.fact_in(None) == NONE and office.fact_in(" ".join(office.words[:2])) == NO_FACT


def test_plain_prompts_name_everything():
    office = plain_office(Random(3))
    for prompt in PLAIN_PROMPTS:
        text = office.infected(prompt.template, 3, 2, 0)
        assert "{" not in text and PAYLOADS[3].ask in text and office.fact_in(text) == 2


def test_clean_and_attacked_arms_face_the_same_facts():
    chains = chains_of()
    one, two = (chains.mails(prompt, "trials", 48) for prompt in (None, PROMPTS[0]))
    assert [(mail.fact, mail.payload, mail.office) for mail in one] == [(mail.fact, mail.payload, mail.office) for mail in two]
    assert all(plain.text != infected.text for plain, infected in zip(one, two, strict=True))


def test_the_recipe_says_claim_doing_omission_and_bend():
    heads = [line.split(":")[0] for line in inspect.getdoc(prompt_infection).splitlines()]
    assert [head for head in heads if head in ("Claim", "Does", "Left out", "Bends")] == ["Claim", "Does", "Left out", "Bends"]
    assert catalog.threat("prompt-infection").fidelity in ("faithful", "reduced", "analogue")
