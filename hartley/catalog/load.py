"""Builds the catalog from its CSV files, checking every cell and every reference from one file to another.

Nothing is imported to find out what is implemented: a threat is, exactly when there is a recipe, whose source says the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from hartley.catalog.recipes import declared
from hartley.catalog.records import Catalog, CrosswalkRow, DefenseRow, Link, Model, Threat
from hartley.catalog.rows import Row, read
from hartley.errors import InputError

HERE = Path(__file__).parent
PACKAGE = HERE.parent

CLASSES = {
    "misleading": ("model", "prediction", 25),
    "mislearning": ("model", "learning", 10),
    "inferring": ("model", "inferring", 7),
    "action": ("system", "action", 13),
    "interaction": ("system", "interaction", 6),
    "memory": ("system", "memory", 12),
}
"""The taxonomy's threat classes: level, flow, and how many rows of the table each has (73 in all)."""

FLOWS = tuple(flow for _, flow, _ in CLASSES.values())
MODALITIES = ("text", "image", "audio")
KNOWLEDGE = ("white", "grey", "black")
NEEDS = ("grad", "hidden", "logprob", "score", "text", "train")
"""The capabilities of hartley.targets.protocols, spelled again because that module imports torch; a test holds them equal."""
GOALS = (
    *("Adversarial", "Jailbreak", "Transferability", "Latency", "Backdoor", "Data Poisoning", "Attack Efficiency"),
    *("Membership Inference", "Data Extraction", "Prompt Stealing", "Manipulated Behavior", "Prompt Leaking", "Goal Hijacking"),
    *("Malicious Code", "Malicious Payload", "Privacy Leaking", "Disinformation"),
)
ATTACKER_CAPABILITIES = (
    *("Perturbation", "Structure", "Mismatching", "Trigger adding", "Similarity", "Prompt", "Distribution", "Misdirecting", "Injection"),
    *("Goal Hijacking", "Indirect Injection", "Malicious Adapter", "Infectious", "Toxicity Injection", "Prompt Infection"),
    *("RAG Poisoning", "RAG Leaking"),
)
VOCABULARIES = {
    "atlas_2026.09": "ATLAS 2026.09",
    "owasp_llm_2026": "OWASP Top 10 for LLM applications 2026",
    "owasp_agentic_2026": "OWASP Top 10 for agentic applications 2026",
    "owasp_agentic_threats": "OWASP agentic threats and mitigations, T1 to T17",
    "nist_ai_100_2_e2025": "NIST AI 100-2 E2025",
    "avid": "AVID",
    "cwe": "CWE",
}
"""Columns of crosswalk.csv by the name that is shown: an identifier is never shown without its edition, where it has one."""

MODALITY_CELLS = ("modality_text", "modality_image", "modality_audio")
SYSTEM_CELLS = ("flow_action", "flow_interaction", "flow_memory")
PLAIN_CELLS = (
    *("flow_input", "flow_model", "flow_output", "affects_signal", "affects_noise", "affects_bandwidth"),
    *("white_box", "grey_box", "black_box", "target_encoder", "target_i_t2i", "target_i_t2t", "target_a2t"),
)
"""Which cells may be "partly" (a half circle), which are "n/a" (a dash) for a model-level threat, and which are yes or no."""

THREAT_COLUMNS = (
    *("id", "name", "sok_ref", "level", "threat_class", "flow", "modality_text", "modality_image", "modality_audio"),
    *("flow_input", "flow_model", "flow_output", "flow_action", "flow_interaction", "flow_memory"),
    *("affects_signal", "affects_noise", "affects_bandwidth", "goal", "white_box", "grey_box", "black_box", "capability"),
    *("target_encoder", "target_i_t2i", "target_i_t2t", "target_a2t", "reference"),
)
MODEL_COLUMNS = ("id", "name", "typical_task", "inputs", "outputs", "family", "nearest_loadable")
WRAPS = ("encoder", "answerer", "generator", "recognizer", "listener", "policy", "reader")
"""What a defense may stand around: a family of models, an agent's policy, or what reads a memory's passages."""
STAGES = ("input", "training", "output", "action", "message", "retrieval")
"""Where a defense acts: on a model's input, training or output; on a system's calls, on what it is shown, on what a memory gives."""
DEFENSE_COLUMNS = (
    *("id", "name", "level", "stage", "modalities", "wraps", "axis", "differentiable", "stochastic", "mechanism", "reference"),
)


def load(folder: Path = HERE, package: Path = PACKAGE) -> Catalog:
    """The catalog of `folder`, with recipes looked for under `package`. Raises InputError naming file, row and column."""
    threats = _threats(folder, package)
    models = {name: _model(row) for name, row in read(folder, "models.csv", MODEL_COLUMNS).items()}
    defenses = {name: _defense(row, package) for name, row in read(folder, "defenses.csv", DEFENSE_COLUMNS).items()}
    names = Counter([*threats, *models, *defenses])
    if shared := [name for name, times in names.items() if times > 1]:
        raise InputError(f"threats.csv, models.csv, defenses.csv, column id: {shared[0]!r} stands in two of them; accepted: in one")
    if len(models) != 10:
        raise InputError(f"models.csv: got {len(models)} models; accepted: 10")
    return Catalog(tuple(threats.values()), tuple(models.values()), tuple(defenses.values()))


