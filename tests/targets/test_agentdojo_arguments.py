"""AgentDojo's tools have optional arguments: its own ground truth is read as it is, also when it comes over the wire."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("agentdojo", reason="the extra agentdojo is not installed")

from hartley.targets.agentdojo.extra import need
from hartley.targets.agentdojo.ground_truth import GroundTruth
from hartley.targets.agentdojo.pipeline import pipeline
from hartley.targets.agentdojo.scorer import our_score, own_score
from hartley.targets.agentdojo.suites import SUITES, load_suite, schemas
from hartley.targets.agentdojo.trials import trials
from hartley.targets.endpoint.client import EndpointPolicy
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.server import Server
from hartley.targets.tool_calls import typed_call


@pytest.mark.parametrize("name", SUITES)
def test_every_call_of_the_ground_truth_fits_its_schema(name: str) -> None:
    suite = load_suite(name)
    policy, tools = GroundTruth(suite), schemas(need("functions_runtime").FunctionsRuntime(suite.dojo.tools).functions)
    calls = [call for task in suite.dojo.user_tasks.values() for call in policy.plan(task.PROMPT).calls]
    calls += [call for task in suite.dojo.injection_tasks.values() for call in policy.plan(task.GOAL).calls]
    assert len(calls) > 20
    for call in calls:
        assert typed_call(call.name, json.loads(json.dumps(call.arguments)), tools) == call


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES)
def test_utility_over_the_wire_is_agentdojos_own(name: str) -> None:
    """The ground truth behind a server, with our agent; and AgentDojo's own pipeline with the ground truth beside it."""
    suite = load_suite(name)
    policy = GroundTruth(suite, gullible=False)
    with Server(policy) as server:
        endpoint = Endpoint(f"openai:{policy.name}@{server.url}")
        ours = our_score(suite, trials(suite, EndpointPolicy(endpoint), attacked=False))
        endpoint.close()
    assert all(ours.utility.values()) and len(ours.utility) == len(suite.users)
    assert ours.utility == own_score(suite, pipeline(policy)).utility
