"""`hartley models`: the family as it lies on the disk, and every example model of the taxonomy."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hartley import catalog
from hartley.cli import main
from hartley.targets import family, registry


def run(*arguments: str, columns: int = 120) -> str:
    result = CliRunner().invoke(main, ["models", *arguments], env={"COLUMNS": str(columns), "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    return result.stdout


def parameters(folder: Path) -> int:
    """Counted the slow way."""
    from safetensors.torch import load_file

    return sum(tensor.numel() for file in folder.rglob("*.safetensors") for tensor in load_file(file).values())


def test_every_reference_model_and_every_example_model_is_named():
    lines = run().splitlines()
    firsts = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert [name for name in firsts if name in registry.NAMED] == list(registry.NAMED)
    rows = [row.id for row in catalog.models()]
    assert [name for name in firsts if name in rows] == rows
    assert sum("retrain: python -m hartley.training" in line for line in lines) == 9


def test_the_encoder_s_row_is_what_its_files_say():
    record = json.loads(run("--json"))
    row = next(row for row in record["reference"] if row["name"] == "reference:encoder")
    folder = family.WEIGHTS / "encoder"
    measured = json.loads((folder / "abilities.json").read_text())
    assert row["parameters"] == parameters(folder)
    assert row["megabytes"] == pytest.approx(sum(file.stat().st_size for file in folder.rglob("*.safetensors")) / 1e6)
    assert row["minutes"] == measured["training_cpu_seconds"] / 60
    assert {one["name"] for one in row["abilities"]} == set(measured["required"])
    for one in row["abilities"]:
        said = measured["abilities"][one["name"]]
        assert (one["value"], one["low"], one["high"], one["n"]) == (said["value"], said["low"], said["high"], said["n"])
    assert "image to caption: digit          0.971  0.965 to 0.976  n 4000   at least 0.95" in run()


def test_json_says_what_works_of_each_example_model():
    rows = {row["id"]: row for row in json.loads(run("--json"))["models"]}
    assert rows["minigpt-4"]["folders"] == [{"model_types": ["blip-2"], "classes": ["Blip2ForConditionalGeneration"]}]
    assert (
        rows["gpt-4"]["endpoint"] == "openai:MODEL as the policy of agents"
        and not rows["dall-e"]["endpoint"]
        and not rows["gpt-4"]["folders"]
    )
    assert all(row["reference"] and row["does_not_work"] for row in rows.values())


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(family, "WEIGHTS", tmp_path)
    return tmp_path


def test_missing_weights_are_said_with_the_command_that_makes_them(elsewhere):
    for text in (run(), run(columns=60)):
        assert text.count("no weights in") == 9
    row = json.loads(run("--json"))["reference"][1]
    assert row["parameters"] is row["megabytes"] is row["minutes"] is None and not row["abilities"]
    assert row["retrain"] == "python -m hartley.training answerer" and "no weights in" in row["note"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("abilities.json", None, "abilities.json is missing"),
        ("abilities.json", "{", "is damaged"),
        ("abilities.json", "[]", "is damaged"),
        ("abilities.json", '{"abilities": {"a": {}}}', "is damaged"),
        ("model.safetensors", "hello", "is damaged"),
        ("model.safetensors", "", "is damaged"),
    ],
)
def test_damaged_files_do_not_stop_the_list(elsewhere, name, content, said):
    folder = Path(shutil.copytree(Path(family.__file__).parent / "reference" / "weights" / "encoder", elsewhere / "encoder"))
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    assert said in run()
    assert len(json.loads(run("--json"))["reference"]) == 9


@pytest.mark.parametrize(
    "bars",
    [
        {"required": {"at least": {"read": 0.9}, "at most": {"refused": 0.02}}},
        {"at least": {"read": 0.9}, "at most": {"refused": 0.02}},
        {"required": {"read": 0.9, "refused": 0.5}},
    ],
)
def test_abilities_with_bars_are_shown_and_what_emerged_on_demand(elsewhere, bars):
    folder = Path(shutil.copytree(Path(family.__file__).parent / "reference" / "weights" / "encoder", elsewhere / "answerer"))
    figure = {"value": 0.95, "low": 0.93, "high": 0.97, "hits": 950, "n": 1000}
    record = {"abilities": {"read": figure, "refused": figure, "spelled": figure}, "emerged": {"typeset": figure}, **bars}
    (folder / "abilities.json").write_text(json.dumps(record))
    text = run()
    assert "read     " in text and "at least 0.90" in text and "spelled" not in text and "typeset" not in text
    assert ("at most 0.02" in text) == ("refused" in str(bars.get("at most", bars.get("required", {}).get("at most", ""))))
    assert "typeset" in run("--emerged")


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_lines_stay_within_the_terminal(columns):
    assert all(len(line) <= max(columns, 78) or "retrain" in line for line in run(columns=columns).splitlines() if line.startswith("  "))


def test_it_imports_no_model_library():
    code = "import sys; from hartley.cli import main; main(['models'], standalone_mode=False)"
    code += "; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")


def test_servers_are_named_with_their_form():
    assert json.loads(run("--json"))["endpoint"]["form"] == "openai:MODEL@URL"
    (line,) = [line for line in run().splitlines() if line.startswith("openai:MODEL@URL")]
    assert "OpenAI-compatible server" in line
