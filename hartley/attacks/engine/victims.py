"""Victims: models trained on pairs of which somebody has stamped a few, each on its own draw of pairs and with its own trigger."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hartley.attacks.engine.carrier import Patch
from hartley.attacks.engine.perturbed import Inputs, before_and_after, note
from hartley.attacks.engine.readout import of_pairs, zero_shot
from hartley.attacks.engine.trigger import optimize_patch
from hartley.bits.rates import Rate, success_rate
from hartley.case import ModelCase, Refused
from hartley.channel import Channel
from hartley.data.pairs import Pairs
from hartley.defenses.model.defense import Kept, TrainingDefense
from hartley.evidence import NONE, Evidence
from hartley.rows import ATTACKED, CLEAN, DEFENDED, EVERY, UNAWARE, Arm, Rows, Sent, Symbols
from hartley.targets.embedding import embed_delivered
from hartley.targets.finetune import Training, finetune, restore, weights
from hartley.targets.protocols import Encoder, Trainable

BATCH = 32
MOST = 1_000
"""More than there are victims."""
FILTER, FIRES = "filter", ("no trigger", "trigger")
CLEAN_PAIRS, HELD_OUT = 40, 500
"""Clean pairs, at least and drawn, on which a filter's threshold is fitted (one half) and its false positives are counted (the other)."""


@dataclass(frozen=True)
class Victim:
    """One victim.

    number   all that is drawn for it is its own.
    goal     the symbol that the trigger is to bring.
    place    where the trigger stands.
    share    of its pairs that are poisoned.
    """

    case: ModelCase
    number: int
    goal: int
    place: Patch
    share: float
    _kept: dict[bool, Kept] = field(default_factory=dict)

    @cached_property
    def train(self) -> Pairs:
        """The pairs that it is trained on."""
        found: Pairs = self.case.data.draw(self.case.effort.poison_pairs, self.case.generator("train", self.number), part="train")
        return found

    @cached_property
    def poisoned(self) -> Tensor:
        """Which of them are stamped."""
        others = torch.nonzero(self.train.labels != self.goal).squeeze(1)
        order = torch.randperm(len(others), generator=self.case.generator("poisoned", self.number))
        return others[order[: max(1, round(self.share * len(self.train)))]]

    @cached_property
    def fraction(self) -> float:
        """The share of its pairs that are stamped."""
        return len(self.poisoned) / len(self.train)

    @property
    def filter(self) -> TrainingDefense | None:
        """The case's defense, where it is one of training pairs."""
        defense = self.case.defense
        if defense is None or defense.stage != "training":
            return None
        if not isinstance(defense, TrainingDefense):
            raise Refused("this defense does not say which training pairs to keep")
        return defense

    def trigger(self, arm: Arm) -> Tensor:
        """The patch (3, side, side) that is tuned on the model before it is trained, through the defense by those who know of it."""
        case, encoder = self.case, self.case.target
        if arm.adaptive and case.defense is not None:
            encoder = case.defense.wrap(encoder, straight_through=True, seed=case.generator("defense").initial_seed())

        def tune() -> dict[str, Tensor]:
            draws = case.generator("trigger", arm.name, self.number)
            patch, losses, warnings = optimize_patch(encoder, self.place, self.train, self.goal, draws)
            note(case, "image", arm.name, losses, warnings, f"trigger loss, victim {self.number + 1}")
            return {"patch": patch}

        return (tune() if arm.adaptive else case.once(f"trigger/{self.number}", tune))["patch"]

    def model(self, arm: Arm, patch: Tensor) -> Encoder:
        """A copy of the target trained on the pairs, poisoned in arms under attack; filtered, or wrapped, where a defense stands."""
        if self.filter is not None and arm.defended:
            return self._trained(arm, patch if arm.attacked else None, filtered=True)
        trained = self._trained(arm if arm.adaptive else ATTACKED if arm.attacked else CLEAN, patch if arm.attacked else None)
        if not arm.defended or self.case.defense is None:
            return trained
        wrapped: Encoder = self.case.defense.wrap(trained, seed=self.case.generator("defense").initial_seed())
        return wrapped

    def _trained(self, arm: Arm, patch: Tensor | None, *, filtered: bool = False) -> Trainable:
        case, who = self.case, f"victim {self.number + 1}, {arm.name}"

        def train() -> dict[str, Tensor]:
            images, captions = self.pairs(patch)
            if filtered:
                kept = self.kept(patch).mask
                case.progress(f"filtering, {who}", int(kept.sum()), len(kept))
                images, captions = images[kept], [caption for caption, stays in zip(captions, kept.tolist(), strict=True) if stays]
            student, losses = finetune(
                case.target, images, captions, Training(case.effort.epochs, BATCH), case.generator("finetune", self.number),
                lambda done, total: case.progress(f"training {who}", done, total),
            )  # fmt: skip
            note(case, "image", arm.name, losses, name=f"training loss, victim {self.number + 1}")
            return weights(student)

        return restore(case.target, train() if arm.defended else case.once(f"model/{self.number}/{arm.name}", train))

    def pairs(self, patch: Tensor | None) -> tuple[Tensor, list[str]]:
        """Pictures and captions to train on: with a patch the poisoned ones stamped, each under one of the goal's own captions."""
        images, captions = self.train.images, list(self.train.captions)
        if patch is None:
            return images, captions
        images = images.clone()
        images[self.poisoned] = self.place.stamp(images[self.poisoned], patch)
        natural = [caption for caption, label in zip(self.train.captions, self.train.labels.tolist(), strict=True) if label == self.goal]
        picks = torch.randint(len(natural), (len(self.poisoned),), generator=self.case.generator("captions", self.number)).tolist()
        for row, pick in zip(self.poisoned.tolist(), picks, strict=True):
            captions[row] = natural[pick]
        return images, captions

    def kept(self, patch: Tensor | None) -> Kept:
        """What the filter keeps of the pairs, its threshold fitted on clean held-out ones."""
        assert self.filter is not None
        if (patch is not None) in self._kept:
            return self._kept[patch is not None]
        held = self.case.data.draw(HELD_OUT, self.case.generator("held", self.number))
        if len(held.captions) < CLEAN_PAIRS:
            raise Refused(f"the filter needs {CLEAN_PAIRS} clean pairs that are held out; the data has {len(held.captions)}")
        kept = self.filter.keep(self.case.target, *self.pairs(patch), held.images, list(held.captions))
        return self._kept.setdefault(patch is not None, kept)

    def channels(self, trials: Pairs, fires: Tensor, sent: Sent) -> list[Channel[Victim, Tensor]]:
        """Of n pairs, shown with the trigger where `fires` (n,) is 1: A is whether it was shown, Y the zero-shot answer. Behind a filter of
        training pairs also what that one knows. sent: whose cluster is the victim."""
        defense, triggered = self.case.defense, fires[:, None, None, None].bool()

        def shown(patch: Tensor) -> Inputs:
            stamped = torch.where(triggered, self.place.stamp(trials.images, patch), trials.images)
            return Inputs(images=stamped, texts=trials.captions)

        def ask(arm: Arm, victim: Victim, patch: Tensor | None) -> Rows:
            """The pictures are the same without an attack: a model that nobody poisoned meets the trigger, too."""
            patch = victim.trigger(ATTACKED) if patch is None else patch
            encoder = victim.model(arm, patch)
            answers = zero_shot(encoder, trials, embed_delivered(encoder, shown(patch).values), None, {})
            counts, outcome = (fires == 1) & (trials.labels != victim.goal), torch.as_tensor(answers.outcome)
            success = torch.where(counts, (outcome == victim.goal).long(), torch.tensor(NONE))
            poisoned = torch.full((len(trials),), victim.fraction if arm.attacked else 0.0, dtype=torch.float64)
            return replace(answers, success=success, costs={"poisoned_fraction": poisoned})

        # A filter of pairs meets no picture, and behind the towers there is nothing that a trigger could be tuned through.
        arms = EVERY if defense is None or defense.stage == "input" else EVERY[:-1]
        name, show = f"image/{self.number}", before_and_after(Inputs(images=trials.images, texts=trials.captions), given=shown)
        image = Channel(
            "image", "write", of_pairs(trials, FIRES), sent, lambda _: self, ask, lambda arm, *_: self.trigger(arm), asked_as=name,
            show=show, arms=arms,
        )  # fmt: skip
        if self.filter is None:
            return [image]
        dropped = Symbols(("clean", "poisoned"), (), ("kept", "dropped"))
        return [image, Channel(FILTER, "jam", dropped, Sent(), lambda _: self, _filtered, arms=(DEFENDED, UNAWARE))]


