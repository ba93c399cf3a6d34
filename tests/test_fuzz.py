"""Files and answers that somebody else made, changed at random from valid ones: a result, or one line; no crash, no hang, no flood."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from hartley import catalog
from hartley.bits.files.samples import read_samples
from hartley.data.metadata import read_rows
from hartley.errors import InputError
from hartley.evidence import Evidence, EvidenceError
from hartley.runs import check
from hartley.runs.context import Context, versions
from hartley.runs.export import to_csv
from hartley.runs.folder import Run, empty_result
from hartley.runs.plan import Plan
from hartley.runs.store import Store, canonical, sealed
from hartley.targets.agent.environments import TOOLBOX
from hartley.targets.answers import named, yes_or_no
from hartley.targets.checkpoint import read_json, read_weights
from hartley.targets.endpoint.choices import read_choice
from hartley.targets.endpoint.outcomes import NotMeasured
from hartley.targets.endpoint.strict import read_object
from hartley.targets.english.tools import described
from hartley.targets.folder_kinds import refuse_unattacked
from hartley.targets.memory.corpus import read_entries, read_questions
from hartley.targets.memory.entry import Entry
from hartley.targets.memory.store import Store as Memory
from hartley.targets.text_protocol import read_step

IN_TEST, IN_ALL = 500, 20_000
SECONDS, BYTES = 5.0, 200 * 2**20
SPECIAL = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"NaN", b"Infinity", b"1e999", b"-1", b"9" * 5000, b"[" * 3000, b"{\"a\":" * 3000,
    b"null", b"true", b"\"\\ud800\"", b"\x1b[2J", "\u202e".encode(), b"../../etc/passwd", b"\r", b"\n\n", b"=1+1",
    b"18446744073709551616", b"0x10", b"'", b"\"", b"}",
]  # fmt: skip
TOOLS = [described(TOOLBOX[name].schema()) for name in ("pay", "grip", "balance")]
PLAN = Plan(("sga", "crossfire"), defenses=("jpeg",), effort={"trials": 40}, only={"sga": ("jpeg",)})
CONTEXT = Context("t", "d", {"trials": 10}, {"": "code"}, versions(), "target", "data")


def mutated(whole: bytes, draw: random.Random) -> bytes:
    """A few changes of one kind or another."""
    made = bytearray(whole)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        at = draw.randrange(len(made) + 1)
        match draw.randrange(7):
            case 0 if made:
                made[at % len(made)] ^= 1 << draw.randrange(8)
            case 1:
                del made[at:]
            case 2:
                made[at:at] = draw.choice(SPECIAL)
            case 3:
                made[at : at + draw.randrange(20)] = draw.choice(SPECIAL)
            case 4:
                other = draw.randrange(len(made) + 1)
                made[at:at] = made[min(at, other) : max(at, other)][:2000]
            case 5:
                del made[at : at + draw.randrange(1, 40)]
            case _:
                made[at : at + 1] = draw.randbytes(draw.randrange(1, 6))
    return bytes(made)


Try = Callable[[bytes], object]


def in_file(path: Path, call: Callable[[Path], object]) -> Try:
    def attempt(content: bytes) -> object:
        path.write_bytes(content)
        return call(path)

    return attempt


def a_run(folder: Path) -> tuple[list[Path], Callable[[], object]]:
    zeros = np.zeros(2, dtype=int)
    table = Evidence("image", "jam", ("a",), (), ("a",), zeros, np.arange(2), zeros, zeros - 1, zeros, zeros)
    store, cell = Store.prepare(folder, PLAN, CONTEXT), PLAN.cells()[0]
    key = cell.key(CONTEXT)
    name, digest = store.write_evidence(key, table)
    bits = {
        "kind": "utility_bits",
        "value": 1.0,
        "low": 0.5,
        "high": None,
        "n": 2,
        "estimator": "x",
        "trusted": True,
        "why": "",
        "checks": {},
    }
    channel = {"name": "image", "kind": "jam", "evidence": name, "digest": digest, "measures": [{"arm": "clean", "bits": bits}]}
    store.write_cell({**empty_result(cell, key, "measured", ""), "channels": [{**channel, "rates": [], "costs": []}]})

    def read() -> object:
        found = Run.open(folder)
        record = found.cells()[0]
        if record["status"] == "measured":
            with contextlib.suppress(InputError):
                assert found.evidence(record, "image") == table
        return to_csv(found)

    return [path for path in folder.rglob("*") if path.is_file()], read


def kinds(folder: Path) -> dict[str, tuple[bytes, Try]]:
    """By name: a valid input, and what takes it."""
    found: dict[str, tuple[bytes, Try]] = {}
    paths, read = a_run(folder / "run")
    for path in paths:
        found[f"run: {path.parent.name}/{path.suffix}"] = (path.read_bytes(), in_whole(path, read))
    (cell,) = [path for path in paths if path.parent.name == "cells"]
    found["run: a cell with its seal"] = (cell.read_bytes(), in_sealed(cell, read))
    found["plan"] = (PLAN.to_toml().encode(), in_file(folder / "plan.toml", Plan.read))
    policy = b'rules = ["utility_bits.low >= 2.0 under sga", "adversary_bits.high <= 0.5 under crossfire with jpeg"]\n'
    found["policy"] = (
        policy,
        in_file(folder / "policy.toml", lambda path: [check.parse(rule, catalog) for rule in check.read_policy(path)]),
    )
    (folder / "data").mkdir()
    rows = b'file_name,caption,label\na.png,"a red ""2""",red\nb.png,a blue 3,blue\n'
    found["data: csv"] = (rows, in_file(folder / "data" / "metadata.csv", read_rows))
    lines = b'{"file_name": "a.png", "caption": "a red 2", "label": "red"}\n{"file_name": "b.png", "caption": "a blue 3"}\n'
    found["data: jsonl"] = (lines, in_file(folder / "data" / "metadata.jsonl", read_rows))
    (folder / "model").mkdir()
    config = json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "num_hidden_layers": 1}).encode()
    found["model: config"] = (
        config,
        in_file(folder / "model" / "config.json", lambda path: (refuse_unattacked(path.parent), read_json(path))),
    )
    weights = save({"a": torch.zeros(3, 4), "b": torch.arange(5)})
    found["model: weights"] = (weights, in_file(folder / "model" / "model.safetensors", lambda path: read_weights((path,))))
    table = "x,y\n" + "".join(f"{i % 3},{i % 3 if i % 5 else 'b'}\n" for i in range(60))
    found["bits: csv"] = (table.encode(), in_file(folder / "bits.csv", lambda path: read_samples(path, None, None)))
    for name, written in (("npz", np.savez), ("npy", np.save)):
        buffer = io.BytesIO()
        written(buffer, **({"x": np.arange(40) % 3, "y": np.arange(40) % 2} if name == "npz" else {"arr": np.arange(80.0).reshape(40, 2)}))
        found[f"bits: {name}"] = (buffer.getvalue(), in_file(folder / f"bits.{name}", lambda path: read_samples(path, None, None)))
    with Memory(folder / "memory", dimension=4) as store:
        store.add([Entry(f"entry {i}", source="mail") for i in range(4)], np.eye(4, dtype=np.float32))
    for name in ("entries.sqlite", "vectors.f32"):
        found[f"memory: {name}"] = ((folder / "memory" / name).read_bytes(), in_memory(folder / "memory", name))
    entries = b'{"_id": "a", "title": "t", "text": "Anna lives in Paris.", "metadata": {"x": 1}}\n{"id": 3, "text": "b", "trusted": true}\n'
    found["memory: jsonl"] = (entries, in_file(folder / "entries.jsonl", lambda path: list(read_entries(path))))
    asked = b'{"question": "Where?", "choices": ["a", "b"], "answer": "a", "supports": [1]}\n'
    found["memory: questions"] = (asked, in_file(folder / "questions.jsonl", read_questions))
    call = {"id": "c", "type": "function", "function": {"name": "pay", "arguments": '{"recipient": "Anna", "amount": 3}'}}
    answer = {"choices": [{"message": {"role": "assistant", "content": "ok", "tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    found["server: answer"] = (json.dumps(answer).encode(), served)
    found["server: words"] = (b'Sure.\n```json\n{"tool": "pay", "arguments": {"recipient": "Anna", "amount": 3}}\n```', said)
    return found


def in_whole(path: Path, read: Callable[[], object]) -> Try:
    whole = path.read_bytes()

    def attempt(content: bytes) -> object:
        path.write_bytes(content)
        try:
            return read()
        finally:
            path.write_bytes(whole)

    return attempt


def in_sealed(path: Path, read: Callable[[], object]) -> Try:
    """What changes a cell may know how to seal it."""
    write = in_whole(path, read)

    def attempt(content: bytes) -> object:
        try:
            record = json.loads(content)
            record.pop("seal", None)
            content = canonical(sealed(record))
        except (ValueError, AttributeError, TypeError, RecursionError):
            pass
        return write(content)

    return attempt


def in_memory(folder: Path, name: str) -> Try:
    def attempt(content: bytes) -> object:
        shutil.rmtree(folder.with_name("copy"), ignore_errors=True)
        shutil.copytree(folder, folder.with_name("copy"))
        (folder.with_name("copy") / name).write_bytes(content)
        with Memory(folder.with_name("copy")) as store:
            return [entry.text for entry in store.get(store.ids[store.ids >= 0])]

    return attempt


def served(content: bytes) -> object:
    return read_choice(read_object(content, str), TOOLS)


def said(content: bytes) -> object:
    text = content.decode(errors="replace")
    return read_step(text, TOOLS), named(text, ("Anna", "Boris"), complied=True), yes_or_no(text)


def fuzz(folder: Path, count: int, seed: int) -> Counter[str]:
    """How often each kind gave a result, and how often a line."""
    inputs, found = kinds(folder), Counter[str]()
    names = sorted(inputs)
    for number in range(count):
        name = names[number % len(names)]
        whole, attempt = inputs[name]
        content = mutated(whole, random.Random(f"{seed} {number}"))
        begin = time.process_time()
        tracemalloc.reset_peak()
        try:
            attempt(content)
            found[f"{name}: read"] += 1
        except (InputError, EvidenceError, NotMeasured) as error:
            found[f"{name}: refused{' in several lines' if len(str(error).splitlines()) > 1 else ''}"] += 1
        except BaseException as error:
            raise AssertionError(f"{name}, input {number}: {type(error).__name__}: {error}") from error
        assert time.process_time() - begin < SECONDS, (name, number)
        assert tracemalloc.get_traced_memory()[1] < BYTES, (name, number, tracemalloc.get_traced_memory())
    return found


def test_changed_files_and_answers_give_a_result_or_a_line(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        found = fuzz(tmp_path, IN_TEST, 0)
    finally:
        tracemalloc.stop()
    assert sum(found.values()) == IN_TEST and not [name for name in found if "several lines" in name]


@pytest.mark.slow
def test_twenty_thousand_changed_files_and_answers_give_a_result_or_a_line(tmp_path: Path) -> None:
    found = fuzz(tmp_path, IN_ALL, 1)
    for name, count in sorted(found.items()):
        print(f"{name}: {count:,}", file=sys.stderr)
    assert sum(found.values()) == IN_ALL and not [name for name in found if "several lines" in name]
