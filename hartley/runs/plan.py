"""Plan: what a run is to measure, as a TOML file, and the cells it expands to."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from hartley import files
from hartley.errors import InputError, unknown
from hartley.runs import levels
from hartley.runs.allowance import Allowance
from hartley.runs.context import Context
from hartley.runs.rows import Catalog

NO_DEFENSE = "none"
TOOL_PROTOCOLS = ("native", "json")
BUDGETS = ("quick", "standard", "full")
EFFORT_FIELDS = ("trials", "steps", "poison_pairs", "members", "epochs")
LEAST_TRIALS, MOST_EFFORT = 2, 1_000_000
"""Of one trial an arm nothing can be measured."""
"""Names of `hartley.case.EFFORTS` and of its fields, here so that reading a plan needs no torch; a test holds them equal."""
PLAN_BYTES = 2**20
AS_BEFORE = (("tool_protocol", "native"), ("competence_check", True), ("device", "auto"), ("dtype", "float32"), ("surrogate", ""))
DTYPES = ("float32", "bfloat16")
"""Left out where a plan is written down, so that plans of before are the same plans."""
DEFAULT_LIMIT_SECONDS = 1800.0


@dataclass(frozen=True)
class Cell:
    """One measurement: a threat on a target with or without a defense, at one seed and budget."""

    target: str
    threat: str
    defense: str
    seed: int
    budget: str

    @property
    def label(self) -> str:
        """For people: "sga with jpeg, seed 0"."""
        guard = "" if self.defense == NO_DEFENSE else f" with {self.defense}"
        return f"{self.threat}{guard}, seed {self.seed}"

    def to_json(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def level(self) -> str:
        """What its threat attacks: one of `hartley.runs.levels.LEVELS`, or "" for a threat that the catalog does not know."""
        return levels.of_threat(self.threat)

    def key(self, context: Context) -> str:
        """32 hexadecimal digits: a hash of everything that decides the result."""
        decisive = context.decisive(self.level, levels.families_of(self.threat), self.threat, self.defense)
        return digest({"threat": self.threat, "defense": self.defense, "seed": self.seed, **decisive})[:32]

    def stream(self, context: Context) -> str:
        """What seeds every draw: target, data, threat, seed and effort.

        The defense is left out, so that all defenses face the same inputs and attacks. Code and versions are left out
        as well: after a change of code the same inputs are drawn, and what differs is the change's doing.
        """
        parts = {**context.measured(self.level, levels.families_of(self.threat)), "effort": dict(context.effort)}
        return digest({"threat": self.threat, "seed": self.seed, **parts})

    def cache_namespace(self, context: Context) -> str:
        """The prefix of this cell's cache entries: the stream, the threat's code and the versions."""
        return digest({"stream": self.stream(context), "code": context.code_for(self.threat), "versions": dict(context.versions)})


@dataclass(frozen=True)
class Plan:
    """What a run is to measure.

    target, data         as `hartley.runs.resolve` takes them ("reference", "hf:PATH", "openai:MODEL@URL"; "reference", a folder).
    threats, defenses    ids of the catalog. Every threat is measured without defense, and with each of the defenses of its level.
    seeds                whole numbers from 0; budget: quick, standard or full; effort: numbers that replace the budget's.
    cell_limit_seconds   after this long a cell is stopped. It decides no result: a run may be resumed with another one.
    endpoint             what a target behind a server may cost; a run may be resumed with another one as well.
    tool_protocol        how a policy that is not our own is given tools: native, or json (`hartley.targets.text_protocol`).
    device, dtype        where the models compute, and how exactly (`hartley.targets.device`).
    surrogate            another model that attacks are made on, and then shown to the target; "": they are made on the target itself.
    competence_check     whether a policy that is not our own is first given clean tasks; where it does none, no attack is paid for.
    only                 by threat, the defenses that it meets; a threat that is not named meets all of its level.
    """

    threats: tuple[str, ...]
    target: str = "reference"
    data: str = "reference"
    defenses: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    budget: str = "quick"
    cell_limit_seconds: float = DEFAULT_LIMIT_SECONDS
    effort: Mapping[str, int] = field(default_factory=dict)
    endpoint: Allowance = field(default_factory=Allowance)
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tool_protocol: str = "native"
    competence_check: bool = True
    device: str = "auto"
    dtype: str = "float32"
    surrogate: str = ""

    def __post_init__(self) -> None:
        for name in ("target", "data"):
            _text(name, getattr(self, name))
        for name in ("threats", "defenses"):
            object.__setattr__(self, name, _distinct(name, getattr(self, name), "names"))
            for value in getattr(self, name):
                _text(name, value)
        object.__setattr__(self, "only", _only(self.only, self.threats, self.defenses))
        object.__setattr__(self, "seeds", _distinct("seeds", self.seeds, "whole numbers"))
        for seed in self.seeds:
            if not _whole(seed) or not 0 <= seed < 2**63:
                raise InputError(f"plan: seeds takes whole numbers from 0 up to 2**63 - 1, got {seed!r}")
        for name in ("threats", "seeds"):
            if not getattr(self, name):
                raise InputError(f"plan: {name} is empty; name at least one")
        if not isinstance(self.competence_check, bool):
            raise InputError(f"plan: competence_check takes true or false, got {self.competence_check!r}")
        if self.tool_protocol not in TOOL_PROTOCOLS:
            raise unknown("tool protocol", str(self.tool_protocol), TOOL_PROTOCOLS)
        if not isinstance(self.surrogate, str):
            raise InputError(f"plan: surrogate takes the name of a model, got {self.surrogate!r}")
        if self.dtype not in DTYPES:
            raise unknown("dtype", str(self.dtype), DTYPES)
        if not isinstance(self.device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", self.device):
            raise InputError(f"plan: device is {str(self.device)[:60]!r}; it takes auto, cpu, cuda, cuda:N or mps")
        if self.budget not in BUDGETS:
            raise unknown("budget", str(self.budget), BUDGETS)
        limit = self.cell_limit_seconds
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit) or limit <= 0:
            raise InputError(f"plan: cell_limit_seconds takes a number above 0, got {limit!r}")
        object.__setattr__(self, "cell_limit_seconds", float(limit))
        object.__setattr__(self, "effort", _effort(self.effort))
        object.__setattr__(self, "endpoint", Allowance.from_table(self.endpoint))

    @staticmethod
    def from_toml(text: str) -> Plan:
        """Raises InputError for text that is no TOML, an unknown key, or a value of the wrong type."""
        record = files.parsed_toml(text, "plan")
        known = [item.name for item in fields(Plan)]
        for key in record:
            if key not in known:
                raise unknown("key in the plan", key, known)
        if "threats" not in record:
            raise InputError("plan: threats is missing; it takes a list of names, as `hartley list` shows them")
        return Plan(**record)

    @staticmethod
    def read(path: Path, *, root: Path | None = None) -> Plan:
        """Raises InputError when the file cannot be read or holds no plan. root: the run folder that it must lie in, without links."""
        try:
            return Plan.from_toml(files.text(files.read(path, PLAN_BYTES, root=root), path))
        except files.MissingError:
            raise InputError(f"{path}: no such plan") from None

    def absolute(self) -> Plan:
        """The same plan from wherever it is resumed: folders by their absolute paths. ~ is the user's own folder."""
        target, data = self.target, self.data
        if target.startswith("hf:") and len(target) > 3:
            target = f"hf:{Path(target[3:]).expanduser().absolute()}"
        if data != "reference":
            data = str(Path(data).expanduser().absolute())
        return replace(self, target=target, data=data)

    def to_toml(self) -> str:
        """TOML that `from_toml` reads back equal."""
        tables = {"only": self.only, "effort": self.effort, "endpoint": self.endpoint.to_table()}
        rest = [item for item in fields(self) if item.name not in tables and (item.name, getattr(self, item.name)) not in AS_BEFORE]
        lines = [f"{item.name} = {_toml(getattr(self, item.name))}" for item in rest]
        for name, table in tables.items():
            if table:
                lines += ["", f"[{name}]", *(f"{_key(key)} = {_toml(value)}" for key, value in table.items())]
        return "\n".join(lines) + "\n"

    def validate(self, catalog: Catalog) -> None:
        """Raises InputError for a threat or defense that is unknown (with the nearest names) or not implemented, and for a defense
        that goes with none of the threats."""
        for what, names, rows in (("threat", self.threats, catalog.threats()), ("defense", self.defenses, catalog.defenses())):
            built = {row.id: row.implemented for row in rows}
            for name in names:
                if name not in built:
                    raise unknown(what, name, built)
                if not built[name]:
                    ready = ", ".join(sorted(row for row, done in built.items() if done)) or "none"
                    raise InputError(f"{what} {name!r} is in the catalog but not implemented yet; implemented: {ready}")
        for defense in self.defenses:
            if all(levels.of_threat(threat) not in ("", levels.of_defense(defense)) for threat in self.threats):
                guarded = levels.GUARDED.get(levels.of_defense(defense), "")
                raise InputError(f"defense {defense!r} guards {guarded}, and none of the plan's threats attacks one")

    def cells(self) -> tuple[Cell, ...]:
        """Each threat at each seed: first without a defense, then with each that has something to act on there."""
        return tuple(
            Cell(self.target, threat, defense, seed, self.budget)
            for threat in self.threats
            for seed in self.seeds
            for defense in (NO_DEFENSE, *self.defenses)
            if defense == NO_DEFENSE or (levels.go_together(threat, defense) and defense in self.only.get(threat, self.defenses))
        )

    def left_out(self) -> tuple[str, ...]:
        """The pairs that `cells` leaves out since the catalog rules them out, a sentence each; those of another level go without saying."""
        return tuple(
            f"{defense} beside {threat}: {levels.ruled_out(threat, defense)}"
            for threat in self.threats
            for defense in self.only.get(threat, self.defenses)
            if levels.of_threat(threat) == levels.of_defense(defense) and levels.ruled_out(threat, defense)
        )

    def differs(self, other: Plan) -> tuple[str, ...]:
        """The fields in which another plan asks for other results."""
        return tuple(
            item.name
            for item in fields(self)
            if item.name not in ("cell_limit_seconds", "endpoint", "competence_check")
            and getattr(self, item.name) != getattr(other, item.name)
        )


