"""A run as lines: one a threat, channel, target, seed and budget, with its defenses beside it, ranked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from hartley.report.folder import Folder
from hartley.report.numbers import Number, absent, apart, difference
from hartley.report.records import Cell, Channel

NONE = "none"


@dataclass(frozen=True)
class Guard:
    """One defense on one channel. Without a measured cell, `channel` is None and status and why say so."""

    defense: str
    status: str
    why: str
    channel: Channel | None
    won_back: Number
    price: Number
    adaptive: bool
    own: tuple[Number, ...] = ()
    """Rates of channels that only this defense has: what a filter drops, rightly and by mistake."""

    def number(self, kind: str, arm: str) -> Number:
        why = self.why or "this defense was not measured on this channel"
        return absent(kind, arm, why) if self.channel is None else self.channel.number(kind, arm)

    @property
    def hardest(self) -> str:
        """The arm under which the defense leaves the least margin."""
        arms = ("defended_attacked", "defended_adaptive")
        return min(arms, key=lambda arm: _favoring_adversary(self, arm))

    @property
    def strength(self) -> float:
        """What the defense leaves under its hardest arm, read in the adversary's favor: the order of defenses."""
        return _favoring_adversary(self, self.hardest)


@dataclass(frozen=True)
class Line:
    """One channel of one threat. `possible_bits` is H(U), the ceiling of utility; None when unknown."""

    threat: str
    target: str
    seed: str
    budget: str
    status: str
    why: str
    channel: Channel | None
    possible_bits: float | None
    guards: tuple[Guard, ...]
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        return self.channel.name if self.channel is not None else ""

    @property
    def kind(self) -> str:
        return self.channel.kind if self.channel is not None else ""

    def number(self, kind: str, arm: str) -> Number:
        if self.channel is None:
            return absent(kind, arm, self.why or f"the cell was {self.status}")
        return self.channel.number(kind, arm)

    @property
    def jams_only(self) -> bool:
        """A jam has no symbol of its own: there is nothing to measure on the adversary's side, and nothing is missing."""
        cells = [self.channel, *(guard.channel for guard in self.guards)]
        numbers = [number for channel in cells if channel is not None for number in channel.bits.values()]
        return self.kind == "jam" and not any(number.measured for number in numbers if number.name == "adversary_bits")

    @property
    def written(self) -> bool:
        """Whether the adversary demonstrably says more in the outcome than the tie of its symbol to the user's would."""
        attacked, given = self.number("adversary_bits", "attacked"), self.number("adversary_given_user_bits", "attacked")
        null = self.number("adversary_bits", "clean")
        if self.kind != "write" or attacked.low is None:
            return False
        if null.measured:
            return apart(null, attacked)
        sure = given if given.measured else attacked
        return sure.low is not None and sure.low > 0

    @property
    def damage(self) -> tuple[bool, float]:
        """How little is left under attack, as an order: the smaller the worse. (True, infinity) when nothing is known.

        First whether the loss is uncertain, then the margin as a share of the clean utility, so that channels with
        different ceilings compare. Withheld numbers enter at the side that favors the user.
        """
        clean, attacked = self.number("utility_bits", "clean"), self.number("utility_bits", "attacked")
        adversary, margin = self.number("adversary_bits", "attacked"), self.number("margin_bits", "attacked")
        if self.kind == "read":
            low = adversary.sure_low
            return (low is None or low <= 0, math.inf if low is None else -low)
        if margin.sure_high is not None:
            left = margin.sure_high
        elif attacked.sure_high is not None:
            left = attacked.sure_high - (adversary.sure_low or 0.0)
        else:
            return True, math.inf
        whole = clean.sure_high or self.possible_bits or 1.0
        certain = apart(attacked, clean) or (margin.high is not None and margin.high < 0) or self.written
        return not certain, left / whole

    @property
    def best(self) -> Guard | None:
        """The defense with the greatest strength; None when none was measured."""
        known = [guard for guard in self.guards if guard.channel is not None and math.isfinite(guard.strength)]
        return max(known, key=lambda guard: guard.strength, default=None)

    @property
    def anchor(self) -> str:
        """An id for the page: letters, digits and hyphens only, its end a hash so that no two lines of different names share it."""
        parts = "-".join(part for part in (self.threat, self.target, self.seed, self.budget) if part)
        plain = "".join(character if character.isascii() and character.isalnum() else "-" for character in parts)[:40]
        return f"t-{plain}-{hashlib.sha256(parts.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def of(
    folder: Folder, order: Sequence[str], guards: Sequence[str] = (), levels: Mapping[str, str] = MappingProxyType({})
) -> tuple[Line, ...]:
    """The lines of a run, threats in `order` and defenses in that of `guards`, unknown ones last.

    What the plan names and no cell holds is "not run". `levels` says of threats and defenses what they attack and guard, by id:
    a defense of the other level says nothing about a threat, so such a pair is left out unless it was measured after all.
    """
    groups: dict[tuple[str, str, str, str], dict[str, Cell]] = {}
    place = {defense: index for index, defense in enumerate(guards)}
    asked = [cell for cell in (*folder.cells, *_missing(folder)) if cell.measured or paired(cell.threat, cell.defense, levels)]
    found = sorted(asked, key=lambda cell: (place.get(cell.defense, len(place)), cell.defense))
    for cell in found:
        groups.setdefault((cell.threat, cell.target, cell.seed, cell.budget), {}).setdefault(cell.defense, cell)
    rank = {threat: index for index, threat in enumerate(order)}
    keys = sorted(groups, key=lambda key: (rank.get(key[0], len(rank)), key))
    entropies: dict[str, float | None] = {}
    return tuple(line for key in keys for line in _group(folder, groups[key], entropies))


