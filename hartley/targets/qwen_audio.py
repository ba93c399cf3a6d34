"""Qwen2-Audio as a Listener: a Whisper encoder, a linear map, and a language model that answers about what it hears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from hartley.targets.audio_tower import LogMel
from hartley.targets.conversation import Conversation
from hartley.targets.decoding import Piece, Words, answer_embedded, encode, filled, greedy, likelihood_embedded, opening, parts, plain

AUDIO, BEGIN, STOP = "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"
START, END = "<|im_start|>", "<|im_end|>"
ROLES = {"system": "system", "user": "user", "assistant": "assistant", "tool": "user"}
SYSTEM = "You are a helpful assistant."


class QwenAudioListener:
    """A Qwen2AudioForConditionalGeneration in its own chat format; satisfies `Listener`.

    The waveform stands before the text of the first message of the user.

    model      transformers' model, in evaluation mode, parameters frozen.
    tokenizer  its tokenizer, with `<|AUDIO|>` and the tokens of the chat format.
    front      the log-mel spectrogram, the twin of its WhisperFeatureExtractor.
    """

    def __init__(self, *, name: str, fingerprint: str, model: Any, tokenizer: Any, front: LogMel) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.front = front
        self.module = model.eval().requires_grad_(False)
        known = tokenizer.get_vocab()
        self._audio, self._end = known[AUDIO], known[END]
        self._ends = sorted({self._end, tokenizer.eos_token_id} - {None})

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"grad", "hidden", "logprob", "text"})

    @property
    def sample_rate(self) -> int:
        return self.front.sample_rate

    def answer(self, conversations: Sequence[Conversation], waveform: Tensor | None = None, *, longest: int = 48) -> list[str]:
        """n answers of at most `longest` tokens."""
        settings, said = greedy(longest, self._ends, self._end, never=(self._audio,)), []
        for part in parts(len(conversations)):
            with torch.no_grad():
                prompts = self._prompts(conversations[part], None if waveform is None else waveform[part])
            said += answer_embedded(self.module, self.tokenizer, prompts, settings)
        return said

    def log_likelihood(self, conversations: Sequence[Conversation], answers: Sequence[str], waveform: Tensor | None = None) -> Tensor:
        """(n,) natural logarithm of the probability of each answer and the end of its turn."""
        if not conversations:
            return torch.zeros(0)
        wanted = [[*plain(self.tokenizer, text), self._end] for text in answers]
        return likelihood_embedded(self.module, self._embed, self._prompts(conversations, waveform), wanted)

    def audio_features(self, waveform: Tensor) -> Tensor:
        """(n, samples) to (n, tokens, d): what enters the language model; silence after the sound is left out."""
        model = self.module.model
        frames = min(-(-waveform.shape[-1] // self.front.hop), self.front.samples // self.front.hop)
        half, tokens = (int(size) for size in model.audio_tower._get_feat_extract_output_lengths(torch.tensor(frames, device="cpu")))
        mel = self.front(waveform)
        heard = torch.arange((mel.shape[-1] - 2) // 2 + 1, device=mel.device) < half
        mask = torch.zeros(len(mel), 1, len(heard), len(heard), device=mel.device).masked_fill(~heard, torch.finfo(mel.dtype).min)
        states = model.audio_tower(mel, attention_mask=mask).last_hidden_state
        features: Tensor = model.multi_modal_projector(states)[:, :tokens]
        return features

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.module.get_input_embeddings()(tokens)
        return embedded

    def _prompts(self, conversations: Sequence[Conversation], waveform: Tensor | None) -> list[Tensor]:
        """Each conversation as (tokens, d), the sound's features in their places."""
        if waveform is not None and len(waveform) != len(conversations):
            raise ValueError(f"{self.name}: {len(conversations)} conversations and {len(waveform)} waveforms")
        heard = None if waveform is None else self.audio_features(waveform)
        prompts = []
        for number, turns in enumerate(conversations):
            tokens = torch.tensor(self._tokens(turns, 0 if heard is None else heard.shape[1]), device=self.module.device)
            embedded = self._embed(tokens)
            prompts.append(embedded if heard is None else filled(embedded, tokens == self._audio, heard[number]))
        return prompts

    def _tokens(self, turns: Conversation, length: int) -> list[int]:
        pieces: list[Piece] = [] if turns and turns[0].role == "system" else [f"{START}system\n{SYSTEM}{END}\n"]
        waiting = length
        for turn in turns:
            pieces.append(f"{START}{ROLES[turn.role]}\n")
            if waiting and turn.role == "user":
                pieces.append(f"Audio 1: {BEGIN}{AUDIO * length}{STOP}\n")
                waiting = 0
            pieces += [Words(turn.text), f"{END}\n"]
        if waiting:
            raise ValueError(f"{self.name}: a conversation about a sound needs a message of the user")
        return opening(self.tokenizer) + encode(self.tokenizer, [*pieces, f"{START}assistant\n"])
