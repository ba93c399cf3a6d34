"""Margin: what the user gets through less what the adversary does. Below zero the adversary owns the channel."""

from __future__ import annotations

from dataclasses import replace

from hartley.bits.value import Bits


def margin(utility: Bits, adversary: Bits) -> Bits:
    """utility_bits - adversary_bits, in bits (the wiretap reading).

    The interval is conservative: low = utility.low - adversary.high, high = utility.high - adversary.low; it holds
    whatever the dependence between the two, with the two confidences added up (each 95%: together at least 90%, and
    in practice more, since brackets are wide). That holds over clusters too; `clusters` are the fewer, `design_effect` the
    larger of the two. The point needs both points. Unmeasured where either is.
    """
    n = min(utility.n, adversary.n)
    for part in (utility, adversary):
        if part.value is None and part.low is None and part.high is None:
            return replace(Bits.unmeasured("margin_bits", f"{part.kind} was not measured: {part.why}", n), clusters=part.clusters)
    low = None if utility.low is None or adversary.high is None else utility.low - adversary.high
    high = None if utility.high is None or adversary.low is None else utility.high - adversary.low
    value = None if utility.value is None or adversary.value is None else utility.value - adversary.value
    why = "; ".join(f"{part.kind}: {part.why}" for part in (utility, adversary) if part.why)
    trusted = value is not None and utility.trusted and adversary.trusted
    units = [part.clusters for part in (utility, adversary) if part.clusters is not None]
    effects = [part.design_effect for part in (utility, adversary) if part.design_effect is not None]
    name = "difference; limits subtracted crosswise"
    clusters, effect = min(units, default=None), max(effects, default=None)
    return Bits(value, low, high, n, name, "margin_bits", trusted, "" if trusted else why, {}, clusters, effect)
