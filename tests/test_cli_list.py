"""`hartley list` and `hartley show`: what they print, what they refuse, and what they must never import."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hartley import __version__, catalog
from hartley.cli import main

ROOT = Path(__file__).parents[1]
EVERY_ID = [row.id for row in (*catalog.threats(), *catalog.defenses(), *catalog.models())]


def run(*arguments: str, columns: int | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"COLUMNS": str(columns) if columns else None})


def refused(*arguments: str) -> str:
    """The one line on standard error of a command that must end with code 2 and print nothing."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("hartley: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    code = "from hartley.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, env={**os.environ, **environment}, check=False)


def test_list_names_every_threat_in_order_and_counts() -> None:
    result = run("list")
    assert result.exit_code == 0
    names = [line.split()[0] for line in result.stdout.splitlines() if re.match(r"  [a-z0-9-]+  +(implemented|not yet)", line)]
    assert names == [row.id for row in catalog.threats()]
    done = len(catalog.select(status="implemented"))
    assert result.stdout.splitlines()[-1] == f"{done} implemented, {73 - done} not yet"


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("what", [(), ("--defenses",), ("--models",)])
def test_the_table_fits_the_terminal(columns: int, what: tuple[str, ...]) -> None:
    result = run("list", *what, columns=columns)
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= columns


@pytest.mark.parametrize("name", EVERY_ID)
def test_show_fits_the_terminal(name: str) -> None:
    result = run("show", name, columns=80)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{name}: ")
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("row", catalog.threats(), ids=lambda row: row.id)
def test_show_tells_all_that_is_known_of_a_threat(row: catalog.Threat) -> None:
    text = run("show", row.id).stdout
    facts = [row.reference, row.status, row.goal, row.capability, row.flow, row.level, row.threat_class, f"[{row.sok_ref}]"]
    facts += [
        ", ".join(sorted(row.needs)),
        row.claimed or "no checked number on record",
        row.note or "",
        row.fidelity or "",
        row.left_out or "",
    ]
    facts += [row.subject for row in row.crosswalk]
    facts += [part for entry in row.crosswalk for link in entry.links for part in (f"{link.vocabulary}: ", link.id)]
    assert [fact for fact in facts if fact not in text] == []


@pytest.mark.parametrize(
    ("arguments", "conditions"),
    [
        (["--flow", "memory"], {"flow": "memory"}),
        (["--goal", "membership-inference", "--flow", "inferring"], {"goal": "Membership Inference", "flow": "inferring"}),
        (["--modality", "audio"], {"modality": "audio"}),
        (["--knowledge", "grey"], {"knowledge": "grey"}),
        (["--status", "not-yet"], {"status": "not yet"}),
        (["--status", "implemented"], {"status": "implemented"}),
    ],
)
def test_filters(arguments: list[str], conditions: dict[str, str]) -> None:
    listed = json.loads(run("list", "--json", *arguments).stdout)
    assert [row["id"] for row in listed] == [row.id for row in catalog.select(**conditions)]


def test_a_selection_may_be_empty() -> None:
    result = run("list", "--flow", "memory", "--modality", "audio")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "0 implemented, 0 not yet"


@pytest.mark.parametrize("name", EVERY_ID)
def test_json_of_show_is_the_row_of_list(name: str) -> None:
    shown = json.loads(run("show", name, "--json").stdout)
    listed = [row for what in ((), ("--defenses",), ("--models",)) for row in json.loads(run("list", "--json", *what).stdout)]
    assert shown in listed
    assert shown["id"] == name


def test_json_carries_every_column_of_the_table() -> None:
    row = json.loads(run("show", "sga", "--json").stdout)
    header = (ROOT / "hartley" / "catalog" / "threats.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert set(header) <= set(row)
    assert row["sok_ref"] == 76
    assert row["needs"] == ["grad", "score"]
    assert row["crosswalk"][0]["links"][0] == {"vocabulary": "ATLAS 2026.09", "id": "AML.T0043.002", "inferred": False}


def test_unknown_names_are_told_with_the_nearest() -> None:
    assert "'adversarial-ilusion'; nearest: adversarial-illusions" in refused("show", "adversarial-ilusion")
    assert "nearest: jpeg" in refused("show", "jpg")
    assert "unknown goal 'jailbrake'; nearest: jailbreak" in refused("list", "--goal", "jailbrake")
    assert "unknown flow 'x'; known: action, inferring" in refused("list", "--flow", "x")
    assert "unknown command 'lits'; nearest: list" in refused("lits")


def test_wrong_use_is_told_on_one_line() -> None:
    assert "--no-such" in refused("--no-such")
    assert "--no-such" in refused("list", "--no-such")
    assert "Missing argument 'ID'" in refused("show")
    assert "--flow selects threats" in refused("list", "--defenses", "--flow", "memory")
    assert "\\x1b" in refused("show", "\x1b[31mred")


def test_version() -> None:
    assert run("--version").stdout == f"hartley {__version__}\n"


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["show", "sga"], ["show", "nope"], ["--version"], ["--help"]])
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from hartley.cli import main\n"
        "try: main(standalone_mode=True)\n"
        "finally: print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    loaded = result.stderr.splitlines()[-1]
    assert "'hartley'" in loaded
    assert [name for name in ("torch", "transformers", "numpy", "scipy", "sklearn", "PIL", "jinja2") if f"'{name}'" in loaded] == []


def test_colors_appear_on_a_terminal_alone() -> None:
    assert b"\x1b" not in process("list").stdout
    on_terminal = CliRunner().invoke(main, ["list", "--flow", "prediction"], color=True)
    assert "\x1b[1m" in on_terminal.stdout
    assert "\x1b" not in CliRunner().invoke(main, ["list"], color=True, env={"NO_COLOR": "1"}).stdout


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    code = "from hartley.cli import main; main()"
    with subprocess.Popen([sys.executable, "-u", "-c", code, "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.read(10)
        child.stdout.close()
        assert child.stderr.read() == b""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_encoding_of_the_terminal_will_do(encoding: str) -> None:
    for arguments in (["list"], ["list", "--defenses"], ["show", "m4i"], ["show", "\u4e2d\u6587"]):
        result = process(*arguments, PYTHONIOENCODING=encoding)
        assert result.returncode == (2 if "\u4e2d\u6587" in arguments else 0)
        assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_documents_name_existing_commands_and_options_alone(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    uses = re.findall(r"^(?:.*/)?hartley ([a-z]+)(.*)", "\n".join(code(text)), re.M)
    assert uses or document == "SECURITY.md"
    for name, rest in uses:
        assert name in main.commands, f"{document} names 'hartley {name}'"
        known = {option for parameter in main.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known, f"{document}: 'hartley {name}{rest}'"


def code(text: str) -> list[str]:
    """The fenced blocks and the inline code of a document."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.M)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.M)
    return [*blocks, *re.findall(r"`([^`\n]+)`", rest)]


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_existing_make_targets_alone(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    used = {name for part in code((ROOT / document).read_text(encoding="utf-8")) for name in re.findall(r"^\s*make ([a-z-]+)", part, re.M)}
    assert used
    assert used <= targets
