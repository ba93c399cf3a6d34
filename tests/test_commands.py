"""Every option of every command: nothing empty is taken for something, nothing said twice is heard once."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from hartley.cli import main
from hartley.commands import Careful, added_up


def options() -> Iterator[tuple[str, click.Option]]:
    for name, command in main.commands.items():
        assert isinstance(command, Careful), name
        for param in command.params:
            if isinstance(param, click.Option) and not param.is_flag:
                yield name, param


def arguments(name: str) -> list[str]:
    return ["x" for param in main.commands[name].params if isinstance(param, click.Argument)]


ALL = [pytest.param(name, param, id=f"{name} {param.opts[0]}") for name, param in options()]


@pytest.mark.parametrize("blank", ["", " ", "\t"])
@pytest.mark.parametrize(("name", "param"), ALL)
def test_an_empty_option_is_an_error_that_names_it(name: str, param: click.Option, blank: str) -> None:
    for given in ([param.opts[0], blank], [f"{param.opts[0]}={blank}"]):
        done = CliRunner().invoke(main, [name, *arguments(name), *given])
        assert done.exit_code == 2 and param.opts[0] in done.output, done.output
        assert len(done.output.strip().splitlines()) == 1


@pytest.mark.parametrize(("name", "param"), [one for one in ALL if not one.values[1].multiple])
def test_an_option_that_takes_one_value_is_not_given_twice(name: str, param: click.Option) -> None:
    value = {"integer range": "200", "integer": "200", "float": "200"}.get(param.type.name, "x")
    if isinstance(param.type, click.Choice):
        value = str(param.type.choices[0])
    done = CliRunner().invoke(main, [name, *arguments(name), param.opts[0], value, param.opts[0], value])
    assert done.exit_code == 2 and f"{param.opts[-1]} is given 2 times" in done.output, done.output


@pytest.mark.parametrize("name", [name for name in main.commands if arguments(name)])
def test_an_empty_argument_is_an_error(name: str) -> None:
    needed = ["--policy", "x"] if name == "check" else []
    done = CliRunner().invoke(main, [name, "", *arguments(name)[1:], *needed])
    assert done.exit_code == 2 and "is empty" in done.output


def test_repeated_lists_add_up() -> None:
    assert added_up(("a,b", "c")) == "a,b,c" and added_up(()) is None and added_up(("a",)) == "a"
    lists = {param.opts[0] for name, param in options() if param.multiple and name == "scan"}
    assert lists == {"--flows", "--threats", "--defenses", "--seeds"}
