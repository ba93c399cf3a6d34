import dataclasses
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_fakes import FakeCatalog

from hartley import catalog
from hartley.effort import EFFORTS, Effort
from hartley.errors import InputError
from hartley.runs import levels
from hartley.runs.allowance import Allowance
from hartley.runs.check import read_policy
from hartley.runs.context import Context, versions
from hartley.runs.plan import BUDGETS, EFFORT_FIELDS, Cell, Plan

CONTEXT = Context(
    "t", "d", {"trials": 10}, {"": "code"}, {"hartley": "1", "numpy": "2", "torch": "3", "transformers": "4"}, "target", "data"
)
CELL = Cell("reference:encoder", "sga", "jpeg", 0, "quick")


def test_names_of_efforts_agree_with_the_efforts():
    assert tuple(EFFORTS) == BUDGETS
    assert tuple(item.name for item in dataclasses.fields(Effort))[1:-1] == EFFORT_FIELDS


def test_plan_goes_through_toml():
    allowance = Allowance(max_requests=5, max_money=0.5, read_price=1.0, written_price=2.5, currency="EUR", server_sampling=True)
    plan = Plan(("a", "b"), "hf:x", "some folder", ("c",), (0, 7), "full", 12.5, {"steps": 3, "trials": 9}, allowance)
    assert Plan.from_toml(plan.to_toml()) == plan


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_goes_through_toml(text):
    plan = Plan((text,), data=text, defenses=("d",), only={text: ("d",)})
    assert Plan.from_toml(plan.to_toml()) == plan


def test_defaults():
    assert Plan.from_toml('threats = ["sga"]') == Plan(("sga",))


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('threats = ["a"]\nthreads = 2', ["unknown key in the plan 'threads'", "nearest: threats"]),
        ('threats = ["a"]\n[effort]\nstep = 2', ["unknown key in the plan's effort 'step'", "steps"]),
        ('threats = ["a"]\n[endpoint]\nmax_request = 2', ["unknown key in the plan's endpoint 'max_request'", "max_requests"]),
        ('threats = ["a"]\n[endpoint]\nmax_requests = -2', ["-2 requests"]),
        ('threats = ["a"]\n[endpoint]\nmax_requests = 2.5', ["endpoint.max_requests takes a whole number", "2.5"]),
        ('threats = ["a"]\n[endpoint]\nmax_requests = true', ["endpoint.max_requests", "True"]),
        ('threats = ["a"]\n[endpoint]\nserver_sampling = 1', ["endpoint.server_sampling takes true or false", "1"]),
        ('threats = ["a"]\n[endpoint]\nmax_money = 3.0', ["needs prices"]),
        ('threats = ["a"]\n[endpoint]\nread_price = 3.0', ["go together"]),
        ('threats = ["a"]\n[endpoint]\nread_price = -3.0\nwritten_price = 1', ["-3.0", "0 or more"]),
        ('threats = ["a"]\n[endpoint]\nmax_money = inf\nread_price = 1\nwritten_price = 1', ["max_money", "inf"]),
        ('threats = ["a"]\n[endpoint]\ncurrency = "$%"', ["currency"]),
        ('threats = ["a"]\n[endpoint]\ntimeout_seconds = 0', ["0"]),
        ('threats = ["a"]\n[endpoint]\nconcurrency = 1000', ["concurrency", "1000"]),
        ('endpoint = 3\nthreats = ["a"]', ["endpoint takes a table"]),
        ('threats = ["a"]\n[effort]\nsteps = 0', ["effort.steps", "0"]),
        ('threats = ["a"]\n[effort]\nsteps = true', ["effort.steps", "True"]),
        ('threats = ["a"]\n[effort]\ntrials = 1', ["effort.trials takes a whole number from 2 to 1,000,000, got 1"]),
        ('threats = ["a"]\n[effort]\ntrials = 1000000001', ["effort.trials", "1000000001"]),
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
        ('threats = ["a"]\nonly = 3', ["only takes a table"]),
        ('threats = ["a"]\nonly = {b = []}', ["only names threat 'b'", "it measures a"]),
        ('threats = ["a"]\nonly = {a = "c"}', ["only.a takes a list"]),
        ('threats = ["a"]\nonly = {a = ["c"]}', ["names defense 'c'", "none of the plan's"]),
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
    (tmp_path / "binary.toml").write_bytes(b"\xff\x00\xff")
    with pytest.raises(InputError, match="is not UTF-8 text"):
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


def test_a_defense_meets_only_threats_of_its_level():
    assert {levels.of_threat(row.id) for row in catalog.threats()} == set(levels.LEVELS)
    plan = Plan(("sga", "p2sql", "not in the catalog"), defenses=("jpeg", "flow-control"))
    assert [(cell.threat, cell.defense) for cell in plan.cells()] == [
        *(("sga", guard) for guard in ("none", "jpeg")),
        *(("p2sql", guard) for guard in ("none", "flow-control")),
        *(("not in the catalog", guard) for guard in ("none", "jpeg", "flow-control")),
    ]
    with pytest.raises(InputError, match="defense 'jpeg' guards a model, and none of the plan's threats attacks one"):
        Plan(("p2sql",), defenses=("jpeg",)).validate(catalog)
    with pytest.raises(InputError, match="'flow-control' guards a system around one, and none"):
        Plan(("sga",), defenses=("flow-control",)).validate(catalog)


