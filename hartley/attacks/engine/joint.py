"""Picture and caption attacked together and read out by retrieval at rank 1 in both directions: Co-Attack and SGA share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hartley.attacks.case import ModelCase
from hartley.attacks.engine.arms import Inputs, all_arms, crafted_once
from hartley.attacks.engine.budget import Linf, Words
from hartley.attacks.engine.exhibits import Sides, keep
from hartley.attacks.engine.readout import embed_modality, retrieval
from hartley.attacks.engine.reference import embed_texts
from hartley.attacks.engine.words import Cloze, Score, Substitution
from hartley.data.pairs import Pairs
from hartley.evidence import Evidence
from hartley.targets.protocols import Encoder

CORPUS = 2_000
DIRECTIONS = ("image to text", "text to image")

CraftJoint = Callable[[Encoder, str], tuple[Tensor, list[str], float]]
"""(encoder, arm) to adversarial pictures (n, 3, h, w), adversarial captions, and forward passes per trial."""


def substitution(case: ModelCase, pairs: Pairs) -> Substitution:
    """One word, ten candidates, proposed by a cloze model counted on the captions of the data's training part."""
    corpus = case.data.draw(CORPUS, case.generator("corpus"), part="train").captions
    meaning = pairs.content_words or frozenset(word for name in pairs.label_names for word in name.lower().split())
    return Substitution(Cloze(corpus), meaning, budget=1, top=10)


def against(encoder: Encoder, loss: Callable[[Tensor, Tensor], Tensor]) -> Score:
    """A score for candidate texts from a loss over their embeddings (m, d) and the rows (m,) they belong to."""

    def score(texts: list[str], rows: Tensor) -> Tensor:
        return loss(embed_texts(encoder, texts), rows)

    return score


def joint_channels(case: ModelCase, pairs: Pairs, craft: CraftJoint, budget: Linf) -> tuple[Evidence, ...]:
    """Evidence of both retrieval directions over all arms. Pictures and captions are perturbed on both sides."""
    clean = Inputs(images=pairs.images, texts=pairs.captions)

    def craft_inputs(encoder: Encoder, arm: str) -> Inputs:
        images, texts, passes = craft(encoder, arm)
        costs = {
            budget.cost: budget.measure(pairs.images, images).double(),
            Words(1).cost: Words(1).measure(list(pairs.captions), texts),
            "forward_passes": torch.full((len(pairs),), passes, dtype=torch.float64),
        }
        return Inputs(images=images, texts=tuple(texts), costs=costs)

    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def embeddings(encoder: Encoder, inputs: Inputs, arm: str) -> tuple[Tensor, Tensor]:
        if arm not in seen:  # both directions read the same answers of the same arm
            image = embed_modality(encoder, "image", inputs.images, None, None)
            seen[arm] = (image, embed_modality(encoder, "text", None, None, inputs.texts))
        return seen[arm]

    def reader(direction: str) -> Callable[[Encoder, Inputs, str], Evidence]:
        baselines: dict[str, Evidence] = {}

        def read(encoder: Encoder, inputs: Inputs, arm: str) -> Evidence:
            image, text = embeddings(encoder, inputs, arm)
            query, gallery = (image, text) if direction == DIRECTIONS[0] else (text, image)
            baseline = baselines.get("clean" if arm == "attacked" else "defended") if arm not in ("clean", "defended") else None
            found = retrieval(encoder, pairs, query, gallery, arm=arm, channel=direction, costs=inputs.costs, baseline=baseline)
            if baseline is None:
                baselines[arm] = found
            return found

        return read

    shared: dict[str, Inputs] = {}

    def craft_once(encoder: Encoder, arm: str) -> Inputs:
        if arm not in shared:
            shared[arm] = craft_inputs(encoder, arm)
        return shared[arm]

    found = tuple(all_arms(case, direction, clean, craft_once, reader(direction), crafted_as="pairs") for direction in DIRECTIONS)
    if case.defense is None:
        keep(case, found[0], Sides(clean, crafted_once(case, "pairs", craft_once)))
    return found


def caption_sets(encoder: Encoder, sets: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor]:
    """Embeddings (n, m, d) of sets of captions padded to the longest, and (n, m) 1 where there is a caption."""
    longest = max(len(captions) for captions in sets)
    flat = [caption for captions in sets for caption in [*captions, *[captions[0]] * (longest - len(captions))]]
    members = torch.tensor([[1.0] * len(captions) + [0.0] * (longest - len(captions)) for captions in sets])
    return embed_texts(encoder, flat).reshape(len(sets), longest, -1), members
