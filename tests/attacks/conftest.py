"""A small differentiable encoder and small data for tests of the engine's parts: fast, and with answers known by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from hartley.data.pairs import Pairs


class LinearEncoder:
    """Pictures and waveforms through one fixed random matrix each; a text is the unit vector of its digit word."""

    name, fingerprint, logit_scale, sample_rate, image_size = "linear", "linear-1", 20.0, 16_000, (8, 8)
    capabilities = frozenset({"grad", "score"})
    modalities = frozenset({"image", "text", "audio"})

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(3)
        self.image = torch.randn(3 * 64, 12, generator=generator)
        self.audio = torch.randn(200, 12, generator=generator)

    def embed_image(self, pixels: Tensor) -> Tensor:
        return functional.normalize(pixels.flatten(1) @ self.image, dim=1)

    def embed_audio(self, waveform: Tensor) -> Tensor:
        return functional.normalize(waveform @ self.audio, dim=1)

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        table = torch.zeros(len(texts), 12)
        for row, text in enumerate(texts):
            for word in text.split():
                seed = sum(ord(letter) * 7**place for place, letter in enumerate(word)) % 100_003
                table[row] += torch.randn(12, generator=torch.Generator().manual_seed(seed))
        return functional.normalize(table + 1e-6, dim=1)


NAMES = ("zero", "one", "two", "three")


def make_pairs(count: int = 40, seed: int = 0) -> Pairs:
    """Pictures whose class is a bright quarter, with captions that name it."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    images = torch.rand(count, 3, 8, 8, generator=generator) * 0.3
    for row, label in enumerate(labels.tolist()):
        images[row, :, 4 * (label // 2) : 4 * (label // 2) + 4, 4 * (label % 2) : 4 * (label % 2) + 4] += 0.5
    images = (images * 255).round() / 255
    captions = tuple(f"a small {NAMES[label]} here" for label in labels.tolist())
    return Pairs(
        images=images,
        captions=captions,
        caption_sets=tuple((caption, caption.replace("small", "tiny")) for caption in captions),
        labels=labels,
        label_names=NAMES,
        label_prior=torch.full((4,), 0.25, dtype=torch.float64),
        prompts=tuple(f"a {name}" for name in NAMES),
        gallery=tuple(f"a small {name} here" for name in NAMES),
        gallery_labels=torch.arange(4),
        concepts=labels,
        audio=torch.randn(count, 200, generator=generator) * 0.1,
    )


class SmallData:
    """Draws of `make_pairs`, as a source of data."""

    name, fingerprint = "small", "small-1"

    def draw(self, count: int, generator: torch.Generator, *, part: str = "held-out", speech: bool = False) -> Pairs:
        return make_pairs(count, generator.initial_seed() % 1000 + (part == "train"))


@pytest.fixture
def encoder() -> LinearEncoder:
    return LinearEncoder()


@pytest.fixture
def pairs() -> Pairs:
    return make_pairs()


@pytest.fixture
def data() -> SmallData:
    return SmallData()
