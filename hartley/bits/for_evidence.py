"""The one place that turns Evidence into every measure that applies to it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hartley.bits.capacity import capacity
from hartley.bits.certified import certified_information
from hartley.bits.clustered import clusters_of, one_cluster, one_row_of_each, trials_of
from hartley.bits.conditional import conditional_information
from hartley.bits.counts import information
from hartley.bits.deployed import deployed_information, misinformation
from hartley.bits.design import table_design
from hartley.bits.leakage import maximal_leakage
from hartley.bits.margin import margin
from hartley.bits.membership import membership
from hartley.bits.reading import channel_reading
from hartley.bits.sent import sent_bits
from hartley.bits.signal import KINDS as SIGNAL_KINDS
from hartley.bits.signal import Condition, signal_and_noise
from hartley.bits.tables import Floats
from hartley.bits.trust import GATE, TRIALS_PER_CELL, TRIALS_PER_INPUT, first, not_detected
from hartley.bits.value import Bits
from hartley.evidence import NONE, Evidence

CLEAN = "clean"
ATTACKED = ("attacked", "defended_attacked", "defended_adaptive")
"""The arms in which an adversary acts."""

Symbols = NDArray[np.int32]
Measured = tuple[tuple[str, Bits], ...]


def for_evidence(evidence: Evidence) -> Measured:
    """(arm, Bits) pairs: per arm with rows, in the order of ARMS, every measure that applies, in a fixed order.

    utility_bits        I(intent; outcome), the intents' law known where the evidence states it. An outcome that is NONE is a
                        symbol of its own, "no answer"; rows without an intent are left out.
    adversary_bits      write: I(adversary; outcome). In an arm where some rows have an adversary symbol and others have
                        NONE, NONE is the symbol "nothing written". In a clean arm this is the null. Where the evidence has
                        effects, they stand for the outcome here and wherever the adversary's bits are read.
                        read, a secret of two symbols with a score: the membership bracket; else I(adversary; outcome).
                        jam: unmeasured, as a jam has no symbol.
    margin_bits         utility_bits - adversary_bits; unmeasured where either is.
    sent_bits           H(intent) of what was sent in this arm (`hartley.bits.sent`): the base of every "of x possible". Left out where
                        there is no intent.
    deployed_bits, misinformation_bits   where the evidence has log2_q and rows with an intent; left out elsewhere.
    adversary_given_user_bits   write, arms under attack, and read, where the secret has more symbols than two or no score; with
                        intents, and trials enough for a point: I(adversary; outcome | intent), free of whatever ties the target to
                        the intent. Left out elsewhere.
    capacity_bits       write, arms under attack: capacity of adversary -> outcome; also read, where the secret has more symbols
                        than two or no score. Left out elsewhere.
    maximal_leakage_bits   with the capacity of a read; left out elsewhere.
    embedding_bits, certified_bits, c_g_bits, alignment_loss_bits   where there are embeddings and intents: what the embedding
                        carries about the intent, with the limit that needs no model; the Shannon-Hartley reading; and what is lost
                        along the concepts' own directions, those of the clean arm where there is one. Left out elsewhere.
    signal_loss_bits, noise_gain_bits    every arm but clean, against the clean arm, where there are embeddings and
                        intents, in bits of C_G without its cap. Unmeasured where there is no clean arm; left out without embeddings.

    Where the evidence has a cluster column and clusters hold several of an arm's rows, every interval is over clusters
    (`hartley.bits.design`), `clusters` and `design_effect` are filled, and an arm of one cluster is not measured: what others would
    give cannot be told. Measures of embeddings and of a score take one row of each cluster; signal and noise leave out whole ones.

    Deterministic: the same table gives the same bits, whatever the order of its rows within an arm.
    """
    parts = {arm: evidence.of(arm) for arm in evidence.arms}
    results: list[tuple[str, Bits]] = []
    for arm, part in parts.items():
        utility = _utility(part)
        adversary = _adversary(part)
        bits = [utility, adversary, _margin(part, utility, adversary), *_sent(part), *_deployed(part)]
        if part.kind == "write" and arm in ATTACKED:
            bits.extend([*_given_user(part), _capacity(part)])
        if part.kind == "read" and not _membership(part) and (part.adversary != NONE).any():
            bits.extend([*_given_user(part), _capacity(part), _maximal(part)])
        bits.extend(_embedded(parts.get(CLEAN), part))
        if arm != CLEAN:
            bits.extend(_signal(parts.get(CLEAN), part))
        results.extend((arm, one) for one in bits)
    return tuple(results)


def _utility(part: Evidence) -> Bits:
    rows = part.intent != NONE
    if not rows.any():
        return Bits.unmeasured("utility_bits", "no intent in this arm: the user asked for nothing that could be lost", len(part))
    used = part.rows(np.flatnonzero(rows))
    columns = _columns(used, used.intent, len(part.intent_alphabet), used.outcome, len(part.outcome_alphabet), part.intent_prior)
    return information(**columns, kind="utility_bits")


def _adversary(part: Evidence) -> Bits:
    kind = "adversary_bits"
    if part.kind == "jam":
        return Bits.unmeasured(kind, "a jam has no adversary symbol: it takes from the user and writes nothing", len(part))
    rows = part.adversary != NONE
    if not rows.any():
        return Bits.unmeasured(kind, "no adversary symbol in this arm", len(part))
    if _membership(part):
        assert part.score is not None
        return membership(part.score[rows], part.adversary[rows], cluster=_cluster(part, rows), kind=kind)
    return information(**_adversary_columns(part), kind=kind)


def _membership(part: Evidence) -> bool:
    return part.kind == "read" and len(part.adversary_alphabet) == 2 and part.score is not None


def _given_user(part: Evidence) -> list[Bits]:
    rows = (part.intent != NONE) & (part.adversary != NONE)
    columns = part.adversary[rows], part.received[0][rows], part.intent[rows]
    if not rows.any() or rows.sum() < TRIALS_PER_CELL * len(np.unique(np.stack(columns), axis=1).T):
        return []
    if np.unique(np.stack(columns[::2]), axis=1, return_counts=True)[1].min() < TRIALS_PER_INPUT:
        return []
    return [conditional_information(*columns, cluster=_cluster(part, rows), kind="adversary_given_user_bits")]


def _margin(part: Evidence, utility: Bits, adversary: Bits) -> Bits:
    if part.kind == "jam":
        return Bits.unmeasured("margin_bits", "a jam has no adversary symbol to set against the user's bits", len(part))
    return margin(utility, adversary)


def _deployed(part: Evidence) -> list[Bits]:
    rows = part.intent != NONE
    if part.log2_q is None or not rows.any():
        return []
    intent = part.intent[rows]
    prior = part.intent_prior
    if prior is None:
        frequencies = np.bincount(intent, minlength=len(part.intent_alphabet))
        prior = frequencies / frequencies.sum()
    log2_prior = np.log2(prior[intent])
    q = np.minimum(part.log2_q[rows], 0.0)
    cluster = _cluster(part, rows)
    return [deployed_information(q, log2_prior, cluster=cluster), misinformation(q, log2_prior, cluster=cluster)]


def _capacity(part: Evidence) -> Bits:
    if not (part.adversary != NONE).any():
        return Bits.unmeasured("capacity_bits", "no adversary symbol in this arm", len(part))
    return capacity(**_adversary_columns(part))


def _maximal(part: Evidence) -> Bits:
    trials = trials_of(**_adversary_columns(part))
    # secrets that were never tried leak as well
    inputs = len(part.adversary_alphabet) + int((part.adversary == NONE).any())
    if trials.unit is None:
        return maximal_leakage(trials.counts, inputs=inputs)
    kind = "maximal_leakage_bits"
    if trials.alone:
        return one_cluster(kind, len(part))
    design = table_design(trials.cube(), None)
    # whole trials: what is left of a cell is rounded, and an input keeps one
    effective = np.rint(trials.counts / design.spread).astype(np.int64)
    effective[effective.sum(1) == 0] = trials.counts[effective.sum(1) == 0] > 0
    limits, p = maximal_leakage(effective, inputs=inputs), max(trials.null(999, 0).p, design.independence_p)
    why = first((not_detected(p, limits.high), limits.why))
    low = limits.low if p <= GATE else 0.0
    checks = {**limits.checks, "permutation_p": p}
    value = None if why else limits.value
    return design.marked(Bits(value, low, limits.high, len(part), limits.estimator, kind, value is not None, why, checks))


def _embedded(clean: Evidence | None, part: Evidence) -> list[Bits]:
    rows = part.intent != NONE
    if part.embedding is None or part.kind == "read" or not rows.any():
        return []
    embedding, intent = part.embedding[rows], part.intent[rows]
    unit = clusters_of(_cluster(part, rows), len(intent))
    if unit is not None:
        kept = one_row_of_each(unit, intent)
        embedding, intent = embedding[kept], intent[kept]
    reference = None
    if clean is not None and clean is not part and clean.embedding is not None:
        known = np.isin(clean.intent, intent)
        if set(clean.intent[known].tolist()) == set(intent.tolist()):
            reference = (clean.embedding[known], clean.intent[known])
    reading = channel_reading(embedding, intent, prior=part.intent_prior, reference=reference)
    certified = certified_information(embedding, intent, prior=part.intent_prior)
    return [reading.mixture, certified, reading.c_g, reading.alignment_loss]


def _signal(clean: Evidence | None, part: Evidence) -> list[Bits]:
    if part.embedding is None or not (part.intent != NONE).any():
        return []
    if clean is None:
        return [Bits.unmeasured(kind, "no clean arm to compare with", len(part)) for kind in SIGNAL_KINDS]
    conditions = []
    for one in (clean, part):
        rows = one.intent != NONE
        embedding = one.embedding
        assert embedding is not None  # all rows of one evidence have it or none
        conditions.append(Condition(embedding[rows], one.intent[rows], one.units[rows]))
    return list(signal_and_noise(*conditions))


def _sent(part: Evidence) -> list[Bits]:
    rows = part.intent != NONE
    return [sent_bits(part.intent[rows], part.intent_prior)] if rows.any() else []


def _cluster(part: Evidence, rows: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    return None if part.cluster is None else part.cluster[rows]


def _adversary_columns(part: Evidence) -> dict[str, Any]:
    """The adversary's symbols that occur and what its receiver saw; NONE is a symbol where it occurs."""
    received, alphabet = part.received
    return _columns(part, part.adversary, len(part.adversary_alphabet), received, len(alphabet), None)


def _columns(part: Evidence, x: Symbols, inputs: int, y: Symbols, outcomes: int, prior: Floats | None) -> dict[str, Any]:
    """Two columns of `part` as the measures of counts take them, NONE a symbol of its own.

    Without the symbols that cannot occur: inputs of prior 0 (or, without a prior, that never came), a NONE that never came.
    """
    x, y = np.where(x == NONE, inputs, x), np.where(y == NONE, outcomes, y)
    used = np.bincount(x, minlength=inputs + 1) > 0 if prior is None else np.append(prior, 0.0) > 0
    columns = {"x": np.cumsum(used)[x] - 1, "y": y, "inputs": int(used.sum()), "outcomes": outcomes + int((y == outcomes).any())}
    return columns | {"cluster": part.cluster} | ({} if prior is None else {"prior": prior[used[:-1]]})
