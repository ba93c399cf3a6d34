"""Run: a run folder, for reading. Report, terminal, check and export all stand on it, so that they say the same; imports nothing heavy."""

from __future__ import annotations

import functools
import hashlib
import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hartley import files
from hartley.bits.value import Bits
from hartley.columns import DAMAGED
from hartley.errors import InputError
from hartley.evidence import ARMS, KINDS, Evidence, EvidenceError
from hartley.runs.context import Context
from hartley.runs.integrity import MEND, circumstances, seal_broken
from hartley.runs.plan import Cell, Plan
from hartley.runs.store import CELLS, ENVIRONMENT, PLAN, SEAL, TIMING

SCHEMA = 2
"""1: before cells and their tables had digests; such a run is still read, unverified."""
NOT_MEASURED = "not measured"
"""The server behind the target gave no answer, or the budget for it was used up."""
STATUSES = ("measured", "refused", "failed", "timed-out", NOT_MEASURED, "damaged", "not run")
FINAL = ("measured", "refused")
"""What a later scan does not repeat."""
NO_LIMITS = "no limits"
"""How the estimator of a rate begins that has none, as all of its trials are one unit."""
CELL_BYTES, EVIDENCE_BYTES = 32 * 2**20, 512 * 2**20
"""What is read of a result and of a table; no scan writes as much."""
CELL_PARTS, RUN_PARTS, RUN_BYTES = 10**6, 16 * 10**6, 512 * 2**20
"""Commas and opening brackets in one result, and these and bytes in all results of a run together: parsed, a part can take a
hundred times its own size."""


