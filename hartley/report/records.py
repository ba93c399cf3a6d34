"""A run as the report reads it: the run folder's own records, typed. What they hold beyond their form is not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hartley.report import trials
from hartley.report.numbers import Number, absent, of_bits, of_rate, real, text
from hartley.runs import reading
from hartley.runs.folder import Run


@dataclass(frozen=True)
class Cost:
    """What an attack spent on the trials of one arm: mean and largest, in the unit that the name carries."""

    name: str
    arm: str
    mean: float | None
    max: float | None
    n: int


@dataclass(frozen=True)
class Channel:
    """One channel of a cell. `bits` is keyed by (arm, kind).

    weak: why there is no service on it that could be attacked, or "". sent_bits: H(U), the ceiling of utility; None when unknown.
    """

    name: str
    kind: str
    evidence: str
    bits: Mapping[tuple[str, str], Number]
    rates: tuple[Number, ...]
    costs: tuple[Cost, ...]
    weak: str = ""
    sent_bits: float | None = None

    def number(self, kind: str, arm: str) -> Number:
        return self.bits.get((arm, kind)) or absent(kind, arm, "this run holds no such measurement")

    def headline(self, arm: str) -> Number | None:
        """The paper's own metric under `arm`; None when the run holds none."""
        return next((rate for rate in self.rates if rate.headline and rate.arm == arm), None)


@dataclass(frozen=True)
class Note:
    """A sanity flag or a curve: about which channel and arm, its name, and what it says."""

    channel: str
    arm: str
    name: str
    why: str = ""
    values: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Exhibit:
    """One trial to look at; media are paths inside the run as the file names them, unchecked."""

    channel: str
    arm: str
    intent: str
    adversary: str | None
    outcome_clean: str
    outcome_attacked: str
    image: Mapping[str, Any] | None
    audio: Mapping[str, Any] | None
    text: Mapping[str, Any] | None
    transcript: tuple[trials.Turn, ...] = ()
    turns_left_out: int = 0
    found: tuple[trials.Entry, ...] = ()
    spreading: trials.Spread | None = None

    @property
    def of_system(self) -> bool:
        """Whether this is a trial of an agent, a society or a memory."""
        return bool(self.transcript or self.found or self.spreading is not None)


@dataclass(frozen=True)
class Cell:
    """One result: what was run, how it ended, what it measured."""

    key: str
    target: str
    threat: str
    defense: str
    seed: str
    budget: str
    status: str
    why: str
    channels: tuple[Channel, ...]
    flags: tuple[Note, ...]
    curves: tuple[Note, ...]
    exhibits: tuple[Exhibit, ...]
    seconds: float | None = None
    attempts: int = 0
    started: str = ""

    @property
    def measured(self) -> bool:
        return self.status == "measured" and bool(self.channels)


def cells(run: Run) -> tuple[Cell, ...]:
    """Every cell of the run's plan, in the plan's order, measured or not."""
    records = run.cells()
    weak = reading.weak(run, records)
    return tuple(_cell(run, record, weak.get(reading.group(record), {})) for record in records)


def _cell(run: Run, record: Mapping[str, Any], weak: Mapping[str, str]) -> Cell:
    what = record["cell"]
    timing = run.timing(record["key"]) or {}
    return Cell(
        key=record["key"],
        target=text(what["target"]),
        threat=text(what["threat"]),
        defense=text(what["defense"]),
        seed=text(what["seed"]),
        budget=text(what["budget"]),
        status=record["status"],
        why=record["why"],
        channels=tuple(channel(item, weak.get(item["name"], ""), reading.sent_bits(run, record, item)) for item in record["channels"]),
        flags=tuple(_note(item) for item in _mappings(record.get("flags"))),
        curves=tuple(_note(item) for item in _mappings(record.get("curves"))),
        exhibits=tuple(exhibit(item) for item in _mappings(record.get("exhibits"))),
        seconds=real(timing.get("seconds")),
        attempts=int(real(timing.get("attempts")) or 0),
        started=text(timing.get("started")),
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def channel(record: Mapping[str, Any], weak: str = "", sent_bits: float | None = None) -> Channel:
    """From one entry of a cell's channels."""
    numbers = [of_bits(measure["bits"], measure["arm"]) for measure in record["measures"]]
    return Channel(
        name=record["name"],
        kind=record["kind"],
        evidence=record["evidence"],
        bits={(number.arm, number.name): number for number in numbers},
        rates=tuple(of_rate(item, reading.control(record, item)) for item in record["rates"]),
        costs=tuple(
            Cost(item["name"], item["arm"], real(item["mean"]), real(item["max"]), int(real(item["n"]) or 0)) for item in record["costs"]
        ),
        weak=weak,
        sent_bits=None if record["kind"] == "read" else sent_bits,
    )


def _note(record: Mapping[str, Any]) -> Note:
    values = record.get("values")
    return Note(
        channel=text(record.get("channel")),
        arm=text(record.get("arm")),
        name=text(record.get("name")),
        why=text(record.get("why")),
        values=tuple(real(item) for item in values) if isinstance(values, list) else (),
    )


def exhibit(record: Mapping[str, Any]) -> Exhibit:
    """From one entry of a cell's exhibits; what has a wrong type counts as absent."""
    parts = {name: value if isinstance(value, Mapping) else None for name in ("image", "audio", "text") for value in [record.get(name)]}
    turns, left_out = trials.transcript(record.get("transcript"))
    return Exhibit(
        channel=text(record.get("channel")),
        arm=text(record.get("arm")),
        intent=text(record.get("intent")),
        adversary=None if record.get("adversary") is None else text(record.get("adversary")),
        outcome_clean=text(record.get("outcome_clean")),
        outcome_attacked=text(record.get("outcome_attacked")),
        image=parts["image"],
        audio=parts["audio"],
        text=parts["text"],
        transcript=turns,
        turns_left_out=left_out,
        found=trials.found(record.get("found")),
        spreading=trials.spreading(record.get("spreading")),
    )
