"""Channel: one way to attack, as a recipe declares it. `measure` runs it in every arm and writes it down as Evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.case import AnyCase, Curve, Flag
from hartley.evidence import ARMS, NONE, Evidence
from hartley.exhibit import Exhibit
from hartley.rows import ATTACKED, CLEAN, DEFENDED, EVERY, UNAWARE, Arm, Column, Rows, Sent, Symbols, array
from hartley.targets.endpoint.outcomes import NotMeasured

Subject = TypeVar("Subject")
Payload = TypeVar("Payload")
Option = TypeVar("Option")


@dataclass(frozen=True)
class Seen(Generic[Payload]):
    """An arm that was measured: what was given to its subject, what came of it, and the same as a table."""

    payload: Payload | None
    rows: Rows
    evidence: Evidence


@dataclass(frozen=True)
class Channel(Generic[Subject, Payload]):
    """One way to attack.

    name, kind, symbols, sent   of the evidence.
    subject   what is asked in an arm: the model, agent or reader, with the defense where it stands.
    ask       the arm, its subject and its payload (None without an attack) to what came of the trials. Asked once a run in the arms
              without a defense, and once a cell in the others.
    payload   the arm, what it is made on, and the payload that was made without knowing of the defense (None while that one is made),
              to the payload that an adversary crafts or picks. None: the adversary only listens.
    made_on   what a payload is made on; None: the arm's subject.
    read      the arm and what was asked for, to this channel's own columns; of several channels that read the same answers each has
              its own. asked_as: the name that they share.
    show      the arm, a trial's place among all, and the arms measured so far, to something to look at, or several such things, each of
              which is left once; None: nothing.
    shown     trials of an arm to look at.
    arms      that there are; those of a defense where one stands.
    finish    an arm and its rows, to leave more measures with the case.
    """

    name: str
    kind: str
    symbols: Symbols
    sent: Sent
    subject: Callable[[Arm], Subject]
    ask: Callable[[Arm, Subject, Payload | None], Rows]
    payload: Callable[[Arm, Subject, Payload | None], Payload] | None = None
    made_on: Callable[[Arm], Subject] | None = None
    read: Callable[[Arm, Rows], Rows] = lambda _, rows: rows
    asked_as: str = ""
    show: Callable[[Arm, int, Mapping[Arm, Seen[Payload]]], Exhibit | tuple[Exhibit, ...] | None] | None = None
    shown: int = 2
    arms: tuple[Arm, ...] = EVERY
    finish: Callable[[Arm, Rows], None] = lambda _, rows: None

    def table(self, arm: Arm, rows: Rows) -> Evidence:
        """One arm as a table, without the trials that were lost."""
        received, symbols, sent = rows.outcome if rows.effect is None else rows.effect, self.symbols, self.sent
        count = len(next(value for value in (received, rows.success, sent.intent, sent.adversary) if value is not None))
        kept = np.arange(count) if rows.lost is None else np.flatnonzero(~array(rows.lost).astype(bool))

        def column(values: Column | None, dtype: Any) -> Any:
            return None if values is None else array(values)[kept].astype(dtype)

        def symbol(values: Column | None) -> NDArray[np.int32]:
            found: NDArray[np.int32] = column(np.full(count, NONE) if values is None else values, np.int32)
            return found

        cluster, trial = sent.cluster if rows.cluster is None else rows.cluster, sent.trial if rows.trial is None else rows.trial
        success = array(received) == array(sent.adversary) if rows.success is None else rows.success
        return Evidence(
            channel=self.name,
            kind=self.kind,
            intent_alphabet=symbols.intent,
            adversary_alphabet=symbols.adversary,
            outcome_alphabet=symbols.outcome,
            effect_alphabet=symbols.effect,
            arm=np.full(len(kept), ARMS.index(arm.name), dtype=np.int8),
            trial=kept if trial is None else column(trial, np.int64),
            intent=symbol(sent.intent if rows.intent is None else rows.intent),
            adversary=symbol(sent.adversary),
            outcome=symbol(rows.outcome),
            effect=column(rows.effect, np.int32),
            success=column(success, np.int8),
            score=column(rows.score, np.float64),
            log2_q=column(rows.log2_q, np.float64),
            embedding=column(rows.embedding, np.float32),
            cluster=column(cluster, np.int64),
            costs={name: column(values, np.float64) for name, values in rows.costs.items()},
            intent_prior=None if symbols.prior is None else array(symbols.prior).astype(np.float64),
        )


def without_defense(case: AnyCase, arm: Arm, name: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What is the same in every cell of a threat, from the run's cache; what a defense has touched is computed."""
    return compute() if arm.defended else case.once(f"{name}/{arm.name}", compute)


def measure(case: AnyCase, *channels: Channel[Any, Any]) -> tuple[Evidence, ...]:
    """Each channel's evidence: clean and attacked; with a defense also defended, attacked by somebody who does not know of it, and
    attacked through it. Channels with the same `asked_as` share payloads and answers."""
    payloads, answers = dict[tuple[str, Arm], Any](), dict[tuple[str, Arm], Rows]()
    return tuple(_Measuring(case, channel, payloads, answers).evidence() for channel in channels)


