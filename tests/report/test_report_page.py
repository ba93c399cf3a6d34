# ruff: noqa: RUF001 - the dashes and the minus sign are what the report prints
import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hartley.bits import Bits
from hartley.catalog import threats
from hartley.errors import InputError
from hartley.report import build, write_report
from hartley.report.media import MediaStore
from hartley.report.numbers import Number, of_bits
from hartley.report.page import _others
from hartley.report.shapes import bar, plot
from hartley.report.terminal import summary
from hartley.runs.folder import Run

VOID = {"meta", "link", "img", "br", "input", "hr"}


class Reader(HTMLParser):
    """Collects tags with attributes, checks that they nest, and keeps the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "p":
            self.inner = len(self.open)
        if tag in {"details", "div", "dl", "ul", "table", "figure", "p"} and "p" in self.open:
            self.wrong.append(f"<{tag}> inside <p>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def parsed(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def test_the_page_nests_and_its_ids_are_unique(page: str) -> None:
    reader = parsed(page)
    assert reader.wrong == [] and reader.open == []
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    described = [attrs["aria-describedby"] for _, attrs in reader.tags if "aria-describedby" in attrs]
    assert described and set(described) <= set(ids)
    assert {attrs["href"][1:] for tag, attrs in reader.tags if tag == "a" and attrs["href"]} <= set(ids)


def test_the_policy_lets_only_the_two_hashed_assets_act(page: str) -> None:
    reader = parsed(page)
    policy = next(attrs["content"] for tag, attrs in reader.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        inner = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        assert len(inner) == 1
        digest = base64.b64encode(hashlib.sha256(inner[0].encode()).digest()).decode()
        assert policy is not None and f"{directive} 'sha256-{digest}'" in policy
    for part in ("default-src 'none'", "img-src data:", "media-src data:", "base-uri 'none'", "form-action 'none'"):
        assert policy is not None and part in policy
    assert policy is not None and "unsafe" not in policy
    for _, attrs in reader.tags:
        assert not any(name.startswith("on") or name == "style" for name in attrs)
        for name in ("src", "href"):
            assert (attrs.get(name) or "#").startswith(("#", "data:"))


def test_threats_stand_in_the_order_of_the_taxonomy(page: str) -> None:
    order = [row.id for row in threats()]
    headings = re.findall(r'<h3 id="t-[^"]*"><bdi class="said">([^<]+)</bdi></h3>', page)
    assert len(headings) == 10 and headings == sorted(headings, key=order.index)


def test_what_was_not_measured_is_named_and_never_zero(page: str) -> None:
    text = parsed(page).text
    for why in ("The worker was killed by signal 9, three times.", "ran past its limit of 60 s", "adversarial-illusions trains nothing"):
        assert why in text
    assert "63 threats of the taxonomy are not in this run" in text and "not yet implemented" in text
    blank = re.search(r'<h3 id="t-crossfire[^"]*">.*?</article>', page, re.S)
    assert blank is not None and "Not measured." in blank.group() and "0.00" not in blank.group()


def test_claimed_and_measured_stand_apart(page: str) -> None:
    assert page.count("Claimed by the paper") == page.count("Measured here") >= 5


def test_withheld_numbers_show_bracket_and_reason(page: str) -> None:
    text = parsed(page).text
    assert "0.11–0.58 withheld" in text and "Reason: the lower statement lies above the point." in text


def test_a_run_builds_to_the_same_bytes(run_folder: Path, page: str) -> None:
    assert build(run_folder) == page


def few_cells(run_folder: Path, folder: Path) -> Path:
    """A copy of a run with three of its cells, for what need not be tried on all of them."""
    shutil.copytree(run_folder, folder)
    for file in sorted((folder / "cells").glob("*.json"))[3:]:
        file.unlink()
    return folder


def test_write_is_whole_and_gives_its_path(run_folder: Path, tmp_path: Path) -> None:
    copy = few_cells(run_folder, tmp_path / "run")
    assert write_report(copy) == copy / "report.html"
    other = write_report(copy, tmp_path / "other.html")
    assert other.read_bytes() == (copy / "report.html").read_bytes()
    assert [path.name for path in tmp_path.glob(".report-*")] == []
    with pytest.raises(InputError, match="is a folder"):
        write_report(copy, tmp_path)
    with pytest.raises(InputError, match="cannot write"):
        write_report(copy, tmp_path / "missing" / "x.html")


@pytest.mark.parametrize("make", [lambda path: path / "none", lambda path: path, lambda path: path / "file"])
def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path, make: Any) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="hartley scan") as caught:
        build(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_an_empty_run_makes_a_page_and_a_damaged_one_is_refused_by_every_output(tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    (tmp_path / "plan.toml").write_text('threats = ["sga"]')
    assert "1 of 1 cells were not measured (1 not run)" in parsed(build(tmp_path)).text
    for name, content in (("a", b"{"), ("b", b"[1]"), ("e", b"[" * 100_000), ("f", b"\xff\xfe")):
        (tmp_path / "cells" / f"{name}.json").write_bytes(content)
    assert parsed(build(tmp_path)).text.count("not of this run") == 4
    for name, content in (("environment.json", "[]"), ("plan.toml", "threats = [")):
        (tmp_path / name).write_text(content)
        for look in (build, summary, Run.open):
            with pytest.raises(InputError, match=f"{name}|plan:"):
                look(tmp_path)


def test_wrong_types_in_a_cell_do_not_stop_the_page(run_folder: Path, tmp_path: Path) -> None:
    copy = few_cells(run_folder, tmp_path / "run")
    for file in sorted((copy / "cells").glob("*.json")):
        record = json.loads(file.read_text())
        for field, junk in (("channels", {"a": 1}), ("curves", [3, {"values": [None, "x", 1e400]}]), ("flags", "no"), ("exhibits", [[]])):
            changed = record | {field: junk}
            file.write_text(json.dumps(changed))
            assert parsed(build(copy)).wrong == []
            break_one = json.loads(json.dumps(record))
            for channel in break_one["channels"]:
                channel["rates"] = [{"name": 3, "arm": [], "value": "0.4"}]
                channel["measures"] = [{"arm": None, "bits": {"kind": "utility_bits", "value": "x"}}, 4]
                channel["costs"] = [{"name": None, "mean": {}}]
            file.write_text(json.dumps(break_one))
        break
    assert parsed(build(copy)).wrong == []


def test_media_must_be_what_their_names_promise(run_folder: Path, tmp_path: Path, made: ModuleType) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    shelf = MediaStore(copy)
    good = next((copy / "media").glob("*.png"))
    assert shelf.picture(f"media/{good.name}").uri.startswith("data:image/png;base64,")
    secret = copy / "media" / ("0" * 24 + ".png")
    secret.symlink_to(copy / "plan.toml")
    outside = tmp_path / "outside.png"
    outside.write_bytes(good.read_bytes())
    for name in (f"media/{secret.name}", "media/../../outside.png", str(outside), "plan.toml", "media/", f"media/{good.name}\n", None, 7):
        media = shelf.picture(name)
        assert media.uri == "" and media.note

    def kept(content: bytes, ending: str) -> str:
        name = f"media/{hashlib.sha256(content).hexdigest()[:24]}.{ending}"
        (copy / name).write_bytes(content)
        return name

    for content in (b"<svg onload=alert(1)>", good.read_bytes()[:60], b"\x89PNG\r\n\x1a\n" + b"x" * 50, b"x" * (3 * 2**20)):
        assert shelf.picture(kept(content, "png")).uri == ""
    for content in (b"RIFF0000WAVEfmt ", b"RIFF", b"OggS"):
        assert shelf.sound(kept(content, "wav")).uri == ""
    good.write_bytes(good.read_bytes() + b"more")
    assert "not the one" in MediaStore(copy).picture(f"media/{good.name}").note


def test_a_full_shelf_leaves_out_and_says_so(run_folder: Path) -> None:
    shelf = MediaStore(run_folder, budget_bytes=10)
    name = next((run_folder / "media").glob("*.png")).name
    assert "media folder" in shelf.picture(f"media/{name}").note and shelf.left_out == 1


def test_bars_and_curves_keep_their_proportions() -> None:
    drawn = bar(Number(1.0, 0.5, 1.5, 9, "x"), 2.0)
    assert (drawn.end, drawn.low, drawn.high) == (50.0, 25.0, 75.0)
    held = bar(Number(None, 0.5, 9.0, 9, "x"), 2.0)
    assert (held.end, held.low, held.high) == (None, 25.0, 100.0)
    assert bar(Number(-1.0, -2.0, 0.0, 9, "x"), 2.0).end == 0.0
    curve = plot([3.0, None, 1.0, 2.0])
    assert curve is not None and (curve.lowest, curve.highest, curve.first, curve.last, curve.steps) == (1.0, 3.0, 3.0, 2.0, 3)
    assert curve.path == "M0.0 0.0M200.0 90.0L300.0 45.0"
    assert plot([None, 1.0]) is None
    long = plot([float(step) for step in range(10_000)])
    assert long is not None and long.path.count("L") < 300


@pytest.mark.parametrize(("value", "shown"), [(2.9, "embedding_bits"), (None, "certified_bits")])
def test_of_what_an_embedding_carries_the_point_stands_or_else_the_certified_limit(value, shown):
    carried = Bits(value, 2.5, 3.3, 200, "made", "embedding_bits", value is not None, "" if value else "not Gaussian")
    certified = Bits(None, 2.7, 3.3, 200, "made", "certified_bits", False, "a lower limit")
    bits = {("clean", one.kind): of_bits(one.to_json(), "clean") for one in (carried, certified)}
    assert [number.name for number in _others(SimpleNamespace(bits=bits))] == [shown]
