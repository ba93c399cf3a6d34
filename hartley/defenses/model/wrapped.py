"""A model behind a defense: it has the same protocol, so defenses compose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from hartley.targets.conversation import Conversation
from hartley.targets.protocols import Answerer, Encoder, Listener

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


def wrapped(inner: Any, name: str, *, image: Step = unchanged, audio: Step = unchanged, embedding: Step = unchanged) -> Any:
    """`inner`, of whichever family, with a step before what sees, before what hears, and after every embedding that is given out."""
    if isinstance(inner, Encoder):
        return Wrapped(inner, name, image=image, audio=audio, embedding=embedding)
    return WrappedWords(inner, name, image=image, audio=audio)


class _Named:
    """How a defended model is called and cached, whichever its family."""

    _inner: Any
    _name: str

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
        found: frozenset[str] = self._inner.capabilities - {"train"}
        return found


class WrappedWords(_Named):
    """A model that answers in words, or writes down what it hears, with a step before its pictures or its sounds."""

    def __init__(self, inner: Any, name: str, *, image: Step = unchanged, audio: Step = unchanged) -> None:
        self._inner, self._name = inner, name
        self._step = image if isinstance(inner, Answerer) and not isinstance(inner, Listener) else audio

    @property
    def image_size(self) -> Any:
        return self._inner.image_size

    @property
    def sample_rate(self) -> int:
        rate: int = self._inner.sample_rate
        return rate

    def answer(self, conversations: Sequence[Conversation], values: Tensor | None = None, *, longest: int = 48) -> list[str]:
        """n answers about pictures (n, k, 3, height, width), or waveforms (n, samples)."""
        said: list[str] = self._inner.answer(conversations, self._stepped(values), longest=longest)
        return said

    def transcribe(self, waveform: Tensor) -> list[str]:
        """What is said, n texts."""
        heard: list[str] = self._inner.transcribe(self._stepped(waveform))
        return heard

    def log_likelihood(self, given: Sequence[Any], *rest: Any) -> Tensor:
        """As the inner target's; what is seen or heard comes last in both forms of the call."""
        *before, values = rest
        found: Tensor = self._inner.log_likelihood(given, *before, self._stepped(values))
        return found

    def _stepped(self, values: Tensor | None) -> Tensor | None:
        if values is None:
            return None
        return self._step(values.flatten(0, 1)).view_as(values) if values.dim() == 5 else self._step(values)


class Wrapped(_Named):
    """`inner` with a step before the picture tower, before the audio tower, and after every tower."""

    def __init__(self, inner: Encoder, name: str, *, image: Step = unchanged, audio: Step = unchanged, embedding: Step = unchanged) -> None:
        self._inner, self._name = inner, name
        self._image, self._audio, self._embedding = image, audio, embedding

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
