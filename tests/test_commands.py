"""Every option of every command: nothing empty is taken for something, nothing said twice is heard once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    assert added_up("--x", ("a,b", "c")) == "a,b,c" and added_up("--x", ()) is None and added_up("--x", ("a",)) == "a"
    lists = {(name, param.opts[0]) for name, param in options() if param.multiple}
    assert lists == {
        *(("scan", f"--{one}") for one in ("flows", "threats", "defenses", "seeds")),
        *(("bits", f"--{one}") for one in ("x", "y", "as")),
    }


@pytest.mark.parametrize("given", [(",",), ("a", ", ,")])
@pytest.mark.parametrize(("name", "param"), [one for one in ALL if one.values[1].multiple])
def test_a_list_that_names_nothing_is_an_error(name: str, param: click.Option, given: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, [name, *arguments(name), *(word for one in given for word in (param.opts[0], one))])
    assert done.exit_code == 2 and f"{param.opts[0]} names nothing" in done.output, done.output


def test_columns_and_kinds_of_bits_add_up(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b,c\n" + "".join(f"{n % 2},{n // 2 % 2},{n % 3}\n" for n in range(240)))
    once = CliRunner().invoke(main, ["bits", str(table), "--x", "a,b", "--y", "c", "--as", "x=symbols,y=symbols"])
    twice = ["bits", str(table), "--x", "a", "--x", "b", "--y", "c", "--as", "x=symbols", "--as", "y=symbols"]
    assert CliRunner().invoke(main, twice).output == once.output and once.exit_code == 0, once.output
