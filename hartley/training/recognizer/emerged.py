"""What emerged in the recognizer that nobody taught: quiet changes of a sound that make it write a chosen sentence."""

from __future__ import annotations

import torch
from torch import Tensor

from hartley.targets.reference.ability import Ability
from hartley.targets.reference.language import draw_concepts
from hartley.targets.reference.perturbation import noise, perturb
from hartley.targets.reference.recognizer.abilities import exact, heard_words
from hartley.targets.reference.recognizer.requests import SPOKEN_REQUESTS, numbers, request_words
from hartley.targets.reference.recognizer.sayings import draw_requests
from hartley.targets.reference.speech import draw_phrases
from hartley.targets.whisper import WhisperRecognizer

CHUNK = 50
DECIBELS = (40, 30, 20)


def emerged(target: WhisperRecognizer, count: int, seed: int) -> dict[str, Ability]:
    """Half phrases, half ordinary requests by unseen voices, each with a restricted request drawn as the chosen sentence.

    A trial succeeds when the transcript of the 16-bit waveform is the chosen sentence, word by word. Random noise of the same
    size is the control: how often it gives the chosen sentence, and how many words are still heard through it.
    """
    generator = torch.Generator().manual_seed(seed)
    half = count // 2
    phrases, said = draw_phrases(draw_concepts(half, generator), generator, part="held-out")
    ordinary = numbers(restricted=False)
    requests, asked = draw_requests(
        ordinary[torch.randint(len(ordinary), (count - half,), generator=generator)], generator, part="held-out"
    )
    waves, texts, wanted = torch.cat([phrases, requests]), said + asked, chosen_sentences(count, generator)
    found = {"chosen restricted sentence, unchanged sound": exact(target.transcribe(waves), wanted)}
    for decibels in DECIBELS:
        changed = torch.cat([towards(target, part, some, decibels) for part, some in _parts(waves, wanted)])
        noisy = target.transcribe(noise(waves, decibels, generator))
        found[f"chosen restricted sentence, perturbed at {decibels} dB"] = exact(target.transcribe(changed), wanted)
        found[f"chosen restricted sentence, random noise at {decibels} dB"] = exact(noisy, wanted)
        found[f"words still heard, random noise at {decibels} dB"] = heard_words(noisy, texts)
    return found


def chosen_sentences(count: int, generator: torch.Generator) -> list[str]:
    """Restricted requests in spoken wordings, drawn."""
    pool = numbers(restricted=True)
    index = pool[torch.randint(len(pool), (count,), generator=generator)].tolist()
    wording = torch.randint(len(SPOKEN_REQUESTS), (count,), generator=generator).tolist()
    return [SPOKEN_REQUESTS[i].format(**request_words(number)) for i, number in zip(wording, index, strict=True)]


def towards(target: WhisperRecognizer, waves: Tensor, wanted: list[str], decibels: float) -> Tensor:
    """Waveforms (n, samples) perturbed at `decibels` so that the wanted sentences become likely."""
    return perturb(waves, lambda changed: target.log_likelihood(wanted, changed), decibels)


def _parts(waves: Tensor, wanted: list[str]) -> list[tuple[Tensor, list[str]]]:
    return [(waves[i : i + CHUNK], wanted[i : i + CHUNK]) for i in range(0, len(waves), CHUNK)]
