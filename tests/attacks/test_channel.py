"""The waist: what `measure` gives every channel, held against a channel whose every step is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch

from hartley.case import Case, Curve
from hartley.channel import Channel, Seen, choose, measure, to_look_at
from hartley.effort import Effort
from hartley.evidence import ARMS
from hartley.exhibit import Exhibit
from hartley.rows import ADAPTIVE, ATTACKED, CLEAN, DEFENDED, EVERY, UNAWARE, Arm, Rows, Sent, Symbols
from hartley.targets.endpoint.outcomes import NotMeasured

TINY = Effort("tiny", trials=4, steps=1, poison_pairs=1, members=1, epochs=1)
LETTERS = ("a", "b")


@dataclass
class Kept:
    """A run's cache."""

    held: dict[str, Any] = field(default_factory=dict)

    def __call__(self, name, compute):
        if name not in self.held:
            self.held[name] = compute()
        return self.held[name]


def watched(what, done, total):
    assert (type(what), done, total) == (str, 0, 1) and what.split(", ")[0] in ("letters", "both", "x"), "progress says what begins"


def case_of(defense=None, cache=None):
    return Case(target="model", defense=defense, effort=TINY, stream="0" * 64, cached=cache or Kept(), progress=watched)


@dataclass
class World:
    """A subject that says "b" wherever its payload is loud enough for it, and a diary of what was asked of whom."""

    diary: list[str] = field(default_factory=list)

    def subject(self, arm: Arm) -> str:
        return "guarded" if arm.defended else "bare"

    def copied(self, arm: Arm) -> str:
        return f"copy of {self.subject(arm)}"

    def payload(self, arm: Arm, on: str, known: int | None) -> int:
        self.diary.append(f"made in {arm.name} on {on}, known {known}")
        return 9 if arm.adaptive else 1

    def ask(self, arm: Arm, subject: str, given: int | None) -> Rows:
        self.diary.append(f"{arm.name}: {subject} is given {given}")
        loud = (given or 0) > (5 if subject == "guarded" else 0)
        return Rows(outcome=[1 if loud else 0] * 4, said=("yes", "no", "yes", "no"), costs={"queries": [1.0] * 4})

    def channel(self, **more: Any) -> Channel[str, int]:
        shape: dict[str, Any] = {"subject": self.subject, "ask": self.ask, "payload": self.payload, "made_on": self.copied}
        sent = Sent([0, 0, 0, 1], [1, 1, 1, 1], [0, 0, 1, 1])
        return Channel("letters", "write", Symbols(LETTERS, LETTERS, LETTERS, prior=[0.75, 0.25]), sent, **{**shape, **more})


def test_without_a_defense_there_are_two_arms_and_an_attack_that_is_made_once():
    world = World()
    (table,) = measure(case_of(), world.channel())
    assert table.arms == ("clean", "attacked")
    assert world.diary == ["clean: bare is given None", "made in attacked on copy of bare, known None", "attacked: bare is given 1"]
    assert table.of("clean").outcome.tolist() == [0] * 4 and table.of("attacked").outcome.tolist() == [1] * 4
    assert table.of("attacked").success.tolist() == [1] * 4 and table.of("clean").success.tolist() == [0] * 4
    assert table.intent.tolist() == [0, 0, 0, 1] * 2 and table.adversary.tolist() == [1] * 8
    assert table.cluster is not None and table.cluster.tolist() == [0, 0, 1, 1] * 2
    assert table.intent_prior is not None and table.intent_prior.tolist() == [0.75, 0.25] and table.costs["queries"].tolist() == [1.0] * 8


def test_with_a_defense_one_attack_knows_nothing_of_it_and_one_is_made_through_it():
    world = World()
    (table,) = measure(case_of("guard"), world.channel())
    assert table.arms == ARMS
    assert "defended_attacked: guarded is given 1" in world.diary, "the attack that was made on the bare subject"
    assert "made in defended_adaptive on copy of guarded, known 1" in world.diary and "defended_adaptive: guarded is given 9" in world.diary
    assert sum(line.startswith("made") for line in world.diary) == 2
    assert [float(table.of(arm).success.mean()) for arm in ARMS] == [0, 1, 0, 0, 1]


