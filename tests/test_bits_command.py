"""`hartley bits`: what it prints, what it refuses, what it needs and how much of it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hartley.cli import main

N = 500
RNG = np.random.default_rng(0)
SENT = RNG.integers(0, 4, N)
GOT = np.where(RNG.random(N) < 0.2, RNG.integers(0, 4, N), SENT)


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    path = tmp_path / "samples.npz"
    np.savez(path, x=SENT, y=GOT, z=SENT[:, None] + RNG.standard_normal((N, 3)), w=RNG.standard_normal(N))
    return path


def run(*arguments: object, **more: object) -> Result:
    return CliRunner().invoke(main, ["bits", *map(str, arguments)], **more)  # type: ignore[arg-type]


def refused(*arguments: object) -> str:
    """The one line on standard error of a command that must end with code 2 and print nothing."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("hartley: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr[:-1].isprintable()
    return result.stderr


def test_a_line_for_each_statement(arrays: Path) -> None:
    result = run(arrays)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].endswith("samples.npz: 500 rows")
    assert lines[1:3] == ["x: 4 symbols, from whole numbers", "y: 4 symbols, from whole numbers"]
    assert re.match(r"x carries 1\.\d{3} bits \[\d\.\d{3}, \d\.\d{3}\] about y per use, of ", lines[3])
    assert len(lines) == 6
    assert result.stderr == ""


def test_lines_are_folded_to_the_terminal(arrays: Path) -> None:
    lines = run(arrays, "--y", "y", env={"COLUMNS": "60"}).stdout.splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.startswith("  ") for line in lines)


def test_json_carries_every_part(arrays: Path) -> None:
    record = json.loads(run(arrays, "--json", "--seed", 3).stdout)
    assert (record["rows"], record["measured_rows"], record["seed"]) == (N, N, 3)
    first = record["statements"][0]
    assert set(first) == {"words", "kind", "value", "low", "high", "n", "estimator", "trusted", "why", "checks"}
    assert first["low"] <= first["value"] <= first["high"]
    assert record == json.loads(run(arrays, "--json", "--seed", 3).stdout)


def test_vectors_beside_labels_and_numbers_beside_numbers(arrays: Path) -> None:
    embedding = json.loads(run(arrays, "--x", "z", "--y", "y", "--json").stdout)
    assert [one["kind"] for one in embedding["statements"]] == ["embedding_bits", "certified_bits", "c_g_bits"]
    numbers = json.loads(run(arrays, "--x", "z", "--y", "w", "--json").stdout)
    assert [one["kind"] for one in numbers["statements"]] == ["information_bits"]
    told = json.loads(run(arrays, "--x", "x", "--y", "y", "--as", "x=numbers", "--json").stdout)
    assert told["statements"][0]["kind"] == "embedding_bits"


def test_standard_input_is_a_table(arrays: Path) -> None:
    for separator in (",", "\t"):
        table = "".join(f"{a}{separator}{b}\n" for a, b in zip(SENT, GOT, strict=True))
        result = run("-", input=f"sent{separator}got\n{table}")
        assert result.stdout.startswith("standard input: 500 rows\nx is sent: 4 symbols")
        assert "sent carries 1." in result.stdout


