"""The documents of the measures: their code runs and prints what they say, their pictures are there and are what the code draws."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest

from hartley import catalog

ROOT = Path(__file__).parents[2]
EXPLANATION = ROOT / "docs" / "explanation" / "bits.md"
DOCUMENTS = (EXPLANATION, ROOT / "docs" / "how-to" / "measure-your-own-channel.md")
PICTURES = sorted((ROOT / "docs" / "images" / "bits").glob("*.svg"))


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


documents = tool("documents")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_code_runs_and_prints_what_is_said(document: Path) -> None:
    blocks = 0
    for one in documents.printed(document):
        assert one.agrees, f"{document.name}, line {one.line}, says:\n{one.said}and prints:\n{one.got}"
        blocks += 1
    assert blocks >= 3


@pytest.mark.parametrize(
    ("said", "got", "agrees"),
    [
        ("0.500 bits, n=100", "0.507 bits,  n=100", True),
        ("0.500 bits", "0.550 bits", False),
        ("n = 10,000", "n = 10,001", False),
        ("withheld", "given", False),
        ("1.0 2.0", "1.0", False),
    ],
)
def test_the_comparison_itself(said: str, got: str, agrees: bool) -> None:
    assert documents.Printed(1, said, got, 0, 0).agrees == agrees


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```\w*\n.*?^```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert [target for target in targets if target and not (document.parent / target).is_file()] == []


def test_every_section_of_the_explanation_has_its_picture_and_says_when_it_is_withheld() -> None:
    _, *sections = re.split(r"^## ", EXPLANATION.read_text(encoding="utf-8"), flags=re.M)
    measures = [section for section in sections if "![" in section]
    assert len(measures) >= 15
    for section in measures:
        title = section.splitlines()[0]
        assert "**Withheld" in section, title
        assert "```python" in section, title
    shown = re.findall(r"!\[[^\]]{20,}\]\(\.\./images/bits/([a-z-]+)\.svg\)", EXPLANATION.read_text(encoding="utf-8"))
    assert sorted(shown) == [path.stem for path in PICTURES]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_pictures_are_well_formed_described_and_load_nothing(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    names = [child.tag.rpartition("}")[2] for child in root]
    assert names[:2] == ["title", "desc"]
    assert all(root[place].text for place in (0, 1))
    assert not re.search(r"href|<script|url\(|nan|inf\b", text)
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    for element in root.iter():
        if element.tag.endswith("text"):
            assert 0 <= float(element.attrib["x"]) <= width
            assert 0 <= float(element.attrib["y"]) <= height
    assert "prefers-color-scheme:dark" in text


@pytest.mark.slow
def test_the_same_code_draws_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "tools/pictures", str(tmp_path)], cwd=ROOT, check=True)
    drawn = sorted(tmp_path.glob("*.svg"))
    assert [path.name for path in drawn] == [path.name for path in PICTURES]
    for path in drawn:
        assert path.read_bytes() == (ROOT / "docs" / "images" / "bits" / path.name).read_bytes(), path.name


def test_the_readme_names_exactly_the_threats_that_have_a_recipe() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## What can be run, and what cannot")[2].partition("\n## ")[0]
    rows = {line.split("|")[1].strip(): line for line in section.splitlines() if line.startswith("|") and "`" in line}
    named = {flow: set(re.findall(r"`([a-z0-9-]+)`", line)) for flow, line in rows.items()}
    ready = [row for row in catalog.threats() if row.implemented]
    assert named == {flow: {row.id for row in ready if row.flow == flow} for flow in {row.flow for row in ready}}
    words = {19: "Nineteen", 54: "54"}
    assert f"{words[len(ready)]} threats are implemented and {words[73 - len(ready)]} are not yet" in section