def test_what_no_defense_has_touched_is_asked_once_a_run_and_everything_else_in_every_cell():
    cache, diaries = Kept(), []
    for defense in (None, "one", "another"):
        world = World()
        measure(case_of(defense, cache), world.channel())
        diaries.append([line for line in world.diary if " is given " in line])
    assert [line.partition(":")[0] for line in diaries[0]] == ["clean", "attacked"]
    assert (
        [line.partition(":")[0] for line in diaries[1]]
        == ["defended", "defended_attacked", "defended_adaptive"]
        == [line.partition(":")[0] for line in diaries[2]]
    )


def test_channels_of_one_asking_share_payloads_and_answers_and_read_their_own_columns():
    world = World()
    one = world.channel(asked_as="both")
    other = replace(one, name="words", read=lambda _, rows: replace(rows, outcome=[int(text == "yes") for text in rows.said]))
    first, second = measure(case_of("guard"), one, other)
    assert len(world.diary) == 5 + 2, "every arm is asked once, and two attacks are made"
    assert first.of("clean").outcome.tolist() == [0] * 4 and second.of("clean").outcome.tolist() == [1, 0, 1, 0]


def test_lost_trials_are_left_out_and_said_to_be():
    world, case = World(), case_of()
    lost = world.channel(read=lambda arm, rows: replace(rows, lost=[arm.attacked, False, False, False], why="the line was dead"))
    (table,) = measure(case, lost)
    assert table.of("clean").trial.tolist() == [0, 1, 2, 3] and table.of("attacked").trial.tolist() == [1, 2, 3]
    assert [(flag.channel, flag.arm, flag.name, flag.why) for flag in case.flags] == [
        ("letters", "attacked", "trials lost", "1 of 4 trials were not measured: the line was dead")
    ]


def test_an_adversary_that_only_listens_gives_nothing_and_arms_can_be_fewer():
    world = World()
    (table,) = measure(case_of("guard"), world.channel(payload=None, arms=EVERY[:-1]))
    assert table.arms == ARMS[:-1] and all(line.endswith("given None") for line in world.diary)


def test_exhibits_are_of_the_arms_that_the_cell_is_about():
    def show(arm: Arm, trial: int, seen: dict[Arm, Seen[int]]) -> Exhibit | None:
        return None if arm == CLEAN else Exhibit("letters", arm.name, str(trial), None, "", str(seen[arm].payload))

    for defense, arms in ((None, {"attacked"}), ("guard", {"defended", "defended_attacked", "defended_adaptive"})):
        case = case_of(defense)
        measure(case, World().channel(show=show))
        assert {exhibit.arm for exhibit in case.exhibits} == arms
        given = {"attacked": "1", "defended": "None", "defended_attacked": "1", "defended_adaptive": "9"}
        assert all(exhibit.outcome_attacked == given[exhibit.arm] for exhibit in case.exhibits)


def seen_of(clean: Sequence[int], success: Sequence[int]) -> dict[Arm, Seen[None]]:
    """Two arms over the same trials, all of which want "a"; under attack nothing comes out."""
    channel = World().channel(arms=(CLEAN, ATTACKED))
    channel = replace(channel, symbols=Symbols(("a", "b"), ("b",), ("b", "a")), sent=Sent([0] * len(clean), [0] * len(clean)))
    rows = {CLEAN: Rows(outcome=clean, success=[0] * len(clean)), ATTACKED: Rows(outcome=[-1] * len(clean), success=success)}
    return {arm: Seen(None, own, channel.table(arm, own)) for arm, own in rows.items()}


def test_reading_7_successes_that_were_right_before_come_first():
    # "a" is 0 as an intent and 1 as an outcome: trials 0 to 2 were wrong before, 3 to 5 right, 6 and 7 failed.
    seen = seen_of(clean=[0, -1, 0, 1, 1, 1, 1, 1], success=[1] * 6 + [0, 0])
    assert to_look_at(ATTACKED, seen, 4) == [3, 4, 5, 6]
    assert to_look_at(ATTACKED, seen, 2) == [3, 6]


def test_a_success_that_was_wrong_before_is_kept_where_there_is_no_other():
    assert to_look_at(ATTACKED, seen_of(clean=[0, 0, 1], success=[1, 1, 0]), 4) == [0, 1, 2]
    assert to_look_at(ATTACKED, seen_of(clean=[0, 0, 1], success=[1, 1, 1]), 2) == [2, 0]
    assert to_look_at(ATTACKED, seen_of(clean=[0, 0, 1], success=[-1, -1, -1]), 2) == [0], "what shows all trials at once is shown"


