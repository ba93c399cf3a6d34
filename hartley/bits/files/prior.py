"""The law that symbols are drawn by, where it is known: uniform, or a table of symbol and probability."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np

from hartley import files
from hartley.bits.files.columns import Text, shown
from hartley.bits.files.delimited import read_delimited
from hartley.bits.files.samples import Symbols
from hartley.bits.tables import Floats
from hartley.errors import InputError

Prior = Literal["uniform"] | Mapping[str, float]
_ROUNDED, _EXACT = 1e-3, 1e-6
"""How far from 1 probabilities that were rounded may sum, and how far nothing needs to be said of it."""


def read_prior(text: str) -> Prior:
    """ "uniform", or the path of a CSV table of two columns, symbol and probability. InputError otherwise."""
    if text == "uniform":
        return "uniform"
    path, where = Path(text), f"--prior {shown(text, 200)}"
    try:
        stream = files.opened(path)
    except InputError as error:
        raise InputError(f"--prior {error}; takes uniform, or a CSV of symbol,probability") from None
    try:
        with stream:
            (symbols,), (numbers,) = read_delimited(cast(BinaryIO, stream), where, ",", lambda names: ((0,), (1,)))
    except OSError as error:
        raise InputError(f"{where}: {error.strerror or 'cannot be read'}; takes uniform, or a CSV of symbol,probability") from None
    if isinstance(numbers, Text):
        raise InputError(f"{where}: got {shown(numbers.symbols[0])!r} in the second column, takes probabilities")
    words = [symbols.symbols[code] for code in symbols.codes] if isinstance(symbols, Text) else [f"{value:g}" for value in symbols.values]
    if len(set(words)) < len(words):
        raise InputError(
            f"{where}: {shown(next(word for word in words if words.count(word) > 1))!r} stands there twice; takes a symbol once"
        )
    return dict(zip(words, numbers.values.tolist(), strict=True))


def prior_for(prior: Prior, side: Symbols) -> Floats:
    """Probabilities (K,) in the order of the symbols of `side`. InputError when they do not fit its symbols or do not sum to 1."""
    count = len(side.names)
    if prior == "uniform":
        return np.full(count, 1 / count)
    missing = next((name for name in side.names if name not in prior), None)
    if missing is not None:
        raise InputError(f"--prior: says nothing of {shown(missing)!r}, which occurs in {side.name}; takes a probability for every symbol")
    strange = next((name for name, p in prior.items() if name not in side.names and p > 0), None)
    if strange is not None:
        raise InputError(f"--prior: {shown(strange)!r} has probability {prior[strange]:g} and never occurs in {side.name}")
    law = np.array([prior[name] for name in side.names])
    bad = next((name for name in side.names if not prior[name] > 0), None)
    if bad is not None:
        raise InputError(f"--prior: {shown(bad)!r} has probability {prior[bad]:g} and occurs in {side.name}; takes probabilities above 0")
    if not math.isclose(law.sum(), 1, abs_tol=_ROUNDED + 1e-12):
        raise InputError(f"--prior: the probabilities sum to {law.sum():.6g}, takes 1")
    return np.asarray(law / law.sum(), dtype=np.float64)


def prior_facts(prior: Prior | None) -> tuple[str, ...]:
    """What has to be said of the law before it is used: that it was rounded, and is divided by its sum."""
    total = 1.0 if prior is None or prior == "uniform" else sum(prior.values())
    return () if abs(total - 1) <= _EXACT else (f"the probabilities of --prior sum to {total:.6g}, and are divided by that",)
