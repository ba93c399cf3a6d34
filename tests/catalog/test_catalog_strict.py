"""A malformed file of the catalog is refused, with file, row and column named."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from hartley.catalog.load import HERE, PACKAGE, load
from hartley.catalog.recipes import Declared
from hartley.catalog.records import Threat
from hartley.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the catalog's files that a test may spoil."""
    for file in HERE.glob("*.csv"):
        shutil.copy(file, tmp_path)
    return tmp_path


def rewrite(path: Path, row: str, column: str, value: str) -> int:
    """Sets one cell of the row whose first cell is `row`; the row's number, counting the header as 1."""
    lines = list(csv.reader(path.open(encoding="utf-8")))
    number = next(index for index, line in enumerate(lines) if line[0] == row)
    lines[number][lines[0].index(column)] = value
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return number + 1


def test_a_faithful_copy_loads_equal(folder: Path) -> None:
    assert load(folder) == load()


@pytest.mark.parametrize(
    ("file", "row", "column", "value"),
    [
        ("threats.csv", "sga", "flow", "predictions"),
        ("threats.csv", "sga", "flow", "learning"),
        ("threats.csv", "sga", "level", "system"),
        ("threats.csv", "sga", "threat_class", "misled"),
        ("threats.csv", "sga", "goal", "Transfer"),
        ("threats.csv", "sga", "capability", "perturbation"),
        ("threats.csv", "sga", "modality_text", "YES"),
        ("threats.csv", "sga", "modality_audio", "n/a"),
        ("threats.csv", "sga", "flow_action", "no"),
        ("threats.csv", "p2sql", "flow_memory", "n/a"),
        ("threats.csv", "sga", "white_box", ""),
        ("threats.csv", "sga", "target_encoder", "1"),
        ("threats.csv", "sga", "affects_noise", "partly"),
        ("threats.csv", "sga", "sok_ref", "seventy-six"),
        ("threats.csv", "sga", "sok_ref", "0"),
        ("threats.csv", "sga", "name", ""),
        ("threats.csv", "sga", "reference", " padded "),
        ("threats.csv", "sga", "reference", "hidden\x1b[31mcolor"),
        ("threats.csv", "sga", "reference", "right-to-left \u202e override"),
        ("threats.csv", "sga", "id", "../../sga"),
        ("threats.csv", "sga", "id", "SGA"),
        ("models.csv", "clip", "family", "encoders"),
        ("models.csv", "clip", "inputs", "text;smell"),
        ("models.csv", "clip", "inputs", "text; image"),
        ("models.csv", "clip", "nearest_loadable", ""),
        ("defenses.csv", "jpeg", "stage", "inputs"),
        ("defenses.csv", "jpeg", "axis", "C"),
        ("defenses.csv", "jpeg", "differentiable", "maybe"),
        ("defenses.csv", "jpeg", "modalities", ""),
        ("requirements.csv", "sga", "needs", "grad;gradient"),
        ("requirements.csv", "sga", "needs", "grad;grad"),
        ("requirements.csv", "sga", "needs", ""),
        ("requirements.csv", "sga", "id", "sgb"),
        ("claims.csv", "carlini-aligned", "claimed", ""),
        ("claims.csv", "carlini-aligned", "id", "carlini"),
        ("notes.csv", "badclip", "id", "goodclip"),
        ("crosswalk.csv", "transferability", "applies_to", "goal=Transfer"),
        ("crosswalk.csv", "transferability", "applies_to", "flow=prediction"),
        ("crosswalk.csv", "transferability", "applies_to", "goal=Transferability;id=sgb"),
        ("crosswalk.csv", "transferability", "inferred", "AML.T9999"),
        ("crosswalk.csv", "transferability", "avid", "S0403;S0403"),
    ],
)
def test_a_wrong_cell_is_refused_by_file_row_and_column(folder: Path, file: str, row: str, column: str, value: str) -> None:
    number = rewrite(folder / file, row, column, value)
    with pytest.raises(InputError, match=f"^{re.escape(file)}, row {number}, column {column}: got ") as refused:
        load(folder)
    assert repr(value) in str(refused.value)
    assert "accepted: " in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("file", ["threats.csv", "models.csv", "defenses.csv", "crosswalk.csv", "requirements.csv", "notes.csv"])