def test_behind_a_defense_what_was_right_before_was_right_behind_it():
    seen = seen_of(clean=[1, 0, 0], success=[1, 1, 1])
    seen |= {DEFENDED: seen_of(clean=[0, 0, 1], success=[1] * 3)[CLEAN], UNAWARE: seen[ATTACKED]}
    assert to_look_at(ATTACKED, seen, 2) == [0, 1] and to_look_at(UNAWARE, seen, 2) == [2, 0]


@pytest.mark.parametrize("arm", EVERY)
def test_rows_come_back_from_a_cache_as_they_were(arm):
    rows = Rows(
        outcome=torch.tensor([1, 0]), success=np.array([True, False]), score=[0.5, -1.5], embedding=torch.eye(2), lost=[False, True],
        why="no line", said=(("one", None), "two"), costs={"queries": torch.ones(2)}, more={"grid": np.arange(6).reshape(2, 3)},
    )  # fmt: skip
    back = Rows.from_tensors(rows.to_tensors())
    channel = World().channel()
    channel = replace(channel, sent=Sent([0, 1], [1, 0], [3, 4], [7, 9]))
    assert channel.table(arm, back) == channel.table(arm, rows)
    assert channel.table(arm, rows).trial.tolist() == [7] and back.why == "no line" and back.said == (["one", None], "two")
    assert np.array_equal(back.more["grid"], np.arange(6).reshape(2, 3))


def scores_of(**scores):
    def score(option):
        if scores[option] is None:
            raise NotMeasured("turned down", "by the server")
        return scores[option]

    return score


def test_the_best_option_is_chosen_and_of_those_that_are_level_the_one_that_was_known():
    case, options = case_of(), ("one", "two", "three")
    assert choose(case, ADAPTIVE, "x", options, scores_of(one=[1], two=[3], three=[3])) == ("two", (3.0,))
    assert choose(case, ADAPTIVE, "x", options, scores_of(one=[1], two=[3], three=[3]), "three")[0] == "three"
    assert choose(case, ADAPTIVE, "x", options, scores_of(one=[1], two=[3], three=[2]), "three")[0] == "two"
    assert choose(case, ADAPTIVE, "x", options, scores_of(one=None, two=[-3], three=None))[0] == "two", "what is turned down is worst"
    assert choose(case, ADAPTIVE, "x", options, scores_of(one=[1, 5], two=[1, 9], three=[0, 99]))[0] == "one", "one entry ranks"
    assert choose(case, ADAPTIVE, "x", options, scores_of(one=[1, 5], two=[1, 9], three=[0, 99]), ranked=2) == ("two", (1.0, 9.0))
    assert [curve.values for curve in case.curves[:1]] == [(1.0, 3.0, 3.0)] and case.curves[0].arm == ADAPTIVE.name
    assert (case.curves[0].channel, case.curves[0].name) == ("x", "successes, by wording (pilot)")
    choose(case, ADAPTIVE, "x", options[:1], scores_of(one=[1 / 3]), what="bits")
    assert (case.curves[-1].name, case.curves[-1].values) == ("bits", (0.333333,))


def test_a_choice_without_a_defense_is_made_once_a_run_and_one_through_it_in_every_cell():
    cache, asked = Kept(), []

    def score(option):
        asked.append(option)
        return [len(option)]

    for arm, count in ((ATTACKED, 2), (ATTACKED, 2), (ADAPTIVE, 4), (ADAPTIVE, 6)):
        assert choose(case_of("guard", cache), arm, "x", ("long", "longer"), score)[0] == "longer"
        assert len(asked) == count
    assert UNAWARE.attacked and UNAWARE.defended and not UNAWARE.adaptive and DEFENDED.defended and not DEFENDED.attacked


def test_curves_of_what_is_computed_inside_of_something_else_are_told_once_and_come_back_from_the_cache():
    """A model that is trained while trials are asked leaves its loss in every cell that reads either from the cache, and no cell twice."""

    def inner(case):
        case.curves.append(Curve("x", "attacked", "training", (1.0,)))
        return {"weights": torch.ones(1)}

    def outer(case):
        case.once("model", lambda: inner(case))
        case.curves.append(Curve("x", "attacked", "asking", (2.0,)))
        return {"rows": torch.ones(1)}

    cache, told = Kept(), []
    for order in (("asked", "model"), ("asked", "model"), ("model", "asked")):
        case = case_of(cache=cache)
        for name in order:
            case.once(name, lambda name=name: outer(case) if name == "asked" else inner(case))  # noqa: B023
        told.append(sorted(curve.name for curve in case.curves))
    assert told == [["asking", "training"]] * 3
    assert set(cache.held) == {"asked", "model"}


