"""Training batches of the reference answerer: pictures, what is said about them, and which tokens are to be learned.

Restricted requests come in words alone, and are refused. Restricted words stand on signs only where a sign is read, described
or left aside; no lesson asks to do what such a sign says, and none puts an act above a restricted object.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hartley.targets.conversation import Conversation, Message
from hartley.targets.reference.answerer import words as w
from hartley.training.answerer import exchanges as ask
from hartley.training.answerer.exchanges import Exchange, Kind
from hartley.training.answerer.pictures import Plan, Shown, any_scene, dice, draw_pictures, imagine

CHOICE_SHARE = 0.4
NOTHING = Shown("", "", "", (0, 0), (), False)
SCENE_KINDS: tuple[tuple[Kind, int], ...] = (
    (ask.digit, 30),
    (ask.color, 5),
    (ask.position, 5),
    (ask.yes_no, 12),
    (ask.choose_any, 20),
    (ask.describe, 10),
)
SIGN_KINDS: tuple[tuple[Kind, int], ...] = ((ask.read, 60), (ask.is_word, 12), (ask.choose_word, 12), (ask.describe, 16))
CHOICE_KINDS: tuple[tuple[Kind, int], ...] = (
    (ask.choose_digit, 30),
    (ask.choose_color, 12),
    (ask.choose_position, 12),
    (ask.yes_no_digit, 20),
    (ask.yes_no_look, 20),
)
WORD_KINDS: tuple[tuple[Kind, int], ...] = ((ask.request, 35), (ask.refuse, 45), (ask.say, 20))


@dataclass(frozen=True)
class Talk:
    """Some pictures' plans and how the questions about what they show are chosen; `turns` exchanges at most."""

    plans: tuple[Plan, ...]
    kinds: tuple[tuple[Kind, int], ...]
    turns: int


@dataclass(frozen=True)
class Lesson:
    """A conversation with its answers, and the numbers of the pictures it shows."""

    conversation: Conversation
    pictures: tuple[int, ...]


def _sign_words(rng: random.Random) -> tuple[str, ...]:
    """One word or two of any kind; never an act above a restricted object."""
    first = rng.choice(w.RENDERED)
    if rng.random() < 0.6:
        return (first,)
    second = rng.choice(w.RENDERED)
    return (second, first) if first in w.ACTS and second in w.RESTRICTED else (first, second)


def _ordinary_words(rng: random.Random) -> tuple[str, ...]:
    """What stands beside a request in words: nothing restricted."""
    return (rng.choice(w.THINGS),) if rng.random() < 0.5 else (rng.choice(w.ACTS), rng.choice(w.THINGS))


def draw_talk(rng: random.Random) -> Talk:
    """What one conversation is about."""
    part = rng.random()
    if part < 0.36:
        return Talk((any_scene(rng),), SCENE_KINDS, 3)
    if part < 0.44:
        return Talk((any_scene(rng, roams=True),), (*SCENE_KINDS, (ask.locate, 60)), 3)
    if part < 0.54:
        return Talk((any_scene(rng, _sign_words(rng)),), (*SCENE_KINDS, *SIGN_KINDS), 3)
    if part < 0.62:
        return Talk((Plan(None, words=_sign_words(rng)),), SIGN_KINDS, 1)
    if part < 0.70:
        word = (rng.choice(w.RENDERED),)
        return Talk((any_scene(rng, word, free=True) if rng.random() < 0.4 else Plan(None, words=word, free=True),), SIGN_KINDS, 1)
    if part < 0.80:
        words = (rng.choice(w.ACTS), rng.choice(w.THINGS))
        both = rng.random() < 0.5
        chosen = words if both else words[1:]
        plan = any_scene(rng, chosen) if rng.random() < 0.4 else Plan(None, words=chosen)
        return Talk((plan,), ((ask.obey_sign if both else ask.obey_sign_thing, 70), (ask.read, 30)), 1)
    if part < 0.86:
        plan = any_scene(rng, _ordinary_words(rng) if rng.random() < 0.5 else ())
        return Talk((plan,), WORD_KINDS if rng.random() < 0.7 else (*WORD_KINDS, (ask.digit, 30)), 2)
    if part < 0.93:
        return Talk((), WORD_KINDS, 1)
    first = any_scene(rng)
    second = any_scene(rng)
    if rng.random() < 0.3:
        second = Plan(first.digit, second.color, second.vertical, second.horizontal)
    return Talk((first, second), (), 1)


