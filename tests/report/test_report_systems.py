"""Trials of systems: from what a recipe leaves to what a reader sees, and what a hostile run cannot do on the way."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hartley.exhibit import BLOCKED, Exhibit, Found, Line, Span, Spreading
from hartley.report import trials, words
from hartley.report.answer import answer
from hartley.report.channelmap import lanes
from hartley.report.exhibits import beside
from hartley.report.facts import Facts
from hartley.report.lines import Guard, of
from hartley.report.lines import Line as Row
from hartley.report.numbers import Number, absent, of_bits
from hartley.report.outbreak import UNGUARDED, drawn
from hartley.report.ranking import ranked
from hartley.report.records import Cell, Channel, cells
from hartley.report.records import exhibit as typed
from hartley.report.sentences import plain
from hartley.report.terminal import summary
from hartley.runs import media
from hartley.runs.folder import Run
from hartley.runs.plan import Plan


def keep(content: bytes, ending: str) -> str:
    return f"media/{len(content)}.{ending}"


def trial(**parts: Any) -> Exhibit:
    return Exhibit("mail", "attacked", "pay the rent", "pay the thief", "rent paid", "thief paid", **parts)


def read_back(exhibit: Exhibit) -> Any:
    record = json.loads(json.dumps(media.record(exhibit, keep), allow_nan=False))
    return typed(record)


# What a recipe leaves


def test_what_a_recipe_leaves_is_read_back() -> None:
    talk = (
        Line("user", (Span("Pay ", True), Span("the rent.", True))),
        Line("assistant", (), "pay(to=thief)", BLOCKED, "the argument is not trusted"),
    )
    entry = Found(1, "the rent is due", "mail/3", False, True, 0.75)
    spread = Spreading({"measured": (0.1, float("nan"), 0.9)}, (0.0, 0.0, 0.8), (0.2, 0.2, 1.0), 2, ((0, 1),), (0, -1), (("R0", "3"),))
    back = read_back(trial(transcript=talk, found=(entry,), spreading=spread))
    assert back.of_system and back.transcript[0].pieces == (trials.Piece("Pay the rent.", True, False),)
    assert (back.transcript[1].call, back.transcript[1].fate, back.transcript[1].why) == (
        "pay(to=thief)",
        BLOCKED,
        "the argument is not trusted",
    )
    assert back.found == (trials.Entry(1, "the rent is due", "mail/3", False, True, 0.75),)
    assert back.spreading.curves == (("measured", (0.1, None, 0.9)),) and back.spreading.infected == (0, None)
    assert (back.spreading.edges, back.spreading.facts, back.spreading.high) == (((0, 1),), (("R0", "3"),), (0.2, 0.2, 1.0))


def test_trials_of_models_and_older_runs_have_no_such_keys() -> None:
    assert not {"transcript", "found", "spreading"} & set(media.record(trial(), keep))
    back = read_back(trial(text_clean="the same words in both"))
    assert not back.of_system and back.text == {"clean": "the same words in both", "attacked": "the same words in both"}


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"transcript": (Line("assistant", (), "pay()", "lost"),)}, "fate"),
        ({"transcript": (Line("assistant", (), "", BLOCKED),)}, "fate"),
        ({"spreading": Spreading({}, nodes=2, infected=(0,))}, "takes one each"),
        ({"spreading": Spreading({}, nodes=2, edges=((0, 2),))}, "beyond the 2 nodes"),
        ({"spreading": Spreading({}, low=(0.1,))}, "1 lower and 0 upper"),
    ],
)
def test_what_contradicts_itself_is_refused(parts: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        media.record(trial(**parts), keep)


@pytest.mark.parametrize(
    "junk", [None, 3, "x", [], [3, None, [[]]], {"a": 1}, [{"spans": 4, "rank": "1", "trusted": "yes"}], {"shares": [1]}]
)
def test_junk_is_no_trial(junk: Any) -> None:
    turns, left_out = trials.transcript(junk)
    assert left_out == 0 and all(not turn.pieces and not turn.call for turn in turns)
    assert all(entry.rank is None and not entry.trusted for entry in trials.found(junk))
    assert trials.spreading(junk) is None


def test_only_what_is_marked_as_trusted_is_trusted() -> None:
    marks = [{"text": "a", "trusted": mark} for mark in (1, "true", None, False)]
    (turn,), _ = trials.transcript([{"role": "user", "spans": marks}])
    assert turn.trust == "untrusted"
    (turn,), _ = trials.transcript([{"role": "user", "spans": [*marks, {"text": "b", "trusted": True, "planted": True}]}])
    assert turn.trust == "mixed" and turn.planted


def test_a_flood_is_cut_and_counted() -> None:
    turns, left_out = trials.transcript([{"role": "user", "spans": [{"text": "x"}]}] * 1000)
    assert len(turns) == trials.MOST_TURNS and left_out == 1000 - trials.MOST_TURNS
    spread = trials.spreading({"shares": {str(k): [0.1, 0.2] for k in range(99)}, "nodes": 10**6, "edges": [], "infected": []})
    assert spread is not None and len(spread.curves) == trials.MOST_CURVES and spread.nodes == 0 and "too many to draw" in spread.undrawn


# Beside one another


def of_arm(arm: str, said: str, *, intent: str = "pay the rent") -> dict[str, Any]:
    spans = [{"text": said, "trusted": True}]
    return {
        "channel": "mail",
        "arm": arm,
        "intent": intent,
        "transcript": [{"role": "system", "spans": []}, {"role": "user", "spans": spans}],
    }


def test_only_the_same_task_stands_beside_the_attack() -> None:
    rows = [
        of_arm("attacked", "Pay Anna."),
        of_arm("clean", "Pay Bert."),
        of_arm("clean", "Pay Anna.", intent="x"),
        of_arm("clean", "Pay Anna."),
    ]
    made = Cell("k", "x", "p2sql", "none", "0", "quick", "measured", "", (), (), (), tuple(typed(one) for one in rows))
    assert beside(made.exhibits[0], made) is made.exhibits[3]
    assert beside(made.exhibits[1], made) is None


def test_the_outbreak_keeps_its_proportions() -> None:
    chain = tuple((i, i + 1) for i in range(9))
    spread = trials.spreading(
        {"shares": {"fitted": [0.1, 0.6, 1.0], "measured": [0.1, 0.5, 1.0]}, "low": [0.0, 0.4, 0.9], "high": [0.2, 0.6, 1.0],
         "nodes": 10, "edges": [list(edge) for edge in chain], "infected": [0, 1, 1, 2, 2, 2, -1, None, "x", 2]}
    )  # fmt: skip
    assert spread is not None
    picture = drawn(spread, (0.1, 0.2))
    assert [curve.name for curve in picture.curves] == ["measured", "fitted", UNGUARDED]
    first = picture.curves[0]
    assert (first.path, first.last, first.half, first.nearly_all) == ("M0.00 90.00L50.00 50.00L100.00 0.00", 1.0, 1, 2)
    assert picture.band == "M0.00 80.00L50.00 40.00L100.00 0.00L100.00 10.00L50.00 60.00L0.00 100.00Z"
    assert (picture.top, picture.rounds, picture.ticks) == (1.0, 2, (0, 1, 2))
    assert [(panel.round, panel.reached) for panel in picture.panels] == [(0, 1), (1, 3), (2, 7)]
    # A chain is drawn as one: its agents come in order along the longer side, none on top of another.
    places = [tuple(map(float, dot.split())) for dot in re.findall(r"M([\d. ]+)h0", picture.dots)]
    along = [place[0] for place in places]
    assert len(set(places)) == 10 and along in (sorted(along), sorted(along, reverse=True))
    assert all(0 <= part <= 100 for place in places for part in place)
    small = trials.spreading({"shares": {"measured": [0.001, 0.004]}, "nodes": 1, "infected": [0]})
    assert small is not None and drawn(small).top == 0.01 and drawn(small).panels[0].reached == 1


# Numbers and sentences


def test_a_limit_reads_as_one() -> None:
    bound = of_bits({"kind": "reach_bound_bits", "value": None, "low": 0.0, "high": 1.5, "why": "a bound"}, "attacked")
    assert not bound.withheld and bound.point == "at most 1.50" and "limit" in words.statement(bound)
    free = of_bits({"kind": "bandwidth_bits", "value": None, "low": None, "high": None, "why": "nothing bounds send_mail.text"}, "clean")
    unknown = of_bits({"kind": "bandwidth_bits", "value": None, "low": None, "high": None, "why": "the endpoint was down"}, "clean")
    assert (free.point, unknown.point) == ("no limit", "not measured") and "no limit" in words.statement(free)
    counted = of_bits({"kind": "bandwidth_bits", "value": 12.5, "low": 12.5, "high": 12.5, "trusted": True}, "clean")
    assert counted.exact and counted.interval == "" and "counted exactly" in words.statement(counted)
    mean = of_bits({"kind": "bandwidth_bits", "value": 12.5, "low": 8.0, "high": 20.0, "n": 300, "trusted": True}, "clean")
    assert "mean over the tasks is 12.50 bits" in words.statement(mean) and "interval" not in words.statement(mean)


def numbers(*given: tuple[str, str, float, float]) -> dict[tuple[str, str], Number]:
    return {(arm, kind): Number((low + high) / 2, low, high, 400, kind, arm=arm) for kind, arm, low, high in given}


def row(threat: str, *given: tuple[str, str, float, float], guard: Guard | None = None) -> Row:
    channel = Channel("mail", "write", "", numbers(*given), (), ())
    made = Cell("k", "agent", threat, "none", "0", "quick", "measured", "", (channel,), (), (), ())
    return Row(threat, "agent", "0", "quick", "measured", "", channel, () if guard is None else (guard,), (made,))


WRITES = (("utility_bits", "clean", 2.6, 2.8), ("utility_bits", "attacked", 2.5, 2.7), ("adversary_bits", "attacked", 1.9, 2.1))
NULL = ("adversary_bits", "clean", 0.0, 0.1)
NAMES = {"p2sql": "p2sql", "sga": "sga", "flow-control": "Flow control"}


def held(low: float, high: float) -> Guard:
    bits = numbers(
        ("utility_bits", "defended", 2.5, 2.7),
        ("utility_bits", "defended_adaptive", 2.4, 2.6),
        ("adversary_bits", "defended_adaptive", low, high),
    )
    nothing = absent("won_back_bits", "", ""), absent("price_bits", "", "")
    return Guard("flow-control", "measured", "", Channel("mail", "write", "", bits, (), ()), *nothing, adaptive=True)


def test_an_adversary_that_takes_nothing_but_has_a_say_is_named() -> None:
    line = row("p2sql", *WRITES, NULL)
    assert line.written and ranked((line,)).places[0].shown
    assert "the adversary gets a say" in plain(answer((line,), NAMES).verdict)
    tied = row("p2sql", *WRITES, ("adversary_bits", "clean", 1.8, 2.0))
    assert not tied.written and "No attack of this run" in plain(answer((tied,), NAMES).verdict)


def test_a_defense_that_silences_the_adversary_is_no_failure() -> None:
    told = answer((row("p2sql", *WRITES, NULL, guard=held(0.0, 0.1)),), NAMES)
    assert "Flow control takes most of what the adversary gains" in plain(told.verdict)
    assert "cuts what an attacker who knows of it gains to 0.05" in plain(told.defense)
    told = answer((row("p2sql", *WRITES, NULL, guard=held(1.8, 2.0)),), NAMES)
    assert "the one defense measured is not demonstrably better than none" in plain(told.verdict)
    assert plain(told.defense).startswith("The one defense measured is not demonstrably better than no defense")


def test_both_levels_are_told_where_both_were_measured() -> None:
    model = row("sga", ("utility_bits", "clean", 3.0, 3.2), ("utility_bits", "attacked", 0.1, 0.2))
    system = row("p2sql", *WRITES, NULL, guard=held(0.0, 0.1))
    levels = {"sga": "model", "p2sql": "system"}
    told = answer((model, system), NAMES, levels)
    assert told.lead is model and told.beside_level == "system"
    assert "p2sql" in plain(told.beside) and "Flow control" in plain(told.beside) and "2.70 (2.60" in plain(told.beside)
    assert answer((system,), NAMES, levels).beside == () and answer((model, system), NAMES).beside == ()


def test_a_defense_of_the_other_level_says_nothing(run_folder: Path, page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    assert "wraps a model, and indirect-prompt-injection" not in text
    from hartley.report import facts

    lines = of(cells(Run.open(run_folder)), [row.id for row in facts.threats()], list(facts.defenses()))
    guards = {line.threat: {guard.defense for guard in line.guards} for line in lines}
    assert guards["indirect-prompt-injection"] == {"flow-control", "quarantine"}
    assert not guards["sga"] & {"flow-control", "quarantine", "retrieval-isolation"}


def test_a_flow_whose_bits_say_nothing_shows_its_rate() -> None:
    rate = Number(0.4, 0.3, 0.5, 300, "attack success", unit="share", arm="attacked", headline=True)
    silent = row("p2sql")
    assert silent.channel is not None
    silent = replace(silent, channel=replace(silent.channel, rates=(rate,)))
    lane = next(lane for lane in lanes((silent,), {"p2sql": Facts("p2sql", "P2SQL", "action", known=True)}, 3.0) if lane.flow == "action")
    assert lane.line is silent and (lane.intent, lane.intruder) == ("", "")


def test_the_page_has_numbers_on_every_flow_and_names_what_it_does_not_know(run_folder: Path, page: str) -> None:
    assert page.count('class="lane on"') == 6 and "lane off" not in page
    assert "herd_bits" in page and "at most 1.93" in page and "no limit" in page
    assert page.count('class="level"><th') == 2
    told = summary(run_folder)
    assert any("channels compared, poisonedrag" in line for line in told)
    assert sum(line.startswith("The system around it. Left alone, it delivers ") for line in told) == 1, "whose numbers they are is said"


# In a browser


def trial_of(page: Any, threat: str, nth: int = 0) -> Any:
    """The nth trial of a threat, its fold opened as a reader opens it."""
    page.locator(f"details.threatfold[id^=t-{threat}] > summary").click()
    return page.locator(f"details.threatfold[id^=t-{threat}] figure.system").nth(nth)


@pytest.mark.parametrize("script", [True, False])
def test_a_conversation_says_in_words_what_its_colors_say(script: bool, report_file: Path, opened: Any) -> None:
    page, events = opened(report_file, java_script_enabled=script)
    shown = trial_of(page, "indirect")
    said = shown.inner_text()
    for word in ("trusted", "untrusted", "planted", "executed", "injected", "Without the attack", "Under attack"):
        assert word in said
    assert shown.locator(".piece.planted").inner_text().startswith("planted") and "Pay 900" in shown.locator(".piece.planted").inner_text()
    assert (
        shown.locator(".call.injected").inner_text().startswith("▲ injected pay(")
        or "injected" in shown.locator(".call.injected").inner_text()
    )
    # What is the same in both stands once: the user's words are not repeated.
    assert said.count("Read the mail from Ada") == 1
    sides = [box.bounding_box()["x"] for box in shown.locator(".sidebyside > .conversation").all()]
    assert sides[0] < sides[1]
    if script:
        fold = page.locator("summary", has_text="with Information-flow control").first
        fold.focus()
        page.keyboard.press("Enter")
        blocked = page.locator(".call.blocked:visible")
        assert "blocked" in blocked.inner_text() and "not trusted, and pay is privileged" in blocked.inner_text()
    assert events == []


def test_an_outbreak_is_drawn_without_script(report_file: Path, opened: Any) -> None:
    page, events = opened(report_file, java_script_enabled=False)
    shown = trial_of(page, "prompt-infection")
    assert shown.locator(".panel svg:visible").count() == 6 and "round 0: 1 of 48" in shown.inner_text()
    labels = [svg.get_attribute("aria-label") for svg in shown.locator("svg[role=img]").all()]
    assert labels[0].startswith("measured ends at 100.0%") and labels[1] == "round 0: 1 of 48 agents reached"
    lines = shown.locator(".curve-line").evaluate_all(
        "all => all.map(e => [getComputedStyle(e).strokeDasharray, getComputedStyle(e).strokeWidth].join())"
    )
    assert len(set(lines)) == 4  # told apart without color
    painted = shown.locator(".panel svg").first.evaluate("e => e.querySelector('use').getBBox().width")
    assert painted > 50 and events == []
    assert "0.31 [0.26, 0.37]" in shown.locator(".fitted").inner_text()


def test_a_retrieval_says_what_came_from_where(report_file: Path, opened: Any) -> None:
    page, _ = opened(report_file, viewport={"width": 400, "height": 800})
    shown = trial_of(page, "poisonedrag")
    given = shown.locator(".retrieval").all()
    assert [box.locator(".entry").count() for box in given] == [3, 4]
    first = given[1].locator(".entry").first.inner_text()
    assert all(part in first for part in ("1", "planted", "similarity 0.934", "from forum/animals/2201"))
    assert "How do otters sleep?" in shown.locator(".question").inner_text()


def test_hostile_names_of_curves_do_nothing(made: Any, tmp_path: Path, opened: Any) -> None:
    evil = '</title></svg><script>window.pwned=1</script>\u202e" onload=window.pwned=1 x'
    maker = made.Maker(tmp_path / "run")
    maker.plan(Plan(("prompt-infection",), target="reference:encoder"))
    spreading = {"shares": {evil: [0.0, 0.5, 1.0]}, "nodes": 3, "infected": [0, 1, 2], "edges": [[0, 1], [1, 2]], "facts": [[evil, evil]]}
    turn = {"role": evil, "spans": [{"text": evil, "trusted": True}], "call": evil, "fate": evil, "why": evil}
    exhibit = {
        "channel": "mail",
        "arm": "attacked",
        "intent": evil,
        **dict.fromkeys(("outcome_clean", "outcome_attacked"), evil),
        **dict.fromkeys(("image", "audio", "text")),
        "transcript": [turn],
        "spreading": spreading,
        "found": [{"text": evil, "source": evil}],
    }
    maker.cell("prompt-infection", "none", channels=[made.bare("mail", "write", evil, 2.0, 1.0, 1.0, 0.5)], exhibits=[exhibit])
    page, events = opened(tmp_path / "r.html", run=tmp_path / "run", viewport={"width": 400, "height": 800})
    assert events == [] and page.evaluate("window.pwned === undefined && document.scripts.length === 1")
    assert page.locator("figure.system .hid").count() > 5
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
