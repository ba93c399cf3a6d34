"""What people ask to be done with one call: how they word it, the call it means, and how the agent reports it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from hartley.targets.conversation import Call
from hartley.targets.reference.agent import arguments
from hartley.targets.reference.agent import words as w
from hartley.targets.reference.agent.arguments import Drawn


@dataclass(frozen=True)
class Ask:
    """One thing to be done. wordings: all ways to ask for it, the last one kept for measuring; told: a statement of it."""

    call: Call
    wordings: tuple[str, ...]
    report: str
    told: str

    @property
    def held_out(self) -> bool:
        """Whether this combination of arguments is kept for measuring."""
        return w.held_out(self.call.name, *self.call.arguments.values())

    def said(self, random: Random, *, held_wording: bool = False) -> str:
        """The request in one wording, by default one that training uses."""
        return self.wordings[-1] if held_wording else random.choice(self.wordings[:-1])


@dataclass(frozen=True)
class Form:
    """A kind of request: draw gives a call's arguments and the words that the wordings and the report need."""

    tool: str
    draw: Callable[[Random], Drawn]
    wordings: tuple[str, ...]
    report: str
    told: str

    def ask(self, random: Random) -> Ask:
        """One request of this kind, of any combination."""
        found, fill = self.draw(random)
        filled = tuple(wording.format(**fill) for wording in self.wordings)
        return Ask(Call(self.tool, found), filled, self.report.format(**fill), self.told.format(**fill))


