"""What a scan is made of: targets by level, threats by flow, defenses that fit, and what may be spent on a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hartley import catalog
from hartley.errors import InputError
from hartley.runs import levels
from hartley.runs.allowance import Allowance
from hartley.runs.plan import Plan
from hartley.scan_command import ENDPOINT_CELL_SECONDS, ESCAPING, _plan, scan

SERVER = "openai:m@http://127.0.0.1:9/v1"


def plan(file: Path | None = None, **given: Any) -> Plan:
    own = ("plan_file", "out", "workers", "only_estimate")
    options = {item.name: False if item.is_flag else None for item in scan.params if item.name not in own}  # type: ignore[attr-defined]
    assert set(given) <= set(options)
    return _plan(file, {**options, **given})


def of(found: Plan) -> set[str]:
    return {levels.of_threat(name) for name in found.threats} | {levels.of_defense(name) for name in found.defenses}


def test_the_default_is_everything_on_the_reference_family() -> None:
    found = plan()
    assert (found.target, found.data, found.budget, found.seeds) == ("reference", "reference", "quick", (0,))
    assert found.threats == tuple(row.id for row in catalog.threats() if row.recipe and row.recipe.quick is not None)
    assert plan(budget="standard").threats == tuple(row.id for row in catalog.threats() if row.implemented)
    ready = [row.id for row in catalog.defenses() if row.implemented]
    assert plan(budget="standard").defenses == tuple(name for name in ready if name != ESCAPING)  # our own words spell no token
    found.validate(catalog)
    assert of(found) == {"model", "system"}


def test_the_quick_scan_of_everything_defends_one_threat_a_flow() -> None:
    cells = plan().cells()
    defended = {cell.threat for cell in cells if cell.defense != "none"}
    flows = [catalog.threat(name).flow for name in defended]
    assert sorted(flows) == sorted({catalog.threat(name).flow for name in plan().threats}), "one of each"
    assert {cell.defense for cell in cells} == {"none", *plan().defenses}, "each of the plan's defenses at least once"
    assert set(plan(budget="standard").defenses) - set(plan().defenses) == {"jpeg", "alignment-filter"}, (
        "what takes too long for three minutes"
    )
    assert {cell.threat for cell in cells} == set(plan().threats)
    for given in ({"budget": "standard"}, {"flows": "action"}, {"defenses": "jpeg"}, {"threats": "sga"}, {"target": "reference:encoder"}):
        assert plan(**given).only == {}


def test_only_what_the_target_has_is_attacked() -> None:
    assert of(plan(target="reference:encoder")) == {"model"}
    assert of(plan(target="reference:agent")) == of(plan(target=SERVER)) == {"system"}
    assert plan(target=SERVER).cell_limit_seconds == ENDPOINT_CELL_SECONDS


def test_flows_select_threats_and_the_defenses_that_fit() -> None:
    found = plan(flows="memory,action")
    assert {catalog.threat(name).flow for name in found.threats} == {"memory", "action"} and of(found) == {"system"}
    assert of(plan(flows="prediction")) == {"model"}
    assert plan(flows="action", trials=7).effort == {"trials": 7}


def test_a_named_threat_stays_and_is_refused_by_its_cell() -> None:
    assert plan(target=SERVER, threats="sga", defenses="none").threats == ("sga",)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"flows": "acton"}, "unknown flow 'acton'; nearest: action"),
        ({"flows": "action", "threats": "p2sql"}, "give one of the two"),
        ({"flows": "prediction", "target": SERVER}, "flows with such threats: action and interaction and memory"),
        (
            {"target": "reference:encoder", "surrogate": "reference:answerer-b"},
            "made on surrogate 'reference:answerer-b', an answerer; flows with such threats: none",
        ),
        (
            {"target": "reference:encoder", "surrogate": "reference:encoder-b", "flows": "learning"},
            "of the flow learning attacks what target 'reference:encoder' has when made on surrogate 'reference:encoder-b', an encoder; "
            "flows with such threats: prediction",
        ),
        ({"target": "reference:agent", "surrogate": "reference:encoder"}, "what target 'reference:agent' has when made on surrogate"),
        ({"target": "openai:m@http://x:y/"}, "host and port"),
        ({"target": "reference:agnt"}, "nearest: reference:agent"),
        ({"target": SERVER, "prices": "1"}, "--prices: got '1'"),
        ({"target": SERVER, "prices": "1,b"}, "--prices: got '1,b'"),
        ({"target": SERVER, "max_money": 3.0}, "needs prices"),
        ({"target": SERVER, "max_requests": -1}, "-1 requests"),
        ({"target": SERVER, "timeout": 0.0}, "0.0"),
        ({"max_requests": 5}, "--max-requests is for a target behind a server"),
        ({"server_sampling": True}, "--server-sampling is for a target behind a server"),
        ({"trials": 0}, "effort.trials takes a whole number from 2 to 1,000,000, got 0"),
    ],
)
def test_a_wrong_option_is_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(**given)
    assert words in str(caught.value) and str(caught.value).isprintable()


def test_what_may_be_spent_goes_with_a_plan_and_replaces_its_own(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(f'threats = ["p2sql"]\ntarget = "{SERVER}"\n[endpoint]\nmax_requests = 5\nlongest_answer = 100\n')
    assert plan(file).endpoint == Allowance(max_requests=5, longest_answer=100)
    changed = plan(file, max_requests=9, prices="0.5,1.5", max_money=2.0, concurrency=2, timeout=20.0, server_sampling=True)
    assert changed.endpoint == Allowance(
        9, None, 2.0, 0.5, 1.5, concurrency=2, timeout_seconds=20.0, longest_answer=100, server_sampling=True
    )
    with pytest.raises(InputError, match="--flows: a plan says this itself"):
        plan(file, flows="action", max_requests=9)
