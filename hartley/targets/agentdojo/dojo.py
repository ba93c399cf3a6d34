"""Dojo: a suite and the policy that faces it, as the target agentdojo:SUITE or agentdojo:SUITE+POLICY names them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hartley.errors import InputError
from hartley.targets.agentdojo.ground_truth import GroundTruth
from hartley.targets.agentdojo.suites import VERSION, Suite, load_suite, split
from hartley.targets.protocols import Policy

SCRIPTED = {"": True, "gullible": True, "oracle": False}
"""The scripted policies by what stands after the plus sign: whether they fall for an injection."""


@dataclass(frozen=True)
class Dojo:
    """name: as the user gave it. suite, policy: what runs."""

    name: str
    suite: Suite
    policy: Policy

    @property
    def fingerprint(self) -> str:
        """A hash of the suite, its version and the policy."""
        return hashlib.sha256(f"{self.suite.name} {VERSION} {self.policy.fingerprint}".encode()).hexdigest()

    @property
    def scripted(self) -> bool:
        """Whether the policy is one of ours, that knows the tasks' solutions."""
        return isinstance(self.policy, GroundTruth)

    @property
    def at_once(self) -> int:
        """Tasks that run side by side, which helps where the policy waits for a server."""
        return 8 if hasattr(self.policy, "attempt") else 1

    @property
    def capabilities(self) -> frozenset[str]:
        """What the policy offers."""
        return self.policy.capabilities


def load(name: str, policy_of: Callable[[str], Any] | None = None) -> Dojo:
    """The target of that name.

    policy_of  loads another policy by its name, like `hartley.targets.load`; None: the scripted ones alone.
    Raises InputError for another form, an unknown suite (with the nearest names), a policy that is none, and where the extra
    `agentdojo` is missing.
    """
    suite_name, policy_name = split(name)
    if policy_name not in SCRIPTED and policy_of is None:
        raise InputError(f"target {name!r}: the policy after the + is one of {', '.join(filter(None, SCRIPTED))}")
    suite = load_suite(suite_name)
    if policy_name in SCRIPTED:
        return Dojo(name, suite, GroundTruth(suite, gullible=SCRIPTED[policy_name]))
    assert policy_of is not None
    policy = policy_of(policy_name)
    if not hasattr(policy, "respond"):
        raise InputError(f"target {name!r}: {policy_name} is no policy; it takes one that answers or calls tools")
    return Dojo(name, suite, policy)
