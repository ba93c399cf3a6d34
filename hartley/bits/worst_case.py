"""The worst case over an attack set: the arbitrarily varying channel, its random-code capacity and its symmetrizability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits import trust
from hartley.bits.capacity import channel_capacity
from hartley.bits.limits import upward_reach
from hartley.bits.tables import Counts, Floats, checked_channel, checked_cube
from hartley.bits.value import Bits
from hartley.errors import InputError

_SYMMETRIZED = 1e-7
_STEPS = 400
_NEVER_SEEN = 3.69
"""-ln 0.025: an outcome that n trials never showed has a share of at most this over n."""


@dataclass(frozen=True)
class Symmetrizability:
    """Whether an attack can make every input look like every other under the other's own law.

    symmetrizable  True when `jammer` reaches a defect under 1e-7.
    jammer         (inputs, states): the attack's law of states when it pretends that input; the best one found.
    defect         the largest difference that jammer leaves between two inputs at any outcome.
    at_least       certified lower limit of that difference over all jammers (duality): above 0, none symmetrizes.
    """

    symmetrizable: bool
    jammer: Floats
    defect: float
    at_least: float


def symmetrizable(channels: ArrayLike) -> Symmetrizability:
    """Is the arbitrarily varying channel W_s(y|x), channels (states, inputs, outcomes), symmetrizable (Ericson 1985)?

    It is when a law U(s|x) exists with sum_s W_s(y|x) U(s|x') = sum_s W_s(y|x') U(s|x) for all x, x', y. A linear
    program finds the U with the smallest largest violation; its dual certifies from below that none does better.
    InputError names the state and the row that is no law.
    """
    from scipy.optimize import linprog
    from scipy.sparse import block_array, coo_array, kron

    w = _checked(channels)
    states, inputs, outcomes = w.shape
    firsts, seconds = np.triu_indices(inputs, 1)
    if len(firsts) == 0:
        return Symmetrizability(True, np.full((inputs, states), 1 / states), 0.0, 0.0)
    pairs = len(firsts)
    row = np.arange(pairs * outcomes).reshape(pairs, outcomes, 1)
    shape = (pairs, outcomes, states)
    plus = (np.broadcast_to(row, shape), np.broadcast_to(seconds[:, None, None] * states + np.arange(states), shape))
    minus = (np.broadcast_to(row, shape), np.broadcast_to(firsts[:, None, None] * states + np.arange(states), shape))
    values = [w[:, firsts].transpose(1, 2, 0), -w[:, seconds].transpose(1, 2, 0)]
    data = np.concatenate([value.ravel() for value in values])
    at = [np.concatenate([plus[i].ravel(), minus[i].ravel()]) for i in (0, 1)]
    violation = coo_array((data, (at[0], at[1])), shape=(pairs * outcomes, inputs * states)).tocsr()
    bound = coo_array(np.ones((pairs * outcomes, 1)))
    found = linprog(
        np.append(np.zeros(inputs * states), 1.0),
        A_ub=block_array([[violation, -bound], [-violation, -bound]]),
        b_ub=np.zeros(2 * pairs * outcomes),
        A_eq=block_array([[kron(np.eye(inputs), np.ones((1, states))), coo_array((inputs, 1))]]),
        b_eq=np.ones(inputs),
        bounds=(0, None),
        method="highs",
    )
    if found.status != 0:
        raise ArithmeticError(f"symmetrizability: the linear program ended with {found.message}")
    jammer = np.maximum(found.x[:-1].reshape(inputs, states), 0.0)
    jammer /= jammer.sum(1, keepdims=True)
    defect = float(np.abs(violation @ jammer.ravel()).max())
    dual = -np.asarray(found.ineqlin.marginals)
    weights = dual[: pairs * outcomes] - dual[pairs * outcomes :]
    # for any weights of total size 1 the largest violation is at least their weighted violation, whose minimum over
    # jammers is taken input by input
    weights = weights / max(1.0, float(np.abs(weights).sum()))
    at_least = float((violation.T @ weights).reshape(inputs, states).min(1).sum())
    return Symmetrizability(defect <= _SYMMETRIZED, jammer, defect, max(0.0, at_least))


@dataclass(frozen=True)
class WorstCase:
    """Capacity against the worst attack in the set, in bits per use of the channel.

    random_code_bits         max over input laws of the min over mixes of states of I: what a code drawn at random after
                             the attack is fixed in its ways can reach (smoothing, ensembles); off by at most gap_bits.
    deterministic_code_bits  the same where the channel is not symmetrizable, 0 where it is (Csiszar and Narayan 1988):
                             what a fixed, known encoder and decoder can reach.
    input_law (inputs,), mix (states,)  a law and an attack that reach it.
    """

    random_code_bits: float
    deterministic_code_bits: float
    gap_bits: float
    input_law: Floats
    mix: Floats
    symmetrizability: Symmetrizability

    def __str__(self) -> str:
        why = " (an attack makes inputs look alike)" if self.symmetrizability.symmetrizable else ""
        codes = f"{self.random_code_bits:.3f} bits with a random code, {self.deterministic_code_bits:.3f} bits with a fixed one"
        return f"worst case: {codes}{why} (gap {self.gap_bits:.1e} bits)"


def worst_case_capacity(channels: ArrayLike, tol_bits: float = 1e-6) -> WorstCase:
    """Capacity of the arbitrarily varying channel W_s(y|x), channels (states, inputs, outcomes), certified.

    The capacity of the mixed channel is convex in the mix, and the minimum over mixes is the answer (the minimax theorem;
    Blackwell, Breiman and Thomasian 1960). Cutting planes find it: at each mix the best input law gives a line under that
    capacity, exact for the law, so the least point of all lines bounds the answer from below and the best mix from above.
    InputError for what is no channel; ArithmeticError when the gap stays above tol_bits.
    """
    w = _checked(channels)
    mix, upper, lower, law = _saddle(w, tol_bits)
    gap = max(0.0, upper - lower)
    if gap > tol_bits:
        raise ArithmeticError(f"worst case: gap {gap:.2e} bits after {_STEPS} steps, wanted {tol_bits:.2e}")
    verdict = symmetrizable(w)
    random_code = max(0.0, upper)
    return WorstCase(random_code, 0.0 if verdict.symmetrizable else random_code, gap, law, mix, verdict)


def _saddle(w: Floats, tol_bits: float) -> tuple[Floats, float, float, Floats]:
    """(mix, its capacity, lower bound over all mixes, an input law that is good against every mix)."""
    from scipy.optimize import linprog

    states = len(w)
    starts = [np.full(states, 1 / states), *np.eye(states)]
    slopes: list[Floats] = []
    laws: list[Floats] = []
    trial = starts[0]
    best, upper, lower, law = starts[0], np.inf, 0.0, np.full(w.shape[1], 1 / w.shape[1])
    for step in range(_STEPS):
        mix = starts[step] if step < len(starts) else trial
        capacity, gap, own = channel_capacity(np.einsum("s,sxy->xy", mix, w), min(1e-9, tol_bits / 10))
        if capacity + gap < upper:
            best, upper = mix, capacity + gap
        slopes.append(_slope(w, mix, own))
        laws.append(own)
        if step + 1 < len(starts):
            continue
        lines = np.array(slopes)
        found = linprog(
            np.append(np.zeros(states), 1.0),
            A_ub=np.column_stack([lines, -np.ones(len(lines))]),
            b_ub=np.zeros(len(lines)),
            A_eq=[[1.0] * states + [0.0]],
            b_eq=[1.0],
            bounds=[(0, None)] * states + [(None, None)],
            method="highs",
        )
        weights = np.maximum(-np.asarray(found.ineqlin.marginals), 0.0)
        weights /= weights.sum()
        # any average of the lines lies under the capacity: its least corner is a bound whatever the solver's rounding
        bound = float((weights @ lines).min())
        if bound > lower:
            lower, law = bound, np.asarray(weights @ np.array(laws))
        if upper - lower <= tol_bits:
            break
        trial = np.maximum(found.x[:-1], 0.0) / np.maximum(found.x[:-1], 0.0).sum()
        # halfway back to the best mix so far: the corners that lines alone point to lie too far out
        trial = (trial + best) / 2 if step % 2 else trial
    return best, upper, lower, law


def _slope(w: Floats, mix: Floats, law: Floats) -> Floats:
    """(states,): the line q -> slope q under I(law; W_q), touching it at `mix` (moved inside by 1e-12, so that logs exist).

    I is convex in the channel, and with the reverse channel r(x|y) of the mix, sum p W_q log(r / p) is linear in q and
    at most I(p; W_q) for every q: the bound that a decoder fitted to the mix delivers.
    """
    inside = (1 - 1e-12) * mix + 1e-12 / len(mix)
    joint = law[:, None] * np.einsum("s,sxy->xy", inside, w)
    columns = joint.sum(0)
    ratio = np.divide(joint, law[:, None] * columns, out=np.ones_like(joint), where=joint > 0)
    return np.asarray(np.einsum("x,sxy,xy->s", law, w, np.log2(ratio)))


def worst_case(counts: ArrayLike, *, kind: str = "worst_case_bits", seed: int = 0) -> Bits:
    """Random-code capacity against the worst mix of measured attacks, from counts (states, inputs, outcomes).

    low    one input law and one decoder, fitted to the saddle point of half of the trials, judged on the other half: under
           every state the decoder delivers its mean score, so under every mix at least the smallest; 97.5% each.
    high   97.5% limit of what the worst single state of the first half carries, from the second half.
    value  the frequencies' capacity less its bias (2 whole - mean of the halves), within the limits; withheld under the
           floors of `hartley.bits.trust` for any state, or where low is 0: no channel is shown to survive every attack.
    checks plug_in_bits, states, symmetrizable_defect (of the frequencies): near 0, no fixed code survives, whatever this
           capacity is. Inputs without a trial under some state are an InputError: nothing would be known of them.
    """
    from hartley.bits.capacity import capacity

    table = _checked_counts(counts)
    states, inputs, outcomes = table.shape
    n, fewest = int(table.sum()), int(table.sum(2).min())
    if inputs < 2 or fewest < 2:
        return Bits.unmeasured(kind, f"{inputs} inputs, the rarest tried {fewest} times under a state: needs 2 of each", n)
    generator = np.random.default_rng([seed, n])
    rows = table.reshape(-1, outcomes)
    half = np.stack([generator.multivariate_hypergeometric(row, int(row.sum()) // 2, method="marginals") for row in rows]).reshape(
        table.shape
    )
    fitted = _smoothed(half)
    mix, _, _, law = _saddle(fitted, 1e-4)
    judged = table - half
    low = max(0.0, min(_judged_low(judged[s], law, np.einsum("s,sxy->xy", mix, fitted)) for s in range(states)))
    alone = [channel_capacity(one / one.sum(1, keepdims=True), 1e-4)[0] for one in half]
    high = capacity(judged[int(np.argmin(alone))], permutations=199, seed=seed).high
    high = max(float(np.log2(inputs)) if high is None else high, low)
    plug_in = _saddle(table / table.sum(2, keepdims=True), 1e-4)[1]
    halves = [_saddle(part / part.sum(2, keepdims=True), 1e-4)[1] for part in (half, judged)]
    point = min(max(2 * plug_in - float(np.mean(halves)), low), high)
    occupied = int((table > 0).sum())
    silent = f"no channel is shown to survive every attack; if one does it carries less than {high:.3f} bits" if low <= 0 else ""
    why = trust.first([silent, trust.too_few_trials(fewest, n, occupied), trust.drifts(point, float(np.mean(halves)), 0.0)])
    checks = {
        "plug_in_bits": plug_in,
        "states": float(states),
        "symmetrizable_defect": symmetrizable(table / table.sum(2, keepdims=True)).defect,
    }
    estimator = "worst mix of states; held-out decoder to worst state bracket, 95%"
    return Bits(None if why else point, low, high, n, estimator, kind, not why, why, checks)


def _smoothed(counts: Counts) -> Floats:
    """Channels (states, inputs, outcomes) with half a trial spread over the outcomes of each row."""
    return np.asarray((counts + 0.5 / counts.shape[2]) / (counts.sum(2, keepdims=True) + 0.5))


def _judged_low(counts: Counts, law: Floats, fitted: Floats) -> float:
    """97.5% lower limit in bits of what the decoder of (law, fitted) delivers under the state that left `counts`."""
    score = np.log2(fitted / (law @ fitted))
    rates = counts / counts.sum(1, keepdims=True)
    used = law > 1e-12
    mean = float((law[:, None] * rates * score)[used].sum())
    # inputs are tried separately: their reaches add as squares, weighted by the law
    reach = [law[x] * upward_reach(-score[x], rates[x], float(counts[x].sum())) for x in np.flatnonzero(used)]
    unseen = [law[x] * _NEVER_SEEN / counts[x].sum() * float(score[x] @ rates[x] - score[x].min()) for x in np.flatnonzero(used)]
    return mean - float(np.hypot(np.linalg.norm(reach), np.linalg.norm(unseen)))


def _checked(channels: ArrayLike) -> Floats:
    try:
        w = np.asarray(channels, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"channels: not numbers ({error})") from None
    if w.ndim != 3 or 0 in w.shape:
        raise InputError(f"channels: shape {w.shape}, takes (states, inputs, outcomes)")
    found = []
    for s, one in enumerate(w):
        try:
            found.append(checked_channel(one))
        except InputError as error:
            raise InputError(f"channels, state {s}: {error}") from None
    return np.stack(found)


def _checked_counts(counts: ArrayLike) -> Counts:
    table = checked_cube(counts, "states, inputs, outcomes")
    if (table.sum(2) == 0).any():
        s, x = (int(i) for i in np.argwhere(table.sum(2) == 0)[0])
        raise InputError(f"counts, state {s}, input {x}: no trial; every input needs some under every state")
    return table
