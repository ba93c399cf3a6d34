"""The two stages of the reference encoder's training: pictures with captions, then speech against the frozen space."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.targets.audio_tower import AudioTower
from hartley.targets.clip import ClipEncoder
from hartley.targets.reference.language import CONCEPTS, FULL_TEMPLATES, PHRASES, concepts_at, draw_concepts
from hartley.targets.reference.scenes import draw_scenes
from hartley.targets.reference.speech import draw_phrases
from hartley.training.encoder.distortion import distort
from hartley.training.encoder.lessons import contrast, picture_lesson
from hartley.training.loop import Loss

PICTURE_SHARE = 0.5
SCALE_LIMIT = math.log(100.0)


def picture_loss(clip: Any, tokenizer: Any, normalize: Callable[[Tensor], Tensor], batch: int) -> Loss:
    """The loss of one batch of pictures: against full captions at even steps, against partial ones at odd steps."""

    def loss(step: int, generator: torch.Generator) -> Tensor:
        lesson = picture_lesson(batch, generator, full=step % 2 == 0)
        tokens = tokenizer(lesson.captions, padding=True, return_tensors="pt")
        texts = clip.get_text_features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).pooler_output
        images = clip.get_image_features(pixel_values=normalize(lesson.images)).pooler_output
        scale = clip.logit_scale.clamp(max=SCALE_LIMIT).exp()
        return contrast(F.normalize(images, dim=-1), F.normalize(texts, dim=-1), lesson.fit, scale)

    return loss


TEXT_TEMPLATES = FULL_TEMPLATES + PHRASES
PICTURES_EACH = 24


@torch.no_grad()
def frozen_views(encoder: ClipEncoder, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What speech is taught to meet: text (templates, 240, d) and pictures (24, 240, d), unit norm, from training images."""
    each = concepts_at(torch.arange(CONCEPTS))
    texts = [encoder.embed_text([template.format(**words) for words in each.words()]) for template in TEXT_TEMPLATES]
    pictures = [encoder.embed_image(draw_scenes(each, generator, part="train")) for _ in range(PICTURES_EACH)]
    return torch.stack(texts), torch.stack(pictures)


def speech_loss(tower: AudioTower, texts: Tensor, pictures: Tensor, scale: float, batch: int) -> Loss:
    """The loss of one batch of phrases: each must find its concept among 240 texts and among 240 pictures, drawn anew."""
    column = torch.arange(CONCEPTS)

    def loss(_: int, generator: torch.Generator) -> Tensor:
        concepts = draw_concepts(batch, generator)
        waves = draw_phrases(concepts, generator, part="train")[0]
        heard = F.normalize(tower.encode(distort(tower.front(waves), generator)), dim=-1)
        text = texts[torch.randint(len(texts), (CONCEPTS,), generator=generator), column]
        picture = pictures[torch.randint(len(pictures), (CONCEPTS,), generator=generator), column]
        to_text = F.cross_entropy(scale * heard @ text.T, concepts.index)
        return to_text + PICTURE_SHARE * F.cross_entropy(scale * heard @ picture.T, concepts.index)

    return loss
