"""The catalog in words: the table of `hartley list`, the page of `hartley show`, and the same as JSON values."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import fields

from hartley.catalog.records import DefenseRow, Model, Threat

Record = Threat | Model | DefenseRow
GAP = "  "


def as_json(record: Record) -> dict[str, object]:
    """All fields of a record as JSON values, with its status; sets come sorted."""
    values: dict[str, object] = {field.name: getattr(record, field.name) for field in fields(record) if field.name != "recipe"}
    if isinstance(record, Threat):
        values |= {"implemented": record.implemented, "fidelity": record.fidelity, "left_out": record.left_out}
        values["needs"] = sorted(record.needs)
        values["crosswalk"] = [
            {
                "class": row.subject,
                "applies_to": list(row.applies_to),
                "links": [{"vocabulary": link.vocabulary, "id": link.id, "inferred": link.inferred} for link in row.links],
            }
            for row in record.crosswalk
        ]
    if not isinstance(record, Model):
        values["status"] = record.status
    return values


def threat_table(threats: Sequence[Threat], width: int) -> list[str]:
    """The lines of a table by flow, none longer than `width` characters (0: as long as needed), and a last line that counts."""
    rows = [
        (
            threat.id,
            threat.status,
            threat.goal,
            _letters(("text", "image", "audio"), threat.modalities, partly=_partly(threat)),
            _letters(("white", "grey", "black"), threat.knowledge),
            threat.reference,
        )
        for threat in threats
    ]
    header = ("id", "status", "goal", "TIA", "WGB", "reference")
    lines = aligned(header, rows, width, least=(14, 11, 9, 3, 3, 24), indent="  ")
    out = [lines[0]]
    flow = ""
    for threat, line in zip(threats, lines[1:], strict=True):
        if threat.flow != flow:
            flow = threat.flow
            out.append(clipped(f"{flow} ({threat.level} level, {threat.threat_class})", width))
        out.append(line)
    done = sum(threat.implemented for threat in threats)
    legend = "T text, I image, A audio (small letter: in part). W white, G grey, B black box."
    return [*out, "", *_wrapped(legend, width), f"{done} implemented, {len(threats) - done} not yet"]


def defense_table(defenses: Sequence[DefenseRow], width: int) -> list[str]:
    """The lines of a table of defenses, none longer than `width` characters (0: as long as needed)."""
    rows = [(row.id, row.status, row.stage, ",".join(row.modalities), row.axis, row.mechanism) for row in defenses]
    lines = aligned(("id", "status", "stage", "acts on", "axis", "mechanism"), rows, width, least=(14, 11, 8, 7, 4, 24))
    done = sum(row.implemented for row in defenses)
    return [*lines, "", *_wrapped("Axis: S signal, N noise, B bandwidth.", width), f"{done} implemented, {len(defenses) - done} not yet"]


def model_table(models: Sequence[Model], width: int) -> list[str]:
    """The lines of a table of the taxonomy's example models, none longer than `width` characters (0: as long as needed)."""
    rows = [(row.id, row.family, ",".join(row.inputs), ",".join(row.outputs), row.nearest_loadable) for row in models]
    lines = aligned(("id", "family", "inputs", "outputs", "nearest loadable"), rows, width, least=(14, 9, 10, 9, 24))
    return [*lines, "", *_wrapped("Example models of the taxonomy; a row is no claim that an adapter exists.", width)]


def page(record: Record, width: int) -> list[str]:
    """All that is known of one record: a title, then a labeled line or paragraph for each thing."""
    if isinstance(record, Threat):
        title, body = f"{record.id}: {record.name} [{record.sok_ref}]", _threat_facts(record)
    elif isinstance(record, DefenseRow):
        title, body = f"{record.id}: {record.name}", _defense_facts(record)
    else:
        title, body = f"{record.id}: {record.name}", _model_facts(record)
    lines = [*_wrapped(title, width), ""]
    for label, value in body:
        lines += _wrapped(value, width, f"  {label:<13}", " " * 15)
    if isinstance(record, Threat):
        lines += ["", *_crosswalk(record, width)]
    return lines


