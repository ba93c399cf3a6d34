"""Rows: what a run asks of the catalog, so that another set of threats and defenses can stand in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ThreatRow(Protocol):
    """What a run asks of a threat in the catalog."""

    @property
    def id(self) -> str: ...

    @property
    def implemented(self) -> bool: ...


class DefenseRow(Protocol):
    """What a run asks of a defense in the catalog."""

    @property
    def id(self) -> str: ...

    @property
    def implemented(self) -> bool: ...


class Catalog(Protocol):
    """The part of `hartley.catalog` that a plan is held against."""

    def threats(self) -> Sequence[ThreatRow]: ...

    def defenses(self) -> Sequence[DefenseRow]: ...
