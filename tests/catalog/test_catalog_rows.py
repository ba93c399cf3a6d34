"""The catalog's content: counts, ids, and what stands beside the table."""

from __future__ import annotations

import ast
import importlib
from collections import Counter
from pathlib import Path

import pytest

from hartley import catalog
from hartley.catalog.load import NEEDS
from hartley.errors import InputError

PACKAGE = Path(catalog.__file__).parents[1]
FIRST_SIX = ("crossfire", "adversarial-illusions", "co-attack", "sga", "badclip", "ko-vlm-mia")


def test_the_table_is_whole() -> None:
    rows = catalog.threats()
    assert len(rows) == len({row.id for row in rows}) == 73
    assert Counter(row.flow for row in rows) == {
        "prediction": 25,
        "learning": 10,
        "inferring": 7,
        "action": 13,
        "interaction": 6,
        "memory": 12,
    }
    assert len({row.reference for row in rows}) == 71
    assert (rows[0].id, rows[-1].id) == ("vlattack", "s2mia")


def test_ten_models() -> None:
    assert [row.id for row in catalog.models()][:2] == ["clip", "audioclip"]
    assert len(catalog.models()) == 10


def test_ten_defenses() -> None:
    by_level = {level: [row.id for row in catalog.defenses() if row.level == level] for level in ("model", "system")}
    assert by_level == {
        "model": ["bit-reduction", "jpeg", "alignment-filter", "embedding-noise"],
        "system": ["tool-allow-list", "flow-control", "quarantine", "spotlighting", "retrieval-isolation", "special-token-escaping"],
    }
    assert len(catalog.defenses()) == 10


def test_implemented_means_that_the_recipe_file_exists() -> None:
    for row in catalog.threats():
        assert row.implemented == (PACKAGE / "attacks" / row.flow / f"{row.id.replace('-', '_')}.py").exists()
    for defense in catalog.defenses():
        assert defense.implemented == (PACKAGE / "defenses" / defense.level / f"{defense.id.replace('-', '_')}.py").exists()


@pytest.mark.parametrize("row", [row for row in catalog.defenses() if row.implemented], ids=lambda row: row.id)
def test_a_defense_declares_in_code_what_its_row_says(row: catalog.DefenseRow) -> None:
    made = importlib.import_module(f"hartley.defenses.{row.level}.{row.id.replace('-', '_')}").DEFENSE
    assert made.id == row.id
    if row.level == "model":
        assert type(made).__name__ == "".join(part.capitalize() for part in row.id.split("-"))
        assert (made.stage, made.modalities) == (row.stage, set(row.modalities))
        assert (made.differentiable, made.stochastic) == (row.differentiable, row.stochastic)
        return
    # A safeguard stands where its stage says: around an agent's calls and what it is shown, or before a memory's reader.
    assert (made.agent is not None) == (row.stage in ("action", "message"))
    assert (made.reading is not None) >= (row.stage == "retrieval")
    assert row.modalities == ("text",) and not row.differentiable and not row.stochastic


@pytest.mark.parametrize("row", [row for row in catalog.threats() if row.implemented], ids=lambda row: row.id)
def test_a_recipe_is_a_function_named_after_its_threat_and_says_what_it_left_out(row: catalog.Threat) -> None:
    name = row.id.replace("-", "_")
    recipe = getattr(importlib.import_module(f"hartley.attacks.{row.flow}.{name}"), name)
    lines = (recipe.__doc__ or "").split("\n")
    for label in ("Claim:", "Does:", "Left out:", "Bends:"):
        assert any(line.strip().startswith(label) for line in lines), f"{row.id}: no line {label!r}"
    bent = next(line for line in lines if line.strip().startswith("Bends:"))
    assert bent.split()[1].rstrip(".") in {quantity[0].upper() for quantity in row.bends}


def test_every_recipe_says_what_it_left_out_and_nothing_else_does() -> None:
    for row in catalog.threats():
        assert (row.fidelity is not None) == (row.left_out is not None) == row.implemented
        assert row.status == ("implemented" if row.implemented else "not yet")


