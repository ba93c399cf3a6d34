"""The reference recognizer's shape: a Whisper of width 80 with a word-level tokenizer over all that is ever said aloud."""

from __future__ import annotations

from typing import Any

from hartley.targets.audio_tower import AudioTower
from hartley.targets.reference.language import SPOKEN_WORDS
from hartley.targets.reference.recognizer.requests import REQUEST_WORDS

PAD, BOS, UNKNOWN, EOS = SPECIAL_TOKENS = ("<pad>", "<bos>", "<unk>", "<eos>")
POSITIONS = 20
"""Tokens of a transcript, beginning and end included; the longest phrase has nine words."""


def build_tokenizer(words: tuple[str, ...] = (*SPOKEN_WORDS, *REQUEST_WORDS), longest: int = POSITIONS) -> Any:
    """A word-level tokenizer: lower case, other words to <unk>, <bos> and <eos> around."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    table = {token: index for index, token in enumerate((*SPECIAL_TOKENS, *words))}
    inner = Tokenizer(models.WordLevel(table, unk_token=UNKNOWN))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", special_tokens=[(token, table[token]) for token in (BOS, EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        bos_token=BOS,
        unk_token=UNKNOWN,
        eos_token=EOS,
        model_max_length=longest,
        padding_side="right",
    )


def build_whisper(ear: AudioTower, vocabulary_size: int) -> Any:
    """An untrained Whisper: an encoder of the ear's shape (40 mels x 120 frames, width 80, 3 layers) and 2 decoder layers."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    heard = ear.encoder.config
    config = WhisperConfig(
        num_mel_bins=heard.num_mel_bins,
        d_model=heard.d_model,
        encoder_layers=heard.encoder_layers,
        encoder_attention_heads=heard.encoder_attention_heads,
        encoder_ffn_dim=heard.encoder_ffn_dim,
        max_source_positions=heard.max_source_positions,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=320,
        max_target_positions=POSITIONS,
        vocab_size=vocabulary_size,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
        decoder_start_token_id=1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    return WhisperForConditionalGeneration(config)
