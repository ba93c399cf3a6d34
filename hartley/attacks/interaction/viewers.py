"""Viewers: members that show each other pictures from their albums, ask about them, and keep what they were shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
import torch
from torch import Tensor

from hartley.attacks.interaction.sights import Wording, about
from hartley.attacks.interaction.virus import fitted
from hartley.evidence import NONE
from hartley.targets.conversation import ask
from hartley.targets.protocols import Answerer, Encoder
from hartley.targets.society.meeting import Meetings
from hartley.targets.society.members import PLACES, Exchange, Meet, Members, Memory
from hartley.targets.society.spreading import Spread, spread

ASKED_AT_ONCE = 128


@dataclass(frozen=True)
class Eyes:
    """What every member sees and speaks with."""

    answerer: Answerer
    encoder: Encoder
    wording: Wording
    plans: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures (n, 3, h, w): `harmless` ones first, then a virus for each payload, then the same pictures without its border.

    digits (n,): what each shows.
    """

    pictures: Tensor
    digits: tuple[int, ...]
    harmless: int
    payloads: int

    def virus(self, payload: int) -> int:
        """The number of a payload's picture."""
        return self.harmless + payload

    def placebo(self, payload: int) -> int:
        """The number of the picture that it was made from."""
        return self.harmless + self.payloads + payload


@dataclass
class Sight:
    """What members answer about the gallery's pictures and which they find. The same picture and question have the same answer,
    as members answer with the likeliest words, so that each is asked once."""

    eyes: Eyes
    gallery: Gallery
    similarity: Tensor = field(init=False)
    _said: dict[tuple[int, str], str] = field(default_factory=dict)
    _about: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with torch.no_grad():
            pictures = fitted(self.gallery.pictures, self.eyes.encoder.image_size)
            seen = torch.cat([self.eyes.encoder.embed_image(part) for part in pictures.split(ASKED_AT_ONCE)])
            self.similarity = self.eyes.encoder.embed_text(self.eyes.plans) @ seen.T
        self._ranks = self.similarity.argsort(dim=1).argsort(dim=1).tolist()

    def say(self, asked: Sequence[tuple[int, str]]) -> list[str]:
        """What a member says to each question about a picture."""
        new = [one for one in dict.fromkeys(asked) if one not in self._said]
        for start in range(0, len(new), ASKED_AT_ONCE):
            part = new[start : start + ASKED_AT_ONCE]
            pixels = fitted(self.gallery.pictures[[picture for picture, _ in part]], self.eyes.answerer.image_size)
            said = self.eyes.answerer.answer([ask(question) for _, question in part], pixels.unsqueeze(1))
            self._said |= dict(zip(part, said, strict=True))
        return [self._said[one] for one in asked]

    def plan(self, memory: Memory[int], rng: np.random.Generator) -> int:
        """What the member looks for: something about what was last said to it, anything where nothing was."""
        said = memory.history[-1].answer if memory.history else ""
        if said not in self._about:
            self._about[said] = about(said, self.eyes.plans)
        among = self._about[said]
        return among[int(rng.integers(len(among)))]

    def find(self, album: Sequence[int], plan: int) -> int:
        """The picture of the album that is most similar to the plan."""
        return max(album, key=self._ranks[plan].__getitem__)


@dataclass(frozen=True)
class Viewing:
    """What is told of one meeting whose speaker carried a payload: which, and the digit of the picture that was shown; the digit
    and the payload that the listener spoke, or NONE."""

    carried: int
    shown: int
    answered: int
    spoken: int


@dataclass(frozen=True, eq=False)
class Run:
    """A run: its spread, the viewings, and for each agent the payload that it spoke last, or NONE."""

    spread: Spread
    viewings: tuple[Viewing, ...]
    spoken: tuple[int, ...]


def run(sight: Sight, source: int, meetings: Meetings, rounds: int, rng: np.random.Generator, *, sources: Sequence[int]) -> Run:
    """Members with albums of ten harmless pictures meet; `source`, a picture's number, is the newest in the sources' albums.

    Whoever holds that picture carries its payload. All draws come from rng.
    """
    gallery = sight.gallery
    payload = (source - gallery.harmless) % gallery.payloads
    albums = rng.integers(0, gallery.harmless, (meetings.agents, PLACES))
    albums[list(sources), -1] = source
    memories: list[Memory[int]] = [Memory(agent, deque(album, maxlen=PLACES)) for agent, album in enumerate(albums.tolist())]
    viewings: list[Viewing] = []
    last = [NONE] * meetings.agents
    meet = _meet(sight, source, payload, viewings, last)
    members = Members(memories, meet, lambda picture: payload if picture == source else NONE, payloads=gallery.payloads)
    return Run(spread(members, meetings, rounds, rng), tuple(viewings), tuple(last))


def _meet(sight: Sight, source: int, payload: int, viewings: list[Viewing], last: list[int]) -> Meet[int]:
    """A round: each speaker finds a picture for its plan, describes it to itself and asks a question; the listener answers."""
    wording, digits = sight.eyes.wording, sight.gallery.digits

    def meet(
        speakers: Sequence[Memory[int]], listeners: Sequence[Memory[int]], number: int, rng: np.random.Generator
    ) -> list[Exchange[int]]:
        shown = [sight.find(speaker.album, sight.plan(speaker, rng)) for speaker in speakers]
        described = sight.say([(picture, wording.describe) for picture in shown])
        random = Random(int(rng.integers(2**62)))  # noqa: S311 - draws of an experiment, not secrets
        questions = [wording.follow(saw, random) for saw in described]
        answers = sight.say(list(zip(shown, questions, strict=True)))
        exchanges = []
        for speaker, listener, picture, question, saw, answer in zip(
            speakers, listeners, shown, questions, described, answers, strict=True
        ):
            first, second = wording.noticed(saw), wording.spoken(answer)
            if source in speaker.album:
                viewings.append(Viewing(payload, digits[picture], wording.digit(answer), second))
            last[listener.agent] = second if second != NONE else last[listener.agent]
            exchanges.append(Exchange(picture, question, answer, picture, first == payload, second == payload))
        return exchanges

    return meet
