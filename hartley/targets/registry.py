"""The one way to get a target: `load` takes its name. This module imports nothing heavy until it loads.

reference:NAME   a small trained model that ships with the package, one for every kind of target.
hf:PATH          a local folder as transformers or diffusers saves it.
openai:MODEL@URL a model behind an OpenAI-compatible server, as a policy; openai:MODEL on OpenAI's own server.
minilm           a real sentence embedder, from the extra `memory`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from hartley.errors import InputError, unknown

if TYPE_CHECKING:
    from hartley.targets.protocols import Target

REFERENCE, FOLDER, ENDPOINT, MINILM = "reference:", "hf:", "openai:", "minilm"


@dataclass(frozen=True)
class Architecture:
    """A kind of model folder that hf: takes.

    kind      model_type in config.json, or the pipeline's class in model_index.json.
    classes   the classes that `architectures` may name.
    family    the protocol that it satisfies, in lower case.
    """

    kind: str
    classes: tuple[str, ...]
    family: str


ARCHITECTURES = (
    Architecture("clip", ("CLIPModel",), "encoder"),
    Architecture("clap", ("ClapModel",), "encoder"),
    Architecture("blip", ("BlipForConditionalGeneration", "BlipForQuestionAnswering"), "answerer"),
    Architecture("blip", ("BlipForImageTextRetrieval",), "encoder"),
    Architecture("blip-2", ("Blip2ForConditionalGeneration",), "answerer"),
    Architecture("idefics", ("IdeficsForVisionText2Text",), "answerer"),
    Architecture("llava", ("LlavaForConditionalGeneration",), "answerer"),
    Architecture("whisper", ("WhisperForConditionalGeneration",), "recognizer"),
    Architecture("qwen2_audio", ("Qwen2AudioForConditionalGeneration",), "listener"),
    Architecture("llama", ("LlamaForCausalLM",), "policy"),
    Architecture("StableDiffusionPipeline", ("AutoencoderKL", "UNet2DConditionModel", "CLIPTextModel"), "generator"),
)


SIBLINGS = {"encoder-b": "encoder", "answerer-b": "answerer"}
"""Members of another seed and another shape, and the elder that each one shares its code with: victims and surrogates of a transfer."""


def _member(name: str) -> Callable[[], Target]:
    """What loads a model of the reference family."""

    def load_member() -> Target:
        from hartley.targets.huggingface.offline import quiet_and_offline

        with quiet_and_offline():
            module = import_module(f"hartley.targets.reference.{SIBLINGS.get(name, name)}")
            target: Target = module.load(member=name) if name in SIBLINGS else module.load()
        return target

    return load_member


def _embedder() -> Target:
    from hartley.targets import embedder
    from hartley.targets.huggingface.offline import quiet_and_offline

    with quiet_and_offline():
        return embedder.load_reference()


def _minilm() -> Target:
    from hartley.targets import embedder

    return embedder.load_minilm()


MEMBERS = ("encoder", "answerer", "generator", "recognizer", "listener", "agent", "encoder-b", "answerer-b")
"""The models of the reference family that ship with weights of their own."""

NAMED: dict[str, Callable[[], Target]] = {
    **{f"{REFERENCE}{name}": _member(name) for name in MEMBERS},
    f"{REFERENCE}embedder": _embedder,
    MINILM: _minilm,
}


def load(name: str) -> Target:
    """The target of that name, ready to be used: frozen, in evaluation mode, in float32 on the CPU.

    name    one of `NAMED`, hf:PATH for a local folder of one of `ARCHITECTURES`, or openai:MODEL@URL, of which nothing is asked
            yet; `hartley.targets.endpoint.client` has it as an answerer and as an embedder too, with a budget and a cache.
    Raises InputError, in one line, for an unknown name (with the nearest ones), for weights or an extra that are not
    there, for a key that is missing, and for a folder that cannot be used.
    """
    if name in NAMED:
        return NAMED[name]()
    if name.startswith(FOLDER):
        if name == FOLDER:
            raise InputError("target 'hf:' names no folder; hf:PATH takes a local model folder")
        from hartley.targets.huggingface.folders import load_folder

        return load_folder(name.removeprefix(FOLDER))
    if name.startswith(ENDPOINT):
        from hartley.targets.endpoint.client import EndpointPolicy
        from hartley.targets.endpoint.endpoint import Endpoint

        return EndpointPolicy(Endpoint(name))
    raise unknown("target", name, [*NAMED, "hf:PATH", "openai:MODEL@URL"])
