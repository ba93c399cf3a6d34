"""The alphabet of a user's pictures: their labels, or groups of their captions that depend on no model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hartley.data.metadata import shown
from hartley.errors import InputError

MOST_GROUPS = 10
PICTURES_A_GROUP = 20
PICTURES_A_LABEL = 4
SEED = 0
WORD = r"\w+|\S"


@dataclass(frozen=True)
class Symbols:
    """What each of n pictures shows, from an alphabet of K: of[i] indexes `names` and `prompts`; `note` says how it was made."""

    of: tuple[int, ...]
    names: tuple[str, ...]
    prompts: tuple[str, ...]
    note: str = ""


def from_labels(where: str, labels: Sequence[str], prompts: Mapping[str, str]) -> Symbols:
    """One symbol a label, in alphabetical order; its text is its prompt, or "a photo of <label>".

    Raises InputError for a single label, and for labels that are nearly all different.
    """
    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise InputError(
            f"{where}: every picture has the label {shown(names[0])}: no information to measure; two or more labels are accepted"
        )
    if len(names) * PICTURES_A_LABEL > len(labels):
        raise InputError(
            f"{where}: {len(names)} labels for {len(labels)} pictures; at least {PICTURES_A_LABEL} pictures a label are accepted, "
            "or no label column (the captions are then grouped)"
        )
    index = {name: i for i, name in enumerate(names)}
    return Symbols(tuple(index[label] for label in labels), names, tuple(prompts.get(name, f"a photo of {name}") for name in names))


def from_captions(where: str, captions: Sequence[tuple[str, ...]]) -> Symbols:
    """Symbols from captions alone: each distinct one up to ten, otherwise at most ten groups of similar wording.

    The groups are k-means clusters of TF-IDF vectors with a fixed seed, so they do not depend on the model under test;
    a group's text is the caption nearest to its center. Raises InputError when there is a single symbol.
    """
    distinct = sorted({frozenset(own): own for own in captions}.values())
    if len(distinct) == 1:
        raise InputError(
            f"{where}: every picture has the caption {shown(distinct[0][0])}: no information to measure; two or more are accepted"
        )
    if len(distinct) <= MOST_GROUPS:
        rank = {frozenset(own): i for i, own in enumerate(distinct)}
        note = f"There is no label column: each of the {len(distinct)} distinct captions is a symbol."
        return _named([rank[frozenset(own)] for own in captions], [own[0] for own in distinct], note)
    return _grouped(where, captions)


def _grouped(where: str, captions: Sequence[tuple[str, ...]]) -> Symbols:
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfVectorizer
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    count = max(2, min(MOST_GROUPS, len(captions) // PICTURES_A_GROUP))
    vectors = TfidfVectorizer(token_pattern=WORD, max_features=5_000).fit_transform([" ".join(own) for own in captions])
    # One thread: sums over threads come out in any order, and a picture between two groups would change sides.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = KMeans(count, n_init=4, random_state=SEED).fit(vectors)
    nearness = np.asarray(vectors @ model.cluster_centers_.T) / np.maximum(np.linalg.norm(model.cluster_centers_, axis=1), 1e-12)
    texts: list[str] = []
    found = sorted(set(model.labels_.tolist()))
    for cluster in found:
        members = np.flatnonzero(model.labels_ == cluster)
        ranked = members[np.argsort(-nearness[members, cluster], kind="stable")]
        texts.append(next((captions[i][0] for i in ranked if captions[i][0] not in texts), captions[ranked[0]][0]))
    if len(found) < 2:
        raise InputError(f"{where}: all captions use the same words: no information to measure; add a label column or other captions")
    note = (
        f"There is no label column: the captions were grouped into {len(found)} symbols by their wording (TF-IDF, k-means, fixed seed); "
        "each is named by the caption nearest to its center. Bits count these groups; a label column makes them sharper."
    )
    rank = {cluster: i for i, cluster in enumerate(found)}
    return _named([rank[label] for label in model.labels_.tolist()], texts, note)


def _named(of: Sequence[int], texts: Sequence[str], note: str) -> Symbols:
    return Symbols(tuple(of), tuple(texts), tuple(texts), note)
