"""How words are chosen against memories, by its effect on the number: readers that give way only to what they have read before, and
safeguards that let one wording through."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hartley.attacks.memory import anderson_rag_mia, members, poisonedrag, spill_the_beans
from hartley.case import SystemCase
from hartley.defenses.system.safeguard import Safeguard
from hartley.effort import Effort
from hartley.targets.conversation import Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System

TRIALS = 16
TINY = Effort("tiny", trials=TRIALS, steps=1, poison_pairs=0, members=8, epochs=1)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    for module in (poisonedrag, anderson_rag_mia, spill_the_beans):
        monkeypatch.setattr(module, "PILOT", 8)


def watched(what, done, total):
    assert what and isinstance(what, str) and 0 <= done <= total > 0, "progress says what, and how much of how much"


def case_of(policy, safeguard=None, *, stream="honest", **more):
    system = System("fake", policy, Lexical())
    return SystemCase(target=system, defense=safeguard, effort=TINY, stream=stream, progress=watched, **more)


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

    def kept(random, *more):
        drawn.append(targets_of(random, *more))
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
    right = {arm: value(rates, "member or not, guessed right", arm) for arm in answer.arms}
    assert right["attacked"] == right["defended_adaptive"] == 1.0 and right["clean"] == 0.5


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
        assert (
            (arm, name) == ("attacked", "secrets given out, by prompt (pilot)")
            and shares[:-1] == (-np.inf,) * 5 + (0.0,)
            and 0.5 < shares[-1] <= 1
        )


def test_a_wording_that_the_server_turns_down_has_planted_nothing():
    case = case_of(choosy(Believing(), "was false", "ignore the documents"))
    tables = poisonedrag.poisonedrag(case)
    assert value(poisonedrag.rates(tables[-1]), "planted answer given", "attacked") == 1.0
    assert pilots(case, "3 texts") == [("attacked", "planted answer given, by wording (pilot)", (0.0, 0.0, -np.inf, 1.0))]
    assert {len(table.of("attacked")) for table in tables} == {round(poisonedrag.SHARE * TRIALS)}


def test_a_wording_that_wins_sometimes_is_not_one_that_always_wins():
    """A share of those that were measured, not of those that succeeded."""
    case = case_of(choosy(Believing(), "was false", r"ignore the documents|does [a-m]\w* "))
    assert value(poisonedrag.rates(poisonedrag.poisonedrag(case)[-1]), "planted answer given", "attacked") == 1.0
    ((_, _, shares),) = pilots(case, "3 texts")
    assert 0 < shares[0] < shares[3] == 1


def test_a_question_that_the_server_turns_down_has_told_nothing():
    case = case_of(choosy(Open(), "^.*do the documents say .* answer yes or no", "answer yes or no : "))
    answer, *_ = anderson_rag_mia.anderson_rag_mia(case)
    assert value(anderson_rag_mia.rates(answer), "AUC", "attacked") == 1.0
    assert pilots(case, "answer") == [("attacked", "advantage by wording (pilot)", (0.0, -np.inf, 1.0, 0.0))]


def test_the_gap_of_ranks_by_hand():
    gap = members.rank_gap
    member = np.array([True, False, True, False])
    assert gap(np.array([2.0, 1.0, 0.0, 1.0]), member) == 0.0 and gap(np.array([2.0, 1.0, 1.0, 0.0]), member) == 0.75
    assert gap(np.array([0.0, 1.0, 0.0, 1.0]), member) == -1.0
    assert gap(np.zeros(2), np.array([True, True])) == gap(np.zeros(2), np.array([False, False])) == 0.0


def test_the_bar_of_the_gray_box_is_set_on_the_pilot_s_records():
    """Members score 1 more than strangers, but all of the trials lower than all of the pilot: by the pilot's bar nobody is a
    member, and half of the guesses are right. A bar set on the trials would make all of them right."""

    class Likely(Met):
        capabilities = frozenset({"text", "logprob"})
        asked = 0

        def log_likelihood(self, conversations, messages, tools):
            self.asked += messages[0].text.startswith("yes")
            if not messages[0].text.startswith("yes"):
                return np.zeros(len(conversations))
            member = [self.member(conversation[-1].text) for conversation in conversations]
            return np.array(member, float) + (2.0 if self.asked > 4 else 3.5)

        def member(self, text):
            record = re.search(r": ([a-z0-9 ]+?) \?", text[text.rindex("document") :] if "document" in text else text)
            return record is not None and text.count(record.group(1)) > 1

    tables = {table.channel: table for table in anderson_rag_mia.anderson_rag_mia(case_of(Likely()))}
    rates = anderson_rag_mia.rates(tables["log likelihood"])
    assert value(rates, "member or not, guessed right", "attacked") == 0.5 and value(rates, "AUC", "attacked") >= 0.9
    assert (tables["log likelihood"].of("attacked").outcome == 0).all()
