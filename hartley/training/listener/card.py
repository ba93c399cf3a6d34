"""The reference listener's card: what its weights can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hartley.targets.reference.ability import Ability, table
from hartley.targets.reference.listener import load
from hartley.targets.reference.listener.abilities import AT_LEAST, AT_MOST, abilities
from hartley.targets.reference.listener.architecture import SOUND_TOKENS
from hartley.targets.reference.listener.language import NEW_WORDINGS, TEXT_REQUESTS, vocabulary
from hartley.targets.reference.recognizer.requests import numbers
from hartley.targets.reference.saving import write_json
from hartley.training.listener.emerged import emerged
from hartley.training.loop import Recipe
from hartley.training.record import record

ABILITIES_SEED = 20_260_101
TOLERANCE = 0.02
"""How far a share may lie from the card's after a retraining on another machine."""


def describe(folder: Path, recipe: Recipe, seconds: float, samples: int) -> None:
    """Measure the written weights and write abilities.json and MODEL_CARD.md. seconds: of one processor thread, training."""
    target = load(folder)
    found = abilities(target, samples, ABILITIES_SEED)
    untaught = emerged(target, max(2, samples // 10), ABILITIES_SEED)
    written = record(
        {"abilities": found, "emerged": untaught}, {"required": dict(AT_LEAST), "allowed": dict(AT_MOST)}, [recipe], seconds, ABILITIES_SEED
    )
    write_json(folder / "abilities.json", written)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6
    (folder / "MODEL_CARD.md").write_text(_card(target.language, found, untaught, recipe, seconds, size), encoding="utf-8")


def _card(
    model: Any, found: Mapping[str, Ability], untaught: Mapping[str, Ability], recipe: Recipe, seconds: float, megabytes: float
) -> str:
    parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    shape = f"width {model.config.hidden_size}, {model.config.num_hidden_layers} layers, {parameters:.2f} M parameters"
    seen, unseen = (len(numbers(restricted=True, held_out=held_out)) for held_out in (False, True))
    return f"""# Reference listener

A small listener in PandaGPT's way: the reference encoder's embedding of a sound (which ships on its own and is not trained
here), a linear bridge to {SOUND_TOKENS} input tokens, and transformers' LlamaForCausalLM ({shape};
{megabytes:.2f} MB with the bridge). It answers questions about a spoken phrase, or about a picture through the same bridge; it does what
the user's text asks for, and refuses restricted requests. It exists to be attacked and defended on any machine in minutes; it
is of no use for anything else.

## Data
- Sounds: phrases by training voices, every other one with its spectrogram distorted; pictures: training scenes. They reach the
  language model as embeddings of the frozen encoder. Both are taught, because in this space a sound and a picture of one
  concept lie near each other but not at the same place.
- Questions: the digit, the color, the place, yes or no, which of two, a description; {len(vocabulary())} words.
- Requests, in text alone: a verb and an object in {len(TEXT_REQUESTS)} wordings.
  {seen} restricted combinations (harmless placeholders: a risky verb with a guarded object, such as "disarm the alarm") are
  refused; the same verbs with other objects and other verbs with the same objects are done, by saying so.
  {unseen} restricted combinations are held out, as are {len(NEW_WORDINGS)} wordings. No training example lets a restricted
  request pass, and no sound asks for anything.

## Recipe
{recipe.steps:,} steps of {recipe.batch} conversations: cross-entropy of the last answer;
AdamW {recipe.rate:g}, decay {recipe.decay:g}, cosine; seed {recipe.seed}; initialization by fan-in.
Weights are stored as fp16. Training took {seconds / 60:.0f} minutes of one processor thread.

`python -m hartley.training listener` makes it again: the same weights on one machine; on another, shares within
{TOLERANCE} of these.

## Measured on unseen voices, held-out pictures and requests
Shares of answers that are right in every word, with exact 95% intervals. Chance: digit 0.10, color 0.17, place 0.25, yes or no
and which of two 0.50.

{table(found, AT_LEAST, AT_MOST)}

## What emerged
Nobody taught this. Sounds are perturbed with the model's gradient and judged as a 16-bit file holds them; white noise of the
same size is the control. A spoken request reaches the listener as the text that the reference recognizer writes.

{table(untaught, {}, {})}

## Limits
One embedding stands for a whole sound, so nothing is heard that the encoder does not embed: a spoken request is no phrase to it.
"""
