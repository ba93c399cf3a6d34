"""Pictures: viruses on scenes of digits, listeners that are asked about them, and societies in which they spread, as channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.case import Curve, Flag, SystemCase
from hartley.attacks.channel import Channel, Seen
from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.interaction.virus import Aim, craft, framed
from hartley.attacks.rows import ATTACKED, CLEAN, Arm, Column, Rows, Sent, Symbols
from hartley.bits.contraction import contraction
from hartley.environments.album_words import ANSWERS, PAYLOADS
from hartley.environments.albums import DIGITS, AgentAnswers, AgentModels, Gallery, drawn_pictures, fitted, run
from hartley.evidence import NONE
from hartley.exhibit import Exhibit
from hartley.targets.conversation import Conversation
from hartley.targets.society.meeting import RandomNeighbor, RandomPairs
from hartley.targets.society.members import PLACES
from hartley.targets.society.outbreak import ROUNDS, VERY_MANY, observed
from hartley.targets.society.reach import reach_bound
from hartley.targets.society.spreading import Spread, total
from hartley.targets.society.topologies import ring

FARTHEST = 4
"""Distances on the ring that have a table."""
RING = 16
RING_ROUNDS = 12
SOURCES = 16
"""One member in so many holds the picture at the start of a society of random pairs."""
DRAWS = 500
"""Albums and plans that are drawn at most for one meeting."""
ENTROPY = float(np.log2(PAYLOADS))
PERMUTATIONS = 199


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


def drawn_gallery(case: SystemCase, eyes: AgentModels) -> Gallery:
    """The society's pictures: harmless ones, the viruses, and the pictures that they were made from. Every payload has a virus of its
    own on a picture of each of some drawn digits, so that what is to be said and what is shown are independent."""
    effort = SIZES.get(case.effort.name, LEAST)
    shows = case.random("digits").sample(range(len(DIGITS)), effort.digits)
    pictures, digits = drawn_pictures(effort.harmless, shows, PAYLOADS, case.generator("gallery"))
    ordinary, bases = pictures[: effort.harmless], pictures[effort.harmless :]

    def compute() -> dict[str, Tensor]:
        random = case.random("virus", "talks")
        with torch.no_grad():
            planned = eyes.encoder.embed_text(eyes.plans)
        made = craft(
            eyes.answerer,
            eyes.encoder,
            Aim(len(bases), lambda number: eyes.wording.lesson(number % PAYLOADS, random), planned),
            bases,
            steps=effort.sweeps * case.effort.steps,
            rows=effort.rows,
            generator=case.generator("virus", "craft"),
            progress=lambda done, steps: case.progress("making the pictures", done, steps),
        )
        case.curves.append(Curve("answer", "attacked", "loss", made.losses))
        case.flags += [Flag("answer", "attacked", name, why) for name, why in made.warnings]
        return {"borders": made.borders}

    viruses = PIXELS.deliver(framed(bases, case.once("agent-smith/borders", compute)["borders"]))
    return Gallery(torch.cat([ordinary, viruses, bases]), (*digits, *digits[effort.harmless :]), effort.harmless, PAYLOADS)


@dataclass(frozen=True)
class Society:
    """Members of one case, their gallery, and what they answer about it."""

    case: SystemCase
    sight: AgentAnswers

    @property
    def size(self) -> Size:
        """What the case's effort comes to."""
        return SIZES.get(self.case.effort.name, LEAST)

    def channels(self) -> list[Channel[None, None]]:
        """ "answer": one listener behind fresh dialogues. "edge": one meeting of a fresh pair; the digit is that of the picture which would
        have been shown without the border. "distance d": what a member so many hops from the source on the ring was last heard to say,
        one member a society.

        The independent unit is the virus: nothing that was crafted once stands in two of them, so that limits are over viruses."""
        wording, gallery, size = self.sight.eyes.wording, self.sight.gallery, self.size
        each = max(1, self.case.effort.trials_for(most=size.trials) // gallery.viruses)
        numbers = np.tile(np.arange(gallery.viruses), each)
        digits = np.array(gallery.digits)[gallery.harmless : gallery.harmless + gallery.viruses]
        talked = Symbols(DIGITS, wording.payloads, ANSWERS, wording.effects)
        heard = Symbols((), wording.payloads, (), wording.effects)

        def channel(name: str, symbols: Symbols, number: Column, intent: Column | None, **how: Any) -> Channel[None, None]:
            sent = Sent(intent, number % PAYLOADS, number)
            return Channel(name, "write", symbols, sent, lambda _: None, arms=(CLEAN, ATTACKED), **how)

        met, ringed = self.dealt[:, 0], np.arange(size.ring_runs * gallery.viruses) % gallery.viruses
        ring_channels = [
            channel(
                f"distance {hops}", heard, ringed, None,
                ask=self.on_ring, asked_as="ring", read=partial(self.at, hops), finish=partial(self.bound, hops),
            )
            for hops in range(1, FARTHEST + 1)
        ]  # fmt: skip
        return [
            channel("answer", talked, numbers, digits[numbers], ask=partial(self.answered, numbers), show=self.answers_shown),
            channel("edge", talked, met, self.met_digits, ask=self.met, show=self.outbreak_shown, shown=1),
            *ring_channels,
        ]

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

    def bound(self, hops: int, arm: Arm, rows: Rows) -> None:
        """What a member so far can have heard of the payload at most, by the contraction of the edge that was measured."""
        if arm.attacked and int(np.asarray(rows.more["exposed"])[0]):
            seed = self.case.seed("contraction") % 2**32
            eta = contraction(np.asarray(rows.more["edge"]), permutations=PERMUTATIONS, seed=seed)
            seed = self.case.seed("reach", hops) % 2**32
            self.case.measure(f"distance {hops}", arm.name, reach_bound(ring(RING), 0, hops, eta.high, RING_ROUNDS, ENTROPY, seed=seed))

    def in_pairs(self) -> list[Spread]:
        """A society of random pairs for each virus, with the virus."""
        meetings, gallery, found = RandomPairs(self.size.members), self.sight.gallery, []
        for number in range(gallery.viruses):
            self.case.progress("society, pairs", number, gallery.viruses)
            rng = np.random.default_rng([self.case.seed("society", "pairs"), number])
            sources = range(max(1, meetings.agents // SOURCES))
            found.append(run(self.sight, gallery.virus(number), meetings, ROUNDS, rng, sources=sources).spread)
        return found

    def outbreak_shown(self, arm: Arm, _: int, seen: Mapping[Arm, Seen[None]]) -> Exhibit | None:
        """The society's curves beside the first virus and the picture that it was made from."""
        if not arm.attacked:
            return None
        gallery, wording = self.sight.gallery, self.sight.eyes.wording
        both = (gallery.placebo(0), gallery.virus(0))
        said, now = self.sight.say([(picture, wording.describe) for picture in both])
        outbreak = observed(self.in_pairs(), PLACES, self.case.seed("million") % 2**32, agents=self.size.agents)
        if outbreak is None:
            why = "no carrier met a member without the picture: nothing could be fitted"
            self.case.flags.append(Flag("edge", "attacked", "no exposure", why))
        spreading = None if outbreak is None else outbreak.spreading()
        truth, (before, after) = DIGITS[gallery.digits[both[1]]], (_pixels(gallery.pictures[picture]) for picture in both)
        asked, payload = wording.describe, wording.payloads[0]
        return Exhibit("edge", arm.name, truth, payload, said, now, before, after, text_clean=asked, spreading=spreading)

    def answers_shown(self, arm: Arm, trial: int, seen: Mapping[Arm, Seen[None]]) -> Exhibit | None:
        """A trial without the border and with it."""
        if not arm.attacked:
            return None
        part, gallery = seen[arm].evidence, self.sight.gallery
        numbers = np.tile(np.arange(gallery.viruses), trial // gallery.viruses + 1)[: trial + 1].tolist()
        pictures, talks = zip(*(self.talks(numbers, one) for one in (CLEAN, arm)), strict=True)
        said, now = (str(seen[one].rows.said[trial]) for one in (CLEAN, arm))
        before, after = (_pixels(gallery.pictures[one[trial]]) for one in pictures)
        asked, asked_now = (one[trial][-1].text for one in talks)
        truth, payload = DIGITS[int(part.intent[trial])], part.adversary_alphabet[int(part.adversary[trial])]
        return Exhibit("answer", arm.name, truth, payload, said, now, before, after, text_clean=asked, text_attacked=asked_now)


def _pixels(picture: Tensor) -> NDArray[np.uint8]:
    return (picture.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
