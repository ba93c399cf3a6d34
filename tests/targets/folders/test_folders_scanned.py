"""A folder of every family of the taxonomy's example models, scanned as hf:PATH on pictures and sounds of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from hartley.case import Case
from hartley.effort import Effort
from hartley.errors import InputError
from hartley.runs import resolve
from hartley.runs.execute import case_for
from hartley.runs.plan import NO_DEFENSE, Cell
from hartley.runs.shipped import PARTS, recipe

PICTURES = 48
TINY = Effort("tiny", trials=16, steps=2, poison_pairs=1, members=8, epochs=1, exact=1)
SCANNED = {
    "CLIP": ("crossfire", "encoder"),
    "BLIP retrieval": ("sga", "encoder"),
    "CLAP": ("adversarial-illusions", "encoder"),
    "BLIP captions": ("schlarmann", "answerer"),
    "BLIP answers": ("schlarmann", "answerer"),
    "MiniGPT-4": ("schlarmann", "answerer"),
    "Flamingo": ("schlarmann", "answerer"),
    "LLaVA": ("bagdasaryan-injection", "answerer"),
    "Qwen2-Audio": ("bagdasaryan-injection", "listener"),
    "Stable Diffusion": ("mma-diffusion", "generator"),
}
"""The folder, the threat, and the family that it is scanned as. CLAP stands for AudioCLIP, which has no folder of its own; DALL-E and GPT-4
are behind servers."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two kinds, each with a question, its answer, and a second of sound."""
    folder = tmp_path_factory.mktemp("data")
    draw = np.random.default_rng(0)
    rows = ["file_name,caption,label,audio,question,answer,options"]
    for number in range(PICTURES):
        kind = ("cat", "dog")[number % 2]
        Image.fromarray(draw.integers(0, 255, (32, 32, 3), np.uint8)).save(folder / f"{number}.png")
        soundfile.write(folder / f"{number}.wav", draw.normal(0, 0.1, 16_000), 16_000)
        rows.append(f"{number}.png,a photo of my {kind},{kind},{number}.wav,what is this,{kind},cat|dog")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


@pytest.mark.parametrize("name", SCANNED)
def test_a_folder_of_each_family_is_scanned(name: str, made: Callable[[str], Path], clip_folders: dict[str, Path], data: Path) -> None:
    threat, family = SCANNED[name]
    target = f"hf:{next(iter(clip_folders.values())) if name == 'CLIP' else made(name)}"
    assert resolve.families(target) == {family}
    loaded = resolve.load(target, "reference" if family == "generator" else str(data), needed=resolve.families(target))
    built = recipe(threat)
    case = case_for(Cell(target, threat, NO_DEFENSE, 0, "quick"), built, loaded, PARTS, {"effort": TINY, "stream": "folders"})
    assert isinstance(case, Case)
    tables = built.run(case)
    assert tables
    assert {table.channel for table in tables} <= set(built.channels)
    for table in tables:
        assert table.arms == ("clean", "attacked")
        assert built.rates(table)


def test_questions_need_answers_in_the_folder(made: Callable[[str], Path], data: Path, tmp_path: Path) -> None:
    for picture in data.glob("*.png"):
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
    (tmp_path / "metadata.csv").write_text(
        "file_name,caption,label\n" + "".join(f"{n}.png,a photo,{'ab'[n % 2]}\n" for n in range(PICTURES))
    )
    target = f"hf:{made('LLaVA')}"
    loaded = resolve.load(target, str(tmp_path))
    case = case_for(
        Cell(target, "schlarmann", NO_DEFENSE, 0, "quick"), recipe("schlarmann"), loaded, PARTS, {"effort": TINY, "stream": "s"}
    )
    with pytest.raises(Exception, match="the data asks no questions; a folder takes the columns question and answer"):
        recipe("schlarmann").run(case)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("0.png,a,what is it,,", "has the question 'what is it' and no answer"),
        ("0.png,a,,cat,", "has the answer 'cat' and no question"),
        ("0.png,a,what is it,cat,dog|bird", "the answer 'cat' is none of the options 'dog | bird'"),
        ("0.png,a,what is it,cat,cat", "options are 'cat'; two or more"),
        ("0.png,a,what is it,cat,cat|cat", "options are 'cat | cat'; two or more different"),
        ("0.png,a,,,cat|dog", "has options and no question"),
    ],
)
def test_a_question_is_checked_as_strictly_as_a_caption(tmp_path: Path, row: str, said: str) -> None:
    from hartley.data.metadata import read_rows

    (tmp_path / "metadata.csv").write_text(f"file_name,caption,question,answer,options\n{row}\n")
    with pytest.raises(InputError) as refusal:
        read_rows(tmp_path / "metadata.csv")
    assert "metadata.csv line 2: " in str(refusal.value)
    assert said in str(refusal.value)
