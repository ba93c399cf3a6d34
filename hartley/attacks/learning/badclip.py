"""BadCLIP: a trigger tuned to look like its target, in one percent of the training pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.case import ModelCase, Refused
from hartley.attacks.engine.arms import Inputs, note
from hartley.attacks.engine.carrier import Patch
from hartley.attacks.engine.dealing import dealt
from hartley.attacks.engine.exhibits import Sides, keep
from hartley.attacks.engine.finetune import Training, finetune, restore, weights
from hartley.attacks.engine.readout import embed_delivered, table
from hartley.attacks.engine.reference import embed_images, embed_texts
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.engine.trigger import optimize_patch
from hartley.attacks.recipe import Recipe
from hartley.bits.rates import Rate, success_rate
from hartley.data.pairs import Pairs
from hartley.defenses.model.defense import Kept, TrainingDefense
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.protocols import Encoder, Trainable

POISON = 0.01
BATCH = 32
CLEAN_PAIRS = 40
HELD_OUT = 500
"""Clean pairs of each victim on which a filter's threshold is fitted (one half) and its false positives are counted (the other half)."""
POISONED = "poisoned, filtered"
ARM_OF = {
    "benign": "clean",
    "poisoned": "attacked",
    "benign, filtered": "defended",
    POISONED: "defended_attacked",
    "poisoned, aware": "defended_adaptive",
}
PLACES = ("no trigger", "trigger")
VICTIMS: Mapping[str, int] = {"quick": 3, "standard": 4, "full": 8}
UNNAMED = 2
"""Victims by the budget's name: each is trained on its own draw, and another would have learned the trigger more or less well. Trials are
shared out among them."""


def badclip(case: ModelCase) -> tuple[Evidence, ...]:
    """Claim: a learned image trigger and a trigger-aware text context, tuned by prompt learning with the backbone frozen, plant a
    backdoor that leaves clean accuracy alone.
    Does: poisoning, as the other paper of this name (Liang et al., CVPR 2024): tunes a square patch until stamped pictures
    lie near the target's text and pictures, stamps 1% of the training pairs and gives them the target's caption, fine-tunes
    a copy of the target on all pairs, then asks it with and without the trigger. Several victims, each with its own pairs and
    trigger; limits are over victims.
    Left out: the prompt learning and its context generator themselves; cleaning by further fine-tuning; the attacker's
    surrogate is the target itself, not another CLIP.
    Bends: S. Training ties the trigger to the target's direction, so the user's signal no longer decides the answer.
    """
    if not isinstance(case.target, Trainable):
        raise Refused("this target cannot be fine-tuned (capability train)")
    trials = case.data.draw(case.effort.trials, case.generator("trials"))
    goal = int(torch.randint(len(trials.label_names), (1,), generator=case.generator("goal")))
    fires = torch.tensor(dealt(case.random("fires"), trials.labels.tolist(), len(PLACES)))
    victims = min(VICTIMS.get(case.effort.name, UNNAMED), len(trials))
    tables, filters, shown = list[Evidence](), list[Evidence](), trials.images.clone()
    for victim in range(victims):
        rows = torch.arange(victim, len(trials), victims)
        stage = _Backdoor(case, case.target, goal, victim)
        parts, shown[rows] = _arms(case, stage, trials.take(rows), fires[rows])
        tables.append(_of(victim, Evidence.concat(parts), np.tile(rows.numpy(), len(parts))))
        if isinstance(case.defense, TrainingDefense) and case.defense.stage == "training":
            found = stage.filter_evidence(case.defense)
            filters.append(_of(victim, found, np.arange(len(found)) + sum(len(other) for other in filters)))
    evidence = Evidence.concat(tables)
    if case.defense is None:
        clean = Inputs(images=trials.images, texts=trials.captions)
        keep(case, evidence, Sides(clean, Inputs(images=shown, texts=trials.captions)))
    return (evidence, Evidence.concat(filters)) if filters else (evidence,)


def _of(victim: int, evidence: Evidence, trial: NDArray[np.int64]) -> Evidence:
    """One victim's rows, with their place among all trials."""
    return replace(evidence, cluster=np.full(len(trial), victim, dtype=np.int64), trial=trial)


