import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_fakes import DIE_AT, FAKES, MARKS

from hartley.errors import InputError
from hartley.runs.allowance import Allowance
from hartley.runs.folder import Run
from hartley.runs.local import Limits, run
from hartley.runs.plan import Plan
from hartley.scan_command import _spent

HERE = Path(__file__).parent
DRIVER = HERE / "run_driver.py"


@pytest.fixture(autouse=True)
def marks(tmp_path, monkeypatch):
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv(MARKS, str(folder))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    return folder


def plan(*threats, defenses=("shield",), limit=60.0, **kwargs):
    kwargs.setdefault("target", "fake:encoder")
    return Plan(threats, data="fake", defenses=defenses, cell_limit_seconds=limit, effort={"trials": 40}, **kwargs)


def results(root):
    """Every file that holds a result, by name. Timing, log and lock are not results."""
    folders = ("cells", "evidence", "media", "cache")
    files = [path for folder in folders for path in (root / folder).iterdir() if path.suffix != ".lock"]
    return {str(path.relative_to(root)): path.read_bytes() for path in files} | {"plan": (root / "plan.toml").read_bytes()}


def statuses(found):
    return [(record["cell"]["threat"], record["cell"]["defense"], record["status"]) for record in found.cells()]


def nobody_is_left(group):
    """Waits until no process of the group is there; some take a moment to be gone after their parent."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a process outlived its scan by ten seconds")


def drive(out, workers, threats, *death, **kwargs):
    return subprocess.run(
        [sys.executable, str(DRIVER), str(out), str(workers), threats, *death],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    )


def foretold(_plan, cells, _root):
    return (f"estimate: about {len(cells)} requests",)


def test_what_was_estimated_and_spent_stands_in_the_run(tmp_path):
    out = run(plan("steady", defenses=()), tmp_path / "run", parts=dataclasses.replace(FAKES, forecast=foretold)).root
    (out / "endpoint").mkdir()
    (out / "endpoint" / "spent.json").write_text('{"requests": 3, "read": 40, "written": 5}')
    said = _spent(out, Allowance())
    assert said.startswith("spent: 3 requests, 40 tokens read, 5 written")
    assert [line for line in (out / "log.txt").read_text().splitlines() if line.startswith(("estimate", "spent"))] == [
        "estimate: about 1 requests",
        said,
    ]


def test_one_and_two_workers_give_the_same_bytes(tmp_path, marks):
    events = []
    asked = plan("steady", "slow", "refuses", defenses=("shield", "helmet"))
    one = run(asked, tmp_path / "one", workers=1, parts=FAKES)
    computed = (marks / "computed.txt").read_text().split()
    assert len(computed) == len(set(computed)) == 2, "a shared entry was computed more than once"
    two = run(asked, tmp_path / "two", workers=2, parts=FAKES, progress=events.append)
    computed = (marks / "computed.txt").read_text().split()
    assert len(computed) == 4
    assert results(one.root) == results(two.root)
    assert len(results(one.root)) > 12
    assert statuses(one)[:3] == [("steady", guard, "measured") for guard in ("none", "shield", "helmet")]
    assert {event.worker for event in events if event.kind == "finished"} == {0, 1}
    started = [event.cell.defense == "none" for event in events if event.kind == "started"]
    assert started == sorted(started, reverse=True), "undefended cells come first"


def test_result_has_every_part(tmp_path):
    found = run(plan("steady", defenses=()), tmp_path / "run", parts=FAKES)
    (record,) = found.cells()
    (channel,) = record["channels"]
    assert channel["rates"][0]["n"] == 40
    assert channel["measures"][0]["bits"]["kind"] == "utility_bits"
    assert [(cost["name"], cost["arm"], cost["n"]) for cost in channel["costs"]] == [("queries", "clean", 40), ("queries", "attacked", 40)]
    assert channel["costs"][0]["mean"] == pytest.approx(sum(range(40)) / 40 / 3)
    assert len(found.evidence(record, "image")) == 80
    assert record["curves"][0]["values"] == [1.0, None, 0.1]
    assert record["flags"][0]["name"] == "zero gradients"
    (shown,) = record["exhibits"]
    for name in (
        *(shown["image"][part] for part in ("clean", "attacked", "difference")),
        shown["audio"]["clean"],
        shown["audio"]["attacked"],
    ):
        assert found.file(name).stat().st_size > 0
    assert shown["text"] == {"clean": "a word", "attacked": "a wörd"}
    timing = found.timing(record["key"])
    assert timing["attempts"] == 1 and timing["seconds"] > 0
    assert found.environment["effort"]["trials"] == 40
    assert "loaded with a word" in (found.root / "log.txt").read_text()


def test_second_call_repeats_nothing(tmp_path):
    asked = plan("steady", "refuses")
    first = run(asked, tmp_path / "run", parts=FAKES)
    before = {path: path.stat().st_mtime_ns for path in first.root.rglob("*") if path.is_file()}
    events = []
    again = run(asked, tmp_path / "run", parts=FAKES, progress=events.append)
    assert [event.kind for event in events] == ["loading", "begun"]
    assert events[-1].done == events[-1].cells == 4
    assert {path: path.stat().st_mtime_ns for path in again.root.rglob("*") if path.is_file()} == before


def test_another_limit_is_the_same_plan(tmp_path):
    run(plan("refuses"), tmp_path / "run", parts=FAKES)
    again = run(plan("refuses", limit=7.0), tmp_path / "run", parts=FAKES)
    assert again.plan.cell_limit_seconds == 7.0


def test_new_context_measures_again(tmp_path):
    asked = plan("steady", defenses=())
    first = run(asked, tmp_path / "run", parts=FAKES).cells()[0]
    environment = tmp_path / "run" / "environment.json"
    record = json.loads(environment.read_text())
    del record["seal"], record["plan"]  # as it was before there were any
    environment.write_text(json.dumps({**record, "torch": "0.0"}))
    assert Run.open(tmp_path / "run").cells()[0]["status"] == "not run"
    assert run(asked, tmp_path / "run", parts=FAKES).cells()[0] == first


def test_one_mishap_is_made_good(tmp_path, marks):
    events = []
    threats = ("raises-once", "dies-once", "hangs-once", "steady")
    found = run(plan(*threats, defenses=(), limit=4.0), tmp_path / "run", workers=2, parts=FAKES, progress=events.append)
    assert {path.name for path in marks.iterdir()} >= {"raised", "died", "hung"}
    assert [record["status"] for record in found.cells()] == ["measured"] * 4
    retried = {event.cell.threat: event.why for event in events if event.kind == "retried"}
    assert retried == {
        "raises-once": "RuntimeError: only once",
        "dies-once": "its worker died (killed by signal 9)",
        "hangs-once": "stopped after the limit of 4 s",
    }
    assert [found.timing(record["key"])["attempts"] for record in found.cells()] == [2, 2, 2, 1]
    calm = run(plan(*threats, defenses=(), limit=4.0), tmp_path / "calm", parts=FAKES)
    assert results(found.root) == results(calm.root)


def test_lasting_mishaps_are_recorded_and_the_others_go_on(tmp_path):
    threats = ("raises", "dies", "hangs", "nothing", "white-box", "refuses", "steady")
    asked = plan(*threats, defenses=(), limit=2.0)
    found = run(asked, tmp_path / "run", workers=2, parts=FAKES)
    said = {record["cell"]["threat"]: (record["status"], record["why"]) for record in found.cells()}
    assert said == {
        "raises": ("failed", "RuntimeError: the recipe broke; 2 attempts"),
        "dies": ("failed", "its worker died (killed by signal 9); 2 attempts"),
        "hangs": ("timed-out", "stopped after the limit of 2 s; 2 attempts"),
        "nothing": ("failed", "ValueError: nothing gave the channels []; it must give at least one, and each once; 2 attempts"),
        "white-box": ("refused", "white-box needs grad of its target; fake offers score"),
        "refuses": ("refused", "there is nothing to attack here"),
        "steady": ("measured", ""),
    }
    assert all(record["channels"] == [] for record in found.cells()[:-1])
    assert "Traceback" in (found.root / "log.txt").read_text()
    events = []
    run(asked, tmp_path / "run", workers=2, parts=FAKES, progress=events.append, limits=Limits(retries=0))
    tried = [event.cell.threat for event in events if event.kind == "started"]
    assert sorted(tried) == ["dies", "hangs", "nothing", "raises"], "only what failed is tried again"


def test_waiting_for_a_shared_entry_is_not_counted_against_the_limit(tmp_path):
    # Both cells want the same entry, which takes 2.5 s; the limit of 4 s would hit one that also had to wait and work.
    events = []
    found = run(plan("waits", defenses=("shield",), limit=4.0), tmp_path / "run", workers=2, parts=FAKES, progress=events.append)
    assert [record["status"] for record in found.cells()] == ["measured", "measured"]
    assert not [event for event in events if event.kind == "retried"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("fake:absent", "no such folder"),
        ("fake:bad", "only pickled weights"),
        ("fake:bug", "cannot be loaded: ZeroDivisionError: a bug"),
        ("fake:dies", "died while loading"),
    ],
)
def test_unusable_target_touches_no_folder(tmp_path, target, words):
    with pytest.raises(InputError, match=words):
        run(plan("steady", target=target), tmp_path / "run", parts=FAKES)
    assert not (tmp_path / "run").exists()


def test_slow_loading_is_given_up(tmp_path):
    with pytest.raises(InputError, match=r"loading took longer than 0[.]01 s"):
        run(plan("steady"), tmp_path / "run", parts=FAKES, limits=Limits(load_seconds=0.01))


def test_wrong_data_inside_a_cell_ends_the_scan_with_its_line(tmp_path):
    with pytest.raises(InputError, match=r"picture 'x.png' is truncated"):
        run(plan("steady", "wrong-data", defenses=()), tmp_path / "run", parts=FAKES)
    assert Run.open(tmp_path / "run").cells()[0]["status"] == "measured", "what was finished is kept"


def test_no_workers_is_refused(tmp_path):
    with pytest.raises(InputError, match="workers"):
        run(plan("steady"), tmp_path / "run", workers=0, parts=FAKES)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """What an uninterrupted scan of the driver's plan gives."""
    folder = tmp_path_factory.mktemp("calm")
    done = drive(folder / "run", 1, "steady,slow", env={**os.environ, MARKS: str(folder), "PYTHONPATH": str(HERE)})
    assert done.returncode == 0, done.stderr
    return results(folder / "run")


