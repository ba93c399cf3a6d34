"""Training batches of the reference encoder: which captions fit which pictures, and the contrastive loss over them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.targets.reference.language import (
    COLORS,
    DIGITS,
    FULL_TEMPLATES,
    PARTIAL_TEMPLATES,
    SIGN_TEMPLATES,
    SIGN_WORDS,
    Concepts,
    draw_concepts,
)
from hartley.targets.reference.scenes import draw_scenes, draw_signs

SIGN_SHARE = 0.2
LOOKS_A_BATCH = 6
SLOTS = ("digit", "color", "vertical", "horizontal")
ANY, NEVER = -1, -2


@dataclass(frozen=True)
class Captions:
    """m captions with what they claim.

    claims (m, 4) int64: per slot the value a scene must have, ANY, or NEVER (no scene fits); word (m,): the sign word that
    fits, or NEVER.
    """

    texts: list[str]
    claims: Tensor
    word: Tensor

    def fit(self, scenes: Concepts, signs: Tensor) -> Tensor:
        """(scenes + signs, m) bool: which captions are true of which pictures."""
        values = torch.stack([scenes.digit, scenes.color, scenes.vertical, scenes.horizontal], dim=1)
        scene_fits = ((self.claims == ANY) | (self.claims == values.unsqueeze(1))).all(dim=2)
        return torch.cat([scene_fits, signs.unsqueeze(1) == self.word])


def caption_scenes(scenes: Concepts, templates: tuple[str, ...], generator: torch.Generator) -> Captions:
    """One caption a scene, its template drawn uniformly."""
    choice = torch.randint(len(templates), (len(scenes),), generator=generator)
    texts = [templates[i].format(**words) for i, words in zip(choice.tolist(), scenes.words(), strict=True)]
    named = torch.tensor([["{" + slot + "}" in template for slot in SLOTS] for template in templates])[choice]
    values = torch.stack([scenes.digit, scenes.color, scenes.vertical, scenes.horizontal], dim=1)
    # A bare digit or color word is as true of a sign that says it.
    bare_digit = torch.tensor([template == "{digit}" for template in templates])[choice]
    bare_color = torch.tensor([template == "{color}" for template in templates])[choice]
    word = torch.full((len(scenes),), NEVER)
    word = torch.where(bare_digit, scenes.digit, torch.where(bare_color, len(DIGITS) + scenes.color, word))
    return Captions(texts, torch.where(named, values, ANY), word)


def caption_signs(signs: Tensor, templates: tuple[str, ...], generator: torch.Generator) -> Captions:
    """One caption a sign (n,), its template drawn uniformly."""
    choice = torch.randint(len(templates), (len(signs),), generator=generator).tolist()
    texts = [templates[i].format(word=SIGN_WORDS[word]) for i, word in zip(choice, signs.tolist(), strict=True)]
    claims = torch.full((len(signs), len(SLOTS)), NEVER)
    bare = torch.tensor([templates[i] == "{word}" for i in choice])
    digit, color = bare & (signs < len(DIGITS)), bare & (signs >= len(DIGITS)) & (signs < len(DIGITS) + len(COLORS))
    claims[digit | color] = ANY
    claims[digit, 0] = signs[digit]
    claims[color, 1] = signs[color] - len(DIGITS)
    return Captions(texts, claims, signs)


def join(first: Captions, second: Captions) -> Captions:
    """Both lists, one after the other."""
    return Captions(first.texts + second.texts, torch.cat([first.claims, second.claims]), torch.cat([first.word, second.word]))


@dataclass(frozen=True)
class PictureLesson:
    """A batch: images (n, 3, 48, 48), m captions, and the mask (n, m) of what fits."""

    images: Tensor
    captions: list[str]
    fit: Tensor


def picture_lesson(batch: int, generator: torch.Generator, *, full: bool) -> PictureLesson:
    """A batch of training scenes and, a fifth of it, signs; scenes and signs never share a picture.

    full: the captions name the whole concept and every sign word; otherwise they name parts. A batch has few looks, so
    that many of its captions differ in the digit alone: with all looks the digit would hardly ever decide.
    """
    sign_count = round(batch * SIGN_SHARE)
    scenes = draw_concepts(batch - sign_count, generator, looks=LOOKS_A_BATCH)
    signs = torch.randint(len(SIGN_WORDS), (sign_count,), generator=generator)
    images = torch.cat([draw_scenes(scenes, generator, part="train"), draw_signs(signs, generator)])
    if full:
        # Every sign word is captioned: with the few signs of a batch as the only wrong answers, reading starts late.
        of_signs = caption_signs(torch.arange(len(SIGN_WORDS)), SIGN_TEMPLATES[1:], generator)
        captions = join(caption_scenes(scenes, FULL_TEMPLATES, generator), of_signs)
    else:
        captions = join(caption_scenes(scenes, PARTIAL_TEMPLATES, generator), caption_signs(signs, SIGN_TEMPLATES, generator))
    return PictureLesson(images, captions.texts, captions.fit(scenes, signs))


def contrast(left: Tensor, right: Tensor, fit: Tensor, scale: Tensor) -> Tensor:
    """Multi-positive InfoNCE, both ways: unit rows left (n, d), right (m, d); every true pair in fit (n, m) counts alike.

    A right row that fits nothing is only a wrong answer; each left row needs one that fits.
    """
    logits = scale * left @ right.T
    forth = F.cross_entropy(logits, fit / fit.sum(1, keepdim=True))
    answered = fit.any(0)
    back = fit[:, answered].T
    return (forth + F.cross_entropy(logits[:, answered].T, back / back.sum(1, keepdim=True))) / 2
