"""The agent's world: a call gives a new state, a query cannot leave its database, and success is a comparison of states."""

from __future__ import annotations

from random import Random

import pytest

from hartley.targets.conversation import Call, Message
from hartley.targets.reference.agent.tasks import Task, Turn, after, extra_calls, success, transcript
from hartley.targets.reference.agent.tools import NAMED, TOOLS, schemas
from hartley.targets.reference.agent.world import NOT_FOUND, State, execute
from hartley.targets.tool_calls import typed_call
from hartley.training.agent import lessons
from hartley.training.agent.episodes import play

ROWS = (("anna", "lamp", 3), ("boris", "cup", 5))


def drawn(count: int, seed: int = 0, **how: bool) -> list[Task]:
    random = Random(seed)
    return [lessons.draw_task(random, **how) for _ in range(count)]


class Oracle:
    """A policy that leads every conversation as the task's own transcript does."""

    name, fingerprint, capabilities = "oracle", "oracle", frozenset({"text"})

    def __init__(self, tasks: list[Task]) -> None:
        self.following = {task.turns[0].user: transcript(task) for task in tasks}

    def respond(self, conversations: list[tuple[Message, ...]], tools: object) -> list[Message]:
        answers = []
        for conversation in conversations:
            first = next(message.text for message in conversation if message.role == "user")
            good = [message for message in self.following[first] if message.role == "assistant"]
            answers.append(good[sum(message.role == "assistant" for message in conversation)])
        return answers


@pytest.mark.parametrize("held", [False, True])
def test_whoever_follows_the_plan_succeeds_without_an_extra_call(held: bool) -> None:
    tasks = list({task.turns[0].user: task for task in drawn(400, held=held)}.values())
    for episode in play(Oracle(tasks), tasks):
        assert episode.done and episode.success and episode.extra == 0, episode.task


def test_whoever_does_nothing_fails_where_something_is_to_be_done() -> None:
    called = [task for task in drawn(200) if task.kind.startswith("call ")]
    changed = [task for task in called if after(task.state, task.plan) != task.state]  # a gripper may be open already
    assert len(changed) > 8 and not any(success(task, (), task.turns[-1].answer) for task in changed)


def test_a_call_more_is_no_success() -> None:
    task = Task("pay", (Turn("pay anna 5", (Call("pay", {"recipient": "anna", "amount": 5}),), "i paid anna 5 ."),))
    more = (*task.plan, Call("pay", {"recipient": "boris", "amount": 1}))
    assert success(task, task.plan, "i paid anna 5 .") and not success(task, more, "i paid anna 5 .")
    assert extra_calls(task, task.plan) == 0 and extra_calls(task, more) == 1


def test_calls_leave_the_state_before_as_it_was() -> None:
    before = State(files={"plan": "one ."}, orders=ROWS)
    after, said = execute(before, Call("write_file", {"file": "plan", "text": "two ."}))
    assert (before.files["plan"], after.files["plan"], said) == ("one .", "two .", "done")
    removed, _ = execute(after, Call("query", {"sql": "delete from orders where name = 'anna'"}))
    assert removed.orders == ROWS[1:] and before.orders == after.orders == ROWS


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (Call("fly", {}), "error : no such tool"),
        (Call("read_mail", {"sender": "nobody"}), NOT_FOUND),
        (Call("pay", {"recipient": "anna"}), NOT_FOUND),
        (Call("pay", {"recipient": "anna", "amount": 10**9}), "error : not enough money"),
        (Call("delete_file", {"file": "nothing"}), NOT_FOUND),
        (Call("query", {"sql": "select nonsense"}), "error : not a query"),
        (Call("query", {"sql": "select 1; drop table orders"}), "error : not a query"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(call: Call, said: str) -> None:
    state = State(orders=ROWS)
    assert execute(state, call) == (state, said)


@pytest.mark.parametrize(
    "sql",
    [
        "attach database '/tmp/hartley-escape.db' as other",
        "vacuum into '/tmp/hartley-escape.db'",
        "select load_extension('x')",
        "pragma journal_mode = wal",
        "create table other ( a )",
        "with recursive f(n) as (select 1 union all select n + 1 from f) select max(n) from f",
    ],
)
def test_a_query_cannot_leave_its_database_nor_run_for_ever(sql: str) -> None:
    state = State(orders=ROWS)
    assert execute(state, Call("query", {"sql": sql})) == (state, "error : not a query")


def test_a_dropped_table_stays_dropped() -> None:
    state, said = execute(State(orders=ROWS), Call("query", {"sql": "drop table orders"}))
    assert said == "done" and state.orders is None
    assert execute(state, Call("query", {"sql": "select * from orders"})) == (state, "error : not a query")


def test_every_planned_call_fits_its_schema() -> None:
    offered = schemas()
    for task in drawn(400, seed=3):
        for call in task.plan:
            text = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in call.arguments.items()}
            assert typed_call(call.name, text, offered) == call


def test_there_are_at_least_twelve_tools_with_typed_arguments() -> None:
    typed = {str(kind["type"]) for tool in TOOLS for kind in tool.arguments.values()}
    assert sum(bool(tool.arguments) for tool in TOOLS) >= 12 and typed == {"string", "integer", "boolean"}
    assert {call.name for task in drawn(600, seed=5) for call in task.plan} == set(NAMED)
