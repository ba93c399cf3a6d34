"""Differential privacy in bits (E6): the most a release may say about membership, and audits that bound epsilon from below.

epsilon and mu are taken and given as the field writes them: epsilon is a natural logarithm of odds, not a number of bits.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.limits import proportion_limits
from hartley.bits.membership import checked_scores
from hartley.bits.tables import Floats, binary_entropy_bits
from hartley.bits.value import Bits
from hartley.errors import InputError

SHARES = (1.0, 0.25, 0.0625)
"""Shares of the scores an audit guesses on where it is not told how many; each is tried, at a third of the error."""


@dataclass(frozen=True)
class Epsilon:
    """A lower limit of the epsilon of a mechanism. It says how private the mechanism is not, never how private it is.

    low         epsilon is at least this, with probability `confidence` over the audit; 0 where nothing was shown.
    delta       for which the limit holds: the mechanism is not (epsilon, delta)-private for any epsilon under `low`.
    n           scores (or trials) the audit had; guesses: on how many it committed itself; correct: how many were right.
    """

    low: float
    confidence: float
    n: int
    guesses: int
    correct: int
    delta: float
    estimator: str

    def ceiling(self) -> Bits:
        """What the limit says in bits: the mechanism's own ceiling on membership is at least this high.

        value is None: an audit has no point. low: `approximate_ceiling_bits` at the limit; high: the one bit of membership.
        The ceiling is what a release of that epsilon may leak at most, not what this one leaks.
        """
        why = "an audit bounds epsilon from below only"
        checks = {"epsilon_low": self.low, "delta": self.delta, "confidence": self.confidence}
        low = min(approximate_ceiling_bits(self.low, self.delta), 1.0)
        return Bits(None, low, 1.0, self.n, self.estimator, "privacy_ceiling_bits", False, why, checks)

    def __str__(self) -> str:
        return (
            f"epsilon: at least {self.low:.3f} at delta {self.delta:g}, confidence {self.confidence:.0%} "
            f"({self.correct} of {self.guesses} guesses right, n={self.n}, {self.estimator})"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def pure_ceiling_bits(epsilon: float) -> float:
    """The most bits an epsilon-private release says about one record's membership (a fair coin): 1 - h(e^eps / (1 + e^eps)).

    Reached by randomized response. InputError unless epsilon >= 0.
    """
    _checked("epsilon", epsilon, 0.0, math.inf)
    return 1.0 - binary_entropy_bits(1.0 / (1.0 + math.exp(min(epsilon, 700.0))))


def approximate_ceiling_bits(epsilon: float, delta: float) -> float:
    """The same of an (epsilon, delta)-private release: delta + (1 - delta) (1 - h(e^eps / (1 + e^eps))).

    Every such release is a processing of one pair of laws (Kairouz, Oh and Viswanath 2015): with probability delta
    membership is shown outright, otherwise it goes through randomized response. What that pair says no release exceeds.
    """
    _checked("delta", delta, 0.0, 1.0)
    return delta + (1.0 - delta) * pure_ceiling_bits(epsilon)


def gaussian_ceiling_bits(mu: float) -> float:
    """The same of a mu-GDP release (Dong, Roth and Su 2022): capacity of the binary-input Gaussian channel at d' = mu.

    1 - E log2 (1 + exp(-mu (mu / 2 + z))), z standard normal, by the trapezoid rule, whose error is below 1e-12 here.
    """
    _checked("mu", mu, 0.0, math.inf)
    if mu > 80:
        return 1.0
    z = np.arange(-1664, 1665) / 128.0
    weight = np.exp(-(z**2) / 2)
    return float(max(0.0, 1.0 - weight @ np.logaddexp(0.0, -mu * (mu / 2 + z)) / weight.sum() / np.log(2)))


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The epsilon at which a mu-GDP mechanism (Gaussian noise of deviation sensitivity / mu) is (epsilon, delta)-private.

    Solves delta = Phi(mu/2 - eps/mu) - e^eps Phi(-mu/2 - eps/mu) (Balle and Wang 2018). InputError unless 0 < delta < 1.
    """
    from scipy.optimize import brentq
    from scipy.special import log_ndtr

    _checked("mu", mu, 0.0, 1e3)
    _checked("delta", delta, 1e-300, 1 - 1e-12)
    if mu == 0:
        return 0.0

    def excess(epsilon: float) -> float:
        first, second = log_ndtr(mu / 2 - epsilon / mu), epsilon + log_ndtr(-mu / 2 - epsilon / mu)
        return float(np.exp(first) * -np.expm1(min(second - first, 0.0)) - delta)

    if excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, mu * (mu / 2 + 40.0), xtol=1e-13, rtol=1e-13))


