"""Models that compute elsewhere, or in bfloat16: what goes in and comes out is on the CPU in float32.

Without an accelerator the meta device stands for one: a tensor that is made without naming a device meets a real one, and raises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from hartley.errors import InputError
from hartley.runs.plan import Plan
from hartley.targets.conversation import Message, ask
from hartley.targets.device import Placed, chosen, modules, placed

CPU = torch.device("cpu")
SIDE = 32
FAMILIES = {
    "encoder": ("BLIP retrieval", "CLAP"),
    "answerer": ("BLIP captions", "BLIP answers", "MiniGPT-4", "Flamingo", "LLaVA"),
    "listener": ("Qwen2-Audio",),
    "recognizer": ("Whisper",),
    "generator": ("Stable Diffusion",),
    "policy": ("LLaMA",),
}
NAMES = {name: family for family, names in FAMILIES.items() for name in names}
PHOTO = "a photo of my cat"


def exercised(target: Any, family: str) -> dict[str, Any]:
    """What a target of that family gives for a little of everything it takes; with the gradients of what it is shown."""
    draw = torch.Generator(device="cpu").manual_seed(0)
    pixels = torch.rand((2, 3, SIDE, SIDE), generator=draw, device="cpu").requires_grad_()
    sound = (torch.rand((2, 16_000), generator=draw, device="cpu") - 0.5).requires_grad_()
    found: dict[str, Any] = {}
    if family == "encoder":
        found["text"] = target.embed_text([PHOTO, "a dog"])
        seen = target.embed_image(pixels) if "image" in target.modalities else target.embed_audio(sound)
        found |= {"seen": seen, "slope": torch.autograd.grad(seen.sum(), pixels if "image" in target.modalities else sound)[0]}
    elif family == "answerer":
        talks = [ask("what is this")] * 2
        found["said"] = target.answer(talks, pixels[:, None].detach(), longest=3)
        likely = target.log_likelihood(talks, ["cat", "a dog"], pixels[:, None])
        found |= {"likely": likely, "slope": torch.autograd.grad(likely.sum(), pixels)[0], "features": target.image_features(pixels)}
    elif family == "listener":
        talks = [(Message("user", "what is this"),)] * 2
        found["said"] = target.answer(talks, sound.detach(), longest=3)
        likely = target.log_likelihood(talks, ["cat", "a dog"], sound)
        found |= {"likely": likely, "slope": torch.autograd.grad(likely.sum(), sound)[0]}
    elif family == "recognizer":
        found["said"] = target.transcribe(sound.detach())
        likely = target.log_likelihood(["cat", "a dog"], sound)
        found |= {"likely": likely, "slope": torch.autograd.grad(likely.sum(), sound)[0]}
    elif family == "generator":
        size = target.image_size
        shown = torch.rand((1, 3, *size), generator=draw, device="cpu").requires_grad_()
        found["drawn"] = target.generate([PHOTO], draw, steps=2).pixels
        again = target.redrawn([PHOTO], shown, draw, strength=0.05)
        found |= {"again": again, "slope": torch.autograd.grad(again.sum(), shown)[0]}
        found["loss"] = target.denoising_loss([PHOTO], shown, draw)
        words = torch.tensor([[*target.whole_words()][:3]], device="cpu")
        found["ended"] = target.embed_tokens(words)
        found["tokens"] = target.token_gradient(words[0], lambda states: states.sum(dim=1))
    else:
        found["said"] = [message.text for message in target.respond([ask("what is this", pictures=0)], (), longest=3)]
        found["likely"] = target.log_likelihood([ask("what is this", pictures=0)], [Message("assistant", "cat")], ())
    return found


@contextmanager
def nothing_unnamed() -> Iterator[None]:
    """A tensor that is made here without naming a device is on none that holds numbers."""
    before = torch.get_default_device()
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(before)


@pytest.mark.parametrize("name", NAMES)
def test_a_family_makes_no_tensor_without_naming_its_device(name: str, loaded: Callable[[str], Any]) -> None:
    target = loaded(name)
    usual = exercised(target, NAMES[name])
    with nothing_unnamed():
        again = exercised(target, NAMES[name])
    for key, value in usual.items():
        assert torch.equal(value, again[key]) if isinstance(value, torch.Tensor) else value == again[key], key


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_near_float32_and_comes_out_as_float32(name: str, loaded: Callable[[str], Any]) -> None:
    target = loaded(name)
    exact, rough = exercised(target, NAMES[name]), exercised(placed(target, CPU, "bfloat16"), NAMES[name])
    different = False
    for key, value in exact.items():
        if isinstance(value, torch.Tensor):
            assert rough[key].dtype == torch.float32 and rough[key].shape == value.shape and bool(rough[key].isfinite().all()), key
            different |= not torch.equal(rough[key], value)
            if key in ("seen", "text", "likely", "drawn", "again", "loss"):
                assert float((rough[key] - value).abs().max()) < 0.1 * max(1.0, float(value.abs().max())), key
    assert different, "nothing was computed in bfloat16"


def test_on_the_cpu_in_float32_nothing_stands_in_between(loaded: Callable[[str], Any]) -> None:
    assert placed(loaded("LLaVA"), CPU, "float32") is loaded("LLaVA")
    assert placed(None, CPU, "bfloat16") is None
    other = object()
    assert placed(other, CPU, "bfloat16") is other, "what holds no model is left alone"


def test_all_that_a_target_is_made_of_is_found(loaded: Callable[[str], Any]) -> None:
    from hartley import targets

    assert len(modules(loaded("Stable Diffusion"))) == 1
    listener: Any = targets.load("reference:listener")
    assert any(listener.bridge is module for module in modules(listener))
    assert any(listener.encoder.module is module for module in modules(listener)), "its ear as well"


def test_a_placed_target_is_of_its_family_and_has_a_fingerprint_of_its_own(loaded: Callable[[str], Any]) -> None:
    from hartley.targets.protocols import Answerer, Encoder, Generator

    target = placed(loaded("LLaVA"), CPU, "bfloat16")
    assert isinstance(target, Placed) and isinstance(target, Answerer) and not isinstance(target, Encoder)
    assert isinstance(placed(loaded("Stable Diffusion"), CPU, "bfloat16"), Generator)
    assert target.fingerprint == f"{loaded('LLaVA').fingerprint}@cpu bfloat16" and target.name == loaded("LLaVA").name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpu", "device is 'gpu'; it takes auto, cpu, cuda, cuda:N or mps"),
        ("cuda:x", "device is 'cuda:x'"),
        ("", "device is ''"),
        ("cuda:99", "device cuda:99: there are 0 CUDA devices here"),
        ("mps", "device mps: not available here"),
    ],
)
def test_a_device_that_is_not_there_is_one_line(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(InputError) as refusal:
        chosen(name)
    assert said in str(refusal.value) and "\n" not in str(refusal.value)


def test_auto_takes_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in ((1, False, "cuda"), (0, True, "mps"), (0, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda count=cuda: bool(count))
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=cuda: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert chosen("auto").type == expected


@pytest.mark.parametrize(("field", "value"), [("device", "gpu"), ("device", 3), ("device", "cuda:"), ("dtype", "float64"), ("dtype", "")])
def test_a_plan_takes_no_other_device_or_precision(field: str, value: Any) -> None:
    with pytest.raises(InputError):
        Plan(("sga",), **{field: value})


def test_a_plan_of_before_is_the_same_plan_and_another_device_another() -> None:
    assert "device" not in Plan(("sga",)).to_toml()
    other = Plan(("sga",), device="cuda:1", dtype="bfloat16")
    assert Plan.from_toml(other.to_toml()) == other
    assert set(Plan(("sga",)).differs(other)) == {"device", "dtype"}
