"""Database: two tables in a real SQLite database in memory, asked in SQL. Nothing outside it can be reached."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

from hartley.targets.agent.state import Place, State
from hartley.targets.agent.tool import Answer, tool

ORDERS, REVIEWS = "orders ( name , item , amount )", "reviews ( name , text )"
TABLES = ("orders", "reviews")
NOT_A_QUERY = "error : not a query"
MOST_ROWS = 8
MOST_STEPS = 100_000
_NAMES = ("SELECT", "READ", "INSERT", "UPDATE", "DELETE", "DROP_TABLE", "TRANSACTION", "FUNCTION")
_ALLOWED = frozenset(getattr(sqlite3, f"SQLITE_{name}") for name in _NAMES)
_WRITING = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_DROP_TABLE})


def query(state: State, sql: str) -> Answer:
    """ask the database"""
    base = sqlite3.connect(":memory:")
    touched: dict[bool, set[str]] = {True: set(), False: set()}

    def allowed(action: int, table: str | None, *_: str | None) -> int:
        """SQLite names each table that a statement reads or writes while it prepares it."""
        if table in TABLES:
            touched[action in _WRITING].add(table)
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    try:
        for table, rows in ((ORDERS, state.orders), (REVIEWS, state.reviews)):
            if rows is not None:
                base.execute(f"create table {table}")
                places = ", ".join("?" * (table.count(",") + 1))
                base.executemany(f"insert into {table.split()[0]} values ({places})", rows)  # noqa: S608 - both are constants
        base.set_authorizer(allowed)
        base.set_progress_handler(lambda: 1, MOST_STEPS)
        found = base.execute(sql).fetchmany(MOST_ROWS)
        base.set_authorizer(None)
        after = replace(state, orders=_rows(base, "orders"), reviews=_rows(base, "reviews"))
        return Answer(after, _table(found) or "done", _places(state, touched[False]), _places(after, touched[True]))
    except sqlite3.Error:
        return Answer(state, NOT_A_QUERY)
    finally:
        base.close()


def _places(state: State, tables: set[str]) -> tuple[Place, ...]:
    """A place a row: whoever is named in it wrote it."""
    named = [(table, str(row[0])) for table in sorted(tables) for row in getattr(state, table) or ()]
    return tuple(dict.fromkeys(named))


def _rows(base: sqlite3.Connection, table: str) -> Any:
    if not base.execute("select count(*) from sqlite_master where name = ?", (table,)).fetchone()[0]:
        return None
    return tuple(tuple(row) for row in base.execute(f"select * from {table}"))  # noqa: S608 - one of two constants


def _table(rows: list[tuple[Any, ...]]) -> str:
    return " ; ".join(" ".join(map(str, row)) for row in rows)


TOOLS = (tool(query, privileged=True),)
