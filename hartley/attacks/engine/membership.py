"""Membership: an i.i.d. split, an attacker's guess, and the weakly supervised classifier."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hartley.attacks.case import Refused
from hartley.bits.rates import Rate, auc, tpr_at_fpr
from hartley.data.pairs import Data, Pairs
from hartley.evidence import Evidence

FEWEST, FEWEST_MEMBERS = 40, 9
"""Pictures that an audience is made of at least, and the evaluated members that so many give."""


@dataclass(frozen=True)
class Audience:
    """Pairs split by coin, so that members and non-members have one law by construction.

    member     (n,) bool: trained on.
    evaluated  rows the attack is judged on: half of them members.
    public     rows the attacker collects without knowing which are members.
    known      rows the attacker knows to be non-members (made after the model was).
    """

    pairs: Pairs
    member: Tensor
    evaluated: Tensor
    public: Tensor
    known: Tensor

    @staticmethod
    def split(data: Data, members: int, draw: torch.Generator, coin: torch.Generator) -> Audience:
        """`members` evaluated members and as many non-members, with a public set of the same make-up and known
        non-members of half that size; smaller in proportion where the data has fewer pairs.

        Raises Refused when there are fewer than FEWEST pairs.
        """
        pairs = data.draw(round(4.5 * members), draw, part="train")
        if len(pairs) < FEWEST:
            raise Refused(
                f"membership needs at least {FEWEST} pictures to train on, about {2 * FEWEST} in all; the data has {len(pairs)} of them"
            )
        size = int(len(pairs) / 4.5)
        order = torch.randperm(len(pairs), generator=coin)
        evaluated, public, known = order[: 2 * size], order[2 * size : 4 * size], order[4 * size :]
        member = torch.zeros(len(pairs), dtype=torch.bool)
        member[evaluated[:size]] = True
        member[public[:size]] = True
        return Audience(pairs, member, evaluated, public, known)


def guess(scores: Tensor, audience: Audience) -> Tensor:
    """(m,) 1 for the evaluated pairs whose score is above the median of the public ones, half of which are members."""
    return (scores[audience.evaluated] > scores[audience.public].median()).long()


def weakly_supervised(features: Tensor, similarity: Tensor, audience: Audience) -> Tensor:
    """Log-odds (n,) of a logistic classifier: known non-members against pseudo-members, which are the public pairs whose
    similarity lies in the far right tail (above mean + 1 standard deviation) of the known non-members' Gaussian.

    features (n, f). Where the tail holds fewer than five pairs, the five most similar public pairs stand in.
    """
    from sklearn.linear_model import LogisticRegression

    known = similarity[audience.known]
    bar = known.mean() + known.std()
    public = similarity[audience.public]
    tail = audience.public[public > bar]
    if len(tail) < 5:
        tail = audience.public[public.topk(min(5, len(public))).indices]
    rows = torch.cat([audience.known, tail])
    truth = torch.cat([torch.zeros(len(audience.known)), torch.ones(len(tail))])
    center, scale = features[audience.known].mean(dim=0), features[audience.known].std(dim=0).clamp_min(1e-9)
    standard = ((features - center) / scale).double().numpy()
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)  # its solver draws nothing
    model.fit(standard[rows.numpy()], truth.numpy())
    return torch.from_numpy(model.decision_function(standard)).to(similarity.dtype)


def membership_rates(evidence: Evidence) -> tuple[Rate, ...]:
    """TPR at 1% FPR (the headline) and AUC, for every arm."""
    found = []
    for arm in evidence.arms:
        rows = evidence.of(arm)
        if rows.score is None:
            raise ValueError("membership needs the column score")
        members, others = rows.score[rows.adversary == 1], rows.score[rows.adversary == 0]
        found += [
            tpr_at_fpr("TPR at 1% FPR", arm, members, others, 0.01, headline=True),
            auc("AUC", arm, members, others, headline=False),
        ]
    return tuple(found)
