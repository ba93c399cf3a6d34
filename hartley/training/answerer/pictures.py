"""Pictures for the reference answerer: scenes and signs together, with one word or two, on strips or freely placed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from hartley.targets.reference.answerer.words import CELL, RENDERED
from hartley.targets.reference.language import COLORS, DIGITS, HORIZONTALS, VERTICALS, Concepts
from hartley.targets.reference.scenes import REACH, SIZE, STRIP, draw_clutter, draw_located_scenes, put_signs

NUMBER = {word: index for index, word in enumerate(RENDERED)}
FREE_SIZES = (9, 10, 11, 12, 13, 14)
TALLEST = 18
ROAMING = 4.5
"""How far a roaming digit's center may lie from the middle of its quadrant: its coordinates say more than the corner."""


@dataclass(frozen=True)
class Plan:
    """What a picture shall show.

    digit, color, vertical, horizontal  indices of a concept; digit None: no digit.
    words     what its sign says, top to bottom: none, one or two words of RENDERED.
    free      the words stand anywhere, in several sizes, and not on strips of the patch grid. Takes one word.
    roams     the digit's center may lie farther from the middle of its quadrant.
    """

    digit: int | None
    color: int = 0
    vertical: int = 0
    horizontal: int = 0
    words: tuple[str, ...] = ()
    free: bool = False
    roams: bool = False


@dataclass(frozen=True)
class Shown:
    """What a picture shows, in words; cell: the column and row of the digit's center."""

    digit: str
    color: str
    position: str
    cell: tuple[int, int]
    words: tuple[str, ...]
    free: bool

    @property
    def vertical(self) -> str:
        return self.position.split()[0]

    @property
    def horizontal(self) -> str:
        return self.position.split()[1]


def dice(*purpose: object) -> random.Random:
    """A source of small choices for one purpose; drawing them one by one from torch takes ten times as long."""
    return random.Random("/".join(map(str, purpose)))  # noqa: S311 - no secret depends on it


def any_scene(rng: random.Random, words: tuple[str, ...] = (), *, free: bool = False, roams: bool = False) -> Plan:
    """A scene whose concept is drawn uniformly."""
    return Plan(rng.randrange(len(DIGITS)), rng.randrange(len(COLORS)), rng.randrange(2), rng.randrange(2), words, free, roams)


def draw_pictures(plans: Sequence[Plan], rng: random.Random, generator: torch.Generator, *, part: str) -> tuple[Tensor, list[Shown]]:
    """Pictures (n, 3, 48, 48) in [0, 1] with handwriting of `part`, and what they show. Signs keep out of the digit's half."""
    pixels = torch.empty(len(plans), 3, SIZE, SIZE)
    centers = torch.zeros(len(plans), 2)
    for roams, reach in ((False, REACH), (True, ROAMING)):
        scenes = [index for index, plan in enumerate(plans) if plan.digit is not None and plan.roams == roams]
        rows = [(plans[index].digit or 0, plans[index].color, plans[index].vertical, plans[index].horizontal) for index in scenes]
        concepts = Concepts(*torch.tensor(rows, dtype=torch.long).view(-1, 4).unbind(dim=1))
        pixels[scenes], centers[scenes] = draw_located_scenes(concepts, generator, part=part, reach=reach)
    rest = [index for index, plan in enumerate(plans) if plan.digit is None]
    pixels[rest] = draw_clutter(len(rest), generator)
    strips = [_strips(plan, rng) for plan in plans]
    for number in range(2):
        signs = [index for index, plan in enumerate(plans) if len(plan.words) > number and not plan.free]
        if signs:
            words = torch.tensor([NUMBER[plans[index].words[number]] for index in signs])
            at = torch.tensor([strips[index][number] for index in signs])
            pixels[signs] = put_signs(pixels[signs], words, at, generator, RENDERED)
    free = [index for index, plan in enumerate(plans) if plan.words and plan.free]
    if free:
        pixels[free] = _put_anywhere(pixels[free], [plans[index] for index in free], rng, generator)
    cells = (centers / CELL).long().tolist()
    return pixels, [_shown(plan, cell) for plan, cell in zip(plans, cells, strict=True)]


