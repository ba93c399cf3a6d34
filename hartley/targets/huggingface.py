"""A user's own CLIP folder as a target: checked file by file, loaded without network, pickle or foreign code."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from hartley.errors import InputError
from hartley.targets.audio_tower import AudioTower
from hartley.targets.checkpoint import existing_folder, read_json, read_weights, weight_files
from hartley.targets.clip import ClipEncoder, folder_fingerprint, load_audio_tower
from hartley.targets.preprocess import Preprocess, from_processor

SETTINGS = ("text_config", "vision_config", "text_config_dict", "vision_config_dict", "projection_dim", "logit_scale_init_value")
"""What is taken from config.json. Anything else there (quantization, kernels, file names) could change what gets loaded."""

FOREIGN = ("quantization_config", "transformers_weights", "fusion_config")
TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend")
PROCESSORS = ("CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil", "CLIPFeatureExtractor")
BATCH = 32


class HuggingFaceClip(ClipEncoder):
    """A ClipEncoder from a user's folder, which also knows the folder's real picture processor.

    processor   the folder's CLIPImageProcessorPil.
    preprocess  its differentiable twin; `image_size` is the size at which the processor does not resize.
    notes       plain sentences about the folder that a reader of its numbers should know.
    """

    processor: Any
    preprocess: Preprocess
    notes: tuple[str, ...] = ()

    def embed_saved(self, pictures: Sequence[bytes] | NDArray[np.uint8]) -> Tensor:
        """Embeddings (n, d), unit norm, of saved pictures through the real processor, no gradient.

        pictures    n encoded files (the bytes of a PNG), or a uint8 array (n, height, width, 3), what such files hold.
        """
        from PIL import Image

        model: Any = self.module.clip
        images = [Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else Image.fromarray(picture) for picture in pictures]
        parts = [torch.zeros(0, model.config.projection_dim)]
        with torch.no_grad():
            for start in range(0, len(images), BATCH):
                pixels = self.processor(images=images[start : start + BATCH], return_tensors="pt")["pixel_values"]
                parts.append(F.normalize(model.get_image_features(pixel_values=pixels.float()).pooler_output, dim=-1))
        return torch.cat(parts)


def load(path: str | Path) -> HuggingFaceClip:
    """The CLIP in a local folder as transformers saves it, in float32, with `audio/` when it is there.

    Only safetensors, JSON and text files are read, and only local ones. Raises InputError, in one line that names the
    file and what is accepted, for a folder that is missing, incomplete, damaged, of another model type, pickled, or
    that wants to run code of its own.
    """
    folder = existing_folder(Path(path))
    settings = _clip_settings(folder)
    tokenizer_files, processor_file = _tokenizer_files(folder), _processor_file(folder)
    weights = read_weights(weight_files(folder))
    with _quiet_and_offline():
        clip = _model(folder, settings, weights)
        tokenizer = _tokenizer(folder, tokenizer_files, clip.config.text_config.vocab_size)
        processor = _processor(processor_file)
        audio = _audio(folder, clip.config.projection_dim)
        twin = from_processor(processor, clip.config.vision_config.image_size, str(processor_file))
        encoder = HuggingFaceClip(
            name=f"hf:{folder.resolve().name}",
            clip=clip,
            tokenizer=tokenizer,
            preprocess=twin,
            image_size=twin.native_size,
            fingerprint=folder_fingerprint(folder),
            audio=audio,
        )
        encoder.processor = processor
        encoder.notes = _probe(folder, encoder)
    return encoder


def _clip_settings(folder: Path) -> dict[str, Any]:
    where = folder / "config.json"
    content = read_json(where)
    kind = content.get("model_type")
    if kind != "clip":
        found = f"the model type {kind!r}" if kind is not None else "no model_type"
        raise InputError(f"{where}: has {found}; 'clip' is accepted (a whole CLIPModel: text and vision tower)")
    if foreign := [name for name in FOREIGN if content.get(name) is not None]:
        raise InputError(f"{where}: holds {foreign[0]}; plain, unquantized weights are accepted")
    for part in ("text_config", "vision_config"):
        layers = (content.get(part) or {}).get("num_hidden_layers", 1) if isinstance(content.get(part), dict | None) else None
        if not isinstance(layers, int) or not 1 <= layers <= 200:
            raise InputError(f"{where}: {part} is not usable; an object with 1 to 200 num_hidden_layers is accepted")
    return {name: content[name] for name in SETTINGS if name in content}


def _model(folder: Path, settings: dict[str, Any], weights: dict[str, Tensor]) -> Any:
    """The CLIPModel, with every parameter taken from `weights`: what is missing is an error, never a random number."""
    from transformers import CLIPConfig, CLIPModel

    where = folder / "config.json"
    try:
        config: Any = CLIPConfig(**settings)
        with torch.device("meta"):
            wanted = sum(parameter.numel() for parameter in CLIPModel(config).parameters())
    except Exception as error:  # whatever a wrong setting leads to inside transformers, it is the file's fault
        raise InputError(f"{where}: does not describe a CLIP model ({_brief(error)})") from None
    held = sum(tensor.numel() for tensor in weights.values())
    if not isinstance(config.vision_config.image_size, int) or config.vision_config.num_channels != 3:
        raise InputError(f"{where}: vision_config is not for square color pictures; a whole image_size and 3 num_channels are accepted")
    if wanted > 2 * held:  # refused before any memory is taken for it
        raise InputError(f"{folder}: config.json describes {wanted:,} weights, the safetensors files hold {held:,}")
    try:
        loaded: Any = CLIPModel.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            attn_implementation="sdpa",
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except Exception as error:
        raise InputError(f"{folder}: the weights cannot be loaded as config.json describes them ({_brief(error)})") from None
    clip, report = loaded
    _complete(folder, report)
    return clip


def _complete(folder: Path, report: dict[str, Any]) -> None:
    if missing := sorted(report["missing_keys"]):
        raise InputError(f"{folder}: the weights lack {len(missing)} tensors that config.json describes, first {missing[0]}")
    if shapes := sorted(report["mismatched_keys"], key=str):
        name, held, wanted = shapes[0]
        raise InputError(f"{folder}: {name} has shape {tuple(held)}, config.json describes {tuple(wanted)} ({len(shapes)} such tensors)")
    if surplus := sorted(name for name in report["unexpected_keys"] if not name.endswith("position_ids")):
        raise InputError(f"{folder}: the weights hold {len(surplus)} tensors that config.json does not describe, first {surplus[0]!r}")


def _tokenizer_files(folder: Path) -> str:
    """The names of the tokenizer's files, for messages. Raises InputError when they are incomplete or name another class."""
    settings = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    kind = settings.get("tokenizer_class")
    if kind is not None and kind not in TOKENIZERS:
        raise InputError(f"{folder / 'tokenizer_config.json'}: tokenizer_class is {kind!r}; accepted: {', '.join(TOKENIZERS)}")
    if (folder / "tokenizer.json").is_file():
        read_json(folder / "tokenizer.json")
        return "tokenizer.json"
    if missing := [name for name in ("vocab.json", "merges.txt") if not (folder / name).is_file()]:
        raise InputError(f"{folder}: tokenizer files are missing ({', '.join(missing)}); tokenizer.json, or vocab.json and merges.txt")
    read_json(folder / "vocab.json")
    return "vocab.json, merges.txt"


