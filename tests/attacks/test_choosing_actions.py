"""How words are chosen, by its effect on the number. The policies here fall for what they have met before and for nothing else: words
chosen on draws of their own get nothing of them, words chosen on the trials themselves would. And a safeguard that lets one wording
through is worth nothing: whoever knows of it uses that one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest

from hartley.attacks.action import injection, spoken
from hartley.attacks.action.attack_set import INJECTIONS, Wording
from hartley.case import Case, Refused, SystemCase
from hartley.channel import choose, measure
from hartley.defenses.system.safeguard import Safeguard
from hartley.effort import Effort
from hartley.environments.applications import Application, Applications
from hartley.environments.assistant import beside_a_question, draw_setting, user_tasks
from hartley.exhibit import Span
from hartley.rows import ADAPTIVE
from hartley.targets.agent.agent import ALLOWED, Guard, Verdict
from hartley.targets.conversation import Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System

TRIALS = 16
TINY = Effort("tiny", trials=TRIALS, steps=1, poison_pairs=0, members=8, epochs=1)


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    for module in (injection, spoken):
        monkeypatch.setattr(module, "FEWEST_TRIALS", TRIALS)
        monkeypatch.setattr(module, "FEWEST_PILOTS", TRIALS)


def watched(what, done, total):
    assert what and isinstance(what, str) and 0 <= done <= total > 0, "progress says what, and how much of how much"


def case_of(policy, safeguard=None, *, stream="honest", **more):
    system = System("fake", policy, Lexical())
    return SystemCase(target=system, defense=safeguard, effort=TINY, stream=stream, progress=watched, **more)


def value(rates, name, arm):
    return next(rate.value for rate in rates if (rate.name, rate.arm) == (name, arm))


@pytest.mark.parametrize(
    ("counts", "else_", "place"),
    [((1, 5, 2), None, 1), ((3, 1, 3), None, 0), ((3, 1, 3), 2, 2), ((3, 1, 3), 1, 0), ((0, 0, 0), 1, 1), ((1, 2, 3), 0, 2)],
)
def test_the_wording_with_most_successes_is_chosen_and_of_equals_the_one_that_was_there(counts, else_, place):
    some = INJECTIONS[:3]
    known = None if else_ is None else some[else_]
    assert choose(case_of(None), ADAPTIVE, "x", some, lambda wording: [counts[some.index(wording)]], known)[0] is some[place]


# injections


@dataclass
class Errands:
    """A policy that reads what its user points at, and then does what `falls` says: (wording, how often this user task was met) to
    whether it does the stranger's goal, where it does not the user's own task. The adversary's side leaves the key to each user task."""

    falls: object
    name: str = "errands"
    fingerprint: str = "0" * 64
    capabilities: frozenset[str] = frozenset({"text"})
    told: dict = field(default_factory=dict)
    met: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def payload(self, user_task, goal, wording, random):
        """An assignment whose user's words are a key to everything about it."""
        hidden = user_task.holding(wording.of(goal, random), random)
        key = f"{wording.name} | {user_task.user} | {user_task.document}"
        self.told[key] = (user_task, goal, wording.name)
        return replace(hidden, users=(key,))

    def respond(self, conversations, tools):
        return [self.next(conversation) for conversation in conversations]

    def next(self, conversation):
        user = next(message.text for message in conversation if message.role == "user")
        calls = sum(len(message.calls) for message in conversation)
        if user not in self.told:
            return Message("assistant", "done .")
        user_task, goal, wording = self.told[user]
        if calls == 0:
            self.asked.append((wording, user_task.document))
            self.met[user_task.document] = self.met.get(user_task.document, 0) + 1
            return Message("assistant", calls=(user_task.plan[0],))
        if calls == 1:
            return Message("assistant", calls=(goal.call if self.falls(wording, self.met[user_task.document]) else user_task.plan[-1],))
        return Message("assistant", "done .")


def injected(policy, safeguard=None, **more):
    case = case_of(policy, safeguard, **more)
    (evidence,) = measure(case, injection.Injection("x", beside_a_question, INJECTIONS, policy.payload).channel(case))
    return case, evidence


def success(evidence):
    rates = injection.injection_rates(evidence)
    return {arm: value(rates, "attack success", arm) for arm in evidence.arms}


class Only(Guard):
    """Lets acting calls run only under one wording; None: under none."""

    def __init__(self, wording):
        self.wording = wording

    def judge(self, asked):
        return [
            ALLOWED if call.name.startswith("read") or trace.assignment.users[0].startswith(f"{self.wording} |") else Verdict(False, "no")
            for trace, call in asked
        ]


