"""The reference listener's folder: fp16 weights of bridge and language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hartley.targets.clip import no_bar
from hartley.targets.reference.listener.architecture import Mouth
from hartley.targets.reference.saving import save_half
from hartley.targets.spoken import Bridge

BRIDGE = "bridge.safetensors"


def write_weights(folder: Path, mouth: Mouth, tokenizer: Any) -> None:
    """Write the language model as transformers lays it out, its tokenizer, and the bridge. The encoder is not stored again."""
    folder.mkdir(parents=True, exist_ok=True)
    save_half(mouth.language, folder / "model.safetensors", skip=("lm_head.weight",))  # tied to the embeddings
    save_half(mouth.bridge, folder / BRIDGE)
    mouth.language.config.architectures = ["LlamaForCausalLM"]
    mouth.language.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def read_weights(folder: Path) -> tuple[Bridge, Any, Any]:
    """Bridge, language model and tokenizer of a folder that is known to be sound, in float32, without network."""
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, LlamaForCausalLM

    with no_bar():
        language = LlamaForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, attn_implementation="sdpa"
        )
    weights = {name: value.float() for name, value in load_file(folder / BRIDGE).items()}
    outputs, inputs = weights["projection.weight"].shape
    width = language.config.hidden_size
    bridge = Bridge(inputs, width, outputs // width)
    bridge.load_state_dict(weights)
    return bridge, language, AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