def _threats(folder: Path, package: Path) -> dict[str, Threat]:
    rows = read(folder, "threats.csv", THREAT_COLUMNS)
    for row in rows.values():
        _check_threat(row)
    for name, (_, _, count) in CLASSES.items():
        found = sum(row.cells["threat_class"] == name for row in rows.values())
        if found != count:
            raise InputError(f"threats.csv, column threat_class: got {found} rows of {name!r}; accepted: {count} (73 in all)")

    needs = _beside(folder, "requirements.csv", ("id", "needs"), rows)
    if missing := [name for name in rows if name not in needs]:
        raise InputError(f"requirements.csv, column id: no row for {', '.join(missing)}; accepted: one row for each threat")
    claims = _beside(folder, "claims.csv", ("id", "claimed"), rows)
    notes = _beside(folder, "notes.csv", ("id", "note"), rows)
    crosswalk = _crosswalk(folder, rows)

    threats = {}
    for name, row in rows.items():
        threats[name] = Threat(
            sok_ref=row.natural("sok_ref"),
            **{column: row.text(column) for column in THREAT_COLUMNS if column != "sok_ref"},  # type: ignore[arg-type]  # cells are checked
            needs=frozenset(needs[name].some_of("needs", NEEDS)),
            claimed=claims[name].text("claimed") if name in claims else None,
            recipe=declared(package, row.cells["flow"], name),
            note=notes[name].text("note") if name in notes else None,
            crosswalk=tuple(entry for entry in crosswalk if _matching(entry.applies_to, {name: row})),
        )
    return threats


def _check_threat(row: Row) -> None:
    level, flow, _ = CLASSES[row.one_of("threat_class", CLASSES)]
    row.one_of("level", (level,))
    row.one_of("flow", (flow,))
    row.one_of("goal", GOALS)
    row.one_of("capability", ATTACKER_CAPABILITIES)
    for column in MODALITY_CELLS:
        row.one_of(column, ("yes", "partly", "no"))
    for column in SYSTEM_CELLS:
        row.one_of(column, ("n/a",) if level == "model" else ("yes", "no"))
    for column in PLAIN_CELLS:
        row.one_of(column, ("yes", "no"))


def _beside(folder: Path, file: str, columns: tuple[str, ...], threats: Mapping[str, Row]) -> dict[str, Row]:
    """The rows of a file that stands beside the table: each id must be a threat's, no cell empty."""
    rows = read(folder, file, columns)
    for row in rows.values():
        if row.cells["id"] not in threats:
            raise row.wrong("id", "the id of a threat in threats.csv")
        for column in columns:
            row.text(column)
    return rows


def _crosswalk(folder: Path, threats: Mapping[str, Row]) -> tuple[CrosswalkRow, ...]:
    entries = []
    for row in read(folder, "crosswalk.csv", ("class", "applies_to", *VOCABULARIES, "inferred"), key="class").values():
        applies_to = row.some_of("applies_to")
        for rule in applies_to:
            if rule.partition("=")[0] not in ("goal", "capability", "id") or not _matching((rule,), threats):
                raise row.wrong("applies_to", "goal=, capability= or id= with a value that matches a threat")
        inferred = row.some_of("inferred", empty=True)
        links = [(title, name) for column, title in VOCABULARIES.items() for name in row.some_of(column, empty=True)]
        if not links:
            raise row.wrong(next(iter(VOCABULARIES)), "at least one identifier in one of the vocabularies")
        if not set(inferred) <= {name for _, name in links}:
            raise row.wrong("inferred", "identifiers that stand in the same row")
        entries.append(CrosswalkRow(row.text("class"), applies_to, tuple(Link(title, name, name in inferred) for title, name in links)))
    return tuple(entries)


def _matching(rules: tuple[str, ...], threats: Mapping[str, Row]) -> bool:
    wanted = [rule.partition("=") for rule in rules]
    return any(row.cells.get(column) == value for column, _, value in wanted for row in threats.values())


def _model(row: Row) -> Model:
    return Model(
        id=row.text("id"),
        name=row.text("name"),
        typical_task=row.text("typical_task"),
        inputs=row.some_of("inputs", MODALITIES),
        outputs=row.some_of("outputs", (*MODALITIES, "embedding")),
        family=row.one_of("family", ("encoder", "generator", "answerer", "listener")),
        nearest_loadable=row.text("nearest_loadable"),
    )


def _defense(row: Row, package: Path) -> DefenseRow:
    level = row.one_of("level", ("model", "system"))
    return DefenseRow(
        id=row.text("id"),
        name=row.text("name"),
        level=level,
        stage=row.one_of("stage", STAGES),
        modalities=row.some_of("modalities", (*MODALITIES, "embedding", "pairs")),
        wraps=row.some_of("wraps", WRAPS),
        axis=row.one_of("axis", ("S", "N", "B")),
        differentiable=row.flag("differentiable"),
        stochastic=row.flag("stochastic"),
        mechanism=row.text("mechanism"),
        reference=row.text("reference"),
        implemented=(package / "defenses" / level / f"{row.text('id').replace('-', '_')}.py").is_file(),
    )
