"""Tiny random CLIP folders, made once a test run."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # helpers of several tests are found by name

SIDE = 32
WORDS = ("a", "photo", "of", "my", "cat", "dog", "bird", "red", "blue", "number", "two")


def byte_pairs(folder: Path) -> int:
    """vocab.json and merges.txt in OpenAI's layout (byte alphabet, </w>, the two special tokens last); the vocabulary's size."""
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "re", "red</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nr e\nre d</w>\n")
    return len(tokens)


def whole_words(folder: Path) -> int:
    """A word-level tokenizer.json with pad 0, bos 1, unk 2, eos 3."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<bos>", "<unk>", "<eos>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing("<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 3)])
    special = {"pad_token": "<pad>", "bos_token": "<bos>", "unk_token": "<unk>", "eos_token": "<eos>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return len(words)


def make_clip(folder: Path, tokenizer, eos: int | None = None, size: int | dict | None = None, shards: str = "5GB") -> Path:
    """A tiny random CLIP as transformers saves it."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    folder.mkdir()
    vocabulary = tokenizer(folder)
    ends = (3 if tokenizer is whole_words else vocabulary - 1) if eos is None else eos
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=tower
        | {"vocab_size": vocabulary, "max_position_embeddings": 20, "bos_token_id": 1, "pad_token_id": 0, "eos_token_id": ends},
        vision_config=tower | {"image_size": SIDE, "patch_size": 8},
        projection_dim=16,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLIPModel(config)
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:  # the default start is so small that all embeddings nearly coincide
                torch.nn.init.normal_(parameter, std=0.3 if "embedding" in name else 0.2)
        model.save_pretrained(folder, max_shard_size=shards)
    CLIPImageProcessorPil(size=size or SIDE, crop_size=SIDE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def clip_folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("clips")
    return {
        "byte pairs": make_clip(root / "bpe", byte_pairs),
        "byte pairs, legacy": make_clip(root / "legacy", byte_pairs, eos=2),
        "words": make_clip(root / "words", whole_words),
        "sharded": make_clip(root / "sharded", whole_words, shards="20KB"),
        "crop": make_clip(root / "crop", whole_words, size=40),
        "words, legacy": make_clip(root / "words-legacy", whole_words, eos=2),
    }


@pytest.fixture
def copied(clip_folders, tmp_path):
    """A folder of its own to spoil."""

    def copy(kind: str = "words") -> Path:
        return Path(shutil.copytree(clip_folders[kind], tmp_path / "model"))

    return copy


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
