"""The loss of the reference answerer: how surprising the right answers are, each token alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.targets.reference.answerer.architecture import IMAGE_ID, TURN_TOKENS, layout
from hartley.targets.reference.answerer.words import vocabulary
from hartley.targets.reference.encoder.architecture import SPECIAL_TOKENS
from hartley.training.answerer.lessons import Lesson, Talk, draw_lessons, told_lessons
from hartley.training.loop import Loss


def encoder_of_lessons() -> Callable[[str], list[int]]:
    """Plain words to token ids, as the tokenizer does it. Raises KeyError for a word that is not in the vocabulary."""
    first = len(SPECIAL_TOKENS) + len(TURN_TOKENS)
    table = {word: first + index for index, word in enumerate(vocabulary())}
    return lambda text: [table[word] for word in text.split()]


def told_loss(model: Any, batch: int, draw: Callable[[random.Random], Talk]) -> Loss:
    """The loss of one batch of conversations in words alone. draw: what they are about."""
    encode = encoder_of_lessons()

    def loss(_: int, generator: torch.Generator) -> Tensor:
        return _mean_lost(model, None, told_lessons(batch, generator, draw=draw), encode)

    return loss


def seen_loss(
    model: Any, normalize: Callable[[Tensor], Tensor], batch: int, draw: Callable[[random.Random], Talk], *, told: int = 0
) -> Loss:
    """The loss of one batch of conversations with pictures. draw: what they are about; told: how many of them are in words alone."""
    encode = encoder_of_lessons()

    def loss(_: int, generator: torch.Generator) -> Tensor:
        pixels, lessons = draw_lessons(batch - told, generator, draw=draw)
        features = torch.stack(tuple(model.get_image_features(pixel_values=normalize(pixels), return_dict=True).pooler_output))
        return _mean_lost(model, features, lessons + told_lessons(told, generator), encode)

    return loss


def _mean_lost(model: Any, features: Tensor | None, lessons: Sequence[Lesson], encode: Callable[[str], list[int]]) -> Tensor:
    """The mean cross-entropy over all tokens that the assistant says."""
    # Sorted by length into two halves, because padding costs as much as words.
    rows = sorted(((lesson, *layout(lesson.conversation, encode)) for lesson in lessons), key=lambda row: len(row[1]))
    middle = len(rows) // 2
    parts = [_lost(model, features, half) for half in (rows[:middle], rows[middle:]) if half]
    return torch.stack([lost for lost, _ in parts]).sum() / sum(count for _, count in parts)


def _lost(model: Any, features: Tensor | None, rows: Sequence[tuple[Lesson, list[int], list[bool]]]) -> tuple[Tensor, int]:
    """The summed cross-entropy of the assistant's tokens in these rows, and how many there are."""
    tokens = 1 if features is None else features.shape[1]
    shown = torch.tensor([number for lesson, _, _ in rows for number in lesson.pictures], dtype=torch.long)
    ids, said = [], []
    for _, row, spoken in rows:
        spread = [(index, speaks) for index, speaks in zip(row, spoken, strict=True) for _ in range(tokens if index == IMAGE_ID else 1)]
        ids.append([index for index, _ in spread])
        said.append([speaks for _, speaks in spread])
    longest = max(map(len, ids))
    padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    learned = torch.tensor([row + [False] * (longest - len(row)) for row in said])
    embeddings = model.get_input_embeddings()(padded)
    if features is not None:
        embeddings = embeddings.masked_scatter((padded == IMAGE_ID).unsqueeze(-1), features[shown].to(embeddings.dtype))
    # The head is the embedding itself. Padding on the right needs no mask: no earlier token looks at it.
    states = model.language_model(inputs_embeds=embeddings).last_hidden_state[:, :-1]
    wanted = learned[:, 1:]
    logits = F.linear(states[wanted], model.get_input_embeddings().weight)
    return F.cross_entropy(logits, padded[:, 1:][wanted], reduction="sum"), int(wanted.sum())
