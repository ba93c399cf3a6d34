"""Headline, table, terminal, HTML, CSV, JSON and check read a run through one reader, and say the same of every cell."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from hartley import catalog
from hartley.report import build
from hartley.report.terminal import summary
from hartley.runs.check import check
from hartley.runs.export import to_csv, to_json
from hartley.runs.folder import Run
from hartley.runs.plan import Plan

PLAN = Plan(("sga", "badclip"), "reference:encoder", defenses=("jpeg",))
CELLS = tuple((cell.threat, cell.defense) for cell in PLAN.cells())


@pytest.fixture
def folder(made: ModuleType, tmp_path: Path) -> Path:
    maker = made.Maker(tmp_path)
    maker.plan(PLAN)
    for threat in PLAN.threats:
        maker.cell(threat, "none", channels=[made.bare("image", "write", "ASR", 3.0, 1.0, 1.0, 0.5)])
        maker.cell(threat, "jpeg", channels=[made.defended("image", "write", "ASR", 2.9, (2.0, 0.4), (1.5, 0.6), 0.2)])
    return tmp_path


def edited(folder: Path, threat: str, change: Callable[[str], str]) -> None:
    """Changes the text of the result of a threat without a defense."""
    for file in (folder / "cells").glob("*.json"):
        record = json.loads(file.read_text())
        if record["cell"]["threat"] == threat and record["cell"]["defense"] == "none":
            file.write_text(change(file.read_text()))


def remove(folder: Path) -> None:
    for file in (folder / "cells").glob("*.json"):
        if json.loads(file.read_text())["cell"] == Run.open(folder).plan.cells()[0].to_json():
            file.unlink()


def version(folder: Path) -> None:
    path = folder / "environment.json"
    path.write_text(path.read_text().replace('"hartley": "0.1.0"', '"hartley": "0.0.9"'))


def plan(folder: Path) -> None:
    path = folder / "plan.toml"
    path.write_text(path.read_text().replace('"badclip"', '"co-attack"'))


def value(folder: Path) -> None:
    edited(folder, "sga", lambda text: re.sub(r'("kind": "utility_bits",[^}]*?"value": )[0-9.]+', r"\g<1>99", text, count=1))


def rate(folder: Path) -> None:
    edited(folder, "sga", lambda text: text.replace('"value": 0.5', '"value": 0.95'))


def nan(folder: Path) -> None:
    edited(folder, "sga", lambda text: text.replace('"value": 0.5', '"value": NaN'))


def infinite(folder: Path) -> None:
    edited(folder, "sga", lambda text: text.replace('"mean": 40.0', '"mean": 1e999'))


def nothing(folder: Path) -> None:
    """The run as it was."""


EXPECTED = {
    nothing: ["measured"] * 4,
    version: ["not run"] * 4,
    plan: ["measured"] * 2 + ["not run"] * 2,
    remove: ["not run"] + ["measured"] * 3,
    **dict.fromkeys((value, rate, nan, infinite), ["damaged"] + ["measured"] * 3),
}


def told_by_check(folder: Path, threat: str, defense: str) -> str:
    rule = f"utility_bits.low >= 0 under {threat}" + ("" if defense == "none" else f" with {defense}")
    (verdict,) = check(Run.open(folder), [rule], catalog).verdicts
    return "measured" if verdict.state == "holds" else verdict.detail


def told_by_page(page: str, threat: str, defense: str) -> str:
    """The status in the page's list of what was not measured; a cell that is not there was measured."""
    gaps = page[page.index('id="gaps"') :]
    name = "no defense" if defense == "none" else "JPEG"
    for row in re.findall(r"<tr>.*?</tr>", gaps, re.S):
        text = " ".join(re.sub(r"<[^>]+>", " ", row).split())
        if text.startswith(threat) and name in text:
            return text
    return "measured"


@pytest.mark.parametrize("change", EXPECTED, ids=lambda change: change.__name__)
def test_reading_3_every_output_says_the_same_of_every_cell(change: Callable[[Path], None], folder: Path) -> None:
    change(folder)
    cells = [(cell.threat, cell.defense) for cell in Run.open(folder).plan.cells()]
    page, lines = build(folder), summary(folder)
    table = list(csv.DictReader(io.StringIO(to_csv(Run.open(folder)), newline="")))
    rows = json.loads(to_json(Run.open(folder)))
    for (threat, defense), status in zip(cells, EXPECTED[change], strict=True):
        here = (threat, defense)
        assert {row["status"] for row in rows if (row["threat"], row["defense"]) == here} == {status}
        assert {row["status"] for row in table if (row["threat"], row["defense"]) == here} == {status}
        assert status in told_by_check(folder, threat, defense)
        assert status in told_by_page(page, threat, defense)
        if defense == "none":
            line = next(line for line in lines if line.startswith(f"{threat} "))
            assert (f" {status} " in line) == (status != "measured")
    left = len(cells) - EXPECTED[change].count("measured")
    said = f"All {len(cells)} cells" if not left else f"{left} of {len(cells)} cells were not measured"
    text = " ".join(re.sub(r"<[^>]+>", "", page).split())
    assert said in text and said in lines[-1]


def test_reading_3_a_result_of_other_circumstances_is_named_and_not_read(folder: Path) -> None:
    version(folder)
    assert all("made under other circumstances" in record["why"] for record in Run.open(folder).cells())
    text = re.sub(r"<[^>]+>", " ", build(folder))
    assert text.count("not of this run") == len(CELLS)
