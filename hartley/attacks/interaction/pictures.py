"""Pictures: viruses on scenes of digits, listeners that are asked about them, and societies in which they spread, as channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hartley.attacks.engine.carrier import PIXELS
from hartley.attacks.interaction.virus import Aim, craft, framed
from hartley.bits.contraction import contraction
from hartley.case import Curve, Flag, SystemCase
from hartley.channel import Channel, Seen
from hartley.environments.album_words import ANSWERS, PAYLOADS
from hartley.environments.albums import DIGITS, AgentModels, Gallery, drawn_pictures
from hartley.environments.picture_society import LEAST, RING, RING_ROUNDS, SIZES, Society
from hartley.exhibit import Exhibit
from hartley.rows import ATTACKED, CLEAN, Arm, Column, Rows, Sent, Symbols
from hartley.targets.society.members import PLACES
from hartley.targets.society.outbreak import observed
from hartley.targets.society.reach import reach_bound
from hartley.targets.society.topologies import ring

FARTHEST = 4
"""Distances on the ring that have a table."""
ENTROPY = float(np.log2(PAYLOADS))
PERMUTATIONS = 199


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
class InfectedSociety(Society):
    """A society into which viruses are let."""

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

    def bound(self, hops: int, arm: Arm, rows: Rows) -> None:
        """What a member so far can have heard of the payload at most, by the contraction of the edge that was measured."""
        if arm.attacked and int(np.asarray(rows.more["exposed"])[0]):
            seed = self.case.seed("contraction") % 2**32
            eta = contraction(np.asarray(rows.more["edge"]), permutations=PERMUTATIONS, seed=seed)
            seed = self.case.seed("reach", hops) % 2**32
            self.case.measure(f"distance {hops}", arm.name, reach_bound(ring(RING), 0, hops, eta.high, RING_ROUNDS, ENTROPY, seed=seed))

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