def test_a_row_that_stands_twice_is_refused(folder: Path, file: str) -> None:
    lines = (folder / file).read_text(encoding="utf-8").splitlines()
    (folder / file).write_text("\n".join([*lines, lines[1]]), encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{re.escape(file)}, row {len(lines) + 1}, column (id|class): .* stands in row 2 already"):
        load(folder)


@pytest.mark.parametrize("file", ["threats.csv", "models.csv", "defenses.csv", "crosswalk.csv", "requirements.csv", "claims.csv"])
def test_a_short_row_is_refused(folder: Path, file: str) -> None:
    lines = (folder / file).read_text(encoding="utf-8").splitlines()
    (folder / file).write_text("\n".join([*lines, "alone"]), encoding="utf-8")
    with pytest.raises(InputError, match=rf"^{re.escape(file)}, row {len(lines) + 1}, column \w+: got 1 cells"):
        load(folder)


def test_a_missing_threat_is_refused(folder: Path) -> None:
    lines = (folder / "threats.csv").read_text(encoding="utf-8").splitlines()
    (folder / "threats.csv").write_text("\n".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(InputError, match=r"^threats.csv, column threat_class: got 11 rows of 'memory'; accepted: 12 \(73 in all\)"):
        load(folder)


def test_a_missing_model_is_refused(folder: Path) -> None:
    lines = (folder / "models.csv").read_text(encoding="utf-8").splitlines()
    (folder / "models.csv").write_text("\n".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(InputError, match=r"^models.csv: got 9 models"):
        load(folder)


def test_a_threat_without_needs_is_refused(folder: Path) -> None:
    lines = (folder / "requirements.csv").read_text(encoding="utf-8").splitlines()
    (folder / "requirements.csv").write_text("\n".join(line for line in lines if not line.startswith("sga,")), encoding="utf-8")
    with pytest.raises(InputError, match=r"^requirements.csv, column id: no row for sga"):
        load(folder)


WHOLE = '''
def vlattack(case):
    """Claim: c. Does: d.
    Left out: much, and
    more: a part.
    Bends: N.
    """
RECIPE = Recipe(vlattack, rates, fidelity="reduced", channels={}, quick=("jpeg",))
'''


def _with_a_recipe(folder: Path, package: Path, source: str) -> Threat:
    recipe = package / "attacks" / "prediction" / "vlattack.py"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(source)
    return load(folder, package).threats[0]


def test_what_a_recipe_declares_is_read_from_its_source(folder: Path, tmp_path: Path) -> None:
    row = _with_a_recipe(folder, tmp_path / "package", WHOLE)
    assert row.recipe == Declared("package.attacks.prediction.vlattack", "reduced", "Much, and more: a part.", ("jpeg",))
    assert (row.status, row.fidelity, row.left_out) == ("implemented", "reduced", "Much, and more: a part.")


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (WHOLE, "", "declares no recipe"),
        ("RECIPE = ", "OTHER = ", "declares no recipe"),
        ("vlattack, rates, ", "", "declares no recipe"),
        ('"reduced"', '"exact"', "fidelity of its recipe is 'exact'; it takes faithful, reduced, analogue"),
        ('fidelity="reduced", ', "", "fidelity of its recipe is None"),
        ('"reduced"', "FIDELITY", "fidelity of its recipe is FIDELITY; it takes a literal"),
        ('("jpeg",)', "QUICK", "quick of its recipe is QUICK; it takes a literal"),
        ("Left out", "Without", "the docstring of vlattack does not say what is left out"),
    ],
)
def test_a_recipe_that_does_not_say_what_it_is_is_refused(folder: Path, tmp_path: Path, before: str, after: str, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"vlattack.py: {why}")):
        _with_a_recipe(folder, tmp_path / "package", WHOLE.replace(before, after))


def test_without_recipes_nothing_is_implemented(folder: Path, tmp_path: Path) -> None:
    empty = load(folder, tmp_path / "nothing here")
    assert not any(row.implemented or row.fidelity for row in empty.threats)
    assert not any(row.implemented for row in empty.defenses)
    assert PACKAGE.name == "hartley"


def test_an_id_of_two_kinds_is_refused(folder: Path) -> None:
    rewrite(folder / "defenses.csv", "jpeg", "id", "clip")
    with pytest.raises(InputError, match="column id: 'clip' stands in two of them"):
        load(folder)


def test_other_columns_are_refused(folder: Path) -> None:
    text = (folder / "threats.csv").read_text(encoding="utf-8")
    (folder / "threats.csv").write_text(text.replace("sok_ref", "ref", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"^threats.csv, row 1: got the columns id, name, ref, .*; accepted: id, name, sok_ref"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'id,name\n"never closed'])
def test_a_broken_file_is_refused(folder: Path, content: bytes) -> None:
    (folder / "models.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"^models.csv"):
        load(folder)


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / "crosswalk.csv").unlink()
    with pytest.raises(InputError, match=r"^crosswalk.csv: cannot be read"):
        load(folder)