@pytest.mark.parametrize(
    ("threat", "defense", "why"),
    [
        ("sga", "alignment-filter", "filters training pairs"),
        ("ko-vlm-mia", "alignment-filter", "trains nothing"),
        ("agent-smith", "flow-control", "changes image alone"),
        ("p2sql", "retrieval-isolation", "attacks no memory"),
        ("poisonedrag", "tool-allow-list", "an agent's calls"),
    ],
)
def test_reading_9_a_pair_that_a_declared_property_rules_out_is_no_cell_and_is_named(threat, defense, why):
    other = {"model": ("badclip", "jpeg"), "system": ("indirect-prompt-injection", "spotlighting")}[levels.of_defense(defense)]
    plan = Plan((threat, "poisonedrag" if defense == "retrieval-isolation" else other[0]), defenses=(defense, other[1]))
    assert (threat, defense) not in {(cell.threat, cell.defense) for cell in plan.cells()}
    assert any(line.startswith(f"{defense} beside {threat}: ") and why in line for line in plan.left_out())
    alone = Plan((threat,), defenses=(defense,))
    alone.validate(catalog)
    assert len(alone.cells()) == 1 and len(alone.left_out()) == 1


def test_a_pair_that_only_a_recipe_can_judge_stays_a_cell():
    fitting = {"badclip": "alignment-filter", "co-attack": "jpeg", "prompt-infection": "flow-control", "poisonedrag": "quarantine"}
    for threat, defense in fitting.items():
        plan = Plan((threat,), defenses=(defense,))
        assert len(plan.cells()) == 2 and plan.left_out() == ()


def test_a_threat_may_meet_some_of_the_defenses_only():
    plan = Plan(("a", "b", "c"), defenses=("d", "e"), only={"b": ("e",), "a": ()})
    met = {threat: [cell.defense for cell in plan.cells() if cell.threat == threat] for threat in "abc"}
    assert met == {"a": ["none"], "b": ["none", "e"], "c": ["none", "d", "e"]}
    assert Plan.from_toml(plan.to_toml()) == plan and plan.differs(Plan(("a", "b", "c"), defenses=("d", "e"))) == ("only",)


def test_what_a_server_may_cost_decides_no_result():
    plan, other = Plan(("a",)), Plan(("a",), endpoint=Allowance(max_requests=3))
    assert plan.differs(other) == ()


def test_each_level_has_its_own_key():
    """Another agent measures no model again, and another model no agent."""
    both = dataclasses.replace(CONTEXT, system="s")
    system = dataclasses.replace(CELL, threat="p2sql", defense="flow-control")
    unknown = dataclasses.replace(CELL, threat="unknown")
    agent, model = dataclasses.replace(both, system="x"), dataclasses.replace(both, target="x")
    for what in (Cell.key, Cell.stream, Cell.cache_namespace):
        assert what(CELL, both) == what(CELL, CONTEXT) == what(CELL, agent) != what(CELL, model)
        assert what(system, both) == what(system, model) != what(system, agent)
        assert len({what(unknown, context) for context in (both, agent, model)}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"target": "other"},
        {"data": "other"},
        {"effort": {"trials": 11}},
        {"code": {"": "other"}},
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
    assert CELL.cache_namespace(CONTEXT) == dataclasses.replace(CELL, defense="none").cache_namespace(CONTEXT)
    assert CELL.cache_namespace(CONTEXT) != CELL.cache_namespace(dataclasses.replace(CONTEXT, code={"": "other"}))
    assert CELL.cache_namespace(CONTEXT) != CELL.cache_namespace(dataclasses.replace(CONTEXT, versions={"torch": "9"}))


def test_context_goes_through_the_environment():
    context = dataclasses.replace(CONTEXT, versions=versions(), system="s")
    again = Context.from_environment(context.environment())
    assert again == context
    assert CELL.key(again) == CELL.key(context)


@pytest.mark.parametrize("change", [{"target": None}, {"effort": 3}, {"code": 3}, {"torch": None}, {"system": {}}, {"system": 3}])
def test_damaged_environment_is_refused(change):
    with pytest.raises(InputError, match=r"environment\.json"):
        Context.from_environment({**CONTEXT.environment(), **change})


def test_plans_and_readers_import_no_torch():
    modules = ", ".join(f"hartley.runs.{name}" for name in ("plan", "folder", "check", "export", "local", "terminal"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_at_the_beginning_of_a_plan_or_a_policy_is_no_part_of_it(tmp_path, encoding):
    plan, policy = tmp_path / "plan.toml", tmp_path / "policy.toml"
    plan.write_text('threats = ["a"]\n', encoding=encoding)
    policy.write_text('rules = ["success.high <= 1.0 under sga"]\n', encoding=encoding)
    assert Plan.read(plan) == Plan(("a",)) and len(read_policy(policy)) == 1
