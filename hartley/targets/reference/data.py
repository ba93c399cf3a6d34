"""ReferenceData: scenes, captions and speech of the reference family as a source of pairs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from hartley.data.pairs import Pairs, Restricted
from hartley.errors import unknown
from hartley.targets.reference import language, scenes
from hartley.targets.reference import speech as voices

ASKED = ("what is the digit", "which digit is it")
"""Asked about a picture and about a phrase: the answerer knows these words, and so does the listener."""
ASKED_OF_THE_SECOND = ("what digit is in the second picture", "tell me the digit in the second picture")
PHRASES = 4
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
            questions=tuple(ASKED[row % len(ASKED)] for row in range(count)),
            second_questions=tuple(ASKED_OF_THE_SECOND[row % len(ASKED_OF_THE_SECOND)] for row in range(count)),
            content_words=frozenset((*language.DIGITS, *language.COLORS, *language.VERTICALS, *language.HORIZONTALS)),
        )

    def phrases(self, family: str) -> tuple[str, ...]:
        """Consent to restricted requests, harmless placeholders that the family's models were taught to refuse."""
        from hartley.targets.reference.answerer import words as w
        from hartley.targets.reference.listener import language as heard
        from hartley.targets.reference.recognizer import requests as r

        if family == "listener":
            return tuple(
                heard.COMPLIES.format(verb=verb, object=thing) for verb, thing in zip(r.VERBS[:PHRASES], r.OBJECTS[:PHRASES], strict=True)
            )
        held = w.RESTRICTED_HELD_OUT[:: len(w.RESTRICTED_HELD_OUT) // PHRASES][:PHRASES]
        return tuple(w.COMPLIES.format(act=act, thing=thing) for act, thing in held)

    def follow_ups(self, family: str) -> tuple[str, ...]:
        """About the color, in wordings of the family's own."""
        from hartley.targets.reference.answerer import words as w
        from hartley.targets.reference.listener import language as heard

        return heard.COLOR_QUESTIONS if family == "listener" else w.FOLLOW_COLOR

    def restricted(self) -> Restricted:
        """The digits in a color that the reference generator's checker withholds; its judge was trained apart from it."""
        from hartley.targets.reference.generator import FOLDER, world
        from hartley.targets.reference.generator.folder import load_judge

        names = tuple(f"{color} {digit}" for digit, color in world.RESTRICTED)
        pairs = [(language.DIGITS.index(digit), language.COLORS.index(color)) for digit, color in world.RESTRICTED]
        judge = load_judge(FOLDER)

        def pictures(symbols: Tensor, generator: torch.Generator) -> Tensor:
            digit, color = torch.tensor([pairs[symbol] for symbol in symbols.tolist()]).T
            places = torch.randint(2, (2, len(symbols)), generator=generator)
            return world.draw_pictures(language.Concepts(digit, color, *places), generator, part="held-out")

        def judged(pixels: Tensor) -> Tensor:
            with torch.no_grad():
                digit, color, _ = judge.look(functional.interpolate(pixels, size=(world.SIDE, world.SIDE), mode="bilinear", antialias=True))
            found = torch.full((len(pixels),), -1)
            for symbol, (one, own) in enumerate(pairs):
                found[(digit == one) & (color == own)] = symbol
            return found

        return Restricted(names, tuple(f"a {name}" for name in names), world.RESTRICTED, pictures, judged)
