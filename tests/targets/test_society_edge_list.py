"""The user's edge list: three ways to separate columns, and one line for whatever is wrong with it."""

import os
import time

import pytest

from hartley.errors import InputError
from hartley.targets.society.edge_list import read_edges


def arcs_by_name(graph):
    return {(graph.names[a], graph.names[b]) for a, b in zip(*graph.ends(), strict=True)}


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "edges.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    "text",
    ["ann,bob\nbob,cy\n", "ann\tbob\nbob\tcy", "ann  bob\r\nbob cy\r\n", "\ufeffSource,Target\n# who\n\nann, bob\nbob,cy\nbob,ann\n"],
)
def test_commas_tabs_and_blanks(written, text):
    graph = read_edges(written(text))
    assert graph.names == ("ann", "bob", "cy") and not graph.directed and graph.shares is None
    assert arcs_by_name(graph) == {("ann", "bob"), ("bob", "ann"), ("bob", "cy"), ("cy", "bob")}


def test_directed_named_and_with_shares(written):
    graph = read_edges(written('from,to,share\n"b, the second",a,0.25\nc,a,1\n'), nodes=["a", "b, the second", "c", "alone"], directed=True)
    assert graph.nodes == 4 and graph.directed
    assert arcs_by_name(graph) == {("b, the second", "a"), ("c", "a")}
    assert graph.shares.tolist() == [0.25, 1.0]
    both = read_edges(written("a b .5\nb a .5\nb c .1"))
    assert both.shares.tolist() == [0.5, 0.5, 0.1, 0.1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no edges"),
        ("# nothing\n\n", "no edges"),
        ("source,target\n", "no edges"),
        ("a,b\nc\n", "line 2: 1 column, takes two names"),
        ("a,b,0.5,x\n", "line 1: 4 columns"),
        ("a,b,0.5\nb,c\n", "line 2: 2 columns, but 3 before"),
        ("a,b\n\nc,c\n", "line 3: 'c' is joined to itself"),
        ("a,b\n,c\n", "line 2: an empty name"),
        ("a,b,high\n", "line 1: share 'high', takes a number from 0 to 1"),
        ("a,b,nan\n", "share 'nan'"),
        ("a,b,1.5\n", "share '1.5'"),
        ("a,b,.5\nb,a,.6\n", "line 2: 'b' and 'a' have share 0.6, but 0.5 on line 1"),
        ('a,"b\n', "line 1: no CSV"),
        (b"a,\xff\n", "is not UTF-8 text"),
        (b"a,b\0\n", "no text: it holds null bytes"),
    ],
)
def test_refusals_name_the_line(written, text, says):
    with pytest.raises(InputError, match=says) as caught:
        read_edges(written(text))
    assert "\n" not in str(caught.value) and "edges.csv" in str(caught.value)


def test_unknown_and_repeated_names_and_missing_files(written, tmp_path):
    with pytest.raises(InputError, match=r"line 2: unknown node 'bib'; nearest: bob"):
        read_edges(written("ann,bob\nann,bib\n"), nodes=["ann", "bob"])
    with pytest.raises(InputError, match="'ann' is there twice"):
        read_edges(written("ann,bob\n"), nodes=["ann", "ann"])
    with pytest.raises(InputError, match="no such file"):
        read_edges(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is no regular file"):
        read_edges(tmp_path)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", "/dev/zero", "a\0b"):
        with pytest.raises(InputError, match=r"is no regular file|cannot be read"):
            read_edges(path)


def test_a_file_too_large_is_told_before_it_is_read(tmp_path):
    with (tmp_path / "edges.csv").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(InputError, match="holds 2,147,483,648 bytes; up to 1,073,741,824"):
        read_edges(tmp_path / "edges.csv")


@pytest.mark.parametrize("line", ["{0},{0}\n", "a,b,{0}\n", "a,b,.5\n", "{0},b\n", '"{0}\n'])
def test_a_hostile_name_makes_no_long_or_colored_message(written, line):
    """A name of a megabyte with codes for a terminal in it."""
    name = "\x1b[31m\u202e" * 125_000
    text = "a,b,.6\n" + line if line == "a,b,.5\n" else line.format(name)
    with pytest.raises(InputError) as caught:
        read_edges(written(text), nodes=["a", "b"])
    assert len(str(caught.value)) < 500 and str(caught.value).isprintable()


def test_many_edges_are_read_in_seconds(written):
    text = "\n".join(f"agent {i % 9973},agent {i // 9973 + 9973}" for i in range(300_000))
    begun = time.process_time()
    graph = read_edges(written(text))
    assert graph.arcs == 600_000 and time.process_time() - begun < 15
