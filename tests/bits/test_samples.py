"""Reading a user's samples: what is read is what was written, and everything wrong is told on one line."""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hartley.bits.files import delimited
from hartley.bits.files.columns import MOST_SYMBOLS, Text, shown
from hartley.bits.files.delimited import read_delimited
from hartley.bits.files.prior import prior_facts, prior_for, read_prior
from hartley.bits.files.samples import Samples, Symbols, Vectors, chosen, read_samples
from hartley.errors import InputError

N = 200
RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 4, N)
WORD = np.array(["red", "green", "blue", "gray"])[LABEL]
POINT = RNG.standard_normal((N, 3))


def table(path: Path, rows: list[list[object]], header: list[str] | None = None, separator: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=separator)
        if header:
            writer.writerow(header)
        writer.writerows(rows)
    return path


def names_of(side: object) -> list[str]:
    """The symbols row by row: the obviously right reading of codes."""
    assert isinstance(side, Symbols)
    return [side.names[code] for code in side.codes]


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_samples(path, **options)
    text = str(caught.value)
    assert text.isprintable()
    return text


@pytest.mark.parametrize("block", [1, 7, 2**19])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_table_is_read_as_written_whatever_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, suffix: str) -> None:
    monkeypatch.setattr(delimited, "BLOCK_CELLS", block)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", max(64, block))
    rows: list[list[object]] = [
        [word, point, f'say "{word}",\n{label}'] for word, point, label in zip(WORD, POINT[:, 0], LABEL, strict=True)
    ]
    path = table(tmp_path / f"t{suffix}", rows, ["color", "size", "text"], "\t" if suffix == ".tsv" else ",")
    samples = read_samples(path, x="color", y="text")
    assert names_of(samples.x) == WORD.tolist()
    assert names_of(samples.y) == [row[2] for row in rows]
    numbers = read_samples(path, x="color", y="size").y
    assert isinstance(numbers, Vectors)
    np.testing.assert_array_equal(numbers.values[:, 0], POINT[:, 0])


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5).filter(str.strip)] * 2),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 5),
)
def test_any_text_survives(rows: list[tuple[str, str]], block: int) -> None:
    """Held against Python's own csv module read in one go."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("left", "right"), *rows])
    expected = list(csv.reader(io.StringIO(buffer.getvalue(), newline=""), skipinitialspace=True))[1:]
    old, delimited.BLOCK_CELLS = delimited.BLOCK_CELLS, block
    try:
        (left,), (right,) = read_delimited(io.BytesIO(buffer.getvalue().encode()), "t", ",", lambda _: ((0,), (1,)), header=True)
    except InputError:
        assert any(not cell.strip() or cell.strip().lower().lstrip("+-") in ("nan", "inf", "infinity") for row in expected for cell in row)
        return
    finally:
        delimited.BLOCK_CELLS = old
    for place, column in enumerate((left, right)):
        got = [column.symbols[c] for c in column.codes] if isinstance(column, Text) else column.values.tolist()
        cells = [row[place] for row in expected]
        assert got == (cells if isinstance(column, Text) else [float(cell) for cell in cells])


def test_numbers_beyond_the_symbols_stay_numbers(tmp_path: Path) -> None:
    values = np.round(RNG.standard_normal(3 * MOST_SYMBOLS), 9)
    path = table(tmp_path / "t.csv", [[float(a), i % 2] for i, a in enumerate(values)], ["a", "b"])
    side = read_samples(path).x
    assert isinstance(side, Vectors)
    np.testing.assert_array_equal(side.values[:, 0], values)


@pytest.mark.parametrize(
    ("header", "rows", "names"),
    [
        (["a", "b"], [[1, 2]] * 6 + [[2, 1]] * 6, ("a", "b")),
        (None, [[1, 2]] * 6 + [[2, 1]] * 6, ("column 1", "column 2")),
        (None, [["a", "b"], ["b", "a"]] * 6, ("column 1", "column 2")),
        (["x", "y"], [["a", "b"], ["b", "a"]] * 6, ("x", "y")),
        (["", "y"], [["a", 1], ["b", 2]] * 6, ("column 1", "y")),
    ],
)
def test_header_is_found_out(tmp_path: Path, header: list[str] | None, rows: list[list[object]], names: tuple[str, str]) -> None:
    samples = read_samples(table(tmp_path / "t.csv", rows, header))
    assert (samples.x.name, samples.y.name, samples.rows) == (*names, 12)


def test_header_can_be_told(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [["a", "b"], ["b", "a"]] * 6)
    assert read_samples(path, header=True).rows == 11
    assert read_samples(path, header=False).rows == 12


def test_byte_order_mark_blank_lines_and_carriage_returns_are_no_data(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfx,y\r\n" + b"a,1\r\n\r\nb,2\r\n" * 6 + b"\r\n")
    samples = read_samples(path)
    assert names_of(samples.x) == ["a", "b"] * 6
    assert samples.x.name == "x"


@pytest.mark.parametrize(
    ("values", "symbols"),
    [
        (LABEL, True),
        (LABEL.astype(float), True),
        (LABEL == 1, True),
        (WORD, True),
        (np.char.encode(WORD), True),
        (POINT[:, 0], False),
        (LABEL + 0.5, False),
        (np.arange(N), False),
        (POINT, False),
        (np.stack([LABEL % 2, LABEL // 2], 1), True),
        (np.asfortranarray(POINT.astype(np.float32)), False),
    ],
)
def test_the_data_decides_what_is_symbols(tmp_path: Path, values: np.ndarray[Any, Any], symbols: bool) -> None:
    np.savez(tmp_path / "t.npz", x=values, y=WORD)
    side = read_samples(tmp_path / "t.npz").x
    assert isinstance(side, Symbols) == symbols
    if isinstance(side, Symbols):
        rows = [tuple(np.atleast_1d(row)) for row in values]
        assert all((side.codes[i] == side.codes[0]) == (row == rows[0]) for i, row in enumerate(rows))
    else:
        np.testing.assert_array_equal(side.values, values.reshape(N, -1))


def test_several_columns_of_symbols_are_one_symbol(tmp_path: Path) -> None:
    other = RNG.integers(0, 3, N)
    path = table(tmp_path / "t.csv", [[w, f"s{o}", p] for w, o, p in zip(WORD, other, POINT[:, 0], strict=True)], ["a", "b", "c"])
    assert names_of(read_samples(path, x="a,b", y="c").x) == [f"{w} s{o}" for w, o in zip(WORD, other, strict=True)]


def test_sorts_can_be_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=LABEL, y=np.repeat(np.arange(N // 2) * 0.5, 2))
    samples = read_samples(tmp_path / "t.npz", sorts={"x": "numbers", "y": "symbols"})
    assert isinstance(samples.x, Vectors)
    assert isinstance(samples.y, Symbols)
    assert len(samples.y.names) == N // 2


@pytest.mark.parametrize(
    ("x", "y", "places"),
    [
        (None, None, ((0,), (1, 2, 3))),
        ("b", None, ((1,), (0, 2, 3))),
        (None, "c,d", ((0, 1), (2, 3))),
        ("2-3", "1", ((1, 2), (0,))),
        ("4, a", "b", ((3, 0), (1,))),
    ],
)
def test_columns_are_chosen_by_name_number_and_range(x: str | None, y: str | None, places: object) -> None:
    assert chosen(["a", "b", "c", "d"], x, y, "t") == places


def test_x_and_y_by_name_come_first_and_exact_names_beat_numbers() -> None:
    assert chosen(["y", "z", "x"], None, None, "t") == ((2,), (0,))
    assert chosen(["2", "1"], "1", None, "t") == ((1,), (0,))
    assert chosen(["a,b", "c"], "a,b", "c", "t") == ((0,), (1,))


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        ("colr", None, "nearest: color"),
        ("color", "color", "both name column 'color'"),
        ("1-3", "size", "both name column 'size'"),
        ("5", None, "takes columns from 1 to 3"),
        ("0", None, "takes columns from 1 to 3"),
        ("color,color", None, "twice"),
        ("", None, "names no column"),
        ("1-3", None, "no column is left for y"),
        ("\x1b[31m", None, "x1b[31m"),
    ],
)
def test_wrong_choices_are_told(x: str, y: str | None, told: str) -> None:
    with pytest.raises(InputError) as caught:
        chosen(["color", "size", "text"], x, y, "t.csv")
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


def test_two_columns_of_one_name_are_chosen_by_number() -> None:
    assert chosen(["a", "a", "b"], "2", "b", "t") == ((1,), (2,))
    with pytest.raises(InputError, match="two columns are called 'a'"):
        chosen(["a", "a", "b"], "a", "b", "t")


GOOD = "".join(f"{'ab'[i % 2]},{i % 3}\n" for i in range(20))
WRONG_TABLES: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b"\n\n\n", "is empty"),
    (b"x,y\n", "a header and no rows"),
    (b"x\n1\n2\n", "takes at least two columns"),
    (b"x;y\n1;2\n", "semicolons"),
    (b"x\ty\n1\t2\n", "tabs"),
    (f"x,y\n{GOOD}a,b,c\n".encode(), "line 22: 3 fields, the first line has 2"),
    (f"x,y\n{GOOD}a\n".encode(), "line 22: 1 fields"),
    (f"x,y\n\n{GOOD},b\n".encode(), "line 23, column x: is empty"),
    (f"x,y\n{GOOD}a,nan\n".encode(), "line 22, column y: got nan"),
    (f"x,y\n{GOOD}a,-inf\n".encode(), "line 22, column y: got -inf"),
    (f"x,y\n{GOOD}".encode() + b"\xe9,1\n", "line 22: byte 0xe9 is not UTF-8"),
    (f"x,y\n{GOOD}".encode("utf-16"), "UTF-16"),
    (f'x,y\n{GOOD}"a,1\n'.encode(), "line 22"),
    (f'x,y\n"a\nb",1\n{GOOD}a,1,1\n'.encode(), "line 24: 3 fields"),
    (b"x,y\na,1\nb,2\n", "2 rows; takes at least 10"),
    (b"x,y\n" + b"a,1\n" * 20, "x is constant"),
    ("x,y\n" + "".join(f"{i % 3},id{i}\n" for i in range(20)), "y has 20 distinct symbols in 20 rows"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("content", "told"), WRONG_TABLES)
def test_wrong_tables_are_told_with_their_line(tmp_path: Path, content: bytes | str, told: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    text = refusal(path)
    assert told in text
    assert "t.csv" in text


def test_a_column_too_varied_for_symbols_names_what_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i / 8},{i % 3}\n" for i in range(MOST_SYMBOLS + 10)) + "oops,1\n")
    assert f"line {MOST_SYMBOLS + 12}, column x: got 'oops'" in refusal(path)
    path.write_text("x,y\n" + "".join(f"w{i},{i % 3}\n" for i in range(MOST_SYMBOLS + 10)))
    assert "at most 4,096 symbols" in refusal(path)


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1_000)
    path = tmp_path / "t.csv"
    path.write_bytes(b"x,y\n" + b"a" * 10_000)
    assert "line 2: longer than 2,000 bytes" in refusal(path)


def test_text_and_numbers_do_not_mix_on_one_side(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [[w, p, i % 2] for i, (w, p) in enumerate(zip(WORD, POINT[:, 0], strict=True))], ["a", "b", "c"])
    assert "mixes text ('a') with numbers ('b')" in refusal(path, x="a,b", y="c")
    assert "cannot be numbers" in refusal(path, x="a", y="c", sorts={"x": "numbers"})


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": LABEL, "y": LABEL[1:]}, "x 200, y 199 rows"),
        ({"x": LABEL, "y": LABEL + 1j}, "complex128"),
        ({"x": LABEL, "y": np.zeros((N, 2, 2))}, "shape (200, 2, 2), takes (n,) or (n, d)"),
        ({"x": LABEL, "y": np.array(1.0)}, "shape ()"),
        ({"x": LABEL[:0], "y": LABEL}, "holds nothing"),
        ({"x": LABEL, "y": np.where(np.arange(N) == 17, np.nan, 1.0)}, "array y, row 17 (counted from 0): got nan"),
        ({"x": LABEL, "y": np.where(np.arange(3 * N).reshape(N, 3) == 7, np.inf, POINT)}, "row 2, column 1 (counted from 0): got inf"),
        ({"x": LABEL, "y": POINT * 1e120}, "takes numbers up to 1e+60"),
        ({"x": LABEL, "y": np.full(N, 0.5)}, "y is constant (0.5 in all 200 rows)"),
        ({"x": LABEL, "y": np.array(["2026-01-01"] * N, dtype="M8[D]")}, "datetime64"),
        ({"x": LABEL, "y": np.zeros(N, dtype=[("a", "i4")])}, "takes numbers"),
        ({"x": LABEL, "y": np.stack([WORD, WORD], 1)}, "text of shape (200, 2)"),
        ({"x": LABEL}, "'x' alone"),
        ({}, "holds no arrays"),
    ],
)
def test_wrong_arrays_are_told(tmp_path: Path, arrays: dict[str, Any], told: str) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    text = refusal(tmp_path / "t.npz")
    assert told in text
    assert "t.npz" in text


def test_columns_that_never_change_are_left_out_and_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.concatenate([POINT, np.ones((N, 2))], 1), y=LABEL)
    side = read_samples(tmp_path / "t.npz").x
    assert isinstance(side, Vectors)
    assert side.values.shape == (N, 3)
    assert "2 that never change are left out" in str(side)


class Bomb:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (Path.touch, (Path("unpickled"),))  # type: ignore[return-value]


def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("t.npz", x=LABEL, y=np.array([Bomb()] * N, dtype=object))
    np.save("t.npy", np.array([[Bomb(), Bomb()]] * N, dtype=object))
    for name in ("t.npz", "t.npy"):
        assert "never loaded" in refusal(Path(name))
    assert not Path("unpickled").exists()


def _header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_declared_sizes_are_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    for shape, body, told in (((10**12,), b"", "declares 8,000,000,000,000 bytes"), ((100,), b"\0" * 80, "declares 800 bytes")):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", _header(shape) + body)
            archive.writestr("y.npy", _header(shape) + body)
        assert told in refusal(path)


def test_damaged_archives_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, x=LABEL, y=LABEL)
    whole = path.read_bytes()
    broken = bytearray(whole)
    broken[400] ^= 255
    for content in (b"no zip", whole[:300], bytes(broken), whole[:30] + b"\xff" * 8 + whole[38:]):
        path.write_bytes(content)
        refusal(path)
    header = b"\x93NUMPY\x01\x00\x76\x00{'descr': __import__('os'), 'fortran_order': False, 'shape': (9, 2), }".ljust(127) + b"\n"
    unfinished = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9, ".ljust(127) + b"\n"
    for start in (header, unfinished):
        (tmp_path / "t.npy").write_bytes(start + b"\0" * 144)
        refusal(tmp_path / "t.npy")


def test_damage_anywhere_is_one_line_or_no_harm(tmp_path: Path) -> None:
    """Every byte of a small archive's structure flipped in turn: an InputError, or samples that can be used."""
    path = tmp_path / "t.npz"
    np.savez(path, x=LABEL[:12], y=POINT[:12, 0])
    whole = path.read_bytes()
    read = 0
    for place in itertools.chain(range(0, 200, 3), range(len(whole) - 220, len(whole), 3)):
        broken = bytearray(whole)
        broken[place] ^= 0x21
        path.write_bytes(bytes(broken))
        try:
            read += isinstance(read_samples(path), Samples)
        except InputError as error:
            assert str(error).isprintable()  # noqa: PT017
    assert read > 0


