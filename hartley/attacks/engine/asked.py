"""Asked: a model that answers in words about a picture or a sound that somebody has changed; what threats on such models share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.case import ModelCase, Refused
from hartley.attacks.engine.arms import Inputs, all_arms, crafted_once, note
from hartley.attacks.engine.attack import Attack
from hartley.attacks.engine.carrier import PIXELS, WAVEFORM, Additive
from hartley.attacks.engine.exhibits import Sides, keep
from hartley.attacks.engine.objective import Objective
from hartley.data.pairs import Pairs
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.answers import OTHER, SEVERAL, heard
from hartley.targets.conversation import Conversation, ask

LONGEST = 24
"""Tokens of an answer."""
BEFORE = ("clean", "defended")


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


def questions(pairs: Pairs, *, second: bool = False) -> tuple[Conversation, ...]:
    """Each pair's question, beside one picture, or about the second of two. Raises Refused where the data asks none."""
    asked = pairs.second_questions if second else pairs.questions
    if not asked:
        raise Refused("the data asks no questions; a folder takes the columns question and answer")
    return tuple(ask(question, pictures=2 if second else 1) for question in asked)


@dataclass(frozen=True)
class Channel:
    """One way to attack what a subject answers.

    name, attack   of the channel, and how it is crafted.
    objective      of a subject, what the attack makes small.
    symbols        what the adversary wants to be said, one of these a trial, `targets` (n,); empty: only another answer ("jam").
    read           a subject, what it is given and its first answers, to the answers that are read for a symbol; None: the first ones.
    crafted_as     the name of another channel that attacks with the same inputs.
    """

    name: str
    attack: Attack
    objective: Callable[[Subject], Objective]
    symbols: tuple[str, ...] = ()
    targets: Tensor | None = None
    read: Callable[[Subject, Tensor, Sequence[str]], Sequence[str]] | None = None
    crafted_as: str | None = None


def asked_channel(
    case: ModelCase, subject: Subject, pairs: Pairs, talks: Sequence[Conversation], values: Tensor, channel: Channel
) -> Evidence:
    """All arms of a channel: U is what the pair shows, Y what the answer names of it, the effect which symbol of the adversary it names."""
    image = subject.carrier is PIXELS
    clean = Inputs(images=values) if image else Inputs(audio=values)
    answers: dict[str, list[str]] = {}
    crafted_as = channel.crafted_as or channel.name

    def craft(target: Any, arm: str) -> Inputs:
        attack = channel.attack
        crafted = attack.craft(
            _same,
            channel.objective(replace(subject, target=target)),
            values,
            case.generator("craft", crafted_as, arm),
            progress=lambda done, total: case.progress(f"{channel.name}, {arm}", done, total),
        )
        note(case, channel.name, arm, crafted.losses, crafted.warnings)
        passes = torch.full((len(values),), crafted.passes, dtype=torch.float64)
        costs = {attack.budget.cost: attack.budget.measure(values, crafted.adversarial).double(), "forward_passes": passes}
        return Inputs(images=crafted.adversarial, costs=costs) if image else Inputs(audio=crafted.adversarial, costs=costs)

    def read(target: Any, inputs: Inputs, arm: str) -> Evidence:
        given = inputs.images if image else inputs.audio
        assert given is not None
        asked = replace(subject, target=target)
        answers[arm] = asked.answer(talks, given)
        later = answers[arm] if channel.read is None else channel.read(asked, given, answers[arm])
        return _table(channel, pairs, arm, answers[arm], later, inputs)

    evidence = all_arms(case, channel.name, clean, craft, read, crafted_as=crafted_as, target=subject.target)
    if case.defense is None:
        texts = tuple(talk[-1].text for talk in talks)
        attacked = crafted_once(case, crafted_as, craft, subject.target)
        said = (answers["clean"], answers["attacked"])
        rate = None if image else subject.target.sample_rate
        keep(case, evidence, Sides(replace(clean, texts=texts), replace(attacked, texts=texts), said, rate))
    return evidence


def _same(values: Tensor) -> Tensor:
    return values


def _table(channel: Channel, pairs: Pairs, arm: str, said: Sequence[str], later: Sequence[str], inputs: Inputs) -> Evidence:
    count, names = len(pairs), pairs.label_names
    outcome = np.array([heard(names, text) for text in said], dtype=np.int32)
    labels = pairs.labels.numpy().astype(np.int32)
    if channel.targets is None:
        symbol, success = np.full(count, NONE, dtype=np.int32), (outcome != labels).astype(np.int8)
        effect: NDArray[np.int32] | None = None
    else:
        symbol = channel.targets.numpy().astype(np.int32)
        own = channel.symbols == names
        effect = None if own else np.array([heard(channel.symbols, text) for text in later], dtype=np.int32)
        reached = outcome if effect is None else effect
        # Where the adversary wants what is there anyway, saying it shows nothing.
        success = np.where(own & (symbol == labels), NONE, reached == symbol).astype(np.int8)
    return Evidence(
        channel=channel.name,
        kind="jam" if channel.targets is None else "write",
        intent_alphabet=names,
        adversary_alphabet=channel.symbols,
        outcome_alphabet=(*names, SEVERAL, OTHER),
        effect_alphabet=() if effect is None else (*channel.symbols, SEVERAL, OTHER),
        arm=np.full(count, ARMS.index(arm), dtype=np.int8),
        trial=np.arange(count, dtype=np.int64),
        intent=labels,
        adversary=symbol,
        outcome=outcome,
        effect=effect,
        success=success,
        costs={name: values.double().numpy() for name, values in inputs.costs.items()},
        intent_prior=pairs.label_prior.double().numpy(),
    )
