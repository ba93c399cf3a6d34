"""What a target must offer, by family, and the capabilities it may declare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

CAPABILITIES = ("grad", "hidden", "logprob", "score", "text", "train")
"""grad: gradients reach the input. hidden: inner states. logprob: token probabilities. score: a similarity or a
confidence. text: the answer alone. train: the weights can be fine-tuned on pairs."""


@runtime_checkable
class Encoder(Protocol):
    """A model that maps pictures, text and perhaps speech into one space (CLIP, AudioCLIP).

    Inputs are always raw: pixels in [0, 1] at `image_size`, waveforms in [-1, 1] at `sample_rate`; the target does its
    own preprocessing, differentiably when it declares `grad`. Embeddings come back with unit norm.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and of all settings that decide an answer."""
        ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def modalities(self) -> frozenset[str]:
        """Some of "image", "text", "audio"."""
        ...

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) that embed_image needs; None: any."""
        ...

    @property
    def sample_rate(self) -> int: ...

    @property
    def logit_scale(self) -> float:
        """The head's own temperature: a posterior is softmax(logit_scale * cosine)."""
        ...

    def embed_image(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) in [0, 1] to (n, d), unit norm."""
        ...

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm."""
        ...

    def embed_audio(self, waveform: Tensor) -> Tensor:
        """(n, samples) in [-1, 1] to (n, d), unit norm. Raises ValueError without the modality "audio"."""
        ...


@runtime_checkable
class Trainable(Encoder, Protocol):
    """An encoder whose weights can be fine-tuned (capability "train")."""

    @property
    def module(self) -> nn.Module:
        """The live parameters. Callers work on `clone()`, never on this."""
        ...

    def clone(self) -> Trainable:
        """An independent copy: its parameters can be trained without touching this target's."""
        ...
