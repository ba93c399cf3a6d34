"""Sources: the code that a result rests on, so that what changed elsewhere measures nothing again. Reads sources, imports none of them."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from hartley.catalog.recipes import brought

PACKAGE = "hartley"
MEASURING = ("hartley.runs.worker", "hartley.runs.execute", "hartley.bits.for_evidence")
"""What makes a result of any recipe: the process that runs it, and the measures of its tables."""
ASIDE = (
    *(f"hartley.{name}" for name in ("catalog", "columns", "errors", "files", "printing", "report")),
    *(f"hartley.runs.{name}" for name in ("allowance", "atomic", "context", "folder", "forecast", "integrity", "levels", "parts", "plan")),
    *(f"hartley.runs.{name}" for name in ("rows", "shipped", "sources", "store")),
)
"""What says which cells there are, keeps them and shows them. It decides no number, and some of it reaches every recipe."""


def code_of(*modules: str) -> str:
    """sha256 over every module that these ones import, however deep, without comments and docstrings: of this package, and of those
    that bring recipes.

    Imports inside functions count; those for type checkers alone do not. Where a module is imported by a name that is put together
    ("hartley.targets.reference.{name}"), all that the name may stand for count.
    """
    digest = hashlib.sha256()
    for name in sorted(closure(modules)):
        digest.update(f"{name}\0{_read(name)[1]}\0".encode())
    return digest.hexdigest()


def closure(modules: Iterable[str]) -> frozenset[str]:
    """The modules of the package that these import, with themselves."""
    found: set[str] = set()
    open_ = [name for name in modules if _path(name)]
    while open_:
        name = open_.pop()
        if name in found:
            continue
        found.add(name)
        aside = any(name == one or name.startswith(f"{one}.") for one in ASIDE)
        open_ += [] if aside else _read(name)[0]
    return frozenset(name for name in found if not any(name == one or name.startswith(f"{one}.") for one in ASIDE))


@lru_cache(maxsize=4096)
def _path(name: str) -> Path | None:
    """Where a module of the package, or of one that brings a recipe, lies; None where there is none of that name, and for any other."""
    top, *inner = name.split(".")
    if top != PACKAGE and top not in {module.partition(".")[0] for module in brought().values()}:
        return None
    spec = find_spec(top)
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin) if spec.origin and not inner else None
    beside = [Path(root, *inner) for root in spec.submodule_search_locations]
    files = [file for path in beside for file in (path / "__init__.py", *((path.parent / f"{path.name}.py",) if inner else ()))]
    return next((file for file in files if file.is_file()), None)


def _read(name: str) -> tuple[list[str], str]:
    """The modules that one imports, its packages among them, and what it does, as text."""
    path = _path(name)
    assert path is not None
    imported, text = _parsed(path, path.stat().st_mtime_ns)
    parts = name.split(".")
    parents = [".".join(parts[:place]) for place in range(1, len(parts))]
    return [one for one in (*parents, *imported) if _path(one)], text


@lru_cache(maxsize=4096)
def _parsed(path: Path, _changed: int) -> tuple[tuple[str, ...], str]:
    """What a file imports, each once, and what it does."""
    tree = _Bare().visit(ast.parse(path.read_bytes(), str(path)))
    return tuple(dict.fromkeys(_imported(tree))), ast.dump(tree)


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func) and node.args:
            first = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield from _under(first.value)


def _under(beginning: str) -> Iterator[str]:
    """Every module whose name begins so."""
    folder, _, _ = beginning.rpartition(".")
    path = _path(folder)
    if path is None:
        return
    for file in sorted(path.parent.rglob("*.py")):
        inner = file.relative_to(path.parent).with_suffix("").parts
        yield ".".join((folder, *(inner[:-1] if inner[-1] == "__init__" else inner)))


class _Bare(ast.NodeTransformer):
    """Without docstrings, strings that document an attribute, and what only a type checker sees."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)