def audit_epsilon(
    score: ArrayLike,
    member: ArrayLike,
    *,
    top: int | None = None,
    bottom: int | None = None,
    delta: float = 0.0,
    confidence: float = 0.95,
) -> Epsilon:
    """A lower limit of epsilon from one run of the mechanism (Steinke, Nasr and Jagielski 2023).

    score (n,)      higher for records the observer takes for members; any function of what was released.
    member (n,)     1 where the record was in the run, by a fair coin of its own: the theorem needs independent coins. A list
                    of members settled beforehand is no audit, though its limit comes out close.
    top, bottom     how many of the highest scores are called members and of the lowest non-members, fixed before the run.
                    Both None: half of each of `SHARES` of n, and the best limit counts, each at a third of the error.
    Tied scores stand or fall together, by their mean rank, so that the order of rows decides nothing.
    The p-value of `correct` out of `guesses` at (epsilon, delta) is the tail of a binomial at e^eps / (1 + e^eps), plus delta's part.
    InputError names the column and the row.
    """
    scores, secret = checked_scores(score, member)
    n, members = len(scores), int(secret.sum())
    if abs(members - n / 2) > 3 * math.sqrt(n):
        raise InputError(f"column member: {members} of {n} rows are members, takes members drawn by fair coins")
    _checked("delta", delta, 0.0, 1.0)
    _checked("confidence", confidence, 0.5, 1 - 1e-9)
    if (top is None) != (bottom is None):
        raise InputError("top and bottom: one is given, takes both or neither")
    plans = _plans(n) if top is None or bottom is None else [(top, bottom)]
    for up, down in plans:
        if up < 0 or down < 0 or not 0 < up + down <= n:
            raise InputError(f"top and bottom: got {up} and {down}, takes at least one guess and at most {n}, one a score")
    error = (1 - confidence) / max(1, len(plans))
    found = [Epsilon(0.0, confidence, n, 0, 0, delta, "one-run audit")]
    for up, down in plans:
        guesses, correct = _guesses(scores, secret, up, down)
        low = _one_run_limit(n, guesses, correct, delta, error)
        found.append(Epsilon(low, confidence, n, guesses, correct, delta, "one-run audit"))
    return max(found, key=lambda one: (one.low, one.guesses))


def two_group_epsilon(hits: int, members: int, false_hits: int, others: int, *, delta: float = 0.0, confidence: float = 0.95) -> Epsilon:
    """A lower limit of epsilon from a fixed guess on members and on non-members: eps >= ln((TPR - delta) / FPR), and its mirror.

    hits of `members` and false_hits of `others` were called members. TPR and FPR enter at their Clopper-Pearson limits,
    each with half of the error (Jagielski, Ullman and Oprea 2020). Needs trials that are independent given the mechanism,
    and a threshold chosen on other data. InputError for counts that contradict each other.
    """
    for name, got, most in (("hits", hits, members), ("false_hits", false_hits, others)):
        if most < 1 or not 0 <= got <= most:
            raise InputError(f"{name}: got {got} of {most}, takes from 0 to the size of a group of at least one")
    _checked("delta", delta, 0.0, 1.0)
    _checked("confidence", confidence, 0.5, 1 - 1e-9)
    tpr, fpr = proportion_limits(hits, members, confidence)[0], proportion_limits(false_hits, others, confidence)[1]
    odds = [(tpr - delta) / fpr, (1 - fpr - delta) / (1 - tpr) if tpr < 1 else 0.0]
    low = max(0.0, *(math.log(ratio) for ratio in odds if ratio > 0), 0.0)
    right = hits + others - false_hits
    return Epsilon(low, confidence, members + others, members + others, right, delta, "two groups, Clopper-Pearson")


def _plans(n: int) -> list[tuple[int, int]]:
    """(top, bottom) for each of SHARES of n scores; none below two scores."""
    return sorted({(max(1, int(n * share / 2)),) * 2 for share in SHARES}) if n > 1 else []


def _guesses(scores: Floats, secret: np.ndarray[tuple[int, ...], np.dtype[np.int64]], top: int, bottom: int) -> tuple[int, int]:
    """(guesses, correct) with the `top` highest mean ranks called members and the `bottom` lowest non-members."""
    _, index, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(sizes) - (sizes - 1) / 2)[index]
    above, below = rank > len(scores) - top + 0.5, rank < bottom + 0.5
    return int(above.sum() + below.sum()), int((above & (secret == 1)).sum() + (below & (secret == 0)).sum())


def _one_run_limit(n: int, guesses: int, correct: int, delta: float, error: float) -> float:
    """The smallest epsilon whose p-value exceeds `error`; 0 when epsilon 0 already explains the guesses."""
    if guesses == 0 or one_run_p(n, guesses, correct, 0.0, delta) > error:
        return 0.0
    low, high = 0.0, 1.0
    while one_run_p(n, guesses, correct, high, delta) <= error:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if one_run_p(n, guesses, correct, middle, delta) <= error else (low, middle)
    return low


def one_run_p(n: int, guesses: int, correct: int, epsilon: float, delta: float) -> float:
    """The most probable that an (epsilon, delta)-private run of n records lets so many guesses come out right.

    P[B >= correct] + 2 n delta max_i P[correct - i <= B < correct] / i, B binomial(guesses, e^eps / (1 + e^eps)).
    """
    from scipy.special import betainc, gammaln, xlog1py, xlogy

    share = 1.0 / (1.0 + math.exp(-epsilon))
    tail = float(betainc(correct, guesses - correct + 1, share)) if correct > 0 else 1.0
    if delta > 0 and correct > 0:
        k = np.arange(correct - 1, -1, -1)
        ways = gammaln(guesses + 1) - gammaln(k + 1) - gammaln(guesses - k + 1)
        below = np.cumsum(np.exp(ways + xlogy(k, share) + xlog1py(guesses - k, -share)))
        tail += 2 * n * delta * float((below / np.arange(1, correct + 1)).max())
    return min(tail, 1.0)


def _checked(name: str, value: float, low: float, high: float) -> None:
    if not isinstance(value, (int, float, np.integer, np.floating)) or not low <= value <= high:
        raise InputError(f"{name}: got {value!r}, takes a number from {low:g} to {high:g}")
