"""Strings that want to act, in every text field of a run, opened in a browser: they are shown, and nothing else happens."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hartley.report import build, write_report
from hartley.report.visible import runs
from hartley.runs.context import Context
from hartley.runs.plan import Cell, Plan

HOSTILE = (
    "<script>window.pwned=1;alert(1)</script>",
    '"><img src=x onerror="window.pwned=1;alert(1)">',
    "'><svg/onload=window.pwned=1>",
    "javascript:window.pwned=1//",
    "</style></script><script>window.pwned=1</script><!--",
    "{{7*7}} {% include '/etc/passwd' %} {{ cycler.__init__.__globals__ }}",
    "--><iframe srcdoc='<script>parent.pwned=1</script>'></iframe><!--",
    "data:text/html,<script>window.pwned=1</script>",
    "a\u202etxt.exe\u202c\u2066b\u2069 \u200b\u200d\ufeff \u061c",
    "nul\x00 bell\x07 esc\x1b[31m del\x7f c1\x9b line\u2028end\r\nnext\ttab",
    "=HYPERLINK(\"http://evil.invalid/\",\"x\") +1 -1 @SUM(A1) |cmd|' /C calc'!A0",
    "&lt;b&gt; &amp;#60; &#x3c;script&#x3e; %3Cscript%3E \\u003cscript\\u003e",
    '<meta http-equiv=refresh content="0;url=http://evil.invalid/"><base href=http://evil.invalid/><link rel=stylesheet href=http://evil.invalid/>',
    "<form action=http://evil.invalid/><input autofocus onfocus=window.pwned=1><math><mtext></form>",
    "W" * 10_000,
    "\u05e9\u05d1\u05e2 Z" + "\u0336\u0301" * 40 + " \U0001f1e9\ufe0f \U000e0041\U000e0042 \u3164",
)  # fmt: skip
SURROGATE = "\ud800 half a character"


def seen(text: str) -> str:
    """What of a string must be found on the page, without spaces."""
    return "".join("".join(piece for piece, _ in runs(text)).split())


class Poison:
    """Hands out hostile strings in turn, each with a number of its own, and remembers them."""

    def __init__(self, first: int) -> None:
        self.next = first
        self.given: list[str] = []
        self.names: dict[tuple[str, str], str] = {}

    def __call__(self) -> str:
        text = f"{HOSTILE[self.next % len(HOSTILE)]} n{len(self.given)}n"
        self.next += 1
        self.given.append(text)
        return text

    def name(self, what: str, original: str) -> str:
        """The same hostile name for the same thing, so that cells still belong together."""
        if (what, original) not in self.names:
            self.names[what, original] = self()
        return self.names[what, original]


FIXED = {
    *(("schema",), ("status",), ("key",), ("cell", "budget"), ("channels", "kind"), ("channels", "evidence")),
    *(("channels", "rates", "arm"), ("channels", "rates", "better"), ("channels", "costs", "arm")),
    *(("channels", "measures", "arm"), ("channels", "measures", "bits", "kind")),
    *(("flags", "arm"), ("curves", "arm"), ("exhibits", "arm")),
    ("exhibits", "text", "attacked"),
    *(("exhibits", media, part) for media in ("image", "audio") for part in ("clean", "attacked", "difference")),
}
"""Structure, kept so that numbers and exhibits find their place; the test of hostile structure replaces it too."""
NAMES = {
    **{("cell", part): part for part in ("target", "threat", "defense")},
    **{(part, "channel"): "channel" for part in ("flags", "curves", "exhibits")},
    ("channels", "name"): "channel",
}


def replaced(value: Any, poison: Poison, fixed: set[tuple[str, ...]], path: tuple[str, ...] = ()) -> Any:
    """The record with every string replaced by a hostile one, but for those at a path in `fixed`."""
    if isinstance(value, dict):
        return {key: replaced(inner, poison, fixed, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, poison, fixed, path) for inner in value]
    if not isinstance(value, str) or path in fixed or (path == ("cell", "defense") and value == "none"):
        return value
    return poison.name(NAMES[path], value) if path in NAMES else poison()


def poisoned(source: Path, folder: Path, first: int, fixed: set[tuple[str, ...]] = FIXED) -> list[str]:
    """Writes a copy of a run with hostile strings, in plan and keys too, so that it is still a run; gives those that the page must show."""
    shutil.copytree(source, folder)
    poison = Poison(first)
    environment = replaced(json.loads((folder / "environment.json").read_text()), poison, set())
    (folder / "environment.json").write_text(json.dumps({**environment, poison(): poison()}))
    context = Context.from_environment(environment)
    met: dict[str, list[str]] = {}
    for file in sorted((folder / "cells").glob("*.json")):
        record = replaced(json.loads(file.read_text()), poison, fixed)
        for exhibit in record["exhibits"]:
            if exhibit["text"] is not None:
                exhibit["text"]["attacked"] = "\N{GREEK CAPITAL LETTER OMEGA}"  # shares no word with the clean text, which so stays whole
        cell = Cell(**record["cell"])
        met.setdefault(cell.threat, []).extend([] if cell.defense == "none" else [cell.defense])
        record["key"] = cell.key(context)
        file.unlink()
        (folder / "cells" / f"{record['key']}.json").write_text(json.dumps(record))
    defenses = tuple(dict.fromkeys(name for names in met.values() for name in names))
    plan = Plan(tuple(met), cell.target, poison(), defenses, only={threat: tuple(names) for threat, names in met.items()})
    (folder / "plan.toml").write_text(plan.to_toml(), encoding="utf-8", newline="")
    poison.given.remove(plan.data)  # stands on the page as TOML writes it
    return poison.given


def overflow(page: Any) -> list[str]:
    """Elements that stick out to the right and are not inside a box that scrolls or clips by itself."""
    found: list[str] = page.evaluate(
        """() => { const width = document.documentElement.clientWidth; return [...document.querySelectorAll("body *")].filter(e => {
            if (e.closest(".tip, .vh, .skip, svg *, thead") || !e.getClientRects().length) return false;
            if (e.getBoundingClientRect().right <= width + 1) return false;
            for (let a = e.parentElement; a && a !== document.body; a = a.parentElement)
                if (getComputedStyle(a).overflowX !== "visible") return false;
            return true;
        }).slice(0, 5).map(e => e.outerHTML.slice(0, 120)); }"""
    )
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found + ([f"the page scrolls by {wide}"] if wide > 0 else [])


def everything_seen(page: Any, strings: list[str]) -> list[str]:
    text = page.evaluate("[...document.body.children].filter(e => e.tagName !== 'SCRIPT').map(e => e.textContent).join('')")
    text = "".join(text.split())
    return [string[:80] for string in strings if seen(string) not in text]


ROTATIONS = [pytest.param(first, marks=[] if first in {0, 8} else [pytest.mark.slow]) for first in range(len(HOSTILE))]
"""Each rotation gives every kind of field several of the strings; all together give every field each string."""


@pytest.mark.parametrize("first", ROTATIONS)
def test_hostile_strings_are_shown_and_do_nothing(first: int, run_folder: Path, tmp_path: Path, opened: Any) -> None:
    strings = poisoned(run_folder, tmp_path / "run", first)
    page, events = opened(write_report(tmp_path / "run"))
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.wait_for_timeout(50)
    assert events == []
    assert page.evaluate("window.pwned === undefined && document.querySelectorAll('script').length === 1")
    assert page.locator("iframe, object, embed, form, base, math, input").count() == 0
    assert len(strings) > 150
    assert everything_seen(page, strings) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert overflow(page) == []


def test_hostile_structure_is_harmless(run_folder: Path, tmp_path: Path, opened: Any) -> None:
    """Arms, kinds, statuses and file names replaced as well: little can be placed, nothing acts, and all cells are accounted for."""
    poisoned(run_folder, tmp_path / "run", 0, set())
    for index, file in enumerate(sorted((tmp_path / "run" / "cells").glob("*.json"))):
        file.rename(file.with_name(f"{HOSTILE[index % 8].replace('/', '_')}{index}.json"))
    (tmp_path / "run" / "cells" / "<img src=x onerror=alert(1)>.json").write_text("{")
    page, events = opened(write_report(tmp_path / "run"), viewport={"width": 390, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert events == [] and page.evaluate("window.pwned === undefined")
    assert "<img src=x onerror=alert(1)>.json" in page.locator("#gaps").inner_text()
    assert overflow(page) == []


def test_half_characters_are_written(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    path = tmp_path / "run" / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine": SURROGATE}))
    assert "U+D800" in write_report(tmp_path / "run").read_text(encoding="utf-8")


def test_the_plain_report_opens_from_disk_in_silence(report_file: Path, opened: Any) -> None:
    for width, scheme in ((1280, "light"), (390, "dark"), (320, "light"), (800, "light")):
        page, events = opened(report_file, viewport={"width": width, "height": 844}, color_scheme=scheme)
        assert events == [] and overflow(page) == []
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert overflow(page) == []
        sizes = page.evaluate("[...document.images].map(i => i.naturalWidth)")
        assert len(sizes) >= 10 and all(sizes)


def test_sound_can_be_played_under_the_policy(report_file: Path, opened: Any) -> None:
    page, events = opened(report_file)
    ready = page.evaluate(
        """() => new Promise(done => { const a = document.querySelector("audio");
            a.addEventListener("loadedmetadata", () => done(a.duration)); a.addEventListener("error", () => done(-1)); a.load(); })"""
    )
    assert ready == pytest.approx(1.2, abs=0.05)
    assert [event for event in events if not event.startswith("data:audio/wav")] == []


@pytest.mark.parametrize("script", [True, False])
def test_a_number_explains_itself_by_keyboard(script: bool, report_file: Path, opened: Any) -> None:
    page, _ = opened(report_file, java_script_enabled=script)
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.locator(".tip:visible").count():
            break
    tip = page.locator(".tip:visible")
    assert tip.count() == 1 and "bits" in tip.inner_text() and "trials" in tip.inner_text()
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280 and box["y"] >= 0 and box["y"] + box["height"] <= 900
    if script:
        page.keyboard.press("Escape")
        assert page.locator(".tip:visible").count() == 0


def test_a_number_explains_itself_on_a_tap(report_file: Path, opened: Any) -> None:
    page, _ = opened(report_file, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.locator(".say .fig").nth(1).tap()
    box = page.locator(".tip:visible").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844


def test_it_prints_with_its_folds_open(report_file: Path, opened: Any) -> None:
    page, events = opened(report_file)
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF") and len(pdf) > 50_000 and events == []
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open]):not(.long)").count() == 0
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.fold:not([open])").count() > 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(scheme: str, report_file: Path, opened: Any) -> None:
    """Every text of the page against the background that lies behind it: at least 4.5 to 1 (WCAG AA)."""
    page, _ = opened(report_file, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    low = page.evaluate(
        """() => {
        const part = c => { const [r, g, b, a] = c.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a: a === undefined ? 1 : a }; };
        const light = rgb => rgb.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
        const back = e => { const c = part(getComputedStyle(e).backgroundColor); return c.a > 0 ? c.rgb : back(e.parentElement); };
        const found = new Set();
        for (const e of document.querySelectorAll("body *")) {
            if (e.closest("script, svg, .arrow, .tip") || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
            const [a, b] = [light(part(getComputedStyle(e).color).rgb), light(back(e))].sort((x, y) => y - x);
            if ((a + .05) / (b + .05) < 4.5) found.add(e.className + " " + e.tagName + " " + ((a + .05) / (b + .05)).toFixed(2));
        }
        return [...found];
    }"""
    )
    assert low == []


def test_a_full_taxonomy_stays_a_reasonable_file(made: Any, tmp_path: Path) -> None:
    """73 threats, five conditions each, with media: under 15 MB and built in reasonable time."""
    from hartley.catalog import threats

    source = made.write(tmp_path / "run")
    pattern = [json.loads(file.read_text()) for file in (source / "cells").glob("*.json")]
    rich = {record["cell"]["defense"]: record for record in pattern if record["cell"]["threat"] == "adversarial-illusions"}
    plan = Plan(tuple(row.id for row in threats()), "reference:encoder", defenses=made.DEFENSES)
    made.Maker(source).plan(plan)
    for cell in plan.cells():
        record = {**rich.get(cell.defense, rich["jpeg"]), "cell": cell.to_json(), "key": cell.key(made.CONTEXT)}
        (source / "cells" / f"{record['key']}.json").write_text(json.dumps(record))
    size = len(build(source).encode())
    print(f"report of {len(plan.cells())} cells: {size / 1e6:.1f} MB")
    assert size < 15e6
