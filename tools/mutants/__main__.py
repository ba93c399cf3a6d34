"""Changes the code, a line at a time, and asks whether the tests notice: mutmut over what makes a number honest.

    .venv/bin/python tools/mutants [ROOM ...]     the rooms of rooms.toml, all by default

Each room is a copy in mutants/, so that the checkout stays as it is, and its mutants meet the room's own tests, without the slow ones.
A run that was stopped goes on where it was; where the code or the tests have changed since, its room starts anew (with --again only
what has survived is tried again). Prints a table by file, and of each survivor its change and why it is harmless (harmless.toml).
Ends with 1 where a file has fewer than 85% of its mutants killed.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutmut import configuration
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SHELF = ROOT / "mutants"
LEAST = 0.85
KILLED = {"killed", "timeout"}


@dataclass(frozen=True)
class Room:
    """files: what is changed. functions: patterns of their names; none: all. tests: files and folders that must notice."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()

    @property
    def place(self) -> Path:
        """Its folder."""
        return SHELF / self.name

    def made_of(self) -> str:
        """A digest of all code and of the room's tests."""
        paths = [*(ROOT / "hartley").rglob("*.py"), *(ROOT / "tests").glob("conftest.py")]
        for test in self.tests:
            own = ROOT / test
            paths += own.rglob("*.py") if own.is_dir() else [own, *own.parent.glob("conftest.py")]
        digest = hashlib.sha256(repr(self).encode())
        for path in sorted(set(paths)):
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def prepare(self, again: bool) -> None:
        """Its folder: links to the code and the tests, and what mutmut reads."""
        stamp, made_of = self.place / "made-of", self.made_of()
        if self.place.exists() and not again and (not stamp.exists() or stamp.read_text() != made_of):
            shutil.rmtree(self.place)
        self.place.mkdir(parents=True, exist_ok=True)
        for name in ("hartley", "tests"):
            if not (self.place / name).exists():
                (self.place / name).symlink_to(ROOT / name)
        pytest = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
        # Every mutant is a fork of one process that has torch, the tests and what they load in memory already.
        mutmut = {
            "source_paths": ["hartley"],
            "only_mutate": list(self.files),
            "pytest_add_cli_args_test_selection": list(self.tests),
            # Nothing is measured side by side here, and hypothesis keeps its examples to itself.
            "pytest_add_cli_args": ["-p", "no:xdist", "-p", "no:cacheprovider"],
            "timeout_multiplier": 10.0,
            "timeout_constant": 3.0,
            "use_git_change_detection": False,
        }
        with (self.place / "pyproject.toml").open("w") as file:
            for table, values in (("pytest.ini_options", pytest), ("mutmut", mutmut)):
                file.write(f"[tool.{table}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
        stamp.write_text(made_of)

    def results(self) -> dict[str, dict[str, str]]:
        """file -> mutant -> what became of it."""
        found: dict[str, dict[str, str]] = {}
        for file in self.files:
            meta = self.place / "mutants" / f"{file}.meta"
            codes = json.loads(meta.read_text())["exit_code_by_key"] if meta.exists() else {}
            found[file] = {name: status_by_exit_code[code] for name, code in codes.items() if self._wanted(name)}
        return found

    def _wanted(self, mutant: str) -> bool:
        mangled = mutant.partition("__mutmut_")[0].rpartition(".")[2]  # x_function, or xǁClassǁmethod
        function = mangled.rpartition("ǁ")[2] if "ǁ" in mangled else mangled.removeprefix("x_")
        return not self.functions or any(fnmatch.fnmatch(function, pattern) for pattern in self.functions)

    def run(self, again: bool) -> None:
        """Tries what was not tried yet, and with `again` what has survived. SystemExit where mutmut itself fails."""
        self.prepare(again)
        known = {name: status for own in self.results().values() for name, status in own.items()}
        if not known:
            self._mutmut([f"*{start}{pattern}__mutmut_*" for pattern in self.functions for start in (".x_", "ǁ")])
        elif again and (left := [name for name, status in known.items() if status not in KILLED]):
            self._mutmut(left)
        # What a stopped run has left, or what is new since.
        left = [name for own in self.results().values() for name, status in own.items() if status == "not checked"]
        if left:
            self._mutmut(left)

    def _mutmut(self, names: Sequence[str]) -> None:
        command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", str(os.cpu_count() or 2), *names]
        # One thread each: a pool of threads does not survive a fork.
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        with (self.place / "log").open("w") as log:
            code = subprocess.run(command, cwd=self.place, env=env, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        if code:
            tail = (self.place / "log").read_text()[-3000:]
            raise SystemExit(f"{self.name}: mutmut ended with {code}; {self.place / 'log'} ends:\n{tail}")

    def change(self, mutant: str, file: str) -> str:
        """The lines that a mutant takes out and puts in."""
        before = Path.cwd()
        try:
            os.chdir(self.place)
            configuration.reset_config()
            lines = get_diff_for_mutant(mutant, path=file).splitlines()
        finally:
            os.chdir(before)
        return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def rooms() -> Iterator[Room]:
    """The rooms of rooms.toml."""
    for name, row in tomllib.loads((HERE / "rooms.toml").read_text()).items():
        yield Room(name, **{key: tuple(value) for key, value in row.items()})


def reason(file: str, mutant: str, change: str, harmless: Sequence[dict[str, str]]) -> str | None:
    """Why a survivor is harmless, by the first row whose file, function and change fit; None: nobody has said so."""
    for row in harmless:
        fits = fnmatch.fnmatch(file, row.get("file", "*")) and fnmatch.fnmatch(mutant, f"*{row.get('function', '*')}__mutmut_*")
        if fits and re.search(row["change"], change, re.MULTILINE):
            return row["why"]
    return None


def main() -> int:
    """Runs the rooms and prints their tables."""
    parser = argparse.ArgumentParser(description="mutation tests of what makes a number honest")
    parser.add_argument("rooms", nargs="*", help="names in rooms.toml; all by default")
    parser.add_argument("--again", action="store_true", help="keep what was killed and try again what survived")
    parser.add_argument("--show", action="store_true", help="run nothing; print what is known")
    wanted = parser.parse_args()
    harmless = tomllib.loads((HERE / "harmless.toml").read_text()).get("survivor", [])
    rows, survivors, began = [], [], time.monotonic()
    for room in rooms():
        if wanted.rooms and room.name not in wanted.rooms:
            continue
        if not wanted.show:
            print(f"{room.name} ...", flush=True)
            room.run(wanted.again)
        for file, found in room.results().items():
            left = [name for name, status in found.items() if status not in KILLED]
            late = sum(status == "timeout" for status in found.values())
            rows.append((file, len(found), len(found) - len(left), late, len(left)))
            for name in left:
                change = room.change(name, file)
                survivors.append((file, name, found[name], change, reason(file, name, change, harmless)))
    return tell(rows, survivors, time.monotonic() - began)


def tell(rows: Sequence[tuple[str, int, int, int, int]], survivors: Sequence[tuple[str, str, str, str, str | None]], seconds: float) -> int:
    """Prints the survivors, by their reason, and the table; 1 where a file has too few killed."""
    for why in sorted({row[4] or "" for row in survivors}):
        own = [row for row in survivors if (row[4] or "") == why]
        print(f"\n## {why or 'NO REASON GIVEN'} ({len(own)})")
        for file, name, status, change, _ in own:
            print(f"{file} {name.rpartition('.')[2]} ({status})\n  " + change.replace("\n", "\n  "))
    unexplained = sum(row[4] is None for row in survivors)
    print(f"\n{'file':58} {'mutants':>7} {'killed':>6} {'(late)':>6} {'left':>5}  share")
    sums = [sum(column) for column in zip(*(row[1:] for row in rows), strict=True)]
    for file, total, killed, late, left in (*rows, ("all", sums[0], sums[1], sums[2], sums[3])):
        print(f"{file:58} {total:7} {killed:6} {late:6} {left:5} {killed / total if total else 1:6.1%}")
    print(f"{unexplained} survivors without a reason; {seconds:.0f} s")
    weak = [file for file, total, killed, *_ in rows if total and killed < LEAST * total]
    print(*(f"{file}: fewer than {LEAST:.0%} killed" for file in weak), sep="\n")
    return int(bool(weak))


if __name__ == "__main__":
    sys.exit(main())
