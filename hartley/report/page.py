"""Builds the page: gathers what the templates show, renders them under a strict content policy, writes one file."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import hartley
from hartley import files
from hartley.report import answer as answers
from hartley.report import channelmap, facts, records, sentences, shapes, textdiff, visible, words
from hartley.report.exhibits import chosen, wrong_before
from hartley.report.lines import NONE, UNDER, Line, of
from hartley.report.media import MediaStore
from hartley.report.numbers import BITS, PLAIN, Number, figure
from hartley.report.records import Cell, Channel
from hartley.runs import atomic
from hartley.runs.folder import Run
from hartley.runs.integrity import unverified
from hartley.runs.plan import PLAN_BYTES
from hartley.runs.store import PLAN

HERE = Path(__file__).parent
ASIDE = (*words.LIMITS, "sent_bits")
"""Quantities with a place of their own: what an interface lets through, and what was sent."""


def build(run: Path) -> str:
    """The report of a run folder as one HTML document that loads nothing. Raises InputError for what is no run, or has a damaged plan."""
    read = Run.open(run)
    cells = records.cells(read)
    catalog = {row.id: row for row in facts.threats()}
    guards = facts.defenses()
    levels = facts.levels()
    lines = of(cells, list(catalog), list(guards))
    for line in lines:
        catalog.setdefault(line.threat, facts.unknown(line.threat))
    # Threats go by their id, which is what a user types and a paper's surname is not; defenses by their name.
    names = {row.id: row.id for row in catalog.values() if row.known} | {row.id: row.name for row in guards.values()}
    scale = _scale(lines)
    shelf = MediaStore(run)
    groups = _groups(lines)
    context = {
        "environment": read.environment,
        "plan_text": files.text(files.read(run / PLAN, PLAN_BYTES, root=run), run / PLAN),
        "strays": tuple(read.strays),
        "unverified": unverified(read.cells()),
        "left_out": read.plan.left_out(),
        "started": min((cell.started for cell in cells if cell.started), default=""),
        "lines": lines,
        "groups": groups,
        "catalog": catalog,
        "guards": guards,
        "names": names,
        "answer": answers.answer(lines, names, levels),
        "lanes": channelmap.lanes(lines, catalog, scale),
        "scale": scale,
        "exhibits": chosen([cell for group in groups for line in group for cell in line.cells], shelf),
        "shelf": shelf,
        "unrun": [row for row in catalog.values() if row.known and row.id not in {line.threat for line in lines}],
        "varies": _varies(lines),
        "cells": cells,
        "recipe": facts.recipe,
        "repeats": _repeats,
        "id_of": id,
        "fresh": itertools.count(1).__next__,
        "trials": _trials(lines),
        "spent": _spent(cells),
        "versions": _versions(read.environment),
        "version": hartley.__version__,
    }
    return _environment().get_template("page.jinja").render(**context, **_assets())


def write_report(run: Path, out: Path | None = None) -> Path:
    """Writes the report to `out` (default RUN/report.html), whole or not at all, and gives its path. Raises InputError."""
    target = run / "report.html" if out is None else out
    content = build(run).encode("utf-8")
    atomic.write(target, content)
    return target


def _environment() -> jinja2.Environment:
    """The templates with what they call; compiled once a process. Nothing in it belongs to one page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"said": visible.inline, "folded": visible.folded, "clipped": visible.clipped, "plainly": visible.plain}
    environment.filters["of_level"] = lambda threat, catalog: catalog[threat].level
    environment.globals |= {
        "bar": shapes.bar,
        "plot": shapes.plot,
        "changes": textdiff.Changes(),
        "quantity": words.title,
        "heading": words.heading,
        "meaning": words.meaning,
        "statement": words.statement,
        "figure": lambda value, unit=BITS: figure(value, unit),
        "measure": lambda value: figure(value, PLAIN),
        "ARMS": words.ARMS,
        "LEVELS": words.LEVELS,
        "FATES": words.FATES,
        "ASIDE": words.ASIDE,
        "KINDS": words.KINDS,
        "STATUSES": words.STATUSES,
        "GLOSSARY": words.GLOSSARY,
        "moment": _moment,
        "is_number": lambda part: isinstance(part, Number),
        "is_said": lambda part: isinstance(part, sentences.Said),
        "name_of": sentences.name_of,
        "others": _others,
        "limits": _limits,
        "wrong_before": wrong_before,
        "everything": _everything,
    }
    return environment


def _assets() -> Mapping[str, Any]:
    """Style and script with the hashes that alone the content policy lets act."""
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    policy = (
        "default-src 'none'; img-src data:; media-src data:; "
        f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )
    # The two files are ours, and neither may hold what would end its element.
    return {"style": Markup(style), "script": Markup(script), "policy": policy}  # noqa: S704


