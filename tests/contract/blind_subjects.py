"""Subjects that ignore the adversary: what they do is the same, or drawn by themselves, whatever the adversary wants."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional

from hartley.targets.conversation import Call, Message
from hartley.targets.protocols import Pictures
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.forms import Ask
from hartley.targets.reference.answerer import words as seen

CHOICES = (*w.PLACES[:8], *w.ITEMS[:8], *w.SECRETS, *w.FOODS, "yes", "no")


@dataclass
class Known:
    """What can be asked for in the cell that runs, by whomever; not who asks for what. Filled when the errands are drawn."""

    asks: list[Ask] = field(default_factory=list)


class Blind:
    """A policy that does at once what it does, and says what it says. kind: one of POLICIES.

    idle: nothing. everything: all that anybody asks for, and every word there is. fixed: one of the goals. one word: deletes whatever
    can be, and says one word. chance: anything, drawn by itself.
    """

    fingerprint, capabilities = "0" * 64, frozenset({"text", "logprob"})

    def __init__(self, kind: str, known: Known, seed: int = 0) -> None:
        self.name, self.known, self.random = kind, known, Random(seed)

    def respond(self, conversations, tools):
        return [self.turn(any(message.role == "tool" for message in said), bool(tools)) for said in conversations]

    def turn(self, called: bool, tools: bool) -> Message:
        words = {"idle": "", "everything": " ".join(w.vocabulary()), "fixed": "paris amber tea yes", "one word": "paris"}
        text = words.get(self.name) if self.name in words else self.random.choice(CHOICES)
        asks = self.known.asks if tools and not called else []
        if self.name == "idle" or not asks:
            return Message("assistant", text or "")
        deleted = [ask for ask in asks if "delete" in str(ask.call)]
        chosen = {"everything": asks, "fixed": asks[3:4], "one word": deleted}.get(self.name) or [self.random.choice(asks)]
        return Message("assistant", "", calls=tuple(Call(ask.call.name, ask.call.arguments, str(n)) for n, ask in enumerate(chosen)))

    def log_likelihood(self, conversations, messages, tools):
        if self.name == "chance":
            return torch.tensor([self.random.random() for _ in messages])
        return torch.tensor([float(len(message.text)) for message in messages]) * (self.name != "idle")


POLICIES = ("idle", "everything", "fixed", "one word", "chance")


class Seeing(nn.Module):
    """The one parameter that an encoder that sees nothing has to be trained."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.answer = nn.Parameter(torch.randn(size, generator=torch.Generator().manual_seed(1)), requires_grad=False)


class BlindEncoder:
    """An encoder whose texts are the shipped one's. kind: one of ENCODERS.

    constant: every picture is the same. chance: every picture is anything. user alone: a picture is what the nearest picture was
    that anybody drew, before an adversary came to it.
    """

    fingerprint, capabilities = "0" * 64, frozenset({"grad", "score", "text", "train"})

    def __init__(self, kind: str, real, drawn: list[Tensor], seed: int = 0) -> None:
        self.name, self.real, self.drawn, self.seed = kind, real, drawn, seed
        self.modalities, self.image_size = real.modalities, real.image_size
        self.sample_rate, self.logit_scale = real.sample_rate, real.logit_scale
        self.module = Seeing(int(real.embed_text(["a"]).shape[1]))
        self.generator = torch.Generator().manual_seed(seed)

    def clone(self):
        copy = BlindEncoder(self.name, self.real, self.drawn, self.seed + 1)
        copy.module = deepcopy(self.module)
        return copy

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        return self.real.embed_text(texts)

    def embed_image(self, pixels: Tensor) -> Tensor:
        return self._embed(pixels, self.real.embed_image)

    def embed_audio(self, waveform: Tensor) -> Tensor:
        return self._embed(waveform, self.real.embed_audio)

    def _embed(self, given: Tensor, real) -> Tensor:
        # Nothing of what is shown gets through, and yet the gradient's path is not cut.
        nothing = 0.0 * given.flatten(1).sum(dim=1, keepdim=True) + 0.0 * self.module.answer.sum()
        if self.name == "user alone":
            known = torch.cat([one for one in self.drawn if one.shape[1:] == given.shape[1:]])
            nearest = torch.cdist(given.detach().flatten(1), known.flatten(1)).argmin(dim=1)
            places, back = nearest.unique(return_inverse=True)
            with torch.no_grad():
                seen = real(known[places])[back]
            return seen + nothing
        if self.name == "chance":
            return functional.normalize(torch.randn(len(given), len(self.module.answer), generator=self.generator), dim=1) + nothing
        return functional.normalize(self.module.answer.expand(len(given), -1), dim=1) + nothing


ENCODERS = ("constant", "chance", "user alone")


class Watched:
    """The same data; what is drawn from it is remembered."""

    def __init__(self, data, drawn: list[Tensor]) -> None:
        self.data, self.drawn = data, drawn
        self.name, self.fingerprint = data.name, data.fingerprint

    def __getattr__(self, name):
        return getattr(self.data, name)

    def draw(self, count, generator, *, part="held-out", speech=False):
        pairs = self.data.draw(count, generator, part=part, speech=speech)
        self.drawn += [pairs.images] if pairs.audio is None else [pairs.images, pairs.audio]
        return pairs


class BlindAnswerer:
    """An answerer that does not look: it says what a blind policy of that kind says, in its own words."""

    fingerprint, capabilities = "0" * 64, frozenset({"grad", "logprob", "text"})

    def __init__(self, kind: str, real, seed: int = 0) -> None:
        self.name, self.random = {"constant": "one word"}.get(kind, kind), Random(seed)
        if hasattr(real, "sample_rate"):
            self.sample_rate = real.sample_rate
        else:
            self.image_size = real.image_size

    def answer(self, conversations, pixels=None, *, longest=48):
        words = seen.vocabulary()
        said = {"idle": "", "everything": " ".join(words), "fixed": " ".join(words[5:9]), "one word": words[7]}
        return [said[self.name] if self.name in said else self.random.choice(words) for _ in conversations]

    def log_likelihood(self, conversations, answers, pixels=None):
        return torch.zeros(len(answers)) + (0.0 if pixels is None else 0.0 * pixels.flatten(1).sum(dim=1))


class BlindGenerator:
    """A generator that draws one picture, or any, whatever it is asked for; its words are the shipped one's."""

    fingerprint, capabilities = "0" * 64, frozenset({"grad"})

    def __init__(self, kind: str, real, world, seed: int = 0) -> None:
        self.name, self.real, self.world, self.generator = kind, real, world, torch.Generator().manual_seed(seed)
        self.image_size = real.image_size

    def __getattr__(self, name):
        return getattr(self.real, name)

    def generate(self, prompts, generator, *, steps=None, guidance=None):
        symbols = torch.randint(len(self.world.names), (len(prompts),), generator=self.generator)
        shown = self.world.pictures(symbols * (self.name != "constant"), self.generator)
        return Pictures(shown, torch.zeros(len(prompts), dtype=torch.bool))

    def redraw(self, prompts, pixels, generator, *, strength=0.6):
        return self.generate(prompts, generator)

    def redrawn(self, prompts, pixels, generator, *, strength=0.6):
        return self.generate(prompts, generator).pixels + 0.0 * pixels
