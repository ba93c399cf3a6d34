"""Success: the papers' own metrics, read off Evidence as rates with exact limits."""

from __future__ import annotations

from collections.abc import Callable

from hartley.bits.rates import Rate, success_rate
from hartley.case import AnyCase, Flag
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


def counted(success: str, user: str) -> Callable[[Evidence], tuple[Rate, ...]]:
    """How most recipes count: the threat's own success under one name, what the user still gets under another."""
    return lambda evidence: (*successes(evidence, success), *accuracy(evidence, user))


def flag_masked(case: AnyCase, channel: str, white: Evidence, black: Evidence) -> None:
    """A query attack that does better than the gradient says that the gradient is masked."""
    for arm in ("attacked", "defended_adaptive"):
        if arm in white.arms and arm in black.arms:
            gradient, queries = (success_rate("success", arm, part.of(arm).success, headline=True) for part in (white, black))
            if gradient is not None and queries is not None and queries.low > gradient.high:
                why = f"queries alone succeed on {queries.low:.0%} or more, the gradient on {gradient.high:.0%} at most: it is masked"
                case.flags.append(Flag(channel, arm, "black box beats white box", why))
