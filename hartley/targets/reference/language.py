"""What the reference family talks about: concepts, their captions from many templates, the words on signs, the spoken phrases.

A concept is digit (10) x color (6) x vertical (2) x horizontal (2); its index is mixed-radix in that order, 0 to 239.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COLORS = ("red", "green", "blue", "yellow", "purple", "white")
VERTICALS = ("top", "bottom")
HORIZONTALS = ("left", "right")
LOOKS = len(COLORS) * 4
"""Combinations of color and position."""
CONCEPTS = len(DIGITS) * LOOKS

SIGN_ONLY_WORDS = (
    *("stop", "exit", "open", "closed", "sale", "cafe", "hotel", "taxi", "park", "bus", "bank", "shop"),
    *("free", "push", "pull", "hot", "cold", "fire", "water", "milk", "north", "south", "east", "west"),
)
SIGN_WORDS = (*DIGITS, *COLORS, *VERTICALS, *HORIZONTALS, *SIGN_ONLY_WORDS)
"""The words that stand on signs: the 20 words of the scenes, spelled with the same tokens, and 24 of their own."""

FULL_TEMPLATES = (
    "a {color} {digit} at the {vertical} {horizontal}",
    "the {vertical} {horizontal} shows a {color} {digit}",
    "there is a {color} {digit} in the {vertical} {horizontal} corner",
    "a picture of the digit {digit} in {color} at the {vertical} {horizontal}",
    "{vertical} {horizontal} {color} {digit}",
    "a handwritten {digit} painted {color} near the {vertical} {horizontal}",
    "in the {vertical} {horizontal} corner is the number {digit} in {color}",
)
PARTIAL_TEMPLATES = (
    "{digit}",
    "a {digit}",
    "a picture of the digit {digit}",
    "a handwritten {digit}",
    "the number {digit}",
    "a {color} {digit}",
    "the digit {digit} in {color}",
    "{color}",
    "something {color}",
    "a picture with a {color} digit",
    "a digit at the {vertical} {horizontal}",
    "something in the {vertical} {horizontal} corner",
    "a {digit} at the {vertical} {horizontal}",
    "something {color} at the {vertical} {horizontal}",
)
# A bare word fits both what it means and a sign that says it, as captions in the wild do.
SIGN_TEMPLATES = (
    "{word}",
    "a sign that says {word}",
    "the word {word}",
    "a sign with the word {word}",
    "{word} written on a sign",
)
GALLERY_TEMPLATE = FULL_TEMPLATES[0]
PROMPT_TEMPLATE = "a picture of the digit {digit}"
SIGN_PROMPT = "a sign that says {word}"

PHRASES = (
    "a {color} {digit} at the {vertical} {horizontal}",
    "the {vertical} {horizontal} is a {color} {digit}",
    "there is a {color} {digit} at the {vertical} {horizontal}",
    "{vertical} {horizontal} {color} {digit}",
    "the {color} {digit} in the {vertical} {horizontal} corner",
)
"""What is said aloud; six to nine of `SPOKEN_WORDS` within three seconds."""
CARRIERS = ("a", "the", "at", "in", "is", "there", "corner")
SPOKEN_WORDS = (*DIGITS, *COLORS, *VERTICALS, *HORIZONTALS, *CARRIERS)


@dataclass(frozen=True)
class Concepts:
    """n concepts as four index tensors, each (n,) int64."""

    digit: Tensor
    color: Tensor
    vertical: Tensor
    horizontal: Tensor

    def __len__(self) -> int:
        return int(self.digit.shape[0])

    @property
    def index(self) -> Tensor:
        """(n,) int64 in 0 to 239."""
        return ((self.digit * len(COLORS) + self.color) * 2 + self.vertical) * 2 + self.horizontal

    @property
    def position(self) -> Tensor:
        """(n,) int64 in 0 to 3: top left, top right, bottom left, bottom right."""
        return self.vertical * 2 + self.horizontal

    def words(self) -> list[dict[str, str]]:
        """The four words of each concept, ready for a template."""
        rows = torch.stack([self.digit, self.color, self.vertical, self.horizontal], dim=1).tolist()
        return [
            {"digit": DIGITS[digit], "color": COLORS[color], "vertical": VERTICALS[vertical], "horizontal": HORIZONTALS[horizontal]}
            for digit, color, vertical, horizontal in rows
        ]


def concepts_at(index: Tensor) -> Concepts:
    """The concepts behind indices in 0 to 239."""
    return Concepts(index // LOOKS, index // 4 % len(COLORS), index // 2 % 2, index % 2)


def draw_concepts(count: int, generator: torch.Generator, *, looks: int | None = None) -> Concepts:
    """`count` concepts: digits balanced to within one, the rest uniform, in random order.

    looks: how many combinations of color and position share the draw; None: all 24 may come.
    """
    start = int(torch.randint(len(DIGITS), (1,), generator=generator))
    digit = ((torch.arange(count) + start) % len(DIGITS))[torch.randperm(count, generator=generator)]
    look = torch.randint(LOOKS, (count,), generator=generator)
    if looks is not None:
        look = torch.randperm(LOOKS, generator=generator)[:looks][look % looks]
    return concepts_at(digit * LOOKS + look)


def gallery() -> tuple[str, ...]:
    """The 240 full captions, in concept order, from one template."""
    return tuple(GALLERY_TEMPLATE.format(**words) for words in concepts_at(torch.arange(CONCEPTS)).words())


def prompts() -> tuple[str, ...]:
    """The ten digit-only captions."""
    return tuple(PROMPT_TEMPLATE.format(digit=digit) for digit in DIGITS)


def draw_captions(concepts: Concepts, generator: torch.Generator, *, count: int = 5) -> list[tuple[str, ...]]:
    """For each concept, `count` captions from different templates that all fit it, full ones first."""
    templates = (*FULL_TEMPLATES, *PARTIAL_TEMPLATES)
    full = min(count - 2, len(FULL_TEMPLATES)) if count > 2 else count
    ranks = torch.rand(len(concepts), len(templates), generator=generator)
    ranks[:, len(FULL_TEMPLATES) :] += 1.0
    order = ranks.argsort(dim=1).tolist()
    part = len(FULL_TEMPLATES)
    return [
        tuple(templates[i].format(**words) for i in (*row[:full], *row[part : part + count - full]))
        for row, words in zip(order, concepts.words(), strict=True)
    ]


def vocabulary() -> tuple[str, ...]:
    """Every word of every template and sign, sorted."""
    slots = {"digit": "", "color": "", "vertical": "", "horizontal": "", "word": ""}
    templates = (*FULL_TEMPLATES, *PARTIAL_TEMPLATES, *SIGN_TEMPLATES, *PHRASES)
    carriers = {word for template in templates for word in template.format(**slots).split()}
    return tuple(sorted(carriers | set(SIGN_WORDS)))
