"""ReferenceQuestions: the reference data with what is asked about it, what a model must not say or draw, and who judges what is drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from hartley.data.pairs import Pairs, Restricted
from hartley.targets.reference import language
from hartley.targets.reference.data import ReferenceData

ASKED = ("what is the digit", "which digit is it")
"""Asked about a picture and about a phrase: the answerer knows these words, and so does the listener."""
ASKED_OF_THE_SECOND = ("what digit is in the second picture", "tell me the digit in the second picture")
PHRASES = 4


@dataclass(frozen=True)
class ReferenceQuestions(ReferenceData):
    """The same draws, with a question about each picture. What it adds decides nothing of them: its fingerprint is theirs."""

    def draw(self, count: int, generator: torch.Generator, *, part: str = "held-out", speech: bool = False) -> Pairs:
        """`ReferenceData.draw`, and what is asked."""
        pairs = super().draw(count, generator, part=part, speech=speech)
        return replace(
            pairs,
            questions=tuple(ASKED[row % len(ASKED)] for row in range(count)),
            second_questions=tuple(ASKED_OF_THE_SECOND[row % len(ASKED_OF_THE_SECOND)] for row in range(count)),
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