def _scale(lines: Sequence[Line]) -> float:
    """The bits that fill a bar: the largest ceiling or upper statement of utility and adversary bits, at least 1."""
    sizes = [1.0]
    for line in lines:
        sizes.append(line.possible_bits or 0.0)
        numbers = list(line.channel.bits.values()) if line.channel is not None else []
        for guard in line.guards:
            numbers += guard.channel.bits.values() if guard.channel is not None else []
        for number in numbers:
            if number.name in {"utility_bits", "adversary_bits"}:
                sizes += [value for value in (number.value, number.high) if value is not None]
    return max(sizes)


def _trials(lines: Sequence[Line]) -> str:
    """How many trials the numbers in bits rest on, as a span."""
    counts = [number.n for line in lines if line.channel is not None for number in line.channel.bits.values() if number.n]
    if not counts:
        return "none"
    low, high = min(counts), max(counts)
    return f"{low:,} an arm" if low == high else f"{low:,} to {high:,} an arm"


def _versions(environment: Mapping[str, Any]) -> str:
    """The versions that matter most, from the run's environment; empty when it names none."""
    known = [
        (label, environment.get(name)) for name, label in (("hartley", "Hartley"), ("torch", "torch"), ("transformers", "transformers"))
    ]
    return ", ".join(f"{label} {value}" for label, value in known if isinstance(value, str))


def _spent(cells: Sequence[Cell]) -> str:
    """Worker time of all cells together, in words; empty when none was recorded."""
    seconds = [cell.seconds for cell in cells if cell.seconds is not None]
    if not seconds:
        return ""
    total = sum(seconds)
    return f"{total:.0f} s of work" if total < 120 else f"{total / 60:.0f} min of work" if total < 7200 else f"{total / 3600:.1f} h of work"


def _moment(text: str) -> list[str]:
    """Date and time of a timestamp, each to be kept on one line; nothing for what is none."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", text)
    return [] if found is None else [found[1], f"{found[2]} {'UTC' if found[3] in ('Z', '+00:00') else found[3] or ''}".strip()]


def _repeats(cell: Cell, arm: str, cells: Sequence[Cell]) -> bool:
    """Whether a defended cell's arm is the undefended one that another cell shows already."""
    return cell.defense != NONE and arm in ("clean", "attacked") and any(other.defense == NONE and other.measured for other in cells)


def _others(channel: Channel) -> list[Number]:
    """What a channel measured without a defense besides utility and adversary bits, in the order of the vocabulary.

    A margin without an attack is only the null of the estimate, so it stays in the table of all numbers. Of what the embedding
    carries either the point stands here or, where it is withheld, the limit that needs no model.
    """
    order = {name: place for place, name in enumerate(words.QUANTITIES)}
    hidden = {(arm, kind) for arm in ("clean", "attacked") for kind in ("utility_bits", "adversary_bits")} | {("clean", "margin_bits")}
    for arm in ("clean", "attacked"):
        carried = channel.bits.get((arm, "embedding_bits"))
        hidden.add((arm, "embedding_bits" if carried is None or carried.value is None else "certified_bits"))
    known = channel.bits.items()
    found = [number for (arm, kind), number in known if arm in ("clean", "attacked") and (arm, kind) not in hidden and kind not in ASIDE]
    return sorted(found, key=lambda number: (order.get(number.name, len(order)), number.name, number.arm == "attacked"))


def _limits(line: Line) -> list[tuple[str, Number]]:
    """What the interface of a system lets through, where it was counted: (defense, number), the same number once."""
    found: list[tuple[str, Number]] = []
    sides = [(NONE, line.channel, ("clean", "attacked")), *((guard.defense, guard.channel, ("defended", *UNDER)) for guard in line.guards)]
    for name, channel, arms in sides:
        for kind in words.LIMITS if channel is not None else ():
            known = [number for arm in arms if channel is not None and (number := channel.bits.get((arm, kind))) is not None]
            known = [number for number in known if number.measured or number.unbounded]
            found += [(name, number) for at, number in enumerate(known) if not any(_same(number, other) for other in known[:at])]
    return found


def _same(one: Number, other: Number) -> bool:
    return (one.value, one.low, one.high, one.why) == (other.value, other.low, other.high, other.why)


def _everything(channel: Channel) -> list[Number]:
    """All bits and rates of a channel: quantities in the order of the vocabulary, arms in that of Evidence, rates last."""
    quantities, arms = list(words.QUANTITIES), list(words.ARMS)

    def place(number: Number) -> tuple[int, str, int]:
        first = quantities.index(number.name) if number.name in quantities else len(quantities)
        return first, number.name, arms.index(number.arm) if number.arm in arms else len(arms)

    return [*sorted(channel.bits.values(), key=place), *sorted(channel.rates, key=place)]


def _groups(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines of the same threat, target, seed and budget stand together."""
    return [list(group) for _, group in itertools.groupby(lines, key=lambda line: (line.threat, line.target, line.seed, line.budget))]


def _varies(lines: Sequence[Line]) -> tuple[str, ...]:
    """Which of target, seed and budget differ within the run, so that only those are repeated in labels."""
    return tuple(name for name in ("target", "seed", "budget") if len({getattr(line, name) for line in lines}) > 1)
