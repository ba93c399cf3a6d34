"""The command line. Commands import what they need inside their bodies, so that `hartley list` answers at once."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hartley import __version__
from hartley.bits_command import bits
from hartley.commands import Careful
from hartley.errors import InputError, unknown
from hartley.models_command import models
from hartley.printing import echo, plain, printable, tell
from hartley.scan_command import scan
from hartley.serve_command import serve

if TYPE_CHECKING:
    from hartley.catalog.words import Record


class Complaint(click.ClickException):
    """Wrong input, told on one line."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Writes "hartley: what was wrong" to standard error."""
        click.echo(printable(f"hartley: {' '.join(self.format_message().split())}"), file=file, err=True)


class House(click.Group):
    """The group of all commands: turns every kind of wrong input into one line and exit code 2."""

    command_class = Careful

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
    except MemoryError:
        raise Complaint("out of memory: what was to be read or computed needs more than there is here") from None
    except RecursionError:
        raise Complaint("what was read is nested too deeply") from None
    except BrokenPipeError:  # whoever read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise Complaint(f"the output cannot be written: {(error.strerror or 'the device refuses').lower()}") from None
        raise
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


main.add_command(bits)
main.add_command(models)
main.add_command(scan)
main.add_command(serve)


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
    tell([json.dumps([words.as_json(record) for record in records], indent=1)] if as_json else lines)


@main.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show all that is known of one threat, defense or example model."""
    from hartley import catalog
    from hartley.catalog import words

    record = catalog.record(name)
    tell([json.dumps(words.as_json(record), indent=1)] if as_json else words.page(record, _width()))


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file to write; RUN/report.html by default, standard output for --json and --csv."
)
@click.option("--json", "form", flag_value="json", help="Export every number as JSON instead.")
@click.option("--csv", "form", flag_value="csv", help="Export every number as CSV instead.")
def report(run: Path, out: Path | None, form: str | None) -> None:
    """Write the report of a run: one HTML file that needs no network."""
    if form is None:
        from hartley.report.page import write_report

        echo(f"report: {write_report(run, out)}")
        return
    from hartley.runs.export import to_csv, to_json
    from hartley.runs.folder import Run

    text = (to_json if form == "json" else to_csv)(Run.open(run))
    if out is None:
        if sys.stdout.isatty():  # a program that reads the export gets it as it is
            text = "".join(f"{printable(line)}\n" for line in text.splitlines())
        click.echo(text, nl=False)
        return
    from hartley.runs.atomic import write

    write(out, text.encode())
    echo(f"export: {out}")


@main.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--policy", required=True, type=click.Path(path_type=Path), help="A TOML file with a list named rules.")
def check(run: Path, policy: Path) -> None:
    """Hold a run against a policy: exit 1 if a rule is broken, 2 if something it needs was not measured.

    A rule that holds only because the target cannot do the task without an attack counts as not measured.
    """
    from hartley import catalog
    from hartley.runs import check as judge
    from hartley.runs.folder import Run
    from hartley.runs.integrity import unverified

    opened = Run.open(run)
    result = judge.check(opened, judge.read_policy(policy), catalog)
    if old := unverified(opened.cells()):
        echo(old)
    for line in (*(f"there is no service to attack: {line}" for line in result.weak), *map(str, result.verdicts)):
        echo(plain(line))
    echo(f"{len(result.broken)} broken, {len(result.unmeasured)} not measured, of {len(result.verdicts)} rules")
    raise SystemExit(result.exit_code)


def _width() -> int:
    """The terminal's width, or 0 (no limit) where the output is no terminal and COLUMNS is not set."""
    return shutil.get_terminal_size((0, 0)).columns
