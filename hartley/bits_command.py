"""`hartley bits`: the statement for a user's own samples. Imports what it needs inside, as every command does."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hartley.commands import Careful, added_up
from hartley.errors import InputError
from hartley.printing import echo

if TYPE_CHECKING:
    from hartley.bits.files.samples import Sort

_SHOW_FROM_BYTES = 2**25


@click.command("bits", cls=Careful)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--x", multiple=True, help="Columns or arrays that go in: names, or numbers and ranges from 1, with commas between.")
@click.option("--y", multiple=True, help="Columns or arrays that come out, in the same way.")
@click.option("--cluster", help="The column that names what a row belongs to (a document, a session): limits are then over whole ones.")
@click.option(
    "--as", "kinds", multiple=True, help="symbols or numbers, for both sides; or x=symbols,y=numbers. By default the data decides."
)
@click.option("--prior", help="The law the symbols are drawn by: uniform, or a CSV file of symbol,probability.")
@click.option("--header/--no-header", default=None, help="Whether the first line of a table holds names; found out by default.")
@click.option("--rows", type=click.IntRange(100), help="Measures of numbers look at this many rows, drawn at random; 20000 by default.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of every random draw.")
@click.option("--all", "everything", is_flag=True, help="Also the readings along single directions of an embedding.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bits(
    file: Path,
    x: tuple[str, ...],
    y: tuple[str, ...],
    cluster: str | None,
    kinds: tuple[str, ...],
    prior: str | None,
    header: bool | None,
    rows: int | None,
    seed: int,
    everything: bool,
    as_json: bool,
) -> None:
    """Say in bits what one column or array of FILE tells about another.

    FILE is .npz, .npy, .csv or .tsv, or - for a table on standard input. Two columns, x and y, are a channel, one row for each use of it.
    What fits the data is measured: symbols are counted, vectors beside labels are read as an embedding, numbers beside numbers go
    to several estimators that must agree, a number beside two labels is a score with a threshold. Rows that repeat or follow
    each other are no trials of their own: that is said, and no number is given until --cluster names what they belong to.
    Every number comes with limits that hold, and a point that cannot be trusted is withheld.
    """
    goes_in, comes_out, sorts = added_up("--x", x), added_up("--y", y), _sorts(added_up("--as", kinds))
    from hartley.bits.files.prior import prior_facts, read_prior
    from hartley.bits.files.samples import read_samples
    from hartley.bits.files.statement import MOST_ROWS, planned, statement

    law = None if prior is None else read_prior(prior)
    with _meter(file) as meter:
        samples = read_samples(file, goes_in, comes_out, cluster=cluster, sorts=sorts, header=header, progress=meter)
    plan = planned(samples, rows=rows or MOST_ROWS, seed=seed)
    facts = (*plan.facts, *prior_facts(law))
    said = statement(plan.samples, prior=law, everything=everything, dependent=plan.dependent, seed=seed, told=_told)
    if as_json:
        record = {
            "facts": list(facts),
            "rows": samples.rows,
            "measured_rows": plan.samples.rows,
            "seed": seed,
            "statements": [{"words": str(one), **one.bits.to_json()} for one in said],
        }
        _told("")
        echo(json.dumps(record, indent=1))
        return
    width = shutil.get_terminal_size((0, 0)).columns
    first = next(said)  # before anything is printed: whatever is wrong with the samples is wrong by now
    for line in itertools.chain(facts, map(str, itertools.chain([first], said))):
        _told("")
        echo(textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False) if width > 20 else line)


def _sorts(text: str | None) -> dict[str, Sort]:
    """What --as says of x and of y."""
    sorts: dict[str, Sort] = {}
    for part in (text or "").split(","):
        side, equals, sort = part.strip().rpartition("=")
        if text is not None and (sort not in ("symbols", "numbers") or (bool(equals) and side not in ("x", "y"))):
            raise InputError(f"--as: got {part!r}, takes symbols or numbers, or x=symbols,y=numbers")
        for end in (side,) if equals else "xy":
            if sort == "symbols":
                sorts[end] = "symbols"
            elif sort == "numbers":
                sorts[end] = "numbers"
    return sorts


@contextmanager
def _meter(file: Path) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error while a large table is read on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty() or str(file) == "-" or not file.is_file() or file.stat().st_size < _SHOW_FROM_BYTES:
        yield None
        return
    with click.progressbar(length=file.stat().st_size, label="reading", file=sys.stderr) as bar:
        yield lambda done, _: bar.update(done - bar.pos)


def _told(what: str) -> None:
    """What is being measured, on standard error while it lasts, on a terminal."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{what and f'measuring {what} ...'}", nl=False, err=True)
