"""`hartley scan`: what is to be measured, from options or from a plan, and the run of it. Imports what it needs inside."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hartley.commands import Careful, added_up
from hartley.errors import InputError, unknown
from hartley.printing import echo, tell

if TYPE_CHECKING:
    from hartley.runs.allowance import Allowance
    from hartley.runs.plan import Plan

ENDPOINT_CELL_SECONDS = 4 * 3600.0
"""A cell that waits for a server takes as long as the server does; its answers are kept, so that nothing is asked twice."""
ESCAPING = "special-token-escaping"
ALLOWED = ("max_requests", "max_tokens", "max_money", "concurrency", "timeout", "prices", "server_sampling")


@click.command("scan", cls=Careful)
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="A plan (TOML) instead of the options up to --seeds.")
@click.option(
    "--target",
    help="reference (the default: a model and the agents around it), reference:encoder, reference:encoder-b, reference:agent, "
    "hf:PATH for a local CLIP or LLaMA folder, openai:MODEL@URL for any OpenAI-compatible server, or agentdojo:SUITE.",
)
@click.option("--data", help="reference, or a folder of captioned pictures with metadata.csv or metadata.jsonl.")
@click.option(
    "--flows", multiple=True, help="Only threats of these flows, with commas between them: prediction, learning, inferring, action, ..."
)
@click.option("--threats", multiple=True, help="Ids with commas between them; by default all that are implemented for such a target.")
@click.option(
    "--defenses",
    multiple=True,
    help="Ids with commas between them, or none; by default all that go with the threats. A quick scan of the whole reference "
    "family measures them on one threat a flow, unless flows, threats or defenses are named.",
)
@click.option("--budget", help="quick (the default), standard or full.")
@click.option(
    "--trials",
    type=click.IntRange(8, 1_000_000),
    help="Trials in each arm of every channel, instead of the budget's (quick: 200, of which a threat takes what one costs it).",
)
@click.option("--seeds", multiple=True, help="Whole numbers with commas between them; 0 by default.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/scan"), show_default=True, help="The run's folder; resumed if there."
)
@click.option("--workers", type=click.IntRange(1), help="Worker processes; one a core by default, four at most; one for a server.")
@click.option("--max-requests", type=int, help="Server: the most requests that all scans into this folder may send.")
@click.option("--max-tokens", type=int, help="Server: the most tokens, read and written together.")
@click.option("--max-money", type=float, help="Server: the most money; needs --prices.")
@click.option("--prices", metavar="READ,WRITTEN", help="Server: what a million tokens cost, read and written, like 0.5,1.5.")
@click.option(
    "--tool-protocol",
    type=click.Choice(("native", "json")),
    help="How a model that is not our own is given tools: native, by its server or chat template (the default), or json: described in "
    "words, one JSON object a step, for models without native calls.",
)
@click.option(
    "--device",
    help="Where the models compute: auto (the default: a GPU where there is one), cpu, cuda, cuda:N or mps.",
)
@click.option(
    "--surrogate", help="Make attacks on this model (reference:encoder-b, hf:PATH) and show them to the target: transfer, as a black box."
)
@click.option("--dtype", type=click.Choice(("float32", "bfloat16")), help="How exactly they compute: float32 (the default) or bfloat16.")
@click.option(
    "--no-competence-check",
    is_flag=True,
    help="Attack a model that is not our own also where it does none of the clean tasks that it is given first.",
)
@click.option("--concurrency", type=int, help="Server: requests under way at once in each worker; 4 by default.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Server: for one request with all its attempts; 300 by default.")
@click.option("--server-sampling", is_flag=True, help="Server: leave temperature and seed to it, as models that reason demand.")
@click.option("--estimate", "only_estimate", is_flag=True, help="Server: say what the scan would cost, and stop.")
def scan(plan_file: Path | None, out: Path, workers: int | None, only_estimate: bool, **options: Any) -> None:
    """Attack a model, an agent or a server with and without defenses, and write a report in bits.

    The same command resumes a scan that was stopped. A scan of a server begins with an estimate; the server's key is taken from
    HARTLEY_API_KEY or, for OpenAI's own server and for this machine, OPENAI_API_KEY.
    """
    options |= {name: added_up(f"--{name}", options[name]) for name in ("flows", "threats", "defenses", "seeds")}
    _need_models()
    from hartley.report.page import write_report
    from hartley.report.terminal import summary
    from hartley.runs.local import run
    from hartley.runs.resolve import server
    from hartley.runs.terminal import Terminal

    plan = _plan(plan_file, options)
    served = bool(server(plan.target))
    if only_estimate:
        _estimate(plan, served)
        return
    for line in plan.left_out():
        echo(f"left out: {line}", err=True)
    with Terminal() as watcher:
        try:
            done = run(plan, out, workers=workers or (1 if served else min(4, os.cpu_count() or 1)), progress=watcher)
        except KeyboardInterrupt:
            watcher.line(f"stopped; the same command goes on where {out} stands")
            raise SystemExit(130) from None
    path = write_report(done.root)
    tell(summary(done.root))
    for line in _other_numbers(done.cells()):
        echo(line)
    if plan_file is None and (longer := _longer(plan, options)):
        echo(f"A quick scan of everything leaves out {', '.join(longer)}, for time: --threats names them, --budget standard has all.")
    if served and (spent := _spent(done.root, plan.endpoint)):
        echo(f"\n{spent}")
    echo(f"\nreport: {path}")
    if any(record["status"] in ("failed", "timed-out", "not measured") for record in done.cells()):
        raise SystemExit(1)


def _longer(plan: Plan, options: Mapping[str, Any]) -> list[str]:
    """What a quick scan of everything leaves out for its time."""
    from hartley import catalog

    if plan.target != "reference" or plan.budget != "quick" or options["flows"] or options["threats"] or options["defenses"]:
        return []
    return [row.id for row in catalog.threats() if row.implemented and row.id not in plan.threats]


def _other_numbers(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each threat and reason for which channels have another number of trials than --trials asks for."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for record in cells:
        for flag in record["flags"]:
            if flag["name"] == "trials":
                found.setdefault((record["cell"]["threat"], flag["why"]), {})[flag["channel"]] = None
    return [f"{threat} ({', '.join(channels)}): {why}" for (threat, why), channels in found.items()]


def _estimate(plan: Plan, served: bool) -> None:
    from hartley.runs.shipped import PARTS

    if not served:
        raise InputError("--estimate is for a target behind a server (openai:MODEL@URL); a scan on this machine costs its time alone")
    plan.validate(PARTS.catalog())
    PARTS.check(plan.target, plan.data)
    for line in PARTS.forecast(plan, plan.cells(), None):
        echo(line)


def _spent(root: Path, allowance: Allowance) -> str:
    """What all scans into the folder have spent on the server. It stands in the run's log as well, below what was estimated."""
    from hartley.runs.store import ENDPOINT, LEDGER, Store
    from hartley.targets.endpoint.budget import Budget

    ledger = root / ENDPOINT / LEDGER
    if not ledger.is_file():
        return ""
    line = f"spent: {Budget(allowance.limits(), ledger).spent}"
    Store(root).log(line)
    return line


