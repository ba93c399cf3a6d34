"""From samples to sentences: which measures fit two columns, each as Bits with the words a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hartley.bits.files.order import row_order
from hartley.bits.files.prior import Prior, prior_for
from hartley.bits.files.samples import Samples, Side, Symbols, Vectors
from hartley.bits.tables import Counts, Floats, cross_tabulate, entropy_bits
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
    """What will be measured on which samples: facts are sentences about the data, `samples` what the measures see.

    dependent: why the rows are no trials of their own; "" where nothing speaks against it. No number is then given.
    """

    samples: Samples
    facts: tuple[str, ...]
    dependent: str = ""


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
    """The samples as the measures will see them.

    Where numbers are involved: one row of each cluster, where clusters are named, and a random subsample of `rows` rows of more.
    Where no clusters are named the order of the rows is looked at (`row_order`).
    """
    facts = [f"{samples.where}: {samples.rows:,} rows", str(samples.x), str(samples.y)]
    counted = isinstance(samples.x, Symbols) and isinstance(samples.y, Symbols)
    dependent = ""
    if samples.cluster is None:
        order = row_order(samples, seed=seed)
        facts += order.facts
        if order.why:
            dependent = f"the rows are not trials of their own: {order.why}; name what they belong to with --cluster"
            facts.append(f"warning: {dependent}")
    else:
        units = int(samples.cluster.max()) + 1
        facts.append(f"the rows come from {units:,} independent units ({samples.unit})")
        if not counted and units < samples.rows:
            samples = _drawn(samples, _one_of_each(samples, seed))
            facts.append(f"numbers are measured on one row of each, drawn at random (seed {seed})")
    if counted or samples.rows <= rows:
        return Plan(samples, tuple(facts), dependent)
    take = np.sort(np.random.default_rng(seed).choice(samples.rows, rows, replace=False))
    facts.append(f"measured on {rows:,} rows drawn at random (seed {seed})")
    return Plan(_drawn(samples, take), tuple(facts), dependent)


def _one_of_each(samples: Samples, seed: int) -> Counts:
    assert samples.cluster is not None
    order = np.random.default_rng([seed, 6]).permutation(samples.rows)
    return np.sort(order[np.unique(samples.cluster[order], return_index=True)[1]])


def _drawn(samples: Samples, take: Counts) -> Samples:
    cluster = None if samples.cluster is None else samples.cluster[take]
    return replace(samples, x=_taken(samples.x, take), y=_taken(samples.y, take), rows=len(take), cluster=cluster)


def statement(
    samples: Samples,
    *,
    prior: Prior | None = None,
    everything: bool = False,
    dependent: str = "",
    seed: int = 0,
    told: Told | None = None,
) -> Iterator[Said]:
    """The measures that fit, most telling first, each yielded when it is done.

    symbols and symbols   information, capacity of the channel from x to y, maximal leakage (counts: E5)
    numbers and symbols   information of the mixture, its certified lower limit, the Gaussian reading C_G (E1, E2); of a single number
                          also the information in its ten equal parts, no more than the number has, and beside two symbols
                          what a threshold on it gives away (membership: E6), both first there as they need no model
    numbers and numbers   information by the portfolio (E4), rounded columns spread out first (`spread`)
    prior       "uniform", or symbol to probability: the law the symbols (of x, if both are) are drawn by.
    everything  also the readings along the concept's own and the Fisher direction, where one side is numbers.
    dependent   why the rows are no trials of their own (`planned`): each number is then withheld with its limits, for that reason.
    Where the samples name clusters, counts have limits over whole clusters.
    """
    for said in _measured(samples, prior, everything, seed, told or _silent):
        yield replace(said, bits=Bits.unmeasured(said.bits.kind, dependent, said.bits.n), is_limit=False) if dependent else said


def _measured(samples: Samples, prior: Prior | None, everything: bool, seed: int, told: Told) -> Iterator[Said]:
    match samples.x, samples.y:
        case Symbols() as x, Symbols() as y:
            yield from _of_counts(x, y, samples, prior, seed, told)
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


def _of_counts(x: Symbols, y: Symbols, samples: Samples, prior: Prior | None, seed: int, told: Told) -> Iterator[Said]:
    from hartley.bits.capacity import capacity
    from hartley.bits.counts import information

    cells = len(x.names) * len(y.names)
    if cells > MOST_CELLS:
        raise InputError(
            f"{samples.where}: {len(x.names):,} symbols of {x.name} by {len(y.names):,} of {y.name} are {cells:,} cells to count; "
            f"takes at most {MOST_CELLS:,}: group symbols, or take --as numbers where they are numbers"
        )
    law = None if prior is None else prior_for(prior, x)
    codes, cluster = (x.codes, y.codes), samples.cluster
    shuffles = 1999 if cells <= _MANY_CELLS else 399
    told(f"{x.name} and {y.name}: information from counts")
    bits = information(*codes, prior=law, cluster=cluster, permutations=shuffles, seed=seed)
    ceiling = _ceiling(bits, [(x, law), (y, None)])
    yield Said(bits, f"{_plain(x.name)} carries {{}} about {_plain(y.name)} per use, of {ceiling} there are to carry")
    told("capacity")
    best = capacity(*codes, cluster=cluster, permutations=shuffles, seed=seed)
    yield Said(best, f"the channel from {_plain(x.name)} to {_plain(y.name)} carries {{}} per use if its inputs are chosen best (capacity)")
    from hartley.bits.clustered import one_cluster
    from hartley.bits.leakage import maximal_leakage

    told("maximal leakage")
    kept = slice(None) if cluster is None else _one_of_each(samples, seed)
    counts = cross_tabulate(x.codes[kept], y.codes[kept], inputs=len(x.names), outcomes=len(y.names))
    leak = maximal_leakage(counts, permutations=shuffles, seed=seed)
    if cluster is not None and not cluster.max():
        leak = one_cluster(leak.kind, len(cluster))
    elif cluster is not None:
        leak = replace(leak, estimator=f"one row of each unit; {leak.estimator}", clusters=int(cluster.max()) + 1)
    used = f"over the {len(x.names):,} symbols of {_plain(x.name)} that occur"
    yield Said(leak, f"{_plain(y.name)} helps whoever guesses anything about {_plain(x.name)} by {{}} at worst, {used} (maximal leakage)")


def _of_embedding(
    z: Vectors, label: Symbols, order: tuple[str, str], where: str, prior: Prior | None, everything: bool, seed: int, told: Told
) -> Iterator[Said]:
    from hartley.bits.certified import certified_information
    from hartley.bits.reading import channel_reading

    law = None if prior is None else prior_for(prior, label)
    about = f"{_plain(order[0])} carries {{}} about {_plain(order[1])} per use"
    told(f"{z.name}: spectrum and mixture")
    reading = channel_reading(z.values, label.codes, prior=law, seed=seed)
    score = _of_score(z, label, about, law, seed, told) if z.values.shape[1] == 1 else ()
    if len(label.names) == 2:
        yield from score
    yield Said(reading.mixture, f"{about}, of {_ceiling(reading.mixture, [(label, law)])} there are to carry")
    if len(label.names) > 2:
        yield from score
    told(f"{z.name}: decoders on held-out rows")
    floor = certified_information(z.values, label.codes, prior=law, seed=seed)
    yield Said(
        replace(floor, high=None) if floor.low is not None else floor, f"{about} whatever their law (certified on held-out rows)", True
    )
    shared = ""
    if "effective_dimension" in reading.c_g.checks:
        low, size, high = (reading.c_g.checks[f"effective_dimension{end}"] for end in ("_low", "", "_high"))
        shared = f"; effective dimension {size:.1f} [{low:.1f}, {high:.1f}]"
    could = "a Gaussian input with the same signal and noise could carry {} per use (C_G, capped by what there is to carry"
    yield Said(reading.c_g, f"{could}{shared})")
    if everything:
        yield Said(reading.concept_direction, "an axis along each symbol's own direction reads {} per use")
        yield Said(reading.fisher_direction, "an axis along its Fisher direction, which turns away from the noise, reads {} per use")
        yield Said(reading.alignment_loss, "reading along the own direction loses {} per use (alignment loss)")


def _of_score(z: Vectors, label: Symbols, about: str, law: Floats | None, seed: int, told: Told) -> Iterator[Said]:
    """What a single number says of symbols without any model of its law."""
    from hartley.bits.counts import information
    from hartley.bits.membership import membership

    told(f"{z.name}: in ten equal parts")
    score = z.values[:, 0]
    parts = np.searchsorted(np.quantile(score, np.linspace(0.1, 0.9, 9)), score)
    bits = information(label.codes, np.unique(parts, return_inverse=True)[1], prior=law, seed=seed)
    yield Said(bits, f"{about} by which of its ten equal parts it falls into, of {_ceiling(bits, [(label, law)])} there are to carry")
    if len(label.names) == 2:
        told(f"{z.name}: the best threshold")
        one, other = map(_plain, label.names)
        words = f"a threshold on {_plain(z.name)} gives away {{}} about whether {_plain(label.name)} is {one} or {other}, both as likely"
        yield Said(membership(score, label.codes, seed=seed), f"{words} (membership)")


def _ceiling(bits: Bits, sides: Sequence[tuple[Symbols, Floats | None]]) -> str:
    """What there is to carry: the smallest entropy. Where it is an estimate that the number or its limits exceed, its own upper limit."""
    from hartley.bits.entropy import entropy_of_counts

    said = max(bits.high or 0.0, bits.value or 0.0)
    shares = [(np.bincount(side.codes, minlength=len(side.names)), law) for side, law in sides]
    entropy = min(entropy_bits(counts / counts.sum() if law is None else law) for counts, law in shares)
    if said <= entropy + 5e-4:
        return f"{entropy:.3f} bits"
    tops = [entropy_of_counts(counts).high if law is None else entropy_bits(law) for counts, law in shares]
    tops += [float(np.log2(len(counts))) for counts, _ in shares]
    return f"at most {max(min(top for top in tops if top is not None), said):.3f} bits"


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


def _taken(side: Side, take: Counts) -> Side:
    """The rows `take` of one side: symbols that do not occur there and columns that do not change there are left out."""
    if isinstance(side, Vectors):
        values = side.values[take]
        varies = values.max(axis=0) > values.min(axis=0)
        if not varies.any():
            raise InputError(f"{side.name}: constant in the {len(take):,} rows drawn; takes columns that vary, or more --rows")
        return replace(side, values=values if varies.all() else values[:, varies])
    found, codes = np.unique(side.codes[take], return_inverse=True)
    return replace(side, codes=codes.astype(np.int32), names=tuple(side.names[code] for code in found.tolist()))


def _plain(name: str) -> str:
    """A name from a file inside a template: its braces are no places for figures."""
    return name.replace("{", "{{").replace("}", "}}")


def _unmeasured(bits: Bits) -> bool:
    return bits.value is None and bits.low is None and bits.high is None


def _silent(_: str) -> None:
    pass
