"""Commands in the documents: the command line takes every one of them as it stands there, and has every option that is named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from hartley.cli import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
COMMAND = re.compile(r"(?:^|\$ |`)(?:\.venv/bin/)?hartley ([a-z][^\n`]*)", re.M)
OPTION = re.compile(r"`(--[a-z][a-z-]*)")
OF_OTHERS = {"--enable-auto-tool-choice": "vLLM", "--no-deps": "pip", "--jinja": "llama.cpp"}
OPTIONS = {name for command in main.commands.values() for param in command.params for name in (*param.opts, *param.secondary_opts)}


def commands() -> list[object]:
    found = [(path, match[1].strip()) for path in DOCUMENTS for match in COMMAND.finditer(path.read_text(encoding="utf-8"))]
    return [pytest.param(words, id=f"{path.stem}-{place}") for place, (path, words) in enumerate(found)]


@pytest.mark.parametrize("words", commands())
def test_every_command_is_taken_as_it_stands(words: str) -> None:
    name, *rest = shlex.split(words, comments=True)
    assert name in main.commands, words
    command = main.commands[name]
    parent = click.Context(main, info_name="hartley")
    try:
        command.make_context(name, rest, parent=parent)
    except click.MissingParameter:
        assert not any(word.startswith("-") for word in rest), words  # only the command's name, in the middle of a sentence


def test_there_are_commands_and_a_wrong_one_would_be_noticed() -> None:
    assert len(commands()) > 20
    parent = click.Context(main, info_name="hartley")
    with pytest.raises(click.UsageError):
        main.commands["scan"].make_context("scan", ["--treats", "sga"], parent=parent)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_every_option_that_is_named_is_there(path: Path) -> None:
    named = set(OPTION.findall(path.read_text(encoding="utf-8")))
    assert named - OPTIONS - set(OF_OTHERS) == set()


def test_nothing_is_installed_from_an_index_that_does_not_have_it() -> None:
    said = (*DOCUMENTS, ROOT / "CHANGELOG.md", *(ROOT / "hartley").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py"))
    from_an_index = re.compile(r"pip install (?:-\S+ )*['\"]?hartley\b")
    assert [path.name for path in said if from_an_index.search(path.read_text(encoding="utf-8"))] == []
