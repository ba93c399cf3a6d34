"""An encoder behind a defense: it has the same protocol, so defenses compose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn import functional

from hartley.targets.protocols import Encoder

Step = Callable[[Tensor], Tensor]


def unchanged(values: Tensor) -> Tensor:
    """The step of a defense that leaves this place alone."""
    return values


def straight_through(step: Step) -> Step:
    """The same step forward, the identity backward (BPDA; Athalye et al., ICML 2018), so that a defense cannot look
    strong merely because it hides its gradient."""

    def through(values: Tensor) -> Tensor:
        return values + (step(values.detach()) - values).detach()

    return through


class Wrapped:
    """`inner` with a step before the picture tower, before the audio tower, and after every tower."""

    def __init__(self, inner: Encoder, name: str, *, image: Step = unchanged, audio: Step = unchanged, embedding: Step = unchanged) -> None:
        self._inner, self._name = inner, name
        self._image, self._audio, self._embedding = image, audio, embedding

    @property
    def name(self) -> str:
        """The inner target's name and the defense's."""
        return f"{self._inner.name} + {self._name}"

    @property
    def fingerprint(self) -> str:
        """The inner fingerprint and the defense's own name and settings."""
        return f"{self._inner.fingerprint}+{self._name}"

    @property
    def capabilities(self) -> frozenset[str]:
        """What the inner target offers, except training: a defended service is not handed out for that."""
        return self._inner.capabilities - {"train"}

    @property
    def modalities(self) -> frozenset[str]:
        return self._inner.modalities

    @property
    def image_size(self) -> tuple[int, int] | None:
        return self._inner.image_size

    @property
    def sample_rate(self) -> int:
        return self._inner.sample_rate

    @property
    def logit_scale(self) -> float:
        return self._inner.logit_scale

    def embed_image(self, pixels: Tensor) -> Tensor:
        return self._after(self._inner.embed_image(self._image(pixels)))

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        return self._after(self._inner.embed_text(texts))

    def embed_audio(self, waveform: Tensor) -> Tensor:
        return self._after(self._inner.embed_audio(self._audio(waveform)))

    def _after(self, embedding: Tensor) -> Tensor:
        return functional.normalize(self._embedding(embedding), dim=1)