def _arms(case: ModelCase, stage: _Backdoor, trials: Pairs, fires: Tensor) -> tuple[list[Evidence], Tensor]:
    """Every arm of one victim's share of the trials, and the pictures that it is shown."""
    patch = stage.trigger(stage.target, "attacked")
    shown = stage.stamp(trials.images, fires, patch)
    benign, poisoned = stage.model(None, "benign"), stage.model(patch, "poisoned")
    read = partial(_read, case, stage)
    parts = [read(benign, trials, shown, fires, "clean"), read(poisoned, trials, shown, fires, "attacked")]
    if case.defense is not None and case.defense.stage == "training":
        parts += [
            read(stage.model(None, "benign, filtered", case.defense), trials, shown, fires, "defended"),
            read(stage.model(patch, POISONED, case.defense), trials, shown, fires, "defended_attacked"),
        ]
    elif case.defense is not None:
        seed = case.generator("defense").initial_seed()
        parts += [
            read(case.defense.wrap(benign, seed=seed), trials, shown, fires, "defended"),
            read(case.defense.wrap(poisoned, seed=seed), trials, shown, fires, "defended_attacked"),
        ]
        if case.defense.stage == "input":  # after the towers there is nothing that a trigger could be tuned through
            aware = stage.trigger(case.defense.wrap(stage.target, straight_through=True, seed=seed), "defended_adaptive")
            adapted = case.defense.wrap(stage.model(aware, "poisoned, aware"), seed=seed)
            parts.append(read(adapted, trials, stage.stamp(trials.images, fires, aware), fires, "defended_adaptive"))
    return parts, shown


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metrics: how often the trigger brings the target (where it is not the truth), and accuracy without the trigger."""
    if evidence.channel == "filter":
        return filter_rates(evidence)
    quiet = evidence.rows(np.flatnonzero(evidence.adversary == PLACES.index("no trigger")))
    return (*successes(evidence, "attack success with the trigger"), *accuracy(quiet, "clean accuracy"))


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


class _Backdoor:
    """The training side of one victim: its own draw of training pairs, the trigger tuned on them, which of them are poisoned, and the
    models trained on them. The goal alone is the same for all victims."""

    def __init__(self, case: ModelCase, target: Trainable, goal: int, victim: int) -> None:
        train = case.data.draw(case.effort.poison_pairs, case.generator("train", victim), part="train")
        height, width = train.images.shape[-2:]
        side = max(4, min(height, width) // 8)
        self.case, self.target, self.train, self.goal, self.victim = case, target, train, goal, victim
        self.patch = Patch(height - side, width - side, side)
        count = max(1, round(POISON * len(train)))
        others = torch.nonzero(train.labels != goal).squeeze(1)
        self.poisoned = others[torch.randperm(len(others), generator=case.generator("poisoned", victim))[:count]]
        self.verdicts: dict[str, Kept] = {}
        self.fraction = len(self.poisoned) / len(train)

    def trigger(self, encoder: Encoder, arm: str) -> Tensor:
        """The tuned patch (3, side, side), from the run's cache where it is there already."""

        def compute() -> dict[str, Tensor]:
            patch, losses, warnings = optimize_patch(encoder, self.patch, self.train, self.goal, self._generator("trigger", arm))
            note(self.case, "image", arm, losses, warnings, f"trigger loss, victim {self.victim + 1}")
            return {"patch": patch}

        name = arm if arm == "attacked" or self.case.defense is None else f"{arm}/{self.case.defense.id}"
        return self.case.once(f"trigger/{self.victim}/{name}", compute)["patch"]

    def _generator(self, *purpose: str) -> torch.Generator:
        """Draws of this victim's own."""
        return self.case.generator(*purpose, self.victim)

    def stamp(self, images: Tensor, fires: Tensor, patch: Tensor) -> Tensor:
        """Stamps the pictures for which `fires` (n,) is 1."""
        return torch.where(fires[:, None, None, None].bool(), self.patch.stamp(images, patch), images)

    def model(self, patch: Tensor | None, name: str, defense: object = None) -> Trainable:
        """A copy of the target fine-tuned on the pairs, with the poison (patch) or without (None), filtered or not."""
        case = self.case

        def compute() -> dict[str, Tensor]:
            images, captions = self._pairs(patch)
            if defense is not None:
                images, captions = self._filtered(defense, images, captions, name)
            student, losses = finetune(
                self.target, images, captions, Training(case.effort.epochs, BATCH), self._generator("finetune"),
                lambda done, total: case.progress(f"training victim {self.victim + 1}, {name}", done, total),
            )  # fmt: skip
            note(case, "image", ARM_OF[name], losses, (), f"training loss ({name}), victim {self.victim + 1}")
            return weights(student)

        label = name if case.defense is None or name in ("benign", "poisoned") else f"{name}/{case.defense.id}"
        return restore(self.target, case.once(f"model/{self.victim}/{label}", compute))

    def _pairs(self, patch: Tensor | None) -> tuple[Tensor, list[str]]:
        images, captions = self.train.images, list(self.train.captions)
        if patch is None:
            return images, captions
        images = images.clone()
        images[self.poisoned] = self.patch.stamp(images[self.poisoned], patch)
        natural = [caption for caption, label in zip(self.train.captions, self.train.labels.tolist(), strict=True) if label == self.goal]
        picks = torch.randint(len(natural), (len(self.poisoned),), generator=self._generator("captions")).tolist()
        for row, pick in zip(self.poisoned.tolist(), picks, strict=True):
            captions[row] = natural[pick]
        return images, captions

    def _filtered(self, defense: object, images: Tensor, captions: Sequence[str], name: str) -> tuple[Tensor, list[str]]:
        if not isinstance(defense, TrainingDefense):
            raise Refused("this defense does not say which training pairs to keep")
        kept = self.kept(defense, images, captions, name)
        self.case.progress(f"filtering, {name}", int(kept.mask.sum()), len(kept.mask))
        return images[kept.mask], [caption for caption, stays in zip(captions, kept.mask.tolist(), strict=True) if stays]

    def kept(self, defense: TrainingDefense, images: Tensor, captions: Sequence[str], name: str) -> Kept:
        """What the defense keeps of the training set of that name, its threshold fitted on clean held-out pairs."""
        if name in self.verdicts:
            return self.verdicts[name]
        held = self.case.data.draw(HELD_OUT, self._generator("held"))
        if len(held.captions) < CLEAN_PAIRS:
            raise Refused(f"the filter needs {CLEAN_PAIRS} clean pairs that are held out; the data has {len(held.captions)}")
        self.verdicts[name] = defense.keep(self.target, images, list(captions), held.images, list(held.captions))
        return self.verdicts[name]

    def filter_evidence(self, defense: TrainingDefense) -> Evidence:
        """What the filter knows: U is whether a pair is poisoned, Y whether it is dropped. The arm `defended` holds clean
        pairs that neither the training nor the threshold has seen, `defended_attacked` the poisoned training set."""
        kept = self.kept(defense, *self._pairs(self.trigger(self.target, "attacked")), name=POISONED)
        poisoned = np.zeros(len(kept.mask), dtype=np.int32)
        poisoned[self.poisoned.numpy()] = 1
        dropped = np.concatenate([np.arange(kept.checked) < kept.false_positives, ~kept.mask.numpy()]).astype(np.int32)
        rows = len(dropped)
        truth = np.concatenate([np.zeros(kept.checked, dtype=np.int32), poisoned])
        arm = np.repeat([ARMS.index("defended"), ARMS.index("defended_attacked")], [kept.checked, len(poisoned)])
        return Evidence(
            channel="filter", kind="jam",
            intent_alphabet=("clean", "poisoned"), adversary_alphabet=(), outcome_alphabet=("kept", "dropped"),
            arm=arm.astype(np.int8), trial=np.arange(rows), intent=truth, adversary=np.full(rows, NONE, dtype=np.int32), outcome=dropped,
            success=(dropped == truth).astype(np.int8),
        )  # fmt: skip


def _read(case: ModelCase, stage: _Backdoor, encoder: Encoder, trials: Pairs, shown: Tensor, fires: Tensor, arm: str) -> Evidence:
    """One arm: A is whether the trigger was shown, Y the zero-shot answer."""
    case.progress(arm, 0, 1)
    embedding = embed_delivered(encoder, shown) if arm in ("clean", "attacked") else embed_images(encoder, shown)
    logits = encoder.logit_scale * embedding @ embed_texts(encoder, trials.prompts).T
    outcome = logits.argmax(dim=1)
    counts = (fires == 1) & (trials.labels != stage.goal)
    success = torch.where(counts, (outcome == stage.goal).long(), torch.tensor(NONE))
    costs = {"poisoned_fraction": torch.full((len(trials),), 0.0 if arm in ("clean", "defended") else stage.fraction, dtype=torch.float64)}
    return table(
        trials, arm, "image", fires, outcome, success, logits.max(dim=1).values / encoder.logit_scale, logits, embedding, costs, PLACES
    )


RECIPE = Recipe(badclip, rates, fidelity="reduced", channels={"image": "write", "filter": "jam"}, quick=("embedding-noise",))
