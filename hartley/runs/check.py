"""Check: a run held against a policy, for continuous integration."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hartley import files
from hartley.errors import InputError, unknown
from hartley.runs import reading
from hartley.runs.folder import Run
from hartley.runs.plan import NO_DEFENSE
from hartley.runs.rows import Catalog
from hartley.runs.store import slug

MEASURES = (
    "adversary_bits",
    "adversary_given_user_bits",
    "alignment_loss_bits",
    "bandwidth_bits",
    "c_g_bits",
    "capacity_bits",
    "certified_bits",
    "cut_bound_bits",
    "deployed_bits",
    "embedding_bits",
    "margin_bits",
    "maximal_leakage_bits",
    "misinformation_bits",
    "noise_gain_bits",
    "percolation_bound_bits",
    "reach_bound_bits",
    "sent_bits",
    "signal_loss_bits",
    "success",
    "used_bandwidth_bits",
    "utility_bits",
)
LACKS: Mapping[str, tuple[str, ...]] = {
    "jam": (
        "adversary_bits",
        "adversary_given_user_bits",
        "margin_bits",
        "capacity_bits",
        "maximal_leakage_bits",
        "percolation_bound_bits",
        "reach_bound_bits",
    ),
    "write": ("maximal_leakage_bits",),
    "read": (
        "utility_bits",
        "adversary_given_user_bits",
        "margin_bits",
        "deployed_bits",
        "signal_loss_bits",
        "noise_gain_bits",
        "embedding_bits",
        "certified_bits",
        "c_g_bits",
        "alignment_loss_bits",
    ),
}
"""Measures that a kind of channel need not have: a jam writes nothing, and who reads a secret takes nothing from the service."""
FIELDS = ("low", "high", "value")
EVERY = "any"
FORM = "MEASURE.low|high|value >=|<=|>|< NUMBER [under THREAT[/CHANNEL] | under any] [with DEFENSE] [when clean]"

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_RULE = re.compile(
    r"\s*(?P<measure>[a-z0-9_]+|'[^']+')\.(?P<field>[a-z]+)"
    r"\s*(?P<sign>>=|<=|>|<)\s*(?P<number>[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
    r"(?:\s+under\s+(?P<threat>[a-z0-9.-]+)(?:/(?P<channel>[a-z0-9_-]+))?)?"
    r"(?:\s+with\s+(?P<defense>[a-z0-9.-]+))?"
    r"(?P<clean>\s+when\s+clean)?\s*"
)


@dataclass(frozen=True)
class Rule:
    """One line of a policy. `threat` "any": each of the run's. `measure`: a kind of bits, "success", or a rate's name."""

    text: str
    measure: str
    named_rate: bool
    field: str
    sign: str
    number: float
    threat: str
    channel: str | None
    defense: str
    clean: bool

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that are judged; of several the worse."""
        if self.defense == NO_DEFENSE:
            return ("clean",) if self.clean else ("attacked",)
        return ("defended",) if self.clean else ("defended_attacked", "defended_adaptive")


@dataclass(frozen=True)
class Verdict:
    """What became of one rule. state: "holds", "broken" or "not measured"."""

    rule: Rule
    state: str
    detail: str

    def __str__(self) -> str:
        return f"{self.state}: {self.rule.text} ({self.detail})"


@dataclass(frozen=True)
class CheckResult:
    """The verdicts, in the policy's order. weak: where there is no service that could be attacked, and why, a line a channel."""

    verdicts: tuple[Verdict, ...]
    weak: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.state == "broken")

    @property
    def unmeasured(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.state == "not measured")

    @property
    def exit_code(self) -> int:
        """1: a rule is broken. 2: none is, but something that a rule needs was not measured. 0: all hold."""
        return 1 if self.broken else 2 if self.unmeasured else 0


POLICY_BYTES = 2**20


def read_policy(path: Path) -> tuple[str, ...]:
    """The rules of a policy file, as text. Raises InputError for a file that is missing, no TOML, or has another key."""
    try:
        record = files.parsed_toml(files.read(path, POLICY_BYTES), path)
    except files.MissingError:
        raise InputError(f"{path}: no such policy") from None
    except InputError as error:
        raise InputError(f"{error}; cannot be read as a policy") from None
    for key in record:
        if key != "rules":
            raise unknown("key in the policy", key, ("rules",))
    rules = record.get("rules")
    if not isinstance(rules, list) or not rules or not all(isinstance(rule, str) for rule in rules):
        raise InputError(f"{path}: rules takes a list of at least one text like {'utility_bits.low >= 2.0 under sga'!r}")
    return tuple(rules)


def parse(text: str, catalog: Catalog, measures: Iterable[str] = MEASURES) -> Rule:
    """Raises InputError for a rule of another form, or with an unknown measure, field, threat or defense."""
    found = _RULE.fullmatch(text)
    if found is None:
        raise InputError(f"policy: cannot read the rule {text!r}; a rule is {FORM}")
    named = found["measure"].startswith("'")
    measure = found["measure"].strip("'")
    if not named and measure not in set(measures):
        raise unknown(f"measure in the rule {text!r}:", measure, measures)
    if found["field"] not in FIELDS:
        raise unknown(f"field in the rule {text!r}:", found["field"], FIELDS)
    threat, defense, clean = found["threat"] or EVERY, found["defense"] or NO_DEFENSE, found["clean"] is not None
    if found["threat"] is None and not clean:
        raise InputError(f"policy: the rule {text!r} must say under which threat (or under any), or when clean")
    threats = {row.id for row in catalog.threats()}
    if threat != EVERY and threat not in threats:
        raise unknown(f"threat in the rule {text!r}:", threat, threats | {EVERY})
    defenses = {row.id for row in catalog.defenses()}
    if defense != NO_DEFENSE and defense not in defenses:
        raise unknown(f"defense in the rule {text!r}:", defense, defenses)
    number = float(found["number"])
    return Rule(text, measure, named, found["field"], found["sign"], number, threat, found["channel"], defense, clean)