def test_a_file_named_after_a_threat_is_its_recipe_and_any_other_serves_one() -> None:
    """A recipe in another flow's folder, or under a name that is no id, would be implemented in nobody's eyes."""
    flows = {row.id.replace("-", "_"): row.flow for row in catalog.threats()}
    used = {name for file in (PACKAGE / "attacks").rglob("*.py") for name in _imported(file)}
    for flow in set(flows.values()):
        for file in (PACKAGE / "attacks" / flow).glob("*.py"):
            if file.stem in flows:
                assert flows[file.stem] == flow and catalog.threat(file.stem.replace("_", "-")).implemented
            elif file.name != "__init__.py":
                assert f"hartley.attacks.{flow}.{file.stem}" in used, f"{flow}/{file.name} is no threat's, and no attack imports it"


def _imported(file: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom) and node.module]
    return {str(node.module) for node in nodes} | {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


def test_needs_are_the_capabilities_of_targets() -> None:
    from hartley.targets.protocols import CAPABILITIES

    assert NEEDS == CAPABILITIES
    for row in catalog.threats():
        assert row.needs
        assert row.needs <= set(CAPABILITIES)


@pytest.mark.parametrize("name", FIRST_SIX)
def test_the_encoder_threats_ask_for_what_an_encoder_can_offer(name: str) -> None:
    assert catalog.threat(name).needs <= {"grad", "hidden", "score", "train"}


def test_a_threat_that_learns_needs_training() -> None:
    assert all("train" in row.needs for row in catalog.threats() if row.flow == "learning")


def test_identified_references_and_label_slips_carry_a_note() -> None:
    identified = {row.sok_ref for row in catalog.threats() if row.note and "identified" in row.note}
    slips = {row.sok_ref for row in catalog.threats() if row.note and "Label slip" in row.note}
    assert identified == {67, 33, 54, 39, 77, 85, 91}
    assert slips == {101, 102, 103}
    for row in catalog.threats():
        assert row.note is None or f"[{row.sok_ref}]" in row.note


def test_a_threat_matches_the_crosswalk_by_goal_capability_and_id() -> None:
    def subjects(name: str) -> list[str]:
        return [entry.subject for entry in catalog.threat(name).crosswalk]

    assert subjects("sga") == ["transferability"]
    assert subjects("anydoor") == ["test-time backdoor"]
    assert subjects("agent-smith") == ["jailbreak", "infectious jailbreak"]
    assert subjects("poisonedrag") == ["RAG poisoning"]


def test_inferred_links_are_marked_and_the_others_are_not() -> None:
    links = {link.id: link for link in catalog.threat("crossfire").crosswalk[0].links}
    assert links["AML.T0129"].inferred
    assert not links["AML.T0015"].inferred
    assert links["AML.T0015"].vocabulary == "ATLAS 2026.09"


def test_no_threat_is_left_without_a_crosswalk() -> None:
    assert [row.id for row in catalog.threats() if not row.crosswalk] == []


@pytest.mark.parametrize("lookup", [catalog.threat, catalog.model, catalog.defense, catalog.record])
def test_an_unknown_name_is_refused(lookup: object) -> None:
    assert callable(lookup)
    with pytest.raises(InputError, match="'no-such-thing'"):
        lookup("no-such-thing")


def test_the_nearest_names_are_offered() -> None:
    with pytest.raises(InputError, match=r"nearest: .*adversarial-illusions"):
        catalog.threat("adverserial-illusion")


def test_the_catalog_is_read_once() -> None:
    assert catalog.threats() is catalog.threats()


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ({}, 73),
        ({"flow": "memory"}, 12),
        ({"flow": "Prediction", "goal": "jailbreak"}, 10),
        ({"goal": "membership inference"}, 6),
        ({"goal": "Membership-Inference"}, 6),
        ({"modality": "audio"}, 2),
        ({"modality": "text"}, 48),
        ({"knowledge": "grey"}, 4),
        ({"flow": "inferring", "knowledge": "white"}, 2),
    ],
)
def test_select(conditions: dict[str, str], count: int) -> None:
    assert len(catalog.select(**conditions)) == count


def test_select_by_status_splits_the_table() -> None:
    done, rest = catalog.select(status="implemented"), catalog.select(status="not-yet")
    assert len(done) + len(rest) == 73
    assert all(row.implemented for row in done)
    assert not any(row.implemented for row in rest)


@pytest.mark.parametrize("name", ["flow", "goal", "modality", "knowledge", "status"])
def test_an_unknown_condition_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"unknown {name} 'purple'"):
        catalog.select(**{name: "purple"})
