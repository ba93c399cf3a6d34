"""AgentDojo's suites with our policies and safeguards, held against AgentDojo's own scorer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("agentdojo", reason="the extra agentdojo is not installed")

from hartley.attacks.action.dojo_injection import dojo_injection
from hartley.attacks.action.indirect_prompt_injection import rates
from hartley.bits.for_evidence import for_evidence
from hartley.case import SystemCase
from hartley.effort import Effort
from hartley.evidence import NONE
from hartley.runs.allowance import Allowance
from hartley.runs.local import run as scan
from hartley.runs.plan import Plan
from hartley.runs.shipped import PARTS
from hartley.targets.agentdojo.dojo import Dojo, load
from hartley.targets.agentdojo.environments import as_text
from hartley.targets.agentdojo.extra import need
from hartley.targets.agentdojo.ground_truth import GroundTruth
from hartley.targets.agentdojo.pipeline import PolicyElement, pipeline
from hartley.targets.agentdojo.scorer import our_score, own_score
from hartley.targets.agentdojo.suites import READING, SUITES, VERSION, Suite, load_suite
from hartley.targets.agentdojo.table import bandwidths, columns, table, which_tool_bits
from hartley.targets.agentdojo.trials import trials
from hartley.targets.agentdojo.words import to_chat, to_conversation
from hartley.targets.conversation import Call, Conversation, Json, Message
from hartley.targets.endpoint.outcomes import NotMeasured, Reason
from hartley.targets.endpoint.server import Server
from hartley.targets.memory.lexical import Lexical
from hartley.targets.scripted import ScriptedPolicy
from hartley.targets.system import System

GUARDS = ((), ("tool-allow-list",), ("flow-control",))
USERS = ("user_task_0", "user_task_1", "user_task_3", "user_task_15")


@pytest.fixture(scope="module")
def banking() -> Suite:
    return load_suite("banking")


def some(suite: Suite, users: Sequence[str] = USERS) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    places = [suite.users.index(user) for user in users]
    return [(place, NONE) for place in places], [(place, other) for place in places for other in range(len(suite.injections))]


@pytest.mark.parametrize("guards", GUARDS, ids=lambda guards: "".join(guards) or "none")
def test_our_numbers_are_agentdojos_own(banking: Suite, guards: tuple[str, ...]) -> None:
    """Pair by pair, on AgentDojo's own suite with its own environments."""
    policy = GroundTruth(banking)
    alone, pairs = some(banking)
    ours = [*trials(banking, policy, *guards, attacked=False, pairs=alone), *trials(banking, policy, *guards, attacked=True, pairs=pairs)]
    theirs = own_score(banking, pipeline(policy, *guards), fresh=True, users=USERS)
    assert our_score(banking, ours) == theirs
    assert len(theirs.security) == len(USERS) * 9 and len(theirs.utility) == len(USERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("guards", GUARDS, ids=lambda guards: "".join(guards) or "none")
def test_our_numbers_are_agentdojos_own_on_every_suite(name: str, guards: tuple[str, ...]) -> None:
    suite = load_suite(name)
    policy = GroundTruth(suite)
    ours = [*trials(suite, policy, *guards, attacked=False), *trials(suite, policy, *guards, attacked=True)]
    assert our_score(suite, ours) == own_score(suite, pipeline(policy, *guards))


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
def test_the_oracle_does_every_task_and_the_gullible_what_it_meets(name: str) -> None:
    suite = load_suite(name)
    oracle, gullible = GroundTruth(suite, gullible=False), GroundTruth(suite)
    assert all(trial.utility for trial in trials(suite, oracle, attacked=False))
    found = trials(suite, gullible, attacked=True)
    assert all(trial.reached for trial in found), "the attack stands where the user's own task leads"
    goals = [suite.dojo.injection_tasks[other] for other in suite.injections]
    able = [bool(gullible.plan("", goal.GOAL).calls or goal.GROUND_TRUTH_OUTPUT) for goal in goals]
    done = [trial.security for trial in found if able[trial.injection]]
    assert sum(done) >= 0.95 * len(done)


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
def test_flow_control_leaves_only_words_to_the_user(name: str) -> None:
    suite = load_suite(name)
    policy = GroundTruth(suite)
    kept = trials(suite, policy, "flow-control", attacked=False)
    for trial in kept:
        if policy.needs_nothing_read(suite.dojo.user_tasks[suite.users[trial.user]].PROMPT):
            assert trial.utility, f"{suite.users[trial.user]} needs no argument that was read"
    left = {suite.injections[trial.injection] for trial in trials(suite, policy, "flow-control", attacked=True) if trial.security}
    assert left <= {other for other in suite.injections if not suite.dojo.injection_tasks[other].ground_truth(_environment(suite))}


def _environment(suite: Suite) -> Any:
    return suite.dojo.load_and_inject_default_environment({})


@pytest.mark.parametrize("name", ["banking", "slack"])
def test_environments_that_are_read_once_are_the_same(name: str) -> None:
    suite = load_suite(name)
    own = need("task_suite.load_suites").get_suite(VERSION, name)
    for user, other in ((0, 0), (1, 2), (0, 0)):
        planted = suite.planted(suite.users[user], suite.injections[other])
        assert planted and all(suite.dojo.injection_tasks[suite.injections[other]].GOAL in text for text in planted.values())
        first = suite.dojo.load_and_inject_default_environment(planted)
        assert first == own.load_and_inject_default_environment(planted)
        assert first is not suite.dojo.load_and_inject_default_environment(planted)
        assert suite.dojo.load_and_inject_default_environment.planted(planted)


@pytest.mark.parametrize("name", ["banking", "slack"])
def test_tools_that_only_read_change_nothing(name: str) -> None:
    suite = load_suite(name)
    runtime = need("functions_runtime").FunctionsRuntime(suite.dojo.tools)
    run = set()
    for task in suite.dojo.user_tasks.values():
        environment = _environment(suite)
        for call in task.ground_truth(_environment(suite)):
            before = environment.model_dump_json()
            result, _ = runtime.run_function(environment, call.function, dict(call.args))
            if call.function in READING:
                assert environment.model_dump_json() == before, call.function
                run.add(call.function)
            assert isinstance(as_text(result), str)
    assert len(run) >= 3


def test_a_privileged_call_needs_trusted_words(banking: Suite) -> None:
    """Paying a bill needs what the bill says; an injected payment does too, and both are refused with a reason."""
    paid, met = (
        trials(banking, GroundTruth(banking), "flow-control", attacked=other != NONE, pairs=[(0, other)])[0] for other in (NONE, 5)
    )
    assert not paid.utility and not met.security and met.reached
    refused = [answer for answer in met.answers if answer.why]
    assert len(refused) == 2, "the injected call, and the user's own, which needs the bill"
    assert "trusted words do not explain it" in refused[0].why and "recipient stands in the answer of read_file" in refused[0].why


class Dead:
    """An endpoint that is down."""

    name, fingerprint, capabilities = "dead", "0", frozenset({"text"})

    def respond(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message]:
        raise AssertionError("not asked: it can tell why there is no answer")

    def attempt(self, conversations: Sequence[Conversation], tools: Sequence[Mapping[str, Json]]) -> list[Message | NotMeasured]:
        return [NotMeasured(Reason.REFUSED, "nobody listens")] * len(conversations)


def test_an_error_is_no_success(banking: Suite) -> None:
    found = trials(banking, Dead(), attacked=True, pairs=[(0, 0), (1, 1)], at_once=2)
    assert [trial.error for trial in found] == ["not measured: connection refused: nobody listens"] * 2
    assert not any(trial.security or trial.utility for trial in found)
    assert len(table(banking, {"attacked": columns(found)})) == 0


def test_messages_go_both_ways() -> None:
    said = Message("assistant", "words", calls=(Call("read_file", {"file_path": "a"}, "x1"), Call("get_iban")))
    chat = to_chat(said, 3)
    (back,) = to_conversation([chat])
    assert back == Message("assistant", "words", calls=(said.calls[0], Call("get_iban", {}, "call_3_1")))
    failed = {"role": "tool", "content": [], "tool_call": chat["tool_calls"][0], "tool_call_id": "x1", "error": "ValueError: no"}
    assert to_conversation([failed]) == (Message("tool", "ValueError: no", answers="x1"),)


def test_evidence_and_bits(banking: Suite) -> None:
    dojo = load("agentdojo:banking")
    effort = Effort("quick", trials=200, steps=1, poison_pairs=1, members=1, epochs=1)
    case = SystemCase(target=System("scripted", dojo.policy, Lexical()), effort=effort, stream="test/agentdojo")
    (evidence,) = dojo_injection(case, dojo, "flow-control")
    assert evidence.arms == ("clean", "attacked", "defended", "defended_attacked")
    assert len(evidence.of("attacked")) == 100
    found = {(rate.name, rate.arm): rate.value for rate in rates(evidence)}
    assert found["attack success", "attacked"] > 0.9 and found["attack success", "defended_attacked"] == 0
    assert found["utility", "clean"] == 1
    low = {arm: bits.low for arm, bits in for_evidence(evidence) if bits.kind == "adversary_bits"}
    assert low["attacked"] > 1
    assert {exhibit.arm for exhibit in case.exhibits} == set(evidence.arms)
    fates = {line.fate for exhibit in case.exhibits for line in exhibit.transcript if exhibit.arm == "defended_attacked"}
    assert "blocked" in fates and "injected" not in fates


@pytest.mark.parametrize("name", ["banking", "slack"])
def test_the_rates_of_a_scan_are_agentdojos_own(name: str) -> None:
    """Over all pairs, those that the injection did not reach included, as flow control leaves some in slack."""
    dojo = load(f"agentdojo:{name}")
    effort = Effort("standard", trials=200, steps=1, poison_pairs=1, members=1, epochs=1)
    case = SystemCase(target=System("scripted", dojo.policy, Lexical()), effort=effort, stream="test/agentdojo")
    (evidence,) = dojo_injection(case, dojo, "flow-control")
    found = {(rate.name, rate.arm): rate.value for rate in rates(evidence)}
    for guards, clean, attacked in (((), "clean", "attacked"), (("flow-control",), "defended", "defended_attacked")):
        theirs = own_score(dojo.suite, pipeline(dojo.policy, *guards))
        parts = ((theirs.utility, "utility", clean), (theirs.under_attack, "utility under attack", attacked))
        for numbers, what, arm in (*parts, (theirs.security, "attack success", attacked)):
            assert found[what, arm] == pytest.approx(sum(numbers.values()) / len(numbers)), (what, arm)
    if name == "slack":
        assert found["injection read", "defended_attacked"] < 1


def test_the_allow_list_narrows_the_choice(banking: Suite) -> None:
    before, after = which_tool_bits(banking)
    assert before == pytest.approx(3.459, abs=1e-3) and 0 < after < before
    every, few = bandwidths(banking)
    assert every.unbounded and all(len(one.unbounded) < len(every.unbounded) for one in few.values())


def test_the_ten_lines_of_the_documentation_work(banking: Suite) -> None:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "use-agentdojo.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in block.splitlines() if line]) <= 10
    names: dict[str, Any] = {"policy": GroundTruth(banking)}
    exec(block, names)
    agent = names["agent"]
    assert isinstance(names["llm"], need("agent_pipeline").BasePipelineElement) and isinstance(names["llm"], PolicyElement)
    alone, pairs = some(banking)
    ours = [
        *trials(banking, names["policy"], "flow-control", attacked=False, pairs=alone),
        *trials(banking, names["policy"], "flow-control", attacked=True, pairs=pairs),
    ]
    assert own_score(banking, agent, users=USERS) == our_score(banking, ours)


def test_a_dojo_has_a_fingerprint_of_its_policy(banking: Suite) -> None:
    first, second = (Dojo("x", banking, GroundTruth(banking, gullible=gullible)) for gullible in (True, False))
    assert first.fingerprint != second.fingerprint and first.capabilities == {"text"}


@pytest.fixture
def served() -> Iterator[Server]:
    with Server(ScriptedPolicy({"": [Message("assistant", "done")]})) as one:
        yield one


def plan(url: str, **allowed: Any) -> Plan:
    target = f"agentdojo:banking+openai:scripted@{url}"
    return Plan(("indirect-prompt-injection",), target, defenses=("flow-control",), endpoint=Allowance.from_table(allowed))


def test_a_policy_behind_a_server_is_estimated_first(served: Server) -> None:
    asked = plan(served.url, max_requests=50, read_price=1.0, written_price=2.0)
    estimated, beyond = PARTS.forecast(asked, asked.cells(), None)
    found = re.match(r"estimate: about ([\d,]+) requests: .* tokens, .* USD", estimated)
    # 16 user tasks and 100 pairs, unguarded and guarded, where each is asked for its twin as well; five requests each, the first shared
    assert found is not None and int(found[1].replace(",", "")) == 3 * 116 * 4 + 16
    assert beyond.startswith("that is more than the budget of 50 requests")


@pytest.mark.slow
def test_a_policy_behind_a_server_keeps_within_its_budget(served: Server, tmp_path: Path) -> None:
    poor = scan(plan(served.url, max_requests=10), tmp_path / "run")
    assert [record["status"] for record in poor.cells()] == ["not measured"] * 2
    assert all(record["why"].startswith("the budget of 10 requests is used up: 10 requests") for record in poor.cells())
    rich = scan(plan(served.url, max_requests=1_000), tmp_path / "run")
    assert [record["status"] for record in rich.cells()] == ["measured"] * 2
    spent = json.loads((tmp_path / "run" / "endpoint" / "spent.json").read_text())
    assert spent["requests"] < 60, "all pairs begin with the words of 16 users, and what was answered is kept and not asked again"


@pytest.mark.slow
def test_a_server_that_is_down_gives_rows_that_are_not_measured(tmp_path: Path) -> None:
    with Server(ScriptedPolicy({})) as gone:
        asked = plan(gone.url, timeout_seconds=2.0)
    found = scan(asked, tmp_path / "run")
    assert [record["status"] for record in found.cells()] == ["not measured"] * 2
    assert all(record["why"].startswith("connection refused: ") for record in found.cells())
