"""The reference answerer's folder: fp16 weights, configuration and tokenizer as transformers lays them out."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hartley.targets.clip import Normalize, no_bar
from hartley.targets.llava import LlavaAnswerer, plain_ids
from hartley.targets.reference.answerer.architecture import renderer
from hartley.targets.reference.encoder.architecture import PIXEL_MEAN, PIXEL_STD
from hartley.targets.reference.saving import save_half, write_json
from hartley.targets.reference.scenes import SIZE

DECIDING = ("config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")
TIED = ("lm_head.weight",)
"""The head is the embedding once more; transformers ties them when it loads."""


def write_weights(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write the folder that `read_folder` reads, and that transformers loads as any LLaVA; nothing is pickled."""
    folder.mkdir(parents=True, exist_ok=True)
    save_half(model, folder / "model.safetensors", skip=TIED)
    model.config.architectures = ["LlavaForConditionalGeneration"]
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    side = {"height": SIZE, "width": SIZE}
    settings = {
        **{"image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": SIZE}, "resample": 3},
        **{"do_center_crop": True, "crop_size": side, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True},
        **{"image_mean": PIXEL_MEAN, "image_std": PIXEL_STD, "do_convert_rgb": True},
    }
    write_json(folder / "preprocessor_config.json", settings)


def read_folder(folder: Path, *, name: str) -> LlavaAnswerer:
    """The answerer in a folder that is known to be sound, from safetensors alone, in float32."""
    from transformers import AutoTokenizer, LlavaForConditionalGeneration

    with no_bar():
        model: Any = LlavaForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, attn_implementation="sdpa"
        )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    digest = hashlib.sha256()
    for file in DECIDING:
        digest.update(file.encode() + b"\0" + hashlib.sha256((folder / file).read_bytes()).digest())
    return assemble(model, tokenizer, name=name, fingerprint=digest.hexdigest())


def assemble(model: Any, tokenizer: Any, *, name: str, fingerprint: str) -> LlavaAnswerer:
    """The adapter around a reference answerer's parts."""
    return LlavaAnswerer(
        name=name,
        model=model,
        tokenizer=tokenizer,
        preprocess=Normalize(PIXEL_MEAN, PIXEL_STD, (SIZE, SIZE)),
        render=renderer(partial(plain_ids, tokenizer)),
        image_size=(SIZE, SIZE),
        fingerprint=fingerprint,
    )
