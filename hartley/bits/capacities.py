"""Capacities of many discrete channels of one shape at once, each with its certificate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.capacity import channel_capacity
from hartley.bits.counted.interior_point import achieving_laws, divergences
from hartley.bits.tables import Floats
from hartley.errors import InputError

_BLOCK = 2_000_000
"""Numbers of channel handled at a time, so that memory stays within a few times 16 MB."""


def channel_capacities(channels: ArrayLike, tol_bits: float = 1e-6) -> tuple[Floats, Floats]:
    """(capacities (m,), duality gaps (m,)) in bits of m channels W(y|x), shape (m, inputs, outcomes), rows sum to 1.

    capacity is a lower bound and capacity + gap an upper one, as in `hartley.bits.capacity.channel_capacity`; every gap
    is <= tol_bits. An interior point over all channels at once (`hartley.bits.counted.interior_point`); the rare channel that
    it leaves above tol_bits is handed to `channel_capacity`. Raises InputError that names the channel and the row,
    ArithmeticError where tol_bits is out of reach.
    """
    w = _checked(channels)
    m, inputs, outcomes = w.shape
    values, gaps = np.empty(m), np.empty(m)
    block = max(1, _BLOCK // (inputs * max(inputs, outcomes)))
    for begin in range(0, m, block):
        part = w[begin : begin + block]
        negative = np.asarray((part * np.log2(np.where(part > 0, part, 1.0))).sum(2))
        laws = achieving_laws(part, negative, np.full((len(part), inputs), 1.0 / inputs), tol_bits / 4)
        divergence = divergences(part, negative, laws)
        value = np.einsum("mx,mx->m", laws, divergence)
        values[begin : begin + block] = np.maximum(value, 0.0)
        gaps[begin : begin + block] = np.maximum(divergence.max(1) - value, 0.0)
    for index in np.flatnonzero(~(gaps <= tol_bits)):
        values[index], gaps[index], _ = channel_capacity(w[index], tol_bits)
    return values, gaps


def _checked(channels: ArrayLike) -> Floats:
    try:
        w = np.asarray(channels, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"channels: not an array of numbers ({error})") from None
    if w.ndim != 3 or 0 in w.shape:
        raise InputError(f"channels: shape {w.shape}, takes (channels, inputs, outcomes)")
    bad = ~np.isfinite(w).all(2) | (w < 0).any(2) | ~(np.abs(w.sum(2) - 1) <= 1e-6)
    if bad.any():
        index, row = (int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"channel {index}, row {row}: sums to {w[index, row].sum():g}, takes probabilities from 0 that sum to 1")
    return np.asarray(w / w.sum(2, keepdims=True))