DEATHS = [("step:0", 2), ("finished:2", 1)]
MORE_DEATHS = [
    ("begun:0", 1),
    ("finished:3", 2),
    ("loading:0", 1),
    ("started:0", 1),
    ("started:1", 1),
    ("step:1", 1),
    ("finished:1", 2),
    ("finished:4", 1),
]


@pytest.mark.parametrize(("death", "workers"), [*DEATHS, *(pytest.param(*death, marks=pytest.mark.slow) for death in MORE_DEATHS)])
def test_kill_of_the_scan_at_any_point_and_the_same_command(tmp_path, calm, death, workers):
    out = tmp_path / "run"
    killed = drive(out, workers, "steady,slow", death)
    assert killed.returncode == -signal.SIGKILL
    finished = killed.stdout.count("\nfinished")
    again = drive(out, workers, "steady,slow")
    assert again.returncode == 0, again.stderr
    held = int(next(line for line in again.stdout.splitlines() if line.startswith("begun")).split()[1])
    assert held >= finished
    assert again.stdout.count("\nfinished") == 4 - held, "finished cells are not repeated"
    assert results(out) == calm
    assert not list(out.rglob(".part-*"))


def test_kill_of_a_worker_while_it_writes(tmp_path, monkeypatch, marks):
    undisturbed = run(plan("steady", defenses=()), tmp_path / "calm", parts=FAKES)
    places = ("cache/", "evidence/", "media/", "cells/")
    monkeypatch.setenv(DIE_AT, ",".join(places))
    found = run(plan("steady", defenses=()), tmp_path / "run", parts=FAKES, limits=Limits(retries=4))
    assert found.timing(found.cells()[0]["key"])["attempts"] == 5, "it died once at each place"
    left = {path.relative_to(found.root).as_posix() for path in found.root.rglob(".part-*")}
    assert len(left) == 4
    run(plan("steady", defenses=()), tmp_path / "run", parts=FAKES)
    assert results(found.root) == results(undisturbed.root), "the next call clears away what was left unfinished"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_quickly_and_resumes(tmp_path, sign):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), str(out), "2", "steady,slow,hangs"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if line.startswith("finished 1"):
            break
    begin = time.monotonic()
    os.killpg(process.pid, sign)  # as a terminal does: to parent and workers alike
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert time.monotonic() - begin < 5
    assert "Traceback" not in errors
    assert [record["status"] for record in Run.open(out).cells()].count("measured") >= 1
    nobody_is_left(process.pid)


def test_interrupt_while_loading_leaves_nobody_behind(tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), str(tmp_path / "run"), "2", "steady"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline().startswith("loading")
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert not (tmp_path / "run").exists()


def test_workers_end_when_the_scan_is_killed(tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), str(tmp_path / "run"), "2", "hangs", "started:0"], stdout=subprocess.DEVNULL, start_new_session=True
    )
    assert process.wait(timeout=60) == -signal.SIGKILL
    nobody_is_left(process.pid)


def test_second_scan_on_the_same_folder_is_refused(tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(DRIVER), str(tmp_path / "run"), "1", "hangs"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        for line in process.stdout:
            if line.startswith("started"):
                break
        with pytest.raises(InputError, match="another scan is writing"):
            run(plan("hangs"), tmp_path / "run", parts=FAKES)
    finally:
        process.terminate()
        process.communicate(timeout=20)
