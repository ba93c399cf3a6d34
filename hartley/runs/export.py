"""Export: a run as flat rows, for JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from hartley.printing import hidden
from hartley.runs import reading
from hartley.runs.folder import Run

COLUMNS = (
    "target",
    "threat",
    "defense",
    "seed",
    "budget",
    "status",
    "channel",
    "kind",
    "arm",
    "what",
    "measure",
    "value",
    "low",
    "high",
    "control",
    "control_low",
    "control_high",
    "n",
    "clusters",
    "design_effect",
    "estimator",
    "trusted",
    "headline",
    "better",
    "weak",
    "why",
    "checks",
)
FIGURES = ("arm", "value", "low", "high", "n", "clusters", "design_effect", "estimator", "trusted", "headline", "better", "why")
"""What a rate or a number in bits brings itself."""

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_COMMAND = re.compile(r"^[^\S\n]*(?:::|##)", re.MULTILINE)
"""What a CI system takes for a command at the beginning of a line: an export may be printed there."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the start of a formula, the full-width forms too."""


def rows(run: Run) -> list[dict[str, Any]]:
    """A row for each cell, channel, arm and measure or rate, in the plan's order; a cell without numbers has one row.

    Each row has every name of COLUMNS. `what` is "bits" or "rate"; None stands where a column does not apply. control, control_low,
    control_high: beside an attack's success the same rate without the attack; where there is none, `why` says so. weak: why the
    channel has no service that could be attacked, so that nothing here speaks of robustness; empty where it has one. checks: the
    estimator's own figures as a JSON object, among them the limit of a shown zero and the effective dimension of an embedding.
    """
    records = run.cells()
    weak = reading.weak(run, records)
    return [row for record in records for row in _cell_rows(record, weak.get(reading.group(record), {}))]


def to_json(run: Run) -> str:
    """The rows as a JSON list."""
    return json.dumps(rows(run), indent=1, allow_nan=False) + "\n"


def to_csv(run: Run) -> str:
    """The rows as CSV with a header. No cell starts a formula; None is an empty cell."""
    buffer = io.StringIO()
    # With "\r\n" as the end of a line the writer quotes both; a bare "\r" in a cell would begin a new row in some readers.
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows(run):
        writer.writerow([_plain(row[name]) for name in COLUMNS])
    return buffer.getvalue()


def _cell_rows(record: Mapping[str, Any], weak: Mapping[str, str]) -> list[dict[str, Any]]:
    base = {**dict.fromkeys(COLUMNS), **record["cell"], "status": record["status"]}
    if record["status"] != "measured":
        return [{**base, "why": record["why"]}]
    found = []
    for channel in record["channels"]:
        part = {**base, "channel": channel["name"], "kind": channel["kind"], "weak": weak.get(channel["name"], "")}
        for rate in channel["rates"]:
            row = {name: rate[name] for name in FIGURES if name in rate}
            found.append({**part, **row, **_control(channel, rate), "what": "rate", "measure": rate["name"]})
        for measure in channel["measures"]:
            bits = measure["bits"]
            row = {name: bits[name] for name in FIGURES if name in bits and name != "arm"}
            checks = json.dumps(bits["checks"], sort_keys=True) if bits.get("checks") else None
            found.append({**part, **row, "what": "bits", "arm": measure["arm"], "measure": bits["kind"], "checks": checks})
    return found


def _control(channel: Mapping[str, Any], rate: Mapping[str, Any]) -> dict[str, Any]:
    if not reading.needs_control(rate):
        return {}
    alone = reading.control(channel, rate)
    if alone is None:
        return {"why": "; ".join(filter(None, (rate.get("why", ""), reading.NO_CONTROL)))}
    return {"control": alone["value"], "control_low": alone["low"], "control_high": alone["high"]}


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    # What shows nothing does not keep a spreadsheet from seeing what stands behind it; and full-width signs count as signs.
    shown = next((at for at, letter in enumerate(value) if not (hidden(letter) or letter.isspace())), 0)
    value = _COMMAND.sub(r"\\\g<0>", value)
    starts = value.startswith(_FORMULA) or unicodedata.normalize("NFKC", value[shown : shown + 1]).startswith(_FORMULA)
    return "'" + value if starts and not _NUMBER.fullmatch(value) else value
