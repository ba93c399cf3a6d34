"""A society that shows each other pictures: single listeners, meetings of pairs, members on a ring and in pairs, and what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hartley.environments.album_words import PAYLOADS
from hartley.environments.albums import DIGITS, AgentAnswers, fitted, run
from hartley.evidence import NONE
from hartley.rows import Arm, Rows
from hartley.targets.conversation import Conversation
from hartley.targets.society.meeting import RandomNeighbor, RandomPairs
from hartley.targets.society.members import PLACES
from hartley.targets.society.outbreak import ROUNDS, VERY_MANY
from hartley.targets.society.spreading import Spread, total
from hartley.targets.society.topologies import ring

if TYPE_CHECKING:
    from hartley.case import SystemCase

RING = 16
RING_ROUNDS = 12
SOURCES = 16
"""One member in so many holds the picture at the start of a society of random pairs."""
DRAWS = 500
"""Albums and plans that are drawn at most for one meeting."""


@dataclass(frozen=True)
class Size:
    """How much an effort does: optimizer steps for each of the effort's own, conversations a picture and step, digits that each
    payload's pictures show, the most trials of an arm, harmless pictures, members of a society in random pairs, into which each
    virus is let once, societies on the ring into which each is let, and agents of the large society."""

    sweeps: int
    rows: int
    digits: int
    trials: int
    harmless: int
    members: int
    ring_runs: int
    agents: int


SIZES: Mapping[str, Size] = {
    "quick": Size(5, 1, 5, 200, 64, 64, 4, VERY_MANY),
    "standard": Size(4, 1, 10, 1_000, 256, 64, 4, VERY_MANY),
    "full": Size(2, 2, 10, 2_000, 256, 256, 8, VERY_MANY),
}
LEAST = Size(1, 1, 2, 32, 16, 16, 1, 4_096)
"""An effort of another name."""


@dataclass(frozen=True)
class Society:
    """Members of one case, their gallery, and what they answer about it; in an arm under attack about viruses, else about the pictures that
    they were made from."""

    case: SystemCase
    sight: AgentAnswers

    @property
    def size(self) -> Size:
        """What the case's effort comes to."""
        return SIZES.get(self.case.effort.name, LEAST)

    def pictured(self, arm: Arm, number: int) -> int:
        """The place of a virus among the pictures, or of the picture that it was made from."""
        return self.sight.gallery.virus(number) if arm.attacked else self.sight.gallery.placebo(number)

    def heard(self, numbers: Sequence[int], said: Sequence[str]) -> Rows:
        """What listeners' answers come to. Outcome and effect know nothing of which virus it was."""
        wording = self.sight.eyes.wording
        return Rows(
            outcome=[wording.digit(answer) for answer in said],
            effect=[wording.effect(answer) for answer in said],
            success=[one % PAYLOADS in wording.spoken(answer) for one, answer in zip(numbers, said, strict=True)],
            said=tuple(said),
        )

    def talks(self, numbers: Sequence[int], arm: Arm) -> tuple[list[int], list[Conversation]]:
        """Pictures, and what is asked about them behind the same fresh dialogues in both arms; that follows from what the speaker sees."""
        wording, random = self.sight.eyes.wording, self.case.random("trials")
        pictures = [self.pictured(arm, number) for number in numbers]
        described = self.sight.say([(picture, wording.describe) for picture in pictures])
        questions = [wording.follow(saw, random) for saw in described]
        random = self.case.random("dialogues")
        return pictures, [wording.talk(one % PAYLOADS, question, random) for one, question in zip(numbers, questions, strict=True)]

    def answered(self, numbers: NDArray[np.int64], arm: Arm, *_: None) -> Rows:
        """What listeners say in each trial."""
        pictures, talks = self.talks(numbers.tolist(), arm)
        answerer, gallery = self.sight.eyes.answerer, self.sight.gallery
        said = answerer.answer(talks, fitted(gallery.pictures[pictures], answerer.image_size).unsqueeze(1))
        return self.heard(numbers.tolist(), said)

    @cached_property
    def dealt(self) -> NDArray[np.int64]:
        """(n, 2): every virus meets every digit that might have been shown equally often."""
        viruses = self.sight.gallery.viruses
        each = max(1, self.size.trials // (viruses * len(DIGITS)))
        return np.array([(number, digit) for _ in range(each) for digit in range(len(DIGITS)) for number in range(viruses)])

    @cached_property
    def meetings(self) -> dict[bool, list[int]]:
        """The picture that is shown in one meeting each of pairs that were never part of a society, without the border and with it: a
        speaker with nine harmless pictures and a virus, or the virus's picture, finds one for its plan. Album and plan are drawn until,
        without the border, a picture of the digit that was dealt is found."""
        gallery, rng = self.sight.gallery, np.random.default_rng(self.case.seed("meetings"))
        shown: dict[bool, list[int]] = {False: [], True: []}
        for virus, digit in self.dealt.tolist():
            for _ in range(DRAWS):
                album = rng.integers(0, gallery.harmless, PLACES - 1).tolist()
                plan = int(rng.integers(len(self.sight.eyes.plans)))
                bare = self.sight.find([*album, gallery.placebo(virus)], plan)
                if gallery.digits[bare] == digit:
                    break
            shown[False].append(bare)
            shown[True].append(self.sight.find([*album, gallery.virus(virus)], plan))
        return shown

    @property
    def met_digits(self) -> NDArray[np.int64]:
        """The digit of the picture that would have been shown without the border."""
        return np.array([self.sight.gallery.digits[bare] for bare in self.meetings[False]])

    def met(self, arm: Arm, *_: None) -> Rows:
        """What listeners of those pairs say."""
        said = [answer for *_, answer in self.sight.talk(self.meetings[arm.attacked], self.case.random("meetings", "questions"))]
        return self.heard(self.dealt[:, 0].tolist(), said)

    def on_ring(self, arm: Arm, *_: None) -> Rows:
        """Societies on a ring, each let loose with one picture, everything else drawn anew; virus of society i: i modulo their number.

        spoken (societies, agents): the payload that each was last heard to say. edge: what passed from the first to the second in the first
        round, of one society for each virus, in which the source meets one member, so that trials are independent."""
        gallery, meetings = self.sight.gallery, RandomNeighbor(ring(RING))
        count, runs = self.size.ring_runs * gallery.viruses, []
        self.sight.prepare()
        for place in range(count):
            self.case.progress(f"society, ring, {arm.name}", place, count)
            rng = np.random.default_rng([self.case.seed("society", "ring"), place])
            runs.append(run(self.sight, self.pictured(arm, place % gallery.viruses), meetings, RING_ROUNDS, rng, sources=(0,)))
        first = total([one.spread.events[0] for one in runs[: gallery.viruses]])
        return Rows(more={"spoken": np.array([one.spoken for one in runs]), "edge": first.edge, "exposed": [first.exposed]})

    def at(self, hops: int, _: Arm, rows: Rows) -> Rows:
        """Of every society a member so many hops from the source."""
        spoken = np.asarray(rows.more["spoken"])
        there = np.flatnonzero(ring(RING).distances([0]) == hops)
        chosen = np.random.default_rng(self.case.seed("distance", hops)).choice(there, len(spoken))
        effect = spoken[np.arange(len(spoken)), chosen]
        number = np.arange(len(spoken)) % self.sight.gallery.viruses
        return Rows(effect=effect, outcome=np.full(len(effect), NONE), success=effect == number % PAYLOADS, more=rows.more)

    def in_pairs(self) -> list[Spread]:
        """A society of random pairs for each virus, with the virus."""
        meetings, gallery, found = RandomPairs(self.size.members), self.sight.gallery, []
        for number in range(gallery.viruses):
            self.case.progress("society, pairs", number, gallery.viruses)
            rng = np.random.default_rng([self.case.seed("society", "pairs"), number])
            sources = range(max(1, meetings.agents // SOURCES))
            found.append(run(self.sight, gallery.virus(number), meetings, ROUNDS, rng, sources=sources).spread)
        return found
