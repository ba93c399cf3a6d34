"""Limits of the BROJA terms of counts: a bracket from what decoders deliver on unseen trials to what they seem to on seen ones."""

from __future__ import annotations

import numpy as np

from hartley.bits.limits import Z, upward_reach
from hartley.bits.partial.broja import union_information
from hartley.bits.partial.term_null import plug_in_terms
from hartley.bits.tables import Counts, Floats

FOLDS = 10
_PSEUDO = (1.0, 4.0, 16.0, 64.0)
_TOL_BITS = 1e-4
_STRICTER = 2.3263 / Z
"""From 97.5 to 99%, one-sided."""


def folds(counts: Counts, parts: int, generator: np.random.Generator) -> Counts:
    """counts split at random into `parts` tables (parts, ...) of as equal a size as can be."""
    trials = np.repeat(np.arange(counts.size), counts.ravel())
    generator.shuffle(trials)
    return np.stack([np.bincount(trials[i::parts], minlength=counts.size).reshape(counts.shape) for i in range(parts)])


def corrected_terms(counts: Counts, generator: np.random.Generator, parts: int = FOLDS) -> Floats:
    """The four terms (4,) in bits less their bias: the jackknife that leaves out one tenth at a time (Miller 1974).

    The union information is no sum over cells, so a jackknife by single trials would solve it once for each cell; what
    a group jackknife adds in spread is of second order, since the terms' linear part averages out over the groups.
    """
    held = folds(counts, parts, generator)
    left = counts - held
    left = left[(left.sum((1, 2, 3)) > 0)]
    whole, part = plug_in_terms(counts[None].astype(np.float64))[0], plug_in_terms(left.astype(np.float64)).mean(0)
    return np.asarray(parts * whole - (parts - 1) * part)


class Densities:
    """Bits per trial that four decoders of the target deliver: source 1, source 2, both, and the additive one of BROJA.

    seen    of the decoders fitted to all trials, on the trials they were fitted to: their means lie above the truth in
            expectation, since each information is a convex function of the law given the targets.
    unseen  of decoders fitted to nine tenths, on the tenth they never saw: their means lie below the truth, since
            no decoder delivers more than there is. For the additive one that holds whatever the law with these pairs
            is: its mean under the true law depends on the pair laws alone, so it is at most the union information.
    Rows are occupied (fold, x, y, s) cells; mass (rows,) their share of the trials.
    """

    def __init__(self, counts: Counts, generator: np.random.Generator) -> None:
        held = folds(counts, FOLDS, generator)
        fold, x, y, s = np.nonzero(held)
        self.n = int(counts.sum())
        self.mass = held[fold, x, y, s] / self.n
        label = counts.sum((0, 1)) / self.n
        own = -np.log2(label[s])
        seen, self.gap_bits = _decoders(counts[None].astype(np.float64), label, ())
        self.seen = np.stack([part[0, x, y, s] + own for part in seen])
        unseen, _ = _decoders((counts - held).astype(np.float64), label, _PSEUDO)
        choices = [np.stack([part[fold, x, y, s] + own for part in (*unseen[:2], joint, unseen[2])]) for joint in unseen[3:]]
        self.unseen = max(choices, key=lambda scores: float(scores[2] @ self.mass))
        self.entropy_slack = (counts.shape[2] - 1) / (2 * self.n * np.log(2))

    def limits(self) -> Floats:
        """(4, 2): low and high in bits of unique_1, unique_2, redundant, synergistic, each a 99% limit of its own.

        99 and not 97.5%, since `low` above 0 is what lets a term be called a point, and that may fail once in 100 times.
        """
        first, second, both, union = range(4)
        signs = ({union: 1, second: -1}, {union: 1, first: -1}, {first: 1, second: 1, union: -1}, {both: 1, union: -1})
        found = np.zeros((4, 2))
        for i, sign in enumerate(signs):
            above = sum(w * (self.seen if w > 0 else self.unseen)[part] for part, w in sign.items())
            below = sum(w * (self.unseen if w > 0 else self.seen)[part] for part, w in sign.items())
            found[i, 0] = float(self.mass @ below) - _STRICTER * upward_reach(-np.asarray(below), self.mass, self.n)
            found[i, 1] = float(self.mass @ above) + _STRICTER * upward_reach(np.asarray(above), self.mass, self.n)
            # near 0 a term's spread shrinks with the term itself
            found[i, 1] += Z**2 / (2 * self.n * np.log(2)) + (self.entropy_slack if sum(sign.values()) == 1 else 0.0)
        found[:, 0] = np.maximum(found[:, 0], 0.0)
        found[:, 1] = np.maximum(found[:, 1], found[:, 0])
        return found


def _decoders(tables: Floats, label: Floats, pseudo: tuple[float, ...]) -> tuple[list[Floats], float]:
    """log2 posteriors (b, k1, k2, o) of the target by b tables (b, k1, k2, o), and the largest duality gap in bits.

    Without `pseudo`: of source 1, source 2 and both, empirical, with the additive sub-law last. With it: the pair laws
    get one trial of the source's own law for each target, so that nothing has probability 0; the third entry is the
    additive sub-law, and after it come joint posteriors drawn toward it by each number of pseudo-trials.
    """
    pairs = [tables.sum(2), tables.sum(1)]
    laws = []
    for pair in pairs:
        if pseudo:
            own = (pair.sum(2) + 0.5) / (pair.sum((1, 2)) + 0.5 * pair.shape[1])[:, None]
            given = (pair + own[:, :, None]) / (pair.sum(1, keepdims=True) + 1.0)
            laws.append(given * label)
        else:
            laws.append(pair / pair.sum((1, 2), keepdims=True))
    posteriors = [_log2(law / np.maximum(law.sum(2, keepdims=True), 1e-300)) for law in laws]
    union = union_information(laws[0].transpose(0, 2, 1), laws[1].transpose(0, 2, 1), _TOL_BITS)
    gap = float((union.upper - union.lower).max())
    additive = union.decoder_1.transpose(0, 2, 1)[:, :, None, :] + union.decoder_2.transpose(0, 2, 1)[:, None, :, :]
    shape = tables.shape
    single = [np.broadcast_to(posteriors[0][:, :, None, :], shape), np.broadcast_to(posteriors[1][:, None, :, :], shape)]
    total = tables.sum(3, keepdims=True)
    if not pseudo:
        return [*single, _log2(tables / np.maximum(total, 1.0)), additive], gap
    guess = np.exp2(additive)
    guess = guess / np.maximum(guess.sum(3, keepdims=True), 1e-300)
    return [*single, additive, *(_log2((tables + a * guess) / (total + a)) for a in pseudo)], gap


def _log2(values: Floats) -> Floats:
    return np.asarray(np.log2(np.maximum(values, 1e-300)))


def caps_bits(shape: tuple[int, ...]) -> Floats:
    """(4,): what each term can be at most, in bits, by the sizes (k1, k2, o) of the alphabets."""
    k1, k2, o = (float(np.log2(max(1, k))) for k in shape)
    return np.array([min(k1, o), min(k2, o), min(k1, k2, o), min(k1 + k2, o)])
