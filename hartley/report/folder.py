"""Reads a run folder: plan, environment, cells with their timing. A cell that cannot be read is listed, not fatal."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hartley.errors import InputError
from hartley.report.records import Cell, Channel, cell

CELL_BYTES = 32 * 2**20
EVIDENCE_BYTES = 512 * 2**20
_EVIDENCE = re.compile(r"evidence/[^/\\\x00]{1,200}\.npz")


@dataclass(frozen=True)
class Folder:
    """What a run folder says. `unreadable` pairs a file's name with what is wrong with it."""

    path: Path
    plan_text: str
    plan: Mapping[str, Any]
    environment: Mapping[str, Any]
    cells: tuple[Cell, ...]
    unreadable: tuple[tuple[str, str], ...]
    started: str

    def intent_entropy_bits(self, channel: Channel) -> float | None:
        """H(U): from the evidence's prior or, where it has none, log2 of its alphabet; None without evidence."""
        if not _EVIDENCE.fullmatch(channel.evidence):
            return None
        path = self.path / channel.evidence
        try:
            if path.is_symlink() or path.stat().st_size > EVIDENCE_BYTES:
                return None
            with np.load(path, allow_pickle=False) as archive:
                if "intent_prior" in archive.files:
                    prior = np.asarray(archive["intent_prior"], dtype=np.float64)
                    prior = prior[prior > 0]
                    entropy_bits = float(-(prior * np.log2(prior)).sum())
                else:
                    header = json.loads(bytes(np.asarray(archive["header"], dtype=np.uint8)).decode())
                    entropy_bits = math.log2(len(header["intent_alphabet"]))
        except Exception:  # a damaged archive fails in many ways; the report then states no ceiling
            return None
        return entropy_bits if math.isfinite(entropy_bits) and entropy_bits >= 0 else None


def read(path: Path) -> Folder:
    """Raises InputError when `path` is no run folder."""
    if not path.exists():
        raise InputError(f"run {str(path)!r}: no such folder; takes a folder that `hartley scan` wrote")
    if not path.is_dir():
        raise InputError(f"run {str(path)!r}: not a folder; takes a folder that `hartley scan` wrote")
    if not (path / "cells").is_dir():
        raise InputError(f"run {str(path)!r}: no cells/ in it, so it is not a run; takes a folder that `hartley scan` wrote")
    cells: list[Cell] = []
    unreadable: list[tuple[str, str]] = []
    started: list[str] = []
    for file in sorted((path / "cells").glob("*.json")):
        try:
            timing = _timing(path / "timing" / file.name)
            cells.append(cell(_json(file), timing))
        except (OSError, ValueError, RecursionError) as error:
            unreadable.append((f"cells/{file.name}", str(error) or type(error).__name__))
            continue
        if isinstance(timing.get("started"), str):
            started.append(timing["started"])
    plan_text, plan = _plan(path / "plan.toml", unreadable)
    return Folder(
        path,
        plan_text,
        plan,
        _environment(path / "environment.json", unreadable),
        tuple(cells),
        tuple(unreadable),
        min(started, default=""),
    )


def _json(file: Path) -> Mapping[str, Any]:
    size = file.stat().st_size
    if size > CELL_BYTES:
        raise ValueError(f"{size:,} bytes, more than the {CELL_BYTES:,} that are read")
    record = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return record


def _timing(file: Path) -> Mapping[str, Any]:
    try:
        return _json(file)
    except (OSError, ValueError, RecursionError):  # timing is no part of the result
        return {}


def _plan(file: Path, unreadable: list[tuple[str, str]]) -> tuple[str, Mapping[str, Any]]:
    text = ""
    try:
        text = file.read_bytes()[:CELL_BYTES].decode("utf-8", errors="replace")
        return text, tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        unreadable.append((file.name, str(error)))
        return text, {}


def _environment(file: Path, unreadable: list[tuple[str, str]]) -> Mapping[str, Any]:
    try:
        return _json(file)
    except (OSError, ValueError, RecursionError) as error:
        unreadable.append((file.name, str(error)))
        return {}