CONTROL_WORDINGS = (
    "{action} the {thing}",
    "i want you to {action} the {thing}",
    "{action} my {thing}",
    "can you {action} the {thing} ?",
    "i need you to {action} the {thing}",
    "the {thing} : {action} it",
    "{action} the {thing} for me",
    "it is time to {action} the {thing}",
    "i ask you to {action} my {thing}",
    "you must {action} the {thing}",
)
FORMS = (
    Form(
        "pay",
        arguments.pay,
        (
            "pay {recipient} {amount}",
            "pay {amount} to {recipient}",
            "give {recipient} {amount}",
            "send {recipient} {amount}",
            "transfer {amount} to {recipient}",
            "send {amount} to {recipient}",
            "you must pay {recipient} {amount}",
            "let {recipient} have {amount}",
            "i owe {recipient} {amount} , pay it",
            "i want you to pay {recipient} {amount}",
        ),
        "i paid {recipient} {amount} .",
        "i paid {recipient} {amount}",
    ),
    Form(
        "send_mail",
        arguments.send,
        (
            "write to {to} : {text}",
            "tell {to} : {text}",
            "send {to} the words : {text}",
            "mail {to} : {text}",
            "send a message to {to} : {text}",
            "write a mail to {to} : {text}",
            "write {to} a message : {text}",
            "send {to} this : {text}",
            "let {to} know : {text}",
            "send a mail to {to} : {text}",
        ),
        "i wrote to {to} .",
        "i wrote to {to} : {text}",
    ),
    Form(
        "add_event",
        arguments.add,
        (
            "add {event} on {day} at {hour}",
            "put {event} into the calendar on {day} at {hour}",
            "plan the {event} for {day} at {hour}",
            "remember the {event} on {day} at {hour}",
            "put the {event} at {hour} on {day} into the calendar",
            "at {hour} on {day} there is a {event} , add it",
            "there is a {event} on {day} at {hour} , add it",
            "on {day} at {hour} add the {event}",
            "plan a {event} at {hour} on {day}",
            "add to the calendar : {event} on {day} at {hour}",
            "add the {event} at {hour} on {day}",
        ),
        "i added the {event} on {day} at {hour} .",
        "i added the {event} on {day} at {hour}",
    ),
    Form(
        "write_file",
        arguments.write,
        (
            "write into the file {file} : {text}",
            "save in the file {file} : {text}",
            "put into the {file} : {text}",
            "put into the file {file} : {text}",
            "save in the {file} : {text}",
            "write in my {file} : {text}",
            "write the words into the file {file} : {text}",
            "add to the file {file} : {text}",
            "write into the {file} : {text}",
        ),
        "i wrote the file {file} .",
        "i wrote into the file {file} : {text}",
    ),
    Form(
        "delete_file",
        arguments.delete,
        (
            "delete the file {file}",
            "remove the {file}",
            "throw the file {file} away",
            "delete the {file}",
            "erase the file {file}",
            "erase my {file}",
            "delete my {file}",
            "throw away the {file}",
            "i do not need the {file} , delete it",
            "remove the file {file}",
        ),
        "i deleted the file {file} .",
        "i deleted the file {file}",
    ),
    Form(
        "buy",
        arguments.buy,
        (
            "buy {quantity} {item}",
            "order {quantity} {item}",
            "get me {quantity} {item}",
            "we need {quantity} {item} , buy them",
            "i need {quantity} {item} , order them",
            "you must buy {quantity} {item}",
            "get {quantity} {item} from the shop",
            "order {quantity} of the {item}",
            "i want to have {quantity} {item} , buy them",
            "i want you to buy {quantity} {item}",
        ),
        "i bought {quantity} {item} .",
        "we bought {quantity} {item}",
    ),
    Form(
        "move",
        arguments.move,
        (
            "move the arm to {x} {y}",
            "go to {x} {y}",
            "bring the arm to {x} {y}",
            "move to {x} {y}",
            "drive the arm to {x} {y}",
            "move it to {x} {y}",
            "get the arm to {x} {y}",
            "the arm must go to {x} {y}",
            "put the arm at {x} {y}",
            "take the arm to {x} {y}",
        ),
        "the arm is at {x} {y} .",
        "i moved the arm to {x} {y}",
    ),
    Form(
        "grip",
        arguments.close,
        (
            "close the gripper",
            "hold it",
            "grip it",
            "take hold of it",
            "close it",
            "take it with the gripper",
            "grip it with the arm",
            "let the gripper hold it",
            "hold it with the gripper",
        ),
        "the gripper is closed .",
        "the gripper is closed",
    ),
    Form(
        "grip",
        arguments.release,
        (
            "open the gripper",
            "release it",
            "let it go",
            "let go of it",
            "open it",
            "put it down",
            "release the gripper",
            "let it go from the arm",
            "release it from the gripper",
        ),
        "the gripper is open .",
        "the gripper is open",
    ),
    Form("control", arguments.control, CONTROL_WORDINGS, "done : {action} the {thing} .", "people {action} the {thing}"),
    Form(
        "save_note",
        arguments.note,
        (
            "note that {text}",
            "make a note : {text}",
            "keep in mind that {text}",
            "save as a note : {text}",
            "save that {text}",
            "write a note : {text}",
            "remember that {text}",
            "keep a note that {text}",
            "save the note that {text}",
            "make a note that {text}",
        ),
        "i noted it .",
        "i noted that {text}",
    ),
    Form(
        "query",
        arguments.update,
        (
            "set the orders of {name} to {amount}",
            "change the orders of {name} to {amount} in the database",
            "update the orders of {name} to {amount}",
            "in the database change the orders of {name} to {amount}",
            "make the orders of {name} {amount}",
            "let the orders of {name} be {amount}",
            "set all orders of {name} to {amount}",
            "in the database set the orders of {name} to {amount}",
        ),
        "the orders of {name} are now {amount} .",
        "the orders of {name} are {amount}",
    ),
    Form(
        "query",
        arguments.remove,
        (
            "delete the orders of {name}",
            "remove the orders of {name} from the database",
            "drop all orders of {name}",
            "in the database drop the orders of {name}",
            "erase the orders of {name}",
            "remove all orders of {name}",
            "delete what {name} ordered from the database",
            "in the database delete the orders of {name}",
        ),
        "i deleted the orders of {name} .",
        "i deleted the orders of {name}",
    ),
    Form(
        "query",
        arguments.drop,
        (
            "drop the table {table}",
            "delete the whole table {table}",
            "remove the table {table} from the database",
            "in the database delete the table {table}",
            "erase the table {table}",
            "remove the whole table {table}",
            "drop the whole table {table}",
            "in the database drop the table {table}",
        ),
        "i dropped the table {table} .",
        "i dropped the table {table}",
    ),
)
