"""Spoken phrases of the reference family, joined from shipped recordings of single words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.errors import unknown
from hartley.targets.reference.language import PHRASES, Concepts
from hartley.targets.reference.scenes import PARTS

FOLDER = Path(__file__).parent / "speech"
SAMPLE_RATE = 16_000
SAMPLES = 3 * SAMPLE_RATE
MARGIN = 800
LONGEST = 16
"""An upper bound on the words of a phrase: gaps are drawn for that many, so that wording never shifts later draws."""


@dataclass(frozen=True)
class Recordings:
    """All words in all voices: samples (total,), and per voice and word its start and length (voices, words)."""

    samples: Tensor
    start: Tensor
    length: Tensor
    silence: Tensor
    words: tuple[str, ...]
    voices: dict[str, Tensor]
    """The rows of `start` that belong to each part."""


@lru_cache(maxsize=1)
def recordings() -> Recordings:
    """Decode the shipped Opus file, once a process (about a second)."""
    import soundfile

    index = json.loads((FOLDER / "speech.json").read_text(encoding="utf-8"))
    samples, rate = soundfile.read(FOLDER / "speech.opus", dtype="float32")
    if rate != SAMPLE_RATE or len(samples) < index["samples"]:
        raise RuntimeError(f"speech.opus holds {len(samples)} samples at {rate} Hz, its index says {index['samples']} at {SAMPLE_RATE}")
    words = tuple(index["words"])
    clips = torch.tensor(index["clips"]).view(-1, len(words), 2)
    held_out = torch.zeros(len(clips), dtype=torch.bool)
    held_out[index["held_out_voices"]] = True
    voices = {"held-out": held_out.nonzero().flatten(), "train": (~held_out).nonzero().flatten()}
    return Recordings(torch.from_numpy(samples), clips[..., 0], clips[..., 1], torch.zeros(SAMPLES), words, voices)


def draw_phrases(concepts: Concepts, generator: torch.Generator, *, part: str) -> tuple[Tensor, list[str]]:
    """What a voice of `part` says of each concept: waveforms (n, 48,000) in [-1, 1] at 16 kHz, and the texts said.

    One voice a phrase; gaps, speed (0.9 to 1.12), gain, start and background noise are drawn. A phrase that would not
    fit into three seconds is said faster.
    """
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    bank = recordings()
    choice = torch.randint(len(PHRASES), (len(concepts),), generator=generator).tolist()
    texts = [PHRASES[i].format(**words) for i, words in zip(choice, concepts.words(), strict=True)]
    number = {word: i for i, word in enumerate(bank.words)}
    said = [[number[word] for word in text.split()] for text in texts]
    voice = bank.voices[part][torch.randint(len(bank.voices[part]), (len(texts),), generator=generator)]
    return _join(bank, said, voice, generator), texts


def _join(bank: Recordings, said: list[list[int]], voice: Tensor, generator: torch.Generator) -> Tensor:
    """Word numbers, a list a phrase, said by voice (n,): (n, 48,000)."""
    count, room = len(said), SAMPLES - MARGIN
    gaps = (torch.rand(count, LONGEST, generator=generator) * 1_400).long().tolist()
    speeds = (torch.rand(count, generator=generator) * 0.22 + 0.9).tolist()
    leads = torch.rand(count, generator=generator).tolist()
    starts, lengths = bank.start[voice].tolist(), bank.length[voice].tolist()
    waves = torch.zeros(count, SAMPLES)
    # Joining slices phrase by phrase is ten times faster here than one gather over all samples.
    for row, words in enumerate(said):
        pieces = []
        for place, word in enumerate(words):
            start = starts[row][word]
            pieces += [bank.samples[start : start + lengths[row][word]], bank.silence[: gaps[row][place]]]
        joined = torch.cat(pieces)
        length = min(room, int(len(joined) / speeds[row]))
        lead = int(leads[row] * (room - length))
        waves[row, lead : lead + length] = F.interpolate(joined.view(1, 1, -1), size=length, mode="linear", align_corners=False).flatten()
    waves *= torch.rand(count, 1, generator=generator) * 1.2 + 0.5
    noise = torch.randn(count, SAMPLES + 1, generator=generator) * (torch.rand(count, 1, generator=generator) * 0.005 + 0.0005)
    # A first-order filter: hum for some phrases, hiss for others.
    waves += noise[:, 1:]
    waves += noise[:, :-1] * (torch.rand(count, 1, generator=generator) * 1.8 - 0.9)
    return waves.clamp_(-1.0, 1.0)
