"""More kinds of foreign files and texts: totals for a run, what SQLite opens by itself, numbers without end, odd weights."""

from __future__ import annotations

import json
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hartley import files
from hartley.bits.files.prior import read_prior
from hartley.cli import main
from hartley.errors import InputError
from hartley.evidence import Evidence
from hartley.printing import printable
from hartley.runs import folder as reading
from hartley.runs.context import Context, versions
from hartley.runs.folder import Run, empty_result
from hartley.runs.plan import Plan
from hartley.runs.store import Store
from hartley.targets.checkpoint import read_weights
from hartley.targets.memory import approximate
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.store import Store as Memory

PLAN = Plan(("sga",), seeds=(0, 1, 2), effort={"trials": 40})
CONTEXT = Context("t", "d", {"trials": 10}, {"": "code"}, versions(), "target", "data")
POLICY = 'rules = ["utility_bits.low >= 0.0 under any"]'


def in_time(call: Callable[[], object], seconds: float = 10.0) -> object:
    """What the call gives, or the InputError that it raises; it must end."""
    found: list[object] = []

    def work() -> None:
        try:
            found.append(call())
        except InputError as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, "it does not end"
    return found[0]


def a_run(root: Path, **changes: object) -> Path:
    """A run of three cells, sealed as ours are; changes: of the first channel's fields, or of its first measure as bits_NAME."""
    zeros = np.zeros(2, dtype=int)
    table = Evidence("image", "jam", ("a",), (), ("a",), zeros, np.arange(2), zeros, zeros - 1, zeros, zeros)
    store = Store.prepare(root, PLAN, CONTEXT)
    bits = {"kind": "utility_bits", "value": 1.0, "low": 0.5, "high": None, "n": 2, "estimator": "x", "trusted": True, "why": ""}
    bits |= {"checks": {}} | {name.removeprefix("bits_"): value for name, value in changes.items() if name.startswith("bits_")}
    for cell in PLAN.cells():
        key = cell.key(CONTEXT)
        name, digest = store.write_evidence(key, table)
        channel = {"name": "image", "kind": "jam", "evidence": name, "digest": digest, "rates": [], "costs": []}
        channel |= {name: value for name, value in changes.items() if not name.startswith("bits_")}
        store.write_cell(
            {**empty_result(cell, key, "measured", ""), "channels": [{**channel, "measures": [{"arm": "clean", "bits": bits}]}]}
        )
    return root


def test_hostile_4_the_results_of_a_run_have_a_limit_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Run.open(a_run(tmp_path / "run"))
    assert [cell["status"] for cell in opened.cells()] == ["measured"] * 3
    (path, *_) = sorted((tmp_path / "run" / "cells").iterdir())
    monkeypatch.setattr(reading.Left.__init__, "__defaults__", (int(2.5 * path.stat().st_size), 10**6, False))
    found = opened.cells()
    assert [cell["status"] for cell in found] == ["measured", "measured", "damaged"]
    assert "too large together" in found[2]["why"]