def _tokenizer(folder: Path, files: str, vocabulary: int) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer(["a", "a picture"], padding=True, return_tensors="pt")
        largest = max(tokenizer.get_vocab().values())
    except Exception as error:
        raise InputError(f"{folder}: the tokenizer ({files}) cannot be used ({_brief(error)})") from None
    if largest >= vocabulary:
        raise InputError(f"{folder}: the tokenizer ({files}) has token {largest}, but config.json's vocab_size is {vocabulary}")
    return tokenizer


def _processor_file(folder: Path) -> Path:
    """processor_config.json with the picture settings inside (transformers 5), or preprocessor_config.json."""
    nested, plain = folder / "processor_config.json", folder / "preprocessor_config.json"
    inside = read_json(nested).get("image_processor") if nested.is_file() else None
    if inside is None and not plain.is_file():
        raise InputError(f"{folder}: has no preprocessor_config.json, so how pictures are resized and normalized is unknown")
    where, content = (nested, inside) if inside is not None else (plain, read_json(plain))
    if not isinstance(content, dict) or "auto_map" in content:
        raise InputError(f"{where}: the picture settings are not usable; a plain JSON object without auto_map is accepted")
    kind = content.get("image_processor_type", content.get("feature_extractor_type", PROCESSORS[0]))
    if kind not in PROCESSORS:
        raise InputError(f"{where}: the picture processor is {kind!r}; accepted: {', '.join(PROCESSORS)}")
    return where


