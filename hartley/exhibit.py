"""Exhibits: single trials to look at. Pictures, sounds and words before and after; transcripts, retrievals, and how a payload spread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXECUTED, BLOCKED, INJECTED = "executed", "blocked", "injected"
"""What became of a call: it ran as the user's own, a safeguard refused it, or it ran and the adversary had asked for it."""
FATES = (EXECUTED, BLOCKED, INJECTED)


@dataclass(frozen=True)
class Span:
    """A stretch of a message. trusted: it comes from the user or the operator. planted: the adversary wrote it."""

    text: str
    trusted: bool
    planted: bool = False


@dataclass(frozen=True)
class Line:
    """One message of a transcript.

    role    system, user, assistant or tool; in a society also the speaker's name.
    spans   what was said, in order.
    call    the call that was asked for, as text, with its fate (one of FATES) and, where it was blocked, why.
    """

    role: str
    spans: tuple[Span, ...] = ()
    call: str = ""
    fate: str = ""
    why: str = ""


@dataclass(frozen=True)
class Found:
    """One entry that a memory gave for a question: its rank from 1, its similarity, where it comes from."""

    rank: int
    text: str
    source: str
    trusted: bool
    planted: bool
    similarity: float


@dataclass(frozen=True)
class Spreading:
    """How a payload spread in a society, round by round from 0.

    shares      curve's name ("measured", "fitted", "mean-field", "percolation bound") to the share infected after each round.
    low, high   the band of the measured shares, empty where it was not measured.
    edges       (i, j) of agents that can meet; empty for random meetings of all. nodes: how many agents are drawn.
    infected    for each drawn agent the round of its first infection, or -1.
    facts       what was fitted, in words and numbers: ("transmission", "0.62 [0.55, 0.69], n=412 exposures").
    """

    shares: Mapping[str, tuple[float, ...]]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    nodes: int = 0
    edges: tuple[tuple[int, int], ...] = ()
    infected: tuple[int, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Exhibit:
    """One trial to look at: inputs before and after, and what the system made of them.

    Pictures are uint8 (height, width, 3); waveforms float32 (samples,) in [-1, 1]. None or empty: not part of this trial.
    transcript: the conversation of the arm named. found: what a memory gave for `text_clean`, the question.
    """

    channel: str
    arm: str
    intent: str
    adversary: str | None
    outcome_clean: str
    outcome_attacked: str
    image_clean: NDArray[np.uint8] | None = None
    image_attacked: NDArray[np.uint8] | None = None
    audio_clean: NDArray[np.float32] | None = None
    audio_attacked: NDArray[np.float32] | None = None
    sample_rate: int | None = None
    text_clean: str | None = None
    text_attacked: str | None = None
    transcript: tuple[Line, ...] = ()
    found: tuple[Found, ...] = ()
    spreading: Spreading | None = None
