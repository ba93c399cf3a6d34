"""Progress: a long arm in parts, so that it says where it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hartley.case import SystemCase

Asked = TypeVar("Asked")
Got = TypeVar("Got")
PART = 16
"""Conversations after which progress is told. Our own agent is asked all at once: whom an answer is computed with bends its last digits."""


def in_parts(case: SystemCase, what: str, run: Callable[[Sequence[Asked]], Sequence[Got]], asked: Sequence[Asked]) -> list[Got]:
    """What `run` gives for all of them, part by part where the policy is not our own, so that a long arm says where it is.

    A part keeps a server as busy as `--concurrency` says, some times over.
    """
    policy: Any = case.target.policy
    endpoint = getattr(getattr(policy, "policy", policy), "endpoint", None)
    size = max(1, len(asked)) if case.target.reference else max(PART, 4 * endpoint.settings.concurrency if endpoint else 0)
    found: list[Got] = []
    case.progress(what, 0, len(asked))
    for start in range(0, len(asked), size):
        found += run(asked[start : start + size])
        case.progress(what, len(found), len(asked))
    return found