def digest(record: Mapping[str, Any]) -> str:
    """sha256 of the record as canonical JSON, 64 hexadecimal digits."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise InputError(f"plan: {name} takes text, got {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InputError(f"plan: {name} is not valid Unicode: {value!r}") from None


def _distinct(name: str, values: Iterable[Any], what: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise InputError(f"plan: {name} takes a list of {what}, got {values!r}")
    for index, value in enumerate(values):
        if value in values[:index]:
            raise InputError(f"plan: {name} names {value!r} twice")
    if name == "defenses" and NO_DEFENSE in values:
        raise InputError(f"plan: defenses cannot name {NO_DEFENSE!r}: every threat is measured without a defense anyway")
    return tuple(values)


def _only(given: object, threats: tuple[str, ...], defenses: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, Mapping):
        raise InputError(f"plan: only takes a table of lists of defenses by threat, got {given!r}")
    found = {}
    for threat, names in given.items():
        if threat not in threats:
            raise InputError(f"plan: only names threat {threat!r}, which the plan does not measure; it measures {', '.join(threats)}")
        found[threat] = _distinct(f"only.{threat}", names, "names")
        for name in found[threat]:
            if name not in defenses:
                raise InputError(
                    f"plan: only.{threat} names defense {name!r}, which is none of the plan's: {', '.join(defenses) or 'none'}"
                )
    return {threat: found[threat] for threat in threats if threat in found}


def _effort(given: object) -> dict[str, int]:
    if not isinstance(given, Mapping):
        raise InputError(f"plan: effort takes a table of numbers, got {given!r}")
    for name, number in given.items():
        if name not in EFFORT_FIELDS:
            raise unknown("key in the plan's effort", str(name), EFFORT_FIELDS)
        least = LEAST_TRIALS if name == "trials" else 1
        if not _whole(number) or not least <= number <= MOST_EFFORT:
            raise InputError(f"plan: effort.{name} takes a whole number from {least} to {MOST_EFFORT:,}, got {number!r}")
    return {name: int(given[name]) for name in EFFORT_FIELDS if name in given}


def _toml(value: object) -> str:
    if isinstance(value, str):
        return '"' + "".join(_escaped(letter) for letter in value) + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x20 or ord(letter) == 0x7F else letter
