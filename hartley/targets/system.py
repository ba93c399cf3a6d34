"""System: what agents, societies and memories are built from when the system-level threats run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hartley.targets.protocols import Answerer, Encoder, Policy, TextEmbedder

if TYPE_CHECKING:
    from hartley.targets.agentdojo.dojo import Dojo


@dataclass(frozen=True)
class System:
    """A policy, and what stands around it.

    name      as the user named the target.
    policy    what decides an agent's next step.
    embedder  what a memory finds its entries with.
    answerer, encoder   what agents of a society see pictures with and find them in their albums; None: there is none, and
              threats that spread by pictures are refused.
    reference whether `policy` speaks the reference world's few words, so that payloads must be worded in them.
    dojo      a suite of AgentDojo whose environment stands in place of ours; then only injections into it can be run.
    """

    name: str
    policy: Policy
    embedder: TextEmbedder
    answerer: Answerer | None = None
    encoder: Encoder | None = None
    reference: bool = True
    dojo: Dojo | None = None

    @property
    def fingerprint(self) -> str:
        """A hash over all parts."""
        parts = (self.policy, self.embedder, self.answerer, self.encoder, self.dojo)
        return hashlib.sha256("\0".join("" if part is None else part.fingerprint for part in parts).encode()).hexdigest()

    @property
    def capabilities(self) -> frozenset[str]:
        """What its policy offers, and what both that see pictures do: "grad" where pictures can be optimized through the two."""
        if self.answerer is None or self.encoder is None:
            return self.policy.capabilities
        seeing, shared = self.answerer.capabilities | self.encoder.capabilities, self.answerer.capabilities & self.encoder.capabilities
        return self.policy.capabilities | (seeing - {"grad"}) | (shared & {"grad"})