@pytest.mark.parametrize("filling", ["[],", "{},", "0,"])
def test_hostile_4_a_result_of_millions_of_empty_parts_is_not_parsed(tmp_path: Path, filling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    root = a_run(tmp_path / "run")
    path = sorted((root / "cells").iterdir())[0]
    path.write_text(path.read_text().rstrip()[:-1] + f', "more": [{filling * 1_000_001}0]}}')
    parsed: list[int] = []
    real = files.parsed_json
    monkeypatch.setattr(files, "parsed_json", lambda content, where: parsed.append(len(content)) or real(content, where))
    assert sorted(cell["status"] for cell in Run.open(root).cells()) == ["damaged", "measured", "measured"]
    assert max(parsed) < 2**20


@pytest.mark.parametrize("changes", [
    {"name": ""}, {"name": "x" * 200}, {"name": "\u202e"}, {"bits_n": "1e999"}, {"bits_n": None}, {"bits_n": []}, {"bits_trusted": "no"},
    {"bits_clusters": [1]}, {"bits_design_effect": "x"}, {"bits_trusted": "1e999"},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("command", [["check", "--policy"], ["report", "--json"], ["report", "--csv"], ["report", "--out"]], ids=" ".join)
def test_hostile_6_a_forged_result_with_its_seal_is_a_line_and_no_traceback(
    tmp_path: Path, changes: dict[str, object], command: list[str]
) -> None:
    root = a_run(tmp_path / "run", **changes)
    for path in (root / "cells").iterdir():
        path.write_text(path.read_text().replace('"1e999"', "1e999"))
    (tmp_path / "policy.toml").write_text(POLICY)
    more = {"--policy": [str(tmp_path / "policy.toml")], "--out": [str(tmp_path / "out.html")]}.get(command[1], [])
    done = CliRunner().invoke(main, [command[0], str(root), command[1], *more])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    expected = "measured" if "name" in changes else "damaged"
    assert {cell["status"] for cell in Run.open(root).cells()} == {expected}


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 5000, "NaN", "Infinity", "-Infinity"])
def test_hostile_6_numbers_without_end_are_no_json(number: str) -> None:
    with pytest.raises(InputError, match="not valid JSON"):
        files.parsed_json(f'{{"a": [{number}]}}', "x")


@pytest.mark.parametrize("word", ["##vso[task.setvariable]", "##[error]", "##teamcity[x]", "##VSO[x]", "##TeamCity[x]", "####[x]"])
@pytest.mark.parametrize("before", ["", "  ", "broken: ", "a\u200b", "note: a #"])
def test_hostile_3_commands_that_runners_find_anywhere_in_a_line_are_broken_up(word: str, before: str) -> None:
    shown = printable(f"{before}{word}").lower()
    assert not any(command in shown for command in ("##[", "##vso[", "##teamcity["))
    assert printable("## a heading, #[1] and C##") == "## a heading, #[1] and C##"


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
@pytest.mark.parametrize("name", ["entries.sqlite", "entries.sqlite-wal", "entries.sqlite-shm", "entries.sqlite-journal", "vectors.f32"])
def test_hostile_1_what_a_memory_opens_is_a_regular_file(tmp_path: Path, name: str, kind: str) -> None:
    with Memory(tmp_path / "memory", dimension=4) as store:
        store.add([Entry(f"entry {number}") for number in range(4)], np.eye(4, dtype=np.float32))
    path, private = tmp_path / "memory" / name, tmp_path / "private"
    private.write_bytes(b"kept")
    path.unlink(missing_ok=True)
    {"link": lambda: path.symlink_to(private), "fifo": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()

    def opened() -> int:
        with Memory(tmp_path / "memory") as again:
            return len(again)

    assert isinstance(in_time(opened), InputError)
    assert private.read_bytes() == b"kept"


@pytest.mark.parametrize("kind", ["link", "fifo"])
@pytest.mark.parametrize("name", [approximate.CARD, approximate.FILE])
def test_hostile_1_an_index_beside_a_memory_is_a_regular_file(tmp_path: Path, name: str, kind: str) -> None:
    class Kept:
        folder, fingerprint = tmp_path, "x"

    class Index:
        settings: dict[str, int] = {}  # noqa: RUF012
        _faiss = None

    (tmp_path / approximate.FILE).write_bytes(b"index")
    (tmp_path / approximate.CARD).write_text(json.dumps({"entries": "x", "settings": {}, "sha256": "y"}))
    path = tmp_path / name
    path.rename(tmp_path / "elsewhere")
    os.mkfifo(path) if kind == "fifo" else path.symlink_to(tmp_path / "elsewhere")
    assert in_time(lambda: approximate.Faiss._found(Index(), Kept())) is False  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_hostile_1_a_prior_is_a_regular_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "prior.csv"
    {"fifo": lambda: os.mkfifo(path), "device": lambda: path.symlink_to("/dev/zero"), "folder": path.mkdir}[kind]()
    found = in_time(lambda: read_prior(str(path)))
    assert isinstance(found, InputError) and str(found).startswith("--prior")


def weights(path: Path, dtype: str, shape: list[int], size: int) -> Path:
    """A safetensors file whose values are a hole."""
    header = json.dumps({"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + size)
    return path


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0"])
def test_hostile_6_weights_of_eight_bits_are_a_line(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(InputError, match="full weights are accepted"):
        read_weights((weights(tmp_path / "model.safetensors", dtype, [4], 4),))


def test_hostile_4_shards_of_holes_are_refused_together(tmp_path: Path) -> None:
    shards = tuple(weights(tmp_path / f"{number}.safetensors", "F32", [2**20], 2**22) for number in range(6))
    with pytest.raises(InputError, match="holes"):
        read_weights(shards)
