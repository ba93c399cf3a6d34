"""BLIP as an answerer (captions, or answers to questions) and as an encoder (retrieval)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from hartley.errors import InputError
from hartley.targets.conversation import Conversation
from hartley.targets.decoding import Words, alike, encode, gathered, greedy, parts, plain, read_out
from hartley.targets.preprocess import Preprocess

LOGIT_SCALE = 1 / 0.07
"""BLIP's initial temperature; transformers' class does not keep the trained one."""


class BlipAnswerer:
    """A BLIP that answers one message beside one picture; satisfies `Answerer`.

    A model with a question encoder (BlipForQuestionAnswering) answers the message; one without
    (BlipForConditionalGeneration) takes the message as the beginning of a caption and goes on from there.

    model       transformers' model, in evaluation mode, parameters frozen.
    tokenizer   its tokenizer, of BERT's kind: a token before and one after every text.
    preprocess  pixels in [0, 1] to what the vision tower takes, differentiably.
    """

    one_message = True
    """It takes no second turn and no second picture."""

    def __init__(self, *, name: str, fingerprint: str, model: Any, tokenizer: Any, preprocess: Preprocess) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.preprocess = preprocess
        self.module = model.eval().requires_grad_(False)
        self._text = model.config.text_config
        self._asks = hasattr(model, "text_encoder")

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"grad", "hidden", "logprob", "text"})

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) at which the model's own processor does not resize."""
        return self.preprocess.native_size

    def answer(self, conversations: Sequence[Conversation], pixels: Tensor | None = None, *, longest: int = 48) -> list[str]:
        """n answers. Raises ValueError for a conversation that is not one message beside one picture."""
        said: list[str] = []
        for part in parts(len(conversations)):
            said += self._answer(conversations[part], None if pixels is None else pixels[part], longest)
        return said

    def _answer(self, conversations: Sequence[Conversation], pixels: Tensor | None, longest: int) -> list[str]:
        with torch.no_grad():
            states, prompts = self._read(conversations, pixels)
        said = [""] * len(prompts)
        end, room = self._text.sep_token_id, self._text.max_position_embeddings
        for group in alike([len(prompt) + 10_000 * len(state) for prompt, state in zip(prompts, states, strict=True)]):
            tokens = torch.tensor([prompts[place] for place in group], device=self.module.device)
            seen = torch.stack([states[place] for place in group])
            with torch.no_grad():
                out = self.module.text_decoder.generate(
                    input_ids=tokens.to(seen.device),
                    encoder_hidden_states=seen,
                    encoder_attention_mask=torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device),
                    generation_config=greedy(min(longest, room - tokens.shape[1]), [end], self._text.pad_token_id),
                )
            for place, text in zip(group, read_out(self.tokenizer, out[:, tokens.shape[1] :], [end]), strict=True):
                said[place] = text
        return said

    def log_likelihood(self, conversations: Sequence[Conversation], answers: Sequence[str], pixels: Tensor | None = None) -> Tensor:
        """(n,) natural logarithm of the probability of each answer and its end.

        Raises ValueError for other conversations than `answer` takes, InputError for a text that is too long.
        """
        if not conversations:
            return torch.zeros(0)
        states, prompts = self._read(conversations, pixels)
        wanted = [[*plain(self.tokenizer, text), self._text.sep_token_id] for text in answers]
        self._check([len(prompt) + len(answer) for prompt, answer in zip(prompts, wanted, strict=True)])
        found = torch.zeros(len(prompts), device=states[0].device)
        for group in alike([len(state) for state in states]):  # transformers 5 ignores a decoder's mask of what it looks at
            rows = [torch.tensor([*prompts[place], *wanted[place]], device=found.device) for place in group]
            tokens = pad_sequence(rows, batch_first=True, padding_value=self._text.pad_token_id).to(found.device)
            logits = self.module.text_decoder(
                input_ids=tokens, encoder_hidden_states=torch.stack([states[place] for place in group])
            ).logits
            some = gathered(logits, [len(prompts[place]) for place in group], [wanted[place] for place in group])
            found = found.index_put((torch.tensor(group, device=found.device),), some.float())
        return found

    def image_features(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) to (n, tokens, d): what the text towers look at."""
        features: Tensor = self.module.vision_model(pixel_values=self.preprocess(pixels)).last_hidden_state
        return features

    def _check(self, lengths: Sequence[int]) -> None:
        if (most := max(lengths)) > self._text.max_position_embeddings:
            raise InputError(f"{self.name}: a text has {most} tokens; {self._text.max_position_embeddings} are accepted, answer and all")

    def _read(self, conversations: Sequence[Conversation], pixels: Tensor | None) -> tuple[list[Tensor], list[list[int]]]:
        """What the decoder looks at, (tokens, d) each, and the tokens that it goes on from."""
        if pixels is None or pixels.shape[1] != 1 or any(len(turns) != 1 or turns[0].pictures != 1 for turns in conversations):
            raise ValueError(f"{self.name}: BLIP answers one message beside one picture")
        texts = [encode(self.tokenizer, [Words(turns[0].text)]) for turns in conversations]
        if len(pixels) != len(conversations):
            raise ValueError(f"{self.name}: {len(conversations)} conversations, and pictures for {len(pixels)}")
        self._check([len(text) + 2 for text in texts])
        features = self.image_features(pixels[:, 0])
        start = self._text.bos_token_id
        if not self._asks:
            return list(features), [[start, *text] for text in texts]
        first, last = _frame(self.tokenizer)
        rows = [torch.tensor([*first, *text, *last], device=features.device) for text in texts]
        tokens = pad_sequence(rows, batch_first=True, padding_value=self._text.pad_token_id)
        mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        read = self.module.text_encoder(input_ids=tokens, attention_mask=mask, encoder_hidden_states=features).last_hidden_state
        return [state[: len(row)] for state, row in zip(read, rows, strict=True)], [[start] for _ in rows]


class BlipEncoder:
    """BlipForImageTextRetrieval: one space for pictures and texts, and a second opinion on pairs; satisfies `Encoder`.

    The arguments are those of BlipAnswerer.
    """

    def __init__(self, *, name: str, fingerprint: str, model: Any, tokenizer: Any, preprocess: Preprocess) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.preprocess = preprocess
        self.module = model.eval().requires_grad_(False)

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"grad", "score"})

    @property
    def modalities(self) -> frozenset[str]:
        return frozenset({"image", "text"})

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) at which the model's own processor does not resize."""
        return self.preprocess.native_size

    @property
    def sample_rate(self) -> int:
        """16,000: without an audio tower nothing depends on it."""
        return 16_000

    @property
    def logit_scale(self) -> float:
        """BLIP's initial temperature, 1 / 0.07: transformers does not keep the trained one."""
        return LOGIT_SCALE

    def embed_image(self, pixels: Tensor) -> Tensor:
        """(n, 3, height, width) in [0, 1] to (n, d), unit norm."""
        return F.normalize(self.module.vision_proj(self._seen(pixels)[:, 0]), dim=-1)

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm. Longer texts are cut at the tower's last position."""
        if not texts:
            return torch.zeros(0, self.module.text_proj.out_features)
        tokens, mask = self._tokens(texts)
        states = self.module.text_encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        return F.normalize(self.module.text_proj(states[:, 0]), dim=-1)

    def embed_audio(self, waveform: Tensor) -> Tensor:
        """Raises ValueError: BLIP does not hear."""
        raise ValueError(f"{self.name} has no audio tower")

    def match(self, texts: Sequence[str], pixels: Tensor) -> Tensor:
        """(n,) probability that text i describes picture i, by the matching head, differentiable in `pixels`."""
        tokens, mask = self._tokens(texts)
        states = self.module.text_encoder(input_ids=tokens, attention_mask=mask, encoder_hidden_states=self._seen(pixels)).last_hidden_state
        chances: Tensor = self.module.itm_head(states[:, 0]).softmax(dim=-1)[:, 1]
        return chances

    def _seen(self, pixels: Tensor) -> Tensor:
        states: Tensor = self.module.vision_model(pixel_values=self.preprocess(pixels)).last_hidden_state
        return states

    def _tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        first, last = _frame(self.tokenizer)
        room = self.module.config.text_config.max_position_embeddings - len(first) - len(last)
        rows = [torch.tensor([*first, *plain(self.tokenizer, text)[:room], *last], device=self.module.device) for text in texts]
        pad = self.module.config.text_config.pad_token_id
        return pad_sequence(rows, batch_first=True, padding_value=pad), pad_sequence(
            [torch.ones_like(row) for row in rows], batch_first=True
        )


def _frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens that the tokenizer puts before and after every text: one each, as BERT's does."""
    alone = tokenizer("")["input_ids"]
    return alone[:1], alone[1:]
