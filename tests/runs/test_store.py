import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from hartley import files
from hartley.errors import InputError
from hartley.evidence import Evidence
from hartley.runs import atomic
from hartley.runs.context import Context, versions
from hartley.runs.folder import Run, empty_result, fault_in
from hartley.runs.plan import Plan
from hartley.runs.store import Store, alone, canonical, inspect

PLAN = Plan(("sga", "crossfire"), defenses=("jpeg",))
CONTEXT = Context("t", "d", {"trials": 10}, {"": "code"}, versions(), "target", "data")


def evidence(channel="image"):
    zeros = np.zeros(2, dtype=int)
    return Evidence(channel, "jam", ("a",), (), ("a",), zeros, np.arange(2), zeros, zeros - 1, zeros, zeros)


def measured(cell, key, store):
    measure = {"arm": "clean", "bits": {"kind": "utility_bits", "value": 1.0, "low": 0.5, "high": None, "n": 2, "estimator": "x"}}
    measure["bits"] |= {"trusted": True, "why": "", "checks": {}}
    rate = {"name": "ASR", "arm": "clean", "value": 0.5, "low": 0.1, "high": 0.9, "n": 2, "estimator": "x", "headline": True}
    name, digest = store.write_evidence(key, evidence())
    channel = {"name": "image", "kind": "jam", "evidence": name, "digest": digest, "measures": [measure]}
    channel |= {"rates": [{**rate, "better": "attacker"}], "costs": [{"name": "queries", "arm": "clean", "mean": 1.0, "max": 2.0, "n": 2}]}
    return {**empty_result(cell, key, "measured", ""), "channels": [channel]}


@pytest.fixture
def store(tmp_path):
    return Store.prepare(tmp_path / "run", PLAN, CONTEXT)


@pytest.fixture
def filled(store):
    cell = PLAN.cells()[0]
    store.write_cell(measured(cell, cell.key(CONTEXT), store))
    return store


def test_canonical_json_does_not_hang_on_the_order_of_keys():
    assert canonical({"b": 0.1, "a": [1, None, "ä"]}) == canonical({"a": [1, None, "ä"], "b": 0.1})
    assert json.loads(canonical({"x": 0.1 + 0.2}))["x"] == 0.1 + 0.2
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"x": float("nan")})


def test_a_new_folder_lists_every_cell_as_not_run(store):
    records = Run.open(store.root).cells()
    assert [(record["cell"]["threat"], record["cell"]["defense"]) for record in records] == [
        ("sga", "none"),
        ("sga", "jpeg"),
        ("crossfire", "none"),
        ("crossfire", "jpeg"),
    ]
    assert {record["status"] for record in records} == {"not run"}
    assert len({record["key"] for record in records}) == 4


def test_a_result_is_read_back(filled):
    found = Run.open(filled.root)
    record = found.cells()[0]
    assert record["status"] == "measured"
    assert found.evidence(record, "image") == evidence()
    assert found.timing(record["key"]) is None
    filled.write_timing(record["key"], {"seconds": 1.0})
    assert found.timing(record["key"]) == {"seconds": 1.0}
    with pytest.raises(InputError, match="no channel 'audio'"):
        found.evidence(record, "audio")


def test_a_truncated_result_counts_as_missing_wherever_it_was_cut(filled):
    (path,) = (filled.root / "cells").iterdir()
    whole = path.read_bytes()
    for length in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:length])
        record = Run.open(filled.root).cells()[0]
        assert record["status"] == "damaged" and "damaged" in record["why"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 3),
        (("key",), "x"),
        (("cell", "seed"), 5),
        (("status",), "superb"),
        (("status",), "failed"),
        (("why",), None),
        (("channels",), []),
        (("channels",), None),
        (("channels", 0), 3),
        (("channels", 0, "kind"), "steal"),
        (("channels", 0, "evidence"), None),
        (("channels", 0, "measures", 0, "arm"), "left"),
        (("channels", 0, "measures", 0, "bits", "value"), "1"),
        (("channels", 0, "measures", 0, "bits", "kind"), "utility"),
        (("channels", 0, "rates", 0, "high"), "1"),
        (("channels", 0, "rates", 0, "headline"), 1),
        (("channels", 0, "costs", 0, "mean"), None),
        (("flags",), [3]),
        (("curves",), [{"channel": "a", "arm": "b", "name": "c", "values": ["x"]}]),
        (("exhibits",), [{}]),
    ],
)
def test_a_result_of_another_form_counts_as_missing(filled, path, value):
    cell = PLAN.cells()[0]
    key = cell.key(CONTEXT)
    record = json.loads((filled.root / "cells" / f"{key}.json").read_text())
    assert fault_in(record, key, cell) is None
    record["schema"] = 1  # without a seal, so that the form alone is looked at
    del record["seal"]
    assert fault_in(record, key, cell) is None
    part = record
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    assert fault_in(record, key, cell)


@pytest.mark.parametrize("name", ["../outside.npz", "/etc/passwd", "evidence/link.npz", "evidence/none.npz", "evidence", "\0"])
def test_files_outside_the_run_are_never_followed(filled, name):
    (filled.root.parent / "outside.npz").write_bytes(b"secret")
    (filled.root / "evidence" / "link.npz").symlink_to(filled.root.parent / "outside.npz")
    with pytest.raises(InputError, match="not in this run folder"):
        Run.open(filled.root).file(name)


def test_a_timing_key_cannot_leave_the_folder(filled):
    (filled.root / "outside.json").write_text("{}")
    assert Run.open(filled.root).timing("../outside") is None


