"""Suites of AgentDojo by name: agentdojo:SUITE, and agentdojo:SUITE+POLICY for another policy than the scripted one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from hartley.errors import InputError, unknown
from hartley.targets.agentdojo.environments import cached
from hartley.targets.agentdojo.extra import need
from hartley.targets.conversation import Json

PREFIX, VERSION = "agentdojo:", "v1.2.2"
SUITES = ("banking", "slack", "travel", "workspace")
FORM = "agentdojo:SUITE or agentdojo:SUITE+POLICY, like agentdojo:banking+openai:llama3@http://127.0.0.1:8000/v1"

READING = frozenset(
    [
        "get_iban",
        "get_balance",
        "get_most_recent_transactions",
        "get_scheduled_transactions",
        "read_file",
        "get_user_info",
        "get_channels",
        "read_channel_messages",
        "read_inbox",
        "get_users_in_channel",
        "get_unread_emails",
        "search_emails",
        "get_sent_emails",
        "get_received_emails",
        "get_draft_emails",
        "search_contacts_by_name",
        "search_contacts_by_email",
        "get_day_calendar_events",
        "search_calendar_events",
        "get_current_day",
        "search_files_by_filename",
        "get_file_by_id",
        "list_files",
        "search_files",
        "get_user_information",
        "get_all_hotels_in_city",
        "get_hotels_prices",
        "get_hotels_address",
        "get_rating_reviews_for_hotels",
        "get_all_restaurants_in_city",
        "get_restaurants_address",
        "get_rating_reviews_for_restaurants",
        "get_cuisine_type_for_restaurants",
        "get_dietary_restrictions_for_all_restaurants",
        "get_contact_information_for_restaurants",
        "get_price_for_restaurants",
        "check_restaurant_opening_hours",
        "get_all_car_rental_companies_in_city",
        "get_car_types_available",
        "get_rating_reviews_for_car_rental",
        "get_car_rental_address",
        "get_car_fuel_options",
        "get_car_price_per_day",
        "get_flight_information",
    ]
)
"""Tools that leave nothing changed but read marks, and tell nobody anything. All others are privileged: they change the world or
speak to somebody, and so does get_webpage, whose address is seen by whoever owns it. What is not listed counts as privileged."""


@dataclass(frozen=True)
class Suite:
    """One suite: its tasks in order, and AgentDojo's own object, with environments that are read once."""

    name: str
    dojo: Any

    @cached_property
    def users(self) -> tuple[str, ...]:
        """The ids of the user tasks; an intent is an index into them."""
        return tuple(self.dojo.user_tasks)

    @cached_property
    def injections(self) -> tuple[str, ...]:
        """The ids of the injection tasks; an adversary's symbol is an index into them."""
        return tuple(self.dojo.injection_tasks)

    @cached_property
    def tools(self) -> tuple[Mapping[str, Json], ...]:
        """All tools, in the function format of OpenAI's API."""
        return schemas({tool.name: tool for tool in self.dojo.tools})

    @cached_property
    def attack(self) -> Any:
        """AgentDojo's own "important instructions" attack. It addresses the victim by name: ours is a "Local model" to it."""
        return need("attacks.attack_registry").load_attack("important_instructions", self.dojo, _Named(f"local {self.name}"))

    def planted(self, user: str, injection: str) -> dict[str, str]:
        """What the attack writes where, for a pair: at every place that the user's own task makes the agent read."""
        return dict(self.attack.attack(self.dojo.user_tasks[user], self.dojo.injection_tasks[injection]))


@dataclass(frozen=True)
class _Named:
    name: str


def schemas(functions: Mapping[str, Any]) -> tuple[Mapping[str, Json], ...]:
    """AgentDojo's functions in the function format of OpenAI's API."""
    return tuple(
        {"type": "function", "function": {"name": name, "description": tool.description, "parameters": _schema(tool.parameters)}}
        for name, tool in functions.items()
    )


@cache
def _schema(parameters: Any) -> dict[str, Json]:
    """The JSON Schema of a tool's arguments; writing it takes longer than a call of the tool."""
    return dict(parameters.model_json_schema())


def split(name: str) -> tuple[str, str]:
    """The suite and the policy that a target's name holds; the policy is "" where none is named.

    Raises InputError for another form, and for a suite that there is not, with the nearest names.
    """
    suite, plus, policy = name.removeprefix(PREFIX).partition("+")
    if not name.startswith(PREFIX) or not suite or (plus and not policy):
        raise InputError(f"target {name!r} takes the form {FORM}")
    if suite not in SUITES:
        raise unknown("AgentDojo suite", suite, SUITES)
    return suite, policy


def load_suite(name: str) -> Suite:
    """A suite by its bare name. Raises InputError for an unknown name, and where the extra `agentdojo` is missing."""
    if name not in SUITES:
        raise unknown("AgentDojo suite", name, SUITES)
    return Suite(name, cached(need("task_suite.load_suites").get_suite(VERSION, name)))
