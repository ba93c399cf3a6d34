"""The reference generator's folder: fp16 weights laid out as a diffusers pipeline, and beside it the checker and the judge."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from hartley.errors import InputError
from hartley.targets.diffusion import StableDiffusion
from hartley.targets.reference import encoder
from hartley.targets.reference.generator.architecture import GUIDANCE, STEPS, Judge
from hartley.targets.reference.generator.checker import Concepts, build_checker
from hartley.targets.reference.saving import save_half, write_json

DIFFUSERS_WEIGHTS = "diffusion_pytorch_model.safetensors"
INDEX: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def write_weights(folder: Path, generator: StableDiffusion, judge: Judge, concepts: Concepts) -> None:
    """Write every part with its settings; nothing is pickled. checker/ holds the concepts alone: the picture tower is the
    reference encoder's."""
    from safetensors.torch import save_file

    parts: Any = generator.module
    for name in ("vae", "unet", "text_encoder", "tokenizer", "scheduler", "checker", "judge"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    save_half(parts.vae, folder / "vae" / DIFFUSERS_WEIGHTS)
    save_half(parts.unet, folder / "unet" / DIFFUSERS_WEIGHTS)
    save_half(parts.text_encoder, folder / "text_encoder" / "model.safetensors")
    save_half(judge, folder / "judge" / "model.safetensors")
    for name in ("vae", "unet"):
        settings = dict(getattr(parts, name).config)
        write_json(folder / name / "config.json", {"_class_name": INDEX[name][1], **_plain(settings)})
    parts.text_encoder.config.architectures = ["CLIPTextModel"]
    parts.text_encoder.config.save_pretrained(folder / "text_encoder")
    generator.tokenizer.save_pretrained(folder / "tokenizer")
    settings = _plain(dict(generator.scheduler.config))
    write_json(folder / "scheduler" / "scheduler_config.json", {"_class_name": "DDIMScheduler", **settings})
    tensors = {"concept_embeds": concepts.embeddings, "concept_embeds_weights": concepts.thresholds}
    held = folder / "checker" / "concepts.safetensors"
    save_file({name: value.contiguous() for name, value in tensors.items()}, held)
    held.chmod(0o644)
    write_json(folder / "model_index.json", INDEX)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without diffusers' own marks (_name_or_path and the like)."""
    return {name: value for name, value in settings.items() if not name.startswith("_")}


def load_generator(folder: Path, name: str) -> StableDiffusion:
    """The generator in a folder that `write_weights` made, in float32 on the CPU. Raises InputError when it is not there."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, CLIPTextConfig, CLIPTextModel

    _check_present(folder)
    base = encoder.load()
    vae: Any = AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae", local_files_only=True))
    unet: Any = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet", local_files_only=True))
    text = CLIPTextModel(CLIPTextConfig.from_pretrained(folder / "text_encoder", local_files_only=True))
    files = {"vae": (vae, DIFFUSERS_WEIGHTS), "unet": (unet, DIFFUSERS_WEIGHTS), "text_encoder": (text, "model.safetensors")}
    for part, (module, file) in files.items():
        module.load_state_dict({key: value.float() for key, value in load_file(folder / part / file).items()})
    held = load_file(folder / "checker" / "concepts.safetensors")
    return StableDiffusion(
        name=name,
        vae=vae,
        unet=unet,
        text_encoder=text,
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True, trust_remote_code=False),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler", local_files_only=True),
        fingerprint=_fingerprint(folder, base.fingerprint),
        checker=build_checker(base, Concepts(held["concept_embeds"], held["concept_embeds_weights"])),
        steps=STEPS,
        guidance=GUIDANCE,
    )


def load_judge(folder: Path) -> Judge:
    """The judge that was trained beside the generator in `folder`. Raises InputError when it is not there."""
    from safetensors.torch import load_file

    _check_present(folder)
    with torch.random.fork_rng(devices=[]):  # its first weights are drawn, and replaced
        judge = Judge()
    judge.load_state_dict({key: value.float() for key, value in load_file(folder / "judge" / "model.safetensors").items()})
    return judge.eval().requires_grad_(False)


def _check_present(folder: Path) -> None:
    for part in ("vae", "unet"):
        if not (folder / part / DIFFUSERS_WEIGHTS).is_file():
            retrain = "python -m hartley.training generator"
            raise InputError(f"no reference generator in {folder}: {part}/{DIFFUSERS_WEIGHTS} is missing; {retrain} makes one")


def _fingerprint(folder: Path, of_encoder: str) -> str:
    """sha256 over the files that decide a picture or the checker's word, and over the encoder that the checker looks with."""
    digest = hashlib.sha256(of_encoder.encode())
    for part in ("checker", "scheduler", "text_encoder", "tokenizer", "unet", "vae"):
        for file in sorted((folder / part).iterdir()):
            digest.update(f"{part}/{file.name}".encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