@dataclass(frozen=True)
class Run:
    """A plan and whatever of it has been measured.

    environment   what environment.json holds; empty when the scan was stopped before it knew its target.
    """

    root: Path
    plan: Plan
    environment: Mapping[str, Any]

    @staticmethod
    def open(path: Path) -> Run:
        """Raises InputError when `path` is no run folder or its plan or environment is damaged."""
        root = Path(path)
        if not root.is_dir():
            raise InputError(f"{root}: no such run folder; takes a folder that `hartley scan` wrote")
        if not os.path.lexists(root / PLAN):
            raise InputError(f"{root}: not a run folder (it has no {PLAN}); takes a folder that `hartley scan` wrote")
        plan = Plan.read(root / PLAN, root=root)
        environment: Mapping[str, Any] = {}
        if os.path.lexists(root / ENVIRONMENT):
            found = _json(root / ENVIRONMENT, root)
            if found is None:
                raise InputError(f"{root / ENVIRONMENT}: damaged (not a JSON object); {MEND}")
            Context.from_environment(found)
            environment = circumstances(found, root)
        return Run(root, plan, environment)

    @property
    def context(self) -> Context | None:
        """What decided the results, or None when the scan was stopped before it knew."""
        return Context.from_environment(self.environment) if self.environment else None

    def cells(self) -> list[dict[str, Any]]:
        """A record for each cell of the plan, in the plan's order. One whose result is not there has status "not run", one whose
        result is not what a scan writes "damaged"; neither has a number. So are those for which nothing is left of what is read of
        a run."""
        left = Left()
        return [self.cell(cell, left) for cell in self.plan.cells()]

    def cell(self, cell: Cell, left: Left | None = None) -> dict[str, Any]:
        """The record of one cell. left: what may still be read of the run; by default enough for this one."""
        if self.context is None:
            return empty_result(cell, "", "not run", "the scan was stopped before it started")
        key = cell.key(self.context)
        path = self.root / CELLS / f"{key}.json"
        if not os.path.lexists(path):
            why = "the scan was stopped before this cell"
            if cell.to_json() in self.strays.values():
                why = "its result was made under other circumstances (another version, target, data or effort); scan again"
            return empty_result(cell, key, "not run", why)
        found = _json(path, self.root, left)
        if left is not None and left.overdrawn:
            return empty_result(cell, key, "damaged", "the results of this run are too large together to be read")
        if found is None or (fault := fault_in(found, key, cell)) is not None:
            return empty_result(cell, key, "damaged", f"its result file is damaged ({'not JSON' if found is None else fault})")
        if (missing := self._damaged_evidence(found)) is not None:
            return empty_result(cell, key, "damaged", missing)
        for rate in (rate for part in found["channels"] for rate in part["rates"] if rate["estimator"].startswith(NO_LIMITS)):
            rate |= {"low": None, "high": None, "why": rate["estimator"]}  # 0 and 1 there are no measurement
        return found

    @functools.cached_property
    def strays(self) -> dict[str, object]:
        """The names of files under cells/ that are no cell of this plan in these circumstances, and what each says it is the result of."""
        context = self.context
        known = {f"{cell.key(context)}.json" for cell in self.plan.cells()} if context is not None else set()
        names = sorted(path.name for path in (self.root / CELLS).glob("*.json") if path.name not in known)
        return {name: (_json(self.root / CELLS / name, self.root) or {}).get("cell") for name in names}

    def timing(self, key: str) -> dict[str, Any] | None:
        """{"seconds", "attempts", "worker", "started"} of a cell, or None when there is no such record."""
        found = _json(self.root / TIMING / f"{key}.json", self.root) if key.isalnum() else None
        if found is None or seal_broken(found):
            return None
        return {name: value for name, value in found.items() if name != SEAL}

    def file(self, name: str) -> Path:
        """The path of a file that a record names. Raises InputError when it lies outside the run folder or is not there."""
        path = self.root / name
        try:
            files.opened(path, root=self.root).close()
        except InputError:
            raise InputError(f"{self.root}: a result names the file {name!r}, which is not in this run folder") from None
        return path

    def evidence(self, record: Mapping[str, Any], channel: str) -> Evidence:
        """The table behind a channel of a cell's record. Raises InputError when it is missing or damaged."""
        parts = [part for part in record["channels"] if part["name"] == channel]
        if not parts:
            raise InputError(f"{self.root}: cell {record['key']} has no channel {channel!r}")
        name = parts[0]["evidence"]
        content = io.BytesIO(self._evidence(name, parts[0].get("digest")))
        try:
            if (size := files.unpacked_size(content)) > EVIDENCE_BYTES:
                raise EvidenceError(f"unpacked it holds {size:,} bytes; up to {EVIDENCE_BYTES:,} are read")
            return Evidence.load(content)
        except (EvidenceError, OSError, *DAMAGED) as error:
            raise InputError(f"{self.root}: {name} is damaged ({error})") from None

    def _evidence(self, name: str, digest: str | None) -> bytes:
        """The bytes of a table. digest: what the cell says of them; None in a run of before there were any."""
        self.file(name)
        content = files.read(self.root / name, EVIDENCE_BYTES, root=self.root)
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            raise InputError(f"{self.root}: {name} is damaged (it is not what its cell has measured)")
        return content

    def _damaged_evidence(self, record: Mapping[str, Any]) -> str | None:
        """What is wrong with the tables behind a cell; None where each is there and the one that was written."""
        for part in record["channels"]:
            try:
                self._evidence(part["evidence"], part.get("digest"))
            except InputError as error:
                return f"{str(error).removeprefix(f'{self.root}: ')}; scan again with the same plan"
        return None


def empty_result(cell: Cell, key: str, status: str, why: str) -> dict[str, Any]:
    """The result of a cell that has no numbers: refused, failed, timed out, not measured, not run."""
    lists: dict[str, Any] = {name: [] for name in ("channels", "flags", "curves", "exhibits")}
    return {"schema": SCHEMA, "key": key, "cell": cell.to_json(), "status": status, "why": why, **lists}


