"""PoisonedRAG (Zou et al., USENIX Security 2025): a few planted texts that are retrieved for a question and answer it wrongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from hartley.attacks.case import Curve, SystemCase
from hartley.attacks.engine.success import accuracy, successes
from hartley.attacks.memory.planting import Target, clean_tasks, targets_of
from hartley.attacks.memory.readers import K, Readers, Responses, readers_of, told, told_once
from hartley.attacks.memory.wordings import Style, styles
from hartley.attacks.recipe import Recipe
from hartley.bits.clustered import ONE
from hartley.bits.design import share_limits
from hartley.bits.rates import Rate, success_rate
from hartley.evidence import ARMS, NONE, Evidence
from hartley.exhibit import Exhibit
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.memory.reading import Reading
from hartley.targets.memory.readouts import answer_symbols, outcome_alphabet
from hartley.targets.memory.reference import ALPHABET, CHOICES

COUNTS = (1, 3, 5)
"""Texts planted for a question; a channel each."""
PILOT, PILOT_CORPORA, PILOT_TEXTS = 24, 3, 3
"""Questions, none of them measured on, the corpora that they are about, and texts a question, by which the attacker picks the best
wording of the attack set."""
NOT_MEASURED = "not measured"
SHARE = 0.6
"""Of the budget's trials: a trial is read three times over, and five times over behind a safeguard that reads alone."""


def poisonedrag(case: SystemCase) -> tuple[Evidence, ...]:
    """Claim: five texts among millions, each made of a part that is retrieved and a part that misleads, give the planted answer
    for 90% of the questions; the black-box part that is retrieved is the question itself.
    Does: plants 1, 3 or 5 texts a question in a memory that states the right answer three times, the question before a planted
    answer in the best of four wordings (picked on other questions), and measures retrieval and answer apart.
    Left out: the white-box variant (HotFlip on the embedder's tokens): no embedder here gives gradients; texts written by a model.
    Bends: B. The pathway from the store to the reader holds a few passages; planted ones crowd out what speaks for the right answer.
    """
    readers = readers_of(case)
    targets = targets_of(case, "targets", case.effort.trials_for(SHARE))
    pilot = targets_of(case, "pilot", PILOT, PILOT_CORPORA)
    unaware = case.once("wording", lambda: {"best": torch.tensor(_best(case, "attacked", readers.plain, pilot))})
    chosen = {"attacked": styles(case.target)[int(unaware["best"])]}
    if readers.guarded is not None:
        aware = _best(case, "defended_adaptive", readers.guarded, pilot)
        chosen |= {"defended_attacked": chosen["attacked"], "defended_adaptive": styles(case.target)[aware]}
    return tuple(_channel(case, readers, targets, chosen, count) for count in COUNTS)


def rates(evidence: Evidence) -> tuple[Rate, ...]:
    """The paper's metric, the share of questions answered as planted; beside it both of its conditions (a planted text is
    retrieved; the answer is the planted one where it is), the user's right answers, and the recall of the index."""
    found = [*successes(evidence, "planted answer given"), *accuracy(evidence, "right answer given")]
    for arm in evidence.arms:
        part = evidence.of(arm)
        met = part.costs["planted_retrieved"] > 0
        if (part.costs["planted_texts"] > 0).any():
            given = success_rate(
                "planted answer given where retrieved", arm, np.where(met, part.success, NONE), headline=False, cluster=part.cluster
            )
            retrieved = success_rate("planted text retrieved", arm, met.astype(int), headline=False, cluster=part.cluster)
            found += [rate for rate in (retrieved, given) if rate]
        found.append(_recall(part, arm))
    return tuple(found)


def _recall(part: Evidence, arm: str) -> Rate:
    """The share of the nearest entries that the index gave. The entries of one memory were found or missed by one index."""
    recall, unit = part.costs["index_recall"], np.unique(part.units, return_inverse=True)[1]
    hits, sizes = np.bincount(unit, recall * K), np.bincount(unit) * K
    value, design = float(recall.mean()), None
    low, high, name = 0.0, 1.0, f"no limits, {ONE}"
    if len(sizes) > 1:
        low, high, design = share_limits(hits, sizes)
        name = "Korn-Graubard 95% over clusters"
    stated = (1, None) if design is None else design.stated
    what = "nearest entries that the index finds"
    return Rate(what, arm, value, min(low, value), max(high, value), len(part) * K, name, False, "user", *stated)


