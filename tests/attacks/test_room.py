"""Room for more: what keeps a threat one small file. Held for every threat there is, and for every one that comes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import hartley
from hartley import catalog
from hartley.runs.shipped import recipe

ROOT = Path(hartley.__file__).parent
ATTACKS = sorted((ROOT / "attacks").rglob("*.py"))
THREATS = [row.id for row in catalog.threats() if row.implemented]
LONGEST = 60
"""Lines of a recipe, its docstring and what it declares included."""


def file_of(threat: str) -> Path:
    (found,) = [path for path in ATTACKS if path.stem == threat.replace("-", "_")]
    return found


@pytest.mark.parametrize("threat", THREATS)
def test_a_recipe_is_one_small_file(threat: str) -> None:
    lines = file_of(threat).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST


def imported(path: Path, *, deferred: bool = True) -> Iterator[str]:
    """The modules that a file imports; deferred: inside of functions and for type checking as well."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if deferred else tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_threats_take_words_and_worlds_from_environments_and_nothing_from_the_reference_family() -> None:
    reached = {(path.name, name) for path in ATTACKS for name in imported(path) if name.startswith("hartley.targets.reference")}
    assert not reached


def test_nothing_that_scans_or_measures_reaches_what_trains_the_reference_family() -> None:
    """So that no result's key hangs on how a model was made, and no command loads it."""
    outside = [path for path in ROOT.rglob("*.py") if "training" not in path.relative_to(ROOT).parts]
    assert len(outside) > 400
    assert not {(path.name, name) for path in outside for name in imported(path) if name.startswith("hartley.training")}


def test_tables_are_made_by_the_one_function_that_measures() -> None:
    """`hartley.channel` alone builds them, and no threat, so that arms, lost trials and units are the same everywhere."""
    makers = {
        path.name
        for path in ATTACKS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Evidence"
    }
    assert not makers


def test_every_declared_role_belongs_to_a_declared_channel() -> None:
    for threat in THREATS:
        found = recipe(threat)
        assert set(found.roles) <= set(found.channels) and set(found.roles.values()) <= {"context", "control"}
        controls = {name for name in found.channels if "(control)" in name}
        assert controls == {name for name, role in found.roles.items() if role == "control"}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports at the head of a file alone: what a function imports when it runs waits until then."""
    files = {".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in ROOT.rglob("*.py")}
    packages = {name for name, path in files.items() if path.name == "__init__.py"}

    def needed(path: Path) -> set[str]:
        """A package that a module is taken out of counts where something else than a module is taken."""
        names = {name for name in imported(path, deferred=False) if name in files}
        return {name for name in names if name not in packages or not any(other.startswith(f"{name}.") for other in names)}

    graph = {name: needed(path) - {name} for name, path in files.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
