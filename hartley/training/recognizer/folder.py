"""The reference recognizer's folder: fp16 weights as transformers lays them out, and the card that says what they can do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hartley.targets.reference.ability import Ability, table
from hartley.targets.reference.encoder.architecture import AUDIO_FRONT
from hartley.targets.reference.language import SPOKEN_WORDS
from hartley.targets.reference.recognizer import load
from hartley.targets.reference.recognizer.abilities import AT_LEAST, AT_MOST, abilities
from hartley.targets.reference.recognizer.requests import REQUEST_WORDS, SPOKEN_REQUESTS
from hartley.targets.reference.recognizer.sayings import request_recordings
from hartley.targets.reference.saving import save_half, write_json
from hartley.targets.reference.speech import recordings
from hartley.training.loop import Recipe
from hartley.training.recognizer.emerged import emerged
from hartley.training.recognizer.stages import STEPS_A_DRAW
from hartley.training.record import record

ABILITIES_SEED = 20_260_101
TOLERANCE = 0.01
"""How far a share of words may lie from the card's after a retraining on another machine."""


def write_weights(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write config, fp16 safetensors, tokenizer and extractor settings; nothing is pickled."""
    folder.mkdir(parents=True, exist_ok=True)
    save_half(model, folder / "model.safetensors", skip=("proj_out.weight",))  # tied to the decoder's embeddings
    model.config.architectures = ["WhisperForConditionalGeneration"]
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", AUDIO_FRONT)


def describe(folder: Path, recipe: Recipe, seconds: float, samples: int) -> None:
    """Measure the written weights and write abilities.json and MODEL_CARD.md. seconds: of one processor thread, training."""
    target = load(folder)
    found = abilities(target, samples, ABILITIES_SEED)
    untaught = emerged(target, max(2, samples // 10), ABILITIES_SEED)
    written = record({"abilities": found, "emerged": untaught}, {"required": dict(AT_LEAST)}, [recipe], seconds, ABILITIES_SEED)
    write_json(folder / "abilities.json", written)
    size = (folder / "model.safetensors").stat().st_size / 1e6
    (folder / "MODEL_CARD.md").write_text(_card(target.model, found, untaught, recipe, seconds, size), encoding="utf-8")


def _card(
    model: Any, found: Mapping[str, Ability], untaught: Mapping[str, Ability], recipe: Recipe, seconds: float, megabytes: float
) -> str:
    shape = model.config
    parameters = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    words, size = len(SPOKEN_WORDS) + len(REQUEST_WORDS), f"{parameters:.2f} M parameters, {megabytes:.2f} MB"
    layers = f"{shape.encoder_layers} encoder and {shape.decoder_layers} decoder layers"
    train, requests, held_out = (len(bank.start) for bank in (recordings("train"), *map(request_recordings, ("train", "held-out"))))
    return f"""# Reference recognizer

A small Whisper (transformers' WhisperForConditionalGeneration) that writes down what is said within three seconds, in
{words} words: {shape.num_mel_bins} mels x {2 * shape.max_source_positions} frames, width {shape.d_model}, {layers},
{size}. It exists to be attacked and defended on any machine in minutes; it is of no use for anything else.

## Data
- Phrases of the reference family: {len(SPOKEN_WORDS)} words by espeak-ng in {train} training voices.
- Spoken requests: {len(REQUEST_WORDS)} more words in {requests} of these voices, in {len(SPOKEN_REQUESTS)} wordings.
  Some requests are restricted ("disarm the alarm"), which means nothing to the recognizer: it writes down all alike.
- {held_out} voices are held out. Words are joined with random gaps, speed, gain and noise.

## Recipe
{recipe.steps:,} steps of {recipe.batch} sayings, a third of them phrases: cross-entropy of the words. Spectrograms are
distorted (another vocal tract, another microphone, blanked bands and times), each draw of waveforms is heard in {STEPS_A_DRAW} steps.
AdamW {recipe.rate:g}, decay {recipe.decay:g}, cosine; seed {recipe.seed}. The encoder starts from the audio tower
of the reference encoder, the decoder by fan-in. Weights are stored as fp16.
Training took {seconds / 60:.0f} minutes of one processor thread.

`python -m hartley.training recognizer` makes it again: the same weights on one machine; on another, shares of
words within {TOLERANCE} of these.

## Measured on unseen voices
Shares with exact 95% intervals (over words somewhat too narrow: the words of one saying are not independent).

{table(found, AT_LEAST, AT_MOST)}

## What emerged
Nobody taught this. A quiet change of the waveform, found with the model's gradient, makes it write a restricted request that
was drawn beforehand; success is the whole sentence, read from the waveform as a 16-bit file holds it. White noise of the same
size is the control.

{table(untaught, {}, {})}

## Limits
All speech comes from one synthesizer, word by word: there is no intonation over a sentence, and a word outside the vocabulary
is written as some known one. Its encoder started as the reference encoder's ear, so a perturbation made for one may carry
over to the other more readily than between models of different origin.
"""
