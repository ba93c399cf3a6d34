"""A recipe that another package brings is listed, scanned, reported and checked like ours, and nothing of ours is touched for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = (sys.executable, "-c", "from hartley.cli import main; main()")
RECIPE = '''
"""EncoderMI (Liu et al., CCS 2021): how close together an encoder puts the views of a picture."""
from hartley.channel import Channel, measure
from hartley.rows import EVERY, Rows, Sent, Symbols
from hartley.attacks.engine.membership import MEMBERSHIP, Audience, guess, membership_rates
from hartley.attacks.engine.perturbed import Models
from hartley.recipe import Recipe
from hartley.targets.embedding import embed_images


def encodermi(case):
    """Claim: an encoder puts the views of a picture that it was trained on closer together.
    Does: the cosine between a picture and its mirror image, of pictures split by coin.
    Left out: training; the target has seen none of them, so there is nothing to find.
    Bends: N.
    """
    audience = Audience.split(case.data, case.effort.members, case.generator("pairs"), case.generator("split"))
    images, rows = audience.pairs.images, audience.evaluated

    def ask(arm, encoder, payload):
        score = (embed_images(encoder, images) * embed_images(encoder, images.flip(-1))).sum(1)
        return Rows(outcome=guess(score, audience), score=score[rows].double())

    symbols, sent = Symbols((), MEMBERSHIP, MEMBERSHIP), Sent(adversary=audience.member[rows])
    return measure(case, Channel("views", "read", symbols, sent, Models(case, case.target, "views").asked, ask, arms=EVERY[:-1]))


RECIPE = Recipe(encodermi, membership_rates, fidelity="analogue", channels={"views": "read"})
'''


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of one recipe, as pip would install it."""
    root = tmp_path_factory.mktemp("site")
    (root / "more_threats").mkdir()
    (root / "more_threats" / "__init__.py").touch()
    (root / "more_threats" / "views.py").write_text(RECIPE)
    described = root / "more_threats-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: more-threats\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[hartley.recipes]\nencodermi = more_threats.views\n")
    return root


def hartley(package: Path, *arguments: object, code: int = 0) -> str:
    found = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == code, found.stderr
    return found.stdout


def test_a_recipe_of_another_package_is_listed_scanned_reported_and_checked(package: Path, tmp_path: Path) -> None:
    assert len(RECIPE.strip().splitlines()) <= 36
    listed = hartley(package, "list", "--status", "implemented", "--flow", "inferring")
    (row,) = [line for line in listed.splitlines() if "encodermi" in line]
    assert "implemented" in row
    assert "Training; the target has seen none of them" in " ".join(hartley(package, "show", "encodermi").split())
    run = tmp_path / "run"
    hartley(package, "scan", "--target", "reference:encoder", "--threats", "encodermi", "--defenses", "none", "--trials", 20, "--out", run)
    (cell,) = (run / "cells").iterdir()
    record = json.loads(cell.read_text())
    assert (record["status"], [part["name"] for part in record["channels"]]) == ("measured", ["views"])
    hartley(package, "report", run)
    assert "EncoderMI" in (run / "report.html").read_text()
    policy = tmp_path / "policy.toml"
    policy.write_text('rules = ["adversary_bits.low <= 0.5 under encodermi"]')
    assert "holds" in hartley(package, "check", run, "--policy", policy)
    # Its code is part of the key: where it changes the cell is measured again, and nothing else would be.
    module = package / "more_threats" / "views.py"
    module.write_text(RECIPE.replace("images.flip(-1)", "images.flip(-2)"))
    hartley(package, "scan", "--target", "reference:encoder", "--threats", "encodermi", "--defenses", "none", "--trials", 20, "--out", run)
    assert len(list((run / "cells").iterdir())) == 2


def test_an_entry_point_without_a_recipe_is_told_in_one_line(package: Path, tmp_path: Path) -> None:
    (tmp_path / "x-1.dist-info").mkdir()
    (tmp_path / "x-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1\n")
    (tmp_path / "x-1.dist-info" / "entry_points.txt").write_text("[hartley.recipes]\nencodermi = nothing_there\n")
    said = subprocess.run(
        [*COMMAND, "list"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert "entry point 'encodermi' of hartley.recipes: there is no module nothing_there" in said.stderr
