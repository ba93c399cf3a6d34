"""The channel map: six flows between two senders and an outcome, each with the bits of its worst measured threat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hartley.report import shapes
from hartley.report.facts import Facts
from hartley.report.lines import Line
from hartley.report.numbers import Number
from hartley.report.ranking import ranked
from hartley.report.words import FLOWS


@dataclass(frozen=True)
class Lane:
    """One flow. `line` is its worst measured channel, None when nothing was measured.

    The bands are SVG path data; `held` says that a band rests on a withheld number.
    """

    flow: str
    sends: str
    gets: str
    line: Line | None
    measured: int
    implemented: int
    total: int
    intent: str
    intruder: str
    intent_held: bool
    intruder_held: bool
    tied: bool = False
    """Whether another channel of the flow is not demonstrably less bad."""


def lanes(lines: Sequence[Line], catalog: Mapping[str, Facts], scale: float) -> tuple[Lane, ...]:
    """All six flows in the taxonomy's order; `scale` is the number of bits that fills a pipe."""
    result = []
    for flow, sends, gets in FLOWS:
        rows = [facts for facts in catalog.values() if facts.known and facts.flow == flow]
        here = [line for line in lines if line.threat in catalog and catalog[line.threat].flow == flow]
        # What the inferring flow is about is the secret; what its threats do to the service stands in the table.
        reads = flow == "inferring"
        order = ranked(here, reading=reads)
        order = order if order.places else ranked(here, reading=not reads)
        line = order.worst or _counted(here)
        line = line or next((item for item in here if item.channel is not None), None)
        bands = _bands(line, scale) if line is not None else ("", "", False, False)
        done = len({item.threat for item in here if item.channel is not None})
        result.append(Lane(flow, sends, gets, line, done, sum(row.implemented for row in rows), len(rows), *bands, bool(order.ties)))
    return tuple(result)


def _counted(lines: Sequence[Line]) -> Line | None:
    """Where no number of bits says anything: the channel with the highest success rate of its attack."""
    known = [(rate.value, line) for line in lines if line.channel is not None and (rate := line.channel.headline("attacked")) is not None]
    return max(((value, line) for value, line in known if value is not None), key=lambda item: item[0], default=(0.0, None))[1]


def _bands(line: Line, scale: float) -> tuple[str, str, bool, bool]:
    clean, attacked = line.number("utility_bits", "clean"), line.number("utility_bits", "attacked")
    adversary = line.number("adversary_bits", "attacked")
    gained = _size(adversary)
    if line.kind == "read":
        return "", shapes.leak_band(gained / scale) if gained is not None else "", False, adversary.withheld
    before, after = _size(clean), _size(attacked)
    intent = shapes.intent_band(before / scale, after / scale) if before is not None and after is not None else ""
    intruder = shapes.adversary_band(gained / scale) if gained is not None else ""
    return intent, intruder, clean.withheld or attacked.withheld, adversary.withheld


def _size(number: Number) -> float | None:
    """How thick to draw: the point, or for a withheld number the upper end of its bracket."""
    return number.value if number.value is not None else number.high
