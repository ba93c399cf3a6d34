"""How words are chosen against memories and societies, by its effect on the number: readers that give way only to what they have read
before, members that fall for nothing once they have settled, and safeguards that let one wording through."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hartley.attacks.case import Effort, Refused, SystemCase
from hartley.attacks.interaction import infection
from hartley.attacks.interaction.prompt_infection import prompt_infection
from hartley.attacks.interaction.prompt_infection import rates as infection_rates
from hartley.attacks.memory import anderson_rag_mia, poisonedrag, spill_the_beans
from hartley.defenses.system.safeguard import Safeguard
from hartley.targets.agent.agent import ALLOWED, Guard, Verdict
from hartley.targets.conversation import Call, Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System

TRIALS = 16
TINY = Effort("tiny", trials=TRIALS, steps=1, poison_pairs=0, members=8, epochs=1)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    for module in (poisonedrag, anderson_rag_mia, spill_the_beans):
        monkeypatch.setattr(module, "PILOT", 8)
    monkeypatch.setattr(infection, "MOST_TRIALS", {"tiny": TRIALS})
    monkeypatch.setattr(infection, "PILOTS", {"tiny": TRIALS})


def watched(what, done, total):
    assert what and isinstance(what, str) and 0 <= done <= total > 0, "progress says what, and how much of how much"


def case_of(policy, safeguard=None, *, stream="honest", **more):
    system = System("fake", policy, Lexical())
    return SystemCase(system=system, safeguard=safeguard, effort=TINY, stream=stream, progress=watched, **more)


def value(rates, name, arm):
    return next(rate.value for rate in rates if (rate.name, rate.arm) == (name, arm))


# memories


class Met:
    """A reader that gives way only where it has read the very same words before, and else tells what most passages say."""

    name, fingerprint, capabilities = "met", "0" * 64, frozenset({"text"})

    def __init__(self):
        self.read = set()

    def respond(self, conversations, tools):
        answers = []
        for conversation in conversations:
            text = conversation[-1].text
            answers.append(Message("assistant", self.gives(text) if text in self.read else "i do not know ."))
            self.read.add(text)
        return answers

    def gives(self, text):
        return text


class Believing(Met):
    """Believes the first document that brings a question along: a planted one."""

    def gives(self, text):
        documents = re.split(r" (?=\d+ : )", " " + text.removeprefix("documents : "))[1:]
        name, verb = re.search(r"does (\w+) (\w+) \?$", text).groups() if re.search(r"does (\w+) (\w+) \?$", text) else ("", "")
        said = [re.search(rf"{name} {verb}s? (?:in )?\w+", document) for document in documents if " ? " in document]
        return said[0].group() if name and said and said[0] else "i do not know ."


def test_planted_texts_are_chosen_on_questions_that_no_trial_asks():
    """As many texts are planted in a trial as were in the pilot: what was read there would be read again."""
    tables = {table.channel: table for table in poisonedrag.poisonedrag(case_of(Believing()))}
    assert value(poisonedrag.rates(tables[f"{poisonedrag.PILOT_TEXTS} texts"]), "planted answer given", "attacked") == 0.0


def test_no_memory_that_a_pilot_asks_is_asked_in_a_trial(monkeypatch):
    drawn, targets_of = [], poisonedrag.targets_of

    def kept(case, purpose, *more):
        drawn.append(targets_of(case, purpose, *more))
        return drawn[-1]

    monkeypatch.setattr(poisonedrag, "targets_of", kept)
    poisonedrag.poisonedrag(case_of(Believing()))
    one, other = ({target.memory.fingerprint for target in part} for part in drawn)
    assert one and other and one.isdisjoint(other) and 8 in (len(part) for part in drawn)


def test_a_planted_text_is_worded_against_the_safeguard_that_it_meets():
    """The safeguard hides all untrusted passages but corrections: what is worded otherwise gets nothing, corrections get all."""

    class Always(Believing):
        def respond(self, conversations, tools):
            return [Message("assistant", self.gives(conversation[-1].text)) for conversation in conversations]

    def reading(inner):
        def hiding(questions, passages):
            shown = [[one for one in own if one.entry.trusted or "was false" in one.entry.text] for own in passages]
            return inner(questions, shown)

        return hiding

    tables = poisonedrag.poisonedrag(case_of(Always(), Safeguard("hiding", reading=reading)))
    rates = poisonedrag.rates(tables[-1])
    found = {arm: value(rates, "planted answer given", arm) for arm in ("attacked", "defended_attacked", "defended_adaptive")}
    assert found["attacked"] == found["defended_adaptive"] > 0.3 and found["defended_attacked"] == 0.0


def test_prompts_for_secrets_are_chosen_on_a_memory_that_no_trial_asks():
    for table in spill_the_beans.spill_the_beans(case_of(Met())):
        if table.channel in ("passwords", "private facts"):
            assert value(spill_the_beans.rates(table), "secret given out", "attacked") == 0.0


def test_membership_questions_are_chosen_on_a_memory_that_no_trial_asks():
    """It says yes of members that it was asked about before, and of nobody else: the trials' members read as the strangers do."""

    class Telling(Met):
        def gives(self, text):
            record = re.search(r": ([a-z0-9 ]+?) \?", text[text.rindex("document") :] if "document" in text else text)
            return "yes ." if record and text.count(record.group(1)) > 1 else "i do not know ."

    answer, *_ = anderson_rag_mia.anderson_rag_mia(case_of(Telling()))
    assert value(anderson_rag_mia.rates(answer), "AUC", "attacked") == 0.5


