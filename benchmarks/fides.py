"""FIDES beside our flow control, on the same traces: AgentDojo's suites with the scripted policy, unguarded.

    python benchmarks/fides.py [--suites banking,slack,travel,workspace]

Every privileged call of every trace is judged by both, as it was made, after what had been answered before it. Ours asks the
policy's twin. FIDES runs as agent-framework-core has it, with all answers untrusted and tools that change nothing open to
untrusted content: "shown" leaves the answers in the context, "hidden" keeps them behind variables and makes every argument that
stands in an answer and not in the user's words a reference to it.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections import Counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hartley.defenses.system.fides import Asked, refusals
from hartley.errors import InputError
from hartley.targets.agentdojo.ground_truth import GroundTruth
from hartley.targets.agentdojo.guards import Answer, Watched, explained, from_text
from hartley.targets.agentdojo.pipeline import planned_calls
from hartley.targets.agentdojo.suites import READING, SUITES, Suite, load_suite
from hartley.targets.agentdojo.trials import Trial, trials

HEAD = f"{'suite':10} {'FIDES':7} {'whose calls':12} {'calls':>6} {'both refuse':>12} {'only ours':>10} {'only FIDES':>11} {'neither':>8}"


def ours(suite: Suite, policy: GroundTruth, trial: Trial) -> list[bool]:
    """Which calls of the trace our flow control refuses."""
    runtime, twin = planned_calls(suite, policy, suite.users[trial.user])
    watched = Watched(runtime, suite.dojo.user_tasks[suite.users[trial.user]].PROMPT, twin)
    found = []
    for answer in trial.answers:
        found.append(bool(explained(watched, answer.function, answer.arguments)))
        watched.answers.append(Answer(answer.function, answer.arguments, answer.result))
    return found


def asked(suite: Suite, trial: Trial, texts: list[str]) -> list[Asked]:
    """The trace as FIDES reads it."""
    words = suite.dojo.user_tasks[suite.users[trial.user]].PROMPT
    found = []
    for place, answer in enumerate(trial.answers):
        traced = {}
        if answer.function not in READING:
            for name, value in answer.arguments.items():
                source = next((before for before in range(place) if from_text(value, words, texts[before])), None)
                traced |= {} if source is None else {name: source}
        found.append(Asked(answer.function, answer.arguments, texts[place], traced))
    return found


def compare(suite: Suite) -> dict[tuple[str, str], Counter[str]]:
    """(hidden or shown, whose calls) to how many privileged calls each refuses."""
    policy = GroundTruth(suite)
    tables: dict[tuple[str, str], Counter[str]] = {}
    for trial in [*trials(suite, policy, attacked=False), *trials(suite, policy, attacked=True)]:
        plan = policy.plan(suite.dojo.user_tasks[suite.users[trial.user]].PROMPT)
        mine = [(call.name, str(dict(call.arguments))) for call in plan.calls]
        texts = [answer.text for answer in trial.answers]
        calls, we = asked(suite, trial, texts), ours(suite, policy, trial)
        for kind in ("shown", "hidden"):
            they = refusals(calls, READING, hiding=kind == "hidden")
            for call, first, second in zip(calls, we, they, strict=True):
                if call.name in READING:
                    continue
                whose = "the user's" if (call.name, str(dict(call.arguments))) in mine else "injected"
                verdict = {(True, True): "both", (True, False): "ours", (False, True): "fides", (False, False): "neither"}[first, second]
                tables.setdefault((kind, whose), Counter())[verdict] += 1
    return tables


def not_this_folder() -> None:
    """Beside this file stands one that is named like the package agentdojo, and would be taken for it."""
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [place for place in sys.path if os.path.realpath(place or ".") != here]


def main() -> None:
    not_this_folder()
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--suites", default=",".join(SUITES))
    headed = False
    for name in arguments.parse_args().suites.split(","):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tables = compare(load_suite(name))
        except InputError as error:
            sys.exit(str(error))
        if not headed:
            print(HEAD)
            headed = True
        for (kind, whose), counts in sorted(tables.items(), reverse=True):
            cells = f"{counts['both']:>12} {counts['ours']:>10} {counts['fides']:>11} {counts['neither']:>8}"
            print(f"{name:10} {kind:7} {whose:12} {counts.total():>6} {cells}", flush=True)


if __name__ == "__main__":
    main()