def paired(threat: str, defense: str, levels: Mapping[str, str]) -> bool:
    """Whether the defense guards what the threat attacks; what is not known goes with everything."""
    return threat not in levels or defense not in levels or levels[threat] == levels[defense]


def _group(folder: Folder, cells: Mapping[str, Cell], entropies: dict[str, float | None]) -> Iterable[Line]:
    base = cells.get(NONE)
    others = tuple(cell for name, cell in cells.items() if name != NONE)
    # Every defense faces the same inputs and attacks, so a defended cell's bare arms can stand in for a missing bare cell.
    source = base if base is not None and base.measured else next((cell for cell in others if cell.measured and _bare(cell)), base)
    told = source or others[0]
    channels: Sequence[Channel | None] = source.channels if source is not None and source.measured else (None,)
    status, why = (told.status, told.why) if source is not None else ("not run", "no cell without a defense is in this run")
    if source is not None and source.status == "measured" and not source.channels:
        status, why = "failed", "the cell says measured but holds no channel"
    everything = tuple(cell for cell in (base, *others) if cell is not None)
    for channel in channels:
        possible = None
        if channel is not None and channel.kind != "read":
            if channel.evidence not in entropies:
                entropies[channel.evidence] = folder.intent_entropy_bits(channel)
            possible = entropies[channel.evidence]
        known = {item.name for item in channels if item is not None}
        guards = tuple(_guard(channel, cell, known) for cell in others)
        yield Line(told.threat, told.target, told.seed, told.budget, status, why, channel, possible, guards, everything)


def _bare(cell: Cell) -> bool:
    return any(arm == "attacked" for channel in cell.channels for arm, _ in channel.bits)


def _guard(channel: Channel | None, cell: Cell, known: set[str]) -> Guard:
    found = next((item for item in cell.channels if channel is None or item.name == channel.name), None) if cell.measured else None
    if found is None:
        why = cell.why or ("The cell of this defense holds no such channel." if cell.measured else "")
        nothing = absent("won_back_bits", "", why), absent("price_bits", "", why)
        return Guard(cell.defense, "not measured" if cell.measured else cell.status, why, None, *nothing, adaptive=False)
    bare = channel or found
    adaptive = any(arm == "defended_adaptive" and number.measured for (arm, _), number in found.bits.items())
    guard = Guard(cell.defense, cell.status, cell.why, found, absent("won_back_bits", "", ""), absent("price_bits", "", ""), adaptive)
    won = difference(found.number("utility_bits", guard.hardest), bare.number("utility_bits", "attacked"), "won_back_bits")
    price = difference(bare.number("utility_bits", "clean"), found.number("utility_bits", "defended"), "price_bits")
    own = tuple(rate for item in cell.channels if item.name not in known for rate in item.rates if not rate.headline)
    return replace(guard, own=own, won_back=replace(won, better="user"), price=replace(price, better="attacker"))


def _favoring_adversary(guard: Guard, arm: str) -> float:
    """Margin under `arm` with withheld numbers at the side that favors the adversary; infinite when the arm says nothing."""
    utility, adversary, margin = (guard.number(kind, arm) for kind in ("utility_bits", "adversary_bits", "margin_bits"))
    if guard.channel is not None and guard.channel.kind == "read":
        return math.inf if adversary.sure_high is None else -adversary.sure_high
    if margin.sure_low is not None:
        return margin.sure_low
    if utility.sure_low is None:
        return math.inf
    return utility.sure_low - (adversary.sure_high or 0.0)


def _missing(folder: Folder) -> Iterable[Cell]:
    """What the plan asks for and no file of the run answers."""
    threats, defenses, seeds = (_strings(folder.plan.get(name)) for name in ("threats", "defenses", "seeds"))
    only = folder.plan.get("only")
    met = {threat: _strings(names) for threat, names in only.items()} if isinstance(only, Mapping) else {}
    target, budget = str(folder.plan.get("target", "")), str(folder.plan.get("budget", ""))
    have = {(cell.threat, cell.defense, cell.seed) for cell in folder.cells}
    targets = {cell.target for cell in folder.cells}
    budgets = {cell.budget for cell in folder.cells}
    for threat in threats:
        for seed in seeds or sorted({cell.seed for cell in folder.cells}):
            for defense in (NONE, *met.get(threat, defenses)):
                if (threat, defense, seed) not in have:
                    where = next(iter(targets)) if len(targets) == 1 else target
                    effort = next(iter(budgets)) if len(budgets) == 1 else budget
                    why = "The plan names it; the run holds no result for it."
                    yield Cell("", where, threat, defense, seed, effort, "not run", why, (), (), (), ())


def _strings(value: object) -> list[str]:
    return [item if isinstance(item, str) else repr(item) for item in value] if isinstance(value, list) else []


def worst(lines: Iterable[Line], *, reading: bool = False) -> Line | None:
    """The line with the greatest damage among those that read a secret, or among those that do not; None without any."""
    known = [line for line in lines if (line.kind == "read") is reading and math.isfinite(line.damage[1])]
    return min(known, key=lambda line: line.damage, default=None)
