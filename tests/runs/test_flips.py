"""Damage: whatever is read back is flipped, cut off and deleted, and each time nothing that is read changes, or it is noticed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from run_fakes import FAKES
from run_fakes import STEADY as PLAN

from hartley.cli import main
from hartley.errors import InputError
from hartley.report.media import MediaStore
from hartley.report.page import write_report
from hartley.runs.cache import Cache
from hartley.runs.export import to_csv, to_json
from hartley.runs.folder import Run
from hartley.runs.local import run
from hartley.runs.store import Store
from hartley.targets.endpoint.budget import Budget
from hartley.targets.endpoint.cache import Cache as Answers
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.store import Store as Memory

QUICK = 60
"""About so many flips of each file in the quick suite."""


class NoticedError(Exception):
    """The damage was told in another way than by InputError."""


@dataclass
class Counts:
    """What became of damaged files."""

    tried: int = 0
    noticed: int = 0
    same: int = 0

    def add(self, path: Path, content: bytes, outcome: Callable[[], object], right: object) -> None:
        """Puts the content there and looks what comes of it."""
        path.write_bytes(content)
        self.tried += 1
        try:
            found = outcome()
        except (InputError, NoticedError):
            self.noticed += 1
        else:
            assert found == right, f"{path.name}: {str(found)[:300]} instead of {str(right)[:300]}"
            self.same += 1


def flip(path: Path, outcome: Callable[[], object], most: int, mask: int = 0) -> Counts:
    """Flips one byte after the other, about `most` of them: one bit, another in the next byte, or those of the mask."""
    whole, right, counts = path.read_bytes(), outcome(), Counts()
    for place in range(0, len(whole), max(1, len(whole) // most)):
        turned = whole[place] ^ (mask or 1 << place % 8)
        counts.add(path, whole[:place] + bytes([turned]) + whole[place + 1 :], outcome, right)
    path.write_bytes(whole)
    return counts


def cut(path: Path, outcome: Callable[[], object], most: int) -> Counts:
    """Cuts the file off at about `most` lengths, from nothing to all but one byte; and puts a byte behind its end."""
    whole, right, counts = path.read_bytes(), outcome(), Counts()
    for length in {*range(0, len(whole), max(1, len(whole) // most)), len(whole) - 1}:
        counts.add(path, whole[:length], outcome, right)
    path.write_bytes(whole)
    return counts


def of_run(folder: Path) -> object:
    """All that is read of a run."""
    opened = Run.open(folder)
    (record,) = opened.cells()
    if record["status"] != "measured" or (timing := opened.timing(record["key"])) is None:
        raise NoticedError
    pictures = [exhibit["image"] for exhibit in record["exhibits"] if exhibit["image"]]
    names = [part for picture in pictures for part in picture.values() if isinstance(part, str) and part.startswith("media/")]
    media = [MediaStore(folder).picture(name) for name in names]
    if not media or not all(shown.uri for shown in media):
        raise NoticedError
    table = opened.evidence(record, record["channels"][0]["name"]).to_bytes()
    return to_csv(opened), to_json(opened), opened.plan, opened.environment, table, timing, [shown.uri for shown in media]


RUN = ("cells/*.json", "evidence/*.npz", "timing/*.json", "media/*.png", "plan.toml", "environment.json")
OTHERS = ("cache entry", "answer", "ledger", "vectors.f32", "entries.sqlite", "entries.sqlite of many")


def damaged_file(what: str, made: Path, folder: Path) -> tuple[Path, Callable[[], object]]:
    """A whole file of that kind, and what is read of it."""
    if what in RUN:
        shutil.copytree(made, folder / "run")
        named = of_run_media(folder / "run") if what.startswith("media") else next(iter((folder / "run").glob(what)))
        return named, lambda: of_run(folder / "run")
    return {"cache entry": cache_entry, "answer": answer, "ledger": ledger}.get(what, lambda folder: memory(folder, what))(folder)


def of_run_media(folder: Path) -> Path:
    (record,) = Run.open(folder).cells()
    return folder / next(name for name in record["exhibits"][0]["image"].values() if isinstance(name, str) and name.startswith("media/"))


def cache_entry(folder: Path) -> tuple[Path, Callable[[], object]]:
    (folder / "cache").mkdir()
    made = {"a": torch.arange(12.0).view(3, 4), "b": torch.tensor([1, 2, 3]), "c": torch.zeros(0)}
    computed = []

    def compute() -> dict[str, torch.Tensor]:
        computed.append(1)
        return dict(made)

    def outcome() -> object:
        found = Cache(Store(folder), "shelf", lambda _: None)("entry", compute)
        assert {name: value.tolist() for name, value in found.items()} == {name: value.tolist() for name, value in made.items()}
        assert {name: value.dtype for name, value in found.items()} == {name: value.dtype for name, value in made.items()}
        if computed:
            computed.clear()
            raise NoticedError
        return sorted(found)

    with pytest.raises(NoticedError):
        outcome()
    return next((folder / "cache").glob("*.safetensors")), outcome


def answer(folder: Path) -> tuple[Path, Callable[[], object]]:
    Answers(folder).put("ab" * 32, {"choices": [{"message": {"content": "hello \u00e9", "n": 1.5}}]})

    def outcome() -> object:
        if (found := Answers(folder).get("ab" * 32)) is None:
            raise NoticedError
        return found

    return next(folder.glob("*/*.json")), outcome


def ledger(folder: Path) -> tuple[Path, Callable[[], object]]:
    path = folder / "spent.json"
    with Budget(ledger=path).charge(100, 50) as charge:
        charge.costs(73, 21)

    def outcome() -> object:
        if not path.stat().st_size:
            raise NoticedError  # as one that was just made: it says that nothing was counted yet
        return Budget(ledger=path).spent

    return path, outcome


def memory(folder: Path, what: str) -> tuple[Path, Callable[[], object]]:
    count = 200 if "many" in what else 5
    draw = np.random.default_rng(0)
    with Memory(folder / "memory", dimension=8, embedder="e" * 16) as store:
        entries = [
            Entry(f"entry {number}", draw.random((3, 2, 2)) if number % 3 == 0 else None, "mail", bool(number % 2), {"ann"}, {"at": number})
            for number in range(count)
        ]
        store.add(entries, draw.normal(size=(count, 8)).astype(np.float32))
        store.remove([2])

    def outcome() -> object:
        with Memory(folder / "memory") as opened:
            rows = np.flatnonzero(opened.ids >= 0)
            held = opened.get(opened.ids[rows])
            return held, opened.ids.tolist(), opened.vectors[rows].tobytes(), opened.fingerprint, opened.dimension

    return folder / "memory" / what.split()[0], outcome


@pytest.mark.parametrize("what", [*RUN, *OTHERS])
def test_hostile_5_a_flipped_bit_is_noticed_or_without_effect(made: Path, tmp_path: Path, what: str) -> None:
    counts = flip(*damaged_file(what, made, tmp_path), QUICK)
    assert counts.noticed > (0.01 if "sqlite" in what else 0.5) * counts.tried


@pytest.mark.parametrize("what", [*RUN, *OTHERS])
def test_hostile_5_a_file_that_is_cut_off_is_noticed_or_without_effect(made: Path, tmp_path: Path, what: str) -> None:
    counts = cut(*damaged_file(what, made, tmp_path), QUICK // 3)
    assert counts.noticed > 0.5 * counts.tried


@pytest.mark.parametrize("what", [*RUN, *OTHERS])
def test_hostile_5_a_file_that_is_gone_is_noticed(made: Path, tmp_path: Path, what: str) -> None:
    path, outcome = damaged_file(what, made, tmp_path)
    outcome()
    path.unlink()
    with pytest.raises((InputError, NoticedError, FileNotFoundError)):
        outcome()


@pytest.mark.slow
@pytest.mark.parametrize("mask", [0, 0xFF])
@pytest.mark.parametrize("what", [*RUN, *OTHERS[:-1]])
def test_hostile_5_every_byte_is_flipped_once(made: Path, tmp_path: Path, what: str, mask: int) -> None:
    path, outcome = damaged_file(what, made, tmp_path)
    size = path.stat().st_size
    counts = flip(path, outcome, size, mask)
    print(f"\n{what} ({size:,} bytes), {f'mask {mask:#x}' if mask else 'one bit'}: {counts}")
    assert counts.tried == size == counts.noticed + counts.same


@pytest.mark.slow
@pytest.mark.parametrize("what", [*RUN, *OTHERS[:-1]])
def test_hostile_5_every_length_is_cut_once(made: Path, tmp_path: Path, what: str) -> None:
    path, outcome = damaged_file(what, made, tmp_path)
    counts = cut(path, outcome, min(path.stat().st_size, 3000))
    print(f"\n{what}: {counts}")


def test_hostile_5_check_names_the_damaged_file_and_ends_with_2(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "run")
    policy = tmp_path / "policy.toml"
    policy.write_text('rules = ["utility_bits.low >= 0.0 when clean"]')
    (table,) = (tmp_path / "run" / "evidence").iterdir()
    table.unlink()
    done = CliRunner().invoke(main, ["check", str(tmp_path / "run"), "--policy", str(policy)])
    assert done.exit_code == 2 and table.name in done.output and "damaged" in done.output


def test_hostile_5_a_memory_of_before_its_description_was_counted_is_still_used(tmp_path: Path) -> None:
    with Memory(tmp_path, dimension=2, embedder="e") as store:
        ids = store.add([Entry("a"), Entry("b")], [[1.0, 0.0], [0.0, 1.0]])
        store._base.execute("UPDATE description SET sum = ?", (f"{store._sum:064x}",))
        store._base.execute("PRAGMA user_version = 1")
        now = store.fingerprint
    with Memory(tmp_path, embedder="e") as store:
        assert store.fingerprint == now and len(store) == 2
        store.remove(ids[:1])
        store.add([Entry("c")], [[1.0, 1.0]])
    with Memory(tmp_path) as store:
        assert [entry.text for entry in store.get(store.ids[store.ids >= 0])] == ["c", "b"]


@pytest.mark.parametrize(("kind", "how"), [("evidence", "flipped"), ("media", "deleted")])
def test_hostile_5_a_resumed_scan_says_what_was_damaged_and_measures_it_again(made: Path, tmp_path: Path, kind: str, how: str) -> None:
    shutil.copytree(made, tmp_path / "run")
    path = of_run_media(tmp_path / "run") if kind == "media" else next((tmp_path / "run" / kind).iterdir())
    whole = path.read_bytes()
    path.unlink()
    if how == "flipped":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    said = []
    run(PLAN, tmp_path / "run", parts=FAKES, progress=lambda event: said.append(event.why))
    assert any("is measured again" in line and path.name in line for line in said)
    assert path.read_bytes() == whole


def test_results_of_before_there_were_digests_are_said_to_be_unverified(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "run")
    (path,) = (tmp_path / "run" / "cells").iterdir()
    record = json.loads(path.read_text())
    del record["seal"], record["channels"][0]["digest"]
    path.write_text(json.dumps(record | {"schema": 1}))
    policy = tmp_path / "policy.toml"
    policy.write_text('rules = ["utility_bits.low >= 0.0 when clean"]')
    said = CliRunner().invoke(main, ["check", str(tmp_path / "run"), "--policy", str(policy)]).output
    assert said.startswith("unverified: 1 of 1 results")
    assert "Unverified: 1 of 1" in write_report(tmp_path / "run").read_text()
    assert "nverified" not in write_report(made, tmp_path / "other.html").read_text()


@pytest.mark.parametrize("change", ["embedder = 'f'", "embedder = ''", "dimension = 1"])
def test_hostile_5_what_all_entries_of_a_memory_share_is_held_against_their_sum(tmp_path: Path, change: str) -> None:
    with Memory(tmp_path, dimension=2, embedder="e") as store:
        store.add([Entry("a")], [[1.0, 0.0]])
        store._base.execute(f"UPDATE description SET {change}")
    with pytest.raises(InputError, match="damaged"):
        Memory(tmp_path)
