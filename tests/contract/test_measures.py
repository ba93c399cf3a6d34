"""One table over every measure: what each Bits promises, whatever it measures."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

import hartley.bits
from hartley.bits.bandwidth import used_bandwidth
from hartley.bits.capacity import capacity
from hartley.bits.certified import certified_information
from hartley.bits.conditional import conditional_information
from hartley.bits.continuous import continuous_information
from hartley.bits.counts import information
from hartley.bits.decomposition import decomposition, embedding_decomposition
from hartley.bits.deployed import deployed_information, misinformation
from hartley.bits.embedding import label_information
from hartley.bits.entropy import entropy_of_counts
from hartley.bits.known import GaussianPair, binary_symmetric, symmetric
from hartley.bits.leakage import maximal_leakage, secret_leakage
from hartley.bits.membership import membership
from hartley.bits.privacy import audit_epsilon
from hartley.bits.reading import channel_reading
from hartley.bits.signal import Condition, signal_and_noise
from hartley.bits.value import Bits
from hartley.bits.worst_case import worst_case
from hartley.errors import InputError

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Measure:
    """How a measure is called, and what is claimed of it.

    call      columns by name in, what the measure returns out.
    draw      good columns of a channel that carries something, from a generator.
    numbers   columns that must be finite numbers. symbols: columns of symbols of any kind, whose names must not matter.
    tables    columns that are tables of counts. order_free: the order of their symbols changes nothing.
    shuffle   the column whose shuffling leaves nothing to measure; "" where there is no such thing.
    rows_free the order of rows changes nothing.
    """

    name: str
    call: Callable[..., object]
    draw: Callable[[np.random.Generator], Columns]
    numbers: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    order_free: bool = False
    shuffle: str = ""
    rows_free: bool = False


def table(generator: np.random.Generator) -> Columns:
    return {"counts": symmetric(4, 0.2).balanced(400, generator)}


def pair(generator: np.random.Generator) -> Columns:
    x = generator.integers(0, 4, 400)
    return {"x": x, "y": np.where(generator.random(400) < 0.8, x, generator.integers(0, 4, 400))}


def triple(generator: np.random.Generator) -> Columns:
    return pair(generator) | {"given": generator.integers(0, 2, 400)}


def cube(generator: np.random.Generator) -> Columns:
    first, second = generator.integers(0, 2, (2, 600))
    counts = np.zeros((2, 2, 2), dtype=np.int64)
    np.add.at(counts, (first, second, first & second), 1)
    return {"counts": counts}


def states(generator: np.random.Generator) -> Columns:
    return {"counts": np.stack([symmetric(3, error).balanced(600, generator) for error in (0.1, 0.3)])}


def head(generator: np.random.Generator) -> Columns:
    return {"log2_q": np.log2(generator.uniform(0.2, 1.0, 300)), "log2_prior": np.full(300, -2.0)}


def scored(generator: np.random.Generator) -> Columns:
    member = generator.integers(0, 2, 400)
    return {"score": generator.standard_normal(400) + 1.5 * member, "member": member}


def labeled(generator: np.random.Generator) -> Columns:
    label = np.arange(300) % 3
    means = 2 * np.eye(3, 4)
    return {"embedding": means[label] + generator.standard_normal((300, 4)), "label": label}


def paired(generator: np.random.Generator) -> Columns:
    return dict(zip(("x", "y"), GaussianPair(0.8).sample(300, generator), strict=True))


def modalities(generator: np.random.Generator) -> Columns:
    label = np.arange(400) % 2
    rows = {name: (2.0 * label[:, None] - 1) * [1.0, 0.0] + generator.standard_normal((400, 2)) for name in ("first", "second")}
    return rows | {"label": label}


def of_a_table(counts: np.ndarray) -> Bits:
    return information(counts)


def capacity_of(counts: np.ndarray) -> Bits:
    return capacity(counts)


def of_columns(x: np.ndarray, y: np.ndarray) -> Bits:
    return information(x, y)


def conditions(embedding: np.ndarray, label: np.ndarray) -> object:
    after = labeled(np.random.default_rng(7))
    return signal_and_noise(Condition(embedding, label, np.arange(len(embedding))), Condition(**after, trial=np.arange(300)))


def actions(generator: np.random.Generator) -> Columns:
    return {"actions": generator.choice(5, 300, p=[0.4, 0.3, 0.1, 0.1, 0.1])}


def occurrences(generator: np.random.Generator) -> Columns:
    return {"counts": generator.multinomial(300, [0.4, 0.3, 0.1, 0.1, 0.1])}


MEASURES = (
    Measure("information", of_a_table, table, tables=("counts",), order_free=True),
    Measure("information of columns", of_columns, pair, symbols=("x", "y"), shuffle="y", rows_free=True),
    Measure("conditional_information", conditional_information, triple, symbols=("x", "y", "given"), shuffle="y", rows_free=True),
    Measure("capacity", capacity_of, table, tables=("counts",), order_free=True),
    Measure("maximal_leakage", maximal_leakage, table, tables=("counts",), order_free=True),
    Measure("secret_leakage", secret_leakage, table, tables=("counts",), order_free=True),
    Measure("decomposition", decomposition, cube, tables=("counts",)),
    Measure("worst_case", worst_case, states, tables=("counts",)),
    Measure("deployed_information", deployed_information, head, numbers=("log2_q", "log2_prior"), rows_free=True),
    Measure("misinformation", misinformation, head, numbers=("log2_q", "log2_prior"), rows_free=True),
    Measure("membership", membership, scored, numbers=("score", "member"), shuffle="member"),
    Measure("audit_epsilon", audit_epsilon, scored, numbers=("score", "member"), shuffle="member", rows_free=True),
    Measure("label_information", label_information, labeled, numbers=("embedding",), symbols=("label",), shuffle="label"),
    Measure("certified_information", certified_information, labeled, numbers=("embedding",), symbols=("label",), shuffle="label"),
    Measure("channel_reading", channel_reading, labeled, numbers=("embedding",), symbols=("label",)),
    Measure("continuous_information", continuous_information, paired, numbers=("x", "y"), shuffle="y"),
    Measure(
        "embedding_decomposition", embedding_decomposition, modalities, numbers=("first", "second"), symbols=("label",), shuffle="label"
    ),
    Measure("signal_and_noise", conditions, labeled, numbers=("embedding",)),
    Measure("used_bandwidth", used_bandwidth, actions, symbols=("actions",), rows_free=True),
    Measure("entropy_of_counts", entropy_of_counts, occurrences, numbers=("counts",), rows_free=True),
)
NOT_HERE = {
    "for_evidence": "turns Evidence into the measures of this table; tests/bits/test_for_evidence.py",
    "margin": "takes two Bits, no data; tests/bits/test_value.py",
    "mean_bits": "the mean behind deployed_information and misinformation",
    "one_cluster": "says that nothing was measured; tests/bits/test_clustered.py",
    "percolation_bound": "takes a graph, no samples; tests/bits/test_percolation.py",
    "sent_bits": "counts what was sent, and estimates nothing; tests/bits/test_sent.py",
    "statement": "the measures of this table in sentences; tests/bits/test_statement.py",
    "two_group_epsilon": "takes four numbers; tests/bits/test_privacy.py",
}
BEHIND = {of_a_table: information, capacity_of: capacity, of_columns: information, conditions: signal_and_noise}
"""Which measure a call of the table stands for, where it is not the measure itself."""
ids = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)


def bits_of(result: object) -> Iterator[Bits]:
    """Every Bits in what a measure returns."""
    if isinstance(result, Bits):
        yield result
    elif isinstance(result, tuple):
        for part in result:
            yield from bits_of(part)
    elif hasattr(result, "ceiling"):
        yield result.ceiling()
    elif is_dataclass(result):
        for field in fields(result):
            yield from bits_of(getattr(result, field.name))


def good(measure: Measure, seed: int = 0) -> Columns:
    return measure.draw(np.random.default_rng(seed))


def measured(measure: Measure, columns: Columns) -> list[Bits]:
    return list(bits_of(measure.call(**columns)))


@pytest.fixture(scope="module")
def once() -> dict[str, list[Bits]]:
    """Each measure once, on its good columns."""
    return {measure.name: measured(measure, good(measure)) for measure in MEASURES}


def test_every_measure_of_the_package_is_in_the_table_or_says_why_not():
    found = set()
    root = Path(hartley.bits.__path__[0])
    for path in sorted(root.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.returns is None:
                continue
            returned = ast.unparse(node.returns)
            names = re.findall(r"\w+", returned)
            module = vars(importlib.import_module(".".join(("hartley.bits", *path.relative_to(root).with_suffix("").parts))))
            holders = [module[name] for name in names if isinstance(module.get(name), type) and is_dataclass(module[name])]
            inside = any("Bits" in str(field.type) for holder in holders for field in fields(holder))
            if "Bits" in names or returned == "Measured" or "Epsilon" in names or (inside and "said" not in node.name):
                found.add(node.name)
    listed = {BEHIND.get(measure.call, measure.call).__name__ for measure in MEASURES}
    missing = found - listed - set(NOT_HERE)
    assert not missing, f"measures without a contract: {sorted(missing)}"


@ids
def test_what_leaves_a_measure_is_bits_with_a_unit_and_one_line(measure, once):
    assert once[measure.name]
    for bits in once[measure.name]:
        assert bits.kind.endswith("_bits")
        line = str(bits)
        assert "\n" not in line and " bits" in line and line.startswith(f"{bits.kind}: ")
        assert bits.n > 0 and bits.estimator != ""
        assert not re.search(r"\bnats?\b", line + " ".join(bits.checks))
        assert bits.trusted or bits.why
        assert bits.value is not None or bits.low is not None or bits.high is not None, "these columns can be measured"
        assert Bits.from_json(json.loads(json.dumps(bits.to_json(), allow_nan=False))) == bits


@ids
def test_the_docstring_gives_shapes_and_units(measure):
    call = BEHIND.get(measure.call, measure.call)
    text = inspect.getdoc(call)
    assert text and "\n" in text
    assert re.search(r"\b(bits?|epsilon)\b", text, re.IGNORECASE)
    shaped = inspect.getdoc(Condition) if call is signal_and_noise else text
    assert re.search(r"\(\w+(, \w+)*,?\)", shaped), "shapes of the columns"
    assert not re.search(r"\bnats\b", text)


@ids
def test_the_same_columns_give_the_same_bits(measure, once):
    assert measured(measure, good(measure)) == once[measure.name]


@ids
def test_the_columns_are_left_as_they_were(measure):
    columns = good(measure)
    before = {name: column.copy() for name, column in columns.items()}
    for column in columns.values():
        column.setflags(write=False)
    measured(measure, columns)
    assert all(np.array_equal(columns[name], before[name]) for name in columns)


def wrong_inputs(measure: Measure) -> Iterator[tuple[str, str, Columns]]:
    """(what is wrong, a word the message must have, columns)."""
    columns = good(measure)
    for name in measure.numbers + measure.tables:
        for what, poison in (("NaN", np.nan), ("infinity", np.inf)):
            spoiled = columns[name].astype(float)
            spoiled.flat[5 if spoiled.size > 5 else 0] = poison
            yield f"{what} in {name}", name, columns | {name: spoiled}
        yield f"text in {name}", name, columns | {name: np.full(columns[name].shape, "a")}
        yield f"one axis too many in {name}", name, columns | {name: np.stack([columns[name]] * 2)[None]}
    for name in measure.tables:
        yield f"negative count in {name}", name, columns | {name: columns[name] - columns[name].max()}
        yield f"half a count in {name}", name, columns | {name: columns[name] + 0.5}
        yield f"no cells in {name}", name, columns | {name: columns[name][:0]}
    aligned = [name for name in columns if name not in measure.tables]
    if len(aligned) > 1:
        for name in aligned:
            yield f"{name} one row short", name, columns | {name: columns[name][:-1]}
    for name in measure.symbols:
        yield f"two axes in {name}", name, columns | {name: np.stack([columns[name]] * 2)}
        spoiled = columns[name].astype(float)
        spoiled[3] = np.nan
        yield f"NaN in {name}", name, columns | {name: spoiled}


def refusal(measure: Measure, columns: Columns) -> str:
    """The message of the InputError; "" where the columns were taken. Any other exception is a failure."""
    try:
        measure.call(**columns)
    except InputError as error:
        return str(error)
    return ""


@ids
def test_wrong_input_is_one_clear_line(measure):
    for what, name, columns in wrong_inputs(measure):
        message = refusal(measure, columns)
        assert message, f"{measure.name} took {what}"
        assert "\n" not in message and len(message) < 300, f"{measure.name}, {what}: {message!r}"
        assert re.search(rf"\b{name}\b", message), f"{measure.name}, {what}: {message!r} does not name {name}"


@ids
def test_no_rows_are_refused_or_left_unmeasured(measure):
    """Nothing at all is no number: an error in one line, or Bits without a value."""
    columns = {name: column[:0] for name, column in good(measure).items()}
    message = refusal(measure, columns)
    assert "\n" not in message
    found = [] if message else measured(measure, columns)
    assert message or all(bits.value is None and bits.why and not bits.low for bits in found)


@pytest.mark.parametrize("measure", [one for one in MEASURES if one.shuffle], ids=lambda one: one.name)
def test_shuffled_rows_carry_nothing(measure, once):
    for seed in range(3):
        columns = good(measure, seed)
        generator = np.random.default_rng(100 + seed)
        columns[measure.shuffle] = generator.permutation(columns[measure.shuffle])
        for bits in measured(measure, columns):
            assert bits.value is None or bits.value <= 0.02, str(bits)
            assert bits.low is None or bits.low <= 0.02, str(bits)


@pytest.mark.parametrize("measure", [one for one in MEASURES if one.shuffle], ids=lambda one: one.name)
def test_what_is_not_shuffled_carries_something(measure, once):
    assert any((bits.low or 0) > 0.1 for bits in once[measure.name])


def alike(first: list[Bits], second: list[Bits]) -> None:
    for one, other in zip(first, second, strict=True):
        assert (one.kind, one.n, one.trusted) == (other.kind, other.n, other.trusted)
        for end in ("value", "low", "high"):
            assert getattr(one, end) == pytest.approx(getattr(other, end), abs=1e-8), f"{end}: {one} and {other}"


@pytest.mark.parametrize("measure", [one for one in MEASURES if one.symbols], ids=lambda one: one.name)
def test_the_names_of_symbols_do_not_matter(measure, once):
    """In their order: a, b, c for 0, 1, 2. Another order may deal other folds, and moves no more than those."""
    columns = good(measure)
    for name in measure.symbols:
        columns[name] = np.array(list("abcdefgh"))[columns[name]]
    alike(measured(measure, columns), once[measure.name])


@pytest.mark.parametrize("measure", [one for one in MEASURES if one.order_free], ids=lambda one: one.name)
def test_the_order_of_symbols_in_a_table_does_not_matter(measure, once):
    counts, generator = good(measure)["counts"], np.random.default_rng(1)
    shuffled = counts[np.ix_(*(generator.permutation(size) for size in counts.shape))]
    alike(measured(measure, {"counts": shuffled}), once[measure.name])


@pytest.mark.parametrize("measure", [one for one in MEASURES if one.rows_free], ids=lambda one: one.name)
def test_the_order_of_rows_does_not_matter_where_that_is_claimed(measure, once):
    columns = good(measure)
    order = np.random.default_rng(2).permutation(len(next(iter(columns.values()))))
    alike(measured(measure, {name: column[order] for name, column in columns.items()}), once[measure.name])


def test_the_table_itself_can_fail():
    """The checks above bite: a measure that hands out a point on shuffled columns, or takes what is wrong, is caught."""
    assert list(bits_of(information(binary_symmetric(0.1).balanced(200, np.random.default_rng(0)))))
    with pytest.raises(AssertionError):
        alike([Bits(1.0, 0.5, 1.5, 10, "t", "a_bits", True)], [Bits(1.1, 0.5, 1.5, 10, "t", "a_bits", True)])