class Open:
    """Copies the nearest document, and says truly whether a record stands in what it reads."""

    name, fingerprint, capabilities = "open", "0" * 64, frozenset({"text"})

    def respond(self, conversations, tools):
        return [Message("assistant", self.says(conversation[-1].text)) for conversation in conversations]

    def says(self, text):
        if "yes or" not in text:
            return re.split(r" (?=\d+ : )", " " + text.removeprefix("documents : "))[1].split(" : ", 1)[1]
        record = re.search(r": ([a-z0-9 ]+?) \?", text[text.rindex("document") :] if "document" in text else text)
        return "yes ." if record is not None and text.count(record.group(1)) > 1 else "no ."


def deaf_to(words):
    """A safeguard under which no question that holds these words is answered."""

    def reading(inner):
        def deaf(questions, passages):
            return [
                "i do not know ." if words in question else answer
                for question, answer in zip(questions, inner(questions, passages), strict=True)
            ]

        return deaf

    return Safeguard(f"deaf to {words}", reading=reading)


def test_secrets_are_asked_for_in_words_that_the_safeguard_lets_pass():
    tables = {table.channel: table for table in spill_the_beans.spill_the_beans(case_of(Open(), deaf_to("repeat")))}
    for name in ("passwords", "private facts"):
        rates = spill_the_beans.rates(tables[name])
        found = {arm: value(rates, "secret given out", arm) for arm in tables[name].arms if arm not in ("clean", "defended")}
        assert found["attacked"] > 0.5 < found["defended_adaptive"] and found["defended_attacked"] == 0.0, name


def test_members_are_asked_about_in_words_that_the_safeguard_lets_pass():
    answer, *_ = anderson_rag_mia.anderson_rag_mia(case_of(Open(), deaf_to("is this in")))
    rates = anderson_rag_mia.rates(answer)
    found = {arm: value(rates, "AUC", arm) for arm in answer.arms}
    assert found == {"clean": 0.5, "attacked": 1.0, "defended": 0.5, "defended_attacked": 0.5, "defended_adaptive": 1.0}


def choosy(policy, refused, weak):
    """The policy behind a server that turns down conversations with some words, and that gives way to some others alone."""

    class Choosy(type(policy)):
        def attempt(self, conversations, tools):
            texts = [conversation[-1].text for conversation in conversations]
            given = [self.gives(text) if hasattr(self, "gives") else self.says(text) for text in texts]
            said = [answer if re.search(weak, text) else "i do not know ." for text, answer in zip(texts, given, strict=True)]
            return [
                NotMeasured(Reason.REFUSED, "no") if re.search(refused, text) else Message("assistant", answer)
                for text, answer in zip(texts, said, strict=True)
            ]

    return Choosy()


def pilots(case, channel):
    """The curves of choosing on a channel: (arm, name, values)."""
    return [(curve.arm, curve.name, curve.values) for curve in case.curves if curve.channel == channel and "pilot" in curve.name]


def test_a_prompt_that_the_server_turns_down_has_given_out_nothing():
    """ "question : ..." is the last prompt; those that command to repeat are turned down, and a bare question brings nothing."""
    case = case_of(choosy(Open(), "repeat", r"question :"))
    tables = {table.channel: table for table in spill_the_beans.spill_the_beans(case)}
    for channel in ("passwords", "private facts"):
        assert value(spill_the_beans.rates(tables[channel]), "secret given out", "attacked") > 0.5
        ((arm, name, shares),) = pilots(case, channel)
        assert (arm, name) == ("attacked", "secrets given out, by prompt (pilot)") and shares[:-1] == (0.0,) * 6 and 0.5 < shares[-1] <= 1


