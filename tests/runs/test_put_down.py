"""What is put down: readable by whom the umask lets, on the disk before its name is, and nowhere but in its own folder."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from run_fakes import MARKS

from hartley import files
from hartley.errors import InputError
from hartley.runs.allowance import Allowance
from hartley.runs.answering import budget as counted_budget
from hartley.runs.store import Store, refuse_foreign
from hartley.targets.endpoint.budget import Budget
from hartley.targets.endpoint.cache import Cache as Answers
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.store import Store as Memory

EVERYTHING = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from click.testing import CliRunner
from run_fakes import FAKES
from hartley.cli import main
from hartley.runs.local import run
from hartley.runs.plan import Plan
from hartley.runs.store import Store
from hartley.targets.endpoint.budget import Budget
from hartley.targets.endpoint.cache import Cache
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.store import Store as Memory

if __name__ == "__main__":
    os.umask(int(sys.argv[2], 8))
    out = Path(sys.argv[3])
    run(Plan(("steady",), "fake:one", seeds=(0,), effort={"trials": 24}), out / "run", parts=FAKES)
    store = Store(out / "run")
    store.log("a line")
    store.lock_cache("0" * 32).close()
    for form, name in (((), "r.html"), (("--csv",), "r.csv"), (("--json",), "r.json")):
        assert CliRunner().invoke(main, ["report", str(out / "run"), "--out", str(out / name), *form]).exit_code == 0
    Cache(store.endpoint_folder() / "answers").put("ab" * 32, {"a": 1})
    with Budget(ledger=store.endpoint_folder() / "spent.json").charge(1, 1):
        pass
    memory = Memory(out / "memory", dimension=2)
    memory.add([Entry("a")], [[1.0, 0.0]])
    os._exit(0)  # with the memory still open: SQLite's own files are looked at, too
"""
MADE = {
    *("r.html", "r.csv", "r.json", "run", "run/plan.toml", "run/environment.json", "run/.lock", "run/log.txt", "run/cells", "run/timing"),
    *("run/evidence", "run/media", "run/cache", "run/endpoint", "run/endpoint/spent.json", "run/endpoint/answers", "memory"),
    *("memory/entries.sqlite", "memory/entries.sqlite-wal", "memory/entries.sqlite-shm", "memory/vectors.f32"),
}


@pytest.mark.parametrize("umask", [0o077, 0o022])
def test_hostile_8_every_output_is_readable_by_whom_the_umask_lets(tmp_path: Path, umask: int) -> None:
    (tmp_path / "marks").mkdir()
    script, out = tmp_path / "everything.py", tmp_path / "out"
    script.write_text(EVERYTHING)
    out.mkdir(mode=0o755)
    order = [sys.executable, str(script), str(Path(__file__).parent), oct(umask), str(out)]
    done = subprocess.run(order, env={**os.environ, MARKS: str(tmp_path / "marks")}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {str(path.relative_to(out)): path for path in out.rglob("*")}
    assert set(found) >= MADE
    for folder in ("cells", "timing", "evidence", "media", "cache"):
        assert any(name.startswith(f"run/{folder}/") for name in found), folder
    for name, path in found.items():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o777 if path.is_dir() else 0o666) & ~umask, f"{name}: {mode:o}"


def test_hostile_5_a_file_is_on_the_disk_before_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"file of {os.fstat(descriptor).st_size}")
        fsync(descriptor)

    def renamed(*names: str, **folders: int) -> None:
        done.append("name")
        replace(*names, **folders)

    monkeypatch.setattr(files.os, "fsync", synced)
    monkeypatch.setattr(files.os, "replace", renamed)
    files.write(tmp_path / "a", b"12345")
    assert done == ["file of 5", "name", "folder"]


@pytest.mark.parametrize("folder", ["cells", "timing", "evidence", "media", "cache"])
def test_hostile_2_a_folder_that_becomes_a_link_while_a_scan_runs_is_not_written_through(tmp_path: Path, folder: str) -> None:
    store = Store(tmp_path / "run")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".part-12345678").write_text("kept")
    (outside / f"{'a' * 32}.lock").write_text("kept")
    store.root.mkdir()
    (store.root / folder).symlink_to(outside)
    for write in (
        lambda: store.write_cell({"key": "k"}),
        lambda: store.write_timing("k", {}),
        lambda: store.write_media(b"x", "png"),
        lambda: store.write_cache("0" * 32, b"x"),
        lambda: store.lock_cache("0" * 32),
    ):
        with pytest.raises(InputError, match="cannot write"):
            write()
    store.unlock()
    assert sorted(path.name for path in outside.iterdir()) == [".part-12345678", f"{'a' * 32}.lock"]


