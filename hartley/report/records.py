"""The cells of a run as typed records. What a file holds is not trusted: wrong types count as absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hartley.report import trials
from hartley.report.numbers import Number, absent, of_bits, of_rate, real, text


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
    """One channel of a cell. `bits` is keyed by (arm, kind)."""

    name: str
    kind: str
    evidence: str
    bits: Mapping[tuple[str, str], Number]
    rates: tuple[Number, ...]
    costs: tuple[Cost, ...]

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

    @property
    def measured(self) -> bool:
        return self.status == "measured" and bool(self.channels)


def cell(record: Mapping[str, Any], timing: Mapping[str, Any]) -> Cell:
    """Raises ValueError when the record does not say what it is the result of."""
    what = record.get("cell")
    if record.get("schema") != 1:
        raise ValueError(f"schema is {text(record.get('schema')) or 'missing'}, this version reads 1")
    if not isinstance(what, Mapping) or not isinstance(what.get("threat"), str) or not isinstance(what.get("target"), str):
        raise ValueError("it does not name its target and threat")
    attempts = real(timing.get("attempts"))
    return Cell(
        key=text(record.get("key")),
        target=text(what.get("target")),
        threat=text(what.get("threat")),
        defense=text(what.get("defense")) or "none",
        seed=text(what.get("seed")),
        budget=text(what.get("budget")),
        status=text(record.get("status")) or "failed",
        why=text(record.get("why")),
        channels=tuple(_channel(item) for item in _mappings(record.get("channels"))),
        flags=tuple(_note(item) for item in _mappings(record.get("flags"))),
        curves=tuple(_note(item) for item in _mappings(record.get("curves"))),
        exhibits=tuple(_exhibit(item) for item in _mappings(record.get("exhibits"))),
        seconds=real(timing.get("seconds")),
        attempts=int(attempts) if attempts is not None else 0,
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _channel(record: Mapping[str, Any]) -> Channel:
    bits: dict[tuple[str, str], Number] = {}
    for measure in _mappings(record.get("measures")):
        inner = measure.get("bits")
        if isinstance(inner, Mapping):
            number = of_bits(inner, text(measure.get("arm")))
            bits[(number.arm, number.name)] = number
    costs = tuple(
        Cost(text(item.get("name")), text(item.get("arm")), real(item.get("mean")), real(item.get("max")), int(real(item.get("n")) or 0))
        for item in _mappings(record.get("costs"))
    )
    return Channel(
        name=text(record.get("name")),
        kind=text(record.get("kind")),
        evidence=text(record.get("evidence")),
        bits=bits,
        rates=tuple(of_rate(item) for item in _mappings(record.get("rates"))),
        costs=costs,
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


def _exhibit(record: Mapping[str, Any]) -> Exhibit:
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
