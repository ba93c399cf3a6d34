"""Pairs: captioned pictures (and speech) drawn for one experiment, and what a source of them must offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pairs:
    """n captioned pictures with their symbols.

    images       (n, 3, height, width) float32 in [0, 1].
    captions     n strings, one a picture; caption_sets: n tuples, all captions that are known to fit that picture.
    labels       (n,) int64; the intent symbol, an index into label_names (K symbols).
    label_prior  (K,) float64; the law the labels were drawn from.
    prompts      K strings; the text that stands for each symbol in zero-shot classification.
    gallery      the M distinct captions that retrieval searches; concepts: (n,) int64, the right entry for each
                 picture; gallery_labels: (M,) int64, each entry's symbol.
    audio        (n, samples) float32 waveform in [-1, 1] that says the caption; None when there is none.
    content_words  words that carry a caption's meaning, which a text attack may neither replace nor bring in; empty:
                 not known, and attacks keep the words of label_names.
    questions    n strings, what is asked about each picture or sound, answered by its label's name; empty: nothing is.
    second_questions  the same, of a picture that is the second of two.
    """

    images: Tensor
    captions: tuple[str, ...]
    caption_sets: tuple[tuple[str, ...], ...]
    labels: Tensor
    label_names: tuple[str, ...]
    label_prior: Tensor
    prompts: tuple[str, ...]
    gallery: tuple[str, ...]
    gallery_labels: Tensor
    concepts: Tensor
    audio: Tensor | None = None
    content_words: frozenset[str] = frozenset()
    questions: tuple[str, ...] = ()
    second_questions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.images.shape[0])

    def take(self, index: Tensor | Sequence[int]) -> Pairs:
        """The pairs at `index`, in that order; alphabets and gallery stay whole."""
        rows = torch.as_tensor(index, dtype=torch.int64)
        chosen = rows.tolist()
        return replace(
            self,
            images=self.images[rows],
            captions=tuple(self.captions[i] for i in chosen),
            caption_sets=tuple(self.caption_sets[i] for i in chosen),
            labels=self.labels[rows],
            concepts=self.concepts[rows],
            audio=None if self.audio is None else self.audio[rows],
            questions=tuple(self.questions[i] for i in chosen if self.questions),
            second_questions=tuple(self.second_questions[i] for i in chosen if self.second_questions),
        )


@dataclass(frozen=True)
class Restricted:
    """What a generator of pictures must not draw in this data's world: harmless placeholders.

    names     K symbols. prompts: how each is asked for plainly. words: by symbol, those that a filter of prompts bans, the telling first.
    pictures  (symbols (n,), a generator) to pictures (n, 3, height, width) in [0, 1] that show them.
    judge     pictures (n, 3, height, width) to (n,) which symbol each shows, -1 for none: another model than any that is attacked.
    """

    names: tuple[str, ...]
    prompts: tuple[str, ...]
    words: tuple[tuple[str, ...], ...]
    pictures: Callable[[Tensor, torch.Generator], Tensor]
    judge: Callable[[Tensor], Tensor]


class Data(Protocol):
    """A source of pairs. Two draws with the same arguments are equal."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides what `draw` returns; part of every cell's key."""
        ...

    def draw(self, count: int, generator: torch.Generator, *, part: str = "held-out", speech: bool = False) -> Pairs:
        """Up to `count` pairs, labels balanced, from `part`: "held-out" (never trained on) or "train".

        `speech`: bring the spoken captions along, where the source has them; they cost more than the pictures.

        A finite source returns fewer when it has fewer and never repeats a picture within one draw.
        """
        ...

    def phrases(self, family: str) -> tuple[str, ...]:
        """Sentences in words that a model of that family can say about this data's world, and never does by itself."""
        ...

    def follow_ups(self, family: str) -> tuple[str, ...]:
        """Questions that may follow the first one; the last is never one that an attack is made with."""
        ...

    def restricted(self) -> Restricted | None:
        """What a generator must not draw; None where nobody can judge what is drawn."""
        ...
