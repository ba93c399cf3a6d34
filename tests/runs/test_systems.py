"""Systems by the target's name: what stands around a policy, and in whose words it is spoken to."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from hartley.errors import InputError
from hartley.runs import resolve, systems
from hartley.runs.allowance import Allowance
from hartley.targets.memory.lexical import Lexical

SERVER = "openai:{}@http://127.0.0.1:9/v1"


@pytest.fixture
def folders() -> Any:
    path = Path(__file__).parents[1] / "targets" / "folders" / "conftest.py"
    spec = importlib.util.spec_from_file_location("model_folders", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_server_is_spoken_to_in_english_but_for_our_own_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hartley.targets.embedder.load_minilm", lambda: "minilm")
    monkeypatch.setattr(systems, "find_spec", lambda _: object())
    foreign, asked = systems.endpoint(SERVER.format("m"), Allowance(concurrency=2, timeout_seconds=5.0, server_sampling=True))
    assert not foreign.reference and foreign.embedder == "minilm" and foreign.answerer is None and foreign.encoder is None
    settings = asked.settings
    assert (settings.concurrency, settings.total, settings.read, settings.temperature, settings.seed) == (2, 5.0, 5.0, None, None)
    own, _ = systems.endpoint(SERVER.format("reference:agent"), Allowance())
    assert own.reference and isinstance(own.embedder, Lexical)
    monkeypatch.setattr(systems, "find_spec", lambda _: None)
    assert isinstance(systems.embedder(), Lexical)


def test_sampling_is_part_of_what_was_measured_and_speed_is_not() -> None:
    def fingerprint(**allowed: Any) -> str:
        return systems.endpoint(SERVER.format("reference:agent"), Allowance(**allowed))[0].fingerprint

    assert fingerprint() == fingerprint(concurrency=9, timeout_seconds=1.0, max_requests=3)
    assert len({fingerprint(), fingerprint(server_sampling=True), fingerprint(longest_answer=9)}) == 3


def test_a_server_loads_without_being_asked() -> None:
    loaded = resolve.load(SERVER.format("reference:agent"), "reference", allowance=Allowance())
    assert loaded.target is None and loaded.data is None and loaded.system is not None and loaded.endpoint is not None
    assert any("reference world's words" in note for note in loaded.notes)


def test_a_folder_of_a_language_model_is_a_system(folders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "find_spec", lambda _: None)
    (tmp_path / "llama").mkdir()
    folders.llama(tmp_path / "llama")
    loaded = resolve.load(f"hf:{tmp_path / 'llama'}", "reference")
    assert loaded.target is None and loaded.system is not None and not loaded.system.reference
    assert loaded.notes == ("its memory finds entries with lexical",)


def test_a_folder_of_another_kind_is_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hartley.targets.load", lambda _: object())
    with pytest.raises(InputError, match="holds no policy"):
        systems.folder("hf:somewhere")


@pytest.mark.slow
def test_the_reference_target_is_a_model_and_the_system_around_it() -> None:
    loaded = resolve.load("reference", "reference")
    system = loaded.system
    assert system is not None and loaded.target is system.encoder and loaded.data is not None
    assert system.reference and system.answerer is not None and {"grad", "text"} <= system.capabilities
    alone = resolve.load("reference:agent", "reference")
    assert alone.system is not None and alone.target is None and alone.system.encoder is None
    assert alone.system.policy.fingerprint == system.policy.fingerprint
