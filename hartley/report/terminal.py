"""The end of a scan on a terminal: the answer in sentences, and a table with a row a channel."""

from __future__ import annotations

from pathlib import Path

from hartley.report import answer as answers
from hartley.report import facts, records
from hartley.report.lines import Line, of
from hartley.report.numbers import Number
from hartley.report.sentences import plain as worded
from hartley.report.visible import plain
from hartley.report.words import LEVELS
from hartley.runs.folder import Run

HEAD = (
    "threat",
    "channel",
    "utility clean",
    "attacked",
    "adversary",
    "paper's metric (and without an attack)",
    "defense that helps most, and what it leaves",
)
NOTE = (
    "(bits per use, point [95% interval]; ~ the point is withheld and only the bracket is stated; - not measured; "
    "tied: helps, but not demonstrably more than every other defense)"
)


def summary(run: Path) -> list[str]:
    """The lines that `hartley scan` ends with. Whatever came from the run has its control characters made visible."""
    guards = facts.defenses()
    lines = of(records.cells(Run.open(run)), [row.id for row in facts.threats()], list(guards))
    names = {row.id: row.name for row in guards.values()} | {line.threat: line.threat for line in lines}
    told = answers.answer(lines, names, facts.levels())
    rows = [HEAD, *(_row(line) for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    beside = f"{LEVELS.get(told.beside_level, 'Beside it')}. {worded(told.beside)}" if told.beside else ""
    sentences = [*map(worded, (told.verdict, told.clean, told.attack, told.defense)), beside, worded(told.missing)]
    return [*table, NOTE, "", *(plain(text) for text in sentences if text)]


def _row(line: Line) -> tuple[str, ...]:
    if line.channel is None:
        return (plain(line.threat), "-", line.status, "", "", "", plain(line.why))
    rate = line.channel.headline("attacked")
    return (
        plain(line.threat),
        plain(line.name) + (" (no service to attack)" if line.weak else ""),
        _figure(line.number("utility_bits", "clean")),
        _figure(line.number("utility_bits", "attacked")),
        _figure(line.number("adversary_bits", "attacked")),
        "-" if rate is None else f"{plain(rate.name)} {_figure(rate)} ({rate.beside.removesuffix(' an attack')})",
        _defended(line),
    )


def _defended(line: Line) -> str:
    """The best defense and what it leaves to the user and the adversary; where several help and none is the best, the word for it."""
    found = line.rescue
    if not found.helping:
        return "none is demonstrably better" if found.compared else "-"
    guard = found.helping[0]
    wanted = [*(["utility"] if line.kind != "read" else []), *([] if line.jams_only else ["adversary"])]
    left = ", ".join(f"{side} {_figure(guard.number(f'{side}_bits', guard.hardest))}" for side in wanted)
    word = " (best)" if found.best is not None and found.compared > 1 else found.tied and " (tied)"
    return f"{plain(guard.defense)}{word}: {left}"


def _figure(number: Number) -> str:
    if not number.measured:
        return "-"
    if number.nil:
        return f"0 ({number.interval})"
    return f"~ [{number.interval}]" if number.value is None else f"{number.point} [{number.span or 'exact'}]"
