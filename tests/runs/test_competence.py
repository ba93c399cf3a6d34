"""Before a model that is not our own is attacked it is given clean tasks; what it cannot do is said first, and nothing is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hartley import catalog
from hartley.case import SystemCase
from hartley.effort import EFFORTS
from hartley.environments.competence import ASKED, Competence
from hartley.report.terminal import summary
from hartley.runs import check
from hartley.runs.folder import NOT_MEASURED, Run
from hartley.runs.local import run
from hartley.runs.plan import Plan
from hartley.runs.shipped import recipe
from hartley.targets.conversation import Call, Conversation, Message
from hartley.targets.endpoint.server import Server
from hartley.targets.memory.lexical import Lexical
from hartley.targets.system import System
from hartley.targets.tool_calls import MALFORMED

THREATS = ("perez-prompt-leaking", "perez-goal-hijacking", "indirect-prompt-injection", "poisonedrag")


class Says:
    """A policy of one kind, whatever it is asked."""

    fingerprint, capabilities = "says", frozenset({"text"})

    def __init__(self, name: str, said: Message) -> None:
        self.name, self.said = name, said

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Any]) -> list[Message]:
        return [self.said] * len(conversations)


HELLO = Says("hello", Message("assistant", "hello"))
BROKEN = Says("broken", Message("assistant", f"{MALFORMED}it is not valid JSON"))
LOOKS = Says("looks", Message("assistant", "", calls=(Call("balance", {}, "c"),)))


def case_of(policy: Any) -> SystemCase:
    return SystemCase(effort=EFFORTS["quick"], stream="0" * 64, target=System(policy.name, policy, Lexical(), reference=False))


def tried(threat: str, case: SystemCase) -> Competence:
    tasks = recipe(threat).clean_tasks
    assert tasks is not None
    return tasks(case)


@pytest.mark.parametrize("threat", THREATS)
@pytest.mark.parametrize("policy", [HELLO, BROKEN, LOOKS], ids=lambda policy: policy.name)
def test_who_does_no_task_is_found_out_and_told_how(policy: Says, threat: str) -> None:
    found = tried(threat, case_of(policy))
    assert (found.asked, found.told, found.right) == (ASKED, ASKED, 0) and found.hopeless
    assert found.verdict.startswith("this model cannot do the tasks")
    if threat == "indirect-prompt-injection":
        assert (found.called, found.unreadable) == {"hello": (0, 0), "broken": (0, ASKED), "looks": (ASKED, 0)}[policy.name]
        assert ("--tool-protocol json" in found.verdict) == (found.called == 0)


@pytest.mark.parametrize(
    ("found", "hopeless", "said"),
    [
        (Competence("tasks", 16, 16, 0), True, "cannot do"),
        (Competence("tasks", 16, 16, 1), False, "few of the tasks"),
        (Competence("tasks", 16, 16, 8), False, ""),
        (Competence("tasks", 16, 0, 0), False, ""),
        (Competence("tasks", 16, 12, 12), False, ""),
    ],
)
def test_a_verdict_rests_on_what_was_answered(found: Competence, hopeless: bool, said: str) -> None:
    assert found.hopeless == hopeless and (said in found.verdict if said else not found.verdict)
    assert f"{found.right} of {found.told} clean tasks right" in found.line


@pytest.fixture
def hello() -> Any:
    with Server(HELLO) as server:
        yield f"openai:hello@{server.url}"


def test_a_model_that_always_says_hello_is_too_weak_to_be_robust(hello: str, tmp_path: Path) -> None:
    heard: list[Any] = []
    run(Plan(THREATS[:3], hello), tmp_path / "run", progress=heard.append)
    records = Run.open(tmp_path / "run").cells()
    assert [record["status"] for record in records] == [NOT_MEASURED] * 3
    notes = [event.why for event in heard if event.kind == "note" and event.why.startswith("competence")]
    assert len(notes) == 3 and all("0 of 16 clean tasks right" in note for note in notes)
    lines = summary(tmp_path / "run")
    verdict = next(line for line in lines if line.startswith("This model cannot do the tasks"))
    assert "too weak is not robust" in verdict
    policy = tmp_path / "policy.toml"
    policy.write_text('rules = ["utility_bits.low >= 0.0 under perez-prompt-leaking"]')
    assert check.check(Run.open(tmp_path / "run"), check.read_policy(policy), catalog).exit_code == 2


def test_who_insists_attacks_it_all_the_same(hello: str, tmp_path: Path) -> None:
    run(Plan(("perez-prompt-leaking",), hello, effort={"trials": 16}, competence_check=False), tmp_path / "run")
    (record,) = Run.open(tmp_path / "run").cells()
    assert record["status"] == "measured"


def test_a_suite_of_agentdojo_brings_its_own_clean_tasks() -> None:
    pytest.importorskip("agentdojo", reason="the extra agentdojo is not installed")
    from hartley.runs.execute import needs_a_check
    from hartley.targets.agentdojo.dojo import Dojo
    from hartley.targets.agentdojo.ground_truth import GroundTruth
    from hartley.targets.agentdojo.suites import load_suite

    suite = load_suite("slack")
    for policy, right, checked in ((HELLO, 0, True), (GroundTruth(suite), ASKED, False)):
        system = System(policy.name, policy, Lexical(), reference=False, dojo=Dojo("agentdojo:slack", suite, policy))
        case = SystemCase(effort=EFFORTS["quick"], stream="0" * 64, target=system)
        found = tried("indirect-prompt-injection", case)
        assert (found.asked, found.told, found.right) == (ASKED, ASKED, right)
        assert needs_a_check(system, recipe("indirect-prompt-injection")) is checked