@pytest.mark.parametrize(
    ("name", "told"), [("no.csv", "no such file"), ("folder", "is a folder"), ("a.txt", "ends in .txt"), ("a", "nothing")]
)
def test_wrong_files_are_told(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "a").write_text("x")
    assert told in refusal(tmp_path / name)


def test_devices_and_impossible_names_are_told() -> None:
    assert "not a regular file" in refusal(Path("/dev/zero"))
    assert "no such file" in refusal(Path("a\0b.csv"))
    assert "no such file" in refusal(Path("x" * 5000))


def test_hostile_names_are_shown_escaped() -> None:
    assert shown("a\x1b[31m\u202eb\n") == "a\\x1b[31m\\u202eb\\n"
    assert len(shown("x" * 10_000)) < 60


def test_npy_columns_go_by_number(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", POINT)
    samples = read_samples(tmp_path / "t.npy", x="3")
    assert isinstance(samples.y, Vectors)
    np.testing.assert_array_equal(samples.y.values, POINT[:, :2])


SIDE = Symbols("x", np.array([0, 1, 1], dtype=np.int32), ("red", "blue"))


def test_a_prior_is_uniform_or_a_table(tmp_path: Path) -> None:
    np.testing.assert_array_equal(prior_for(read_prior("uniform"), SIDE), [0.5, 0.5])
    path = table(tmp_path / "p.csv", [["blue", 0.25], ["red", 0.75]])
    np.testing.assert_array_equal(prior_for(read_prior(str(path)), SIDE), [0.75, 0.25])
    whole = Symbols("x", SIDE.codes, ("1", "2"))
    path = table(tmp_path / "p.csv", [[2, 0.25], [1, 0.75]])
    np.testing.assert_array_equal(prior_for(read_prior(str(path)), whole), [0.75, 0.25])


def test_a_prior_that_was_rounded_is_divided_by_its_sum_and_that_is_said(tmp_path: Path) -> None:
    rounded = read_prior(str(table(tmp_path / "p.csv", [["red", 0.3333], ["blue", 0.6666]])))
    np.testing.assert_allclose(prior_for(rounded, SIDE), [1 / 3, 2 / 3], rtol=1e-12)
    assert prior_facts(rounded) == ("the probabilities of --prior sum to 0.9999, and are divided by that",)
    assert prior_facts({"red": 0.25, "blue": 0.75}) == prior_facts("uniform") == prior_facts(None) == ()


@pytest.mark.parametrize("cells", [["1,234", "999", "-12,000.5"], ["0,5", "1,25", "3"], ["1 234", "5"], ["1.234.567", "8"]])
def test_numbers_with_separators_are_told_and_not_taken_as_labels(tmp_path: Path, cells: list[str]) -> None:
    path = table(tmp_path / "t.csv", [[cells[row % len(cells)], "ab"[row % 2]] for row in range(60)], ["x", "y"])
    with pytest.raises(InputError, match="column 'x' holds numbers with separators"):
        read_samples(path)
    assert isinstance(read_samples(path, sorts={"x": "symbols"}).x, Symbols)


def test_labels_that_hold_commas_stay_labels(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [["1,234" if row % 2 else "many", "ab"[row % 2]] for row in range(60)], ["x", "y"])
    assert isinstance(read_samples(path).x, Symbols)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["red", 0.5], ["blue", 0.4]], "sum to 0.9"),
        ([["red", 0.5], ["blue", 0.498]], "sum to 0.998"),
        ([["red", 1.0]], "says nothing of 'blue'"),
        ([["red", 0.5], ["blue", 0.25], ["green", 0.25]], "'green' has probability 0.25 and never occurs"),
        ([["red", 1.0], ["blue", 0.0]], "takes probabilities above 0"),
        ([["red", 0.5], ["red", 0.5]], "stands there twice"),
        ([["red", "half"], ["blue", "half"]], "takes probabilities"),
    ],
)
def test_wrong_priors_are_told(tmp_path: Path, rows: list[list[object]], told: str) -> None:
    path = table(tmp_path / "p.csv", rows, ["symbol", "p"])
    with pytest.raises(InputError) as caught:
        prior_for(read_prior(str(path)), SIDE)
    assert told in str(caught.value)
    with pytest.raises(InputError, match="takes uniform"):
        read_prior(str(tmp_path / "none.csv"))


