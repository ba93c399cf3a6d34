"""The ten example models of the taxonomy: what runs in place of each, which folders of it load, and what does not work.

Plain text and names alone, so that `hartley models` imports nothing heavy; tests hold the names against what loads.
"""

from __future__ import annotations

from dataclasses import dataclass

WHITE = ("grad", "hidden", "logprob", "text")
"""Capabilities of an answerer or listener in a local folder."""


@dataclass(frozen=True)
class Support:
    """What works of one example model.

    model         its id in the catalog.
    reference     names of the reference targets that stand in for it.
    kinds         model types (or the pipeline) of `registry.ARCHITECTURES` that hf: takes for it.
    classes       the classes among them that are this model.
    capabilities  of the loaded folder: grad, hidden, logprob, score, text, train.
    endpoint      what is to be said of its endpoint; "" where there is none.
    lacks         what does not work.
    """

    model: str
    reference: tuple[str, ...]
    kinds: tuple[str, ...]
    classes: tuple[str, ...]
    capabilities: tuple[str, ...]
    endpoint: str
    lacks: str


TEN = (
    Support(
        "clip",
        ("reference:encoder",),
        ("clip",),
        ("CLIPModel",),
        ("grad", "score", "train"),
        "",
        "open_clip's layout, unless it is converted to transformers' first",
    ),
    Support(
        "audioclip",
        ("reference:encoder",),
        ("clip", "clap"),
        ("CLIPModel", "ClapModel"),
        ("grad", "score"),
        "",
        "AudioCLIP's own checkpoint has no maintained class: a CLIP folder with audio/ in the reference encoder's layout hears "
        "and sees in one space, a CLAP folder hears and reads",
    ),
    Support(
        "dall-e",
        ("reference:generator",),
        (),
        (),
        (),
        "",
        "no weights are public, and no endpoint that makes pictures is asked; the pipelines of its successors in diffusers (unCLIP, "
        "Kandinsky) are not loaded",
    ),
    Support(
        "stable-diffusion",
        ("reference:generator",),
        ("StableDiffusionPipeline",),
        ("StableDiffusionPipeline",),
        ("grad", "hidden", "train"),
        "",
        "SDXL, SD 3, Flux, networks made for in-painting alone; every folder is drawn from with DDIM",
    ),
    Support(
        "flamingo",
        ("reference:answerer",),
        ("idefics",),
        ("IdeficsForVisionText2Text",),
        WHITE,
        "",
        "Flamingo's own weights are not public; Idefics is the open reproduction; Idefics2, Idefics3 and SmolVLM are not loaded",
    ),
    Support(
        "blip",
        ("reference:answerer", "reference:encoder"),
        ("blip",),
        ("BlipForConditionalGeneration", "BlipForQuestionAnswering", "BlipForImageTextRetrieval"),
        WHITE,
        "",
        "several pictures, dialogue (a retrieval folder is an encoder: grad, score)",
    ),
    Support(
        "llava",
        ("reference:answerer",),
        ("llava",),
        ("LlavaForConditionalGeneration",),
        WHITE,
        "",
        "text models other than LLaMA, vision towers other than CLIP's; LLaVA-NeXT and OneVision",
    ),
    Support(
        "gpt-4", ("reference:answerer",), (), (), (), "openai:MODEL as the policy of agents", "gradients and weights: it can only be asked"
    ),
    Support(
        "minigpt-4",
        ("reference:answerer",),
        ("blip-2",),
        ("Blip2ForConditionalGeneration",),
        WHITE,
        "",
        "the authors' pickled linear layer alone; text models other than LLaMA; InstructBLIP",
    ),
    Support(
        "pandagpt",
        ("reference:listener",),
        ("qwen2_audio",),
        ("Qwen2AudioForConditionalGeneration",),
        WHITE,
        "",
        "PandaGPT's own checkpoint has no maintained class; Qwen2-Audio is the nearest that has one",
    ),
)
