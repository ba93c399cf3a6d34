"""Integrity: whether what is read back from a run folder is what was put down there. Imports nothing heavy."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hartley import files
from hartley.errors import InputError
from hartley.runs.plan import PLAN_BYTES
from hartley.runs.store import ENVIRONMENT, MEDIA, PLAN, PLAN_DIGEST, SEAL, sealed

MEND = "scan again with the same plan to mend it"
MEDIA_BYTES = 64 * 2**20
_MEDIA = re.compile(rf"{MEDIA}/([0-9a-f]{{24}})\.(png|wav)")


def seal_broken(record: Mapping[str, Any]) -> bool:
    """Whether a record is not what was put down. One of schema 1, from before there were seals, has none."""
    if SEAL not in record:
        return bool(record.get("schema") != 1)
    try:
        return bool(sealed({name: value for name, value in record.items() if name != SEAL})[SEAL] != record[SEAL])
    except ValueError:
        return True


def circumstances(found: dict[str, Any], root: Path) -> dict[str, Any]:
    """What environment.json says, without its digests. Raises InputError where it or the plan is not what was put down; one from before
    there were digests has none."""
    parts = {name: value for name, value in found.items() if name not in (SEAL, PLAN_DIGEST)}
    if SEAL not in found:
        if PLAN_DIGEST in found:
            raise InputError(f"{root / ENVIRONMENT}: damaged (it is not what was written); {MEND}")
        return parts
    if seal_broken(found):
        raise InputError(f"{root / ENVIRONMENT}: damaged (it is not what was written); {MEND}")
    if hashlib.sha256(files.read(root / PLAN, PLAN_BYTES, root=root)).hexdigest() != found.get(PLAN_DIGEST):
        raise InputError(f"{root / PLAN}: is not the plan that this folder was made for; {MEND}")
    return parts


def media_fault(root: Path, record: Mapping[str, Any]) -> str | None:
    """Which picture or sound of a result is missing or not the one that its name promises; None where all are there."""
    for exhibit in record["exhibits"]:
        for part in (*(exhibit["image"] or {}).values(), *(exhibit["audio"] or {}).values()):
            if isinstance(part, str) and (named := _MEDIA.fullmatch(part)):
                try:
                    content = files.read(root / part, MEDIA_BYTES, root=root)
                except InputError:
                    return f"{part} is missing"
                if hashlib.sha256(content).hexdigest()[:24] != named[1]:
                    return f"{part} is damaged"
    return None


def unverified(records: Iterable[Mapping[str, Any]]) -> str:
    """The line for results from before there were digests; "" where there are none."""
    records = list(records)
    old = sum(record["status"] != "not run" and record["schema"] == 1 for record in records)
    return (
        f"unverified: {old} of {len(records)} results are from before there were digests; whether they are as measured cannot be told"
        if old
        else ""
    )
