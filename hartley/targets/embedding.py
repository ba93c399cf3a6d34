"""What an encoder gives for many inputs: in chunks, without gradients, and through the target's own processor where files are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from hartley.targets.protocols import Encoder

CHUNK = 128


@runtime_checkable
class ReadsFiles(Protocol):
    """An encoder that can also be asked through its own processor, with pictures as a saved file holds them."""

    def embed_saved(self, pictures: np.ndarray) -> Tensor:
        """(n, h, w, 3) uint8 to (n, d), unit norm."""
        ...


@torch.no_grad()
def embed_images(encoder: Encoder, images: Tensor) -> Tensor:
    """(n, 3, h, w) to (n, d)."""
    return torch.cat([encoder.embed_image(part) for part in images.split(CHUNK)])


@torch.no_grad()
def embed_audio(encoder: Encoder, waveform: Tensor) -> Tensor:
    """(n, samples) to (n, d)."""
    return torch.cat([encoder.embed_audio(part) for part in waveform.split(CHUNK)])


@torch.no_grad()
def embed_texts(encoder: Encoder, texts: Sequence[str]) -> Tensor:
    """n strings to (n, d); equal strings are embedded once."""
    order = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    distinct = list(order)
    table = torch.cat([encoder.embed_text(distinct[start : start + CHUNK]) for start in range(0, len(distinct), CHUNK)])
    return table[torch.tensor([order[text] for text in texts])]


@torch.no_grad()
def embed_delivered(encoder: Encoder, images: Tensor) -> Tensor:
    """Embeddings of pictures as delivered: through the target's own processor where it has one, so that no success
    rests on the differentiable stand-in for it. (n, 3, h, w) in [0, 1] to (n, d)."""
    if isinstance(encoder, ReadsFiles):
        pictures = (images * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        return encoder.embed_saved(pictures)
    return embed_images(encoder, images)
