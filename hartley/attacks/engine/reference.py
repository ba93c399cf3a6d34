"""References: what an objective pulls toward or pushes away from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from hartley.data.pairs import Pairs
from hartley.targets.protocols import Encoder

CHUNK = 128


@torch.no_grad()
def embed_images(encoder: Encoder, images: Tensor) -> Tensor:
    """(n, 3, h, w) to (n, d), in chunks, without gradients."""
    return torch.cat([encoder.embed_image(part) for part in images.split(CHUNK)])


@torch.no_grad()
def embed_audio(encoder: Encoder, waveform: Tensor) -> Tensor:
    """(n, samples) to (n, d), in chunks, without gradients."""
    return torch.cat([encoder.embed_audio(part) for part in waveform.split(CHUNK)])


@torch.no_grad()
def embed_texts(encoder: Encoder, texts: Sequence[str]) -> Tensor:
    """n strings to (n, d); equal strings are embedded once."""
    order = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    distinct = list(order)
    table = torch.cat([encoder.embed_text(distinct[start : start + CHUNK]) for start in range(0, len(distinct), CHUNK)])
    return table[torch.tensor([order[text] for text in texts])]


def rendering(encoder: Encoder, pool: Pairs, targets: Tensor, modality: str, generator: torch.Generator) -> Tensor:
    """A target's likeness in the carrier's own modality: for each row's target symbol a picture (or a spoken phrase)
    of it is taken from the pool and embedded. targets (n,) to (n, d).

    Raises ValueError when the pool has no example of a target symbol.
    """
    chosen = torch.empty_like(targets)
    for symbol in targets.unique().tolist():
        rows = torch.nonzero(pool.labels == symbol).squeeze(1)
        if len(rows) == 0:
            raise ValueError(f"no example of {pool.label_names[symbol]!r} to render the target from")
        wanted = targets == symbol
        chosen[wanted] = rows[torch.randint(len(rows), (int(wanted.sum()),), generator=generator)]
    if modality == "image":
        return embed_images(encoder, pool.images[chosen])
    if pool.audio is None:
        raise ValueError("the data has no speech to render the target from")
    return embed_audio(encoder, pool.audio[chosen])
