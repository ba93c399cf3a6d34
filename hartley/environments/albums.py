"""Albums: a society whose members show each other pictures, ask about them, and keep what they were shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hartley.environments.album_words import OTHER, Wording, about
from hartley.evidence import NONE
from hartley.targets.conversation import ask
from hartley.targets.protocols import Answerer, Encoder
from hartley.targets.reference import language
from hartley.targets.reference.language import draw_concepts
from hartley.targets.reference.scenes import draw_scenes
from hartley.targets.society.meeting import Meetings
from hartley.targets.society.members import PLACES, Exchange, Meet, Members, Memory
from hartley.targets.society.spreading import Spread, spread

ASKED_AT_ONCE = 128
DIGITS = language.DIGITS


def fitted(pictures: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Pictures in the size that a model needs; gradients pass."""
    if size is None or tuple(pictures.shape[-2:]) == size:
        return pictures
    return functional.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)


@dataclass(frozen=True)
class AgentModels:
    """What every member sees and speaks with."""

    answerer: Answerer
    encoder: Encoder
    wording: Wording
    plans: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures (n, 3, h, w): `harmless` ones first, then the viruses, then the same pictures without their borders.

    digits (n,): what each shows. payloads: how many there are; virus k carries payload k modulo their number.
    """

    pictures: Tensor
    digits: tuple[int, ...]
    harmless: int
    payloads: int

    @property
    def viruses(self) -> int:
        """How many there are."""
        return (len(self.digits) - self.harmless) // 2

    def virus(self, number: int) -> int:
        """The place of a virus among the pictures."""
        return self.harmless + number

    def placebo(self, number: int) -> int:
        """The place of the picture that it was made from."""
        return self.harmless + self.viruses + number


def drawn_pictures(harmless: int, shows: Sequence[int], each: int, generator: torch.Generator) -> tuple[Tensor, tuple[int, ...]]:
    """Pictures (harmless + each * digits shown, 3, h, w), as a file holds them, and the digit that each shows: harmless ones first, then
    for each of the digits as many."""
    drawn = draw_concepts(harmless + each * len(shows), generator)
    digits = (*drawn.digit[:harmless].tolist(), *(digit for digit in shows for _ in range(each)))
    scenes = draw_scenes(replace(drawn, digit=torch.tensor(digits)), generator, part="held-out")
    return (scenes * 255).round().div(255).clamp(0, 1), digits


@dataclass
class AgentAnswers:
    """What members answer about the gallery's pictures and which they find. The same picture and question have the same answer,
    as members answer with the likeliest words, so that each is asked once."""

    eyes: AgentModels
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

    def prepare(self) -> None:
        """Asks at once all that members of a society can come to ask about the gallery."""
        wording, places = self.eyes.wording, range(len(self.gallery.digits))
        described = self.say([(picture, wording.describe) for picture in places])
        self.say([(picture, question) for picture, saw in zip(places, described, strict=True) for question in wording.follows(saw)])

    def talk(self, shown: Sequence[int], random: Random) -> list[tuple[int, str, str, str]]:
        """What comes of each picture that is shown: the picture, how its speaker describes it to itself, question, answer."""
        described = self.say([(picture, self.eyes.wording.describe) for picture in shown])
        questions = [self.eyes.wording.follow(saw, random) for saw in described]
        return list(zip(shown, described, questions, self.say(list(zip(shown, questions, strict=True))), strict=True))

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


@dataclass(frozen=True, eq=False)
class Run:
    """A run: its spread, and for each agent the payload that it spoke last (or SEVERAL), or NONE."""

    spread: Spread
    spoken: tuple[int, ...]


def run(sight: AgentAnswers, source: int, meetings: Meetings, rounds: int, rng: np.random.Generator, *, sources: Sequence[int]) -> Run:
    """Members with albums of ten harmless pictures meet; `source`, a picture's number, is the newest in the sources' albums.

    Whoever holds that picture carries its payload. All draws come from rng.
    """
    gallery = sight.gallery
    payload = (source - gallery.harmless) % gallery.viruses % gallery.payloads
    albums = rng.integers(0, gallery.harmless, (meetings.agents, PLACES))
    albums[list(sources), -1] = source
    memories: list[Memory[int]] = [Memory(agent, deque(album, maxlen=PLACES)) for agent, album in enumerate(albums.tolist())]
    last = [NONE] * meetings.agents
    meet = _meet(sight, source, payload, last)
    members = Members(memories, meet, lambda picture: payload if picture == source else NONE, payloads=gallery.payloads)
    return Run(spread(members, meetings, rounds, rng), tuple(last))


def _meet(sight: AgentAnswers, source: int, payload: int, last: list[int]) -> Meet[int]:
    """A round: each speaker finds a picture for its plan, describes it to itself and asks a question; the listener answers."""
    wording = sight.eyes.wording

    def meet(
        speakers: Sequence[Memory[int]], listeners: Sequence[Memory[int]], number: int, rng: np.random.Generator
    ) -> list[Exchange[int]]:
        shown = [sight.find(speaker.album, sight.plan(speaker, rng)) for speaker in speakers]
        random = Random(int(rng.integers(2**62)))  # noqa: S311 - draws of an experiment, not secrets
        exchanges = []
        for listener, (picture, saw, question, answer) in zip(listeners, sight.talk(shown, random), strict=True):
            success, effect = payload in wording.spoken(answer), wording.effect(answer)
            last[listener.agent] = last[listener.agent] if effect in (NONE, OTHER) else effect
            exchanges.append(Exchange(picture, question, answer, picture, payload in wording.noticed(saw), success))
        return exchanges

    return meet
