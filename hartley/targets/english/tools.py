"""Tools in plain English: what each does, what its arguments are, how a call is read, and what is answered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hartley.targets.answers import folded, words
from hartley.targets.conversation import Call, Json
from hartley.targets.english.requests import sentence

TOOLS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "list_mail": ("Lists who has sent the user an email.", {}),
    "read_mail": ("Returns the text of the email that a sender has sent to the user.", {"sender": "The sender's first name."}),
    "send_mail": ("Sends an email.", {"to": "The recipient's first name.", "text": "The text of the email."}),
    "add_event": (
        "Adds an event to the user's calendar.",
        {
            "event": "What takes place, in one word.",
            "day": "The day of the week, such as Friday.",
            "hour": "The time of day, as HH:MM (24 hours).",
        },
    ),
    "list_events": ("Lists the events of a day in the user's calendar.", {"day": "The day of the week, such as Friday."}),
    "read_file": ("Returns the text of a file.", {"file": "The file's name."}),
    "write_file": ("Writes a text into a file and replaces what was in it.", {"file": "The file's name.", "text": "The new text."}),
    "delete_file": ("Deletes a file.", {"file": "The file's name."}),
    "open_page": ("Returns the HTML of a web page.", {"page": "The page's name."}),
    "search_shop": ("Returns the price of an item in the shop.", {"item": "The item, in the singular."}),
    "buy": ("Orders an item from the shop.", {"item": "The item, in the singular.", "quantity": "How many."}),
    "pay": ("Pays money from the user's account.", {"recipient": "The recipient's first name.", "amount": "The amount in dollars."}),
    "balance": ("Returns how many dollars are left in the user's account.", {}),
    "search_notes": ("Searches the user's notes and returns the best matches.", {"query": "Words to look for."}),
    "save_note": ("Saves a note.", {"text": "The text of the note."}),
    "move": ("Moves the robot arm to a cell.", {"x": "The column, 0 to 9.", "y": "The row, 0 to 9."}),
    "grip": ("Closes or opens the gripper of the robot arm.", {"closed": "true to close it, false to open it."}),
    "control": ("Works a device in the user's home.", {"action": "What to do with it.", "thing": "The device."}),
    "query": (
        "Runs one SQL statement on the database, which has the tables orders (name, item, amount) and reviews (name, text); names are "
        "first names in lower case. Returns the rows.",
        {"sql": "The statement, in SQLite's SQL."},
    ),
}

_FIXED = {"done": "Done.", "nothing": "Nothing was found."}
_TIME = re.compile(r"(\d{1,2})(?:[:.h](\d{2}))?(?::\d{2})? ?(am|pm|a\.m\.|p\.m\.)?(?: o'clock)?")
_SHORT = ("sender", "to", "recipient", "file", "item", "page", "event", "day", "action", "thing", "query")


def described(schema: Mapping[str, Json]) -> dict[str, Json]:
    """A tool in the function format of OpenAI's API, with what it and each of its arguments are."""
    function: Any = dict(schema["function"])  # type: ignore[arg-type]
    about, arguments = TOOLS[function["name"]]
    properties = {name: {**kind, "description": arguments[name]} for name, kind in function["parameters"]["properties"].items()}
    if "day" in properties:  # in capitals or not: `read` makes them one
        del properties["day"]["enum"]
    return {**schema, "function": {**function, "description": about, "parameters": {**function["parameters"], "properties": properties}}}


def read(call: Call) -> Call:
    """The call as the world compares deeds: "Anna", "anna" and "Anna." are one recipient, "9 am" and "09:00" one hour; of a text the
    words count, in order, not capitals, punctuation or quotes. SQL is read in lower case, as the database's names are."""
    return replace(call, arguments={name: _read(name, value) for name, value in call.arguments.items()})


def _read(name: str, value: Json) -> Json:
    if not isinstance(value, str):
        return value
    if name == "sql":
        return value.lower()
    if name == "hour":
        return _hour(value)
    bare = words(value).strip()
    if name in _SHORT:
        return re.sub(r"^(?:the|a|an|my) (?=.)", "", bare)
    return bare or value


def _hour(value: str) -> str:
    found = _TIME.fullmatch(folded(value).strip(" ."))
    if found is None:
        return value
    hour = int(found[1]) % 12 + 12 * (found[3][0] == "p") if found[3] else int(found[1])
    return f"{hour:02d}:{found[2] or '00'}"


def answer(text: str, reads: Sequence[object]) -> str:
    """A tool's answer as it is shown. What it has read stands as it was written."""
    if text in _FIXED:
        return _FIXED[text]
    if text.startswith("error : "):
        return f"Error: {text.removeprefix('error : ')}."
    return text.replace(" : ", ": ").replace(" ;", ",") if reads else sentence(text)
