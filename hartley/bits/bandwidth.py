"""Bandwidth of an interface: log2 of how many actions its schema lets through, counted exactly, and how much of it is used."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hartley.bits.entropy import entropy_of_counts
from hartley.bits.json_schema.count import sized
from hartley.bits.json_schema.schema import Reader
from hartley.bits.json_schema.size import NONE, ONE, Size, total
from hartley.bits.value import Bits
from hartley.errors import InputError

UNICODE = 0x110000 - 0x800
"""Characters a JSON string may hold: all code points without the surrogates."""


@dataclass(frozen=True)
class Bandwidth:
    """How many different actions an interface lets through, per use.

    bits       log2 of their number; None when nothing bounds it.
    actions    their number; None when unbounded or too long to write out (over 200,000 bits).
    exact      the number is exact; False: an upper bound, for the reason in `why`. A cut needs no more than that.
    unbounded  paths of what has no bound (free strings, numbers, lists), empty when there is one.
    why        plain words where the count is not exact or there is none.
    """

    bits: float | None
    actions: int | None
    exact: bool
    unbounded: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        if self.bits is None:
            more = f" and {len(self.unbounded) - 5} more" if len(self.unbounded) > 5 else ""
            return f"bandwidth: unbounded (no bound on {', '.join(self.unbounded[:5])}{more})"
        bits = f"{self.bits:.3f}" if self.bits < 1e9 else f"{self.bits:.6g}"
        head = f"{'' if self.exact else 'at most '}{bits} bits per action"
        count = "" if self.actions is None or self.actions.bit_length() > 64 else f" ({self.actions:,} actions)"
        return f"bandwidth: {head}{count}{'; ' + self.why if self.why else ''}"


def schema_bandwidth(
    schema: Mapping[str, Any] | bool, *, closed: bool = True, alphabet: int = UNICODE, longest: int | None = None
) -> Bandwidth:
    """log2 of the number of different JSON values that a JSON Schema (2020-12, and older bounds) accepts.

    Values are counted as values: 1 and 1.0 are one, the order of names is nothing, an optional property adds one case.
    closed     as tool calls are read: an object has the properties it names and no others unless it says
               "additionalProperties", and "type" may be left out where all keywords speak of one type. False: to the
               letter, where every open object is unbounded. Strict function calling demands the closed form in writing.
    alphabet   symbols a string is made of: characters by default; a tokenizer's vocabulary counts tokens instead.
    longest    symbols in a string that says no maxLength, where the interface cuts it there; None: unbounded.
    Counted exactly: enum, const, booleans, null, whole numbers in a range, multiples of a step in a range, bounded
    strings, "date", "ipv4" and "uuid" strings, arrays (also of different items), nested objects, references,
    alternatives that are disjoint or small enough to write out, allOf that simply merges. An upper bound, marked so:
    what has a pattern, not, if, contains, dependent or overlapping large parts. Unbounded: free strings, numbers
    between limits, lists without maxItems, recursion, references to other documents.
    InputError, one line, for what is no schema, and past 60 levels or 50,000 subschemas: a hostile one costs no more.
    """
    reader = _reader(schema, closed, alphabet, longest)
    return _bandwidth(_counted(reader, schema, "#"), reader)


def tools_bandwidth(
    tools: Sequence[Mapping[str, Any]] | Mapping[str, Any],
    *,
    no_call: bool = True,
    closed: bool = True,
    alphabet: int = UNICODE,
    longest: int | None = None,
) -> Bandwidth:
    """log2 of the number of different calls that a list of tools allows, and of not calling where `no_call`.

    tools  in the chat-completions form {"type": "function", "function": {"name", "parameters"}}, the flat form
           {"name", "parameters"} (or "input_schema", "inputSchema"), or a mapping from name to schema. A tool without
           parameters is one action. One call per action: bandwidth times calls bounds a run.
    Other arguments and errors as in `schema_bandwidth`; InputError also for two tools of one name.
    """
    listed = _tools(tools)
    sizes, unbounded, upper = [ONE if no_call else NONE], [], []
    for name, schema in listed.items():
        reader = _reader(schema, closed, alphabet, longest)
        sizes.append(_counted(reader, schema, name))
        unbounded += reader.unbounded
        upper += reader.upper
    whole = _reader(True, closed, alphabet, longest)
    whole.unbounded, whole.upper = unbounded, upper
    return _bandwidth(total(sizes), whole)


def _reader(schema: object, closed: bool, alphabet: int, longest: int | None) -> Reader:
    if isinstance(alphabet, bool) or not isinstance(alphabet, int) or not 1 <= alphabet <= 10**9:
        raise InputError(f"alphabet: got {alphabet!r}, takes a whole number from 1 to 10^9")
    if longest is not None and (isinstance(longest, bool) or not isinstance(longest, int) or not 0 <= longest <= 10**12):
        raise InputError(f"longest: got {longest!r}, takes None or a whole number from 0 to 10^12")
    if not isinstance(schema, (bool, Mapping)):
        raise InputError(f"schema: got {type(schema).__name__}, takes an object or a boolean")
    return Reader(schema, closed, alphabet, longest)


def _counted(reader: Reader, schema: Mapping[str, Any] | bool, path: str) -> Size:
    try:
        return sized(reader, schema, path)
    except RecursionError:
        raise InputError(f"schema at {path}: nested deeper than this Python allows ({sys.getrecursionlimit()} calls)") from None


def _bandwidth(size: Size, reader: Reader) -> Bandwidth:
    if size.unbounded:
        paths = tuple(dict.fromkeys(reader.unbounded))
        return Bandwidth(None, None, size.exact, paths, "nothing bounds " + ", ".join(paths[:5]))
    reasons = [] if size.exact else list(dict.fromkeys(reader.upper))
    if size.none:
        return Bandwidth(0.0, 0, size.exact, (), "no value passes: there is no action at all")
    if size.number is None:
        reasons.append("too many to write out")
    if not size.exact and not reasons:
        reasons.append("an upper bound")
    more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return Bandwidth(size.log2, size.number, size.exact, (), "; ".join(reasons[:3]) + more)


def _tools(tools: object) -> dict[str, Mapping[str, Any] | bool]:
    found: dict[str, Mapping[str, Any] | bool] = {}
    if isinstance(tools, Mapping):
        pairs: list[tuple[Any, Any]] = list(tools.items())
    elif isinstance(tools, Sequence) and not isinstance(tools, str):
        pairs = [_tool(tool, i) for i, tool in enumerate(tools)]
    else:
        raise InputError(f"tools: got {type(tools).__name__}, takes a list of tools or a mapping from name to schema")
    for name, schema in pairs:
        if not isinstance(name, str) or not name:
            raise InputError(f"tools: a name is {name!r}, takes a string")
        if name in found:
            raise InputError(f"tools: two are named {name!r}")
        found[name] = {"type": "object", "properties": {}} if schema is None or schema == {} else schema
    return found


def _tool(tool: object, index: int) -> tuple[Any, Any]:
    if not isinstance(tool, Mapping):
        raise InputError(f"tools, entry {index}: got {type(tool).__name__}, takes an object")
    inner = tool.get("function", tool)
    if not isinstance(inner, Mapping) or "name" not in inner:
        raise InputError(f"tools, entry {index}: has no name")
    return inner["name"], next((inner[word] for word in ("parameters", "input_schema", "inputSchema") if word in inner), None)


def used_bandwidth(actions: ArrayLike, *, kind: str = "used_bandwidth_bits") -> Bits:
    """H(action) in bits per action of benign use, from actions (n,): one symbol a call, any values that sort.

    Point and limits as in `hartley.bits.entropy.entropy_of_counts`; what is used never exceeds the bandwidth.
    InputError names the column and the row.
    """
    symbols = np.asarray(actions)
    if symbols.ndim != 1 or symbols.dtype == object or len(symbols) == 0:
        raise InputError(f"column actions: shape {symbols.shape} of {symbols.dtype}, takes one symbol a call, at least one")
    if symbols.dtype.kind == "f" and not np.isfinite(symbols).all():
        raise InputError(f"column actions, row {int(np.flatnonzero(~np.isfinite(symbols))[0])}: not finite")
    return entropy_of_counts(np.unique(symbols, return_counts=True)[1], kind=kind)