def test_damaged_evidence_is_one_line(filled):
    found = Run.open(filled.root)
    record = found.cells()[0]
    (path,) = (filled.root / "evidence").iterdir()
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match="is damaged"):
        found.evidence(record, "image")
    assert Run.open(filled.root).cells()[0]["status"] == "damaged"


@pytest.mark.parametrize("channel", ["", "..", "/", "x" * 65])
def test_a_channel_that_cannot_stand_in_a_file_name_is_refused(store, channel):
    with pytest.raises(ValueError, match="channel"):
        store.write_evidence("k", evidence(channel))


@pytest.mark.parametrize(
    ("channel", "name"), [("image to text", "image-to-text"), ("../x", "x"), ("a/b", "a-b"), ("A_1", "a_1"), ("\0é1", "1")]
)
def test_a_channel_in_a_file_name_is_plain(store, channel, name):
    assert store.write_evidence("k", evidence(channel))[0] == f"evidence/k.{name}.npz"
    assert (store.root / f"evidence/k.{name}.npz").is_file()


def test_media_is_stored_once_by_content(store):
    first, second, other = (store.write_media(content, "png") for content in (b"one", b"one", b"two"))
    assert first == second != other
    assert (store.root / first).read_bytes() == b"one"
    (store.root / first).write_bytes(b"broken")
    assert store.write_media(b"one", "png") == first
    assert (store.root / first).read_bytes() == b"one", "a damaged file is mended"


def test_same_plan_is_taken_up_and_leftovers_are_cleared(store):
    for folder in (store.root, store.root / "cells"):
        (folder / f"{atomic.TEMPORARY}abcd_123").write_bytes(b"half")
    (store.root / "cache" / f"{'0a' * 16}.lock").write_bytes(b"")
    Store.prepare(store.root, Plan(PLAN.threats, defenses=PLAN.defenses, cell_limit_seconds=3), CONTEXT)
    assert not list(store.root.rglob(f"{atomic.TEMPORARY}*")) and not list(store.root.rglob("*.lock"))
    assert Run.open(store.root).plan.cell_limit_seconds == 3


def test_another_plan_is_refused_by_what_differs(store):
    with pytest.raises(InputError, match=r"holds another plan \(differs in: threats, seeds\)"):
        Store.prepare(store.root, Plan(("sga",), defenses=PLAN.defenses, seeds=(1,)), CONTEXT)
    assert Plan.read(store.root / "plan.toml") == PLAN


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty and not a run"):
        inspect(tmp_path, PLAN)
    with pytest.raises(InputError, match="not a run folder"):
        Run.open(tmp_path)
    with pytest.raises(InputError, match="no such run folder"):
        Run.open(tmp_path / "absent")
    with pytest.raises(InputError, match="there is a file of that name"):
        inspect(tmp_path / "thesis.txt", PLAN)


def test_a_folder_that_was_only_begun_is_taken(tmp_path):
    (tmp_path / ".lock").write_bytes(b"")
    (tmp_path / f"{files.TEMPORARY}abcd1234").write_bytes(b"half a plan")
    Store.prepare(tmp_path, PLAN, CONTEXT)
    assert Run.open(tmp_path).plan == PLAN


def test_a_run_without_environment_has_no_results_yet(store):
    (store.root / "environment.json").unlink()
    assert {record["status"] for record in Run.open(store.root).cells()} == {"not run"}
    (store.root / "environment.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        Run.open(store.root)


def test_a_damaged_plan_is_one_line(store):
    (store.root / "plan.toml").write_text("threats = [")
    for look in (lambda: Run.open(store.root), lambda: inspect(store.root, PLAN)):
        with pytest.raises(InputError, match="not TOML"):
            look()


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for attempt in (lambda out: inspect(out, PLAN), lambda out: Store.prepare(out, PLAN, CONTEXT), atomic.make_folder):
        with pytest.raises(InputError, match="cannot write"):
            attempt(tmp_path / "file" / "run")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="no permission"):
        inspect(tmp_path / "run", PLAN)


def test_no_permission_as_the_system_would_say_it(tmp_path, monkeypatch):
    monkeypatch.setattr("hartley.runs.store.os.access", lambda *_: False)
    for out in (tmp_path, tmp_path / "run"):
        with pytest.raises(InputError, match=r"cannot write .*: no permission to write there"):
            inspect(out, PLAN)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_and_costs_nothing(filled, monkeypatch):
    path = filled.root / "cells" / f"{PLAN.cells()[0].key(CONTEXT)}.json"
    before = path.read_bytes()
    monkeypatch.setattr(files, "_begun", lambda *_: os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(InputError, match="no space left on the device; what was finished before is kept"):
        filled.write_cell(json.loads(before))
    assert path.read_bytes() == before


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "no space left"), (errno.EROFS, "read-only"), (errno.EIO, "cannot write")])
def test_a_write_that_fails_at_any_step_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step, number, words):
    path = tmp_path / "x.json"
    atomic.write(path, b"old")

    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(InputError, match=words) as caught:
        atomic.write(path, b"new")
    assert "\n" not in str(caught.value)
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [("x.json", b"old")]


def test_an_interrupt_while_writing_leaves_nothing_half(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write(tmp_path / "x", b"new")
    assert not list(tmp_path.iterdir())


def test_only_one_scan_holds_a_folder(tmp_path):
    with alone(tmp_path), pytest.raises(InputError, match="another scan"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_a_full_log_does_not_matter(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    store.log("one")
    monkeypatch.setattr("hartley.runs.store.os.write", full)
    store.log("two")
    assert (store.root / "log.txt").read_text() == "one\n"
