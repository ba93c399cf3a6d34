"""AgentDojo's own benchmark functions on a pipeline: what our numbers are held against."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hartley.evidence import NONE
from hartley.targets.agentdojo.extra import need
from hartley.targets.agentdojo.suites import VERSION, Suite
from hartley.targets.agentdojo.trials import Trial

Pairs = Mapping[tuple[str, str], bool]


@dataclass(frozen=True)
class Score:
    """AgentDojo's results, by task ids; an injection task's id is "" where none was planted.

    utility   alone: (user task, ""). under_attack, security: (user task, injection task).
    """

    utility: Pairs = field(default_factory=dict)
    under_attack: Pairs = field(default_factory=dict)
    security: Pairs = field(default_factory=dict)


def own_score(suite: Suite, agent: Any, *, fresh: bool = False, users: Sequence[str] | None = None) -> Score:
    """What AgentDojo's benchmark_suite_without_injections and benchmark_suite_with_injections say of a pipeline.

    agent   a pipeline, ours or AgentDojo's. Its name must hold one that AgentDojo's attacks know, as ours do.
    fresh   AgentDojo's own suite, which reads its environments anew for every pair, instead of `suite.dojo`.
    users   only these user tasks.
    Raises NotMeasured where an endpoint fails. AgentDojo logs every run; the logs go to a folder that is removed.
    """
    benchmark, dojo = need("benchmark"), suite.dojo
    if fresh:
        dojo = need("task_suite.load_suites").get_suite(VERSION, suite.name)
    attack = need("attacks.attack_registry").load_attack("important_instructions", dojo, agent)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _quiet(Path(folder)):
        warnings.simplefilter("ignore")
        alone = benchmark.benchmark_suite_without_injections(agent, dojo, None, True, users)
        pairs = benchmark.benchmark_suite_with_injections(agent, dojo, attack, None, True, users)
    return Score(dict(alone["utility_results"]), dict(pairs["utility_results"]), dict(pairs["security_results"]))


def our_score(suite: Suite, found: Sequence[Trial]) -> Score:
    """The same of our own trials. Trials with an error are left out."""
    measured = [(suite.users[t.user], "" if t.injection == NONE else suite.injections[t.injection], t) for t in found if not t.error]
    return Score(
        {(user, other): trial.utility for user, other, trial in measured if not other},
        {(user, other): trial.utility for user, other, trial in measured if other},
        {(user, other): trial.security for user, other, trial in measured if other},
    )


def _quiet(folder: Path) -> Any:
    """A logger that says nothing and lets AgentDojo write into `folder`; without one it writes beside its own package."""
    logging = need("logging")

    class Quiet(logging.Logger):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.messages: list[Any] = []
            self.logdir = str(folder)

        def log(self, *_: Any, **__: Any) -> None: ...

        def log_error(self, *_: Any, **__: Any) -> None: ...

    return Quiet()
