"""Asked: a model that answers in words about a picture or a sound that somebody has changed; what threats on such models share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.carrier import PIXELS, WAVEFORM, Additive
from hartley.attacks.engine.objective import Objective
from hartley.attacks.engine.perturbed import KEPT, Inputs, Models, before_and_after, crafted, perturbed
from hartley.case import ModelCase, Refused
from hartley.channel import Channel
from hartley.data.pairs import Pairs
from hartley.evidence import NONE
from hartley.rows import Arm, Rows, Sent, Symbols
from hartley.targets.answers import OTHER, SEVERAL, heard
from hartley.targets.conversation import Conversation, Message, ask

NEXT = ", next turn"
Asked = Channel[Any, Inputs]
LONGEST = 24
"""Tokens of an answer."""


@dataclass(frozen=True)
class Subject:
    """A model that answers in words, an answerer or a listener, and what it is shown beside what is perturbed.

    beside   pictures (n, 3, h, w) shown after the perturbed one; None: it stands alone.
    """

    target: Any
    family: str
    beside: Tensor | None = None

    @property
    def carrier(self) -> Additive:
        """What of its input can be perturbed."""
        return PIXELS if self.family == "answerer" else WAVEFORM

    def answer(self, talks: Sequence[Conversation], values: Tensor) -> list[str]:
        """n answers about pictures (n, 3, h, w) or waveforms (n, samples)."""
        said: list[str] = self.target.answer(talks, self._shown(values, torch.arange(len(values))), longest=LONGEST)
        return said

    def likelihood(self, talks: Sequence[Conversation], answers: Sequence[str]) -> Objective:
        """Of each row, the log likelihood of its answer, by words: what an untargeted attack makes small; `wanted` is its negative."""
        lengths = torch.tensor([len(answer.split()) + 1.0 for answer in answers])

        def loss(values: Tensor, rows: Tensor) -> Tensor:
            places = rows.tolist()
            shown = self._shown(values, rows)
            found: Tensor = self.target.log_likelihood([talks[place] for place in places], [answers[place] for place in places], shown)
            return found / lengths[rows]

        return loss

    def _shown(self, values: Tensor, rows: Tensor) -> Tensor:
        if self.family != "answerer":
            return values
        return values.unsqueeze(1) if self.beside is None else torch.stack([values, self.beside[rows]], dim=1)


def converses(target: Any) -> bool:
    """Whether a model takes a second message, or a second picture; BLIP takes neither."""
    return not getattr(target, "one_message", False)


def wanted(*parts: Objective) -> Objective:
    """The sum of several likelihoods, to be made large."""
    return lambda values, rows: -torch.stack([part(values, rows) for part in parts]).sum(dim=0)


def questions(pairs: Pairs, pictures: int = 1) -> tuple[Conversation, ...]:
    """Each pair's question, beside one picture, about the second of two, or about a sound (0). Raises Refused where the data asks none."""
    asked = pairs.second_questions if pictures == 2 else pairs.questions
    if not asked:
        raise Refused("the data asks no questions; a folder takes the columns question and answer")
    return tuple(ask(question, pictures=pictures) for question in asked)


def later(talk: Conversation, answer: str, question: str) -> Conversation:
    """A conversation that goes on behind an answer with another question."""
    return (*talk, Message("assistant", answer), Message("user", question))


