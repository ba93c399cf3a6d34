"""A long arm says where it is: part by part, as large as keeps a server busy, and at once for our own agent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hartley.attacks.memory.asking import said
from hartley.environments.progress import in_parts
from hartley.rows import ATTACKED
from hartley.targets.memory.corpus import Question


def case(*, reference: bool = False, policy: Any = None) -> Any:
    """A case that keeps what it was told of progress."""
    steps: list[tuple[str, int, int]] = []
    system = SimpleNamespace(reference=reference, policy=policy)
    return SimpleNamespace(target=system, progress=lambda *step: steps.append(step), steps=steps, flags=[])


def behind(concurrency: int) -> Any:
    return SimpleNamespace(endpoint=SimpleNamespace(settings=SimpleNamespace(concurrency=concurrency)))


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (case(), [0, 16, 32, 40]),
        (case(reference=True), [0, 40]),
        (case(policy=behind(4)), [0, 16, 32, 40]),
        (case(policy=behind(8)), [0, 32, 40]),
        (case(policy=SimpleNamespace(policy=behind(8))), [0, 32, 40]),
    ],
    ids=["a folder", "our own", "a server", "a server that is asked more at once", "behind the text protocol"],
)
def test_an_arm_says_where_it_is(found: Any, steps: list[int]) -> None:
    assert in_parts(found, "attacked", lambda part: [2 * one for one in part], range(40)) == [2 * one for one in range(40)]
    assert found.steps == [("attacked", step, 40) for step in steps]


def test_a_memory_is_asked_part_by_part_and_nothing_is_mixed_up() -> None:
    found, asked = case(), list[int]()

    def reading(questions: Any, passages: Any) -> list[str]:
        asked.append(len(questions))
        return [f"{question} of {len(own)}" for question, own in zip(questions, passages, strict=True)]

    questions = [Question(f"q{n}", ("no", "yes"), 0) for n in range(20)]
    heard = said(found, "1 text", ATTACKED, reading, [(question, [None] * n) for n, question in enumerate(questions)])  # type: ignore[list-item]
    assert list(heard.said) == [f"q{n} of {n}" for n in range(20)] and asked == [16, 4]
    assert found.steps == [("1 text, attacked", step, 20) for step in (0, 16, 20)]
