"""Word substitution: a cloze model counted on a corpus proposes words, a greedy search picks the one that hurts most."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Score = Callable[[list[str], Tensor], Tensor]
"""Loss of candidate texts, one a text, given the index (m,) of the input each of them belongs to; smaller is better for the attacker."""

EDGE = ""


def bare(word: str) -> str:
    """A word without case and punctuation, as it is compared with the words to keep."""
    return word.lower().strip(".,;:!?\"'()")


class Cloze:
    """Which words a corpus puts between two neighbors: P(word | left, right), backing off to (left), (right), and to all words.

    A counted stand-in for the masked language model that BERT-Attack asks (Li et al., EMNLP 2020).
    """

    def __init__(self, corpus: Sequence[str]) -> None:
        self._both: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._left: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._right: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._all: Counter[str] = Counter()
        for text in corpus:
            words = [EDGE, *text.split(), EDGE]
            for left, word, right in zip(words, words[1:], words[2:], strict=False):
                self._both[left, right][word] += 1
                self._left[left][word] += 1
                self._right[right][word] += 1
                self._all[word] += 1

    def candidates(self, words: Sequence[str], position: int, count: int, banned: frozenset[str]) -> list[str]:
        """Up to `count` words for `position`, likeliest first, without the word itself and without banned ones."""
        left = words[position - 1] if position > 0 else EDGE
        right = words[position + 1] if position + 1 < len(words) else EDGE
        found: list[str] = []
        for table in (self._both[left, right], self._left[left], self._right[right], self._all):
            ranked = sorted(table.items(), key=lambda item: (-item[1], item[0]))
            found += [word for word, _ in ranked if word != words[position] and bare(word) not in banned and word not in found]
            if len(found) >= count:
                break
        return found[:count]


@dataclass(frozen=True)
class Substitution:
    """Replaces `budget` words of each text: positions by importance (loss when the word is left out), then the best of
    `top` candidates. `keep` are words that carry the meaning: they are neither replaced nor brought in, because a caption
    that says something else is not an adversarial caption."""

    cloze: Cloze
    keep: frozenset[str]
    budget: int = 1
    top: int = 10

    def craft(self, texts: Sequence[str], score: Score) -> tuple[list[str], float]:
        """The substituted texts and the number of texts scored per input. A text with no free position stays as it is."""
        current = list(texts)
        spent: list[set[int]] = [set() for _ in texts]
        queries = 0
        for _ in range(self.budget):
            chosen, asked = self._positions(current, spent, score)
            variants, owners = [], []
            for index, position in enumerate(chosen):
                if position is None:
                    continue
                words = current[index].split()
                for word in self.cloze.candidates(words, position, self.top, self.keep):
                    variants.append(" ".join([*words[:position], word, *words[position + 1 :]]))
                    owners.append(index)
            queries += asked + len(variants)
            self._take_best(current, chosen, spent, variants, owners, score)
        return current, queries / max(1, len(texts))

    def _positions(self, texts: list[str], spent: list[set[int]], score: Score) -> tuple[list[int | None], int]:
        shorter, owners, places = [], [], []
        for index, text in enumerate(texts):
            words = text.split()
            for position, word in enumerate(words):
                if bare(word) not in self.keep and position not in spent[index]:
                    shorter.append(" ".join([*words[:position], *words[position + 1 :]]))
                    owners.append(index)
                    places.append(position)
        chosen: list[int | None] = [None] * len(texts)
        if not shorter:
            return chosen, 0
        losses = score(shorter, torch.tensor(owners))
        lowest = [float("inf")] * len(texts)
        for loss, owner, place in zip(losses.tolist(), owners, places, strict=True):
            if loss < lowest[owner]:
                lowest[owner], chosen[owner] = loss, place
        return chosen, len(shorter)

    @staticmethod
    def _take_best(
        current: list[str], chosen: list[int | None], spent: list[set[int]], variants: list[str], owners: list[int], score: Score
    ) -> None:
        if not variants:
            return
        everyone = list(range(len(current)))
        lowest = score(list(current), torch.tensor(everyone)).tolist()
        for loss, owner, variant in zip(score(variants, torch.tensor(owners)).tolist(), owners, variants, strict=True):
            if loss < lowest[owner]:
                lowest[owner], current[owner] = loss, variant
                position = chosen[owner]
                if position is not None:
                    spent[owner].add(position)