def _processor(where: Path) -> Any:
    from transformers import CLIPImageProcessorPil

    try:
        return CLIPImageProcessorPil.from_pretrained(where.parent, local_files_only=True)
    except Exception as error:
        raise InputError(f"{where}: does not describe a CLIP picture processor ({_brief(error)})") from None


def _audio(folder: Path, dimensions: int) -> AudioTower | None:
    audio = folder / "audio"
    if not audio.is_dir():
        return None
    for name in ("config.json", "preprocessor_config.json"):
        if (audio / name).is_file():
            read_json(audio / name)
    try:
        tower = load_audio_tower(audio, dimensions)
    except Exception as error:
        raise InputError(f"{audio}: is not a usable audio tower ({_brief(error)})") from None
    if not all(bool(parameter.isfinite().all()) for parameter in tower.parameters()):
        raise InputError(f"{audio}: the weights hold NaN or infinite values; finite weights are accepted")
    return tower


def _probe(folder: Path, encoder: HuggingFaceClip) -> tuple[str, ...]:
    """Notes on an encoder that works. Raises InputError when files that load do not make one that answers."""
    texts = ("a", "a photo of two dogs", "z 1")
    try:
        with torch.no_grad():
            together = encoder.embed_text(texts)
            alone = torch.cat([encoder.embed_text([text]) for text in texts])
            picture = encoder.embed_image(torch.full((1, 3, *encoder.preprocess.native_size), 0.5))
    except Exception as error:
        raise InputError(f"{folder}: loads, but gives no embedding ({_brief(error)})") from None
    if not bool(together.isfinite().all() and picture.isfinite().all()):
        raise InputError(f"{folder}: loads, but its embeddings are NaN or infinite")
    if not torch.allclose(together, alone, atol=1e-3):
        raise InputError(f"{folder}: a text's embedding changes with the texts beside it; check pad_token and eos_token_id")
    if torch.allclose(together, together[:1].expand_as(together), atol=1e-6):
        raise InputError(f"{folder}: all texts get one embedding; config.json's eos_token_id is not the tokenizer's, or no word is known")
    clip: Any = encoder.module.clip
    legacy = clip.config.text_config.eos_token_id == 2
    if legacy and encoder.tokenizer.eos_token_id != max(encoder.tokenizer.get_vocab().values()):
        return (
            "eos_token_id 2 in config.json is a legacy switch: the text tower reads a text at the token with the largest number, "
            "which in this folder is not the end token. Check that this is how the model was trained.",
        )
    return ()


@contextlib.contextmanager
def _quiet_and_offline() -> Iterator[None]:
    """No network and no chatter while transformers loads; both settings are put back afterwards."""
    from huggingface_hub import constants
    from transformers.utils import logging as chatter

    level, bars, offline = chatter.get_verbosity(), chatter.is_progress_bar_enabled(), constants.HF_HUB_OFFLINE
    variable = os.environ.get("HF_HUB_OFFLINE")
    chatter.set_verbosity(logging.CRITICAL + 1)
    chatter.disable_progress_bar()
    constants.HF_HUB_OFFLINE = True
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        chatter.set_verbosity(level)
        if bars:
            chatter.enable_progress_bar()
        constants.HF_HUB_OFFLINE = offline
        if variable is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = variable


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])[:200]}" if lines else type(error).__name__
