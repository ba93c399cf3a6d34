"""The answer first: a verdict and a few sentences, derived from the numbers by rules that are stated in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hartley.report.defended import defended, elsewhere, rescued
from hartley.report.lines import Guard, Line
from hartley.report.numbers import apart, difference
from hartley.report.ranking import Place, Ranking, ranked, widened, writes
from hartley.report.sentences import Part, Said, Sentence, fraction, listed, name_of
from hartley.report.words import STATUSES

CANNOT = "this model cannot do the tasks"
"""How the reason of a cell begins that was not measured because of what the competence check found."""


@dataclass(frozen=True)
class Answer:
    """What a reader in a hurry gets. `lead` is the line that the sentences speak of; None when nothing was measured."""

    verdict: Sentence
    clean: Sentence
    attack: Sentence
    defense: Sentence
    missing: Sentence
    lead: Line | None
    guard: Guard | None
    ranking: Ranking
    beside: Sentence = ()
    """In a run of models and of systems: the worst attack of the level that the other sentences do not speak of."""
    beside_level: str = ""


def answer(lines: Sequence[Line], names: Mapping[str, str], levels: Mapping[str, str] = MappingProxyType({})) -> Answer:
    """`names` maps ids of threats and defenses to the names that people read, `levels` those of threats to what they attack."""
    ranking, leaks = ranked(lines), ranked(lines, reading=True)
    lead = ranking.worst
    level = levels.get(lead.threat, "") if lead is not None else ""
    same = [line for line in lines if levels.get(line.threat, level) == level]
    other = ranked(line for line in lines if levels.get(line.threat, level) != level)
    return Answer(
        verdict=(
            *_incompetent(lines),
            *_weak(lines, names),
            *_verdict(ranking, leaks, names, any(line.weak for line in lines), bool(_incompetent(lines)), lines),
        ),
        clean=_clean(lead, same if lead is not None else lines),
        attack=(*_attack(ranking, names), *_leak(leaks, names)),
        defense=(*defended(lead, names), *elsewhere(lines)),
        missing=_missing(lines),
        lead=lead,
        guard=next(iter(lead.rescue.helping), None) if lead is not None else None,
        ranking=ranking,
        beside=_beside(other, names),
        beside_level=levels[other.worst.threat] if other.worst is not None else "",
    )


def _weak(lines: Sequence[Line], names: Mapping[str, str]) -> Sentence:
    """What must be said before anything else: where there is no service, none can be taken."""
    weak = [line for line in lines if line.weak]
    if not weak:
        return ()
    whole = not any(line.channel is not None and not line.weak for line in lines)
    writing = [line for line in weak if writes(line, max(1, len(lines)))]
    wrote: Sentence = ()
    if writing:
        most = max(writing, key=lambda line: line.number("adversary_bits", "attacked").low or 0.0)
        bits = most.number("adversary_bits", "attacked")
        wrote = (" What an adversary writes shows all the same: ", bits, " bits under ", name_of(most.threat, names), ".")
    if whole:
        others = f", and {len(weak) - 1} more" if len(weak) > 1 else ""
        why = f"{weak[0].weak}{f' (channel {weak[0].name}{others})' if weak[0].name else ''}"
        end = ". This run cannot tell what an attack would take or a defense keep: too weak is not robust."
        return ("There is no service to attack: ", Said(why, prose=True), end, *wrote)
    head = f"On {len(weak)} of {len([line for line in lines if line.channel is not None])} channels there is no service to attack ("
    return (head, *listed(weak, names), "); this run cannot tell anything of them, and what follows leaves them out.", *wrote, " ")


def _incompetent(lines: Sequence[Line]) -> Sentence:
    """A model that could not do the tasks was not attacked at all."""
    found = [line.why for line in lines if line.channel is None and line.why.startswith(CANNOT)]
    if not found:
        return ()
    many = f"; and so for {len(found) - 1} more" if len(found) > 1 else ""
    whole = not any(line.channel is not None for line in lines)
    end = " Nothing was attacked: too weak is not robust." if whole else " Of these nothing was attacked: too weak is not robust. "
    return (Said(found[0][:1].upper() + found[0][1:] + many, prose=True), ".", end)


def _without_a_user(lines: Sequence[Line], names: Mapping[str, str]) -> Sentence:
    """Where the adversary is the only user, as of a generator that must not draw what they want: no service is taken."""
    channels = [line for line in lines if line.channel is not None and line.kind == "write"]
    found = [line for line in channels if line.number("adversary_bits", "attacked").measured]
    if not found:
        return ()

    def least(line: Line) -> float:
        rate = line.channel.headline("attacked") if line.channel is not None else None
        return -1.0 if rate is None or rate.control is None or not apart(rate.control, rate) else rate.low or 0.0

    lead = max(found, key=least)
    bits, name = lead.number("adversary_bits", "attacked"), name_of(lead.threat, names)
    if least(lead) < 0:
        return ("No attack of this run is shown to get what the adversary asks for; it could still be ", bits, " bits.")
    return ("The adversary is the only user here, and gets what they ask for: ", bits, " bits under ", name, ".", *_metric(lead))


def _verdict(
    ranking: Ranking, leaks: Ranking, names: Mapping[str, str], weak: bool, incompetent: bool, lines: Sequence[Line] = ()
) -> Sentence:
    leak = leaks.places[0] if leaks.places else None
    if not ranking.places:
        if leak is not None and leak.shown:
            return ("What an attack takes from the service was not measured; a secret can be read from it.",)
        if weak or incompetent:
            return ()
        if leak is not None:
            most = "" if leak.sure.low is None else f"; up to {-leak.sure.low:.2f} bits could still be read"
            return (
                f"No attack of this run reads a demonstrable part of a secret{most}. What one takes from the service was not measured.",
            )
        if written := _without_a_user(lines, names):
            return written
        return ("Not measured: this run says nothing about what an attack can do, for better or worse.",)
    place, count = ranking.places[0], ranking.compared
    lead = place.line
    if not place.shown:
        return _nothing_shown(ranking)
    attacked, clean = (widened(lead.number("utility_bits", arm), count) for arm in ("attacked", "clean"))
    name = name_of(lead.threat, names)
    if place.sure.high is not None and place.sure.high < 0:
        gone = " the service is destroyed, and" if lead.number("utility_bits", "attacked").nil else ""
        head: Sentence = ("Under ", name, gone, " the adversary has more say in the outcome than the user")
    elif lead.number("utility_bits", "attacked").nil:
        head = (name, " destroys the service: of what the user means ", lead.number("utility_bits", "attacked"), " bits get through")
    elif apart(attacked, clean) and fraction(attacked.sure_high, clean.sure_low) < 0.5:
        head = ("Under ", name, " less than half of what the user means still gets through")
    elif apart(attacked, clean):
        most = " is among those that take the most" if ranking.ties else " takes the most"
        head = ("Attacks take a part of the service; ", name, most)
        if place.sure.low is not None and place.sure.low > 0:
            head = (*head, ", and the user still has more say than the adversary")
    else:
        loss = difference(clean, attacked, "price_bits").high
        could = "" if loss is None else f", who could still lose up to {_possible(loss, lead):.2f} bits"
        head = ("Under ", name, f" the adversary gets a say in what is done; no loss of the user's is demonstrated{could}")
    return (*head, *rescued(lead, names), ".", *_tied(ranking, names))


def _nothing_shown(ranking: Ranking) -> Sentence:
    """No attack is demonstrated to do anything; what could still be behind that is said in bits."""
    taken, given = [], []
    for place in ranking.places:
        pair = [widened(place.line.number("utility_bits", arm), ranking.compared) for arm in ("clean", "attacked")]
        taken += [_possible(high, place.line) for high in [difference(pair[0], pair[1], "price_bits").high] if high is not None]
        adversary = widened(place.line.number("adversary_bits", "attacked"), ranking.compared)
        given += [adversary.high] if adversary.high is not None else []
    take = f"up to {max(0.0, *taken):.2f} bits" if taken else "an amount that was not bounded"
    give = f" and give the adversary up to {max(given):.2f}" if given else ""
    many = f" (limits for all {ranking.compared} compared at once)" if ranking.compared > 1 else ""
    return (f"No attack of this run takes a demonstrable part of the service; one could still take {take}{give}{many}.",)


def _possible(bits: float, line: Line) -> float:
    """No more than was sent can be lost, however wide the limits are."""
    return bits if line.possible_bits is None else min(bits, line.possible_bits)


def _compared(ranking: Ranking) -> str:
    """What the rows of a ranking are, in words: with several seeds the same channel stands there more than once."""
    return "channels" if len({place.line.seed for place in ranking.places}) < 2 else "channels and seeds"


def _tied(ranking: Ranking, names: Mapping[str, str]) -> Sentence:
    """That the worst was picked from many, and how many are as bad as far as this run can tell."""
    if ranking.compared < 2 or ranking.worst is None:
        return ()
    name, ties, others = name_of(ranking.worst.threat, names), len(ranking.ties), ranking.compared - 1
    if not ties:
        return (" ", name, f" is demonstrably the worst of the {ranking.compared} {_compared(ranking)} compared.")
    are = "is" if ties == 1 else "are"
    end = f" need not be the worst: {ties} of the {others} other {_compared(ranking)} compared {are} not demonstrably different (ties)."
    return (" ", name, end)


def _clean(lead: Line | None, lines: Sequence[Line]) -> Sentence:
    shown = lead or next((line for line in lines if line.number("utility_bits", "clean").measured), None)
    if shown is None:
        return ("What the model delivers without an attack was not measured.",)
    number = shown.number("utility_bits", "clean")
    if not number.measured:
        return ("What ", Said(shown.target), " delivers without an attack was not measured on this channel.")
    ceiling = f" of the {shown.possible_bits:.2f} that are possible" if shown.possible_bits else ""
    channel: Sentence = (" (channel ", Said(shown.name), ")") if shown.name else ()
    others = [line.number("utility_bits", "clean") for line in lines if line.channel is not None and line.kind != "read"]
    values = [other.value for other in others if other.value is not None]
    lows = [other.low or 0.0 for other in others if other.withheld]
    spread = ""
    if len(values) > 1 and f"{min(values):.2f}" != f"{max(values):.2f}":
        rest = f"; on {len(lows)} more the point is withheld, and it could be as low as {min(lows):.2f}" if lows else ""
        spread = f" Over the {len(values)} channels with a point it is {min(values):.2f} to {max(values):.2f}{rest}."
    held = "; the point is withheld" if number.withheld else ""
    return ("Left alone, ", Said(shown.target), " delivers ", number, " bits per use", ceiling, *channel, held, ".", spread)


def _attack(ranking: Ranking, names: Mapping[str, str]) -> Sentence:
    if not ranking.places:
        return ("No attack on a service was measured that could be ranked.",)
    place = ranking.places[0]
    lead, several = place.line, ranking.compared > 1
    of = f" of {ranking.compared} {_compared(ranking)} compared" if several else " measured"
    worst = f"One of {len(ranking.ties) + 1} tied for the worst" if ranking.ties else "The worst"
    start: Sentence = (
        f"{worst}{of}, " if place.shown else "No attack is shown to take or write anything; the least may be left by ",
        name_of(lead.threat, names),
    )
    return (*start, ", " if place.shown else ", which ", *_effect(lead), ".", *_metric(lead), *_sure(place, ranking, names))


def _effect(line: Line) -> Sentence:
    """What one attack leaves and gives, in numbers also where nothing is demonstrated."""
    attacked, adversary = line.number("utility_bits", "attacked"), line.number("adversary_bits", "attacked")
    if not attacked.measured:
        left: Sentence = ("leaves a utility that was not measured",)
    elif attacked.nil:
        left = ("destroys the service: it leaves ", attacked, " bits")
    else:
        left = ("leaves ", attacked, " bits of utility (the point is withheld)" if attacked.withheld else " bits")
    if line.jams_only:
        return (*left, "; it jams, which gives the adversary nothing to say")
    if not adversary.measured:
        return (*left, "; what it gives the adversary was not measured")
    if adversary.low is not None and adversary.low <= 0 and not adversary.nil and not line.written:
        most = "an amount without an upper limit" if adversary.high is None else f"up to {adversary.high:.2f} bits"
        return (*left, f"; it gives the adversary no demonstrable say, but it could still be {most}")
    held = " (the point is withheld)" if adversary.withheld else ""
    return (*left, "; it gives the adversary ", adversary, " bits", held)


def _metric(line: Line) -> Sentence:
    """The attack's success in its paper's terms, which hold where bits are withheld, beside the rate without the attack."""
    rate = line.channel.headline("attacked") if line.channel is not None else None
    if rate is None or not rate.measured:
        return ()
    said: Sentence = (" In its paper's own terms, ", Said(rate.name), ": ", rate)
    if rate.control is None or apart(rate.control, rate):
        return (*said, ".")
    if apart(rate, rate.control):
        return (*said, ": demonstrably less than without an attack.")
    return (*said, ": not demonstrably more than without an attack.")


def _sure(place: Place, ranking: Ranking, names: Mapping[str, str]) -> Sentence:
    """The margin by which it was ranked, and which others cannot be told from it."""
    if ranking.compared < 2 or not place.sure.interval:
        return ()
    head = f" Its margin, utility minus adversary bits, is {place.sure.interval} by limits that hold for all {ranking.compared} at once"
    if not ranking.ties:
        return (f"{head}, demonstrably below that of any other.",)
    return (f"{head}. Tied with it: ", *listed([tie.line for tie in ranking.ties], names), ".")


def _leak(leaks: Ranking, names: Mapping[str, str]) -> Sentence:
    if not leaks.places:
        return ()
    place = leaks.places[0]
    number = place.line.number("adversary_bits", "attacked")
    of = f", the first of {leaks.compared} {_compared(leaks)} that read," if leaks.compared > 1 else ""
    start: Sentence = (" As for secrets, ", name_of(place.line.threat, names), of)
    if place.shown:
        tied: Sentence = (" Tied with it: ", *listed([tie.line for tie in leaks.ties], names), ".") if leaks.ties else ()
        return (*start, " reads ", number, " bits of a secret per use.", *tied)
    most = "" if place.sure.low is None else f", but up to {-place.sure.low:.2f} bits could still be read"
    return (*start, f" reads no demonstrable part of a secret{most}.")


def _beside(other: Ranking, names: Mapping[str, str]) -> Sentence:
    if other.worst is None:
        return ()
    clean = other.worst.number("utility_bits", "clean")
    before: Sentence = ("Left alone, it delivers ", clean, " bits per use. ") if clean.measured else ()
    return (*before, *_attack(other, names), " ", *defended(other.worst, names))


def _missing(lines: Sequence[Line]) -> Sentence:
    """How much of the run was measured; and of what was, how much was withheld, so that "all" is not read as "all known"."""
    cells = {id(cell): cell for line in lines for cell in line.cells}.values()
    shown = [number for line in lines for number in line.shown]
    held, absent = sum(number.withheld for number in shown), sum(not number.measured for number in shown)
    known = f" Of the {len(shown)} numbers in bits in the table of threats {held} are withheld (only a bracket is stated)"
    known = f"{known} and {absent} were not measured." if shown else ""
    left = [cell for cell in cells if not cell.measured]
    if not left:
        return (f"All {len(cells)} cells of this run ended with a result.{known}",) if cells else ("This run has no cell.",)
    counts: dict[str, int] = {}
    for cell in left:
        counts[cell.status] = counts.get(cell.status, 0) + 1
    parts: list[Part] = [f"{len(left)} of {len(cells)} cells were not measured ("]
    for index, (status, count) in enumerate(counts.items()):
        parts += [", " if index else "", f"{count} ", STATUSES[status] if status in STATUSES else Said(status)]
    return (*parts, f"). They count neither as safe nor as broken; each is named with its reason.{known}")