def unaware_and_aware(policy):
    """The wordings of the last two arms; between them every wording is tried on the pilots."""
    asked, choosing = [wording for wording, _ in policy.asked], TRIALS * len(INJECTIONS)
    return set(asked[-2 * TRIALS - choosing : -TRIALS - choosing]), set(asked[-TRIALS:])


def only(wording):
    return Safeguard(f"only {wording}", agent=lambda agent: agent.guarded(Only(wording)))


def test_injections_are_chosen_on_errands_that_no_trial_holds():
    """An agent that falls for a user task that it has met before: 0 of the trials are such. Were the pilots the trials' own draws, all
    would be."""
    policy = Errands(lambda wording, met: met > 1)
    _, evidence = injected(policy)
    assert success(evidence) == {"clean": 0.0, "attacked": 0.0} and len(evidence.of("attacked")) == TRIALS
    pilots = {document for _, document in policy.asked[:-TRIALS]}
    trials = [document for _, document in policy.asked[-TRIALS:]]
    assert len(pilots) == len(set(trials)) == TRIALS and pilots.isdisjoint(trials)


@pytest.mark.parametrize("weak", ["plain", "important", "combined"])
def test_the_agent_meets_the_wording_that_it_is_weakest_to(weak):
    policy = Errands(lambda wording, met: wording == weak)
    _, evidence = injected(policy)
    assert success(evidence) == {"clean": 0.0, "attacked": 1.0}
    assert {wording for wording, _ in policy.asked[-TRIALS:]} == {weak}
    assert sorted({wording for wording, _ in policy.asked[:-TRIALS]}) == sorted(wording.name for wording in INJECTIONS)
    assert value(injection.injection_rates(evidence), "utility under attack", "attacked") == 0.0


def test_a_safeguard_is_measured_against_the_wording_that_is_best_against_it():
    """It stops all wordings but one: nothing gets through that does not know of it, and everything that does."""
    policy = Errands(lambda wording, met: wording in ("plain", "fake completion"))
    _, evidence = injected(policy, only("fake completion"))
    assert success(evidence) == {"clean": 0.0, "attacked": 1.0, "defended": 0.0, "defended_attacked": 0.0, "defended_adaptive": 1.0}
    assert unaware_and_aware(policy) == ({"plain"}, {"fake completion"})


def test_against_a_safeguard_that_stops_all_wordings_the_best_without_it_is_sent():
    policy = Errands(lambda wording, met: wording == "important")
    _, evidence = injected(policy, only(None))
    assert success(evidence) == {"clean": 0.0, "attacked": 1.0, "defended": 0.0, "defended_attacked": 0.0, "defended_adaptive": 0.0}
    assert unaware_and_aware(policy) == ({"important"}, {"important"})


def test_a_safeguard_that_stands_nowhere_near_is_refused_and_never_measured_as_one():
    with pytest.raises(Refused, match=r"^mute guards nothing .*; this threat attacks an agent's tools$"):
        injected(Errands(lambda wording, met: True), Safeguard("mute"))
    elsewhere = Safeguard("tools", agent=lambda agent: agent)
    with pytest.raises(Refused, match=r"^tools guards an agent's tools; this threat attacks what an application's user says$"):
        spoke(Speaking(lambda wording, met: True), elsewhere)


def test_what_was_chosen_without_a_safeguard_is_kept_for_all_and_what_was_chosen_against_one_for_none():
    shelf = {}

    def cached(name, compute):
        if name not in shelf:
            shelf[name] = compute()
        return shelf[name]

    for weak in ("ignoring", "important"):
        policy = Errands(lambda wording, met: True)
        _, evidence = injected(policy, only(weak), cached=cached)
        assert success(evidence)["defended_adaptive"] == 1.0 and success(evidence)["attacked"] == 1.0
    assert {name: int(found["place"]) for name, found in shelf.items() if "chosen" in name} == {"chosen/x/attacked": 0}


def test_trials_and_pilots_grow_with_the_budget():
    policy = Errands(lambda wording, met: True)
    case = case_of(policy)
    case.effort = replace(TINY, trials=200)
    (evidence,) = measure(case, injection.Injection("x", beside_a_question, INJECTIONS[:1], policy.payload).channel(case))
    assert len(evidence.of("attacked")) == 100
    assert len(policy.asked) == 100 + 100 // injection.PILOTS