def test_hostile_2_answers_are_not_put_through_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".part-12345678").write_text("kept")
    os.utime(outside / ".part-12345678", (0, 0))
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "ab").symlink_to(outside)
    answers = Answers(tmp_path / "answers")
    with pytest.raises(InputError, match="cannot write"):
        answers.put("ab" * 32, {"a": 1})
    assert [path.name for path in outside.iterdir()] == [".part-12345678"]


@pytest.mark.parametrize("name", [".lock", "log.txt", "endpoint/spent.json"])
def test_hostile_2_what_is_written_in_place_has_no_other_name(tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("kept")
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.hardlink_to(outside)
    with pytest.raises(InputError, match="hard link"):
        refuse_foreign(tmp_path / "run")
    if name == "log.txt":
        with pytest.raises(InputError, match="hard link"):
            Store(tmp_path / "run").log("more")
    if name.startswith("endpoint"):
        with pytest.raises(InputError, match="hard link"):
            Budget(ledger=path)
    assert outside.read_text() == "kept"


def test_hostile_2_a_result_that_has_another_name_is_replaced_here_alone(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("kept")
    (tmp_path / "a").hardlink_to(tmp_path / "outside")
    files.write(tmp_path / "a", b"new")
    assert ((tmp_path / "outside").read_text(), (tmp_path / "a").read_text()) == ("kept", "new")


@pytest.mark.parametrize("name", ["entries.sqlite", "entries.sqlite-wal", "vectors.f32", "index.faiss", "anything"])
@pytest.mark.parametrize("kind", ["link", "fifo", "hard link"])
def test_hostile_2_a_memory_of_links_and_pipes_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    folder, outside = tmp_path / "memory", tmp_path / "outside"
    with Memory(folder, dimension=2) as store:
        store.add([Entry("a")], [[1.0, 0.0]])
    path = folder / name
    if path.exists():
        path.rename(outside)
    else:
        outside.write_bytes(b"kept")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(outside)
    else:
        path.hardlink_to(outside)
    before = outside.read_bytes()
    if kind == "hard link" and name in ("index.faiss", "anything"):
        with Memory(folder):
            pass  # none of them is written in place
    else:
        with pytest.raises(InputError, match=r"is a link or no regular file|hard link"):
            Memory(folder)
    assert outside.read_bytes() == before


def test_hostile_2_a_journal_cannot_have_another_file_deleted(tmp_path: Path) -> None:
    """SQLite deletes the file that a foreign journal names as that of several databases: it did so with this one."""
    folder, outside = tmp_path / "memory", tmp_path / "private.txt"
    with Memory(folder, dimension=2) as store:
        store.add([Entry("a")], [[1.0, 0.0]])
    outside.write_text("kept")
    magic, name = bytes.fromhex("d9d505f920a163d7"), str(outside).encode()
    pages = (folder / "entries.sqlite").stat().st_size // 4096
    head = magic + b"".join(number.to_bytes(4, "big") for number in (0, 0, pages, 512, 4096))
    numbers = [number.to_bytes(4, "big") for number in (2**30 // 4096 + 1, len(name), sum(name))]
    (folder / "entries.sqlite-journal").write_bytes(head.ljust(512, b"\0") + numbers[0] + name + numbers[1] + numbers[2] + magic)
    with pytest.raises(InputError, match="names another file"):
        Memory(folder)
    assert outside.read_text() == "kept"


def test_only_names_that_we_give_are_cleared(tmp_path: Path) -> None:
    for name in ("poetry.lock", "a.lock", f"{'a' * 32}.lock", f"{'A' * 32}.lock"):
        (tmp_path / name).write_text("")
    (tmp_path / f"{'b' * 32}.lock").mkdir()
    (tmp_path / f"{'c' * 32}.lock").symlink_to(tmp_path / "poetry.lock")
    files.clear(tmp_path, re.compile(r"[0-9a-f]{32}\.lock"), root=tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"poetry.lock", "a.lock", f"{'A' * 32}.lock", f"{'b' * 32}.lock", f"{'c' * 32}.lock"}


@pytest.mark.parametrize("content", [None, b""], ids=["deleted", "emptied"])
def test_a_ledger_that_is_gone_beside_answers_that_were_paid_for_starts_no_budget_anew(tmp_path: Path, content: bytes | None) -> None:
    ledger = tmp_path / "spent.json"
    counted_budget(tmp_path, Allowance())  # a folder of nothing counts from nothing
    Answers(tmp_path / "answers")
    counted_budget(tmp_path, Allowance())
    Answers(tmp_path / "answers").put("ab" * 32, {"a": 1})
    with Budget(ledger=ledger).charge(1, 1):
        pass
    assert counted_budget(tmp_path, Allowance(max_requests=5)).spent.requests == 1
    ledger.unlink()
    if content is not None:
        ledger.write_bytes(content)
    with pytest.raises(InputError, match=r"spent\.json: gone or empty, though answers that were paid for .* delete .* to begin anew"):
        counted_budget(tmp_path, Allowance(max_requests=5))
