"""What a target must offer, by family, and the capabilities it may declare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor, nn

from hartley.targets.conversation import Conversation, Json, Message

CAPABILITIES = ("grad", "hidden", "logprob", "score", "text", "train")
"""grad: gradients reach the input. hidden: inner states and gradients by token
(`hartley.targets.inside`). logprob: token probabilities. score: a similarity or a
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


@runtime_checkable
class TextEmbedder(Protocol):
    """A model that maps texts into a space where near means alike (the memory's index)."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm."""
        ...


@runtime_checkable
class Answerer(Protocol):
    """A model that answers in words about pictures and text (LLaVA, BLIP, Flamingo, MiniGPT-4).

    Conversation i shows the pictures of its messages in order: pixels (n, k, 3, height, width) in [0, 1], the same k for
    all n; None where no message shows one.
    """

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) of a picture; None: any."""
        ...

    def answer(self, conversations: Sequence[Conversation], pixels: Tensor | None = None, *, longest: int = 48) -> list[str]:
        """n answers of at most `longest` tokens, the likeliest token at each place."""
        ...

    def log_likelihood(self, conversations: Sequence[Conversation], answers: Sequence[str], pixels: Tensor | None = None) -> Tensor:
        """(n,) natural logarithm of the probability of each answer and its end; gradients reach `pixels` with "grad"."""
        ...

    def image_features(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) to (n, tokens, d): what enters the language model, differentiably with "grad"."""
        ...


@runtime_checkable
class Recognizer(Protocol):
    """Speech to text (Whisper). Waveforms (n, samples) in [-1, 1] at `sample_rate`."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def sample_rate(self) -> int: ...

    def transcribe(self, waveform: Tensor) -> list[str]:
        """What is said, n texts."""
        ...

    def log_likelihood(self, texts: Sequence[str], waveform: Tensor) -> Tensor:
        """(n,) natural logarithm of the probability of each text and its end; gradients reach `waveform` with "grad"."""
        ...


@runtime_checkable
class Listener(Protocol):
    """A model that answers in words about what it hears (PandaGPT, Qwen2-Audio). One waveform a conversation."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def sample_rate(self) -> int: ...

    def answer(self, conversations: Sequence[Conversation], waveform: Tensor | None = None, *, longest: int = 48) -> list[str]:
        """n answers of at most `longest` tokens to conversations about waveforms (n, samples); None: text alone."""
        ...

    def log_likelihood(self, conversations: Sequence[Conversation], answers: Sequence[str], waveform: Tensor | None = None) -> Tensor:
        """(n,) natural logarithm of the probability of each answer and its end; gradients reach `waveform` with "grad"."""
        ...

    def audio_features(self, waveform: Tensor) -> Tensor:
        """(n, samples) to (n, tokens, d): what enters the language model, differentiably with "grad"."""
        ...


@dataclass(frozen=True)
class Pictures:
    """n generated pictures: pixels (n, 3, height, width) in [0, 1], as the model drew them, and what its safety checker
    says of each, flagged (n,) bool; None where there is no checker."""

    pixels: Tensor
    flagged: Tensor | None


@runtime_checkable
class Generator(Protocol):
    """A model that draws pictures from text (Stable Diffusion). Every random draw comes from the generator passed in."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def image_size(self) -> tuple[int, int]: ...

    def generate(
        self, prompts: Sequence[str], generator: torch.Generator, *, steps: int | None = None, guidance: float | None = None
    ) -> Pictures:
        """One picture a prompt. steps, guidance: None takes the model's own."""
        ...

    def redraw(self, prompts: Sequence[str], pixels: Tensor, generator: torch.Generator, *, strength: float = 0.6) -> Pictures:
        """Image to image: pixels (n, 3, height, width) changed towards the prompts, strength in (0, 1]."""
        ...

    def fill(self, prompts: Sequence[str], pixels: Tensor, mask: Tensor, generator: torch.Generator) -> Pictures:
        """In-painting: pixels are drawn anew where mask (n, 1, height, width) is 1, and kept where it is 0."""
        ...

    def embed_prompt(self, prompts: Sequence[str]) -> Tensor:
        """(n, tokens, d): what conditions the drawing."""
        ...

    def encode(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) to latents, differentiably with "grad"."""
        ...

    def denoising_loss(self, prompts: Sequence[str], pixels: Tensor, generator: torch.Generator) -> Tensor:
        """(n,) mean squared error of the predicted noise at one drawn time each, differentiable in `pixels` with "grad"."""
        ...

    def flagged(self, pixels: Tensor) -> Tensor | None:
        """(n,) bool: what the safety checker withholds; None where there is none."""
        ...

    def redrawn(self, prompts: Sequence[str], pixels: Tensor, generator: torch.Generator, *, strength: float = 0.6) -> Tensor:
        """`redraw`'s pixels alone, differentiably in `pixels` with "grad"."""
        ...

    def withheld_scores(self, pixels: Tensor) -> Tensor | None:
        """(n, concepts) by how much each is above the safety checker's threshold, differentiably with "grad"; None without one."""
        ...

    def whole_words(self) -> Mapping[int, str]:
        """By token, the words that a prompt can be written with token by token."""
        ...

    def embed_tokens(self, ids: Tensor) -> Tensor:
        """(n, length) tokens to (n, d), unit norm: the state by which prompts are compared."""
        ...

    def token_gradient(self, ids: Tensor, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """(length, tokens): how the loss of one prompt's (1, d) state would change with each token at each place, with "grad"."""
        ...


@runtime_checkable
class Policy(Protocol):
    """What decides an agent's next step: reads the conversation so far, answers or calls tools."""

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message]:
        """The assistant's next message of each conversation. tools: JSON Schemas in the function format of OpenAI's API."""
        ...


@runtime_checkable
class Scoring(Policy, Protocol):
    """A policy that tells how likely it finds a message (capability "logprob")."""

    def log_likelihood(
        self, conversations: Sequence[Conversation], messages: Sequence[Message], tools: Sequence[Mapping[str, Json]]
    ) -> Tensor:
        """(n,) natural logarithm of the probability of each assistant message and its end."""
        ...


Target: TypeAlias = Encoder | Answerer | Generator | Recognizer | Listener | Policy | TextEmbedder
"""Whatever `hartley.targets.load` gives."""