def test_progress_ends_at_the_whole_file(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [["a", 1], ["b", 2]] * 100, ["x", "y"])
    seen: list[tuple[int, int]] = []
    read_samples(path, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (path.stat().st_size,) * 2


def test_rare_whole_numbers_come_with_a_hint(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.append(LABEL[1:], 9), y=WORD)
    assert "--as x=numbers" in str(read_samples(tmp_path / "t.npz").x)
    assert "--as" not in str(read_samples(tmp_path / "t.npz").y)


def test_a_cluster_is_on_neither_side(tmp_path: Path) -> None:
    unit = np.repeat(["a", "b", "c"], 10)
    np.savez(tmp_path / "t.npz", unit=unit, x=np.arange(30) % 2, y=np.arange(30) % 3, z=np.ones((30, 2)))
    found = read_samples(tmp_path / "t.npz", x="x", y="y", cluster="unit")
    assert found.cluster is not None and found.cluster.tolist() == np.repeat([0, 1, 2], 10).tolist() and found.unit == "unit"
    assert (found.x.name, found.y.name) == ("x", "y")
    (tmp_path / "t.csv").write_text("x,document,y\n" + "".join(f"{i % 2},{i // 3},{i % 5}\n" for i in range(30)))
    table = read_samples(tmp_path / "t.csv", cluster="document")
    assert (table.x.name, table.y.name, table.rows) == ("x", "y", 30) and table.cluster is not None and table.cluster.max() == 9
    assert read_samples(tmp_path / "t.csv", x="x", cluster="2").y.name == "y"
    assert read_samples(tmp_path / "t.csv", y="x", cluster="2").x.name == "y"
    for options, words in (
        ({"cluster": "z"}, "has shape (30, 2), takes one unit a row"),
        ({"x": "unit", "y": "y", "cluster": "unit"}, "--x and --cluster both name column 'unit'"),
        ({"x": "x", "y": "y", "cluster": "x,y"}, "takes one"),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            read_samples(tmp_path / "t.npz", **{"x": "x", "y": "y", **options})
