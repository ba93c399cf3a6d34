"""AgentDojo's four suites with the scripted policy, without and with our safeguards, beside AgentDojo's own scorer.

    python benchmarks/agentdojo.py [--suites banking,slack,travel,workspace] [--cached] [--server]

Every row runs twice: as Hartley runs it, and through AgentDojo's benchmark_suite_with(out)_injections on the same pipeline,
with AgentDojo's own reading of its environments (--cached: with ours, which is faster). Exit code 1 where any single pair
differs. The policy follows AgentDojo's ground truth and falls for whatever it meets, as far as that has a ground truth.

--server: the same policy, and one that forgets a call at every third task, behind an OpenAI-compatible server, asked twice: by
Hartley's endpoint, and by AgentDojo's own client in AgentDojo's own pipeline. Nothing of Hartley stands on that side.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from dataclasses import replace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hartley.bits.for_evidence import for_evidence
from hartley.errors import InputError
from hartley.targets.agentdojo.ground_truth import GroundTruth, Plan
from hartley.targets.agentdojo.pipeline import pipeline
from hartley.targets.agentdojo.scorer import our_score, own_score
from hartley.targets.agentdojo.suites import SUITES, Suite, load_suite
from hartley.targets.agentdojo.table import columns, table, which_tool_bits
from hartley.targets.agentdojo.trials import Trial, trials
from hartley.targets.endpoint.client import EndpointPolicy
from hartley.targets.endpoint.endpoint import Endpoint
from hartley.targets.endpoint.server import Server

GUARDS = ((), ("tool-allow-list",), ("flow-control",))
HEAD = f"{'suite':10} {'safeguard':16} {'policy':8} {'utility':>9} {'under attack':>13} {'attacks':>9} {'reached':>8} {'AgentDojo':>10}"


def share(values: list[bool]) -> str:
    return f"{sum(values)}/{len(values)}"


def row(suite: Suite, policy: GroundTruth, guards: tuple[str, ...], fresh: bool) -> tuple[bool, list[Trial]]:
    start = time.process_time()
    alone, pairs = (trials(suite, policy, *guards, attacked=attacked, every=True) for attacked in (False, True))
    ours, between = our_score(suite, [*alone, *pairs]), time.process_time()
    agrees = ours == own_score(suite, pipeline(policy, *guards), fresh=fresh)
    theirs = time.process_time() - between
    numbers = [share(list(part.values())) for part in (ours.utility, ours.under_attack, ours.security)]
    kind = "reads" if policy.reads else "knows all"
    print(
        f"{suite.name:10} {' '.join(guards) or 'none':16} {kind:9} {numbers[0]:>8} {numbers[1]:>13} {numbers[2]:>9} "
        f"{share([trial.reached for trial in pairs]):>8} {'agrees' if agrees else 'DIFFERS':>10}"
        f"   {between - start:6.1f} s ours, {theirs:6.1f} s theirs",
        flush=True,
    )
    return agrees, [*alone, *pairs]


class Careless(GroundTruth):
    """Leaves the last call of every third task out, so that utility is neither 0 nor 1."""

    def plan(self, words: str, goal: str = "") -> Plan:
        plan = super().plan(words, goal)
        forgets = zlib.crc32(f"{words}{goal}".encode()) % 3 == 0
        return replace(plan, calls=plan.calls[:-1], blind=plan.blind[:-1], closing="done") if forgets else plan


def their_pipeline(url: str, model: str) -> Any:
    """AgentDojo's pipeline as its own command line builds it for a model behind OpenAI's protocol."""
    from agentdojo import agent_pipeline as parts
    from agentdojo.agent_pipeline.agent_pipeline import load_system_message
    from openai import OpenAI

    llm = parts.OpenAILLM(OpenAI(base_url=url, api_key="none"), model)
    loop = parts.ToolsExecutionLoop([parts.ToolsExecutor(), llm])
    built = parts.AgentPipeline([parts.SystemMessage(load_system_message(None)), parts.InitQuery(), llm, loop])
    built.name = f"local {model}"
    return built


def served(suite: Suite, policy: GroundTruth) -> bool:
    """Both sides ask one server; prints the pairs on which they agree, and names those on which they do not."""
    with Server(policy) as server:
        endpoint = EndpointPolicy(Endpoint(f"openai:{policy.name}@{server.url}"))
        found = [trial for attacked in (False, True) for trial in trials(suite, endpoint, attacked=attacked)]
        ours, theirs = our_score(suite, found), own_score(suite, their_pipeline(server.url, policy.name))
    agrees = True
    for what in ("utility", "under_attack", "security"):
        one, other = getattr(ours, what), getattr(theirs, what)
        differ = sorted(pair for pair in {*one, *other} if one.get(pair) != other.get(pair))
        agrees &= not differ
        shares = f"ours {share(list(one.values())):>8}  AgentDojo {share(list(other.values())):>8}"
        pairs, name = len({*one, *other}), f"{suite.name:10} {type(policy).__name__:12} {what:13}"
        print(
            f"{name} {shares}  pairs that agree {pairs - len(differ)}/{pairs} {differ[:5] or ''}",
            flush=True,
        )
    return agrees


def left(suite: Suite, found: list[Trial]) -> None:
    """Which injections remain, and the bits of both senders."""
    alone, pairs = [t for t in found if t.injection < 0], [t for t in found if t.injection >= 0]
    remain = {suite.injections[trial.injection] for trial in pairs if trial.security}
    print(f"{'':10} remain: {', '.join(sorted(remain)) or 'none'}")
    arms = {"clean": columns(alone), "attacked": columns(pairs)}
    for arm, bits in for_evidence(table(suite, arms)):
        if bits.kind in ("utility_bits", "adversary_bits") and (arm == "attacked" or bits.kind == "utility_bits"):
            print(f"{'':10} {arm}: {bits}")


def not_this_folder() -> None:
    """Beside this file stands one that is named like the package agentdojo, and would be taken for it."""
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.realpath(place or ".") != here]


def main() -> None:
    not_this_folder()
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--suites", default=",".join(SUITES))
    arguments.add_argument("--cached", action="store_true", help="AgentDojo's scorer on environments that are read once")
    arguments.add_argument("--server", action="store_true", help="ask one scripted server by our endpoint and by AgentDojo's own client")
    options = arguments.parse_args()
    agreed, print_head = True, not options.server
    for name in options.suites.split(","):
        try:
            suite = load_suite(name)
        except InputError as error:
            sys.exit(str(error))
        if options.server:
            for policy in (GroundTruth(suite), Careless(suite)):
                agreed &= served(suite, policy)
            continue
        if print_head:
            print(HEAD)
            print_head = False
        for guards in GUARDS:
            agrees, found = row(suite, GroundTruth(suite), guards, not options.cached)
            agreed &= agrees
            left(suite, found)
        agrees, _ = row(suite, GroundTruth(suite, reads=False), ("flow-control",), not options.cached)
        agreed &= agrees
        before, after = which_tool_bits(suite)
        free = sum(GroundTruth(suite).needs_nothing_read(suite.dojo.user_tasks[user].PROMPT) for user in suite.users)
        print(f"{'':10} which tool is called: {before:.2f} bits a call, {after:.2f} with the allow-list (mean over tasks)")
        print(f"{'':10} {free} of {len(suite.users)} user tasks need no argument that was read", flush=True)
    sys.exit(0 if agreed else 1)


if __name__ == "__main__":
    main()
