"""scan, report and check through the command line: one line and exit code 2 for wrong input, and a scan that goes through."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from hartley.cli import main

HERE = Path(__file__).parent
NAMES = ("cat", "dog", "bird", "fish")
COLORS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40))


def hartley(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from hartley.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random CLIP in `clip` and captioned pictures in `pets`."""
    spec = importlib.util.spec_from_file_location("target_folders", HERE / "targets" / "conftest.py")
    assert spec is not None and spec.loader is not None
    folders = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(folders)
    folder = tmp_path_factory.mktemp("own")
    folders.make_clip(folder / "clip", folders.whole_words)
    (folder / "pets").mkdir()
    lines = ["file_name,caption,label"]
    for index in range(200):
        name, color = NAMES[index % 4], COLORS[index % 4]
        noise = Image.effect_noise((36, 40), 60).convert("RGB")
        Image.blend(noise, Image.new("RGB", noise.size, color), 0.5).save(folder / "pets" / f"{index}.png")
        lines.append(f"{index}.png,a photo of a {name} number {index},{name}")
    (folder / "pets" / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def finished(own: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A finished scan of that model on those pictures: its folder, and how the command ended."""
    (own / "plan.toml").write_text(
        f'threats = ["crossfire", "sga"]\ndefenses = ["jpeg", "alignment-filter"]\ntarget = "hf:{own / "clip"}"\ndata = "{own / "pets"}"\n'
        "[effort]\ntrials = 40\nsteps = 4\n"
    )
    return own / "run", hartley("scan", "--plan", own / "plan.toml", "--out", own / "run", "--workers", 1)


SEEN_WITHOUT_LOADING = {
    "unknown threat": (["scan", "--threats", "sgaa"], ["unknown threat 'sgaa'", "sga"]),
    "threat not implemented": (["scan", "--threats", "figstep"], ["not implemented yet", "sga"]),
    "unknown defense": (["scan", "--defenses", "jpg"], ["unknown defense 'jpg'", "jpeg"]),
    "unknown target": (["scan", "--target", "reference:encodr"], ["unknown target", "reference:encoder"]),
    "unknown budget": (["scan", "--budget", "quik"], ["unknown budget", "quick"]),
    "model folder missing": (["scan", "--target", "hf:nowhere", "--data", "."], ["no such folder"]),
    "data missing": (["scan", "--target", "hf:."], ["--data is missing"]),
    "data folder missing": (["scan", "--data", "nowhere"], ["no such folder"]),
    "seeds": (["scan", "--seeds", "one"], ["--seeds", "whole numbers"]),
    "plan missing": (["scan", "--plan", "nowhere.toml"], ["no such plan"]),
    "plan with an unknown key": (["scan", "--plan", "plan.toml"], ["unknown key in the plan 'bogus'"]),
    "plan and options": (["scan", "--plan", "plan.toml", "--threats", "sga"], ["--threats", "not both"]),
    "out is no run": (["scan", "--out", "full"], ["not empty and not a run"]),
    "out below a file": (["scan", "--out", "plan.toml/run"], ["cannot write"]),
    "report of nothing": (["report", "nowhere"], ["nowhere"]),
    "check of nothing": (["check", "nowhere", "--policy", "policy.toml"], ["nowhere"]),
}


@pytest.mark.parametrize("case", SEEN_WITHOUT_LOADING)
def test_wrong_input_gives_one_line_and_exit_code_two(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.toml").write_text('threats = ["sga"]\nbogus = 1\n')
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").write_text("mine")
    arguments, words = SEEN_WITHOUT_LOADING[case]
    before = sorted(path.name for path in tmp_path.rglob("*"))
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("hartley: ")
    assert all(word in result.stderr for word in words), result.stderr
    assert sorted(path.name for path in tmp_path.rglob("*")) == before, "nothing may be left behind"


def test_pickled_weights_and_one_class_are_refused_before_anything_is_written(own: Path) -> None:
    pickled = own / "pickled"
    pickled.mkdir()
    for file in (own / "clip").glob("*.json"):
        (pickled / file.name).write_bytes(file.read_bytes())
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04K\x01.")
    refused = hartley("scan", "--target", f"hf:{pickled}", "--data", own / "pets", "--out", own / "never")
    assert refused.returncode == 2 and "unpickling" in refused.stderr.splitlines()[-1]
    single = own / "single"
    single.mkdir()
    for file in (own / "pets").glob("*.png"):
        (single / file.name).write_bytes(file.read_bytes())
    table = (own / "pets" / "metadata.csv").read_text()
    for name in NAMES:
        table = table.replace(f",{name}\n", ",cat\n")
    (single / "metadata.csv").write_text(table)
    refused = hartley("scan", "--target", f"hf:{own / 'clip'}", "--data", single, "--out", own / "never")
    assert refused.returncode == 2 and "no information to measure" in refused.stderr.splitlines()[-1]
    assert not (own / "never").exists()
    assert "Traceback" not in refused.stderr


def test_a_scan_of_own_model_and_pictures_ends_with_a_report_that_check_and_export_read(own: Path, finished) -> None:
    run, done = finished
    assert done.returncode == 0, done.stderr
    assert "left out: alignment-filter beside sga: it filters training pairs" in done.stderr
    assert "crossfire" in done.stdout and done.stdout.splitlines()[-1].startswith("report: ")
    again = hartley("scan", "--plan", own / "plan.toml", "--out", run, "--workers", 1)
    assert again.returncode == 0 and "4 of them there already" in again.stderr
    assert (run / "report.html").stat().st_size > 50_000
    exported = json.loads(hartley("report", run, "--json").stdout)
    statuses = {row["status"] for row in exported}
    assert statuses == {"measured"} and any(row["measure"] == "utility_bits" for row in exported)
    policy = own / "policy.toml"
    for place, why in (("under crossfire", "there is no service to attack"), ("under badclip", "the run has no such cell")):
        policy.write_text(f'rules = ["utility_bits.high <= 2.1 {place}"]\n')
        done = hartley("check", run, "--policy", policy)
        assert done.returncode == 2 and why in done.stdout, "a random CLIP is too weak to be robust"
    policy.write_text('rules = ["utility_bits.low >= 9 under crossfire"]\n')
    broken = hartley("check", run, "--policy", policy)
    assert broken.returncode == 1 and broken.stdout.startswith("there is no service to attack: crossfire, image")
    assert "\nbroken: utility_bits.low >= 9 under crossfire" in broken.stdout


def test_the_picture_in_the_run_holds_what_was_measured(own: Path, finished) -> None:
    """An adversarial picture is measured as its PNG: read back from the run and through the real processor it gives the same answer."""
    import numpy as np

    from hartley.targets.huggingface import load

    run, _ = finished
    encoder = load(own / "clip")
    checked = 0
    for file in (run / "cells").glob("*.json"):
        cell = json.loads(file.read_text())
        if cell["cell"]["threat"] != "crossfire" or cell["cell"]["defense"] != "none":
            continue
        prompts = encoder.embed_text([f"a photo of {name}" for name in sorted(NAMES)])
        for exhibit in cell["exhibits"]:
            picture = np.asarray(Image.open(run / exhibit["image"]["attacked"]).convert("RGB"))
            answer = int((encoder.embed_saved(picture[None]) @ prompts.T).argmax())
            assert sorted(NAMES)[answer] == exhibit["outcome_attacked"]
            checked += 1
    assert checked > 0


LIGHT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "safetensors", "soundfile"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import hartley.bits, hartley.bits.known
from hartley.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("arguments", [["list"], ["show", "sga"], ["report", "{run}", "--out", "{out}"], ["report", "{run}", "--json"]])
def test_without_the_models_extra_what_needs_no_model_works(finished, tmp_path, arguments):
    run, _ = finished
    filled = [part.format(run=run, out=tmp_path / "r.html") for part in arguments]
    done = subprocess.run([sys.executable, "-c", LIGHT, *filled], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_scan_without_the_models_extra_says_what_to_install(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("hartley.scan_command.find_spec", lambda name: None if name == "torch" else found(name))
    done = CliRunner().invoke(main, ["scan"])
    assert done.exit_code == 2
    assert done.output.splitlines() == ["hartley: a scan loads models; not installed: torch; takes: pip install -e '.[models]'"]