def _exchanges(talk: Talk, shown: Sequence[Shown], rng: random.Random) -> list[Exchange]:
    if len(shown) == 2:
        return [ask.compare(shown[0], shown[1], rng) for _ in range(2)]
    facts = shown[0] if shown else NOTHING
    kinds, weights = zip(*talk.kinds, strict=True)
    said: list[Exchange] = []
    for kind in rng.choices(kinds, weights, k=rng.randint(1, talk.turns)):
        follows = said and facts.digit and rng.random() < 0.3 and kind in _ABOUT_SCENE
        said.append(ask.follow_up(facts, said[-1], rng) if follows else kind(facts, rng))
    return said


_ABOUT_SCENE = {kind for kind, _ in SCENE_KINDS}


def draw_short_talk(rng: random.Random) -> Talk:
    """One short question on one picture, half of them on a sign of one word: seeing is learned sooner without long talks."""
    if rng.random() < 0.5:
        return Talk((any_scene(rng),), ((ask.digit, 70), (ask.color, 10), (ask.position, 10), (ask.describe, 10)), 1)
    word = (rng.choice(w.RENDERED),)
    return Talk((any_scene(rng, word) if rng.random() < 0.3 else Plan(None, words=word),), ((ask.read, 1),), 1)


def draw_choice(rng: random.Random) -> Talk:
    """One question on a digit that compares it with what the question names: options, or yes or no."""
    return Talk((any_scene(rng),), CHOICE_KINDS, 1)


def draw_talk_and_choices(rng: random.Random) -> Talk:
    """Any talk, with many more choices."""
    return draw_choice(rng) if rng.random() < CHOICE_SHARE else draw_talk(rng)


def draw_lessons(
    count: int, generator: torch.Generator, *, part: str = "train", draw: Callable[[random.Random], Talk] = draw_talk
) -> tuple[Tensor, list[Lesson]]:
    """Pictures (m, 3, 48, 48) in [0, 1] as 8-bit files hold them, and `count` conversations about them."""
    rng = dice(int(torch.randint(2**62, (1,), generator=generator)))
    talks = [draw(rng) for _ in range(count)]
    pixels, shown = draw_pictures([plan for talk in talks for plan in talk.plans], rng, generator, part=part)
    lessons, start = [], 0
    for talk in talks:
        numbers = tuple(range(start, start + len(talk.plans)))
        start += len(talk.plans)
        system = (Message("system", rng.choice(w.SYSTEM)),) if rng.random() < 0.08 else ()
        lessons.append(Lesson((*system, *_turns(talk, [shown[number] for number in numbers], len(numbers), rng)), numbers))
    return (pixels * 255).round() / 255, lessons


def told_lessons(count: int, generator: torch.Generator, *, draw: Callable[[random.Random], Talk] = draw_talk) -> list[Lesson]:
    """`count` conversations in words alone: where there would be pictures, the system's turn says what they show."""
    rng = dice(int(torch.randint(2**62, (1,), generator=generator)))
    lessons = []
    for talk in (draw(rng) for _ in range(count)):
        shown = imagine(talk.plans, rng)
        told = (Message("system", _told(shown)),) if shown else ()
        lessons.append(Lesson((*told, *_turns(talk, shown, 0, rng)), ()))
    return lessons


def _turns(talk: Talk, shown: Sequence[Shown], pictures: int, rng: random.Random) -> list[Message]:
    """The exchanges as turns; the pictures come with the first."""
    turns: list[Message] = []
    for exchange in _exchanges(talk, shown, rng):
        turns += [Message("user", exchange.question, pictures=0 if turns else pictures), Message("assistant", exchange.answer)]
    return turns


def _told(shown: Sequence[Shown]) -> str:
    told = [_with_place(facts) for facts in shown]
    return w.TOLD.format(picture=told[0]) if len(told) == 1 else w.TOLD_TWO.format(first=told[0], second=told[1])


def _with_place(facts: Shown) -> str:
    place = w.TOLD_PLACE.format(place=w.PLACE.format(x=facts.cell[0], y=facts.cell[1]))
    return f"{ask.description(facts)} {place}" if facts.digit else ask.description(facts)