@dataclass(frozen=True)
class Asking:
    """What a subject is asked: n pairs, a conversation each, about values, pictures (n, 3, h, w) or waveforms (n, samples).

    follow_up   the first answers to the conversations that are asked next, about the same values; None: nothing is.
    """

    case: ModelCase
    subject: Subject
    pairs: Pairs
    talks: tuple[Conversation, ...]
    values: Tensor
    follow_up: Callable[[Sequence[str]], Sequence[Conversation]] | None = None

    def against(self, answers: Sequence[str]) -> Callable[[Subject], Objective]:
        """What makes a subject less likely to give these answers (n,)."""
        return lambda subject: subject.likelihood(self.talks, answers)

    def toward(self, answers: Sequence[str], later: Sequence[Conversation] = ()) -> Callable[[Subject], Objective]:
        """What makes it likelier to give them, in later conversations (n,) as well where there are any."""
        talks = (self.talks, later) if later else (self.talks,)
        return lambda subject: wanted(*(subject.likelihood(one, answers) for one in talks))

    def two_turns(
        self, name: str, attack: Attack, phrases: tuple[str, ...], targets: Tensor, follow_ups: Sequence[str], *, both: bool
    ) -> list[Asked]:
        """Channels of the first answer and of the next: a phrase is to be said, the one of a trial's target (n,). What is asked next is the
        last of the follow-ups; the attack is made with the others, where it is made for both turns."""
        said = [phrases[target] for target in targets.tolist()]
        others = [follow_ups[row % (len(follow_ups) - 1)] for row in range(len(said))]
        then = [later(*one) for one in zip(self.talks, said, others, strict=True)]

        def next_turn(answers: Sequence[str]) -> list[Conversation]:
            return [later(talk, answer, follow_ups[-1]) for talk, answer in zip(self.talks, answers, strict=True)]

        asking, loss = replace(self, follow_up=next_turn), self.toward(said, then if both else ())
        names = enumerate((name, name + NEXT))
        return [asking.channel(turn, attack, loss, phrases, targets, turn=place, asked_as=name) for place, turn in names]

    def channel(
        self, name: str, attack: Attack, objective: Callable[[Subject], Objective], symbols: tuple[str, ...] = (),
        targets: Tensor | None = None, *, turn: int = 0, asked_as: str = "",
    ) -> Asked:  # fmt: skip
        """U is what the pair shows, Y what the first answer names of it, the effect which symbol of the adversary's is named.

        objective   of a subject, what the attack makes small.
        symbols     what the adversary wants to be said, one of these a trial, `targets` (n,); empty: only another answer ("jam").
        turn        of the answers, the one that is read for a symbol.
        """
        case, subject, names, made_as = self.case, self.subject, self.pairs.label_names, asked_as or name
        modality, models = subject.carrier.modality, Models(case, subject.target, name)
        clean, labels = Inputs.of(modality, self.values), self.pairs.labels.numpy()

        def craft(arm: Arm, target: Any, _: Inputs | None) -> Inputs:
            loss = objective(replace(subject, target=target))
            return crafted(case, arm, made_as, lambda: perturbed(case, arm, made_as, attack, loss, self.values))

        def answers(_: Arm, target: Any, given: Inputs | None) -> Rows:
            asked, inputs = replace(subject, target=target), given or clean
            said = [asked.answer(self.talks, inputs.values)]
            if self.follow_up is not None:
                said.append(asked.answer(self.follow_up(said[0]), inputs.values))
            return Rows(said=tuple(zip(*said, strict=True)), costs=inputs.costs)

        def read(_: Arm, rows: Rows) -> Rows:
            outcome = np.array([heard(names, said[0]) for said in rows.said])
            if targets is None:
                return replace(rows, outcome=outcome, success=outcome != labels)
            own, symbol = symbols == names, targets.numpy()
            effect = outcome if own else np.array([heard(symbols, said[turn]) for said in rows.said])
            # Where the adversary wants what is there anyway, saying it shows nothing.
            success = np.where(own & (symbol == labels), NONE, effect == symbol)
            return replace(rows, outcome=outcome, effect=None if own else effect, success=success)

        alphabet = Symbols(
            names, symbols, (*names, SEVERAL, OTHER), () if targets is None or symbols == names else (*symbols, SEVERAL, OTHER),
            self.pairs.label_prior,
        )  # fmt: skip
        rate = subject.target.sample_rate if modality == "audio" else None
        show = before_and_after(clean, [talk[-1].text for talk in self.talks], rate, lambda said: said[0])
        return Channel(
            name, "jam" if targets is None else "write", alphabet, Sent(labels, targets), models.asked, answers, craft, models.made_on,
            read=read, asked_as=made_as, show=show, shown=KEPT,
        )  # fmt: skip
