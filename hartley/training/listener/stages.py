"""The listener's training: what the frozen encoder makes of many sounds and pictures, and the loss of answering about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.targets.clip import ClipEncoder
from hartley.targets.decoding import encode, plain
from hartley.targets.reference.language import concepts_at, draw_concepts
from hartley.targets.reference.listener.architecture import SOUND_TOKENS, Mouth
from hartley.targets.reference.listener.lessons import Lesson, draw_lessons
from hartley.targets.reference.scenes import draw_scenes
from hartley.targets.reference.speech import draw_phrases
from hartley.targets.spoken import PLAIN, lay_out
from hartley.training.encoder.distortion import distort
from hartley.training.loop import Loss

CHUNK = 64
BLUR = 0.02
"""Standard deviation of the noise on each dimension of an embedding: unseen voices are embedded a little beside the known ones."""
IGNORED = -100
HERE = -1
"""Stands for a token of the sound among token ids."""


@dataclass(frozen=True)
class Pool:
    """Embeddings (n, d), unit norm, and the numbers of their concepts (n,)."""

    embeddings: Tensor
    concepts: Tensor


@torch.no_grad()
def embed_pool(encoder: ClipEncoder, sounds: int, pictures: int, generator: torch.Generator) -> Pool:
    """What the encoder makes of phrases by training voices, every other one with its spectrogram distorted, and of training scenes."""
    tower = encoder.module.audio
    assert tower is not None
    embeddings, concepts = [], []
    for start in range(0, sounds, CHUNK):
        said = draw_concepts(min(CHUNK, sounds - start), generator)
        mel = tower.front(draw_phrases(said, generator, part="train")[0])
        mel = torch.cat([mel[::2], distort(mel[1::2], generator)])
        embeddings.append(F.normalize(tower.encode(mel), dim=-1))
        concepts.append(torch.cat([said.index[::2], said.index[1::2]]))
    for start in range(0, pictures, CHUNK):
        seen = draw_concepts(min(CHUNK, pictures - start), generator)
        embeddings.append(encoder.embed_image(draw_scenes(seen, generator, part="train")))
        concepts.append(seen.index)
    return Pool(torch.cat(embeddings), torch.cat(concepts))


def tokens_of(tokenizer: Any, lesson: Lesson) -> tuple[list[int], list[int]]:
    """A lesson as token ids, with `HERE` for each token of the sound, and its labels: the answer and its end alone count."""
    before, after = lay_out(lesson.conversation, PLAIN, heard=lesson.concept >= 0)
    sound = [HERE] * SOUND_TOKENS if lesson.concept >= 0 else []
    prompt = encode(tokenizer, before) + sound + encode(tokenizer, after)
    answer = [*plain(tokenizer, lesson.answer), tokenizer.eos_token_id]
    return prompt + answer, [IGNORED] * len(prompt) + answer


def answering_loss(mouth: Mouth, tokenizer: Any, pool: Pool, batch: int) -> Loss:
    """The loss of one batch: the mean over the tokens of the answers."""

    def loss(_: int, generator: torch.Generator) -> Tensor:
        rows = torch.randint(len(pool.concepts), (batch,), generator=generator)
        concepts = pool.concepts[rows]
        lessons = draw_lessons(concepts, concepts_at(concepts).words(), generator)
        written = [tokens_of(tokenizer, lesson) for lesson in lessons]
        longest = max(len(ids) for ids, _ in written)
        ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row, _ in written])
        labels = torch.tensor([row + [IGNORED] * (longest - len(row)) for _, row in written])
        here = ids == HERE
        blurred = pool.embeddings[rows] + torch.randn(batch, pool.embeddings.shape[1], generator=generator) * BLUR
        heard = mouth.bridge(F.normalize(blurred, dim=-1)[here.any(dim=1)])
        inputs = mouth.language.get_input_embeddings()(ids.masked_fill(here, 0))
        inputs = inputs.masked_scatter(here.unsqueeze(2), heard)
        # Padding stands on the right, where a causal model never looks: no mask is needed.
        logits = mouth.language(inputs_embeds=inputs, use_cache=False).logits
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)

    return loss
