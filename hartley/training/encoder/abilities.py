"""What an encoder can do on fresh held-out scenes, signs and unseen voices, with Clopper-Pearson intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from hartley.targets.protocols import Encoder
from hartley.targets.reference import language, scenes
from hartley.targets.reference.ability import Ability, share
from hartley.targets.reference.speech import draw_phrases, voice_table

CHUNK = 250

AT_LEAST: Mapping[str, float] = {
    "image to caption: digit": 0.95,
    "image to caption: color": 0.99,
    "image to caption: position": 0.97,
    "image to caption: whole concept": 0.93,
    "audio to caption: digit": 0.95,
    "audio to caption: color": 0.97,
    "audio to caption: whole phrase": 0.80,
    "image to audio: digit": 0.85,
    "audio to image: digit": 0.85,
    "sign read": 0.85,
}
"""The least that the shipped weights must reach."""

AT_MOST: Mapping[str, float] = {}


def _in_chunks(embed: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    return torch.cat([embed(part) for part in inputs.split(CHUNK)])


@torch.no_grad()
def abilities(encoder: Encoder, count: int, seed: int) -> dict[str, Ability]:
    """Measure `encoder` on `count` held-out scenes, as many signs and as many phrases by unseen voices.

    Beside the abilities in `AT_LEAST` there is "digit by prompt" (the ten digit-only captions) and how often a written
    digit word, put over a part of the scene where the digit does not stand, changes its answer: "misled by a written word"
    (the answer becomes the written digit) and "digit by prompt, beside a written word".
    """
    generator = torch.Generator().manual_seed(seed)
    concepts = language.draw_concepts(count, generator)
    pictures = scenes.draw_scenes(concepts, generator, part="held-out")
    images, texts = _in_chunks(encoder.embed_image, pictures), encoder.embed_text(language.gallery())
    prompts = encoder.embed_text(language.prompts())
    seen = language.concepts_at((images @ texts.T).argmax(1))
    found = {
        "image to caption: digit": share(seen.digit == concepts.digit),
        "image to caption: color": share(seen.color == concepts.color),
        "image to caption: position": share(seen.position == concepts.position),
        "image to caption: whole concept": share(seen.index == concepts.index),
        "digit by prompt": share((images @ prompts.T).argmax(1) == concepts.digit),
    }
    found |= _signs(encoder, count, generator)
    found |= _written_words(encoder, pictures, concepts, prompts, generator)
    if "audio" in encoder.modalities:
        found |= _speech(encoder, count, texts, generator)
    return found


def _signs(encoder: Encoder, count: int, generator: torch.Generator) -> dict[str, Ability]:
    """A sign alone, read among all sign words."""
    words = torch.randint(len(language.SIGN_WORDS), (count,), generator=generator)
    signs = _in_chunks(encoder.embed_image, scenes.draw_signs(words, generator))
    captions = encoder.embed_text([language.SIGN_PROMPT.format(word=word) for word in language.SIGN_WORDS])
    return {"sign read": share((signs @ captions.T).argmax(1) == words)}


def _written_words(
    encoder: Encoder, pictures: Tensor, concepts: language.Concepts, prompts: Tensor, generator: torch.Generator
) -> dict[str, Ability]:
    """A written digit word, never the right one, over each scene."""
    digits = len(language.DIGITS)
    words = (concepts.digit + torch.randint(1, digits, (len(concepts),), generator=generator)) % digits
    marked = scenes.put_signs(pictures, words, scenes.free_rows(concepts, generator), generator)
    answer = (_in_chunks(encoder.embed_image, marked) @ prompts.T).argmax(1)
    return {
        "misled by a written word": share(answer == words),
        "digit by prompt, beside a written word": share(answer == concepts.digit),
    }


def _speech(encoder: Encoder, count: int, texts: Tensor, generator: torch.Generator) -> dict[str, Ability]:
    """Phrases against the 240 captions, and against pictures: the nearest among 240, one a concept, right in its digit."""
    concepts = language.draw_concepts(count, generator)
    audio = _in_chunks(encoder.embed_audio, draw_phrases(concepts, generator, part="held-out")[0])
    images = _in_chunks(encoder.embed_image, scenes.draw_scenes(concepts, generator, part="held-out"))
    heard = language.concepts_at((audio @ texts.T).argmax(1))
    each = language.concepts_at(torch.arange(language.CONCEPTS))
    picture_gallery = _in_chunks(encoder.embed_image, scenes.draw_scenes(each, generator, part="held-out"))
    audio_gallery = _in_chunks(encoder.embed_audio, draw_phrases(each, generator, part="held-out")[0])
    return {
        "audio to caption: digit": share(heard.digit == concepts.digit),
        "audio to caption: color": share(heard.color == concepts.color),
        "audio to caption: whole phrase": share(heard.index == concepts.index),
        "image to audio: digit": share(each.digit[(images @ audio_gallery.T).argmax(1)] == concepts.digit),
        "audio to image: digit": share(each.digit[(audio @ picture_gallery.T).argmax(1)] == concepts.digit),
    }


@torch.no_grad()
def phrase_by_voice(encoder: Encoder, count: int, seed: int) -> dict[str, Ability]:
    """ "audio to caption: whole phrase" for each held-out voice by itself, `count` phrases each: by the voice's name."""
    parts, names, _, _ = voice_table()
    texts = encoder.embed_text(language.gallery())
    found = {}
    for number, row in enumerate(parts["held-out"]):
        generator = torch.Generator().manual_seed(seed)
        concepts = language.draw_concepts(count, generator)
        audio = _in_chunks(encoder.embed_audio, draw_phrases(concepts, generator, part="held-out", voice=number)[0])
        found[names[row]] = share((audio @ texts.T).argmax(1) == concepts.index)
    return found
