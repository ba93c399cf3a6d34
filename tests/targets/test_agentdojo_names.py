"""Targets named agentdojo:...: the names, and what is said where the extra is missing. Nothing here needs AgentDojo."""

from __future__ import annotations

from typing import Any

import pytest

from hartley.errors import InputError
from hartley.targets.agentdojo import extra
from hartley.targets.agentdojo.dojo import load
from hartley.targets.agentdojo.guards import from_text, numbers
from hartley.targets.agentdojo.suites import split


@pytest.mark.parametrize(
    ("name", "suite", "policy"),
    [
        ("agentdojo:banking", "banking", ""),
        ("agentdojo:travel+oracle", "travel", "oracle"),
        ("agentdojo:slack+openai:m@http://127.0.0.1:8000/v1", "slack", "openai:m@http://127.0.0.1:8000/v1"),
    ],
)
def test_a_name_holds_a_suite_and_perhaps_a_policy(name: str, suite: str, policy: str) -> None:
    assert split(name) == (suite, policy)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("agentdojo:bankin", "nearest: banking"),
        ("agentdojo:", "takes the form"),
        ("agentdojo:slack+", "takes the form"),
        ("dojo:slack", "takes the form"),
        ("agentdojo:slack+reference:agent", "one of gullible, oracle"),
    ],
)
def test_a_wrong_name_is_told_in_one_line(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        load(name)
    assert "\n" not in str(raised.value)


def test_a_missing_extra_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> Any:
        return None

    monkeypatch.setattr(extra, "find_spec", nothing)
    with pytest.raises(InputError, match=r"not installed: agentdojo; takes: pip install -e '.\[agentdojo\]'") as raised:
        load("agentdojo:banking")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "trusted", "text", "read"),
    [
        ("US133000000121212121212", "pay the bill", "to US133000000121212121212", True),
        ("US133000000121212121212", "pay US133000000121212121212", "to US133000000121212121212", False),
        (98.7, "pay the bill", "Car Rental 98.70", True),
        (1050, "what did I spend", "1,050 in all", True),
        (50, "pay 50 to Bob", "50", False),
        (["bob@example.com"], "invite everybody", "bob@example.com", True),
        ("own words", "a task", "something else", False),
        (True, "a task", "True", False),
    ],
)
def test_values_are_traced(value: Any, trusted: str, text: str, read: bool) -> None:
    assert from_text(value, trusted, text) is read


def test_numbers_are_compared_by_value() -> None:
    assert numbers("1,200.50 and 7") == {1200.5, 7.0}
