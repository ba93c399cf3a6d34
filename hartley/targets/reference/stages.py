"""The two stages of the reference encoder's training: pictures with captions, then speech against the frozen space."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hartley.targets.audio_tower import AudioTower
from hartley.targets.clip import ClipEncoder
from hartley.targets.reference.checkpoint import Progress, load_checkpoint, save_checkpoint
from hartley.targets.reference.distortion import distort
from hartley.targets.reference.language import CONCEPTS, FULL_TEMPLATES, PHRASES, concepts_at, draw_concepts
from hartley.targets.reference.lessons import contrast, picture_lesson
from hartley.targets.reference.scenes import draw_scenes
from hartley.targets.reference.speech import draw_phrases

PICTURE_SHARE = 0.5
SCALE_LIMIT = math.log(100.0)


@dataclass(frozen=True)
class Recipe:
    """What decides a stage's result. Steps are fixed beforehand: annealing on the clock would not be reproducible."""

    stage: str
    seed: int
    steps: int
    batch: int
    rate: float
    decay: float
    warmup: int

    def rate_at(self, step: int) -> float:
        """Linear warm-up, then a cosine to 1% of `rate`."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))

    def generator(self, *purpose: object) -> torch.Generator:
        """A generator for one purpose, for example one step's batch."""
        text = "/".join(map(str, (self.stage, self.seed, *purpose)))
        return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big"))


Loss = Callable[[int, torch.Generator], Tensor]


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


def train_stage(
    recipe: Recipe, module: nn.Module, loss: Loss, checkpoint: Path, *, every: int, progress: Callable[[int, float], None]
) -> float:
    """Train `module` in place from its checkpoint, or from the start, to the recipe's last step.

    `every`: steps between checkpoints. progress(step, loss) after each step. Returns the processor seconds of all its steps.
    """
    decayed = [p for p in module.parameters() if p.requires_grad and p.dim() >= 2]
    free = [p for p in module.parameters() if p.requires_grad and p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": recipe.decay}, {"params": free, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98), fused=True)
    before = load_checkpoint(checkpoint, module, optimizer, asdict(recipe))
    started = time.process_time()
    module.train()
    for step in range(before.step, recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        optimizer.zero_grad(set_to_none=True)
        value = loss(step, recipe.generator("step", step))
        value.backward()
        nn.utils.clip_grad_norm_(decayed + free, 1.0)
        optimizer.step()
        progress(step + 1, value.item())
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            taken = before.seconds + time.process_time() - started
            save_checkpoint(checkpoint, module, optimizer, asdict(recipe), Progress(step + 1, taken))
    module.eval()
    return before.seconds + time.process_time() - started


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