def _plan(file: Path | None, options: dict[str, Any]) -> Plan:
    """The plan in a file, or the one that the options make. InputError when both say the same; what is allowed goes with either."""
    import dataclasses

    from hartley.runs.plan import Plan
    from hartley.runs.resolve import server

    given = sorted(name for name, value in options.items() if value is not None and value is not False)
    if file is not None:
        if own := [name for name in given if name not in ALLOWED]:
            raise InputError(f"--{own[0]}: a plan says this itself; give --plan or the options, not both")
        plan = Plan.read(file)
    else:
        plan = _from_options(options)
    plan = plan.absolute()
    if allowed := [name for name in given if name in ALLOWED]:
        if not server(plan.target):
            raise InputError(f"--{allowed[0].replace('_', '-')} is for a target behind a server (openai:MODEL@URL); got {plan.target!r}")
        plan = dataclasses.replace(plan, endpoint=_allowed(plan.endpoint, options))
    return plan


def _from_options(options: dict[str, Any]) -> Plan:
    from hartley import catalog
    from hartley.runs import levels, resolve
    from hartley.runs.plan import DEFAULT_LIMIT_SECONDS, NO_DEFENSE, Plan

    target = options["target"] or resolve.REFERENCE_TARGET
    resolve.check_target(target)
    there = resolve.levels(target)
    data = options["data"]
    if data is None and target.startswith("hf:") and levels.MODEL in there:
        raise InputError("--data is missing: a model of your own is measured on pictures of your own (a folder with metadata.csv)")
    threats = _threats(options, target, there)
    fitting = tuple(row.id for row in catalog.defenses() if row.implemented and any(levels.go_together(one, row.id) for one in threats))
    if target.startswith(resolve.REFERENCE_TARGET):  # its words spell no token of a template, so that there is nothing to break up
        fitting = tuple(name for name in fitting if name != ESCAPING)
    defenses = () if options["defenses"] == NO_DEFENSE else _names(options["defenses"]) or fitting
    quick = (options["budget"] or "quick") == "quick" and target == resolve.REFERENCE_TARGET
    shortened = quick and not (options["flows"] or options["threats"] or options["defenses"])
    quickly: dict[str, tuple[str, ...]] = {}
    if shortened:  # so that it ends in three minutes: each recipe says whether and under which defenses it is measured
        recipes = {name: catalog.threat(name).recipe for name in threats}
        quickly = {name: recipe.quick for name, recipe in recipes.items() if recipe and recipe.quick is not None}
        threats = tuple(quickly)
        defenses = tuple(name for name in defenses if any(name in met for met in quickly.values()))
    try:
        seeds = tuple(int(text) for text in _names(options["seeds"])) or (0,)
    except ValueError:
        raise InputError(f"--seeds: got {options['seeds']!r}, takes whole numbers with commas between them, like 0,1,2") from None
    return Plan(
        threats=threats,
        target=target,
        data=data or resolve.REFERENCE_DATA,
        defenses=defenses,
        only=quickly,
        seeds=seeds,
        budget=options["budget"] or "quick",
        tool_protocol=options["tool_protocol"] or "native",
        device=options["device"] or "auto",
        dtype=options["dtype"] or "float32",
        surrogate=options["surrogate"] or "",
        competence_check=not options["no_competence_check"],
        effort={} if options["trials"] is None else {"trials": options["trials"]},
        cell_limit_seconds=ENDPOINT_CELL_SECONDS if resolve.server(target) else DEFAULT_LIMIT_SECONDS,
    )


