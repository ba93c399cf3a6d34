"""Keys: where they come from, which server may see one, and how they are kept out of everything that is written."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import NoReturn
from urllib.parse import quote

from hartley.errors import InputError
from hartley.targets.endpoint.name import EndpointName

OWN, OPENAI = "HARTLEY_API_KEY", "OPENAI_API_KEY"
HIDDEN = "[key]"
SHORTEST_SECRET = 8
"""Shorter ones are stand-ins, like "none" or "EMPTY", for servers that need no key; to take them out of answers would change answers."""

_LONGEST_HINT = 12
_MOST_PIECES = 250_000
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(/))")
_LOGGERS = ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy", "httpcore2.socks", "openai")


class Key:
    """A secret that shows itself nowhere: not when printed, not when pickled."""

    __slots__ = ("_least", "_pieces", "_quoted", "_value")

    def __init__(self, value: str = "") -> None:
        self._value = value
        secret = len(value) >= SHORTEST_SECRET
        self._quoted = quote(value, safe="") if secret and quote(value, safe="") != value else ""
        # Of a run of `least` letters of the key, wherever it begins, one of its pieces is a part.
        self._least = min(_LONGEST_HINT, max(SHORTEST_SECRET, len(value) - 6))
        size = (self._least + 1) // 2
        pieces = sorted({value[start : start + size] for start in range(0, len(value) - size + 1, size)} if secret else ())
        self._pieces = re.compile("|".join(map(re.escape, pieces))) if pieces else None

    def __repr__(self) -> str:
        return "Key(hidden)" if self._value else "Key(none)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is never written anywhere")

    def __bool__(self) -> bool:
        return bool(self._value)

    def header(self) -> str:
        """What goes into the header Authorization."""
        return f"Bearer {self._value}"

    def hide(self, text: str) -> str:
        """The text with `HIDDEN` wherever the key or a long piece of it stands, as it is or in JSON's escapes."""
        if self._pieces is None:
            return text
        if "\\" in text:  # JSON within a string, such as a call's arguments, has its escapes still before it
            plain = _ESCAPED.sub(lambda found: found[2] or chr(int(found[1], 16)), text)
            if (hidden := self._hidden(plain)) != plain:
                return hidden
        return self._hidden(text)

    def _hidden(self, text: str) -> str:
        if self._quoted:
            text = text.replace(self._quoted, HIDDEN)
        assert self._pieces is not None
        parts: list[str] = []
        done = examined = 0
        for found in self._pieces.finditer(text):
            if found.start() < done:
                continue
            examined += 1
            if examined > _MOST_PIECES:
                return HIDDEN  # no answer repeats a key so often
            begin, end = self._run(text, found.start(), found[0], done)
            if end - begin >= self._least:
                parts += [text[done:begin], HIDDEN]
                done = end
        return "".join([*parts, text[done:]]) if parts else text

    def _run(self, text: str, place: int, piece: str, first: int) -> tuple[int, int]:
        """Where the longest run of the key's letters around a piece of it at `place` begins and ends, not before `first`."""
        best = (place, place)
        at = self._value.find(piece)
        while at >= 0:
            head, tail = self._value[:at], self._value[at:]
            before = _most(len(head), partial(_before, text, first, place, head))
            after = _most(len(tail), partial(_after, text, place, tail))
            if before + after > best[1] - best[0]:
                best = (place - before, place + after)
            at = self._value.find(piece, at + 1)
        return best


def _before(text: str, first: int, place: int, head: str, count: int) -> bool:
    """Whether the last `count` letters of `head` stand before a place of the text."""
    return text.endswith(head[len(head) - count :], first, place)


def _after(text: str, place: int, tail: str, count: int) -> bool:
    """Whether the first `count` letters of `tail` stand at a place of the text."""
    return text.startswith(tail[:count], place)


def _most(most: int, holds: Callable[[int], bool]) -> int:
    """The largest count up to `most` that holds, where all smaller ones hold too; found in a few steps, for a server may ask often."""
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if holds(middle) else (least, middle - 1)
    return least


def key_for(name: EndpointName, environment: Mapping[str, str] = os.environ) -> Key:
    """The key that this server may see.

    HARTLEY_API_KEY goes to whatever server is named; OPENAI_API_KEY to OpenAI's own server and to this machine alone, and
    there it goes first. No key ever crosses a network unencrypted. A server on this machine, and one without https, needs none.
    Raises InputError when a key is missing, is no key, or would have to go unencrypted.
    """
    own, openai = (_read(variable, environment) for variable in (OWN, OPENAI))
    if name.loopback:
        return Key(own or openai)
    if not name.encrypted:
        if own:
            raise InputError(f"{name.host} has no https and would be sent {OWN} unencrypted; take https, or unset {OWN}")
        return Key()
    found = (openai or own) if name.official else own
    if not found and name.official:
        raise InputError(f"no key for {name.host}: set {OPENAI} or {OWN} in the environment")
    if not found:
        hint = f"; {OPENAI} is sent to OpenAI's own server alone" if openai else ""
        raise InputError(f"no key for {name.host}: set {OWN} in the environment, to any word if the server asks for none{hint}")
    return Key(found)


def refuse_key_in(text: str, environment: Mapping[str, str] = os.environ) -> None:
    """Raises InputError where a name, which is written everywhere, holds one of the environment's keys."""
    for variable in (OWN, OPENAI):
        value = environment.get(variable, "").strip()
        if len(value) >= SHORTEST_SECRET and value in text:
            raise InputError(f"the endpoint's name holds the key of {variable}; keys go into the environment alone")


def _read(variable: str, environment: Mapping[str, str]) -> str:
    value = environment.get(variable, "").strip()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise InputError(f"{variable} holds a space or a character that no key has")
    return value


class _Hiding(logging.Filter):
    """Takes a key out of what the client's own modules log: at debug level they log the headers that a server sends back."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        hidden = self._key.hide(said)
        if hidden != said:
            record.msg, record.args = hidden, ()
        return True


def hide_in_logs(key: Key) -> None:
    """From now on the key is taken out of whatever the client's modules log."""
    if not key:
        return
    hiding = _Hiding(key)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(known, _Hiding) and known._key._value == key._value for known in logger.filters):
            logger.addFilter(hiding)
