"""Export: a run as flat rows, for JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

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
    "n",
    "estimator",
    "trusted",
    "headline",
    "better",
    "why",
)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the start of a formula, the full-width forms too."""


def rows(run: Run) -> list[dict[str, Any]]:
    """A row for each cell, channel, arm and measure or rate, in the plan's order; a cell without numbers has one row.

    Each row has every name of COLUMNS. `what` is "bits" or "rate"; None stands where a column does not apply.
    """
    return [row for record in run.cells() for row in _cell_rows(record)]


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


def _cell_rows(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    base = {**dict.fromkeys(COLUMNS), **record["cell"], "status": record["status"]}
    if record["status"] != "measured":
        return [{**base, "why": record["why"]}]
    found = []
    for channel in record["channels"]:
        part = {**base, "channel": channel["name"], "kind": channel["kind"]}
        for rate in channel["rates"]:
            row = {name: rate[name] for name in ("arm", "value", "low", "high", "n", "estimator", "headline", "better")}
            found.append({**part, **row, "what": "rate", "measure": rate["name"], "why": rate.get("why", "")})
        for measure in channel["measures"]:
            bits = measure["bits"]
            row = {name: bits[name] for name in ("value", "low", "high", "n", "estimator", "trusted", "why")}
            found.append({**part, **row, "what": "bits", "arm": measure["arm"], "measure": bits["kind"]})
    return found


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return repr(value)
    starts = value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)
    return "'" + value if starts and not _NUMBER.fullmatch(value) else value