@dataclass(frozen=True)
class _Measuring:
    case: AnyCase
    channel: Channel[Any, Any]
    payloads: dict[tuple[str, Arm], Any]
    answers: dict[tuple[str, Arm], Rows]

    @property
    def name(self) -> str:
        return self.channel.asked_as or self.channel.name

    def evidence(self) -> Evidence:
        seen: dict[Arm, Seen[Any]] = {}
        for arm in [arm for arm in self.channel.arms if self.case.defense is not None or not arm.defended]:
            rows = self.channel.read(arm, self.answer(arm))
            if rows.lost is not None and (lost := int(array(rows.lost).sum())):
                why = f"{lost} of {len(array(rows.lost))} trials were not measured: {rows.why}"
                self.case.flags.append(Flag(self.channel.name, arm.name, "trials lost", why))
            self.channel.finish(arm, rows)
            seen[arm] = Seen(self.payload(arm), rows, self.channel.table(arm, rows))
        if self.channel.show is not None:
            numbers = self.channel.sent.trial
            place = int if numbers is None else array(numbers).tolist().index
            for arm in [arm for arm in seen if arm.defended == (self.case.defense is not None)]:
                for trial in to_look_at(arm, seen, self.channel.shown):
                    found = self.channel.show(arm, place(trial), seen)
                    if isinstance(found, tuple):
                        self.case.exhibits += [one for one in found if one not in self.case.exhibits]
                    elif found is not None:
                        self.case.exhibits.append(found)
        return Evidence.concat([one.evidence for one in seen.values()])

    def payload(self, arm: Arm) -> Any:
        """What the adversary gives in an arm: made once, and without knowing of a defense for two of the arms."""
        channel = self.channel
        if not arm.attacked or channel.payload is None:
            return None
        if (self.name, arm) not in self.payloads:
            unaware = None if arm == ATTACKED else self.payload(ATTACKED)
            made = unaware if arm == UNAWARE else channel.payload(arm, (channel.made_on or channel.subject)(arm), unaware)
            self.payloads[self.name, arm] = made
        return self.payloads[self.name, arm]

    def answer(self, arm: Arm) -> Rows:
        """What came of an arm's trials."""
        if (self.name, arm) not in self.answers:
            payload = self.payload(arm)
            self.case.progress(f"{self.name}, {arm.name}", 0, 1)

            def ask() -> dict[str, Tensor]:
                return self.channel.ask(arm, self.channel.subject(arm), payload).to_tensors()

            self.answers[self.name, arm] = Rows.from_tensors(without_defense(self.case, arm, f"asked/{self.name}", ask))
        return self.answers[self.name, arm]


def to_look_at(arm: Arm, seen: Mapping[Arm, Seen[Any]], count: int) -> list[int]:
    """Up to `count` trials: one in which the attack failed and else successes, where there are such. Of the successes first those that
    were right before, as the others show nothing of the attack; of each the first, so that nobody chose the pretty ones. Where there is
    neither, the first trial."""
    after, before = seen[arm].evidence, seen[DEFENDED if arm.defended else CLEAN].evidence
    names, wanted = (*before.outcome_alphabet, "nothing"), (*before.intent_alphabet, "anything")  # -1 is the last of them
    rows = zip(before.trial.tolist(), before.outcome.tolist(), before.intent.tolist(), strict=True)
    right = {trial for trial, outcome, intent in rows if names[outcome] == wanted[intent]}
    won = sorted(after.trial[after.success == 1].tolist(), key=lambda trial: trial not in right)
    lost = after.trial[after.success == 0].tolist()
    return [*won[: count - min(1, len(lost))], *lost][:count] or after.trial[:1].tolist()


def choose(
    case: AnyCase,
    arm: Arm,
    name: str,
    options: Sequence[Option],
    score: Callable[[Option], Sequence[float]],
    known: Option | None = None,
    *,
    ranked: int = 1,
    what: str = "successes, by wording (pilot)",
) -> tuple[Option, tuple[float, ...]]:
    """The option whose score, on draws that no table holds, is highest in its first `ranked` entries, and that score; of those that are
    level `known`, or the first. An option that a server turns down is worst. Scores are left as a curve."""

    def compute() -> dict[str, Tensor]:
        case.progress(f"{name}, choosing words, {arm.name}", 0, 1)
        scores = []
        for option in options:
            try:
                scores.append(tuple(map(float, score(option))))
            except NotMeasured:
                scores.append((-math.inf,) * ranked)
        case.curves.append(Curve(name, arm.name, what, tuple(round(one[0], 6) for one in scores)))
        level = [place for place, one in enumerate(scores) if one[:ranked] == max(one[:ranked] for one in scores)]
        place = next((place for place in level if options[place] == known), level[0])
        return {"place": torch.tensor(place), "score": torch.tensor(scores[place], dtype=torch.float64)}

    found = without_defense(case, arm, f"chosen/{name}", compute)
    return options[int(found["place"])], tuple(found["score"].tolist())