def test_a_wording_that_the_server_turns_down_has_planted_nothing():
    case = case_of(choosy(Believing(), "was false", "ignore the documents"))
    tables = poisonedrag.poisonedrag(case)
    assert value(poisonedrag.rates(tables[-1]), "planted answer given", "attacked") == 1.0
    assert pilots(case, "3 texts") == [("attacked", "planted answer given, by wording (pilot)", (0.0, 0.0, 0.0, 1.0))]


def test_a_question_that_the_server_turns_down_has_told_nothing():
    case = case_of(choosy(Open(), "^.*do the documents say .* answer yes or no", "answer yes or no : "))
    answer, *_ = anderson_rag_mia.anderson_rag_mia(case)
    assert value(anderson_rag_mia.rates(answer), "AUC", "attacked") == 1.0
    assert pilots(case, "answer") == [("attacked", "advantage by wording (pilot)", (0.0, -1.0, 1.0, 0.0))]


def test_the_gap_of_ranks_by_hand():
    gap = anderson_rag_mia._rank_gap
    member = np.array([True, False, True, False])
    assert gap(np.array([2.0, 1.0, 0.0, 1.0]), member) == 0.0 and gap(np.array([2.0, 1.0, 1.0, 0.0]), member) == 0.75
    assert gap(np.array([0.0, 1.0, 0.0, 1.0]), member) == -1.0
    assert gap(np.zeros(2), np.array([True, True])) == gap(np.zeros(2), np.array([False, False])) == 0.0


def test_the_bar_of_the_gray_box_is_set_on_the_pilot_s_records():
    """Members score 1 more than strangers, but all of the trials 10 more than all of the pilot: by the pilot's bar everybody is a
    member, and half of the guesses are right. A bar set on the trials would make all of them right."""

    class Likely(Met):
        capabilities = frozenset({"text", "logprob"})
        asked = 0

        def log_likelihood(self, conversations, messages, tools):
            self.asked += messages[0].text.startswith("yes")
            if not messages[0].text.startswith("yes"):
                return np.zeros(len(conversations))
            member = [self.member(conversation[-1].text) for conversation in conversations]
            return np.array(member, float) + (10.0 if self.asked > 4 else 0.0)

        def member(self, text):
            record = re.search(r": ([a-z0-9 ]+?) \?", text[text.rindex("document") :] if "document" in text else text)
            return record is not None and text.count(record.group(1)) > 1

    tables = {table.channel: table for table in anderson_rag_mia.anderson_rag_mia(case_of(Likely()))}
    rates = anderson_rag_mia.rates(tables["log likelihood"])
    assert value(rates, "member or not, guessed right", "attacked") == 0.5 and value(rates, "AUC", "attacked") >= 0.9
    assert (tables["log likelihood"].of("attacked").outcome == 1).all()


# societies


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

    def infected(cell, mode, relays, prompts, purpose, count):
        asked.append((purpose, [prompt.name for prompt in prompts], count, mode.shared))
        rows = np.array(pilots if purpose == "pilots" else finals)
        return rows[[int(prompt.name) for prompt in prompts]] if purpose == "pilots" else rows

    monkeypatch.setattr(infection, "_infected", infected)
    monkeypatch.setattr(infection, "FINALISTS", 2)
    prompts = tuple(infection.Prompt(str(place), "") for place in range(4))
    cell = SimpleNamespace(office=SimpleNamespace(prompts=prompts), case=case_of(Met()), length=2)
    given = () if first is None else (prompts[first],)
    assert infection.chosen_prompt(cell, infection.Mode("x", True), None, "bare", *given) is prompts[chosen]
    order = sorted("0123", key=lambda name: name != str(first))
    assert asked[0] == ("pilots", order, TRIALS, True) and len(asked) == 1 + (finals is not None)
    if finals is not None:
        assert asked[1][0] == "finals" and len(asked[1][1]) == 2 and asked[1][2] == infection.FINAL * TRIALS
    cell.case.effort = replace(TINY, name="some other")
    asked.clear()
    infection.chosen_prompt(cell, infection.Mode("", False), None, "bare")
    assert asked[0][2:] == (infection.UNNAMED, False)


def test_members_are_guarded_by_what_guards_agents_or_them():
    policy, other = Met(), Met()
    by_member = infection.guarded(case_of(policy, Safeguard("x", member=lambda given: (given is policy and other) or None)))
    assert by_member.policy is other
    by_agent = infection.guarded(case_of(policy, Safeguard("x", agent=lambda agent: agent.guarded(Guarding()), member=lambda given: other)))
    assert by_agent.policy is policy and isinstance(by_agent.guards[0], Guarding)
    with pytest.raises(Refused, match=r"^x acts neither on agents nor on what members of a society hear from each other$"):
        infection.guarded(case_of(policy, Safeguard("x")))


class Guarding(Guard):
    """A guard to be recognized by."""
