"""Exhibits: a few trials kept to be looked at, successes and failures alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.case import ModelCase
from hartley.attacks.engine.arms import Inputs
from hartley.attacks.exhibit import Exhibit
from hartley.evidence import NONE, Evidence

KEPT = 4


@dataclass(frozen=True)
class Sides:
    """The same trials before and after. said: where a model answers in words, its answers then.
    sample_rate: of sounds; None: the target's."""

    clean: Inputs
    attacked: Inputs
    said: tuple[Sequence[str], Sequence[str]] | None = None
    sample_rate: int | None = None


def picture(values: Tensor) -> NDArray[np.uint8]:
    """(3, h, w) in [0, 1] to (h, w, 3) uint8."""
    pixels: NDArray[np.uint8] = (values * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return pixels


def keep(case: ModelCase, evidence: Evidence, sides: Sides, arm: str = "attacked", baseline: str = "clean") -> None:
    """Leaves up to KEPT trials of one arm with the case: three where the attack succeeded and one where it failed, where
    there are such. Of the successes first those that were right before, as the others show nothing of the attack; of each
    the first, so that nobody chose the pretty ones."""
    before, after = evidence.of(baseline), evidence.of(arm)
    won = np.flatnonzero(after.success == 1)
    won = won[np.argsort([not _right(before, int(row)) for row in won], kind="stable")]
    lost = np.flatnonzero(after.success == 0)
    chosen = [*won[: KEPT - min(1, len(lost))], *lost]
    for row in (int(row) for row in chosen[:KEPT]):
        case.exhibits.append(_exhibit(case, before, after, sides, arm, row))


def _exhibit(case: ModelCase, before: Evidence, after: Evidence, sides: Sides, arm: str, row: int) -> Exhibit:
    adversary = int(after.adversary[row])
    trial = int(after.trial[row])
    clean, attacked = sides.clean, sides.attacked
    has_audio = clean.audio is not None and attacked.audio is not None
    return Exhibit(
        channel=after.channel,
        arm=arm,
        intent=_symbol(after.intent_alphabet, int(after.intent[row])),
        adversary=None if adversary == NONE else after.adversary_alphabet[adversary],
        outcome_clean=sides.said[0][trial] if sides.said else _symbol(before.outcome_alphabet, int(before.outcome[row])),
        outcome_attacked=sides.said[1][trial] if sides.said else _symbol(after.outcome_alphabet, int(after.outcome[row])),
        image_clean=None if clean.images is None else picture(clean.images[trial]),
        image_attacked=None if attacked.images is None else picture(attacked.images[trial]),
        audio_clean=None if clean.audio is None else clean.audio[trial].numpy(),
        audio_attacked=None if attacked.audio is None else attacked.audio[trial].numpy(),
        sample_rate=(sides.sample_rate or case.target.sample_rate) if has_audio else None,
        text_clean=None if clean.texts is None else clean.texts[trial],
        text_attacked=None if attacked.texts is None else attacked.texts[trial],
    )


def _right(part: Evidence, row: int) -> bool:
    """Whether a trial came out as it was meant, in symbols."""
    return _symbol(part.intent_alphabet, int(part.intent[row])) == _symbol(part.outcome_alphabet, int(part.outcome[row]))


def _symbol(alphabet: tuple[str, ...], index: int) -> str:
    return "no answer" if index == NONE else alphabet[index]
