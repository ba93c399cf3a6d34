import pytest

from hartley.errors import InputError
from hartley.runs.resolve import KINDS, check_data, check_names, check_target, levels, server


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reference:encodr", "unknown target 'reference:encodr'; nearest: reference:encoder"),
        ("clip", "unknown target 'clip'"),
        ("hf:", "no such folder"),
        ("hf:/no/such/folder", "no such folder"),
        ("reference:recognizer", "'reference:recognizer' loads, but nothing attacks it alone; a scan takes reference, reference:encoder"),
        ("minilm", "loads, but nothing attacks it alone"),
        ("refrence", "nearest: reference"),
        ("openai", "nearest: openai:MODEL@URL"),
        ("openai:", "lacks its model; it takes openai:MODEL@URL"),
        ("openai:m@ftp://x", "openai:MODEL@URL"),
        ("openai:gpt-4", "no key for api.openai.com: set OPENAI_API_KEY"),
        ("", "unknown target"),
        ("\0", "unknown target"),
        ("hf:\0", "no such folder"),
    ],
)
def test_a_target_that_is_not_there_is_one_line(name, words, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("HARTLEY_API_KEY", raising=False)
    with pytest.raises(InputError, match=words):
        check_target(name)


def test_a_folder_named_without_its_form_is_explained(tmp_path):
    with pytest.raises(InputError, match="a local model folder is named as hf:PATH"):
        check_target(str(tmp_path))
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_target(f"hf:{tmp_path / 'x'}")
    check_target(f"hf:{tmp_path}")
    check_target("reference:encoder")


def test_data_that_is_not_there_is_one_line(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "file.csv").write_text("")
    with pytest.raises(InputError, match=r"no such folder.*nearest: .*pictures"):
        check_data(str(tmp_path / "picturs"))
    with pytest.raises(InputError, match="nearest: reference"):
        check_data("referense")
    with pytest.raises(InputError, match="is a file"):
        check_data(str(tmp_path / "file.csv"))
    with pytest.raises(InputError, match="no such folder"):
        check_data("\0")
    check_data("reference")
    check_data(str(tmp_path / "pictures"))


def test_each_target_has_its_levels(tmp_path):
    (tmp_path / "clip").mkdir()
    (tmp_path / "llama").mkdir()
    (tmp_path / "clip" / "config.json").write_text('{"model_type": "clip"}')
    (tmp_path / "llama" / "config.json").write_text('{"model_type": "llama"}')
    expected = {
        "reference": {"model", "system"},
        "reference:encoder": {"model"},
        "reference:encoder-b": {"model"},
        "reference:agent": {"system"},
        f"hf:{tmp_path / 'clip'}": {"model"},
        f"hf:{tmp_path / 'llama'}": {"system"},
        f"hf:{tmp_path}": {"model"},
        "openai:m@http://127.0.0.1:1/v1": {"system"},
    }
    assert {name: set(levels(name)) for name in expected} == expected
    assert {kind.form for kind in KINDS.values()} >= {"reference", "hf:PATH", "openai:MODEL@URL"}


@pytest.mark.parametrize("config", ["", "[]", "[" * 50_000, '{"model_type": 3}', "{}"])
def test_a_folder_that_says_nothing_of_its_kind_is_left_to_the_loader(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    assert levels(f"hf:{tmp_path}") == {"model"}


def test_a_system_takes_no_data_of_its_own(tmp_path):
    with pytest.raises(InputError, match="measured in its own world"):
        check_names("reference:agent", str(tmp_path))
    check_names("reference:agent", "reference")
    check_names("reference:encoder", str(tmp_path))
    check_names("reference", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("openai:m+1@http://127.0.0.1:9/v1", "openai:m+1@http://127.0.0.1:9/v1"),
        ("agentdojo:slack+openai:m+1@http://127.0.0.1:9/v1", "openai:m+1@http://127.0.0.1:9/v1"),
        ("agentdojo:slack", ""),
        ("agentdojo:slack+oracle", ""),
        ("agentdojo:slack+reference:agent", ""),
        ("reference", ""),
        ("hf:a+openai:b", ""),
    ],
)
def test_what_a_target_asks_a_server_for(name, asked):
    assert server(name) == asked
