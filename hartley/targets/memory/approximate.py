"""The approximate index: faiss looks only into the clusters nearest to a query (inverted lists), and is kept beside the store."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley import files
from hartley.errors import InputError
from hartley.targets.memory.faults import told
from hartley.targets.memory.index import Hits
from hartley.targets.memory.similarity import COSINE, Similarity
from hartley.targets.memory.store import Store
from hartley.targets.memory.vectors import checked, lengths, refuse_damaged

FILE, CARD, PART = "faiss.index", "faiss.json", ".part-faiss-"
CARD_BYTES = 2**16
OLD_SECONDS = 3600.0
"""So old, an unfinished part belongs to nobody who is alive."""
FEWEST_A_LIST = 39
"""Below so many training vectors a list, faiss warns that its clusters mean little."""
TRAINED_A_LIST = 64
CHUNK = 65_536


class Faiss:
    """Inverted lists over flat vectors (faiss IndexIVFFlat): clusters by k-means from a seed, entries can come and go.

    lists   how many clusters; None: 2 sqrt(n) of the n entries that are there when it is made (fewer when n is small).
    probes  how many of them a query looks into; more find more and take longer. Measure the share found with `recall`.

    Inverted lists and not a graph: a graph's build depends on threads, takes several times as long, and forgets nothing.
    Raises InputError without faiss (the extra `index`).
    """

    def __init__(
        self, dimension: int, similarity: Similarity = COSINE, *, lists: int | None = None, probes: int = 32, seed: int = 0
    ) -> None:
        self._dimension, self._similarity, self._lists, self._probes, self._seed = dimension, similarity, lists, probes, seed
        self._faiss = _library()
        self._index: Any = None
        self._kept_for = ""

    @classmethod
    def over(cls, store: Store, similarity: Similarity, *, lists: int | None = None, probes: int = 32, seed: int = 0) -> Faiss:
        """The index of a store's entries: the one in its folder when it fits them and the settings, otherwise a new one, kept there.

        Raises InputError when an entry's vector is damaged, and when the folder does not take the index.
        """
        index = cls(store.dimension, similarity, lists=lists, probes=probes, seed=seed)
        if len(store) and not index._found(store):
            index._make(store)
            index.keep(store)
        return index

    @property
    def settings(self) -> str:
        return f"faiss {self._faiss.__version__} inverted lists {self._lists}, {self._probes} probes, seed {self._seed}, {self._similarity}"

    def __len__(self) -> int:
        return 0 if self._index is None else int(self._index.ntotal)

    def add(self, ids: ArrayLike, vectors: ArrayLike) -> None:
        matrix = checked(vectors, self._dimension, "a vector to be indexed")
        if len(matrix):
            scaled = self._scaled(matrix)
            if self._index is None:
                self._train(scaled, len(scaled))
            self._index.add_with_ids(scaled, np.asarray(ids, np.int64))

    def remove(self, ids: ArrayLike) -> None:
        if self._index is not None:
            self._index.remove_ids(np.asarray(ids, np.int64))

    def search(self, queries: ArrayLike, k: int) -> Hits:
        wanted = checked(queries, self._dimension, "a query")
        if k < 1:
            raise InputError(f"the {k} nearest entries were asked for; at least 1 is accepted")
        if self._index is None:
            return Hits(np.full((len(wanted), k), -1, np.int64), np.full((len(wanted), k), -np.inf))
        found, ids = self._index.search(wanted, k)
        scores = np.where(ids >= 0, found.astype(np.float64), -np.inf) * self._similarity.query_factors(lengths(wanted))[:, None]
        order = np.lexsort((ids, -scores))
        return Hits(np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1))

    def keep(self, store: Store) -> None:
        """Writes it into the store's folder, whole or not at all; nothing for a store in memory."""
        if store.folder is None or self._index is None:
            return
        # a part of its own, so that two processes that keep it at once do not write into one
        path, part = store.folder / FILE, store.folder / f"{PART}{os.getpid()}"
        if self._kept_for == store.fingerprint and path.is_file():
            return
        _sweep(store.folder)
        try:
            with told(path):
                try:
                    self._faiss.write_index(self._index, str(part))
                except RuntimeError as error:  # faiss tells a full disk so
                    raise OSError(0, str(error).splitlines()[-1][:120]) from None
                card = {"entries": store.fingerprint, "settings": self.settings, "sha256": _sha256(part)}
                os.replace(part, path)
                # A kill between the two leaves a card that does not fit, and the index is made again.
                part.write_text(json.dumps(card), encoding="utf-8")
                os.replace(part, store.folder / CARD)
                self._kept_for = store.fingerprint
        finally:
            with contextlib.suppress(OSError):
                part.unlink()

    def _found(self, store: Store) -> bool:
        if store.folder is None:
            return False
        path = store.folder / FILE
        try:
            card = files.parsed_json(files.read(store.folder / CARD, CARD_BYTES, root=store.folder), CARD)
            if card != {"entries": store.fingerprint, "settings": self.settings, "sha256": _sha256(path, store.folder)}:
                return False
            index = self._faiss.read_index(str(path))
        except (InputError, OSError, ValueError, RuntimeError):
            return False
        wanted = self._lists_for(len(store))
        if index.d != self._dimension or index.ntotal != len(store) or not wanted / 2 <= index.nlist <= wanted * 2:
            return False  # the entries have outgrown its clusters
        index.nprobe = self._probes
        self._index, self._kept_for = index, store.fingerprint
        return True

    def _make(self, store: Store) -> None:
        count = len(store)
        for ids, vectors in store.chunks(CHUNK):
            refuse_damaged(ids, lengths(vectors))
        rows = np.flatnonzero(store.ids >= 0)
        most = TRAINED_A_LIST * self._lists_for(count)
        if count > most:
            rows = np.sort(np.random.default_rng(self._seed).choice(rows, most, replace=False))
        self._train(self._scaled(np.asarray(store.vectors[rows])), count)
        for ids, vectors in store.chunks(CHUNK):
            self._index.add_with_ids(self._scaled(vectors), ids)

    def _train(self, sample: NDArray[np.float32], count: int) -> None:
        inner = self._faiss.METRIC_INNER_PRODUCT
        index = self._faiss.IndexIVFFlat(self._faiss.IndexFlatIP(self._dimension), self._dimension, self._lists_for(count), inner)
        index.cp.seed, index.cp.min_points_per_centroid = self._seed, 1
        index.cp.spherical = self._similarity.cosine
        index.train(sample)
        index.nprobe = self._probes
        self._index = index

    def _lists_for(self, count: int) -> int:
        return max(1, min(self._lists or round(2 * math.sqrt(count)), count // FEWEST_A_LIST))

    def _scaled(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        return (matrix * self._similarity.entry_factors(lengths(matrix))[:, None]).astype(np.float32)


def _library() -> ModuleType:
    try:
        import faiss
    except ImportError:
        raise InputError("an approximate index needs faiss: pip install -e '.[index]'; the exact one needs nothing") from None
    return faiss


def _sweep(folder: Path) -> None:
    """Deletes what killed processes left unfinished."""
    for left in folder.glob(f"{PART}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > OLD_SECONDS:
                left.unlink()


def _sha256(path: Path, root: Path | None = None) -> str:
    with files.opened(path, root=root) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