def check(run: Run, policy: Iterable[str], catalog: Catalog) -> CheckResult:
    """Holds a run against the rules of a policy. Raises InputError for a rule that cannot be read.

    A rule holds when it holds in every cell, channel and arm that it speaks of (all seeds; with a defense the attacks
    made without and with knowledge of it). It is broken when one of them breaks it, and not measured when none breaks
    it but one is missing, failed, or has no such number; or where the target cannot do the task without an attack, as what
    is too weak to be attacked is not robust.
    """
    records = run.cells()
    kinds = {measure["bits"]["kind"] for record in records for part in record["channels"] for measure in part["measures"]}
    rules = [parse(text, catalog, sorted(kinds.union(MEASURES))) for text in policy]
    weak = reading.weak(run, records)
    lines = [f"{where[0]}, {name}: {why}" for where, channels in weak.items() for name, why in channels.items() if why]
    return CheckResult(tuple(judge(rule, records, weak) for rule in rules), tuple(lines))


def judge(rule: Rule, records: Iterable[Mapping[str, Any]], weak: Mapping[Any, Mapping[str, str]]) -> Verdict:
    """One rule over the run's cells. weak: as `reading.weak` gives it."""
    broken: list[tuple[float, str]] = []
    held: list[tuple[float, str]] = []
    missing: list[str] = []
    for record in records:
        cell = record["cell"]
        if cell["defense"] != rule.defense or rule.threat not in (EVERY, cell["threat"]):
            continue
        place = f"{cell['threat']}{'' if rule.defense == NO_DEFENSE else ' with ' + rule.defense}, seed {cell['seed']}"
        figures = list(_figures(rule, record))
        if not figures:
            said = record["why"] or f"no {rule.measure} of {' or '.join(rule.arms)} there"
            missing.append(f"{place}: {said if record['status'] == 'measured' else record['status'] + ': ' + said}")
        idle = weak.get(reading.group(record), {})
        for part, figure in figures:
            number = figure[rule.field]
            line = f"{place}, {part['name']} {figure['arm']}: {_spell(figure, part)}"
            if number is None:
                missing.append(f"{line}, no {rule.field}{': ' + figure['why'] if figure.get('why') else ''}")
            elif not _OPERATORS[rule.sign](number, rule.number):
                broken.append((number, line))
            elif idle.get(part["name"]):
                missing.append(f"{place}, {part['name']}: there is no service to attack, so this run cannot tell: {idle[part['name']]}")
            else:
                held.append((number, line))
    rises = rule.sign.startswith(">")
    if broken:
        worst = min(broken) if rises else max(broken)
        more = f"; and {len(broken) - 1} more" if len(broken) > 1 else ""
        return Verdict(rule, "broken", f"{worst[1]}{more}")
    if missing:
        return Verdict(rule, "not measured", "; ".join(missing[:3]) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else ""))
    if not held:
        return Verdict(rule, "not measured", "the run has no such cell")
    return Verdict(rule, "holds", (min(held) if rises else max(held))[1])


def _figures(rule: Rule, record: Mapping[str, Any]) -> Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every number of that measure in the arms and channels that the rule speaks of, with its channel.

    A rule that names no channel passes over those whose kind has no such measure, unless there is no other.
    """
    parts = [part for part in record["channels"] if rule.channel in (None, _named(part))]
    able = [part for part in parts if rule.measure not in LACKS.get(part["kind"], ()) or _stated(part, rule.measure)]
    for part in able or parts:
        for measure in part["measures"]:
            if not rule.named_rate and measure["bits"]["kind"] == rule.measure and measure["arm"] in rule.arms:
                yield part, {**measure["bits"], "arm": measure["arm"]}
        for rate in part["rates"]:
            named = rate["name"] == rule.measure if rule.named_rate else rule.measure == "success" and rate["headline"]
            if named and rate["arm"] in rule.arms:
                yield part, rate


def _named(part: Mapping[str, Any]) -> str:
    """A channel's name as a rule may spell it; "" where nothing of it can be spelt, as in a run that no scan has written."""
    try:
        return slug(part["name"])
    except ValueError:
        return ""


def _stated(part: Mapping[str, Any], kind: str) -> bool:
    """Whether a channel has such a measure after all: a secret of many symbols has some that one of two has not."""
    found = [m["bits"] for m in part["measures"] if m["bits"]["kind"] == kind]
    return any(bits[field] is not None for bits in found for field in FIELDS)


def _spell(figure: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """The number, and beside an attack's success the rate without the attack."""
    if "kind" in figure:
        return f"{figure['kind']} {_span(figure)}"
    if not reading.needs_control(figure):
        return f"{figure['name']} {_span(figure)}"
    alone = reading.control(part, figure)
    return f"{figure['name']} {_span(figure)} ({reading.NO_CONTROL if alone is None else f'{_span(alone)} without an attack'})"


def _span(figure: Mapping[str, Any]) -> str:
    if reading.is_nil(figure):
        return f"0 (at most {figure['high']:.4g})"
    parts = {field: "withheld" if figure[field] is None else f"{figure[field]:.4g}" for field in ("value", "low", "high")}
    return f"{parts['value']} [{parts['low']}, {parts['high']}]"
