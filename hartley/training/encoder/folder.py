"""The reference encoders' folders: fp16 weights as transformers lays them out, and the card that says what they can do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hartley.targets.audio_tower import AudioTower
from hartley.targets.reference import language
from hartley.targets.reference.ability import Ability, short_of, table
from hartley.targets.reference.encoder import load
from hartley.targets.reference.encoder.architecture import AUDIO_FRONT, PIXEL_MEAN, PIXEL_STD, SHAPES
from hartley.targets.reference.saving import save_half, write_json
from hartley.targets.reference.scenes import SIZE
from hartley.targets.reference.speech import voice_table
from hartley.training.encoder.abilities import AT_LEAST, AT_MOST, abilities, phrase_by_voice
from hartley.training.loop import Recipe
from hartley.training.record import record

ABILITIES_SEED = 20_260_101


def write_weights(folder: Path, clip: Any, tokenizer: Any, tower: AudioTower) -> None:
    """Write config, fp16 safetensors, tokenizer and preprocessor settings of all three towers; nothing is pickled."""
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    save_half(clip, folder / "model.safetensors")
    save_half(tower, folder / "audio" / "model.safetensors")
    clip.config.architectures = ["CLIPModel"]
    clip.config.save_pretrained(folder)
    tower.encoder.config.save_pretrained(folder / "audio")
    tokenizer.save_pretrained(folder)
    write_json(folder / "audio" / "preprocessor_config.json", AUDIO_FRONT)
    side = {"height": SIZE, "width": SIZE}
    settings = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": SIZE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": side,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": PIXEL_MEAN,
        "image_std": PIXEL_STD,
        "do_convert_rgb": True,
    }
    write_json(folder / "preprocessor_config.json", settings)


def describe(folder: Path, member: str, recipes: Sequence[Recipe], seconds: float, samples: int) -> None:
    """Measure the written weights and write abilities.json and MODEL_CARD.md. seconds: of one processor thread, training."""
    encoder = load(folder, member=member)
    found = abilities(encoder, samples, ABILITIES_SEED)
    voices = phrase_by_voice(encoder, max(1, samples // 4), ABILITIES_SEED)
    shares = {"abilities": found, "whole phrase by held-out voice": voices}
    written = record(shares, {"required": dict(AT_LEAST)}, recipes, seconds, ABILITIES_SEED)
    write_json(folder / "abilities.json", written)
    (folder / "MODEL_CARD.md").write_text(_card(member, found, voices, recipes, seconds), encoding="utf-8")


def _card(member: str, found: dict[str, Ability], by_voice: dict[str, Ability], recipes: Sequence[Recipe], seconds: float) -> str:
    shape = SHAPES[member]
    (wide, deep), (text_wide, text_deep), (audio_wide, audio_deep) = shape.vision, shape.text, shape.audio
    pictures, speech = recipes
    templates = " + ".join(str(len(kind)) for kind in (language.FULL_TEMPLATES, language.PARTIAL_TEMPLATES, language.SIGN_TEMPLATES))
    heard = ", ".join(f"{ability.value:.3f} ({name})" for name, ability in by_voice.items())
    voices = {part: len(numbers) for part, numbers in voice_table()[0].items()}
    return f"""# Reference {member}

A small tri-modal encoder in the manner of AudioCLIP: transformers' CLIP image and text towers ({SIZE} px, patch 12, width {wide},
{deep} layers; text width {text_wide}, {text_deep} layers; 64 dimensions) and a Whisper-style audio tower (40 mels x 120 frames,
width {audio_wide}, {audio_deep} layers) in one space. It exists to be attacked and defended on any machine in
minutes; it is of no use for anything else.

## Data
- Pictures: scikit-learn's handwritten digits (UCI optical recognition of handwritten digits), split by image into 1,397 for
  training and 400 held out, colored, bent and put into a quadrant of a cluttered {SIZE}x{SIZE} picture: {language.CONCEPTS} concepts
  of digit x color x position. A fifth of the training pictures are signs with one of {len(language.SIGN_WORDS)} words instead, in the
  font that Pillow carries. Scenes and signs never share a picture in training.
- Text: {templates} full, partial and sign templates over {len(language.vocabulary())} words. A bare word fits both what it
  means and a sign that says it.
- Speech: {len(language.SPOKEN_WORDS)} words by espeak-ng in {voices["train"]} training voices and {voices["held-out"]} held-out
  ones, joined into phrases of up to three seconds.

## Recipe
- Stage 1, {pictures.steps:,} steps of {pictures.batch}: multi-positive InfoNCE of pictures against full captions and partial ones in
  turn, few combinations of color and position a batch; AdamW {pictures.rate:g}, decay {pictures.decay:g}, cosine; seed {pictures.seed}.
- Stage 2, {speech.steps:,} steps of {speech.batch}: the audio tower alone, each phrase against the captions and pictures of all
  concepts in the frozen space, spectrograms distorted; AdamW {speech.rate:g}, decay {speech.decay:g}, cosine.
- Initialization by fan-in. Weights are stored as fp16. Training took {seconds / 60:.0f} minutes of one processor thread.
- `python -m hartley.training {member}` makes it again.

## Measured on held-out images and unseen voices
Shares of right answers by the stored weights, with exact 95% intervals. Chance is 0.10 for a digit, 1/240 for a concept.

{table(found, AT_LEAST, AT_MOST)}
{short_of(found, AT_LEAST, AT_MOST)}
"Misled by a written word": a sign with a wrong digit word over an empty part of the scene makes that word the answer.

## Limits
All handwriting comes from one small set and all speech from one synthesizer. The digits of one writer may be in both parts:
the split is by image, and the set does not name its writers.
Voices differ: the whole phrase is heard right, by held-out voice, {heard}.
"""
