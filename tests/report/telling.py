"""Small made-up runs, and what every output says of them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hartley import catalog
from hartley.report import build
from hartley.report.lines import Line, of
from hartley.report.records import cells
from hartley.report.terminal import summary
from hartley.runs.check import CheckResult, check
from hartley.runs.folder import Run
from hartley.runs.plan import Plan


@dataclass
class Told:
    """What every output says of one made-up run."""

    run: Run
    source: str

    @property
    def page(self) -> str:
        text = self.source[self.source.index("</style>") :]
        tipless = re.sub(r'<span class="tip".*?</span></span>', "</span>", text, flags=re.S)
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", tipless)))

    @property
    def verdict(self) -> str:
        found = re.search(r'<div class="verdict">(.*?)</div>', self.source, re.S)
        assert found is not None
        tipless = re.sub(r'<span class="tip".*?</span></span>', "</span>", found[1], flags=re.S)
        return " ".join(re.sub(r"<[^>]+>", "", tipless).split())

    @property
    def terminal(self) -> str:
        return "\n".join(summary(self.run.root))

    @property
    def lines(self) -> tuple[Line, ...]:
        return of(cells(self.run), [row.id for row in catalog.threats()])

    def check(self, rule: str) -> CheckResult:
        return check(self.run, [rule], catalog)


Measures = list[tuple[str, str, float | None, float, float]]


class Made:
    """One made-up run, built cell by cell from (kind, arm, value, low, high) and rates."""

    def __init__(self, made: ModuleType, folder: Path, *threats: str, defenses: tuple[str, ...] = ()) -> None:
        self.made, self.folder = made, folder
        self.maker = made.Maker(folder)
        self.maker.plan(Plan(threats, "reference:encoder", defenses=defenses))

    def bits(self, kind: str, value: float | None, low: float, high: float, **more: Any) -> dict[str, Any]:
        return {**self.made.bits(kind, value, low, high, 400, "halves disagree" if value is None else ""), **more}

    def channel(self, measures: Measures, rates: list[dict[str, Any]] | None = None, kind: str = "write", name: str = "image") -> Any:
        numbers = [{"arm": arm, "bits": self.bits(what, *three)} for what, arm, *three in measures]
        numbers.append({"arm": "clean", "bits": self.bits("sent_bits", 3.0, 3.0, 3.0)})
        return {"name": name, "kind": kind, "rates": rates or [], "measures": numbers, "costs": []}

    def add(self, threat: str, *channels: Any, defense: str = "none", **parts: Any) -> None:
        self.maker.cell(threat, defense, channels=list(channels), **parts)

    def told(self) -> Told:
        return Told(Run.open(self.folder), build(self.folder))


def rate(name: str, arm: str, value: float, half: float = 0.05, *, headline: bool = True, better: str = "attacker") -> dict[str, Any]:
    low, high = max(0.0, value - half), min(1.0, value + half)
    return {"name": name, "arm": arm, "value": value, "low": low, "high": high, "n": 100, "estimator": "cp",
            "headline": headline, "better": better}  # fmt: skip


GOOD: Measures = [("utility_bits", "clean", 2.8, 2.6, 3.0)]
TAKEN: Measures = [
    *GOOD,
    ("utility_bits", "attacked", 0.4, 0.3, 0.5),
    ("adversary_bits", "attacked", 2.0, 1.9, 2.1),
    ("margin_bits", "attacked", -1.6, -1.8, -1.4),
]
WEAK: Measures = [
    ("utility_bits", "clean", None, 0.0, 0.14),
    ("utility_bits", "attacked", None, 0.0, 0.14),
    ("adversary_bits", "attacked", 1.07, 0.9, 1.2),
    ("margin_bits", "attacked", None, -1.2, -0.8),
]
