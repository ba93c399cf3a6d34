import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_fakes import FakeCatalog

from hartley.attacks.case import EFFORTS, Effort
from hartley.errors import InputError
from hartley.runs.context import Context, code_fingerprint, versions
from hartley.runs.plan import BUDGETS, EFFORT_FIELDS, Cell, Plan

CONTEXT = Context("t", "d", {"trials": 10}, "code", {"hartley": "1", "numpy": "2", "torch": "3", "transformers": "4"}, "target", "data")
CELL = Cell("reference:encoder", "sga", "jpeg", 0, "quick")


def test_names_of_efforts_agree_with_the_efforts():
    assert tuple(EFFORTS) == BUDGETS
    assert tuple(item.name for item in dataclasses.fields(Effort))[1:] == EFFORT_FIELDS


def test_plan_goes_through_toml():
    plan = Plan(("a", "b"), "hf:x", "some folder", ("c",), (0, 7), "full", 12.5, {"steps": 3, "trials": 9})
    assert Plan.from_toml(plan.to_toml()) == plan


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_goes_through_toml(text):
    plan = Plan((text,), data=text)
    assert Plan.from_toml(plan.to_toml()) == plan


def test_defaults():
    assert Plan.from_toml('threats = ["sga"]') == Plan(("sga",))


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('threats = ["a"]\nthreads = 2', ["unknown key in the plan 'threads'", "nearest: threats"]),
        ('threats = ["a"]\n[effort]\nstep = 2', ["unknown key in the plan's effort 'step'", "steps"]),
        ('threats = ["a"]\n[effort]\nsteps = 0', ["effort.steps", "0"]),
        ('threats = ["a"]\n[effort]\nsteps = true', ["effort.steps", "True"]),
        ("seeds = [1]", ["threats is missing"]),
        ("threats = []", ["threats is empty"]),
        ('threats = "sga"', ["threats takes a list"]),
        ("threats = [1]", ["threats takes text, got 1"]),
        ('threats = ["a", "a"]', ["'a' twice"]),
        ('threats = ["a"]\nseeds = []', ["seeds is empty"]),
        ('threats = ["a"]\nseeds = [-1]', ["seeds", "-1"]),
        ('threats = ["a"]\nseeds = [1.0]', ["seeds", "1.0"]),
        ('threats = ["a"]\nseeds = [true]', ["seeds", "True"]),
        ('threats = ["a"]\nbudget = "quik"', ["unknown budget 'quik'", "nearest: quick"]),
        ('threats = ["a"]\ncell_limit_seconds = 0', ["cell_limit_seconds", "0"]),
        ('threats = ["a"]\ncell_limit_seconds = inf', ["cell_limit_seconds", "inf"]),
        ('threats = ["a"]\ndefenses = ["none"]', ["cannot name 'none'"]),
        ('threats = ["a"]\neffort = 3', ["effort takes a table"]),
        ("threats = [", ["not TOML"]),
    ],
)
def test_wrong_plan_is_one_clear_line(toml, words):
    with pytest.raises(InputError) as caught:
        Plan.from_toml(toml)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(("stead",)), ["unknown threat 'stead'", "steady"]),
        (Plan(("steady",), defenses=("shild",)), ["unknown defense 'shild'", "shield"]),
        (Plan(("not-built",)), ["threat 'not-built' is in the catalog but not implemented yet", "steady"]),
        (Plan(("steady",), defenses=("wall",)), ["defense 'wall' is in the catalog but not implemented yet", "shield"]),
    ],
)
def test_names_are_held_against_the_catalog(plan, words):
    with pytest.raises(InputError) as caught:
        plan.validate(FakeCatalog())
    for word in words:
        assert word in str(caught.value)


def test_unreadable_plan(tmp_path):
    with pytest.raises(InputError, match="no such plan"):
        Plan.read(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        Plan.read(tmp_path / "binary.toml")


def test_cells_are_each_threat_and_seed_without_and_with_each_defense():
    cells = Plan(("a", "b"), defenses=("c", "d"), seeds=(0, 1)).cells()
    assert len(cells) == len(set(cells)) == 2 * 2 * 3
    assert [(cell.threat, cell.seed, cell.defense) for cell in cells[:4]] == [
        ("a", 0, "none"),
        ("a", 0, "c"),
        ("a", 0, "d"),
        ("a", 1, "none"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"target": "other"},
        {"data": "other"},
        {"effort": {"trials": 11}},
        {"code": "other"},
        *({"versions": {**CONTEXT.versions, name: "other"}} for name in CONTEXT.versions),
    ],
)
def test_key_changes_with_each_part_of_the_context(change):
    assert CELL.key(CONTEXT) != CELL.key(dataclasses.replace(CONTEXT, **change))


@pytest.mark.parametrize("change", [{"threat": "x"}, {"defense": "none"}, {"seed": 1}])
def test_key_changes_with_each_part_of_the_cell(change):
    assert CELL.key(CONTEXT) != dataclasses.replace(CELL, **change).key(CONTEXT)


def test_key_does_not_hang_on_what_decides_nothing():
    assert CELL.key(CONTEXT) == CELL.key(dataclasses.replace(CONTEXT, target_name="renamed", data_name="moved"))


def test_stream_leaves_out_the_defense_and_nothing_else_that_draws():
    assert CELL.stream(CONTEXT) == dataclasses.replace(CELL, defense="none").stream(CONTEXT)
    for change in ({"threat": "x"}, {"seed": 1}):
        assert CELL.stream(CONTEXT) != dataclasses.replace(CELL, **change).stream(CONTEXT)
    for change in ({"target": "x"}, {"data": "x"}, {"effort": {"trials": 3}}):
        assert CELL.stream(CONTEXT) != CELL.stream(dataclasses.replace(CONTEXT, **change))


def test_cache_is_not_shared_across_code_or_versions():
    assert CELL.shelf(CONTEXT) == dataclasses.replace(CELL, defense="none").shelf(CONTEXT)
    assert CELL.shelf(CONTEXT) != CELL.shelf(dataclasses.replace(CONTEXT, code="other"))
    assert CELL.shelf(CONTEXT) != CELL.shelf(dataclasses.replace(CONTEXT, versions={"torch": "9"}))


def test_context_goes_through_the_environment():
    context = dataclasses.replace(CONTEXT, versions=versions())
    again = Context.from_environment(context.environment())
    assert again == context
    assert CELL.key(again) == CELL.key(context)


@pytest.mark.parametrize("change", [{"target": None}, {"effort": 3}, {"code": 3}, {"torch": None}])
def test_damaged_environment_is_refused(change):
    with pytest.raises(InputError, match=r"environment\.json"):
        Context.from_environment({**CONTEXT.environment(), **change})


def test_code_fingerprint_changes_with_the_code(tmp_path, monkeypatch):
    (tmp_path / "attacks").mkdir()
    source = tmp_path / "attacks" / "x.py"
    source.write_text("one")
    monkeypatch.setattr("hartley.runs.context.PACKAGE", tmp_path)
    code_fingerprint.cache_clear()
    first = code_fingerprint()
    code_fingerprint.cache_clear()
    source.write_text("two")
    second = code_fingerprint()
    code_fingerprint.cache_clear()
    assert first != second


def test_plans_and_readers_import_no_torch():
    modules = ", ".join(f"hartley.runs.{name}" for name in ("plan", "folder", "check", "export", "local", "terminal"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
