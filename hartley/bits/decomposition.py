"""Decomposition (E7): which bits about a concept each of two modalities holds alone, both hold, or only their pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits import trust
from hartley.bits.partial.broja import LARGEST
from hartley.bits.partial.term_limits import Densities, caps_bits, corrected_terms, folds
from hartley.bits.partial.term_null import TERMS, null_p, plug_in_terms
from hartley.bits.tables import Counts, Floats, checked_cube
from hartley.bits.value import Bits
from hartley.errors import InputError

_ESTIMATOR = "BROJA, group jackknife; unseen to seen decoder bracket, 95%"
_FEWEST = 20


@dataclass(frozen=True)
class Decomposition:
    """The four BROJA terms about the target, each Bits of its own kind, and the certified duality gap in bits.

    unique_1 + redundant is what the first source says, unique_2 + redundant the second, all four what both say; that
    holds for the truth and for the plug-in values in `checks`, but not among printed points: one may be withheld.
    """

    unique_1: Bits
    unique_2: Bits
    redundant: Bits
    synergistic: Bits
    gap_bits: float

    def __iter__(self) -> Iterator[Bits]:
        return iter((self.unique_1, self.unique_2, self.redundant, self.synergistic))

    def __str__(self) -> str:
        return "\n".join(str(term) for term in self)


def decomposition(counts: ArrayLike, *, permutations: int = 99, seed: int = 0) -> Decomposition:
    """Unique, redundant and synergistic bits, by BROJA, from counts (k1, k2, o): two sources and the target, last.

    permutations  shuffles for each null; 99 is the least that can reach p = 0.01.
    seed          fixes the shuffles and the folds.

    value      the term at the frequencies less its bias (group jackknife): plug-in synergy is biased up, and so are
               the unique terms. A term that does not beat its shuffled null (`null_p`), or whose lower limit is 0, is
               no point: its value is None, `why` begins with "0 (n.s.)", low is 0 and high stays. The second condition
               is there because a shuffle is one way to have no such term, not the only one: two equally good sources
               have no unique bits either, and their plug-in terms stray from 0 like a coin's luck.
    low, high  bracket: decoders on trials they never saw, less their reach, and on trials they saw, plus it.
    checks     permutation_p, plug_in_bits, gap_bits, occupied_cells (of the tables the term depends on: the pair tables
               for unique and redundant bits, the whole for synergistic ones, which therefore need far more trials).
    Floors on trials as in `hartley.bits.counts.information`. Under 20 trials, or with one target symbol or a source
    with one symbol, the terms are unmeasured. InputError names the cell of a malformed table.
    """
    table = checked_cube(counts, "first source, second source, target")
    n = int(table.sum())
    kept = table[table.sum((1, 2)) > 0][:, table.sum((0, 2)) > 0][:, :, table.sum((0, 1)) > 0]
    why = _why_unmeasurable(kept, n)
    if why:
        return _assembled([Bits.unmeasured(f"{term}_bits", why, n) for term in TERMS], 0.0)
    unknowns = kept.shape[2] * (kept.shape[0] + kept.shape[1])
    if unknowns > LARGEST:
        raise InputError(f"counts: shape {kept.shape} makes {unknowns} unknowns, takes up to {LARGEST}: group the symbols")
    # n in the seed: folds drawn from the very stream that a simulation drew its data from would know the data
    generator = np.random.default_rng([seed, n])
    plug_in = plug_in_terms(kept[None].astype(np.float64))[0]
    points = corrected_terms(kept, generator)
    halves = np.mean([corrected_terms(half, generator, 2) for half in folds(kept, 2, generator)], axis=0)
    densities = Densities(kept, generator)
    limits = np.minimum(densities.limits(), caps_bits(table.shape)[:, None])
    p = null_p(kept, plug_in, permutations=permutations, seed=seed)
    gap_bits = densities.gap_bits
    figures = zip(points.tolist(), halves.tolist(), limits, p.tolist(), plug_in.tolist(), strict=True)
    return _assembled([_term(term, kept, *figure, gap_bits) for term, figure in zip(TERMS, figures, strict=True)], gap_bits)


def embedding_decomposition(first: ArrayLike, second: ArrayLike, label: ArrayLike, *, seed: int = 0) -> Decomposition:
    """Quantized BROJA: the decomposition of what two embeddings, each cut into a few cells, say about a label.

    first (n, d1), second (n, d2): one row a trial of each modality; label (n,): the concept, any symbols, any number.

    BROJA of continuous sources has no estimator with an upper statement, so the terms are those of symbols: half of the
    rows of each label teach two maps (`hartley.bits.partial.cells`), the other half is cut by them and counted, and the
    counts are decomposed with everything that `decomposition` promises. All of it is true of the cells; of the embeddings
    themselves it is a reading at that resolution: cutting can only lose informations, but a single term may move either
    way. More than 10 labels are put into 10 groups, the same for both modalities, and the terms are about the group.
    checks on each term: labels, groups, cells_1, cells_2; cut_1_bits and cut_2_bits, what each modality's own linear
    classifier still delivers on the counted half beyond its cells (0: nothing was lost that it could use).
    InputError names the column and the row of what is not finite or does not match.
    """
    from hartley.bits.partial.cells import cut  # here, since scikit-learn takes seconds to import

    cells = cut(first, second, label, seed=seed)
    found = decomposition(cells.counts, seed=seed)
    return _assembled(
        [replace(term, estimator="quantized " + term.estimator, checks={**term.checks, **cells.checks}) for term in found], found.gap_bits
    )


def _assembled(terms: list[Bits], gap_bits: float) -> Decomposition:
    unique_1, unique_2, redundant, synergistic = terms
    return Decomposition(unique_1, unique_2, redundant, synergistic, gap_bits)


def _term(name: str, counts: Counts, point: float, half: float, limits: Floats, p: float, plug_in: float, gap_bits: float) -> Bits:
    """One term as Bits: the first trust rule that fails withholds the point."""
    n = int(counts.sum())
    low, high = float(limits[0]) if p <= trust.GATE else 0.0, float(limits[1])
    pairs = max(int((counts.sum(1) > 0).sum()), int((counts.sum(0) > 0).sum()))
    occupied = int((counts > 0).sum()) if name == "synergistic" else pairs
    fewest = int(counts.sum((0, 1)).min())
    why = trust.first(
        [
            _not_significant(p, low, high),
            trust.too_few_trials(fewest, n, occupied),
            trust.below_low(point, low),
            trust.drifts(point, half, (high - low) / 4),
        ]
    )
    value = None if why else min(point, high)
    checks = {"permutation_p": p, "plug_in_bits": plug_in, "gap_bits": gap_bits, "occupied_cells": float(occupied)}
    return Bits(value, low, high, n, _ESTIMATOR, f"{name}_bits", value is not None, why, checks)


def _not_significant(p: float, low: float, high: float) -> str:
    if p > trust.GATE:
        return f"0 (n.s.): the shuffled null gives as much (p = {p:.3f}); if there is any it is less than {high:.3f} bits"
    if low <= 0:
        return f"0 (n.s.): beats its shuffled null (p = {p:.3f}), but its interval reaches 0; less than {high:.3f} bits"
    return ""


def _why_unmeasurable(counts: Counts, n: int) -> str:
    if n < _FEWEST:
        return f"{n} trials, needs {_FEWEST} at least"
    for name, size in zip(("first source", "second source", "target"), counts.shape, strict=True):
        if size < 2:
            return f"the {name} has one symbol only: there is nothing to decompose"
    return ""