@dataclass
class Left:
    """What may still be read of the results of one run. overdrawn: whether the last one asked for more than was left."""

    bytes: int = RUN_BYTES
    parts: int = RUN_PARTS
    overdrawn: bool = False

    def pays(self, size: int, parts: int) -> bool:
        """Takes off what a result needs; False where that is more than what is left, and then nothing is taken."""
        self.overdrawn = size > self.bytes or parts > self.parts
        if not self.overdrawn:
            self.bytes, self.parts = self.bytes - size, self.parts - parts
        return not self.overdrawn


def _json(path: Path, root: Path, left: Left | None = None) -> dict[str, Any] | None:
    if left is not None:
        left.overdrawn = False
    try:
        content = files.read(path, CELL_BYTES, root=root)
        parts = sum(map(content.count, (b",", b"[", b"{")))
        if parts > CELL_PARTS or not (left or Left()).pays(len(content), parts):
            return None
        found = files.parsed_json(content, path)
    except InputError:
        return None
    return found if isinstance(found, dict) else None


def fault_in(record: Mapping[str, Any], key: str, cell: Cell) -> str | None:
    """What is wrong with a result that was read from disk, or None when every part has the right form."""
    try:
        if record["schema"] not in (1, SCHEMA) or record["key"] != key or record["cell"] != cell.to_json():
            return "it is of another schema, key or cell"
        if seal_broken(record):
            return "it is not what was written"
        if record["status"] not in STATUSES[:-2] or not isinstance(record["why"], str):
            return "unknown status"
        if (record["status"] == "measured") != bool(record["channels"]):
            return "status and channels contradict each other"
        for part in record["channels"]:
            _check_channel(part)
        for group, texts in (("flags", ("channel", "arm", "name", "why")), ("curves", ("channel", "arm", "name"))):
            for entry in record[group]:
                _check_texts(entry, texts)
        for entry in record["exhibits"]:
            _check_texts(entry, ("channel", "arm", "intent", "outcome_clean", "outcome_attacked"))
            if not all(entry[form] is None or isinstance(entry[form], dict) for form in ("image", "audio", "text")):
                return "an exhibit of another form"
        for entry in record["curves"]:
            if not all(value is None or _number(value) for value in entry["values"]):
                return "a curve that is not numbers"
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _check_channel(part: Mapping[str, Any]) -> None:
    _check_texts(part, ("name", "kind", "evidence"))
    if part["kind"] not in KINDS:
        raise ValueError(f"kind {part['kind']!r}")
    for rate in part["rates"]:
        _check_texts(rate, ("name", "arm", "estimator", "better"))
        _check_arm(rate["arm"])
        value, low, high = (rate[name] for name in ("value", "low", "high"))
        if not all(part is None or _number(part) for part in (value, low, high)) or not _number(rate["n"]):
            raise ValueError(f"rate {rate['name']!r} is not numbers")
        if any(a is not None and b is not None and a > b + 1e-9 for a, b in ((low, value), (value, high), (low, high))):
            raise ValueError(f"rate {rate['name']!r} lies outside its interval")
        if not isinstance(rate["headline"], bool):
            raise ValueError("headline is not true or false")
    for measure in part["measures"]:
        _check_arm(measure["arm"])
        bits = Bits.from_json(measure["bits"])
        if not all(isinstance(text, str) for text in (bits.kind, bits.estimator, bits.why)):
            raise ValueError("bits without words")
        if not all(number is None or _number(number) for number in (bits.value, bits.low, bits.high, bits.clusters, bits.design_effect)):
            raise ValueError(f"{bits.kind} is not numbers")
        if not _number(bits.n) or not isinstance(bits.trusted, bool):
            raise ValueError(f"{bits.kind} has no number of trials, or is neither trusted nor not")
    for cost in part["costs"]:
        _check_texts(cost, ("name", "arm"))
        if not all(_number(cost[name]) for name in ("mean", "max", "n")):
            raise ValueError(f"cost {cost['name']!r} is not numbers")


def _check_arm(arm: object) -> None:
    if arm not in ARMS:
        raise ValueError(f"arm {arm!r}")


def _check_texts(record: Mapping[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if not isinstance(record[name], str):
            raise ValueError(f"{name} is not text")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
