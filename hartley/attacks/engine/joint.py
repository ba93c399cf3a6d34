"""Picture and caption attacked together and read out by retrieval at rank 1 in both directions: Co-Attack and SGA share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from hartley.attacks.engine.budget import Words
from hartley.attacks.engine.objective import away
from hartley.attacks.engine.perturbed import KEPT, Inputs, Models, before_and_after, crafted
from hartley.attacks.engine.readout import embed_inputs, of_pairs, retrieval
from hartley.attacks.engine.words import Cloze, Substitution
from hartley.case import ModelCase
from hartley.channel import Channel, measure
from hartley.data.pairs import Pairs
from hartley.evidence import Evidence
from hartley.rows import CLEAN, DEFENDED, Arm, Rows, Sent, array
from hartley.targets.embedding import embed_images, embed_texts
from hartley.targets.protocols import Encoder

CORPUS = 2_000
DIRECTIONS = ("image to text", "text to image")

CraftJoint = Callable[[Encoder, Arm], tuple[Inputs, Sequence[str], float]]
"""(encoder, arm) to adversarial pictures with their costs, adversarial captions, and texts that were scored for a trial."""


def substitution(case: ModelCase, pairs: Pairs) -> Substitution:
    """One word, ten candidates, proposed by a cloze model counted on the captions of the data's training part."""
    corpus = case.data.draw(CORPUS, case.generator("corpus"), part="train").captions
    meaning = pairs.content_words or frozenset(word for name in pairs.label_names for word in name.lower().split())
    return Substitution(Cloze(corpus), meaning, budget=1, top=10)


def joint_channels(case: ModelCase, pairs: Pairs, craft: CraftJoint) -> tuple[Evidence, ...]:
    """Evidence of both retrieval directions over all arms. Pictures and captions are perturbed on both sides."""
    clean, baselines = Inputs(images=pairs.images, texts=pairs.captions), dict[tuple[str, Arm], Rows]()

    def made(encoder: Encoder, arm: Arm) -> Inputs:
        inputs, texts, scored = craft(encoder, arm)
        words, passes = Words(1), inputs.costs["forward_passes"] + scored
        changed = words.measure(list(pairs.captions), list(texts))
        return replace(inputs, texts=tuple(texts), costs={**inputs.costs, words.cost: changed, "forward_passes": passes})

    def payload(arm: Arm, encoder: Encoder, _: Inputs | None) -> Inputs:
        return crafted(case, arm, "pairs", lambda: made(encoder, arm))

    def ask(arm: Arm, encoder: Encoder, given: Inputs | None) -> Rows:
        inputs = given or clean
        return Rows(costs=inputs.costs, more={kind: embed_inputs(encoder, kind, inputs) for kind in ("image", "text")})

    def ranked(direction: str, arm: Arm, answers: Rows) -> Rows:
        query, gallery = (torch.as_tensor(array(answers.more[kind])) for kind in direction.split(" to "))
        before = baselines.get((direction, DEFENDED if arm.defended else CLEAN)) if arm.attacked else None
        held = None if before is None else array(before.success) == 0
        rows = retrieval(models.asked(arm), pairs, query, gallery, answers.costs, held)
        baselines[direction, arm] = rows
        return rows

    models = Models(case, case.target, DIRECTIONS[0])
    sent, symbols = Sent(pairs.labels), of_pairs(pairs, ())
    shape = Channel("", "jam", symbols, sent, models.asked, ask, payload, models.made_on, asked_as="pairs", shown=KEPT)
    one, other = (replace(shape, name=direction, read=partial(ranked, direction)) for direction in DIRECTIONS)
    return measure(case, replace(one, show=before_and_after(clean)), other)


def reworded(swap: Substitution, encoder: Encoder, pairs: Pairs, images: Tensor) -> tuple[list[tuple[str, ...]], float]:
    """Every pair's set of captions, in each of which a word is replaced to lower its cosine to the picture, and how many texts were
    scored for a trial."""
    loss = away(embed_images(encoder, images))
    flat = [caption for captions in pairs.caption_sets for caption in captions]
    owner = torch.tensor([row for row, captions in enumerate(pairs.caption_sets) for _ in captions])
    texts, scored = swap.craft(flat, lambda texts, rows: loss(embed_texts(encoder, texts), owner[rows]))
    rest = iter(texts)
    return [tuple(next(rest) for _ in captions) for captions in pairs.caption_sets], scored * len(flat) / len(pairs)


def caption_sets(encoder: Encoder, sets: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
    """Embeddings (n, m, d) of sets of captions padded to the longest, and (n, m) 1 where there is a caption."""
    longest = max(len(captions) for captions in sets)
    flat = [caption for captions in sets for caption in [*captions, *[captions[0]] * (longest - len(captions))]]
    members = torch.tensor([[1.0] * len(captions) + [0.0] * (longest - len(captions)) for captions in sets])
    return embed_texts(encoder, flat).reshape(len(sets), longest, -1), members
