"""Mail: an inbox with one mail a sender, and what was sent."""

from __future__ import annotations

from dataclasses import replace

from hartley.targets.agent.state import State
from hartley.targets.agent.tool import Answer, tool

DONE = "done"


def list_mail(state: State) -> Answer:
    """who wrote mails"""
    said = " ".join(f"from {sender} ;" for sender in state.mails).removesuffix(" ;") or "nothing"
    return Answer(state, said, reads=tuple(("mails", sender) for sender in state.mails))


def read_mail(state: State, sender: str) -> Answer:
    """read a mail"""
    return Answer(state, state.mails[sender], reads=(("mails", sender),))


def send_mail(state: State, to: str, text: str) -> Answer:
    """send a mail"""
    return Answer(replace(state, sent=(*state.sent, (to, text))), DONE, writes=(("sent", to),))


TOOLS = (tool(list_mail), tool(read_mail), tool(send_mail, privileged=True))
