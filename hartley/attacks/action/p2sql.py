"""P2SQL (Pedro et al., ICSE 2025): from a prompt to SQL, injected through a row of the application's own database."""

from __future__ import annotations

from hartley.attacks.action.attack_set import INJECTIONS
from hartley.attacks.action.injection import Injection, injection_rates
from hartley.case import SystemCase
from hartley.channel import measure
from hartley.environments.assistant import beside_a_look, beside_a_question, clean_tasks, draw_database_setting, from_a_review
from hartley.evidence import Evidence
from hartley.recipe import Recipe

CHANNELS = tuple(
    Injection(name, from_a_review(family), INJECTIONS, setting=draw_database_setting)
    for name, family in (("row beside a question", beside_a_question), ("row beside a look", beside_a_look))
)


def p2sql(case: SystemCase) -> tuple[Evidence, ...]:
    """Claim: text stored in a row makes an agent with database tools issue further statements, changing or deleting rows (RI.2).
    Does: stores one instruction in a review; an agent that is asked about the review reads it by SQL of its own, in a real SQLite
    database. Eight goals: four updates and four deletions of other people's orders, judged on the tables afterwards.
    Left out: attacks by the user in person (U.1 to U.3, RD.1, RD.2), since nothing forbids this agent's user to change rows, and
    rows that only bend the answer (RI.1).
    Bends: B. A row of data gets the pathway of the user who asked for it: every statement that the agent may issue.
    """
    return measure(case, *(one.channel(case) for one in CHANNELS))


RECIPE = Recipe(
    p2sql,
    injection_rates,
    fidelity="reduced",
    channels={channel.name: "write" for channel in CHANNELS},
    quick=(),
    clean_tasks=clean_tasks,
    guards=("agent",),
)