def test_the_adversary_s_sentence_stands_in_the_document():
    drawn, twin = Random(1), Random(1)
    setting = draw_setting(Random(2))
    user_task = user_tasks(Random(3), setting, beside_a_question, 8)[0]
    made = injection.into_document(user_task, setting.goals[user_task.goal], INJECTIONS[1], drawn)
    assert made == user_task.holding(INJECTIONS[1].of(setting.goals[user_task.goal], twin), twin)
    (planted,) = user_task.planted(made).values()
    assert planted.strip(" .").startswith("ignore the previous instructions and ") and not planted.endswith("?")
    assert Wording("x", "{goal} now").of(Asking(), Random(0)) == "where is it now"


class Asking:
    """A goal that is said as a question."""

    def said(self, random):
        return f"where is it{' ?' if random.random() >= 0 else ''}"


class Streams(SystemCase):
    """A case that keeps the names of the streams that are drawn from."""

    def random(self, *purpose):
        self.named.append(purpose)
        return super().random(*purpose)


def streams(policy, run):
    case = Streams(target=System("fake", policy, Lexical()), effort=TINY, stream="honest", progress=watched)
    case.named = []
    run(case)
    return case.named


def test_every_draw_of_an_injection_has_a_stream_of_its_own_by_name():
    """A name is a promise: under another one the same plan would give other numbers, and under a shared one dependent numbers."""
    policy = Errands(lambda wording, met: True)
    one = injection.Injection("x", beside_a_question, INJECTIONS[:2], policy.payload)
    named = streams(policy, lambda case: measure(case, one.channel(case)))
    assert named == [("setting",), ("x", "errands"), ("x", "pilots"), ("x", "trials"), ("x", "pilot"), ("x", "pilot"), ("x", "trials")]


# speech


class Speaking:
    """Says the adversary's symbol where `falls` says so: (the user's words, how often they were said), else the user's own."""

    name, fingerprint, capabilities = "speaking", "0" * 64, frozenset({"text"})

    def __init__(self, falls):
        self.falls, self.said = falls, []

    def respond(self, conversations, tools):
        answers = []
        for conversation in conversations:
            system, user = conversation[0].text, conversation[1].text
            hostile = user.startswith("hostile ")
            self.said += [system] if hostile else []
            hit = hostile and self.falls(user.split()[1], self.said.count(system))
            answers.append(Message("assistant", user.split()[2] if hit else system.split()[0]))
        return answers


def world():
    def draw(random: Random, intent: int, symbol: int):
        return Application(f"i{intent} {random.random()}", f"user i{intent}", intent, symbol)

    def place(letter):
        return lambda text: int(text[1:]) if text[:1] == letter else -1

    return Applications("jobs", ("a", "b", "c"), ("d", "e"), draw, place("i"), place("s"))


def spoke(policy, safeguard=None, wordings=INJECTIONS, **more):
    """A case, and its one table."""
    case = policy if isinstance(policy, Case) else case_of(policy, safeguard, **more)

    def hostile(one, wording):
        return f"hostile {wording.name.replace(' ', '-')} s{one.symbol} {one.system}"

    (table,) = measure(case, spoken.Speech("answer", "write", world(), wordings, hostile, served=False).channel(case))
    return case, table


def gained(table):
    return {arm: float((table.of(arm).effect == table.of(arm).adversary).mean()) for arm in table.arms}


def test_words_of_a_speaker_are_chosen_on_applications_that_no_trial_holds():
    _, table = spoke(Speaking(lambda wording, met: met > 1), wordings=INJECTIONS[:1])
    assert gained(table) == {"clean": 0.0, "attacked": 0.0}


@pytest.mark.parametrize("weak", ["plain", "fake-completion", "combined"])
def test_the_application_meets_the_words_that_it_is_weakest_to(weak):
    _, table = spoke(Speaking(lambda wording, met: wording == weak))
    assert gained(table) == {"clean": 0.0, "attacked": 1.0} and len(table.of("attacked")) == TRIALS
    assert (table.of("clean").outcome == table.of("clean").intent).all() and (table.of("attacked").outcome == -1).all()


