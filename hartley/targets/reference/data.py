"""ReferenceData: scenes, captions and speech of the reference family as a source of pairs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from hartley.data.pairs import Pairs
from hartley.errors import unknown
from hartley.targets.reference import language, scenes
from hartley.targets.reference import speech as voices

SOURCES = (language, scenes, voices)


@lru_cache(maxsize=1)
def _fingerprint() -> str:
    """sha256 over the code and the recordings that decide a draw."""
    import PIL
    import sklearn

    digest = hashlib.sha256(f"pillow {PIL.__version__}, scikit-learn {sklearn.__version__}".encode())
    for module in SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    for name in ("speech.opus", "speech.json"):
        digest.update((voices.FOLDER / name).read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class ReferenceData:
    """An endless source: every draw composes new scenes from the images and voices of one part.

    The intent symbol is the digit (10, balanced); retrieval searches the 240 full captions.
    """

    @property
    def name(self) -> str:
        return "reference"

    @property
    def fingerprint(self) -> str:
        return _fingerprint()

    def draw(self, count: int, generator: torch.Generator, *, part: str = "held-out", speech: bool = False) -> Pairs:
        """`count` pairs; with `speech` 0.2 MB of waveform each. Raises InputError for a part other than "held-out" and "train"."""
        if part not in scenes.PARTS:
            raise unknown("part", part, scenes.PARTS)
        concepts = language.draw_concepts(count, generator)
        images = scenes.draw_scenes(concepts, generator, part=part)
        fitting = language.draw_captions(concepts, generator, count=5)
        audio = voices.draw_phrases(concepts, generator, part=part)[0] if speech else None
        digits = len(language.DIGITS)
        return Pairs(
            images=(images * 255).round() / 255,  # a picture is what an 8-bit file holds; perturbations are counted from there
            captions=tuple(captions[0] for captions in fitting),
            caption_sets=tuple(fitting),
            labels=concepts.digit,
            label_names=language.DIGITS,
            label_prior=torch.full((digits,), 1.0 / digits, dtype=torch.float64),
            prompts=language.prompts(),
            gallery=language.gallery(),
            gallery_labels=language.concepts_at(torch.arange(language.CONCEPTS)).digit,
            concepts=concepts.index,
            audio=audio,
            content_words=frozenset((*language.DIGITS, *language.COLORS, *language.VERTICALS, *language.HORIZONTALS)),
        )
