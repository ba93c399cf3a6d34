"""Recipes as the catalog sees them: where one stands and what it declares, read from its source; nothing of it is imported."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hartley.errors import InputError

GROUP = "hartley.recipes"
"""Entry points of other packages that bring a recipe: the threat's id, and the module that declares it."""
FIDELITIES = ("faithful", "reduced", "analogue")
DECLARED = "RECIPE = Recipe(function, rates, fidelity=..., channels=...)"


@dataclass(frozen=True, slots=True)
class Declared:
    """What a recipe says of itself; see `hartley.recipe.Recipe`. left_out: from its docstring."""

    module: str
    fidelity: str
    left_out: str
    quick: tuple[str, ...] | None = None
    families: tuple[str, ...] = ("encoder",)
    transfers: bool = False
    agentdojo: bool = False


def declared(package: Path, flow: str, threat: str) -> Declared | None:
    """The recipe of a threat, in the package of that folder or brought by another; None where there is none.

    Raises InputError for a module that declares none, or not as a literal.
    """
    name = threat.replace("-", "_")
    path, module = package / "attacks" / flow / f"{name}.py", f"{package.name}.attacks.{flow}.{name}"
    if path.is_file():
        return _read(path, module)
    if threat not in brought():
        return None
    module = brought()[threat]
    try:
        spec = find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise InputError(f"entry point {threat!r} of {GROUP}: there is no module {module}; it takes one that has {DECLARED}")
    return _read(Path(spec.origin), module)


@cache
def brought() -> dict[str, str]:
    """By threat, the module of another installed package that brings its recipe."""
    return {point.name: point.module for point in entry_points(group=GROUP)}


def _read(path: Path, module: str) -> Declared:
    tree = ast.parse(path.read_bytes(), str(path))
    calls = [node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "RECIPE"]
    if len(calls) != 1 or not isinstance(calls[0], ast.Call) or not calls[0].args:
        raise InputError(f"{path}: declares no recipe; it takes {DECLARED}")
    given: dict[str, Any] = {}
    for keyword in calls[0].keywords:
        if keyword.arg in ("fidelity", "quick", "families", "transfers", "agentdojo"):
            try:
                given[keyword.arg] = ast.literal_eval(keyword.value)
            except ValueError:
                raise InputError(f"{path}: {keyword.arg} of its recipe is {ast.unparse(keyword.value)}; it takes a literal") from None
    if given.get("fidelity") not in FIDELITIES:
        raise InputError(f"{path}: fidelity of its recipe is {given.get('fidelity')!r}; it takes {', '.join(FIDELITIES)}")
    run = ast.unparse(calls[0].args[0])
    functions = {node.name: ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "Left out: " not in functions.get(run, ""):
        raise InputError(f'{path}: the docstring of {run} does not say what is left out; it takes a part that begins with "Left out: "')
    left_out = " ".join(functions[run].partition("Left out: ")[2].partition("\nBends: ")[0].split())
    return Declared(module, left_out=left_out[0].upper() + left_out[1:], **given)
