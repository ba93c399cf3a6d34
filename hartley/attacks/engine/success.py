"""Success: the papers' own metrics, read off Evidence as rates with exact limits."""

from __future__ import annotations

from hartley.bits.rates import Rate
from hartley.evidence import NONE, Evidence


def rate_of_success(evidence: Evidence, name: str = "success") -> Rate:
    """Share of the trials of a one-arm table on which the threat's own criterion held, among those where it applies."""
    counted = evidence.success[evidence.success != NONE]
    arm = evidence.arms[0] if evidence.arms else "clean"
    return Rate.of(name, arm, int((counted == 1).sum()), len(counted), headline=True, better="attacker")


def successes(evidence: Evidence, name: str) -> tuple[Rate, ...]:
    """The headline rate in every arm; in an arm without an attack it is the rate by chance or by the model's own errors."""
    return tuple(rate_of_success(evidence.of(arm), name) for arm in evidence.arms)


def accuracy(evidence: Evidence, name: str) -> tuple[Rate, ...]:
    """Share of trials whose outcome is the intent, in every arm: what the user still gets."""
    found = []
    for arm in evidence.arms:
        rows = evidence.of(arm)
        right = int((rows.outcome == rows.intent).sum())
        found.append(Rate.of(name, arm, right, len(rows), headline=False, better="user"))
    return tuple(found)
