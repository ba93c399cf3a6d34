"""The exact index: every entry is looked at, in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.errors import InputError
from hartley.targets.memory.index import NOBODY, Hits
from hartley.targets.memory.similarity import COSINE, Similarity
from hartley.targets.memory.store import Store
from hartley.targets.memory.vectors import checked, lengths, refuse_damaged

QUERIES = 64
SMALLEST_BLOCK = 256


@dataclass
class _Block:
    """Room for entries: ids, vectors (room, d) and factors, of which the first `count` are in use and `dead` of those removed."""

    ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    factors: NDArray[np.float64]
    count: int
    dead: int = 0


class Exact:
    """All entries are looked at: a chunked matrix product rules most of them out, and the scores of the rest are computed exactly.

    dimension, similarity  of the vectors.
    chunk                  how many entries one product takes; decides speed alone.

    A score is computed in float64 from the float32 vectors, in an order that depends on neither chunk nor threads nor any other
    row. So equal vectors have equal scores, ties go to the lower id, and the same entries give the same answer however they were
    written and searched. The float32 product rules out only what its rounding error cannot bring among the k best.
    """

    def __init__(self, dimension: int, similarity: Similarity = COSINE, *, chunk: int = 8192) -> None:
        self._dimension, self._similarity, self._chunk = dimension, similarity, chunk
        self._blocks: list[_Block] = []
        self._reach = 0.0
        # A float32 product of d terms errs by at most d u / (1 - d u) of |query| |entry|, u = 2^-24 (Higham, "Accuracy and Stability
        # of Numerical Algorithms", section 3.1); two more roundings for the factor, and a tenth for the arithmetic of the bound.
        self._rounding = 1.1 * (dimension + 2) * 2.0**-24

    @classmethod
    def over(cls, store: Store, similarity: Similarity) -> Exact:
        """The index of a store's entries, whose mapped vectors are searched where they lie. Raises InputError when one is damaged."""
        index, ids, vectors = cls(store.dimension, similarity), store.ids.copy(), store.vectors
        long = lengths(vectors)
        refuse_damaged(ids, long)
        if len(ids):
            index._append(ids, vectors, long)
        return index

    @property
    def settings(self) -> str:
        return f"exact, {self._similarity}"

    def __len__(self) -> int:
        return sum(block.count - block.dead for block in self._blocks)

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        matrix, numbers = checked(vectors, self._dimension, "a vector to be indexed"), np.asarray(ids, np.int64)
        if not len(matrix):
            return
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.count + len(matrix) > len(last.ids):
            # Rooms grow with what is there, so that many small writes leave few blocks.
            room = max(SMALLEST_BLOCK, len(matrix), sum(block.count for block in self._blocks if len(block.ids) == block.count))
            ids_there, long = np.full(room, NOBODY, np.int64), np.zeros(room)
            last = _Block(ids_there, np.zeros((room, self._dimension), np.float32), long, 0)
            self._blocks.append(last)
        place = slice(last.count, last.count + len(matrix))
        long = lengths(matrix)
        last.ids[place], last.vectors[place], last.factors[place] = numbers, matrix, self._similarity.entry_factors(long)
        last.count += len(matrix)
        self._reach = max(self._reach, float((long * last.factors[place]).max()))

    def _append(self, ids: NDArray[np.int64], vectors: NDArray[np.float32], long: NDArray[np.float64]) -> None:
        alive = ids >= 0
        factors = self._similarity.entry_factors(np.where(alive, long, 0.0))
        self._blocks.append(_Block(ids, vectors, factors, len(ids), int((~alive).sum())))
        self._reach = max(self._reach, float((long * factors)[alive].max(initial=0.0)))

    def remove(self, ids: ArrayLike) -> None:
        for block in self._blocks:
            gone = np.isin(block.ids[: block.count], ids)
            block.ids[: block.count][gone] = NOBODY
            block.dead += int(gone.sum())
        self._blocks = [block for block in self._blocks if block.dead < block.count]

    def search(self, queries: ArrayLike, k: int) -> Hits:
        wanted = checked(queries, self._dimension, "a query")
        if k < 1:
            raise InputError(f"the {k} nearest entries were asked for; at least 1 is accepted")
        ids, scores = np.full((len(wanted), k), NOBODY, np.int64), np.full((len(wanted), k), -np.inf)
        for start in range(0, len(wanted), QUERIES):
            part = slice(start, start + QUERIES)
            self._search(wanted[part], ids[part], scores[part])
        return Hits(ids, scores * self._similarity.query_factors(lengths(wanted))[:, None])

    def _search(self, queries: NDArray[np.float32], ids: NDArray[np.int64], scores: NDArray[np.float64]) -> None:
        """Fills in the k best of a few queries; scores are still without the queries' own factors."""
        wide, k = queries.astype(np.float64), ids.shape[1]
        error = self._rounding * self._reach * lengths(queries)
        for numbers, vectors, factors in self._chunks():
            near = queries @ vectors.T
            near *= factors.astype(np.float32)
            dead = numbers < 0
            near[:, dead] = -np.inf
            floor = scores[:, -1] - error
            if len(numbers) > k and not np.isfinite(floor).all():
                # Not yet k found: those of this chunk that could not be among its own k best are out already.
                floor = np.maximum(floor, np.partition(near, len(numbers) - k, axis=1)[:, len(numbers) - k] - 2 * error)
            candidates = near >= floor[:, None]
            candidates[:, dead] = False
            for query in np.flatnonzero(candidates.any(axis=1)).tolist():
                rows = np.flatnonzero(candidates[query])
                exact = (vectors[rows].astype(np.float64) * wide[query]).sum(axis=1) * factors[rows]
                all_ids, all_scores = np.concatenate([ids[query], numbers[rows]]), np.concatenate([scores[query], exact])
                best = np.lexsort((all_ids, -all_scores))[:k]
                ids[query], scores[query] = all_ids[best], all_scores[best]

    def _chunks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]]:
        for block in self._blocks:
            for start in range(0, block.count, self._chunk):
                part = slice(start, min(start + self._chunk, block.count))
                yield block.ids[part], block.vectors[part], block.factors[part]
