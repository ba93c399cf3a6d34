"""Thinking: what a model says to itself before it answers, taken apart from the answer where the server has not done so."""

from __future__ import annotations

import re
from typing import NamedTuple

_TAGS = r"think|thinking|thoughts?|reasoning|seed:think|mm:think"
_OPEN = re.compile(
    rf"<(?P<tag>{_TAGS})>|\[(?P<bracket>THINK)\]|◁(?P<moon>think)▷|<\|(?P<pipe>begin_of_thought|START_THINKING|inner_prefix)\|>", re.I
)
_CLOSE = re.compile(rf"</(?:{_TAGS})>|\[/THINK\]|◁/think▷|<\|(?:end_of_thought|END_THINKING|inner_suffix)\|>", re.I)
_LEFT = re.compile(r"<\|(?:begin|end)_of_solution\|>|<\|(?:START|END)_RESPONSE\|>")
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)([^<]{0,200}(?:<\|constrain\|>[^<]{0,40})?)<\|message\|>(.*?)(?=<\|(?:end|return|call|start|channel)\|>|$)", re.S
)
_BARE_CHANNELS = re.compile(r"analysis(.+?)assistant(final|(?=commentary))(.*)$", re.S)


class Parted(NamedTuple):
    """What was thought and what is said. unfinished: the text ends while the model still thinks."""

    thought: str
    said: str
    unfinished: bool = False


def part(text: str) -> Parted:
    """A text taken apart: <think> and its kin, harmony's channels, and thoughts whose opening the template has written.

    An opening tag without its end counts where it begins a line; an end without its opening where a line begins or ends at it.
    """
    if "<|channel|>" in text:
        return _channels(text)
    bare = _BARE_CHANNELS.match(text)
    if bare is not None:
        return Parted(bare[1].strip(), bare[3].strip())
    thoughts: list[str] = []
    said: list[str] = []
    place = 0
    opening, closing = _OPEN.search(text), _CLOSE.search(text)
    while True:
        if closing is None and opening is not None and not _begins_line(text, opening.start()):
            opening = None
        if opening is None and (closing is None or said or not _at_line(text, closing)):
            break
        if closing is None:  # the thought was cut off
            assert opening is not None
            said.append(text[place : opening.start()])
            return Parted(_joined(*thoughts, text[opening.end() :]), _joined(*said), not any(map(str.strip, said)))
        if opening is not None and opening.start() < closing.start():
            said.append(text[place : opening.start()])
            thoughts.append(text[opening.end() : closing.start()])
        elif opening is None or _at_line(text, closing):
            thoughts.append(text[place : closing.start()])
        else:
            said.append(text[place : closing.end()])
        place = closing.end()
        closing = _CLOSE.search(text, place)
        if opening is not None and opening.start() < place:
            opening = _OPEN.search(text, place)
    if not thoughts:
        return Parted("", text)
    return Parted(_joined(*thoughts), _LEFT.sub("", _joined(*said, text[place:])).strip())


def _begins_line(text: str, place: int) -> bool:
    return not text[max(text.rfind("\n", 0, place) + 1, place - 200) : place].strip()


def _at_line(text: str, closing: re.Match[str]) -> bool:
    return _begins_line(text, closing.start()) or text[closing.end() : closing.end() + 1] in ("", "\n")


def _channels(text: str) -> Parted:
    """gpt-oss: analysis is thought, final is said; a call on the commentary channel stays as it was written."""
    thoughts: list[str] = []
    said: list[str] = []
    kinds: list[str] = []
    for name, to, words in _CHANNEL.findall(text):
        kinds.append("call" if "to=" in to else name)
        if kinds[-1] == "call":
            said.append(f"<|channel|>{name}{to}<|message|>{words}<|call|>")
        else:
            (thoughts if name == "analysis" else said).append(words)
    if not kinds:
        return Parted("", text)
    return Parted(_joined(*thoughts), _joined(*said), not any(map(str.strip, said)))


def _joined(*parts: str) -> str:
    return "\n".join(filter(None, map(str.strip, parts)))