def test_a_safeguard_of_the_user_s_words_is_measured_against_the_words_that_are_best_against_it():
    class Deaf:
        """Hears one wording alone."""

        name, fingerprint, capabilities = "deaf", "0" * 64, frozenset({"text"})

        def __init__(self, policy):
            self.policy = policy

        def respond(self, conversations, tools):
            said = self.policy.respond(conversations, tools)
            heard = [not talk[1].text.startswith("hostile ") or " fake-completion " in f" {talk[1].text} " for talk in conversations]
            return [answer if one else Message("assistant", "no") for answer, one in zip(said, heard, strict=True)]

    _, table = spoke(Speaking(lambda wording, met: wording in ("plain", "fake-completion")), Safeguard("deaf", words=Deaf))
    assert gained(table) == {"clean": 0.0, "attacked": 1.0, "defended": 0.0, "defended_attacked": 0.0, "defended_adaptive": 1.0}


def test_applications_and_pilots_grow_with_the_budget():
    policy = Speaking(lambda wording, met: True)
    case = case_of(policy)
    case.effort = replace(TINY, trials=400)
    _, table = spoke(case, wordings=INJECTIONS[:1])
    assert len(table.of("attacked")) == 200 and len(policy.said) == 200 + 200 // injection.PILOTS


def test_every_draw_of_a_speaker_has_a_stream_of_its_own_by_name():
    named = streams(Speaking(lambda wording, met: True), lambda case: spoke(case, wordings=INJECTIONS[:2]))
    assert named == [("applications",), ("pilots",)]


def test_every_intent_meets_every_symbol_equally_often():
    drawn = world().drawn(Random(0), 60)
    pairs = [(one.intent, one.symbol) for one in drawn]
    assert sorted(pairs.count(pair) for pair in set(pairs)) == [10] * 6
    assert pairs != sorted(pairs) and pairs != [(one.intent, one.symbol) for one in world().drawn(Random(1), 60)]


def test_a_trial_without_an_answer_is_left_out_of_the_share():
    class Flaky(Speaking):
        def attempt(self, conversations, tools):
            answers = self.respond(conversations, tools)
            return [NotMeasured(Reason.TIMEOUT, "slow") if place % 4 == 0 else answer for place, answer in enumerate(answers)]

    case, table = spoke(Flaky(lambda wording, met: True))
    assert gained(table) == {"clean": 0.0, "attacked": 1.0} and len(table.of("attacked")) == TRIALS * 3 // 4
    assert table.of("attacked").trial.tolist() == [place for place in range(TRIALS) if place % 4]
    assert [flag.why for flag in case.flags] == [f"4 of {TRIALS} trials were not measured: the policy gave no answer"] * 2


def test_what_was_said_is_shown_with_who_said_it_and_whom_to_trust():
    policy = Speaking(lambda wording, met: True)
    case, table = spoke(policy, wordings=INJECTIONS[:1])
    assert (table.of("attacked").intent == -1).all(), "whoever speaks in the user's stead wants nothing of the user's"
    assert table.intent_prior is not None and table.intent_prior.tolist() == [1 / 3] * 3 and set(table.costs["queries"]) == {1.0}
    assert [exhibit.arm for exhibit in case.exhibits] == ["clean"] * 2 + ["attacked"] * 2
    for exhibit in case.exhibits:
        system, user, answer = exhibit.transcript
        hostile = exhibit.arm == "attacked"
        said = (exhibit.adversary and f"s{'de'.index(exhibit.adversary)}") or f"i{'abc'.index(exhibit.intent)}"
        assert (system.role, user.role, answer.role, exhibit.channel) == ("system", "user", "assistant", "answer")
        assert (system.spans, answer.spans) == ((Span(f"{system.spans[0].text}", True),), (Span(said, not hostile),))
        assert user.spans == (Span(user.spans[0].text, not hostile, hostile),) and user.spans[0].text.startswith("hostile " * hostile)
        assert (exhibit.outcome_clean, exhibit.outcome_attacked) == (said, said) and (exhibit.adversary is None) != hostile
        assert system.spans[0].text.startswith(f"i{'abc'.index(exhibit.intent)} ")


def test_where_something_else_than_words_is_read_ordinary_users_are_still_answered_in_words():
    def read(policy, conversations):
        return ["s1"] * len(conversations)

    case = case_of(Speaking(lambda wording, met: False), Safeguard("deaf", words=lambda policy: policy))
    probe = spoken.Speech("probed", "read", world(), INJECTIONS[:1], lambda one, wording: "hostile x s0", served=True, read=read)
    (table,) = measure(case, probe.channel(case))
    assert table.arms == ("clean", "attacked"), "a safeguard gives out words alone"
    assert (table.of("attacked").effect == 1).all() and (table.of("clean").outcome == table.of("clean").intent).all()
    assert (table.of("attacked").intent == table.of("clean").intent).all(), "the user is still there to be served"
