"""Memories under damage, full disks and requests that make no sense: one line each, nothing lost, no file left open."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hartley.errors import InputError
from hartley.targets.memory import COSINE, DOT, Entry, Exact, Faiss, Memory, Retriever, Similarity, Store
from hartley.targets.memory.lexical import Lexical

D = 8


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32)


def texts(count: int) -> list[Entry]:
    return [Entry(f"entry {i}") for i in range(count)]


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
@pytest.mark.parametrize("similarity", [COSINE, DOT], ids=["cosine", "dot"])
@pytest.mark.parametrize("index", [Exact, Faiss])
def test_a_damaged_vector_is_told_by_every_index(tmp_path: Path, value: float, similarity: Similarity, index: type) -> None:
    """Also where it was not drawn to train the clusters, and where its square alone is beyond a float32."""
    if index is Faiss:
        pytest.importorskip("faiss")
    with Store(tmp_path, dimension=D) as store:
        store.add(texts(300), vectors(300))
    content = np.fromfile(tmp_path / "vectors.f32", np.float32)
    content[D * 41] = value
    content.tofile(tmp_path / "vectors.f32")
    with Store(tmp_path, verify=False) as store:
        if np.isfinite(value):  # a number after all: an index takes it, and the store's check says that it is not what was written
            index.over(store, similarity)
            with pytest.raises(InputError, match="entry 42 or its vector is not what was written"):
                store.check()
        else:
            with pytest.raises(InputError, match="vector of entry 42 is not finite, so its file is damaged"):
                index.over(store, similarity)


def test_a_removed_entry_s_vector_may_be_anything(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    with Store(tmp_path, dimension=D) as store:
        store.add(texts(300), vectors(300))
        store.remove([42])
    content = np.fromfile(tmp_path / "vectors.f32", np.float32)
    content[D * 41] = np.nan
    content.tofile(tmp_path / "vectors.f32")
    with Store(tmp_path) as store:
        assert len(Exact.over(store, COSINE)) == len(Faiss.over(store, COSINE)) == 299


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_of_lengths_is_a_positive_number(limit: float) -> None:
    with pytest.raises(InputError, match="a positive limit"):
        Similarity(cosine=False, clip=limit)


def test_more_entries_than_there_are_can_be_asked_for() -> None:
    """As many as anybody likes: room is made for those that there are."""
    with Memory(Lexical(D)) as memory:
        assert memory.retrieve(["anna"], k=10**12) == [()]
        memory.write([Entry("anna lives in paris"), Entry("bob lives in rome"), Entry("carla lives in oslo")])
        (found,) = memory.retrieve(["anna"], k=10**12)
        assert [passage.rank for passage in found] == [1, 2, 3] and found[0].entry.text.startswith("anna")
        (again,) = memory.retrieve(["anna"], k=2)
        assert again == found[:2]


def test_a_lowest_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="lowest score is NaN"):
        Retriever(least=float("nan"))


class Broken:
    """An embedder that gives no numbers."""

    name, fingerprint, capabilities = "broken", "b" * 64, frozenset({"text"})

    def embed_text(self, given):
        import torch

        return torch.full((len(given), D), float("nan"))


def test_an_embedder_that_gives_nan_writes_nothing_and_finds_nothing(tmp_path: Path) -> None:
    with Memory(Broken(), tmp_path) as memory:
        with pytest.raises(InputError, match="a vector to be stored, row 0, is not finite"):
            memory.remember("anna lives in paris")
        assert len(memory) == 0
        memory.write([Entry("bob")], vectors(1))
        with pytest.raises(InputError, match="a query, row 0, is not finite"):
            memory.retrieve(["who"])


def test_an_index_that_cannot_be_made_or_kept_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened() -> int:
        return sum(str(tmp_path) in os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd"))

    def fails(*_: object) -> Exact:
        raise InputError("no index")

    if not Path("/proc/self/fd").exists():
        pytest.skip("open files are counted in /proc")
    with pytest.raises(InputError, match="no index"):
        Memory(Lexical(D), tmp_path, index=fails)
    assert opened() == 0
    pytest.importorskip("faiss")
    memory = Memory(Lexical(D), tmp_path, index=Faiss.over)
    memory.remember("anna lives in paris")
    monkeypatch.setattr(Faiss, "keep", fails)
    with pytest.raises(InputError, match="no index"):
        memory.close()
    assert opened() == 0


LIMITED = """
import resource, sys
import numpy as np
from hartley.errors import InputError
from hartley.targets.memory import COSINE, Faiss, Store
store = Store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    Faiss.over(store, COSINE)
except InputError as error:
    print(error)
