"""A local Stable Diffusion folder as diffusers saves it: a folder a part, and model_index.json that names their classes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from hartley.errors import InputError
from hartley.targets.checker import SafetyChecker
from hartley.targets.checkpoint import read_json, read_weights, weight_files
from hartley.targets.diffusion import StableDiffusion
from hartley.targets.huggingface import checks, pictures, words
from hartley.targets.huggingface.model import Kind, check_settings, complete, load_model, read_settings
from hartley.targets.huggingface.offline import brief, quiet_and_offline
from hartley.targets.preprocess import from_processor

INDEX = "model_index.json"
PIPELINES = ("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline")
PARTS = {
    "vae": ("diffusers", ("AutoencoderKL",)),
    "unet": ("diffusers", ("UNet2DConditionModel",)),
    "text_encoder": ("transformers", ("CLIPTextModel",)),
    "tokenizer": ("transformers", words.CLIP),
    "scheduler": (
        "diffusers",
        (
            *("DDIMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"),
            *("DDPMScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"),
        ),
    ),
}
CHECKER = {
    "safety_checker": ("stable_diffusion", ("StableDiffusionSafetyChecker",)),
    "feature_extractor": ("transformers", pictures.CLIP),
}
NETWORK_WEIGHTS = "diffusion_pytorch_model.safetensors"
DECIDING = (INDEX, "*/*.json", "*/*.safetensors", "*/merges.txt")
"""Not the gigabytes of another library's single file, which often lies beside."""

TEXT = Kind("clip_text_model", ("CLIPTextModel",))


def load(path: Path) -> StableDiffusion:
    """The Stable Diffusion in a local folder, in float32, drawn from with DDIM whatever scheduler it names.

    Raises InputError, in one line, for a folder that cannot be used.
    """
    try:
        from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    except ImportError:
        raise InputError("a Stable Diffusion folder needs diffusers, which is not installed; takes: pip install -e '.[models]'") from None
    from transformers import CLIPTextConfig, CLIPTextModel

    index = read_json(path / INDEX)
    _check_index(path / INDEX, index)
    files = words.tokenizer_files(path / "tokenizer", words.CLIP)
    _, settings = read_settings(path / "text_encoder", TEXT)
    schedule = _json(path / "scheduler" / "scheduler_config.json")
    if schedule.get("prediction_type", "epsilon") not in ("epsilon", "v_prediction", "sample"):
        where = path / "scheduler" / "scheduler_config.json"
        raise InputError(f"{where}: prediction_type is {schedule['prediction_type']!r}; epsilon, v_prediction and sample are accepted")
    with quiet_and_offline(), _quiet():
        weights = read_weights(weight_files(path / "text_encoder"))
        text = load_model(path / "text_encoder", CLIPTextModel, CLIPTextConfig, settings, weights, "CLIP text")
        tokenizer = words.load_tokenizer(path / "tokenizer", files, text.config.vocab_size)
        positions = text.config.max_position_embeddings
        if tokenizer.model_max_length != positions:
            raise InputError(
                f"{path}: tokenizer.model_max_length is {tokenizer.model_max_length}, but the text tower has {positions} positions"
            )
        vae, unet = _network(path / "vae", AutoencoderKL), _network(path / "unet", UNet2DConditionModel)
        try:
            target = StableDiffusion(
                name=checks.name_of(path),
                vae=vae,
                unet=unet,
                text_encoder=text,
                tokenizer=tokenizer,
                scheduler=DDIMScheduler.from_config(schedule),
                fingerprint=checks.fingerprint(path, DECIDING),
                checker=_checker(path) if _is_there(index, "safety_checker") else None,
            )
            _try(path, target)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{path}: loads, but does not draw ({brief(error)})") from None
    return target


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No chatter while diffusers loads; its settings are put back afterwards."""
    from diffusers.utils import logging as chatter

    level = chatter.get_verbosity()
    chatter.set_verbosity(logging.CRITICAL + 1)
    try:
        yield
    finally:
        chatter.set_verbosity(level)


def _check_index(where: Path, index: dict[str, Any]) -> None:
    """Raises InputError for another pipeline, and for a part of another class: foreign classes would mean foreign code."""
    found = index.get("_class_name")
    if found not in PIPELINES:
        raise InputError(f"{where}: the pipeline is {found!r}; accepted: {', '.join(PIPELINES)}")
    for part, (library, classes) in (PARTS | {part: row for part, row in CHECKER.items() if _is_there(index, part)}).items():
        row = index.get(part)
        if not isinstance(row, list) or len(row) != 2 or row[0] != library or row[1] not in classes:
            raise InputError(f"{where}: {part} is {row!r}; {library}'s {', '.join(classes)} is accepted")
        if not (where.parent / part).is_dir():
            raise InputError(f"{where.parent}: has no folder {part}, which {INDEX} names")
    if _is_there(index, "safety_checker") and not _is_there(index, "feature_extractor"):
        raise InputError(f"{where}: there is a safety_checker without a feature_extractor; both or neither are accepted")


def _is_there(index: dict[str, Any], part: str) -> bool:
    return index.get(part) not in (None, [None, None])


def _json(where: Path) -> dict[str, Any]:
    """The object in a file that must be there."""
    if not where.is_file():
        raise InputError(f"{where.parent}: has no {where.name}")
    return read_json(where)


def _network(folder: Path, make: Any) -> Any:
    """A network of diffusers, all of it from safetensors."""
    check_settings(folder / "config.json", _json(folder / "config.json"))
    weights = read_weights(weight_files(folder, NETWORK_WEIGHTS))
    held = sum(tensor.numel() for tensor in weights.values())
    try:
        with torch.device("meta"):
            wanted = sum(parameter.numel() for parameter in make.from_config(make.load_config(folder, local_files_only=True)).parameters())
    except Exception as error:
        raise InputError(f"{folder / 'config.json'}: does not describe a {make.__name__} ({brief(error)})") from None
    if wanted > 2 * held:
        raise InputError(f"{folder}: config.json describes {wanted:,} weights, the safetensors files hold {held:,}")
    try:
        model, report = make.from_pretrained(
            folder,
            torch_dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:
        raise InputError(f"{folder}: the weights cannot be loaded as config.json describes them ({brief(error)})") from None
    complete(folder, report)
    return model


def _checker(path: Path) -> SafetyChecker:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessorPil

    folder = path / "safety_checker"
    _, settings = read_settings(folder, Kind("clip", ("StableDiffusionSafetyChecker",)))
    weights = read_weights(weight_files(folder))
    module = load_model(folder, StableDiffusionSafetyChecker, CLIPConfig, settings, weights, "safety checker")
    where = pictures.processor_file(path / "feature_extractor", pictures.CLIP)
    processor = pictures.load_processor(where, CLIPImageProcessorPil, "CLIP")
    return SafetyChecker(module, from_processor(processor, module.config.vision_config.image_size, str(where)))


def _try(path: Path, target: StableDiffusion) -> None:
    """Raises InputError when a gray picture of the model's own size has no finite latents or no finite loss."""
    gray = torch.full((1, 3, *target.image_size), 0.5)
    with torch.no_grad():
        found = target.denoising_loss(["a"], gray, torch.Generator().manual_seed(0))
        target.flagged(gray)
    if not bool(found.isfinite().all()):
        raise InputError(f"{path}: loads, but its loss is NaN or infinite")
