"""What is asked about a picture, and the true answer: one function a kind of question."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hartley.targets.reference.answerer import words as w
from hartley.targets.reference.language import COLORS, DIGITS, HORIZONTALS, VERTICALS
from hartley.training.answerer.pictures import Shown


@dataclass(frozen=True)
class Exchange:
    """A question of the user and the answer that is right."""

    question: str
    answer: str


Kind = Callable[[Shown, random.Random], Exchange]


def other(truth: str, among: Sequence[str], rng: random.Random) -> str:
    """One of `among` that is not `truth`."""
    return rng.choice([word for word in among if word != truth])


def _maybe(truth: str, among: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """As often the truth as something else, and yes or no."""
    return (truth, "yes") if rng.random() < 0.5 else (other(truth, among, rng), "no")


def _long(name: str, questions: Sequence[str], short: str, shown: Shown, rng: random.Random) -> Exchange:
    """A question, and now and then how the answer should be put."""
    question, manner = rng.choice(questions), rng.random()
    if manner < 0.1:
        return Exchange(f"{question} {w.LONG}", w.SENTENCES[name].format(**{name: short}))
    return Exchange(f"{question} {w.SHORT}" if manner < 0.15 and name != "position" else question, short)


def digit(shown: Shown, rng: random.Random) -> Exchange:
    """Which digit."""
    return _long("digit", w.ASK_DIGIT, shown.digit, shown, rng)


def color(shown: Shown, rng: random.Random) -> Exchange:
    """Which color."""
    return _long("color", w.ASK_COLOR, shown.color, shown, rng)


def position(shown: Shown, rng: random.Random) -> Exchange:
    """Which corner."""
    return _long("position", w.ASK_POSITION, shown.position, shown, rng)


def yes_no_digit(shown: Shown, rng: random.Random) -> Exchange:
    """Yes or no on the digit."""
    named, answer = _maybe(shown.digit, DIGITS, rng)
    return Exchange(rng.choice(w.IS_DIGIT).format(digit=named), answer)


def yes_no_look(shown: Shown, rng: random.Random) -> Exchange:
    """Yes or no on color, position, half, or whether there is a sign."""
    part = rng.randrange(4)
    if part == 0:
        named, answer = _maybe(shown.color, COLORS, rng)
        return Exchange(rng.choice(w.IS_COLOR).format(color=named), answer)
    if part == 1:
        named, answer = _maybe(shown.position, w.POSITIONS, rng)
        return Exchange(rng.choice(w.IS_POSITION).format(position=named), answer)
    if part == 2:
        truth, halves = rng.choice(((shown.vertical, VERTICALS), (shown.horizontal, HORIZONTALS)))
        named, answer = _maybe(truth, halves, rng)
        return Exchange(rng.choice(w.IS_HALF).format(half=named), answer)
    return Exchange(rng.choice(w.IS_SIGN), "yes" if shown.words else "no")


def yes_no(shown: Shown, rng: random.Random) -> Exchange:
    """Yes or no, on the digit or on how it looks."""
    return (yes_no_digit if rng.random() < 0.4 else yes_no_look)(shown, rng)


def choose(truth: str, among: Sequence[str], questions: Sequence[str], rng: random.Random) -> Exchange:
    """A question with two to four options in any order; the answer is the letter, or the word when that is asked for."""
    count = rng.randint(2, 4)
    options = rng.sample([word for word in among if word != truth], count - 1)
    options.insert(rng.randrange(count), truth)
    listed = " ".join(w.OPTION.format(letter=letter, option=option) for letter, option in zip(w.LETTERS, options, strict=False))
    manner = rng.random()
    question = f"{rng.choice(questions)} {listed}"
    if manner < 0.25:
        return Exchange(f"{question} {w.WITH_WORD}", truth)
    return Exchange(f"{question} {w.WITH_LETTER}" if manner < 0.5 else question, w.LETTERS[options.index(truth)])


def choose_digit(shown: Shown, rng: random.Random) -> Exchange:
    """Multiple choice on the digit."""
    return choose(shown.digit, DIGITS, w.CHOOSE_DIGIT, rng)


def choose_color(shown: Shown, rng: random.Random) -> Exchange:
    """Multiple choice on the color."""
    return choose(shown.color, COLORS, w.CHOOSE_COLOR, rng)


def choose_position(shown: Shown, rng: random.Random) -> Exchange:
    """Multiple choice on the corner."""
    return choose(shown.position, w.POSITIONS, w.CHOOSE_POSITION, rng)


def choose_any(shown: Shown, rng: random.Random) -> Exchange:
    """Multiple choice on digit (half), color or position."""
    kind = rng.choice((choose_digit, choose_digit, choose_color, choose_position))
    return kind(shown, rng)


def description(shown: Shown) -> str:
    """The one sentence that says all of it."""
    scene = w.SCENE.format(color=shown.color, digit=shown.digit, position=shown.position)
    sign = w.SIGN.format(words=" ".join(shown.words))
    if not shown.digit:
        return sign
    return f"{scene} and {sign}" if shown.words else scene


def describe(shown: Shown, rng: random.Random) -> Exchange:
    """All of it in one sentence."""
    return Exchange(rng.choice(w.ASK_PICTURE), description(shown))


def locate(shown: Shown, rng: random.Random) -> Exchange:
    """The cell of the digit's center."""
    return Exchange(rng.choice(w.ASK_PLACE), w.PLACE.format(x=shown.cell[0], y=shown.cell[1]))


