"""The rules that every point must pass before it is printed; each returns the reason for withholding it, or "" where it passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

GATE = 0.01
"""A permutation p above this says that no channel was detected."""
DRIFT_BITS = 0.1
"""Half-sample drift up to this never withholds a point."""
FORMS_BITS = 0.1
"""How far apart the raw, rank and whitened forms of one estimate may lie."""
TRIALS_PER_INPUT = 10
TRIALS_PER_CELL = 5
"""Floors of a table of counts: trials with every input, and trials in all for every occupied cell."""
NOTHING_DETECTED = "no channel detected"
"""How the reason begins where the null of independence is not rejected."""
EQUIVALENT_SHARE = 0.1
"""An upper limit of this share of the input's entropy says that there is nothing. The limit itself always stands beside the 0."""


def first(reasons: Iterable[str]) -> str:
    """The first rule that fails, in the order given; "" when all pass."""
    return next((reason for reason in reasons if reason), "")


def not_detected(p: float, high: float | None, finest: float = 0.0) -> str:
    """The null of independence must be rejected. p: of a permutation test; high: the upper limit in bits, where there is one.

    finest: the p that the strongest of the shuffled tables would get; above the gate nothing could be detected.
    """
    if p <= GATE:
        return ""
    rest = "" if high is None else f"; if there is one it carries less than {high:.3f} bits"
    if finest > GATE:
        rest = f"; clusters of one symbol each are too few here for any p below {finest:.3f}{rest}"
    return f"{NOTHING_DETECTED} (permutation p = {p:.3f}){rest}"


def equivalent(p: float, high: float, entropy: float, fewest: float) -> str:
    """The equivalence test: not detected, and at most EQUIVALENT_SHARE of `entropy`, that of the input in bits. "" where it is not so.

    high: a 97.5% upper limit in bits, so that information of that share is called 0 in at most 2.5%. fewest: trials of the rarest input.
    """
    bound = EQUIVALENT_SHARE * entropy
    if p <= GATE or high > bound or fewest < TRIALS_PER_INPUT:
        return ""
    return f"{NOTHING_DETECTED} (permutation p = {p:.3f}): equivalent to 0, at most {high:.3f} bits where {bound:.3f} would count"


def too_few_trials(fewest: int, n: int, occupied: int) -> str:
    """A table of counts needs room. fewest: trials of the rarest input; n: trials in all; occupied: cells with a trial."""
    if fewest < TRIALS_PER_INPUT:
        return f"too few trials for a point: an input has {fewest}, needs {TRIALS_PER_INPUT}; the interval holds"
    if n < TRIALS_PER_CELL * occupied:
        return f"too few trials for a point: {n} over {occupied} occupied cells, needs {TRIALS_PER_CELL * occupied}; the interval holds"
    return ""


def below_low(point: float, low: float | None) -> str:
    """A point under its own certified lower limit is wrong. Both in bits."""
    if low is None or point >= low:
        return ""
    return f"the point, {point:.3f} bits, falls below the certified lower limit, {low:.3f} bits; the limits hold"


def drifts(point: float, half: float, standard_error: float) -> str:
    """A point that moves with the sample size has not converged. half: mean estimate of the halves; all in bits."""
    if abs(point - half) <= max(2 * standard_error, DRIFT_BITS):
        return ""
    return f"the point has not settled: {half:.3f} bits on half of the rows, {point:.3f} on all; more rows are needed"


def forms_disagree(forms: Mapping[str, float]) -> str:
    """An estimate that depends on how the same data is written down is a property of the writing. forms: name to bits."""
    if len(forms) < 2 or max(forms.values()) - min(forms.values()) <= FORMS_BITS:
        return ""
    return "the estimate depends on the form of the data: " + ", ".join(f"{name} {bits:.3f}" for name, bits in forms.items()) + " bits"
