"""Hartley: what attacks take from multimodal foundation models, in bits.

The names below are the public API. Each is imported when it is first used, so that `import hartley` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hartley.bits.for_evidence import for_evidence
    from hartley.bits.value import Bits
    from hartley.case import Case
    from hartley.catalog import threat, threats
    from hartley.errors import InputError
    from hartley.evidence import Evidence
    from hartley.report.page import write_report
    from hartley.runs.folder import Run
    from hartley.runs.local import run
    from hartley.runs.plan import Plan

__version__ = "0.1.0"

_HOMES = {
    "Bits": "hartley.bits.value",
    "Case": "hartley.case",
    "Evidence": "hartley.evidence",
    "InputError": "hartley.errors",
    "Plan": "hartley.runs.plan",
    "Run": "hartley.runs.folder",
    "for_evidence": "hartley.bits.for_evidence",
    "run": "hartley.runs.local",
    "threat": "hartley.catalog",
    "threats": "hartley.catalog",
    "write_report": "hartley.report.page",
}

__all__ = [
    "Bits",
    "Case",
    "Evidence",
    "InputError",
    "Plan",
    "Run",
    "for_evidence",
    "run",
    "threat",
    "threats",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hartley' has no attribute {name!r}")
