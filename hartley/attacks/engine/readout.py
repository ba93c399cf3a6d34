"""Readouts: an encoder's answers as the rows of an arm."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from hartley.attacks.engine.perturbed import Inputs
from hartley.data.pairs import Pairs
from hartley.evidence import NONE
from hartley.rows import Rows, Symbols
from hartley.targets.embedding import embed_audio, embed_delivered, embed_texts
from hartley.targets.protocols import Encoder

LOG2_E = 1 / math.log(2)


def of_pairs(pairs: Pairs, adversary: tuple[str, ...] | None = None) -> Symbols:
    """The pairs' own symbols for what is sent and what comes out; the adversary's are the same unless others are given."""
    return Symbols(pairs.label_names, pairs.label_names if adversary is None else adversary, pairs.label_names, prior=pairs.label_prior)


def posterior_bits(logits: Tensor, labels: Tensor) -> Tensor:
    """log2 of the probability that softmax(logits) gives to each row's label: (n, k), (n,) to (n,)."""
    return (logits.double().log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1) * LOG2_E).clamp_max(0.0)


def zero_shot(encoder: Encoder, pairs: Pairs, embedding: Tensor, adversary: Tensor | None, costs: Mapping[str, Tensor]) -> Rows:
    """Zero-shot classification of embeddings (n, d) over the symbols' prompts. U is the true symbol, Y the answer.

    With `adversary` (n,) success is "answers the target", and does not apply where the target happens to be the truth. Without, it is
    "answers wrongly".
    """
    logits = encoder.logit_scale * embedding @ embed_texts(encoder, pairs.prompts).T
    outcome = logits.argmax(dim=1)
    if adversary is None:
        success = (outcome != pairs.labels).long()
    else:
        success = torch.where(adversary == pairs.labels, torch.tensor(NONE), (outcome == adversary).long())
    return _rows(encoder, pairs, outcome, success, logits.gather(1, outcome[:, None]).squeeze(1), logits, embedding, costs)


def retrieval(
    encoder: Encoder, pairs: Pairs, query: Tensor, gallery: Tensor, costs: Mapping[str, Tensor], held: np.ndarray | None = None
) -> Rows:
    """Retrieval at rank 1: query (n, d) against gallery (n, d), entry i being the counterpart of query i.

    U is the symbol asked for, Y the symbol of the entry that comes first. An entry with the same concept counts as right.
    Success, in the papers' sense, is a wrong first entry among the trials that the same system gets right without the attack, `held`
    (n,) bool; None: this arm is without an attack itself.
    """
    logits = encoder.logit_scale * query @ gallery.T
    first = logits.argmax(dim=1)
    wrong = (pairs.concepts[first] != pairs.concepts).long()
    success = wrong if held is None else torch.where(torch.from_numpy(held), wrong, torch.tensor(NONE))
    by_symbol = torch.stack([logits[:, pairs.labels == symbol].logsumexp(dim=1) for symbol in range(len(pairs.label_names))], dim=1)
    return _rows(encoder, pairs, pairs.labels[first], success, logits.gather(1, first[:, None]).squeeze(1), by_symbol, query, costs)


def _rows(
    encoder: Encoder, pairs: Pairs, outcome: Tensor, success: Tensor, best: Tensor, logits: Tensor, embedding: Tensor,
    costs: Mapping[str, Tensor],
) -> Rows:  # fmt: skip
    """logits (n, K): of the head, one a symbol. best (n,): the chosen answer's."""
    score, log2_q = best / encoder.logit_scale, posterior_bits(logits, pairs.labels)
    return Rows(outcome=outcome, success=success, score=score.double(), log2_q=log2_q, embedding=embedding, costs=costs)


def embed_inputs(encoder: Encoder, modality: str, inputs: Inputs) -> Tensor:
    """The embedding of one modality's inputs as delivered, (n, d). Raises ValueError when there are none of it."""
    if modality == "image" and inputs.images is not None:
        return embed_delivered(encoder, inputs.images)
    if modality == "audio" and inputs.audio is not None:
        return embed_audio(encoder, inputs.audio)
    if modality == "text" and inputs.texts is not None:
        return embed_texts(encoder, inputs.texts)
    raise ValueError(f"no {modality} inputs to read out")
