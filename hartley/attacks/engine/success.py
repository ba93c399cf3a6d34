"""Success: the papers' own metrics, read off Evidence as rates with exact limits."""

from __future__ import annotations

from hartley.bits.rates import Rate, success_rate
from hartley.evidence import Evidence


def successes(evidence: Evidence, name: str) -> tuple[Rate, ...]:
    """The headline rate in every arm where the criterion applies; in an arm without an attack it is what chance and the
    model's own errors give."""
    arms = ((arm, evidence.of(arm)) for arm in evidence.arms)
    found = (success_rate(name, arm, rows.success, headline=True, cluster=rows.cluster) for arm, rows in arms)
    return tuple(rate for rate in found if rate is not None)


def accuracy(evidence: Evidence, name: str) -> tuple[Rate, ...]:
    """Share of trials whose outcome is the intent, in every arm: what the user still gets."""
    arms = ((arm, evidence.of(arm)) for arm in evidence.arms)
    found = (
        success_rate(name, arm, (rows.outcome == rows.intent).astype(int), headline=False, better="user", cluster=rows.cluster)
        for arm, rows in arms
    )
    return tuple(rate for rate in found if rate is not None)
