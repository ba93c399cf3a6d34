"""Cache: tensors that several cells share (a poisoned model, crafted inputs), computed once whoever asks first."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hartley import files
from hartley.errors import InputError
from hartley.runs.plan import digest
from hartley.runs.store import SEAL, Store

MOST_BYTES = 2**33


@dataclass(frozen=True)
class Cache:
    """The cache of one cell; `shelf` sets apart whatever must not be shared (`Cell.shelf`).

    waiting   called with True when this worker starts to wait for another that computes the same entry, then with False.
    lost      how many requests a server has left unanswered so far. What was computed while one was is not put there: the next
              cell asks again.
    """

    store: Store
    shelf: str
    waiting: Callable[[bool], None]
    lost: Callable[[], int] = int

    def __call__(self, name: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors of that name, from the cache, or computed and put there.

        They always come from the file, also right after they were computed, and `compute` draws from a random state of
        its own: so a cell gets the same bits, and goes on from the same random state, whether it came first or not.
        """
        entry = digest({"shelf": self.shelf, "name": name})[:32]
        path = self.store.cache_file(entry)
        if (found := _load(path)) is not None:
            return found
        with self._turn(entry):
            if (found := _load(path)) is not None:
                return found
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(entry[:15], 16))
                before = self.lost()
                content = _bytes(compute())
            if self.lost() == before:
                self.store.write_cache(entry, content)
        return safetensors.torch.load(content)

    @contextlib.contextmanager
    def _turn(self, entry: str) -> Iterator[None]:
        # A lock of the system, not a marker file: it is gone with the worker that held it, even one that was killed.
        with self.store.lock_cache(entry) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.waiting(True)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                finally:
                    self.waiting(False)
            yield


def _load(path: Path) -> dict[str, Tensor] | None:
    # Read whole and parsed from memory: a map of the file would change under us if somebody replaced it.
    try:
        content = files.read(path, MOST_BYTES)
        size = int.from_bytes(content[:8], "little")
        seal = files.parsed_json(content[8 : 8 + size], path)["__metadata__"][SEAL] if size < len(content) else ""
        tensors: dict[str, Tensor] = safetensors.torch.load(content)
        # An entry that is not what was put there is computed again.
        return tensors if hashlib.sha256(safetensors.torch.save(tensors)).hexdigest() == seal else None
    except (InputError, safetensors.SafetensorError, ValueError, KeyError, TypeError):
        return None


def _bytes(tensors: dict[str, Tensor]) -> bytes:
    # Cloned, because the format refuses tensors that share memory.
    plain = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in sorted(tensors.items())}
    seal = hashlib.sha256(safetensors.torch.save(plain)).hexdigest()
    return bytes(safetensors.torch.save(plain, metadata={SEAL: seal}))