def _shown(plan: Plan, cell: list[int]) -> Shown:
    if plan.digit is None:
        return Shown("", "", "", (0, 0), plan.words, plan.free)
    position = f"{VERTICALS[plan.vertical]} {HORIZONTALS[plan.horizontal]}"
    return Shown(DIGITS[plan.digit], COLORS[plan.color], position, (cell[0], cell[1]), plan.words, plan.free)


def imagine(plans: Sequence[Plan], rng: random.Random) -> list[Shown]:
    """What such pictures would show, without drawing them."""
    shown = []
    for plan in plans:
        middle = ((12 + 24 * place) / CELL for place in (plan.horizontal, plan.vertical))
        reach = (ROAMING if plan.roams else REACH) / CELL
        shown.append(_shown(plan, [int(at + rng.uniform(-reach, reach)) for at in middle]))
    return shown


def _strips(plan: Plan, rng: random.Random) -> list[int]:
    """The strips of up to two words, from the top."""
    if plan.digit is None:
        return sorted(rng.sample(range(SIZE // STRIP), 2)) if len(plan.words) == 2 else [rng.randrange(SIZE // STRIP)]
    first = (1 - plan.vertical) * 2
    return [first, first + 1] if len(plan.words) == 2 else [first + rng.randrange(2)]


@lru_cache(maxsize=1)
def free_lettering() -> tuple[Tensor, Tensor]:
    """Every rendered word in every free size: opacity (words, sizes, 18, 48) from the top left, and extents (words, sizes, 2): h, w.

    A word too wide for the picture takes the largest size that fits.
    """
    masks, extents = [], []
    for word in RENDERED:
        for size in FREE_SIZES:
            for smaller in range(size, 5, -1):
                font = ImageFont.load_default(size=smaller)
                left, top, right, bottom = (round(edge) for edge in font.getbbox(word))
                if right - left <= SIZE - 4:
                    break
            canvas = Image.new("L", (SIZE, TALLEST))
            ImageDraw.Draw(canvas).text((1 - left, 1 - top), word, fill=255, font=font)
            masks.append(torch.from_numpy(np.asarray(canvas, dtype=np.float32) / 255.0))
            extents.append((min(bottom - top + 2, TALLEST), right - left + 2))
    shape = (len(RENDERED), len(FREE_SIZES))
    return torch.stack(masks).view(*shape, TALLEST, SIZE), torch.tensor(extents).view(*shape, 2)


def _put_anywhere(images: Tensor, plans: Sequence[Plan], rng: random.Random, generator: torch.Generator) -> Tensor:
    """Copies of images (n, 3, 48, 48) with each plan's word on a board that fits it, anywhere outside the digit's half."""
    masks, extents = free_lettering()
    count = len(plans)
    words = torch.tensor([NUMBER[plan.words[0]] for plan in plans])
    sizes = torch.tensor([rng.randrange(len(FREE_SIZES)) for _ in plans])
    height, width = extents[words, sizes].unbind(dim=1)
    half = torch.tensor([SIZE if plan.digit is None else SIZE // 2 for plan in plans])
    start = torch.tensor([0 if plan.digit is None else (1 - plan.vertical) * SIZE // 2 for plan in plans])
    y = start + ((half - height + 1) * torch.rand(count, generator=generator)).long()
    x = ((SIZE - width + 1) * torch.rand(count, generator=generator)).long()
    axis = torch.arange(SIZE)
    v, u = axis.view(1, -1) - y.view(-1, 1), axis.view(1, -1) - x.view(-1, 1)
    inside = ((v >= 0) & (v < height.view(-1, 1))).unsqueeze(2) & ((u >= 0) & (u < width.view(-1, 1))).unsqueeze(1)
    letters = masks[words, sizes].gather(1, v.clamp(0, TALLEST - 1).unsqueeze(2).expand(-1, -1, SIZE))
    letters = letters.gather(2, u.clamp(0, SIZE - 1).unsqueeze(1).expand(-1, SIZE, -1)).unsqueeze(1)
    ink, board = (torch.rand(count, 3, 1, 1, generator=generator) * 0.3 + low for low in (0.0, 0.7))
    sign = board * (1 - letters) + ink * letters + torch.randn(images.shape, generator=generator) * 0.02
    return torch.where(inside.unsqueeze(1), sign.clamp(0.0, 1.0), images)