"""


def test_a_disk_that_takes_no_index_is_told_and_leaves_no_part(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    with Store(tmp_path, dimension=D) as store:
        store.add(texts(2000), vectors(2000))
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert "faiss.index: cannot be used" in line and "what was written before is kept" in line
    assert not [path.name for path in tmp_path.iterdir() if "faiss" in path.name]
    with Store(tmp_path) as store:
        store.check()


KEEPING = """
import os, signal, sys
from pathlib import Path
from hartley.targets.memory import COSINE, Faiss, Store
import hartley.targets.memory.approximate as approximate
moments = {"the part is written": (approximate, "_sha256"), "the index is there": (Path, "write_text")}
where, name = moments[sys.argv[2]]
setattr(where, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
Faiss.over(Store(sys.argv[1]), COSINE)
"""


@pytest.mark.parametrize("moment", ["the part is written", "the index is there"])
def test_killed_while_it_is_kept_an_index_is_made_again(tmp_path: Path, moment: str) -> None:
    pytest.importorskip("faiss")
    with Store(tmp_path, dimension=D) as store:
        store.add(texts(300), vectors(300))
    assert subprocess.run([sys.executable, "-c", KEEPING, str(tmp_path), moment], check=False).returncode == -9
    (left,) = tmp_path.glob(".part-*") if moment == "the part is written" else [tmp_path / ".part-none"]
    with Store(tmp_path) as store:
        assert Faiss.over(store, COSINE, probes=10**6).search(vectors(1), 1).ids.tolist() == [[1]]
        assert left.exists() is (moment == "the part is written"), "a young part may be another process's"
        if left.exists():
            os.utime(left, (time.time() - 7200,) * 2)
        store.add(texts(1), vectors(1, 9))
        Faiss.over(store, COSINE)
    assert not list(tmp_path.glob(".part-*"))


def test_two_processes_keep_an_index_at_once(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    with Store(tmp_path, dimension=D) as store:
        store.add(texts(3000), vectors(3000))
    code = """
import sys
from pathlib import Path
from hartley.targets.memory import COSINE, Faiss, Store
with Store(sys.argv[1]) as store:
    index = Faiss(8)
    index._make(store)
    for _ in range(40):
        index._kept_for = ""
        index.keep(store)
"""
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert said == ["", ""]
    with Store(tmp_path) as store:
        assert len(Faiss.over(store, COSINE)) == 3000


def test_an_entry_that_another_process_forgets_while_it_is_found_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Memory(Lexical(D), tmp_path) as memory:
        ids = memory.write([Entry("anna lives in paris"), Entry("anna works in rome")])
        nearest, search, calls = memory.retrieve(["anna"])[0][0].entry.id, Exact.search, []

        def forgets(index: Exact, queries: np.ndarray, k: int):
            hits = search(index, queries, k)
            if not calls:
                with Store(tmp_path) as other:
                    other.remove([nearest])
            calls.append(k)
            return hits

        monkeypatch.setattr(Exact, "search", forgets)
        ((passage,),) = memory.retrieve(["anna"])
        assert {passage.entry.id, nearest} == set(ids.tolist()) and len(calls) == 2
        with pytest.raises(InputError, match="at least 1"):
            memory.retrieve(["anna"], k=0)