def _channel(case: SystemCase, readers: Readers, targets: Sequence[Target], chosen: Mapping[str, Style], count: int) -> Evidence:
    channel = _name(count)
    nothing = [()] * len(targets)

    def asked(arm: str, reading: Reading) -> Responses:
        texts = _planted(targets, chosen[arm], count) if arm in chosen else nothing
        return _ask(case, channel, arm, reading, targets, texts)

    heard = {
        "clean": told_once(case, "clean", lambda: asked("clean", readers.plain)),
        "attacked": told_once(case, f"{channel}/attacked", lambda: asked("attacked", readers.plain)),
    }
    if readers.guarded is not None:
        heard |= {arm: asked(arm, readers.guarded) for arm in ("defended", "defended_attacked", "defended_adaptive")}
    evidence = Evidence.concat([_table(channel, arm, found, targets) for arm, found in heard.items()])
    for arm, style in chosen.items():
        _exhibit(case, evidence.of(arm), arm, heard, targets, _planted(targets, style, count))
    return evidence


def _name(count: int) -> str:
    return f"{count} text" if count == 1 else f"{count} texts"


def _best(case: SystemCase, arm: str, reading: Reading, pilot: Sequence[Target]) -> int:
    """The place of the wording that gives the planted answer most often on the pilot questions, the first such."""
    channel, shares = _name(PILOT_TEXTS), []
    for style in styles(case.target):
        try:
            found = _ask(case, channel, arm, reading, pilot, _planted(pilot, style, PILOT_TEXTS))
        except NotMeasured:  # a server may turn down one wording and not another
            shares.append(0.0)
            continue
        success = _table(channel, arm, found, pilot).success
        shares.append(float((success == 1).sum() / max(1, (success >= 0).sum())))
    case.curves.append(Curve(channel, arm, "planted answer given, by wording (pilot)", tuple(round(share, 6) for share in shares)))
    return int(np.argmax(shares))


def _planted(targets: Sequence[Target], style: Style, count: int) -> list[tuple[str, ...]]:
    return [style.planted(target.question.text, target.question.statement(target.planted), count) for target in targets]


def _ask(
    case: SystemCase, channel: str, arm: str, reading: Reading, targets: Sequence[Target], texts: Sequence[tuple[str, ...]]
) -> Responses:
    retrieved = [target.retrieve(own) for target, own in zip(targets, texts, strict=True)]
    numbers = {
        "planted_texts": np.array([float(len(own)) for own in texts]),
        "planted_retrieved": np.array([float(sum(one.planted)) for one in retrieved]),
        "planted_first_rank": np.array([one.first_rank for one in retrieved]),
        "index_recall": np.array([target.recall for target in targets]),
    }
    questions = [target.question.text for target in targets]
    return told(case, channel, arm, reading, questions, [one.passages for one in retrieved], numbers)


def _table(channel: str, arm: str, found: Responses, targets: Sequence[Target]) -> Evidence:
    rows = found.measured
    asked = [targets[row] for row in rows]
    planted = np.array([target.planted for target in asked], np.int32)
    right = np.array([target.question.right for target in asked], np.int32)
    outcome = answer_symbols(found.texts(), [target.question.choices for target in asked])
    return Evidence(
        channel=channel,
        kind="write",
        intent_alphabet=ALPHABET,
        adversary_alphabet=ALPHABET,
        outcome_alphabet=outcome_alphabet(ALPHABET),
        arm=np.full(len(rows), ARMS.index(arm), np.int8),
        trial=rows,
        intent=right,
        adversary=planted,
        outcome=outcome,
        success=np.where(planted == right, NONE, outcome == planted).astype(np.int8),
        cluster=np.array([target.corpus for target in asked], np.int64),
        costs={name: values[rows] for name, values in found.numbers.items()},
        intent_prior=np.full(CHOICES, 1 / CHOICES),
    )


def _exhibit(
    case: SystemCase, part: Evidence, arm: str, heard: Mapping[str, Responses], targets: Sequence[Target], texts: Sequence[tuple[str, ...]]
) -> None:
    """Leaves the first trial of an arm that succeeded and the first that failed, each beside the same question without planted texts."""
    alone = "clean" if arm == "attacked" else "defended"
    for row in [row for success in (1, 0) for row in np.flatnonzero(part.success == success)[:1].tolist()]:
        trial = int(part.trial[row])
        target = targets[trial]
        for own, planted in ((alone, ()), (arm, texts[trial])):
            exhibit = Exhibit(
                channel=part.channel,
                arm=own,
                intent=target.question.statement(target.question.right),
                adversary=target.question.statement(target.planted) if planted else None,
                outcome_clean=heard[alone].answers[trial] or NOT_MEASURED,
                outcome_attacked=heard[own].answers[trial] or NOT_MEASURED,
                text_clean=target.question.text,
                text_attacked="\n".join(planted) or None,
                found=target.retrieve(planted).found(),
            )
            if exhibit not in case.exhibits:
                case.exhibits.append(exhibit)


RECIPE = Recipe(
    poisonedrag,
    rates,
    fidelity="reduced",
    channels={"1 text": "write", "3 texts": "write", "5 texts": "write"},
    quick=("spotlighting", "retrieval-isolation"),
    clean_tasks=clean_tasks,
    guards=("reading",),
)
