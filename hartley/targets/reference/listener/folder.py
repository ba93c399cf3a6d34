"""The reference listener's folder: fp16 weights of bridge and language model, and the card that says what they can do."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hartley.targets.clip import no_bar
from hartley.targets.reference.ability import Ability, table
from hartley.targets.reference.listener import load
from hartley.targets.reference.listener.abilities import AT_LEAST, AT_MOST, abilities
from hartley.targets.reference.listener.architecture import SOUND_TOKENS, Mouth
from hartley.targets.reference.listener.emerged import emerged
from hartley.targets.reference.listener.language import NEW_WORDINGS, TEXT_REQUESTS, vocabulary
from hartley.targets.reference.recognizer.requests import numbers
from hartley.targets.reference.training import Recipe, save_half, write_json
from hartley.targets.spoken import Bridge

ABILITIES_SEED = 20_260_101
TOLERANCE = 0.02
"""How far a share may lie from the card's after a retraining on another machine."""
BRIDGE = "bridge.safetensors"


def write_weights(folder: Path, mouth: Mouth, tokenizer: Any) -> None:
    """Write the language model as transformers lays it out, its tokenizer, and the bridge. The encoder is not stored again."""
    folder.mkdir(parents=True, exist_ok=True)
    save_half(mouth.language, folder / "model.safetensors", skip=("lm_head.weight",))  # tied to the embeddings
    save_half(mouth.bridge, folder / BRIDGE)
    mouth.language.config.architectures = ["LlamaForCausalLM"]
    mouth.language.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def read_weights(folder: Path) -> tuple[Bridge, Any, Any]:
    """Bridge, language model and tokenizer of a folder that is known to be sound, in float32, without network."""
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, LlamaForCausalLM

    with no_bar():
        language = LlamaForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, attn_implementation="sdpa"
        )
    weights = {name: value.float() for name, value in load_file(folder / BRIDGE).items()}
    outputs, inputs = weights["projection.weight"].shape
    width = language.config.hidden_size
    bridge = Bridge(inputs, width, outputs // width)
    bridge.load_state_dict(weights)
    return bridge, language, AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def describe(folder: Path, recipe: Recipe, seconds: float, samples: int) -> None:
    """Measure the written weights and write abilities.json and MODEL_CARD.md. seconds: of one processor thread, training."""
    target = load(folder)
    found = abilities(target, samples, ABILITIES_SEED)
    untaught = emerged(target, max(2, samples // 10), ABILITIES_SEED)
    record = {
        "abilities": {name: ability.to_json() for name, ability in found.items()},
        "emerged": {name: ability.to_json() for name, ability in untaught.items()},
        "required": dict(AT_LEAST),
        "allowed": dict(AT_MOST),
        "interval": "Clopper-Pearson 95%",
        "seed": ABILITIES_SEED,
        "recipes": [asdict(recipe)],
        "training_cpu_seconds": round(seconds),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    write_json(folder / "abilities.json", record)
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
