"""Whisper as a Recognizer: any transformers WhisperForConditionalGeneration behind a log-mel that torch computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.errors import InputError
from hartley.targets.audio_tower import LogMel
from hartley.targets.words import word_ids

PROMPT = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")
CHUNK = 64
"""Waveforms that `transcribe` hears at once."""


@dataclass(frozen=True)
class Habits:
    """How a Whisper's decoder is used.

    prompt          the token ids that every transcript starts from.
    end             the token id that ends one.
    pad             the token id that fills up shorter ones; never looked at.
    lead            what stands before a transcript's first word: " " for OpenAI's byte-level tokens.
    suppressed      token ids that `transcribe` never writes.
    begin_suppressed  token ids that it never begins with.
    """

    prompt: tuple[int, ...]
    end: int
    pad: int
    lead: str = ""
    suppressed: tuple[int, ...] = ()
    begin_suppressed: tuple[int, ...] = ()


def usual_habits(config: Any, tokenizer: Any, generation: Any = None) -> Habits:
    """What a transformers folder says: config (WhisperConfig), its tokenizer, and its GenerationConfig where there is one.

    Transcripts are English, without time stamps. A tokenizer without Whisper's own control tokens starts from
    `decoder_start_token_id` alone.
    """
    known = tokenizer.get_vocab()
    many = getattr(generation, "is_multilingual", None)
    many = config.vocab_size >= 51_865 if many is None else many
    wanted = PROMPT if many else (PROMPT[0], PROMPT[3])
    prompt = tuple(known[token] for token in wanted if token in known) or (config.decoder_start_token_id,)
    settings = config if generation is None else generation
    return Habits(
        prompt=prompt,
        end=config.eos_token_id,
        pad=config.pad_token_id,
        lead=" " if PROMPT[0] in known else "",
        suppressed=tuple(getattr(settings, "suppress_tokens", None) or ()),
        begin_suppressed=tuple(getattr(settings, "begin_suppress_tokens", None) or ()),
    )


class WhisperRecognizer:
    """A Whisper from parts that are already loaded; satisfies `Recognizer`.

    name         what the report calls it.
    model        a transformers WhisperForConditionalGeneration; put into evaluation mode, its parameters frozen.
    tokenizer    its tokenizer.
    front        waveforms to the log-mels that the model takes, differentiably; twice as many frames as the encoder has positions.
    habits       prompt, end, and what is never written.
    fingerprint  a hash of the weights and settings.
    Raises ValueError when front and model do not fit.
    """

    capabilities: frozenset[str] = frozenset({"grad", "logprob", "text"})

    def __init__(self, *, name: str, model: Any, tokenizer: Any, front: LogMel, habits: Habits, fingerprint: str) -> None:
        frames, positions = front.samples // front.hop, model.config.max_source_positions
        if frames != 2 * positions or front.bank.shape[0] != model.config.num_mel_bins:
            found = f"{front.bank.shape[0]} mels x {frames} frames"
            raise ValueError(f"the front gives {found}, the model takes {model.config.num_mel_bins} x {2 * positions}")
        self.name, self.fingerprint = name, fingerprint
        self.model, self.tokenizer, self.front, self.habits = model.eval().requires_grad_(False), tokenizer, front, habits

    @property
    def sample_rate(self) -> int:
        return self.front.sample_rate

    @property
    def longest(self) -> int:
        """The most tokens of a transcript, its end included."""
        return int(self.model.config.max_target_positions) - len(self.habits.prompt)

    def audio_features(self, waveform: Tensor) -> Tensor:
        """(n, samples) to the encoder's states (n, positions, d), differentiably. Raises ValueError for another shape."""
        if waveform.dim() != 2:
            raise ValueError(f"waveforms have shape {tuple(waveform.shape)}; (n, samples) is accepted")
        return self.model.model.encoder(self.front(waveform)).last_hidden_state

    @torch.no_grad()
    def transcribe(self, waveform: Tensor) -> list[str]:
        """What is said, n texts: the likeliest token at each place; waveforms longer than the front are cut."""
        texts: list[str] = []
        for part in waveform.split(CHUNK) if len(waveform) else ():
            rows = self._greedy(self.audio_features(part))
            texts += [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in rows]
        return texts

    def log_likelihood(self, texts: Sequence[str], waveform: Tensor) -> Tensor:
        """(n,) natural logarithm of the probability of each text and its end, of all that the decoder could write.

        Nothing is suppressed here, and a text is always words: control tokens that it spells are spelled out.
        Raises InputError for a text that is too long for the decoder, ValueError for other than n texts.
        """
        if len(texts) != len(waveform):
            raise ValueError(f"{len(texts)} texts for {len(waveform)} waveforms; as many are accepted")
        if not texts:
            return torch.zeros(0)
        states = self.audio_features(waveform)
        ids, known = self._tokens(texts)
        prompt = torch.tensor([self.habits.prompt], device=ids.device).expand(len(texts), -1)
        said = torch.cat([prompt, ids[:, :-1]], dim=1).to(states.device)
        logits = self.model(encoder_outputs=(states,), decoder_input_ids=said, use_cache=False).logits[:, prompt.shape[1] - 1 :]
        chosen = F.log_softmax(logits.float(), dim=-1).gather(2, ids.to(states.device).unsqueeze(2)).squeeze(2)
        return (chosen * known.to(states.device)).sum(dim=1)

    def token_ids(self, text: str) -> list[int]:
        """The tokens of a text's words, without prompt and end; nothing in it becomes a control token."""
        return word_ids(self.tokenizer, self.habits.lead + text)

    def _tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Tokens with the end, (n, longest), filled up, and the mask of those that count."""
        rows = [[*self.token_ids(text), self.habits.end] for text in texts]
        length = max(map(len, rows))
        if length > self.longest:
            raise InputError(f"a text has {length} tokens with its end; {self.name} writes up to {self.longest}")
        ids = torch.tensor([row + [self.habits.pad] * (length - len(row)) for row in rows], device="cpu")
        return ids, torch.arange(length, device="cpu") < torch.tensor([len(row) for row in rows], device="cpu").unsqueeze(1)

    def _greedy(self, states: Tensor) -> list[list[int]]:
        """Token rows without prompt and end."""
        habits, count = self.habits, len(states)
        written: list[list[int]] = [[] for _ in range(count)]
        done, cache = [False] * count, None
        ids = torch.tensor([habits.prompt], device=states.device).expand(count, -1)
        for place in range(self.longest if count else 0):
            output = self.model(encoder_outputs=(states,), decoder_input_ids=ids, past_key_values=cache, use_cache=True)
            cache, logits = output.past_key_values, output.logits[:, -1]
            for banned in (habits.suppressed, habits.begin_suppressed if place == 0 else ()):
                logits[:, list(banned)] = -torch.inf
            chosen = logits.argmax(dim=1)
            for row, token in enumerate(chosen.tolist()):
                done[row] = done[row] or token == habits.end
                if not done[row]:
                    written[row].append(token)
            if all(done):
                break
            ids = chosen.unsqueeze(1)
        return written


def front_of(settings: dict[str, Any]) -> LogMel:
    """The log-mel of a WhisperFeatureExtractor's settings (feature_size, n_fft, hop_length, chunk_length, sampling_rate)."""
    return LogMel(
        mels=settings["feature_size"],
        n_fft=settings["n_fft"],
        hop=settings["hop_length"],
        seconds=settings["chunk_length"],
        sample_rate=settings["sampling_rate"],
    )


def load_whisper_folder(path: Path, *, name: str, fingerprint: Callable[[Path], str]) -> WhisperRecognizer:
    """The Whisper in a folder that is known to be sound, from safetensors alone, in float32, without network."""
    from transformers import AutoTokenizer, WhisperForConditionalGeneration

    from hartley.targets.clip import no_bar

    with no_bar():
        model = WhisperForConditionalGeneration.from_pretrained(
            path, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, attn_implementation="sdpa"
        )
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    front = front_of(json.loads((path / "preprocessor_config.json").read_text(encoding="utf-8")))
    habits = usual_habits(model.config, tokenizer, model.generation_config)
    return WhisperRecognizer(name=name, model=model, tokenizer=tokenizer, front=front, habits=habits, fingerprint=fingerprint(path))
