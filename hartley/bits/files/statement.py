"""From samples to sentences: which measures fit two columns, each as Bits with the words a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from hartley.bits.files.prior import Prior, prior_for
from hartley.bits.files.samples import Samples, Side, Symbols, Vectors
from hartley.bits.tables import Floats, cross_tabulate, entropy_bits
from hartley.bits.value import Bits
from hartley.errors import InputError

MOST_ROWS = 20_000
"""Rows that measures of numbers look at; more are sampled. Counts use every row."""
MOST_CELLS = 250_000
"""Cells a table of counts may have."""
_MANY_CELLS = 20_000
_DISTINCT = 0.9
"""Share of distinct values under which a column of numbers counts as rounded."""
Told = Callable[[str], None]
"""Called with what is being measured, before it is."""


@dataclass(frozen=True)
class Said:
    """A number and its sentence; `words` holds {} where the figure goes. is_limit: a point was never to be expected."""

    bits: Bits
    words: str
    is_limit: bool = False

    def __str__(self) -> str:
        ends = f"; n = {self.bits.n:,}"
        if self.bits.estimator != "none":
            ends += f"; {self.bits.estimator}"
        why = f"; {'no point is given: ' if self.bits.value is None else ''}{self.bits.why}" if self.bits.why and not self.is_limit else ""
        if _unmeasured(self.bits):
            return f"{self.words.format('an unknown number of bits')}: not measured, {self.bits.why}"
        return f"{self.words.format(figure(self.bits))}{why}{ends}"


@dataclass(frozen=True)
class Plan:
    """What will be measured on which samples: facts are sentences about the data, `samples` what the measures see."""

    samples: Samples
    facts: tuple[str, ...]


def figure(bits: Bits) -> str:
    """The number as a person reads it, with what is certain of it: "0.531 bits [0.502, 0.553]", "at most 0.031 bits"."""
    low, high = bits.low, bits.high
    if bits.value is not None:
        limits = [f"{low:.3f}" if low is not None else "no lower limit", f"{high:.3f}" if high is not None else "no upper limit"]
        return f"{bits.value:.3f} bits [{', '.join(limits)}]"
    if low is not None and high is not None and low > 0:
        return f"{low:.3f} to {high:.3f} bits"
    if high is not None and (low is None or low == 0):
        return f"at most {high:.3f} bits"
    if low is not None and high is None:
        return f"at least {low:.3f} bits" if low > 0 else "0 or more bits"
    return f"{low:.3f} to {high:.3f} bits" if low is not None and high is not None else "an unknown number of bits"


def planned(samples: Samples, *, rows: int = MOST_ROWS, seed: int = 0) -> Plan:
    """The samples as the measures will see them: a random subsample of `rows` rows where numbers are involved and there are more."""
    facts = [f"{samples.where}: {samples.rows:,} rows", str(samples.x), str(samples.y)]
    if (isinstance(samples.x, Symbols) and isinstance(samples.y, Symbols)) or samples.rows <= rows:
        return Plan(samples, tuple(facts))
    take = np.sort(np.random.default_rng(seed).choice(samples.rows, rows, replace=False))
    facts.append(f"measured on {rows:,} rows drawn at random (seed {seed})")
    return Plan(Samples(samples.where, _taken(samples.x, take), _taken(samples.y, take), rows), tuple(facts))


def statement(
    samples: Samples, *, prior: Prior | None = None, everything: bool = False, seed: int = 0, told: Told | None = None
) -> Iterator[Said]:
    """The measures that fit, most telling first, each yielded when it is done.

    symbols and symbols   information, capacity of the channel from x to y, maximal leakage (counts: E5)
    numbers and symbols   information of the mixture, its certified lower limit, the Gaussian reading C_G (E1, E2)
    numbers and numbers   information by the portfolio (E4), rounded columns spread out first (`spread`)
    prior       "uniform", or symbol to probability: the law the symbols (of x, if both are) are drawn by.
    everything  also the readings along the concept's own and the Fisher direction, where one side is numbers.
    """
    told = told or _silent
    match samples.x, samples.y:
        case Symbols() as x, Symbols() as y:
            yield from _of_counts(x, y, samples.where, prior, seed, told)
        case Vectors() as z, Symbols() as label:
            yield from _of_embedding(z, label, (z.name, label.name), samples.where, prior, everything, seed, told)
        case Symbols() as label, Vectors() as z:
            yield from _of_embedding(z, label, (label.name, z.name), samples.where, prior, everything, seed, told)
        case Vectors() as left, Vectors() as right:
            if prior is not None:
                raise InputError("--prior is the law of symbols, and both x and y are numbers; leave it out, or say --as symbols")
            from hartley.bits.continuous import continuous_information

            told(f"{left.name} and {right.name}: a portfolio of estimators")
            x_values, y_values = (spread(end.values, np.random.default_rng([seed, place])) for place, end in enumerate((left, right)))
            bits = continuous_information(x_values, y_values, seed=seed)
            yield Said(bits, _plain(left.name) + " carries {} about " + _plain(right.name) + " per use")


def _of_counts(x: Symbols, y: Symbols, where: str, prior: Prior | None, seed: int, told: Told) -> Iterator[Said]:
    from hartley.bits.capacity import capacity
    from hartley.bits.counts import information

    cells = len(x.names) * len(y.names)
    if cells > MOST_CELLS:
        raise InputError(
            f"{where}: {len(x.names):,} symbols of {x.name} by {len(y.names):,} of {y.name} are {cells:,} cells to count; "
            f"takes at most {MOST_CELLS:,}: group symbols, or take --as numbers where they are numbers"
        )
    law = None if prior is None else prior_for(prior, x)
    counts = cross_tabulate(x.codes, y.codes, inputs=len(x.names), outcomes=len(y.names))
    shuffles = 1999 if cells <= _MANY_CELLS else 399
    entropy = min(_entropy(x, law), _entropy(y, None))
    told(f"{x.name} and {y.name}: information from counts")
    bits = information(counts, prior=law, permutations=shuffles, seed=seed)
    yield Said(bits, f"{_plain(x.name)} carries {{}} about {_plain(y.name)} per use, of {entropy:.3f} bits there are to carry")
    told("capacity")
    best = capacity(counts, permutations=shuffles, seed=seed)
    yield Said(best, f"the channel from {_plain(x.name)} to {_plain(y.name)} carries {{}} per use if its inputs are chosen best (capacity)")
    from hartley.bits.leakage import maximal_leakage

    told("maximal leakage")
    leak = maximal_leakage(counts, permutations=shuffles, seed=seed)
    yield Said(leak, f"{_plain(y.name)} helps whoever guesses anything about {_plain(x.name)} by {{}} at worst (maximal leakage)")


def _of_embedding(
    z: Vectors, label: Symbols, order: tuple[str, str], where: str, prior: Prior | None, everything: bool, seed: int, told: Told
) -> Iterator[Said]:
    from hartley.bits.certified import certified_information
    from hartley.bits.reading import channel_reading

    law = None if prior is None else prior_for(prior, label)
    about = f"{_plain(order[0])} carries {{}} about {_plain(order[1])} per use"
    entropy = _entropy(label, law)
    told(f"{z.name}: spectrum and mixture")
    reading = channel_reading(z.values, label.codes, prior=law, seed=seed)
    yield Said(reading.mixture, f"{about}, of {entropy:.3f} bits there are to carry")
    told(f"{z.name}: decoders on held-out rows")
    floor = certified_information(z.values, label.codes, prior=law, seed=seed)
    yield Said(
        replace(floor, high=None) if floor.low is not None else floor, f"{about} whatever their law (certified on held-out rows)", True
    )
    yield Said(
        reading.c_g, "a Gaussian input with the same signal and noise could carry {} per use (C_G, capped by what there is to carry)"
    )
    if everything:
        yield Said(reading.concept_direction, "an axis along each symbol's own direction reads {} per use")
        yield Said(reading.fisher_direction, "an axis along its Fisher direction, which turns away from the noise, reads {} per use")
        yield Said(reading.alignment_loss, "reading along the own direction loses {} per use (alignment loss)")


def spread(values: Floats, generator: np.random.Generator) -> Floats:
    """values (n, d) with every column that repeats itself (rounded numbers, counts) spread evenly between its neighbors' midpoints.

    What is added is independent of all else, and the cells do not overlap, so that each value can be read back: information
    with anything stays exactly what it was, while estimators for continuous numbers no longer meet ties.
    """
    out = values
    for column in range(values.shape[1]):
        found, index = np.unique(values[:, column], return_inverse=True)
        if len(found) > len(values) * _DISTINCT:
            continue
        gaps = np.diff(found)
        below, above = np.concatenate([gaps[:1], gaps]) / 2, np.concatenate([gaps, gaps[-1:]]) / 2
        if out is values:
            out = values.copy()
        out[:, column] += generator.uniform(-below[index], above[index])
    return out


def _taken(side: Side, take: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Side:
    """The rows `take` of one side: symbols that do not occur there and columns that do not change there are left out."""
    if isinstance(side, Vectors):
        values = side.values[take]
        varies = values.max(axis=0) > values.min(axis=0)
        if not varies.any():
            raise InputError(f"{side.name}: constant in the {len(take):,} rows drawn; takes columns that vary, or more --rows")
        return replace(side, values=values if varies.all() else values[:, varies])
    found, codes = np.unique(side.codes[take], return_inverse=True)
    return replace(side, codes=codes.astype(np.int32), names=tuple(side.names[code] for code in found.tolist()))


def _entropy(side: Symbols, law: Floats | None) -> float:
    return entropy_bits(np.bincount(side.codes, minlength=len(side.names)) / len(side.codes) if law is None else law)


def _plain(name: str) -> str:
    """A name from a file inside a template: its braces are no places for figures."""
    return name.replace("{", "{{").replace("}", "}}")


def _unmeasured(bits: Bits) -> bool:
    return bits.value is None and bits.low is None and bits.high is None


def _silent(_: str) -> None:
    pass