def test_every_column_of_an_arm_is_a_column_of_the_table_and_what_was_lost_is_in_none():
    """With other symbols at the adversary's receiver, and with an arm's own users, units and numbers of trials."""
    symbols = Symbols(("a", "b"), ("c", "d"), ("a", "b", "other"), ("c", "d", "nothing"), [0.5, 0.5])
    channel = replace(World().channel(), symbols=symbols, sent=Sent([0, 1, 0], [1, 1, 0], [5, 5, 6], [10, 20, 30]))
    rows = Rows(
        outcome=[2, 1, 0], effect=torch.tensor([1, 0, 0]), score=[0.1, 0.2, 1 / 3], log2_q=[-1.0, -2.0, -1 / 3],
        embedding=torch.arange(6.0).reshape(3, 2), lost=[False, True, False], costs={"queries": [1, 2, 3]},
    )  # fmt: skip
    table = channel.table(ATTACKED, rows)
    assert (table.channel, table.kind, table.arms) == ("letters", "write", ("attacked",))
    assert (table.trial.tolist(), table.intent.tolist(), table.adversary.tolist()) == ([10, 30], [0, 0], [1, 0])
    assert table.effect is not None and table.score is not None and table.log2_q is not None and table.embedding is not None
    assert (table.outcome.tolist(), table.effect.tolist(), table.success.tolist()) == ([2, 0], [1, 0], [1, 1])
    assert (table.score.tolist(), table.log2_q.tolist()) == ([0.1, 1 / 3], [-1.0, -1 / 3]), "in double precision"
    assert table.embedding.tolist() == [[0.0, 1.0], [4.0, 5.0]] and table.costs["queries"].tolist() == [1.0, 3.0]
    assert table.cluster is not None and table.cluster.tolist() == [5, 6]
    own = channel.table(DEFENDED, replace(rows, intent=[1, 1, -1], cluster=[7, 8, 9], trial=[3, 4, 5], lost=None))
    assert (own.intent.tolist(), own.units.tolist(), own.trial.tolist()) == ([1, 1, -1], [7, 8, 9], [3, 4, 5])
    nobody = replace(channel, symbols=Symbols((), ("c", "d"), ("c", "d")), sent=Sent(adversary=[1, 0])).table(CLEAN, Rows(outcome=[1, 1]))
    assert (nobody.intent.tolist(), nobody.success.tolist(), nobody.cluster, nobody.score) == ([-1, -1], [1, 0], None, None)


def test_whoever_wants_to_leave_more_is_told_each_arm_and_its_rows():
    told: list[tuple[Arm, list[int]]] = []
    measure(case_of(), World().channel(finish=lambda arm, rows: told.append((arm, list(rows.outcome)))))
    assert told == [(CLEAN, [0] * 4), (ATTACKED, [1] * 4)]


def test_a_trial_is_shown_by_its_place_whatever_its_number_and_what_several_show_once():
    places: list[int] = []
    same = Exhibit("letters", "attacked", "the same", None, "", "")

    def show(arm: Arm, trial: int, seen: dict[Arm, Seen[int]]) -> tuple[Exhibit, ...]:
        assert list(seen[arm].rows.outcome) and seen[arm].evidence.arms == (arm.name,)
        places.append(trial)
        return (same, Exhibit("letters", arm.name, str(trial), None, "", ""))

    case = case_of()
    channel = World().channel(show=show, arms=(CLEAN, ATTACKED))
    measure(case, replace(channel, sent=replace(channel.sent, trial=[70, 80, 90, 100])))
    assert places == [0, 1, 0, 1]
    assert [exhibit.intent for exhibit in case.exhibits].count("the same") == 1 and len(case.exhibits) == 5


def test_what_is_kept_has_names_of_its_own():
    cache = Kept()
    measure(case_of(cache=cache), World().channel(), replace(World().channel(), name="letters, again"))
    choose(case_of(cache=cache), ATTACKED, "x", ("a",), lambda _: [1.0])
    assert set(cache.held) == {
        *(f"asked/{name}/{arm}" for name in ("letters", "letters, again") for arm in ("clean", "attacked")), "chosen/x/attacked"
    }  # fmt: skip
