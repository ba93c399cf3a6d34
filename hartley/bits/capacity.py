"""Capacity of a discrete channel by Blahut-Arimoto, with its duality gap, and of a measured one, with limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.clustered import one_cluster, trials_of
from hartley.bits.counted.interior_point import achieving_laws, divergences
from hartley.bits.counts import bracket_bits, point_of
from hartley.bits.tables import Floats, checked_channel
from hartley.bits.trust import EQUIVALENT_SHARE, GATE, equivalent, first, not_detected
from hartley.bits.value import Bits


def channel_capacity(channel: ArrayLike, tol_bits: float = 1e-9, max_steps: int = 5_000) -> tuple[float, float, Floats]:
    """(capacity in bits, duality gap in bits, input law) of a channel W(y|x), shape (inputs, outcomes), rows sum to 1.

    The capacity returned is I(law; W), a lower bound; capacity + gap is an upper bound, since for any law q of the
    outcomes C <= max_x D(W_x || q) (Blahut 1972, Arimoto 1972). Steps law *= 2^(s D), with s grown while the value rises
    (over-relaxation; Matz and Duhamel 2004). They crawl where inputs are nearly alike or just not worth using, so from
    time to time the inputs that may still carry mass are handed to an interior-point step; whatever comes out of it is
    judged over all inputs. Stops at gap <= tol_bits. Raises InputError for rows that are no laws, ArithmeticError when
    max_steps do not reach tol_bits.
    """
    w = checked_channel(channel)
    negative = np.einsum("xy,xy->x", w, np.log2(np.where(w > 0, w, 1.0)))
    law = np.full(len(w), 1.0 / len(w))
    divergence = _divergences(w, negative, law)
    value, stretch, polish_at = float(law @ divergence), 1.0, 20
    for step in range(max_steps):
        gap = float(divergence.max()) - value
        if gap <= tol_bits:
            return max(0.0, value), max(0.0, gap), law
        if step == polish_at:
            polished = _polished(w, negative, law, divergence, tol_bits)
            reached = _divergences(w, negative, polished)
            polish_at *= 2
            if float(reached.max()) - float(polished @ reached) < gap:
                law, divergence, value = polished, reached, float(polished @ reached)
                continue
        trial = law * np.exp2(stretch * (divergence - divergence.max()))
        trial /= trial.sum()
        reached = _divergences(w, negative, trial)
        gained = float(trial @ reached)
        if gained >= value - 1e-15:
            law, divergence, value = trial, reached, gained
            stretch = min(stretch * 1.5, 1e4)
        else:
            stretch = 1.0 if stretch > 1.0 else stretch / 2
    raise ArithmeticError(f"capacity: gap {float(divergence.max()) - value:.2e} bits after {max_steps} steps, wanted {tol_bits:.2e}")


def _polished(w: Floats, negative: Floats, law: Floats, divergence: Floats, tol_bits: float) -> Floats:
    """The interior-point optimum over the inputs within 4 gaps of the best, widened while another input beats them."""
    value = float(law @ divergence)
    active = divergence >= value - 4 * (float(divergence.max()) - value)
    for _ in range(6):
        found = np.zeros(len(law))
        found[active] = achieving_laws(w[None, active], negative[None, active], law[None, active], tol_bits / 4)[0]
        reached = _divergences(w, negative, found)
        missing = (reached > float(found @ reached) + tol_bits) & ~active
        if not missing.any():
            break
        active |= missing
    return found


def _divergences(w: Floats, negative: Floats, law: Floats) -> Floats:
    """D(W_x || law W) in bits for every input x of one channel."""
    return np.asarray(divergences(w[None], negative[None], law[None])[0])


def capacity(
    x: ArrayLike,
    y: ArrayLike | None = None,
    *,
    cluster: ArrayLike | None = None,
    inputs: int | None = None,
    outcomes: int | None = None,
    kind: str = "capacity_bits",
    permutations: int = 1999,
    seed: int = 0,
) -> Bits:
    """Capacity in bits per use of the channel that left a table of counts (inputs, outcomes), or two arrays of n symbols each.

    cluster, inputs, outcomes   as in `hartley.bits.counts.information`, and so is what clusters change.
    value      capacity of the frequencies, less the jackknife's bias (per input; Miller 1974), within the bracket.
    low        97.5% limit of what a decoder delivers on unseen trials at the capacity-achieving input law, or at equal
               inputs, whichever is larger: information at any input law is at most the capacity.
    high       capacity of the frequencies, which convexity biases upward, plus its reach.
    checks     duality_gap_bits certifies the optimization to 1e-9 bits; permutation_p gates low and value as in
               `hartley.bits.counts.information`, whose floors on the number of trials, whose rule on half-sample
               drift and whose equivalence test hold here too, the last by this `high` and the entropy of equal inputs.
    Inputs without a trial are left out: nothing is known about them, and the capacity speaks of the inputs used.
    """
    trials = trials_of(x, y, inputs=inputs, outcomes=outcomes, cluster=cluster).of_used_inputs()
    table = trials.counts
    n = int(table.sum())
    if len(table) < 2:
        return Bits.unmeasured(kind, "fewer than two input symbols occurred: there is no channel to measure", n)
    if trials.alone:
        return one_cluster(kind, n)
    plug_in, gap, law = channel_capacity(table / table.sum(1)[:, None])
    null = trials.null(permutations, seed)
    # what re-optimizing over the law would gain is 0 to first order, so the bias at the achieving law is the capacity's
    achieving = (law + 1e-12) / (law + 1e-12).sum()
    found = point_of(trials, achieving)
    p = max(null.p, found.independence_p)
    laws = [np.full(len(table), 1 / len(table)), (law + 1e-9) / (law + 1e-9).sum()]
    brackets = [bracket_bits(found.effective(table), one) for one in laws]
    low = max(bracket[0] for bracket in brackets) if p <= GATE else 0.0
    high = min(max(plug_in, *(bracket[1] for bracket in brackets)), float(np.log2(min(table.shape))))
    high = max(high, low)
    checks = {"permutation_p": p, "duality_gap_bits": gap, "plug_in_bits": plug_in, "occupied_cells": float((table > 0).sum())}
    point = min(plug_in, found.point)
    none = equivalent(p, high, float(np.log2(len(table))), found.fewest)
    checks |= {"equivalence_bits": EQUIVALENT_SHARE * float(np.log2(len(table)))} if none else {}
    why = none or first((not_detected(p, high, null.finest), found.thin, found.moves(point)))
    value = 0.0 if none else None if why else float(min(max(point, low), high))
    estimator = f"Blahut-Arimoto, {found.correction}; decoder to plug-in bracket, 95%{found.over}"
    bits = Bits(value, low, high, n, estimator, kind, value is not None, why, checks)
    return bits if found.design is None else found.design.marked(bits)
