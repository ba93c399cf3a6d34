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
from hartley.runs.folder import Run
from hartley.runs.local import Limits, run
from hartley.runs.plan import Plan

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


def drive(out, workers, threats, *death, **kwargs):
    return subprocess.run(
        [sys.executable, str(DRIVER), str(out), str(workers), threats, *death],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    )


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
    environment.write_text(json.dumps({**record, "torch": "0.0"}))
    assert Run.open(tmp_path / "run").cells()[0]["status"] == "not run"
    assert run(asked, tmp_path / "run", parts=FAKES).cells()[0] == first


@pytest.mark.parametrize(("threat", "mark"), [("raises-once", "raised"), ("dies-once", "died"), ("hangs-once", "hung")])
def test_one_mishap_is_made_good(tmp_path, marks, threat, mark):
    events = []
    asked = plan(threat, "steady", defenses=(), limit=4.0)
    found = run(asked, tmp_path / "run", parts=FAKES, progress=events.append)
    assert (marks / mark).exists()
    assert [record["status"] for record in found.cells()] == ["measured", "measured"]
    assert [event.kind for event in events].count("retried") == 1
    calm = run(asked, tmp_path / "calm", parts=FAKES)
    assert results(found.root) == results(calm.root)
    assert found.timing(found.cells()[0]["key"])["attempts"] == 2


@pytest.mark.parametrize(
    ("threat", "status", "words"),
    [
        ("raises", "failed", "RuntimeError: the recipe broke; 2 attempts"),
        ("dies", "failed", "its worker died (killed by signal 9); 2 attempts"),
        ("hangs", "timed-out", "stopped after the limit of 2 s; 2 attempts"),
        ("nothing", "failed", "gave the channels []"),
    ],
)
def test_lasting_mishap_is_recorded_and_the_others_go_on(tmp_path, threat, status, words):
    asked = plan(threat, "steady", defenses=(), limit=2.0)
    found = run(asked, tmp_path / "run", parts=FAKES)
    bad, good = found.cells()
    assert (bad["status"], good["status"]) == (status, "measured")
    assert words in bad["why"] and "\n" not in bad["why"] and "Traceback" not in bad["why"]
    assert bad["channels"] == []
    if threat == "raises":
        assert "Traceback" in (found.root / "log.txt").read_text()
    events = []
    run(asked, tmp_path / "run", parts=FAKES, progress=events.append)
    assert {event.cell.threat for event in events if event.kind == "started"} == {threat}, "only what failed is tried again"


def test_missing_capability_is_refused_by_name(tmp_path):
    (record,) = run(plan("white-box", defenses=()), tmp_path / "run", parts=FAKES).cells()
    assert record["status"] == "refused"
    assert record["why"] == "white-box needs grad of its target; fake offers score"


def test_refusal_says_why(tmp_path):
    (record,) = run(plan("refuses", defenses=()), tmp_path / "run", parts=FAKES).cells()
    assert (record["status"], record["why"]) == ("refused", "there is nothing to attack here")


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
    with pytest.raises(InputError, match="loading took longer than 0[.]01 s"):
        run(plan("steady"), tmp_path / "run", parts=FAKES, limits=Limits(load_seconds=0.01))


def test_wrong_data_inside_a_cell_ends_the_scan_with_its_line(tmp_path):
    with pytest.raises(InputError, match=r"picture 'x.png' is truncated"):
        run(plan("steady", "wrong-data", defenses=()), tmp_path / "run", parts=FAKES)
    assert Run.open(tmp_path / "run").cells()[0]["status"] == "measured", "what was finished is kept"


def test_no_workers_is_refused(tmp_path):
    with pytest.raises(InputError, match="workers"):
        run(plan("steady"), tmp_path / "run", workers=0, parts=FAKES)


DEATHS = ["loading:0", "begun:0", "started:0", "step:0", "finished:1", "started:2", "finished:3"]


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_of_the_scan_at_any_point_and_the_same_command(tmp_path, tmp_path_factory, death, workers):
    # one of the two counts is enough at most points: the points are about the parent
    if workers == 2 and death not in ("step:0", "finished:1"):
        pytest.skip("covered with one worker")
    out = tmp_path / "run"
    killed = drive(out, workers, "steady,slow", death)
    assert killed.returncode == -signal.SIGKILL
    finished = len([line for line in killed.stdout.splitlines() if line.startswith("finished")])
    again = drive(out, workers, "steady,slow")
    assert again.returncode == 0, again.stderr
    begun = next(line for line in again.stdout.splitlines() if line.startswith("begun"))
    assert int(begun.split()[1]) >= finished
    assert again.stdout.count("\nfinished") == 4 - int(begun.split()[1]), "finished cells are not repeated"
    assert drive(tmp_path / "calm", 1, "steady,slow").returncode == 0
    assert results(out) == results(tmp_path / "calm")
    assert not list(out.rglob(".part-*"))


@pytest.mark.parametrize("place", ["evidence/", "media/", "cache/", "cells/"])
def test_kill_of_a_worker_while_it_writes(tmp_path, monkeypatch, marks, place):
    calm = run(plan("steady"), tmp_path / "calm", parts=FAKES)
    monkeypatch.setenv(DIE_AT, place)
    found = run(plan("steady"), tmp_path / "run", parts=FAKES)
    assert (marks / f"died-at-{place.replace('/', '-')}").exists()
    assert results(found.root) == {**results(calm.root), **{name: b for name, b in results(found.root).items() if ".part-" in name}}
    run(plan("steady"), tmp_path / "run", parts=FAKES)
    assert results(found.root) == results(calm.root), "the next call clears away what was left unfinished"


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
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody is left behind


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
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker outlived its scan by ten seconds")


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
