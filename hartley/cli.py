"""The command line. Commands import what they need inside their bodies, so that `hartley list` answers at once."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hartley import __version__
from hartley.errors import InputError, unknown

if TYPE_CHECKING:
    from hartley.catalog.words import Record


class Complaint(click.ClickException):
    """Wrong input, told on one line."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Writes "hartley: what was wrong" to standard error."""
        click.echo(f"hartley: {' '.join(self.format_message().split())}", file=file, err=True)


class House(click.Group):
    """The group of all commands: turns every kind of wrong input into one line and exit code 2."""

    def make_context(self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any) -> click.Context:
        with _one_line():
            return super().make_context(info_name, args, parent, **extra)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise unknown("command", args[0], self.commands)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _one_line():
            return super().invoke(ctx)


@contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise Complaint(str(error)) from error
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "hartley"
        raise Complaint(f"{error.format_message()} (see '{command} --help')") from error


@click.group(cls=House, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hartley", message="%(prog)s %(version)s")
def main() -> None:
    """Measure, in bits, what attacks take from a multimodal model, what they give the attacker, and what defenses win back."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@main.command("list")
@click.option("--flow", help="Only this flow: prediction, learning, inferring, action, interaction or memory.")
@click.option("--goal", help="Only this goal of the attacker, for example jailbreak or membership-inference.")
@click.option("--modality", help="Only threats that manipulate this: text, image or audio.")
@click.option("--knowledge", help="Only threats that work with this much knowledge of the model: white, grey or black.")
@click.option("--status", help="Only implemented, or only not-yet.")
@click.option("--defenses", "what", flag_value="defenses", help="List the defenses instead.")
@click.option("--models", "what", flag_value="models", help="List the taxonomy's example models instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(what: str | None, as_json: bool, **filters: str | None) -> None:
    """List the 73 threats of the taxonomy, and which of them can be run."""
    from hartley import catalog
    from hartley.catalog import words

    wanted = {name: value for name, value in filters.items() if value is not None}
    if what and wanted:
        raise InputError(f"--{min(wanted)} selects threats; with --{what} no filter is accepted")
    records: Sequence[Record]
    if what == "defenses":
        records, lines = catalog.defenses(), words.defense_table(catalog.defenses(), _width())
    elif what == "models":
        records, lines = catalog.models(), words.model_table(catalog.models(), _width())
    else:
        chosen = catalog.select(**wanted)
        records, lines = chosen, words.threat_table(chosen, _width())
    _tell([json.dumps([words.as_json(record) for record in records], indent=1)] if as_json else lines)


@main.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show all that is known of one threat, defense or example model."""
    from hartley import catalog
    from hartley.catalog import words

    record = catalog.record(name)
    _tell([json.dumps(words.as_json(record), indent=1)] if as_json else words.page(record, _width()))


def _width() -> int:
    """The terminal's width, or 0 (no limit) where the output is no terminal and COLUMNS is not set."""
    return shutil.get_terminal_size((0, 0)).columns


def _tell(lines: Sequence[str]) -> None:
    """Prints the lines, the first one bold and the word "implemented" green where the output is a terminal."""
    first, *rest = lines
    green = click.style("implemented", fg="green")
    text = "\n".join([click.style(first, bold=True), *(line.replace(" implemented", f" {green}") for line in rest)])
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
