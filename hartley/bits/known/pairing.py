"""Same-class pairing: real embeddings whose information is known, because only their class is shared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.known.task import Task
from hartley.bits.tables import Counts, Floats, binary_entropy_bits
from hartley.errors import InputError


def same_class_pairing(first: ArrayLike, first_label: ArrayLike, second: ArrayLike, second_label: ArrayLike, flip: float = 0.0) -> Task:
    """Pairs of embeddings from two pools, joined only through their classes (the construction of Lee and Rhee 2024).

    first (n1, d1), first_label (n1,) and second (n2, d2), second_label (n2,): two pools with the same K = 2^m classes.
    flip: the probability with which each of the m bits of a class is flipped, from 0 to 1.

    x is drawn from `first` with its class c uniform, y from the class c' of `second`, c' being c sent through m binary
    symmetric channels, so I = m (1 - h(flip)) bits wherever the class can be told from x and from y without error; where it
    cannot, this is an upper limit. Classes are numbered in sorted order of their labels. Rows of a class are used in turn,
    in an order drawn anew each round, so none repeats before all were used: a sample is free of ties up to the pool's size.
    Raises InputError for a pool whose labels do not match its rows, classes that differ, or K not a power of 2.
    """
    pools = [_pool("first", first, first_label), _pool("second", second, second_label)]
    names = [np.unique(label) for _, label in pools]
    if names[0].shape != names[1].shape or (names[0] != names[1]).any():
        raise InputError(f"classes: {len(names[0])} in first, {len(names[1])} in second, takes the same classes in both")
    size = len(names[0])
    bits = size.bit_length() - 1
    if size < 2 or size != 2**bits:
        raise InputError(f"classes: got {size}, takes a power of 2 from 2 (each class is a word of bits)")
    if not 0 <= flip <= 1:
        raise InputError(f"flip: got {flip}, takes a probability from 0 to 1")
    draws = [_cycled(rows, label, names[0]) for rows, label in pools]

    def sample(n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
        word = generator.integers(0, size, n)
        errors = (generator.random((n, bits)) < flip) @ (1 << np.arange(bits))
        return draws[0](word, generator), draws[1](word ^ errors, generator)

    truth = bits * (1 - binary_entropy_bits(flip))
    return Task(f"same-class-pairing-{size}-{flip:g}", pools[0][0].shape[1], pools[1][0].shape[1], truth, sample)


def _pool(name: str, embedding: ArrayLike, label: ArrayLike) -> tuple[Floats, np.ndarray]:
    rows, labels = np.asarray(embedding, dtype=np.float64), np.asarray(label)
    if rows.ndim != 2 or labels.shape != rows.shape[:1] or not len(rows):
        raise InputError(f"{name}: embedding {rows.shape} and label {labels.shape}, takes (n, d) and (n,)")
    if not np.isfinite(rows).all():
        raise InputError(f"{name}, row {int(np.flatnonzero(~np.isfinite(rows).all(1))[0])}: not finite")
    return rows, labels


def _cycled(rows: Floats, label: np.ndarray, names: np.ndarray) -> Callable[[Counts, np.random.Generator], Floats]:
    """From classes (n,) to rows (n, d): the class's rows in turn, in an order that is drawn anew each round."""
    members = [np.flatnonzero(label == name) for name in names]

    def draw(word: Counts, generator: np.random.Generator) -> Floats:
        chosen = np.empty(len(word), dtype=np.int64)
        for c, indices in enumerate(members):
            places = np.flatnonzero(word == c)
            rounds = -(-len(places) // len(indices))
            # a new order each round: one order repeated would tie rows of one pool to rows of the other
            orders = generator.permuted(np.tile(indices, (rounds, 1)), axis=1)
            chosen[places] = orders.reshape(-1)[: len(places)]
        return np.asarray(rows[chosen])

    return draw
