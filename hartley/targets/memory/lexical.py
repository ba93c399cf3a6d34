"""An embedder without weights: texts that share pieces of words are near each other."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_WORD = re.compile(r"\w+")
_SHORTEST, _LONGEST = 3, 5


class Lexical:
    """Hashed counts of whole words and of their pieces of 3 to 5 letters; satisfies `TextEmbedder`.

    The lexical retriever of a memory whose words no trained embedder knows: "live" is near "lives", but not near "dwells". Nothing
    is learned and nothing drawn (feature hashing with signs: Weinberger et al., 2009; subwords: Bojanowski et al., 2017).
    """

    def __init__(self, dimension: int = 1024) -> None:
        self.dimension = dimension

    @property
    def name(self) -> str:
        return "lexical"

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"lexical 1, {self.dimension}, {_SHORTEST} to {_LONGEST}".encode()).hexdigest()

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"score"})

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm; all zeros for a text without a letter or digit."""
        made = np.zeros((len(texts), self.dimension), np.float32)  # a tensor is slow to write into one number at a time
        for row, text in zip(made, texts, strict=True):
            for hashed, count in Counter(piece for word in _WORD.findall(text.lower()) for piece in _pieces(word)).items():
                row[hashed[1] % self.dimension] += count**0.5 * (1 if hashed[1] >> 31 else -1)
        return F.normalize(torch.from_numpy(made), dim=-1)


@lru_cache(maxsize=1 << 16)
def _pieces(word: str) -> tuple[tuple[str, int], ...]:
    """The word and its pieces, each with its hash."""
    marked = f"<{word}>"
    found = [marked]
    for length in range(_SHORTEST, _LONGEST + 1):
        found += [marked[start : start + length] for start in range(len(marked) - length + 1) if length < len(marked)]
    # surrogatepass: a query is no entry, and whatever Python calls a string has an embedding
    return tuple((piece, zlib.crc32(piece.encode(errors="surrogatepass"))) for piece in found)