def test_a_prior_from_a_file(arrays: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("".join(f"{k},0.25\n" for k in range(4)))
    uniform, table = (
        json.loads(run(arrays, "--x", "x", "--y", "y", "--json", "--prior", p).stdout) for p in ("uniform", tmp_path / "p.csv")
    )
    assert uniform == table
    assert uniform != json.loads(run(arrays, "--x", "x", "--y", "y", "--json").stdout)


def test_wrong_use_is_one_line(arrays: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "short.npz", x=SENT, y=GOT[1:])
    assert "x 500, y 499 rows" in refused(tmp_path / "short.npz")
    assert "no such file" in refused(tmp_path / "none.csv")
    assert "is a folder" in refused(tmp_path)
    assert "nearest" in refused(arrays, "--x", "xx")
    assert "both name column 'x'" in refused(arrays, "--x", "x", "--y", "x")
    assert "takes symbols or numbers" in refused(arrays, "--as", "labels")
    assert "takes symbols or numbers" in refused(arrays, "--as", "z=symbols")
    assert "--as is empty" in refused(arrays, "--as", "")
    assert "takes uniform" in refused(arrays, "--prior", "unifrom")
    assert "both x and y are numbers" in refused(arrays, "--x", "z", "--y", "w", "--prior", "uniform")
    assert "--rows" in refused(arrays, "--rows", "5")
    assert "Missing argument 'FILE'" in refused()
    assert "--no-such" in refused(arrays, "--no-such")
    assert "\\x1b" in refused(tmp_path / "\x1b[31mred.csv")


def test_hostile_text_is_shown_escaped(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\x1b[31mx,\u202ey\n" + "".join(f"a{i % 2}\x07,b{i % 2}\n" for i in range(100)))
    result = run(path)
    assert result.exit_code == 0
    assert all(line.isprintable() for line in result.stdout.splitlines())
    assert "\\x1b[31mx carries" in result.stdout


def test_it_needs_no_torch(arrays: Path) -> None:
    code = (
        "import sys\n"
        "DENIED = {'torch', 'transformers', 'PIL', 'jinja2', 'tqdm', 'soundfile', 'safetensors', 'markupsafe', 'pandas', 'matplotlib'}\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in DENIED:\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from hartley.cli import main; main()"
    )
    for more in ([], ["--x", "z", "--y", "y"], ["--x", "z", "--y", "w"]):
        done = subprocess.run([sys.executable, "-c", code, "bits", str(arrays), *more], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert " carries " in done.stdout


def test_progress_on_a_terminal_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(SENT, GOT, strict=True)))
    code = f"import hartley.bits_command as c; c._SHOW_FROM_BYTES = 1; from hartley.cli import main; main(['bits', {str(path)!r}])"
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=follower, env={**os.environ, "TERM": "xterm"}
    ) as child:
        os.close(follower)
        assert child.stdout is not None
        printed = child.stdout.read().decode()
    seen = io.BytesIO()
    try:
        while chunk := os.read(leader, 65536):
            seen.write(chunk)
    except OSError:  # the far end is closed: Linux says so with EIO
        pass
    os.close(leader)
    assert "reading" in seen.getvalue().decode()
    assert "measuring capacity" in seen.getvalue().decode()
    assert "reading" not in printed and "measuring" not in printed


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [False, True])
def test_ten_million_rows_fit(tmp_path: Path, numbers: bool) -> None:
    """10^7 rows of two columns: under 2 GiB, and the answer is right."""
    n, path = 10_000_000, tmp_path / "big.csv"
    generator = np.random.default_rng(0)
    with path.open("w") as stream:
        stream.write("x,y\n")
        for _ in range(10):
            if numbers:
                x = generator.standard_normal(n // 10)
                y = 0.8 * x + 0.6 * generator.standard_normal(n // 10)
                stream.writelines(f"{a:.6f},{b:.6f}\n" for a, b in zip(x.tolist(), y.tolist(), strict=True))
            else:
                sent = generator.integers(0, 2, n // 10)
                got = sent ^ (generator.random(n // 10) < 0.11)
                stream.writelines(f"{a},{b}\n" for a, b in zip(sent.tolist(), got.tolist(), strict=True))
    code = "from hartley.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "bits", str(path), "--json"], capture_output=True, text=True, check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    record = json.loads(done.stdout)
    first = record["statements"][0]
    truth = -0.5 * np.log2(1 - 0.8**2) if numbers else 0.50008
    assert record["rows"] == n
    assert first["low"] <= truth <= first["high"]
    assert peak < 2, f"{peak:.2f} GiB"


def _rows(path: Path, header: str, *columns: np.ndarray) -> Path:
    lines = [",".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def test_audit_3_clusters_are_named_by_a_column(tmp_path: Path) -> None:
    """40 documents of 25 rows that share both symbols, truth 0: taken for 1,000 trials they say that there is a channel."""
    generator = np.random.default_rng(6)
    unit = np.repeat(np.arange(40), 25)
    x, y = (np.where(generator.random(1000) < 0.9, generator.integers(0, 3, 40)[unit], generator.integers(0, 3, 1000)) for _ in "xy")
    shuffled = generator.permutation(1000)
    path = _rows(tmp_path / "t.csv", "document,x,y", *(column[shuffled] for column in (unit, x, y)))
    naive = json.loads(run(path, "--x", "x", "--y", "y", "--json").stdout)
    assert naive["statements"][0]["low"] > 0
    record = json.loads(run(path, "--cluster", "document", "--json").stdout)
    assert record["facts"][-1] == "the rows come from 40 independent units (document)"
    information, capacity, leakage = record["statements"]
    assert information["low"] == capacity["low"] == leakage["low"] == 0
    assert information["clusters"] == capacity["clusters"] == leakage["clusters"] == 40 and leakage["n"] == 40
    assert information["design_effect"] > 5
    numbers = json.loads(run(path, "--cluster", "document", "--x", "x", "--as", "x=numbers", "--json").stdout)
    assert numbers["measured_rows"] == 40 and all(one["low"] in (0, None) for one in numbers["statements"])
    for wrong, told in (("nowhere", "--cluster"), ("document,x", "takes one"), ("x", "--x and --cluster both name column 'x'")):
        assert told in refused(path, "--x", "x", "--y", "y", "--cluster", wrong)


def test_audit_3_a_file_of_rows_that_follow_each_other_is_refused_its_numbers(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    walks = np.cumsum(generator.standard_normal((2, 300)), axis=1).round(3)
    path = _rows(tmp_path / "t.csv", "x,y", *walks)
    result = run(path)
    assert "warning: the rows are not trials of their own: x follows itself from row to row" in result.stdout
    assert "at a distance of 1) beyond what y explains" in result.stdout and "name what they belong to with --cluster" in result.stdout
    assert all(one["low"] is None and one["value"] is None for one in json.loads(run(path, "--json").stdout)["statements"])


def test_audit_11_a_score_beside_two_labels_is_read_as_membership(tmp_path: Path) -> None:
    """The mixture said "at most 1.000", as the score is not Gaussian."""
    generator = np.random.default_rng(2)
    member = generator.integers(0, 2, 2000)
    score = np.exp(1.5 * generator.standard_normal(2000) + 0.9 * member)
    path = _rows(tmp_path / "t.csv", "score,member", score, np.where(member == 1, "in", "out"))
    said = {one["words"].split(";")[0]: one for one in json.loads(run(path, "--json").stdout)["statements"]}
    parts = next(one for words, one in said.items() if "ten equal parts" in words)
    threshold = next(one for words, one in said.items() if "(membership)" in words)
    assert 0.02 < parts["low"] < parts["value"] < parts["high"] < 0.15
    assert 0.02 < threshold["value"] < 0.12 and threshold["low"] > 0
    first = next(iter(said))
    assert first.startswith("score carries 0.0") and "about member" in first
    assert any(words.startswith("a threshold on score gives away 0.0") and "is in or out" in words for words in said)
    mixture = next(one for one in said.values() if one["kind"] == "embedding_bits")
    assert mixture["value"] is None


def test_effective_dimension_stands_with_c_g(arrays: Path) -> None:
    line = next(
        one["words"] for one in json.loads(run(arrays, "--x", "z", "--y", "y", "--json").stdout)["statements"] if "C_G" in one["words"]
    )
    assert "; effective dimension " in line


def test_audit_3_one_cluster_is_the_reason_wherever_there_are_no_limits(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("x,y,c\n" + "".join(f"{row % 2},{row // 7 % 3},1\n" for row in range(60)))
    said = json.loads(run(path, "--x", "x", "--y", "y", "--cluster", "c", "--json").stdout)
    whys = [one["why"] for one in said["statements"]]
    assert len(whys) == 3 and all("one cluster" in why for why in whys)
