"""The memory's indexes beside two other embedded stores: build, query, recall and peak memory, in one run.

    python benchmarks/memory.py [--entries 100000 1000000] [--method exact ...] [--minutes 20] [--threads 1]

Vectors of 384 dimensions, clustered, from a seed; queries are fresh draws of the same law; cosine, the 5 nearest. Each method
runs in a process of its own, which reads the vectors from a file piece by piece, so that peak memory is its own. Times are
seconds of processor time. `build` ends with the index on disk, `open` is a new process's way to the first answer. exact and
faiss are Hartley's, over Hartley's store (its own row: texts and vectors written durably); usearch and hnswlib come with their own
defaults for the build, float32 and a search width of 64. Recall is against the exact answer of this run, with 95% limits over
the queries (Clopper and Pearson; a query found in part counts as that part of one, which can only widen them). A step that has used
up --minutes of processor time is stopped and told, and so is a peer that is not installed: hnswlib has no wheel (its extra,
bench-compiled, needs pybind11 and a C++ compiler), so that `make bench` leaves it out. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402 (threads are set before numpy loads)

D, K, PIECE, BATCH = 384, 5, 20_000, 256
INNER, NOISE = 32, 0.05
SINGLE_SECONDS = 4.0
Search = Callable[[np.ndarray], np.ndarray]


def law(entries: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(centers (c, 32), weights (c,), map (32, 384)): clusters of uneven sizes in 32 dimensions, as embeddings of sentences have about."""
    random = np.random.default_rng(0)
    count = max(20, entries // 200)
    weights = 1 / np.arange(1, count + 1) ** 0.5
    mapped = random.normal(size=(INNER, D)) / INNER**0.5
    return random.normal(size=(count, INNER)), weights / weights.sum(), mapped


def draw(entries: int, count: int, seed: int) -> np.ndarray:
    """(count, 384) float32 of unit norm."""
    centers, weights, mapped = law(entries)
    random = np.random.default_rng(seed)
    inner = centers[random.choice(len(centers), count, p=weights)] + 0.6 * random.normal(size=(count, INNER))
    drawn = (inner @ mapped + NOISE * random.normal(size=(count, D))).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def pieces(folder: Path, entries: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(ids, vectors) from the file, read and not mapped."""
    with (folder / "vectors.bin").open("rb") as file:
        for start in range(0, entries, PIECE):
            count = min(PIECE, entries - start)
            tell(f"{start + count:,} of {entries:,}")
            yield np.arange(start, start + count), np.frombuffer(file.read(count * D * 4), np.float32).reshape(count, D)


def tell(what: str) -> None:
    print(f"\r{what:60}", end="", file=sys.stderr, flush=True)


# Each method: build in `folder` and leave it on disk; then open it and give a search that returns ids (n, 5).


def build_store(folder: Path, entries: int) -> None:
    from hartley.targets.memory import Entry, Store

    with Store(folder / "store", dimension=D) as store:
        for ids, vectors in pieces(folder, entries):
            store.add([Entry(f"entry {i} of the corpus: " + "some words " * 20, source="synthetic", id=i) for i in ids.tolist()], vectors)


def open_store(folder: Path, entries: int) -> Search:
    from hartley.targets.memory import Store

    store = Store(folder / "store")
    assert len(store) == entries

    def fetch(queries: np.ndarray) -> np.ndarray:
        """Five texts by id for each query: what retrieval adds to a search."""
        for place in range(len(queries)):
            store.get([(place * 7919 + j * 104_729) % entries for j in range(K)])
        return np.zeros((len(queries), K), np.int64)

    return fetch


def build_exact(folder: Path, entries: int) -> None:
    """Nothing: the store's own file is searched."""


def open_exact(folder: Path, entries: int) -> Search:
    from hartley.targets.memory import COSINE, Exact, Store

    index = Exact.over(Store(folder / "store"), COSINE)
    return lambda queries: index.search(queries, K).ids


def build_faiss(folder: Path, entries: int) -> None:
    from hartley.targets.memory import COSINE, Faiss, Store

    Faiss.over(Store(folder / "store"), COSINE)


def open_faiss(folder: Path, entries: int) -> Search:
    from hartley.targets.memory import COSINE, Faiss, Store

    index = Faiss.over(Store(folder / "store"), COSINE)
    return lambda queries: index.search(queries, K).ids


def build_usearch(folder: Path, entries: int) -> None:
    from usearch.index import Index

    index = Index(ndim=D, metric="cos", dtype="f32", expansion_search=64)
    for ids, vectors in pieces(folder, entries):
        index.add(ids, vectors, threads=threads())
    index.save(folder / "usearch")


def open_usearch(folder: Path, entries: int) -> Search:
    from usearch.index import Index

    index = Index(ndim=D, metric="cos", dtype="f32", expansion_search=64)
    index.load(folder / "usearch")
    return lambda queries: np.asarray(index.search(queries, K, threads=threads()).keys).reshape(len(queries), -1)


def build_hnswlib(folder: Path, entries: int) -> None:
    import hnswlib

    index = hnswlib.Index(space="cosine", dim=D)
    index.init_index(entries)
    for ids, vectors in pieces(folder, entries):
        index.add_items(vectors, ids, num_threads=threads())
    index.save_index(str(folder / "hnswlib"))


def open_hnswlib(folder: Path, entries: int) -> Search:
    import hnswlib

    index = hnswlib.Index(space="cosine", dim=D)
    index.load_index(str(folder / "hnswlib"))
    index.set_ef(64)
    return lambda queries: index.knn_query(queries, K, num_threads=threads())[0].astype(np.int64)


Method = tuple[Callable[[Path, int], None], Callable[[Path, int], Search]]
METHODS: dict[str, Method] = {
    "store": (build_store, open_store),
    "exact": (build_exact, open_exact),
    "faiss": (build_faiss, open_faiss),
    "usearch": (build_usearch, open_usearch),
    "hnswlib": (build_hnswlib, open_hnswlib),
}


def threads() -> int:
    return int(os.environ["OMP_NUM_THREADS"])


def memory() -> tuple[float, float]:
    """(peak, now not backed by a file) resident megabytes of this process; getrusage's peak would count the parent's too."""
    own = {words[0]: int(words[1]) for words in map(str.split, Path("/proc/self/status").read_text().splitlines()) if words[-1] == "kB"}
    return own["VmHWM:"] / 1024, own["RssAnon:"] / 1024


def measure_build(method: str, folder: Path, entries: int) -> dict[str, float]:
    begun = time.process_time()
    METHODS[method][0](folder, entries)
    return {"build": time.process_time() - begun, "build MB": memory()[0]}


def measure_open(method: str, folder: Path, entries: int) -> dict[str, float]:
    queries = draw(entries, BATCH, 2)
    begun = time.process_time()
    search = METHODS[method][1](folder, entries)
    search(queries[:1])
    opened = time.process_time() - begun
    begun, asked = time.process_time(), 0
    while asked < BATCH and time.process_time() - begun < SINGLE_SECONDS:
        search(queries[asked : asked + 1])
        asked += 1
    single = (time.process_time() - begun) / asked
    begun = time.process_time()
    found = search(queries)
    batched = (time.process_time() - begun) / BATCH
    np.save(folder / f"{method}.npy", found)
    peak, anonymous = memory()
    return {"open": opened, "single": single * 1e3, "batched": batched * 1e3, "MB": peak, "own MB": anonymous}


STEPS = {"build": measure_build, "open": measure_open}
EXTRAS = {"faiss": "index", "usearch": "bench", "hnswlib": "bench-compiled"}
"""Methods whose package is not always there, and the extra that brings it."""


def child(step: str, method: str, folder: Path, entries: int, minutes: float) -> dict[str, float] | str:
    """One step in a process of its own, or why there is no figure."""
    command = [sys.executable, __file__, "--child", step, method, str(folder), "--entries", str(entries)]
    command += ["--minutes", str(minutes)]  # by the processor's clock, like all figures here: a busy machine stops nobody
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    tell("")
    print("\r", end="", file=sys.stderr)
    if done.returncode == -signal.SIGXCPU:
        return f"not measured: stopped after {minutes:g} minutes in {step}"
    return json.loads(done.stdout) if done.returncode == 0 else f"not measured: {step} ended with {done.returncode}"


def rows(entries: int, wanted: list[str], minutes: float) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hartley-memory-") as made:
        folder = Path(made)
        with (folder / "vectors.bin").open("wb") as file:
            for start in range(0, entries, PIECE):
                tell(f"drawing {start:,} of {entries:,}")
                file.write(draw(entries, min(PIECE, entries - start), 10 + start // PIECE).tobytes())
        for method in METHODS:
            if method not in wanted:
                continue
            if method in EXTRAS and find_spec(method) is None:
                yield f"{entries:>9,} {method:8} not measured: not installed; takes: pip install -e '.[{EXTRAS[method]}]'"
                continue
            figures: dict[str, float] = {}
            for step in STEPS:
                tell(f"{method}: {step}")
                got = child(step, method, folder, entries, minutes)
                if isinstance(got, str):
                    yield f"{entries:>9,} {method:8} {got}"
                    break
                figures |= got
            else:
                yield row(entries, method, figures, folder)


def row(entries: int, method: str, figures: dict[str, float], folder: Path) -> str:
    from hartley.bits.limits import proportion_limits  # not above, where it would add to every method's memory

    share = ""
    if method != "store" and (folder / "exact.npy").exists():
        truth, found = np.load(folder / "exact.npy"), np.load(folder / f"{method}.npy")
        shares = np.array([len(set(a) & set(b)) / K for a, b in zip(truth.tolist(), found.tolist(), strict=True)])
        low, high = proportion_limits(shares.sum(), len(shares))
        share = f"{shares.mean():.4f} [{low:.3f}, {high:.3f}]"
    own = {"store": ("store",), "faiss": ("store/faiss.index",), "usearch": ("usearch",), "hnswlib": ("hnswlib",)}.get(method, ())
    disk = sum(file.stat().st_size for name in own for file in [folder / name, *(folder / name).glob("*")] if file.is_file()) / 2**20
    return (
        f"{entries:>9,} {method:8} {figures['build']:>9.1f} {figures['open']:>8.2f} {figures['single']:>10.3f} {figures['batched']:>11.3f} "
        f"{share:>21} {figures['build MB']:>9.0f} {figures['MB']:>9.0f} {figures['own MB']:>8.0f} {disk:>8.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--method", nargs="+", choices=list(METHODS), default=list(METHODS), help="exact and faiss need the store")
    parser.add_argument("--minutes", type=float, default=20.0, help="of processor time that one step of one method may take")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        step, method, folder = options.child
        resource.setrlimit(resource.RLIMIT_CPU, (round(60 * options.minutes), resource.RLIM_INFINITY))
        print(json.dumps(STEPS[step](method, Path(folder), options.entries[0])))
        return
    os.environ.update(dict.fromkeys(THREADS, str(options.threads)))
    print(f"{D} dimensions, cosine, the {K} nearest of {BATCH} queries, {options.threads} thread(s); processor time")
    print(
        f"{'entries':>9} {'method':8} {'build s':>9} {'open s':>8} {'ms, single':>10} {'ms, batched':>11} {'recall, 95%':>21} "
        f"{'build MB':>9} {'query MB':>9} {'own MB':>8} {'disk MB':>8}"
    )
    for entries in options.entries:
        for line in rows(entries, options.method, options.minutes):
            print(line, flush=True)
    print("query MB: peak resident memory while asking; own MB: the part of it that no file backs (mapped vectors can be given back)")


if __name__ == "__main__":
    main()
