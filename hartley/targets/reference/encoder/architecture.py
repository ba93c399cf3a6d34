"""The reference encoders' shapes: configurations and tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hartley.targets.audio_tower import AudioTower, LogMel
from hartley.targets.reference.language import vocabulary
from hartley.targets.reference.scenes import SIZE, STRIP

PIXEL_MEAN = (0.3, 0.3, 0.3)
PIXEL_STD = (0.25, 0.25, 0.25)
POSITIONS = 24
DIMENSIONS = 64


@dataclass(frozen=True)
class Shape:
    """What tells the encoders of the family apart, beside their seeds; vocabulary, pictures, patches and space are the same.

    vision, text, audio  width and layers of each tower.
    steps                lengths of the stages "pictures" and "speech".
    """

    vision: tuple[int, int] = (96, 4)
    text: tuple[int, int] = (96, 2)
    audio: tuple[int, int] = (80, 3)
    steps: tuple[int, int] = (6_000, 3_000)


SHAPES = {"encoder": Shape(), "encoder-b": Shape(vision=(112, 3), text=(80, 2), audio=(64, 3), steps=(5_000, 2_000))}
# CLIPTextConfig takes eos_token_id == 2 as a sign to pool at the largest token id, not at the end: eos must not be 2.
PAD, BOS, UNKNOWN, EOS = SPECIAL_TOKENS = ("<pad>", "<bos>", "<unk>", "<eos>")
AUDIO_FRONT = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 40,
    "n_fft": 400,
    "hop_length": 400,
    "chunk_length": 3,
    "sampling_rate": 16_000,
}


def build_tokenizer() -> Any:
    """A word-level tokenizer over `language.vocabulary()`: lower case, unknown words to <unk>, <bos> and <eos> around."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    table = {token: index for index, token in enumerate((*SPECIAL_TOKENS, *vocabulary()))}
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
        model_max_length=POSITIONS,
        padding_side="right",
    )


def build_clip(vocabulary_size: int, shape: Shape = SHAPES["encoder"]) -> Any:
    """An untrained CLIPModel: vision 48 px, patch 12; projection 64; widths and layers of `shape`."""
    from transformers import CLIPConfig, CLIPModel

    text = {
        **{"vocab_size": vocabulary_size, **_sizes(*shape.text)},
        **{"max_position_embeddings": POSITIONS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 3, "projection_dim": DIMENSIONS},
    }
    vision = {
        **_sizes(*shape.vision),
        **{"image_size": SIZE, "patch_size": STRIP, "projection_dim": DIMENSIONS},
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=DIMENSIONS))


def _sizes(width: int, layers: int) -> dict[str, int]:
    """The settings of one of CLIP's towers."""
    return {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers, "num_attention_heads": 4}


def build_audio(shape: Shape = SHAPES["encoder"]) -> AudioTower:
    """An untrained audio tower: 40 mels x 120 frames, width and layers of `shape`."""
    from transformers import WhisperConfig

    width, layers = shape.audio
    config = WhisperConfig(
        num_mel_bins=40,
        d_model=width,
        encoder_layers=layers,
        encoder_attention_heads=4,
        encoder_ffn_dim=3 * width,
        max_source_positions=60,
        decoder_layers=1,
        decoder_attention_heads=4,
        vocab_size=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
        decoder_start_token_id=1,
    )
    return AudioTower(config, DIMENSIONS, LogMel())
