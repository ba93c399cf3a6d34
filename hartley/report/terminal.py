"""The end of a scan on a terminal: the answer in sentences, and a table with a row a channel."""

from __future__ import annotations

from pathlib import Path

from hartley.report import answer as answers
from hartley.report import facts, folder
from hartley.report.lines import Line, of
from hartley.report.numbers import Number
from hartley.report.visible import plain
from hartley.report.words import LEVELS

HEAD = ("threat", "channel", "utility clean", "attacked", "adversary", "paper's metric", "best defense leaves")


def summary(run: Path) -> list[str]:
    """The lines that `hartley scan` ends with. Whatever came from the run has its control characters made visible."""
    read = folder.read(run)
    guards = facts.defenses()
    levels = facts.levels()
    lines = of(read, [row.id for row in facts.threats()], list(guards), levels)
    names = {row.id: row.name for row in guards.values()} | {line.threat: line.threat for line in lines}
    told = answers.answer(lines, names, levels)
    rows = [HEAD, *(_row(line) for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    beside = f"{LEVELS.get(told.beside_level, 'Beside it')}. {answers.plain(told.beside)}" if told.beside else ""
    parts = (told.verdict, told.clean, told.attack, told.defense)
    sentences = [text for text in (*map(answers.plain, parts), beside, answers.plain(told.missing)) if text]
    return [
        *table,
        "(bits per use, point [95% interval]; ~ the point is withheld and only the bracket is stated)",
        "",
        *map(plain, sentences),
    ]


def _row(line: Line) -> tuple[str, ...]:
    rate = line.channel.headline("attacked") if line.channel is not None else None
    best = line.best
    left = "-" if best is None else f"{_figure(best.number(_kind(line), best.hardest))} {best.defense}"
    if line.status != "measured":
        return (line.threat, "-", line.status, "", "", "", plain(line.why))
    return (
        line.threat,
        plain(line.name),
        _figure(line.number("utility_bits", "clean")),
        _figure(line.number("utility_bits", "attacked")),
        _figure(line.number("adversary_bits", "attacked")),
        "-" if rate is None else f"{plain(rate.name)} {_figure(rate)}",
        left,
    )


def _kind(line: Line) -> str:
    return "adversary_bits" if line.kind == "read" else "utility_bits"


def _figure(number: Number) -> str:
    if not number.measured:
        return "-"
    return f"{'~' if number.value is None else number.point} [{number.interval}]"
