"""A run as lines: one a threat, channel, target, seed and budget, with its defenses beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from hartley.report.numbers import Number, absent, difference
from hartley.report.ranking import Rescue, margin, rescue, writes
from hartley.report.records import Cell, Channel

NONE = "none"
UNDER = ("defended_attacked", "defended_adaptive")


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
    def attacked(self) -> tuple[str, ...]:
        """The arms under attack that this defense was measured in."""
        return tuple(arm for arm in UNDER if any(self.number(kind, arm).measured for kind in ("utility_bits", "adversary_bits")))

    @property
    def hardest(self) -> str:
        """The arm under which the defense leaves the least margin, of equal ones that of who knows of it; one whose margin is not
        known counts as the hardest."""
        lows = {arm: margin(self, self.kind, arm).sure_low for arm in reversed(self.attacked)}
        return min(lows, key=lambda arm: float("-inf") if lows[arm] is None else lows[arm], default=UNDER[0])  # type: ignore[arg-type,return-value]

    @property
    def kind(self) -> str:
        return self.channel.kind if self.channel is not None else ""

    @property
    def left(self) -> Number:
        """The margin under the hardest arm."""
        return margin(self, self.kind, self.hardest)


@dataclass(frozen=True)
class Line:
    """One channel of one threat, without a defense and under each that the plan names."""

    threat: str
    target: str
    seed: str
    budget: str
    status: str
    why: str
    channel: Channel | None
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
    def possible_bits(self) -> float | None:
        """H(U) as it was sent, the ceiling of utility; None when unknown."""
        return self.channel.sent_bits if self.channel is not None else None

    @property
    def weak(self) -> str:
        """Why there is no service here that could be attacked, or ""."""
        return self.channel.weak if self.channel is not None else ""

    @property
    def written(self) -> bool:
        """Whether the adversary demonstrably says something in the outcome."""
        return writes(self)

    @property
    def shown(self) -> tuple[Number, ...]:
        """Its numbers in bits in the table of threats, without those that such a channel cannot have."""
        wanted = [("utility_bits", arm) for arm in ("clean", "attacked")] if self.serves else []
        wanted += [] if self.jams_only else [("adversary_bits", "attacked")]
        return tuple(self.number(*one) for one in wanted) if self.channel is not None else ()

    @property
    def serves(self) -> bool:
        """Whether the user's service is part of what was measured here; where a secret is read it may not be."""
        return self.kind != "read" or self.number("utility_bits", "clean").measured

    @property
    def rescue(self) -> Rescue:
        """What its defenses do for it."""
        return rescue(self)

    @property
    def best(self) -> Guard | None:
        """The defense that is demonstrably the best; None where none is."""
        return self.rescue.best

    @property
    def label(self) -> str:
        """Threat and channel, for a list of several."""
        return f"{self.threat} ({self.name})" if self.name else self.threat

    @property
    def anchor(self) -> str:
        """An id for the page: letters, digits and hyphens only, its end a hash so that no two lines of different names share it."""
        parts = "-".join(part for part in (self.threat, self.target, self.seed, self.budget) if part)
        plain = "".join(character if character.isascii() and character.isalnum() else "-" for character in parts)[:40]
        return f"t-{plain}-{hashlib.sha256(parts.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def of(found: Iterable[Cell], order: Sequence[str], guards: Sequence[str] = ()) -> tuple[Line, ...]:
    """The lines of a run's cells, threats in `order` and defenses in that of `guards`, unknown ones last."""
    groups: dict[tuple[str, str, str, str], dict[str, Cell]] = {}
    place = {defense: index for index, defense in enumerate(guards)}
    for cell in sorted(found, key=lambda cell: (place.get(cell.defense, len(place)), cell.defense)):
        groups.setdefault((cell.threat, cell.target, cell.seed, cell.budget), {}).setdefault(cell.defense, cell)
    rank = {threat: index for index, threat in enumerate(order)}
    keys = sorted(groups, key=lambda key: (rank.get(key[0], len(rank)), key))
    return tuple(line for key in keys for line in _group(groups[key]))


def _group(cells: Mapping[str, Cell]) -> Iterable[Line]:
    base = cells.get(NONE)
    others = tuple(cell for name, cell in cells.items() if name != NONE)
    # Every defense faces the same inputs and attacks, so a defended cell's bare arms can stand in for a missing bare cell.
    source = base if base is not None and base.measured else next((cell for cell in others if cell.measured and _bare(cell)), base)
    told = source or others[0]
    channels: Sequence[Channel | None] = source.channels if source is not None and source.measured else (None,)
    status, why = (told.status, told.why) if source is not None else ("not run", "no cell without a defense is in this run")
    everything = tuple(cell for cell in (base, *others) if cell is not None)
    known = {item.name for item in channels if item is not None}
    for channel in channels:
        guards = tuple(_guard(channel, cell, known) for cell in others)
        yield Line(told.threat, told.target, told.seed, told.budget, status, why, channel, guards, everything)


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
