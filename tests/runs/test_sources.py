"""What a cell's key covers of the code: what its recipe rests on, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

import hartley
from hartley.runs import shipped, sources
from hartley.runs.plan import Cell, Plan

RECIPE = '"""A new one."""\n\nfrom hartley.case import Case\n\n\ndef other(case: Case) -> tuple[()]:\n    return ()\n'


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package's sources."""
    root = tmp_path_factory.mktemp("copy") / "hartley"
    shutil.copytree(Path(hartley.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__", "weights", "*.safetensors"))
    return root


@pytest.fixture
def code(package: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Plan], dict[str, str]]:
    """By threat and defense of a plan, the hash over that copy as it is now."""
    spec = ModuleSpec("hartley", None, is_package=True)
    spec.submodule_search_locations = [str(package)]
    monkeypatch.setattr(sources, "find_spec", lambda _name: spec)

    def hashed(plan: Plan) -> dict[str, str]:
        sources._path.cache_clear()
        return shipped.code(plan)

    return hashed


PLAN = Plan(("sga", "crossfire", "p2sql"), defenses=("jpeg", "spotlighting"))
JOINT = "attacks/engine/joint.py"
EVERYTHING = frozenset((*PLAN.threats, *PLAN.defenses))


@pytest.mark.parametrize(
    ("file", "before", "after", "changed"),
    [
        ("attacks/prediction/other.py", "", RECIPE, frozenset()),
        (JOINT, '"""Picture and', '"""A picture and', frozenset()),
        (JOINT, "CORPUS = 2_000\n", "CORPUS = 2_000  # captions\n", frozenset()),
        (JOINT, "CORPUS = 2_000\n", "CORPUS = 2_001\n", {"sga"}),
        ("attacks/prediction/sga.py", "SHARE = 2\n", "SHARE = 3\n", {"sga"}),
        ("attacks/prediction/co_attack.py", "STEPS = 10\n", "STEPS = 11\n", frozenset()),
        ("attacks/action/injection.py", "FEWEST_PILOTS = 6, 16", "FEWEST_PILOTS = 7, 16", {"p2sql"}),
        ("defenses/model/jpeg.py", "quality: int = 75", "quality: int = 76", {"jpeg"}),
        ("report/terminal.py", '"""', '"""x', frozenset()),
        ("runs/forecast.py", "GROWTH = 1.2", "GROWTH = 1.3", frozenset()),
        ("bits/limits.py", "Z = ", "Z = 0 + ", frozenset(PLAN.threats)),
        ("targets/reference/scenes.py", "import numpy as np\n", "import numpy as np\n\nX = 1\n", EVERYTHING),
    ],
)
def test_a_key_covers_what_the_recipe_rests_on(
    package: Path, code: Callable[[Plan], dict[str, str]], file: str, before: str, after: str, changed: frozenset[str]
) -> None:
    first = code(PLAN)
    assert first.keys() == EVERYTHING
    path = package / file
    text = path.read_text() if path.is_file() else ""
    assert before in text
    path.write_text(text.replace(before, after, 1) if before else after)
    try:
        second = code(PLAN)
    finally:
        path.write_text(text) if text else path.unlink()
    assert {name for name in first if first[name] != second[name]} == set(changed)


def test_what_is_imported_by_a_name_that_is_put_together_counts() -> None:
    assert "hartley.targets.reference.answerer" in sources.closure(["hartley.targets.registry"])


def test_no_recipe_rests_on_another_for_being_run() -> None:
    """Otherwise a change of one would measure all of them again."""
    recipes = {
        f"hartley.attacks.{row.flow}.{row.id.replace('-', '_')}" for row in shipped.catalog().threats() if row.status == "implemented"
    }
    assert sources.closure(sources.MEASURING) & recipes == set()


def test_a_key_has_the_code_of_its_own_threat_and_defense() -> None:
    from hartley.runs.context import Context, versions

    first = Context("t", "d", {"trials": 10}, {"sga": "1", "crossfire": "2", "jpeg": "3"}, versions())
    for name, changes_key, changes_shelf in (("sga", True, True), ("jpeg", True, False), ("crossfire", False, False)):
        second = Context("t", "d", {"trials": 10}, {**first.code, name: "9"}, versions())
        cell = Cell("reference", "sga", "jpeg", 0, "quick")
        assert (cell.key(first) != cell.key(second), cell.cache_namespace(first) != cell.cache_namespace(second)) == (
            changes_key,
            changes_shelf,
        )
        assert cell.stream(first) == cell.stream(second)


def test_no_module_of_runs_imports_itself_through_others() -> None:
    """At the top or in a function; what a type checker sees alone does not count."""
    modules = {f"hartley.runs.{path.stem}" for path in Path(sources.__file__).parent.glob("*.py") if path.stem != "__init__"}
    paths = {name: sources._path(name) for name in modules}
    imports = {name: set(sources._parsed(path, 0)[0]) & modules - {name} for name, path in paths.items() if path}
    assert {name for name in imports if _reaches(imports, name, name)} == set()
    folders = sources._path("hartley.targets.huggingface.folders")
    assert folders is not None and "hartley.targets.registry" not in sources._parsed(folders, 0)[0]


def _reaches(imports: dict[str, set[str]], start: str, wanted: str) -> bool:
    seen: set[str] = set()
    left = [*imports[start]]
    while left:
        name = left.pop()
        if name == wanted:
            return True
        if name in imports and name not in seen:
            seen.add(name)
            left += imports[name]
    return False
