"""Run folders that somebody else made, or that a disk has changed: nothing outside is read, written or deleted, and no change passes."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import random
import re
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from run_fakes import FAKES
from run_fakes import STEADY as PLAN

import hartley
from hartley.cli import main
from hartley.errors import InputError
from hartley.report.page import write_report
from hartley.runs.export import to_csv, to_json
from hartley.runs.folder import Run
from hartley.runs.local import run

SECRET = "a private word that nobody may see"


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "run")
    (tmp_path / "private.txt").write_text(SECRET)
    return tmp_path / "run"


def read_all(folder: Path) -> str:
    """Whatever a user reads of a run."""
    said = [write_report(folder, folder.parent / "out.html").read_text(), to_csv(Run.open(folder)), to_json(Run.open(folder))]
    return "".join(said)


ENTRIES = ("plan.toml", "environment.json", "cells/*.json", "timing/*.json", "evidence/*.npz", "media/*.png")


def ended(call: Callable[[], object], seconds: float = 20.0) -> bool:
    """Whether it ends in time, well or with an InputError."""
    found: list[object] = []

    def work() -> None:
        try:
            found.append(call())
        except InputError as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(found)


@pytest.mark.parametrize("pattern", ENTRIES)
@pytest.mark.parametrize("kind", ["link", "link to a folder", "fifo", "device", "folder"])
def test_hostile_1_a_file_of_a_run_that_is_no_file_is_never_read(copy: Path, pattern: str, kind: str) -> None:
    path = next(iter(sorted(copy.glob(pattern))))
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to({"link": copy.parent / "private.txt", "link to a folder": copy.parent, "device": "/dev/zero"}[kind])
    said: list[str] = []
    assert ended(lambda: said.append(read_all(copy)))
    assert SECRET not in "".join(said)


@pytest.mark.parametrize("name", ["cells", "evidence", "media", "timing"])
def test_hostile_1_a_folder_of_a_run_that_is_a_link_is_never_followed(copy: Path, name: str) -> None:
    shutil.move(copy / name, copy.parent / "elsewhere")
    (copy / name).symlink_to(copy.parent / "elsewhere")
    assert all(cell["status"] in ("damaged", "not run") for cell in Run.open(copy).cells()) or name in ("media", "timing")
    assert ended(lambda: read_all(copy))


@pytest.mark.parametrize("name", ["cache", "cells", "evidence", "media", "timing", "endpoint", ".lock", "log.txt", "environment.json"])
@pytest.mark.parametrize("dangling", [True, False])
def test_hostile_2_resuming_touches_nothing_outside(copy: Path, name: str, dangling: bool) -> None:
    outside = copy.parent / "outside"
    outside.mkdir()
    for kept in ("poetry.lock", "Cargo.lock", ".part-12345678", "a.json"):
        (outside / kept).write_text("kept")
    target = outside / "absent" if dangling else outside if "." not in name else outside / "a.json"
    path = copy / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)
    with pytest.raises(InputError, match="nothing was touched"):
        run(PLAN, copy, parts=FAKES)
    assert sorted(entry.name for entry in outside.iterdir()) == [".part-12345678", "Cargo.lock", "a.json", "poetry.lock"]
    assert all(entry.read_text() == "kept" for entry in outside.iterdir())


def test_hostile_2_lock_files_of_other_projects_are_left_alone(copy: Path) -> None:
    for kept in ("poetry.lock", "Cargo.lock", ".part-mine", "yarn.lock"):
        (copy / "cache" / kept).write_text("kept")
    (copy / "cache" / f"{'a' * 32}.lock").write_text("")
    (copy / "cache" / ".part-abcd1234").write_text("")
    run(PLAN, copy, parts=FAKES)
    assert sorted(path.name for path in (copy / "cache").iterdir() if "kept" in (path.read_bytes()[:4].decode(errors="replace"),)) == [
        ".part-mine",
        "Cargo.lock",
        "poetry.lock",
        "yarn.lock",
    ]
    assert not (copy / "cache" / f"{'a' * 32}.lock").exists() and not (copy / "cache" / ".part-abcd1234").exists()


@pytest.mark.parametrize("damage", ["deleted", "truncated", "another's"])
def test_hostile_5_evidence_that_is_not_what_the_cell_measured_is_noticed_and_measured_again(copy: Path, damage: str) -> None:
    (table,) = (copy / "evidence").iterdir()
    before = table.read_bytes()
    if damage == "deleted":
        table.unlink()
    else:
        table.write_bytes(before[: len(before) // 2] if damage == "truncated" else b"PK" + before[2:-1] + b"\1")
    (record,) = Run.open(copy).cells()
    assert record["status"] == "damaged" and table.name in record["why"]
    policy = copy.parent / "policy.toml"
    policy.write_text('rules = ["utility_bits.low >= 0.0 under sga"]')
    run(PLAN, copy, parts=FAKES)
    assert table.read_bytes() == before and Run.open(copy).cells()[0]["status"] == "measured"


def test_hostile_4_a_small_archive_of_a_large_table_is_not_unpacked(copy: Path) -> None:
    (table,) = (copy / "evidence").iterdir()
    with zipfile.ZipFile(table, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arm.npy", bytes(600 * 2**20))
    (path,) = (copy / "cells").iterdir()
    record = json.loads(path.read_text())
    record["schema"] = 1
    del record["seal"], record["channels"][0]["digest"]
    path.write_text(json.dumps(record))
    opened = Run.open(copy)
    with pytest.raises(InputError, match="unpacked it holds"):
        opened.evidence(opened.cells()[0], "image")


def test_a_run_from_before_there_were_seals_is_still_read(copy: Path) -> None:
    (path,) = (copy / "cells").iterdir()
    record = json.loads(path.read_text())
    record["schema"] = 1
    del record["seal"], record["channels"][0]["digest"]
    path.write_text(json.dumps(record))
    assert Run.open(copy).cells()[0]["status"] == "measured"


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "device"])
@pytest.mark.parametrize("form", [[], ["--csv"], ["--json"]])
def test_report_out_replaces_regular_files_only(copy: Path, kind: str, form: list[str]) -> None:
    out = copy.parent / "out"
    if kind == "link":
        out.symlink_to(copy.parent / "private.txt")
    elif kind == "fifo":
        os.mkfifo(out)
    elif kind == "folder":
        out.mkdir()
    elif kind == "device":
        try:
            os.mknod(out, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    done = CliRunner().invoke(main, ["report", str(copy), "--out", str(out), *form])
    assert done.exit_code == 2 and "Traceback" not in done.output
    assert (copy.parent / "private.txt").read_text() == SECRET and (kind != "link" or out.is_symlink())
    assert not stat.S_ISREG(os.lstat(out).st_mode)


PAYLOADS = (
    *(chr(code) for code in (*range(0, 9), *range(11, 32), 0x7F) if code != 13),  # every control character but what ends a line
    *(
        "\x9b31m",
        "\x85",
        "\x90q",
        "\x9d0;title\x9c",
        "\x1b[2J",
        "\x1b]8;;http://a.example\x1b\\",
        "\x1b[8m",
        "\x1b[1A\x1b[2K",
        "\x1bc",
        "\r",
    ),
    *("\u202e", "\u202d", "\u202a", "\u2066", "\u2067", "\u2068", "\u200e", "\u200f", "\u061c"),  # what turns writing around
    *("\u2028", "\u2029", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u2060", "\u3164", "\u2800", "\ufe0f", "\U000e0041", "\ud800", "\ue000"),
)
COMMANDS = (
    "::error::x",
    "::set-output name=a::b",
    "##vso[task.complete]",
    "##[error]x",
    "##teamcity[buildStop]",
    "[command]rm",
    "  ::stop-commands::t",
)
CARRIERS = ("why", "status", "key", "threat", "flags", "channels")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_hostile_3_what_a_run_says_cannot_act_on_a_terminal(copy: Path, carrier: str) -> None:
    (path,) = (copy / "cells").iterdir()
    hostile = "".join(f"x{payload}y" for payload in PAYLOADS) + "".join(f"\n{command}" for command in COMMANDS) + "\nholds: y"
    whole = json.loads(path.read_text())
    record = {**whole, "schema": 1} | ({"status": "failed", "why": "y", "channels": []} if carrier != "channels" else {})
    del record["seal"]
    match carrier:
        case "threat":
            record["cell"] = {**record["cell"], "threat": hostile}
        case "flags":
            record["flags"] = [{"channel": hostile, "arm": hostile, "name": hostile, "why": hostile}]
        case "channels":
            record["channels"] = [{**whole["channels"][0], "name": hostile}]
        case _:
            record[carrier] = hostile
    path.write_text(json.dumps(record))
    policy = copy.parent / "policy.toml"
    policy.write_text('rules = ["utility_bits.low >= 0.0 under sga"]')
    report = ["report", str(copy), "--out", str(copy.parent / "r.html")]
    for command in (["check", str(copy), "--policy", str(policy)], report):
        said = CliRunner().invoke(main, command).output
        assert not [payload for payload in PAYLOADS if payload in said]
        assert not [line for line in said.splitlines() if line.startswith("holds: y") or line.strip().startswith(COMMANDS)]


def test_nothing_is_printed_but_through_the_place_that_makes_it_printable() -> None:
    """print, click.echo and the streams' own write: in printing.py alone, and twice where what they are given was made printable before."""
    wanted = re.compile(r"print|click\.s?echo|sys\.std(out|err)\.write(lines)?")
    found = [
        (path.name, ast.unparse(node))
        for path in sorted(Path(hartley.__file__).parent.rglob("*.py"))
        if path.name != "printing.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and wanted.fullmatch(ast.unparse(node.func))
    ]
    # The error line and an export, made printable before; a progress line and words of ours; JSON in ASCII; our own models.
    assert [name for name, _ in found] == [
        "bits_command.py",
        "cli.py",
        "cli.py",
        "models_command.py",
        "models_command.py",
        "serve_command.py",
        "__main__.py",
    ]
    assert "printable(" in found[1][1]


def test_another_folder_is_never_taken_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not empty and not a run"):
        run(PLAN, tmp_path / "mine", parts=FAKES)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_plan_is_the_same_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = dataclasses.replace(PLAN, target="hf:model", data="pictures").absolute()
    assert (plan.target, plan.data) == (f"hf:{tmp_path}/model", f"{tmp_path}/pictures")
    assert dataclasses.replace(PLAN, target="hf:~/m").absolute().target == f"hf:{Path.home()}/m"
    assert plan.absolute() == plan and PLAN.absolute() == PLAN


def test_random_bytes_in_place_of_any_file_end_in_a_line(copy: Path) -> None:
    draw = random.Random(0)
    paths = [path for path in copy.rglob("*") if path.is_file()]
    for path in paths:
        whole = path.read_bytes()
        path.write_bytes(draw.randbytes(200))
        assert ended(lambda: read_all(copy)), path
        path.write_bytes(whole)