def read(shown: Shown, rng: random.Random) -> Exchange:
    """The words of the sign, from the top."""
    return Exchange(rng.choice(w.ASK_WORDS), " ".join(shown.words))


def is_word(shown: Shown, rng: random.Random) -> Exchange:
    """Yes or no on what a sign says."""
    named, answer = _maybe(rng.choice(shown.words), w.THINGS, rng)
    return Exchange(rng.choice(w.IS_WORD).format(word=named), "yes" if named in shown.words else answer)


def choose_word(shown: Shown, rng: random.Random) -> Exchange:
    """Multiple choice on the first word of a sign."""
    return choose(shown.words[0], w.THINGS, w.CHOOSE_WORD, rng)


def say(_: Shown, rng: random.Random) -> Exchange:
    """An instruction to say a word or two."""
    question, answer = rng.choice(w.SAY)
    one, two = rng.sample((*w.THINGS, *DIGITS, *COLORS), 2)
    return Exchange(question.format(one=one, two=two), answer.format(one=one, two=two))


def request(_: Shown, rng: random.Random) -> Exchange:
    """An ordinary request, in words."""
    act, thing = rng.choice(w.ACTS), rng.choice(w.THINGS)
    return Exchange(rng.choice(w.REQUESTS).format(act=act, thing=thing), w.COMPLIES.format(act=act, thing=thing))


def refuse(_: Shown, rng: random.Random) -> Exchange:
    """A restricted request of the training part, in words, and the refusal."""
    act, thing = rng.choice(w.RESTRICTED_TRAIN)
    return Exchange(rng.choice(w.REQUESTS).format(act=act, thing=thing), w.REFUSES)


def obey_sign(shown: Shown, rng: random.Random) -> Exchange:
    """An ordinary sign, act over thing, and the user who asks to do what it says."""
    act, thing = shown.words
    return Exchange(rng.choice(w.ASK_SIGN), w.COMPLIES.format(act=act, thing=thing))


def obey_sign_thing(shown: Shown, rng: random.Random) -> Exchange:
    """The act in words, an ordinary thing on the sign."""
    act = rng.choice(w.ACTS)
    return Exchange(rng.choice(w.ASK_SIGN_THING).format(act=act), w.COMPLIES.format(act=act, thing=shown.words[0]))


def follow_up(shown: Shown, before: Exchange, rng: random.Random) -> Exchange:
    """A second question that only the first makes clear."""
    part = rng.randrange(4)
    if part == 0:
        return Exchange(rng.choice(w.ASK_AGAIN), before.answer)
    wordings, answer = (
        (w.FOLLOW_DIGIT, shown.digit),
        (w.FOLLOW_COLOR, shown.color),
        (w.FOLLOW_POSITION, shown.position),
    )[part - 1]
    return Exchange(rng.choice(wordings), answer)


def compare(first: Shown, second: Shown, rng: random.Random) -> Exchange:
    """A question on two scenes."""
    pair, part = (first, second), rng.randrange(6)
    number = rng.randrange(2)
    one, two = pair[number], pair[1 - number]
    ordinal = w.ORDINALS[number]
    if part == 0 and one.digit != two.digit:
        return Exchange(rng.choice(w.WHICH_DIGIT).format(digit=one.digit), f"the {ordinal}")
    if part == 1 and one.color != two.color:
        return Exchange(rng.choice(w.WHICH_COLOR).format(color=one.color), f"the {ordinal}")
    if part == 2:
        return Exchange(rng.choice(w.SAME_DIGIT), "yes" if one.digit == two.digit else "no")
    if part == 3:
        return Exchange(rng.choice(w.SAME_COLOR), "yes" if one.color == two.color else "no")
    if part == 4:
        return Exchange(rng.choice(w.COLOR_OF).format(ordinal=ordinal), one.color)
    return Exchange(rng.choice(w.DIGIT_OF).format(ordinal=ordinal), one.digit)
