"""The exact index beside a slow twin, whatever the chunk and the order; and its refusals."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.errors import InputError
from hartley.targets.memory import COSINE, DOT, Entry, Exact, Faiss, Similarity, Store
from hartley.targets.memory.index import Index, recall

CLIPPED = Similarity(cosine=False, clip=1.5)
SIMILARITIES = (COSINE, DOT, CLIPPED)


def lengths_of(vector: np.ndarray) -> float:
    return float(np.sqrt((vector.astype(np.float64) ** 2).sum()))


def slow_score(query: np.ndarray, entry: np.ndarray, similarity: Similarity) -> float:
    """One pair at a time, as the definition says."""
    product = float((entry.astype(np.float64) * query.astype(np.float64)).sum())
    long, asked = lengths_of(entry), lengths_of(query)
    if similarity.cosine:
        return product * (1 / long) * (1 / asked) if long > 0 and asked > 0 else 0.0
    return product if similarity.clip is None or long <= similarity.clip else product * (similarity.clip * (1 / long))


def slow(queries: np.ndarray, ids: np.ndarray, vectors: np.ndarray, k: int, similarity: Similarity) -> list[list[tuple[int, float]]]:
    """Every score, then a sort by (score, id)."""
    found = []
    for query in queries:
        scored = [(slow_score(query, vector, similarity), int(number)) for number, vector in zip(ids, vectors, strict=True)]
        found.append([(number, score) for score, number in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]])
    return found


def clustered(count: int, d: int, seed: int, clusters: int = 40) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(clusters, d))[random.integers(clusters, size=count)] + 0.6 * random.normal(size=(count, d))).astype(
        np.float32
    )


def filled(index: Index, vectors: np.ndarray, ids: np.ndarray | None = None) -> Index:
    index.add(np.arange(len(vectors)) if ids is None else ids, vectors)
    return index


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=["cosine", "dot", "clipped"])
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 6), st.integers(1, 12), st.integers(1, 70))
def test_exact_is_the_slow_twin(similarity: Similarity, seed: int, count: int, d: int, k: int, chunk: int) -> None:
    random = np.random.default_rng(seed)
    # Few distinct values in few dimensions: many ties, duplicates and zeros.
    vectors, queries = (random.integers(-2, 3, size=(n, d)).astype(np.float32) * 0.7 for n in (count, 3))
    ids = random.permutation(1000)[:count]
    hits = filled(Exact(d, similarity, chunk=chunk), vectors, ids).search(queries, k)
    for row, twin in enumerate(slow(queries, ids, vectors, k, similarity)):
        assert hits.ids[row, : len(twin)].tolist() == [number for number, _ in twin]
        assert hits.scores[row, : len(twin)] == pytest.approx([score for _, score in twin], rel=1e-13, abs=1e-13)
        assert (hits.ids[row, len(twin) :] == -1).all() and np.isneginf(hits.scores[row, len(twin) :]).all()


@pytest.mark.parametrize("similarity", SIMILARITIES, ids=["cosine", "dot", "clipped"])
def test_exact_is_the_slow_twin_on_real_numbers(similarity: Similarity) -> None:
    vectors = np.concatenate([clustered(900, 64, 3), np.repeat(clustered(1, 64, 5), 200, axis=0)])
    queries = np.concatenate([clustered(5, 64, 4), vectors[-1:]])
    ids = np.random.default_rng(0).permutation(5000)[: len(vectors)]
    hits = filled(Exact(64, similarity, chunk=97), vectors, ids).search(queries, 10)
    assert hits.ids.tolist() == [[number for number, _ in twin] for twin in slow(queries, ids, vectors, 10, similarity)]


def test_no_chunk_order_batch_or_way_of_adding_changes_an_answer() -> None:
    # A third of the vectors are copies: their scores must be equal to the last bit wherever they stand.
    vectors = clustered(3000, 48, 1)
    vectors[2000:] = vectors[:1000]
    queries = clustered(150, 48, 2)
    wanted = filled(Exact(48), vectors).search(queries, 7)
    for chunk in (1, 63, 1000, 4096):
        hits = filled(Exact(48, chunk=chunk), vectors).search(queries[:20] if chunk == 1 else queries, 7)
        assert np.array_equal(hits.ids, wanted.ids[: len(hits.ids)]) and np.array_equal(hits.scores, wanted.scores[: len(hits.ids)])
    order = np.random.default_rng(3).permutation(3000)
    mixed, piecewise = filled(Exact(48), vectors[order], order), Exact(48)
    for start, stop in pairwise([0, 1, 2, 250, 255, 256, 257, 2000, 3000]):
        piecewise.add(np.arange(start, stop), vectors[start:stop])
    single = [filled(Exact(48), vectors).search(queries[i : i + 1], 7) for i in range(10)]
    for hits in (mixed.search(queries, 7), piecewise.search(queries, 7)):
        assert np.array_equal(hits.ids, wanted.ids) and np.array_equal(hits.scores, wanted.scores)
    assert np.array_equal(np.concatenate([hits.ids for hits in single]), wanted.ids[:10])


def test_nearly_equal_scores_are_told_apart_where_float32_cannot() -> None:
    """Entries whose cosines differ by less than the rounding of a float32 product: the order must still be the true one."""
    random = np.random.default_rng(0)
    query = random.normal(size=256).astype(np.float32)
    vectors = np.tile(query, (400, 1))
    vectors[np.arange(400), random.integers(256, size=400)] += np.float32(2e-3) * random.normal(size=400).astype(np.float32)
    hits = filled(Exact(256, chunk=50), vectors).search(query[None], 25)
    assert hits.ids[0].tolist() == [number for number, _ in slow(query[None], np.arange(400), vectors, 25, COSINE)[0]]
    product = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)) @ (query / np.linalg.norm(query))
    assert np.argsort(-product, kind="stable")[:25].tolist() != hits.ids[0].tolist(), "the case must be one that float32 gets wrong"


def test_entries_come_and_go() -> None:
    vectors, index = clustered(1200, 16, 0), Exact(16)
    alive: set[int] = set()
    random = np.random.default_rng(1)
    for start in range(0, 1200, 60):
        index.add(np.arange(start, start + 60), vectors[start : start + 60])
        alive |= set(range(start, start + 60))
        gone = random.choice(sorted(alive), 40, replace=False)
        index.remove([*gone, 99999])
        alive -= set(gone.tolist())
        assert len(index) == len(alive)
    left = np.array(sorted(alive))
    hits, twin = index.search(vectors[:9], 30), filled(Exact(16), vectors[left], left).search(vectors[:9], 30)
    assert np.array_equal(hits.ids, twin.ids) and np.array_equal(hits.scores, twin.scores)
    index.remove(left)
    assert len(index) == 0 and (index.search(vectors[:2], 3).ids == -1).all()


def test_a_clipped_length_takes_the_advantage_from_a_long_entry() -> None:
    vectors = np.array([[0.9, 0.1], [5.0, 5.0]], np.float32)
    query = np.array([[1.0, 0.0]], np.float32)
    assert filled(Exact(2, DOT), vectors).search(query, 1).ids[0, 0] == 1
    assert filled(Exact(2, Similarity(cosine=False, clip=1.0)), vectors).search(query, 1).ids[0, 0] == 0
    assert filled(Exact(2, COSINE), vectors).search(query, 1).ids[0, 0] == 0
    for wrong in ({"cosine": True, "clip": 1.0}, {"cosine": False, "clip": 0.0}, {"cosine": False, "clip": -1.0}):
        with pytest.raises(InputError, match="positive limit, with the dot product"):
            Similarity(**wrong)


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "m", dimension=32) as made:
        vectors = clustered(4000, 32, 0)
        made.add([Entry(f"entry {i}", id=i) for i in range(4000)], vectors)
        yield made


def test_the_index_of_a_store_is_the_index_of_its_entries(store: Store) -> None:
    queries = clustered(30, 32, 9)
    store.remove(range(0, 4000, 3))
    left = np.array([i for i in range(4000) if i % 3])
    for similarity in SIMILARITIES:
        hits = Exact.over(store, similarity).search(queries, 5)
        twin = filled(Exact(32, similarity), clustered(4000, 32, 0)[left], left).search(queries, 5)
        assert np.array_equal(hits.ids, twin.ids) and np.array_equal(hits.scores, twin.scores)
    index = Exact.over(store, COSINE)
    assert isinstance(index, Index) and len(index) == len(left)
    index.add([7000], queries[:1])
    index.remove([1])
    assert index.search(queries[:1], 1).ids.tolist() == [[7000]] and len(index) == len(left)


def test_recall_counts_what_it_says(store: Store) -> None:
    class Lossy(Exact):
        def search(self, queries, k):
            hits = super().search(queries, k)
            hits.ids[::2, 0], hits.scores[::2, 0] = -1, -np.inf
            return hits

    queries, exact = clustered(40, 32, 9), Exact.over(store, COSINE)
    assert recall(Lossy.over(store, COSINE), exact, queries, 5) == pytest.approx(0.9)
    assert np.isnan(recall(Exact(32), Exact(32), queries, 5))
    # one of two equals is as good as the other
    one, other = filled(Exact(2), np.ones((1, 2)), np.array([1])), filled(Exact(2), np.ones((2, 2)), np.array([0, 1]))
    assert recall(one, other, np.ones((1, 2)), 1) == 1.0


def test_without_faiss_one_line_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r"pip install -e '.\[index\]'"):
        Faiss(8)


def test_what_cannot_be_compared_is_refused() -> None:
    index = filled(Exact(8), clustered(50, 8, 0))
    for wrong, how in (
        (np.full((2, 8), np.nan), "row 0, is not finite"),
        (np.ones((2, 7)), r"\(n, 8\)"),
        (np.ones(8), r"\(n, 8\)"),
        ([["a"] * 8], "not an array of numbers"),
    ):
        with pytest.raises(InputError, match=how):
            index.search(wrong, 3)
        with pytest.raises(InputError, match=how):
            index.add([1, 2], wrong)
    with pytest.raises(InputError, match="the 0 nearest"):
        index.search(np.ones((1, 8)), 0)
    assert index.search(np.zeros((0, 8)), 3).ids.shape == (0, 3) and len(index) == 50