def _threat_facts(threat: Threat) -> list[tuple[str, str]]:
    by_column = {
        "input": threat.flow_input,
        "model": threat.flow_model,
        "output": threat.flow_output,
        "action": threat.flow_action,
        "interaction": threat.flow_interaction,
        "memory": threat.flow_memory,
    }
    targets = {
        "encoder": threat.target_encoder,
        "image or text to image": threat.target_i_t2i,
        "image or text to text": threat.target_i_t2t,
        "audio to text": threat.target_a2t,
    }
    part = _partly(threat)
    facts = [
        ("reference", threat.reference),
        ("status", threat.status + (f" ({threat.fidelity})" if threat.fidelity else "")),
        ("left out", threat.left_out or ""),
        ("claimed", threat.claimed or "no checked number on record"),
        ("needs", f"{', '.join(sorted(threat.needs))} (the least, of the target or of a named surrogate)"),
        ("level", f"{threat.level} ({threat.threat_class})"),
        ("flow", threat.flow),
        ("goal", threat.goal),
        ("capability", threat.capability),
        ("modalities", _list([f"{name} (in part)" if name in part else name for name in threat.modalities])),
        ("exploits", _list([name for name, cell in by_column.items() if cell == "yes"])),
        ("bends", _list(threat.bends)),
        ("knowledge", _list([f"{name}-box" for name in threat.knowledge])),
        ("targets", _list([name for name, cell in targets.items() if cell == "yes"])),
        ("note", threat.note or ""),
    ]
    return [(label, value) for label, value in facts if value]


def _defense_facts(row: DefenseRow) -> list[tuple[str, str]]:
    axis = {"S": "signal", "N": "noise", "B": "bandwidth"}[row.axis]
    return [
        ("reference", row.reference),
        ("status", row.status),
        ("mechanism", row.mechanism),
        ("level", row.level),
        ("stage", row.stage),
        ("acts on", ", ".join(row.modalities)),
        ("wraps", ", ".join(row.wraps)),
        ("axis", f"{row.axis} ({axis})"),
        (
            "gradient",
            "differentiable" if row.differentiable else "not differentiable: attacked through a straight-through gradient as well",
        ),
        ("randomness", "stochastic: attacked in expectation over its noise" if row.stochastic else "none"),
    ]


def _model_facts(row: Model) -> list[tuple[str, str]]:
    return [
        ("family", row.family),
        ("typical task", row.typical_task),
        ("inputs", ", ".join(row.inputs)),
        ("outputs", ", ".join(row.outputs)),
        ("nearest", row.nearest_loadable),
        ("note", "An example model of the taxonomy; this row is no claim that an adapter exists."),
    ]


def _crosswalk(threat: Threat, width: int) -> list[str]:
    if not threat.crosswalk:
        return ["Crosswalk: none on record"]
    lines = _wrapped("Crosswalk to other vocabularies (~ marks a link that is our own judgement)", width)
    for row in threat.crosswalk:
        lines += ["", f"  {row.subject}"]
        for vocabulary in dict.fromkeys(link.vocabulary for link in row.links):
            ids = ", ".join(f"{'~' * link.inferred}{link.id}" for link in row.links if link.vocabulary == vocabulary)
            lines += _wrapped(f"{vocabulary}: {ids}", width, " " * 4, " " * 6)
    return lines


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], width: int, least: Sequence[int], indent: str = "") -> list[str]:
    """Header and rows in columns, within `width` characters (0: no limit).

    Where they do not fit, the last column is shortened down to its least width, then left out, then the one before it.
    """
    sizes = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    while width and (excess := len(indent) + sum(sizes) + len(GAP) * (len(sizes) - 1) - width) > 0:
        if sizes[-1] - excess >= least[len(sizes) - 1] or len(sizes) == 1:
            sizes[-1] = max(sizes[-1] - excess, 1)
            break
        sizes.pop()
    return [
        indent + GAP.join(clipped(cell, size).ljust(size) for cell, size in zip(row, sizes, strict=False)).rstrip()
        for row in (header, *rows)
    ]


def clipped(text: str, width: int) -> str:
    """The text, cut to `width` characters (0: no limit) with two dots where something is missing."""
    return text if not width or len(text) <= width else text[: max(width - 2, 0)] + ".."[:width]


def _letters(names: Sequence[str], present: Sequence[str], partly: Sequence[str] = ()) -> str:
    return "".join("-" if name not in present else name[0].lower() if name in partly else name[0].upper() for name in names)


def _partly(threat: Threat) -> list[str]:
    return [name for name in threat.modalities if getattr(threat, f"modality_{name}") == "partly"]


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(text, max(width, 40), initial_indent=first, subsequent_indent=rest) if width else [first + text]
