"""Readouts: ask an encoder and write its answers down as Evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from hartley.attacks.engine.reference import embed_audio, embed_images, embed_texts
from hartley.data.pairs import Pairs
from hartley.evidence import ARMS, NONE, Evidence
from hartley.targets.protocols import Encoder

LOG2_E = 1 / math.log(2)


@runtime_checkable
class ReadsFiles(Protocol):
    """An encoder that can also be asked through its own processor, with pictures as a saved file holds them."""

    def embed_saved(self, pictures: np.ndarray) -> Tensor:
        """(n, h, w, 3) uint8 to (n, d), unit norm."""
        ...


def embed_delivered(encoder: Encoder, images: Tensor) -> Tensor:
    """Embeddings of pictures as delivered: through the target's own processor where it has one, so that no success
    rests on the differentiable stand-in for it. (n, 3, h, w) in [0, 1] to (n, d)."""
    if isinstance(encoder, ReadsFiles):
        pictures = (images * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        with torch.no_grad():
            return encoder.embed_saved(pictures)
    return embed_images(encoder, images)


def posterior_bits(logits: Tensor, labels: Tensor) -> Tensor:
    """log2 of the probability that softmax(logits) gives to each row's label: (n, k), (n,) to (n,)."""
    return (logits.double().log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1) * LOG2_E).clamp_max(0.0)


def zero_shot(
    encoder: Encoder,
    pairs: Pairs,
    embedding: Tensor,
    *,
    arm: str,
    channel: str,
    adversary: Tensor | None,
    costs: Mapping[str, Tensor],
) -> Evidence:
    """Zero-shot classification over the symbols' prompts. U is the true symbol, Y the answer.

    With `adversary` (n,) the attack is targeted (kind "write"): success is "answers the target", and does not apply where
    the target happens to be the truth. Without, it is "answers wrongly" (kind "jam").
    """
    prompts = embed_texts(encoder, pairs.prompts)
    logits = encoder.logit_scale * embedding @ prompts.T
    outcome = logits.argmax(dim=1)
    if adversary is None:
        success = (outcome != pairs.labels).long()
    else:
        success = torch.where(adversary == pairs.labels, torch.tensor(NONE), (outcome == adversary).long())
    score = logits.gather(1, outcome[:, None]).squeeze(1) / encoder.logit_scale
    return table(pairs, arm, channel, adversary, outcome, success, score, logits, embedding, costs)


def retrieval(
    encoder: Encoder,
    pairs: Pairs,
    query: Tensor,
    gallery: Tensor,
    *,
    arm: str,
    channel: str,
    costs: Mapping[str, Tensor],
    baseline: Evidence | None,
) -> Evidence:
    """Retrieval at rank 1: query (n, d) against gallery (n, d), entry i being the counterpart of query i.

    U is the symbol asked for, Y the symbol of the entry that comes first. An entry with the same concept counts as right.
    Success, in the papers' sense, is a wrong first entry among the trials that are right in `baseline`, which is the same
    system without the attack; None: this arm is a baseline itself.
    """
    logits = encoder.logit_scale * query @ gallery.T
    first = logits.argmax(dim=1)
    wrong = (pairs.concepts[first] != pairs.concepts).long()
    if baseline is None:
        success = wrong
    else:
        held = torch.from_numpy(np.array(baseline.success)) == 0
        success = torch.where(held, wrong, torch.tensor(NONE))
    score = logits.gather(1, first[:, None]).squeeze(1) / encoder.logit_scale
    by_symbol = [logits[:, pairs.labels == symbol].logsumexp(dim=1) for symbol in range(len(pairs.label_names))]
    return table(pairs, arm, channel, None, pairs.labels[first], success, score, torch.stack(by_symbol, dim=1), query, costs)


def table(
    pairs: Pairs, arm: str, channel: str, adversary: Tensor | None, outcome: Tensor, success: Tensor, score: Tensor, logits: Tensor,
    embedding: Tensor, costs: Mapping[str, Tensor], adversary_alphabet: tuple[str, ...] | None = None,
) -> Evidence:  # fmt: skip
    """One arm of n trials over the pairs' own symbols. logits (n, K): of the head, one a symbol.

    The adversary's alphabet is the symbols' own unless another is given.
    """
    count = len(pairs)
    return Evidence(
        channel=channel,
        kind="jam" if adversary is None else "write",
        intent_alphabet=pairs.label_names,
        adversary_alphabet=() if adversary is None else adversary_alphabet or pairs.label_names,
        outcome_alphabet=pairs.label_names,
        arm=np.full(count, ARMS.index(arm), dtype=np.int8),
        trial=np.arange(count, dtype=np.int64),
        intent=pairs.labels.numpy().astype(np.int32),
        adversary=np.full(count, NONE, dtype=np.int32) if adversary is None else adversary.numpy().astype(np.int32),
        outcome=outcome.numpy().astype(np.int32),
        success=success.numpy().astype(np.int8),
        score=score.double().numpy(),
        log2_q=posterior_bits(logits, pairs.labels).numpy(),
        embedding=embedding.numpy().astype(np.float32),
        costs={name: values.double().numpy() for name, values in costs.items()},
        intent_prior=pairs.label_prior.double().numpy(),
    )


def embed_modality(encoder: Encoder, modality: str, images: Tensor | None, audio: Tensor | None, texts: Sequence[str] | None) -> Tensor:
    """The embedding of one modality's inputs as delivered, (n, d). Raises ValueError when the inputs of it are missing."""
    readers = {
        "image": lambda: None if images is None else embed_delivered(encoder, images),
        "audio": lambda: None if audio is None else embed_audio(encoder, audio),
        "text": lambda: None if texts is None else embed_texts(encoder, texts),
    }
    embedding = readers[modality]()
    if embedding is None:
        raise ValueError(f"no {modality} inputs to read out")
    return embedding
