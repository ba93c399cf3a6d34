"""A memory: entries in a store, an embedder that says what they are near to, an index that finds the nearest, and a retriever's options."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hartley.errors import InputError
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.exact import Exact
from hartley.targets.memory.index import Hits, Index, IndexOver, Kept, recall
from hartley.targets.memory.similarity import COSINE, Similarity
from hartley.targets.memory.store import Store
from hartley.targets.protocols import Encoder, TextEmbedder

BATCH = 256


@dataclass(frozen=True)
class Retriever:
    """How entries are chosen.

    k           at most so many, nearest first.
    similarity  cosine or dot product, with or without a limit on an entry's length.
    least       the lowest score that is still given; None: any.
    distinct    whether an entry that says word by word what a nearer one says is left out.
    """

    k: int = 5
    similarity: Similarity = COSINE
    least: float | None = None
    distinct: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"a retriever gives the {self.k} nearest entries; at least 1 is accepted")
        if self.least is not None and math.isnan(self.least):
            raise InputError("a retriever's lowest score is NaN, which no score is above; a number, or None, is accepted")


@dataclass(frozen=True)
class Passage:
    """An entry that was retrieved: how near it was, and its place, 1 for the nearest. Where it came from is in the entry."""

    entry: Entry
    score: float
    rank: int


class Retrieving(Protocol):
    """What a reader needs of a memory, and what a defense of the retrieval wraps."""

    def retrieve(self, queries: Sequence[str], *, k: int | None = None, reader: str | None = None) -> list[tuple[Passage, ...]]:
        """For each query its passages, nearest first."""
        ...


class Memory:
    """Texts and pictures by what they are near to; satisfies `Retrieving`.

    embedder        makes the vectors of entries; pictures need an `Encoder`.
    folder          where the entries are kept; None: in memory, gone at the end.
    index           makes the index: `Exact.over`, or `Faiss.over` for some hundred thousand entries and more.
    retriever       how entries are chosen.
    query_embedder  makes the vectors of queries where that is another model (DPR); None: the same.

    Raises InputError when the folder cannot be used or holds the vectors of another embedder.
    """

    def __init__(
        self,
        embedder: TextEmbedder,
        folder: Path | str | None = None,
        *,
        index: IndexOver = Exact.over,
        retriever: Retriever | None = None,
        query_embedder: TextEmbedder | None = None,
    ) -> None:
        self.embedder, self.query_embedder, self.retriever = embedder, query_embedder or embedder, retriever or Retriever()
        self.store = Store(folder, dimension=_dimension(embedder), embedder=embedder.fingerprint)
        self._over = index
        try:
            self._reindex()
        except BaseException:
            self.store.close()
            raise

    @property
    def name(self) -> str:
        return f"memory:{self.embedder.name}"

    @property
    def fingerprint(self) -> str:
        """A hash of all entries, both embedders, the index's settings and the retriever's options."""
        parts = (self.store.fingerprint, self.embedder.fingerprint, self.query_embedder.fingerprint, self.index.settings, self.retriever)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def capabilities(self) -> frozenset[str]:
        """ "score", since passages come with theirs, and "grad" where the embedder has it."""
        return frozenset({"score"}) | (self.embedder.capabilities & {"grad"})

    def __len__(self) -> int:
        return len(self.store)

    def write(self, entries: Sequence[Entry], vectors: ArrayLike | None = None) -> NDArray[np.int64]:
        """Keeps the entries, all or none, and gives their ids (n,). vectors (n, d): used instead of the embedder's.

        Raises InputError for a picture that the embedder cannot take, an id that is there already, and what the disk refuses.
        """
        made = self.embed(entries) if vectors is None else _detached(vectors)
        ids = self.store.add(entries, made)
        if self.store.loaded == self._loaded:
            self.index.add(ids, made)
        else:  # another process wrote in between
            self._reindex()
        return ids

    def remember(self, text: str, *, source: str = "", trusted: bool = False) -> int:
        """Keeps one text and gives its id."""
        return int(self.write([Entry(text, source=source, trusted=trusted)])[0])

    def forget(self, ids: Sequence[int] | NDArray[np.int64]) -> None:
        """Removes the entries, all or none. Raises InputError for an id that is not there."""
        self.store.remove(ids)
        self.index.remove(np.asarray(ids, np.int64))
        self._renew()

    def retrieve(self, queries: Sequence[str], *, k: int | None = None, reader: str | None = None) -> list[tuple[Passage, ...]]:
        """For each query the k nearest passages (the retriever's k by default), nearest first, ties by lower id.

        reader: only what this one may read is given; None: the system itself asks, and everything is.
        """
        if not queries:
            return []
        return self.nearest(_in_batches(self.query_embedder, list(queries)), k=k, reader=reader)

    def nearest(self, vectors: ArrayLike, *, k: int | None = None, reader: str | None = None) -> list[tuple[Passage, ...]]:
        """The same for queries that are vectors already (n, d), such as a picture's embedding."""
        wanted, most = np.asarray(_detached(vectors), np.float32), self.retriever.k if k is None else k
        while True:
            self._renew()
            try:
                return self._nearest(wanted, most, reader)
            except InputError:
                if not self.store.refresh():  # else another process forgot an entry after it was found
                    raise

    def _nearest(self, wanted: NDArray[np.float32], most: int, reader: str | None) -> list[tuple[Passage, ...]]:
        found: list[tuple[Passage, ...]] = [()] * len(wanted)
        left, depth = np.arange(len(wanted)), min(most, max(len(self.index), 1))
        while len(left):
            hits = self.index.search(wanted[left], depth)
            unfinished = []
            for place, query in enumerate(left.tolist()):
                found[query], finished = self._chosen(hits, place, most, reader)
                if not finished and depth < len(self.index):
                    unfinished.append(query)
            # What was left out may hide others further down.
            left, depth = np.asarray(unfinished, np.int64), min(4 * depth, max(len(self.index), 1))
        return found

    def embed(self, entries: Sequence[Entry]) -> NDArray[np.float32]:
        """(n, d): the vectors of entries, a picture's by the picture alone."""
        made = np.empty((len(entries), self.store.dimension), np.float32)
        texts = [place for place, entry in enumerate(entries) if entry.pixels is None]
        if texts:
            made[texts] = _in_batches(self.embedder, [entries[place].text for place in texts])
        for place, entry in enumerate(entries):
            if entry.pixels is not None:
                made[place] = self._picture(entry.pixels)
        return made

    def recall(self, queries: Sequence[str], k: int | None = None) -> float:
        """Share of the truly nearest k entries that the index finds for these queries; 1 for the exact index.

        What an index misses looks like an attack that failed: report this beside every figure.
        """
        self._renew()
        exact = Exact.over(self.store, self.retriever.similarity)
        return recall(self.index, exact, _in_batches(self.query_embedder, list(queries)), self.retriever.k if k is None else k)

    def close(self) -> None:
        """Keeps the index beside the store where it can be kept, and closes the files."""
        try:
            if isinstance(self.index, Kept):
                self.index.keep(self.store)
        finally:
            self.store.close()

    def __enter__(self) -> Memory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chosen(self, hits: Hits, place: int, most: int, reader: str | None) -> tuple[tuple[Passage, ...], bool]:
        """The passages of one query among its hits, and whether no further hit could change them."""
        kept: list[Passage] = []
        said: set[object] = set()
        for number, score in zip(hits.ids[place].tolist(), hits.scores[place].tolist(), strict=True):
            if number < 0 or (self.retriever.least is not None and score < self.retriever.least):
                return tuple(kept), True
            (entry,) = self.store.get([number])
            if reader is not None and entry.readers is not None and reader not in entry.readers:
                continue
            content = (entry.text, None if entry.pixels is None else (entry.pixels.shape, entry.pixels.tobytes()))
            if self.retriever.distinct and content in said:
                continue
            said.add(content)
            kept.append(Passage(entry, score, len(kept) + 1))
            if len(kept) == most:
                return tuple(kept), True
        return tuple(kept), False

    def _picture(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        if not isinstance(self.embedder, Encoder) or "image" not in self.embedder.modalities:
            raise InputError(
                f"{self.embedder.name} embeds no pictures; an encoder of pictures and text is needed, such as reference:encoder"
            )
        size = self.embedder.image_size
        if size is not None and pixels.shape[1:] != size:
            raise InputError(f"a picture is {pixels.shape[2]} x {pixels.shape[1]}; {self.embedder.name} takes {size[1]} x {size[0]} pixels")
        with torch.no_grad():
            vector: NDArray[np.float32] = self.embedder.embed_image(torch.from_numpy(pixels.copy())[None])[0].cpu().numpy()
        return vector

    def _renew(self) -> None:
        if self.store.refresh() or self.store.loaded != self._loaded:
            self._reindex()

    def _reindex(self) -> None:
        self._loaded = self.store.loaded
        self.index: Index = self._over(self.store, self.retriever.similarity)


def _detached(vectors: ArrayLike) -> ArrayLike:
    """A tensor with a history as plain numbers."""
    return vectors.detach().cpu().numpy() if isinstance(vectors, torch.Tensor) else vectors


def _dimension(embedder: TextEmbedder) -> int:
    with torch.no_grad():
        return int(embedder.embed_text(["a"]).shape[1])


def _in_batches(embedder: TextEmbedder, texts: list[str]) -> NDArray[np.float32]:
    with torch.no_grad():
        parts = [embedder.embed_text(texts[start : start + BATCH]).cpu().numpy() for start in range(0, len(texts), BATCH)]
    return np.concatenate(parts).astype(np.float32)