def _threats(options: dict[str, Any], target: str, there: frozenset[str]) -> tuple[str, ...]:
    """The threats that are named, or all that are implemented, of the flows that are named, and attack what the target has."""
    from hartley import catalog
    from hartley.catalog.load import FLOWS
    from hartley.runs import levels, resolve

    named, flows = _names(options["threats"]), _names(options["flows"])
    if named and flows:
        raise InputError("--flows selects threats and --threats names them; give one of the two")
    if named:
        return named
    for flow in flows:
        if flow not in FLOWS:
            raise unknown("flow", flow, FLOWS)
    suite, surrogate = target.startswith(resolve.DOJO), options["surrogate"]
    ready = [row for row in catalog.threats() if row.recipe and (row.recipe.agentdojo or not suite) and row.level in there]
    models = resolve.families(target)
    if surrogate:  # what is not made on another model is left out, where it is not asked for by name
        ready = [row for row in ready if row.recipe and row.recipe.transfers]
        models = models & resolve.families(surrogate)
    ready = [row for row in ready if row.level == levels.SYSTEM or (row.recipe and models & set(row.recipe.families))]
    found = tuple(row.id for row in ready if row.flow in (flows or FLOWS))
    if not found:
        what = f" of the flow{'s' if len(flows) > 1 else ''} {', '.join(flows)}" if flows else ""
        on = f" when made on surrogate {surrogate!r}" if surrogate else ""
        kind = levels.either(tuple(sorted(resolve.families(surrogate)))) if surrogate else ""
        having = " and ".join(sorted({row.flow for row in ready})) or "none"
        raise InputError(
            f"no implemented threat{what} attacks what target {target!r} has{on}{kind and f', {kind}'}; flows with such threats: {having}"
        )
    return found


def _allowed(before: Allowance, options: dict[str, Any]) -> Allowance:
    prices: dict[str, float] = {}
    if options["prices"] is not None:
        try:
            prices["read_price"], prices["written_price"] = (float(text) for text in options["prices"].split(","))
        except ValueError:
            raise InputError(
                f"--prices: got {options['prices']!r}, takes what a million tokens cost, read and written, like 0.5,1.5"
            ) from None
    return before.replaced(
        max_requests=options["max_requests"],
        max_tokens=options["max_tokens"],
        max_money=options["max_money"],
        concurrency=options["concurrency"],
        timeout_seconds=options["timeout"],
        server_sampling=options["server_sampling"] or None,
        **prices,
    )


def _need_models() -> None:
    """InputError when what loads models is not installed: the measures, the catalog and reports do without it."""
    missing = [name for name in ("torch", "transformers", "safetensors", "soundfile") if find_spec(name) is None]
    if missing:
        raise InputError(f"a scan loads models; not installed: {', '.join(missing)}; takes: pip install -e '.[models]'")


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
