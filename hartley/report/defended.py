"""The sentences about defenses: which helps, which is the best if any is, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hartley.report.lines import Guard, Line
from hartley.report.numbers import Number, apart, difference
from hartley.report.ranking import Rescue
from hartley.report.sentences import Sentence, fraction, name_of


def rescued(lead: Line, names: Mapping[str, str]) -> Sentence:
    """The end of the verdict: what the strongest defense does about the worst attack."""
    found = lead.rescue
    if found.strongest is None:
        return ("; no defense was measured against it",)
    if not found.helping:
        return (
            (f"; of the {found.compared} defenses measured none is demonstrably better than no defense",)
            if found.compared > 1
            else ("; the one defense measured is not demonstrably better than none",)
        )
    guard = found.helping[0]
    attacked, clean = lead.number("utility_bits", "attacked"), lead.number("utility_bits", "clean")
    left, name = guard.number("utility_bits", guard.hardest), name_of(guard.defense, names)
    blind = "" if guard.adaptive else ", as far as an attacker goes who does not know of it"
    price = guard.price.low or 0.0
    cost = f", and costs {_amount(fraction(price, clean.sure_high))} of the clean service" if price > 0 else ""
    if apart(attacked, left):
        lost = (clean.sure_high or 0.0) - (attacked.sure_high or 0.0)
        share = fraction((left.sure_low or 0.0) - (attacked.sure_high or 0.0), lost)
        return ("; ", name, f" wins back {_amount(share)} of the loss{blind}{cost}")
    gained = lead.number("adversary_bits", "attacked").sure_high
    kept = guard.number("adversary_bits", guard.hardest).sure_high or 0.0
    return (
        "; ",
        name,
        f" takes {_amount(fraction(None if gained is None else gained - kept, gained))} of what the adversary gains{blind}{cost}",
    )


def _amount(share: float) -> str:
    return "most" if share >= 0.75 else "a good part" if share >= 0.4 else "a small part"


def defended(lead: Line | None, names: Mapping[str, str]) -> Sentence:
    """The sentence about defenses: best only where a difference is demonstrated."""
    if lead is None:
        return ("So nothing can be said about defenses of the service.",)
    found, threat = lead.rescue, name_of(lead.threat, names)
    if found.strongest is None:
        why = " None of those that ran had its adversary measured." if found.compared else ""
        return ("No defense was measured against ", threat, ".", why)
    guard = found.strongest
    blind: Sentence = () if guard.adaptive else (" It was not attacked through the defense, so its protection may be overstated.",)
    return (*_merit(found, guard, lead, names), *_price(guard.price), ".", *blind)


def elsewhere(lines: Sequence[Line]) -> Sentence:
    """On how many of all channels a defense helps, so that the worst attack's defenses are not taken for all."""
    known = [line.rescue for line in lines if not line.weak and line.rescue.compared]
    if len(known) < 2:
        return ()
    helped = sum(bool(rescue.helping) for rescue in known)
    return (f" Of the {len(known)} channels on which a defense was measured, {helped} have one demonstrably better than none.",)


def _merit(found: Rescue, guard: Guard, lead: Line, names: Mapping[str, str]) -> Sentence:
    name, left = name_of(guard.defense, names), guard.number("utility_bits", guard.hardest)
    knowing = "an attacker who knows of it" if guard.hardest == "defended_adaptive" else "an attacker who does not know of it"
    adversary = guard.number("adversary_bits", guard.hardest)
    if not found.helping:
        many = f"Of the {found.compared} defenses measured none is" if found.compared > 1 else "The one defense measured is not"
        gain = difference(left, lead.number("utility_bits", "attacked"), "won_back_bits").high
        could = "" if gain is None else f"; it could still win back up to {max(0.0, gain):.2f} bits"
        unknown = "; what it leaves to the adversary was not measured" if not adversary.measured and not lead.jams_only else ""
        which: Sentence = (". The most that is sure is left by ", name, ", which") if found.compared > 1 else (". ", name)
        return (f"{many} demonstrably better than no defense", *which, " leaves ", left, f" bits against {knowing}{could}{unknown}")
    if found.best is not None:
        head: Sentence = ("The best defense against it, ", name) if found.compared > 1 else ("The only defense measured against it, ", name)
    else:
        head = (
            f"Of {found.compared} defenses {len(found.helping)} are demonstrably better than no defense, but none than every other; ",
            name,
        )
        if len(found.helping) == 1:
            head = (name, f" is demonstrably better than no defense, but not than every other of the {found.compared}; it")
    comma = "" if found.best is None and len(found.helping) == 1 else ","
    if apart(lead.number("utility_bits", "attacked"), left):
        return (*head, f"{comma} wins back ", guard.won_back, f" bits against {knowing}, leaving ", left)
    return (*head, f"{comma} cuts what {knowing} gains to ", adversary, " bits and leaves the user ", left, " bits")


def _price(price: Number) -> Sentence:
    if not price.measured:
        return (". What it costs of the clean service was not measured",)
    if price.low is not None and price.low > 0:
        return (". It costs ", price, " bits of the clean service")
    if price.high is None:
        return (". What it costs of the clean service has no upper limit here",)
    return (f". It costs no demonstrable part of the clean service, but it could still cost up to {max(0.0, price.high):.2f} bits",)
