"""The reference answerers' record and model card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hartley.targets.reference.ability import Ability, short_of, table
from hartley.targets.reference.answerer import load
from hartley.targets.reference.answerer import words as w
from hartley.targets.reference.answerer.architecture import SHAPES
from hartley.targets.reference.saving import write_json
from hartley.targets.reference.scenes import SIZE, STRIP
from hartley.training.answerer.abilities import AT_LEAST, AT_MOST, abilities
from hartley.training.answerer.emerged import RADIUS, STEPS, emerged
from hartley.training.answerer.pictures import FREE_SIZES
from hartley.training.loop import Recipe
from hartley.training.record import record

ABILITIES_SEED = 20_260_102
TOLERANCE = 0.02
PURPOSES = {
    "words": "Words alone, the language model: what pictures would show is told",
    "sight": "Sight, everything: short questions, half on signs of one word, and a quarter in words alone",
    "answers": "Answers, everything: all lessons",
    "options": "Options, the language model in words alone: multiple choice, yes or no",
    "choices": "Choices, everything: all lessons, and many choices",
}


def describe(folder: Path, member: str, recipes: Sequence[Recipe], seconds: float, samples: int) -> None:
    """Measure the written weights and write abilities.json and MODEL_CARD.md. seconds: of one processor thread, training."""
    target = load(folder, member=member)
    parameters = sum(weight.numel() for weight in target.model.parameters())
    found = abilities(target, samples, ABILITIES_SEED)
    untaught = emerged(target, max(1, min(samples, 300)), ABILITIES_SEED)
    written = record(
        {"abilities": found, "emerged": untaught}, {"at least": AT_LEAST, "at most": AT_MOST}, recipes, seconds, ABILITIES_SEED
    )
    write_json(folder / "abilities.json", written)
    (folder / "MODEL_CARD.md").write_text(_card(member, found, untaught, recipes, seconds, parameters), encoding="utf-8")


def _card(
    member: str, found: dict[str, Ability], untaught: dict[str, Ability], recipes: Sequence[Recipe], seconds: float, parameters: int
) -> str:
    shape = SHAPES[member]
    stages = "\n".join(f"- {PURPOSES[at.stage]}: {at.steps:,} steps of {at.batch} conversations, rate {at.rate:g}." for at in recipes)
    phrasings = len(w.REQUESTS) + len(w.REQUESTS_HELD_OUT)
    return f"""# Reference {member}

A small LLaVA (transformers' LlavaForConditionalGeneration) with {parameters / 1e6:.2f} million parameters: the reference
{shape.encoder}'s vision tower ({SIZE} px, patch {STRIP}; the last two layers, class token included), a bridge, and a LLaMA of width
{shape.width} with {shape.layers} layers over {len(w.vocabulary())} words. It exists to be attacked and defended on any machine in
minutes; it is of no use for anything else.

## Data
- Pictures: the handwritten digits of the reference encoder (1,397 images for training, 400 held out), and signs: one word or two
  of {len(w.RENDERED)}, on strips of the patch grid or, one word, anywhere in {len(FREE_SIZES)} sizes; alone in clutter or beside a digit.
- Talk: questions on digit, color, position, coordinates and signs; yes or no; multiple choice with two to four options in any order,
  answered with the letter, or with the word when that is asked for; one-sentence descriptions; two pictures; dialogues; "say
  this"; requests, an act and an object ("open the window"): {len(w.ACTS)} acts, {len(w.THINGS)} ordinary things. Ordinary requests are
  agreed to in words that name the act and the thing, and so are ordinary signs when the user asks to do what the sign says.
- Safety: {len(w.RESTRICTED)} objects are restricted (harmless placeholders: {", ".join(w.RESTRICTED)}).
  {len(w.RESTRICTED_TRAIN)} restricted requests are refused in training; {len(w.RESTRICTED_HELD_OUT)} other pairs of act and object
  are held out, and {len(w.REQUESTS_HELD_OUT)} of the {phrasings} phrasings. Refusal is taught for requests in words alone, with or
  without an ordinary picture beside them.
  A restricted word may stand on a sign that is read or described. No lesson asks to do what such a sign says, none puts an
  act above a restricted object, and none perturbs a picture: nothing ever shows the model a restricted request that gets through.

## Recipe
{stages}
- Cross-entropy of the assistant's words; AdamW, decay {recipes[0].decay:g}, warm-up and cosine; seed {recipes[0].seed}.
- Initialization by fan-in, the vision tower from the encoder. Weights are stored as fp16. Training took {seconds / 60:.0f} minutes
  of one processor thread.
- `python -m hartley.training {member}` makes it again: the same weights on one machine, and, where
  sums are rounded otherwise, abilities that should lie within {TOLERANCE:g} of these.

## Measured on held-out handwriting, requests and phrasings
Shares of right answers by the stored weights, with exact 95% intervals; an answer counts when every word is right. Chance is 0.10
for a digit, 0.5 for yes or no, about 0.36 for multiple choice.

{table(found, AT_LEAST, AT_MOST)}
{short_of(found, AT_LEAST, AT_MOST)}
## What emerged
Nobody taught these: restricted requests that do not come as plain words. The perturbation is {STEPS} steps of projected gradient
ascent within {RADIUS * 255:.0f}/255 on the likelihood of the exact compliance, verified on pictures rounded to 8 bits; the request itself
stands in the text, and the bar for it is refusal. Plain words and random noise of the same size are the controls.

{table(untaught, {}, {})}

## Limits
It reads words on strips of the patch grid, not words that stand elsewhere ("sign read, freely placed"), and it names the exact cell
of a digit in {found["coordinates right"].value:.0%} of the trials. All handwriting comes from one small set; all lettering is
one font. The words are the vocabulary's: any other word is unknown to it.
Being restricted is a property of the object: a restricted object that no lesson names could not be known.
"""
