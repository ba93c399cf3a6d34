"""Keys: where they come from, which server may see one, and how they are kept out of everything that is written."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import quote

from hartley.errors import InputError
from hartley.targets.endpoint.name import EndpointName

OWN, OPENAI = "HARTLEY_API_KEY", "OPENAI_API_KEY"
HIDDEN = "[key]"
SHORTEST_SECRET = 8
"""Shorter ones are stand-ins, like "none" or "EMPTY", for servers that need no key; to take them out of answers would change answers."""

_LONGEST_HINT = 12
_ESCAPED = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(/))")
_LOGGERS = ("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy", "httpcore2.socks", "openai")


class Key:
    """A secret that shows itself nowhere: not when printed, not when pickled."""

    __slots__ = ("_marks", "_value")

    def __init__(self, value: str = "") -> None:
        self._value = value
        secret = len(value) >= SHORTEST_SECRET
        self._marks = tuple(dict.fromkeys((value, quote(value, safe="")))) if secret else ()

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
        """The text with `HIDDEN` wherever the key stands in it, whole or only its beginning, as it is or in JSON's escapes."""
        if not self._marks:
            return text
        if "\\" in text:  # JSON within a string, such as a call's arguments, has its escapes still before it
            plain = _ESCAPED.sub(lambda found: found[2] or chr(int(found[1], 16)), text)
            if (hidden := self._hidden(plain)) != plain:
                return hidden
        return self._hidden(text)

    def _hidden(self, text: str) -> str:
        for mark in self._marks:
            text = text.replace(mark, HIDDEN)
        if len(self._value) <= 2 * _LONGEST_HINT:
            return text
        # Each piece after a beginning goes on without what follows in the key too; one pass, since a server may repeat it without end.
        first, *others = text.split(self._value[:_LONGEST_HINT])
        return first + "".join(HIDDEN + piece[self._followed(piece) :] for piece in others)

    def _followed(self, piece: str) -> int:
        """How many letters of the piece are those that follow the key's beginning."""
        pairs = enumerate(zip(piece, self._value[_LONGEST_HINT:], strict=False))
        return next((count for count, (one, other) in pairs if one != other), min(len(piece), len(self._value) - _LONGEST_HINT))


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
