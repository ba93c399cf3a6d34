"""Margin: what the user gets through less what the adversary does. Below zero the adversary owns the channel."""

from __future__ import annotations

from hartley.bits.value import Bits


def margin(utility: Bits, adversary: Bits) -> Bits:
    """utility_bits - adversary_bits, in bits (the wiretap reading).

    The interval is conservative: low = utility.low - adversary.high, high = utility.high - adversary.low; it holds
    whatever the dependence between the two, with the two confidences added up (each 95%: together at least 90%, and
    in practice more, since brackets are wide). The point needs both points. Unmeasured where either is.
    """
    n = min(utility.n, adversary.n)
    for part in (utility, adversary):
        if part.value is None and part.low is None and part.high is None:
            return Bits.unmeasured("margin_bits", f"{part.kind} was not measured: {part.why}", n)
    low = None if utility.low is None or adversary.high is None else utility.low - adversary.high
    high = None if utility.high is None or adversary.low is None else utility.high - adversary.low
    value = None if utility.value is None or adversary.value is None else utility.value - adversary.value
    why = "; ".join(f"{part.kind}: {part.why}" for part in (utility, adversary) if part.why)
    trusted = value is not None and utility.trusted and adversary.trusted
    return Bits(value, low, high, n, "difference; limits subtracted crosswise", "margin_bits", trusted, "" if trusted else why)
