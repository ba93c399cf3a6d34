"""Indirect prompt injection (Greshake et al., AISec 2023): instructions in content that an application retrieves."""

from __future__ import annotations

from hartley.attacks.action.attack_set import INJECTIONS
from hartley.attacks.action.dojo_injection import dojo_injection
from hartley.attacks.action.injection import Injection, injection_rates
from hartley.case import SystemCase
from hartley.channel import measure
from hartley.environments.assistant import beside_a_look, beside_a_question, clean_tasks, draw_argument_setting, with_an_argument
from hartley.environments.competence import Competence
from hartley.environments.suites import suite_tasks
from hartley.evidence import Evidence
from hartley.recipe import Recipe

CHANNELS = (
    Injection("beside a question", beside_a_question, INJECTIONS),
    Injection("beside a look", beside_a_look, INJECTIONS),
    Injection("an argument from the document", with_an_argument, INJECTIONS, setting=draw_argument_setting),
)
"""How users come to read what a stranger wrote: a question about it, ambiguous words like "check it", or an argument taken from it."""


def indirect_prompt_injection(case: SystemCase) -> tuple[Evidence, ...]:
    """Claim: text in a page, a mail or a file that an application retrieves takes over what the application does next.
    Does: writes one instruction into the mail, file, page, review or note that the user has the agent read, in the best of five
    wordings; the user asks something about the document, has it looked at, or takes an argument of an act from it.
    Left out: payloads that persist in memory or fetch further stages, and hidden encodings.
    Bends: B. What the application reads gets the pathway of its user: every call that the agent may make.
    """
    if case.target.dojo is not None:
        return dojo_injection(case, case.target.dojo)
    return measure(case, *(one.channel(case) for one in CHANNELS))


def _tasks(case: SystemCase) -> Competence:
    return clean_tasks(case) if case.target.dojo is None else suite_tasks(case, case.target.dojo)


RECIPE = Recipe(
    indirect_prompt_injection,
    injection_rates,
    fidelity="reduced",
    channels={channel.name: "write" for channel in CHANNELS},
    quick=("tool-allow-list", "flow-control"),
    clean_tasks=_tasks,
    guards=("agent",),
    agentdojo=True,
)