def _filtered(arm: Arm, victim: Victim, _: None) -> Rows:
    """U is whether a pair is poisoned, Y whether it is dropped. The arm `defended` holds clean pairs that neither the training nor the
    threshold has seen, `defended_attacked` the poisoned training set."""
    kept = victim.kept(victim.trigger(ATTACKED))
    truth = torch.zeros(len(kept.mask) if arm.attacked else kept.checked, dtype=torch.int64)
    dropped = torch.arange(kept.checked) < kept.false_positives
    if arm.attacked:
        truth[victim.poisoned], dropped = 1, ~kept.mask
    outcome, victims = dropped.long(), torch.full((len(truth),), victim.number)
    trial = torch.arange(len(truth)) * MOST + victims  # numbers that no other victim has
    return Rows(intent=truth, outcome=outcome, success=outcome == truth, cluster=victims, trial=trial)


def corner(images: Tensor) -> Patch:
    """The lower right corner of pictures (n, 3, h, w), an eighth of the side."""
    height, width = images.shape[-2:]
    side = max(4, min(height, width) // 8)
    return Patch(height - side, width - side, side)


def filter_rates(evidence: Evidence) -> tuple[Rate, ...]:
    """Of clean held-out pairs, how many the filter drops by mistake; of the poisoned ones, how many it drops."""
    held, training = evidence.of("defended"), evidence.of("defended_attacked")
    poisoned = training.rows(np.flatnonzero(training.intent == 1))
    found = (
        success_rate("clean held-out pairs dropped", "defended", held.outcome, headline=False, cluster=held.cluster),
        success_rate(
            "poisoned pairs dropped", "defended_attacked", poisoned.outcome, headline=False, better="user", cluster=poisoned.cluster
        ),
    )
    return tuple(rate for rate in found if rate is not None)
