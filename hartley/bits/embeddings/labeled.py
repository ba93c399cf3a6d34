"""Embeddings with one label a row: checked once, here, and what is known about the law of the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hartley.bits.limits import Z
from hartley.bits.tables import Counts, Floats, checked_law, entropy_bits
from hartley.errors import InputError


@dataclass(frozen=True)
class Labeled:
    """n rows of K labels that occur.

    embedding (n, d), centered, each column divided by its deviation; columns that never change are left out.
    deviation (D,): of the columns as given, 0 for one left out.
    values (K,): the labels as given, sorted.
    label (n,) 0..K-1; counts (K,); law (K,) > 0: their prior, or their shares where none was given, summing to 1.
    certain: the law is known (given, or the labels are balanced to the row, which is a design and not luck).
    share: the prior probability of the labels that occur; below 1 when some never did.
    cap_bits: H(Y), or its 97.5% upper limit where the law is estimated.
    """

    embedding: Floats
    deviation: Floats
    values: NDArray[Any]
    label: Counts
    counts: Counts
    law: Floats
    certain: bool
    share: float
    cap_bits: float

    @property
    def rows(self) -> int:
        return len(self.label)

    @property
    def classes(self) -> int:
        return len(self.law)

    @property
    def weight(self) -> Floats:
        """Weight of each row (n,), summing to 1: the prior of its label shared among the rows of that label."""
        return np.asarray((self.law / self.counts)[self.label])


def labeled(embedding: ArrayLike, label: ArrayLike, prior: ArrayLike | None) -> Labeled:
    """Checks embedding (n, d) or (n,), label (n,) of any values that sort, and prior.

    prior (K,): one probability for each distinct label in sorted order; or, where the labels are whole numbers from 0
    below its length, for each of those numbers. InputError names the column and the row.
    """
    z, deviation = _standardized(checked_embedding(embedding))
    raw = np.asarray(label)
    if raw.ndim != 1 or raw.dtype == object:
        raise InputError(f"column label: shape {raw.shape} of {raw.dtype}, takes one label a row")
    if len(raw) != len(z):
        raise InputError(f"columns embedding and label: {len(z)} and {len(raw)} rows, takes equal lengths")
    if raw.dtype.kind == "f" and not np.isfinite(raw).all():
        row = int(np.flatnonzero(~np.isfinite(raw))[0])
        raise InputError(f"column label, row {row}: got {raw[row]}, takes finite labels")
    found, index, counts = np.unique(raw, return_inverse=True, return_counts=True)
    symbols = index.astype(np.int64)
    if prior is None:
        shares = counts / counts.sum()
        balanced = int(counts.max() - counts.min()) <= 1
        cap = entropy_bits(shares) if balanced else entropy_high_bits(counts)
        return Labeled(z, deviation, found, symbols, counts, shares, balanced, 1.0, cap)
    law = checked_law("prior", prior, np.size(prior))
    places = _places(found, law)
    kept = law[places]
    if (kept <= 0).any():
        at = int(np.flatnonzero(kept <= 0)[0])
        raise InputError(f"prior, label {found[at]}: probability 0, but it occurred {int(counts[at])} times")
    return Labeled(z, deviation, found, symbols, counts, kept / kept.sum(), True, float(kept.sum()), entropy_bits(law))


def entropy_high_bits(counts: Counts) -> float:
    """97.5% upper limit of the entropy behind counts (K,), in bits, at most log2 K.

    Plug-in, plus what it falls short by where the law is even (N deficit ln2 is half a chi-square with K - 1 degrees), plus
    1.96 standard errors of the mean surprise where it is not.
    """
    from scipy.special import gammaincinv

    n = float(counts.sum())
    law = counts / n
    plug_in = entropy_bits(law)
    spread = float(law @ (np.log2(law) + plug_in) ** 2)
    short = float(gammaincinv((len(counts) - 1) / 2, 0.975)) / (n * np.log(2)) if len(counts) > 1 else 0.0
    return min(plug_in + short + Z * float(np.sqrt(spread / n)), float(np.log2(len(counts))))


def _places(found: Counts, law: Floats) -> Counts:
    if found.dtype.kind in "iu" and found.min() >= 0 and found.max() < len(law):
        return found.astype(np.int64)
    if len(found) == len(law):
        return np.arange(len(law))
    raise InputError(f"prior: {len(law)} probabilities for {len(found)} distinct labels, takes one for each")


def checked_embedding(embedding: ArrayLike, name: str = "embedding") -> Floats:
    """(n, d) of finite numbers; (n,) is taken as (n, 1). InputError names the row and the column."""
    try:
        z = np.asarray(embedding, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name}: not numbers ({error})") from None
    z = z[:, None] if z.ndim == 1 else z
    if z.ndim != 2 or z.shape[1] == 0:
        raise InputError(f"column {name}: shape {z.shape}, takes (n, d) with at least one column")
    if len(z) == 0:
        raise InputError(f"column {name}: no rows, takes at least one")
    if not np.isfinite(z).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(z))[0])
        raise InputError(f"column {name}, row {row}, column {column}: got {z[row, column]}, takes finite numbers")
    return z


def _standardized(z: Floats) -> tuple[Floats, Floats]:
    """Columns that change (n, d), centered, deviation 1; and deviations (D,), 0 for the others."""
    size = np.abs(z).max(0)
    # scaled before squaring, so that no column overflows
    size = np.where(size > 0, size, 1.0)
    scaled = z / size
    scaled -= scaled.mean(0)
    deviation = np.sqrt(np.einsum("ij,ij->j", scaled, scaled) / len(z))
    alive = deviation > 1e-12
    if len(z) > 1 and not alive.any():
        raise InputError(f"column embedding: all {z.shape[1]} columns are constant, so there is nothing to measure")
    kept = scaled if alive.all() else scaled[:, alive]
    return kept / np.where(alive, deviation, 1.0)[alive], np.where(alive, deviation * size, 0.0)
