"""Reading a model folder's files as data: JSON and safetensors only, nothing that can run code or leave the folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hartley import files as opening
from hartley.errors import InputError

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
WEIGHTS = "model.safetensors"
LARGEST_JSON = 256 * 2**20
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
CONVERT = "convert them where you trust them: CLASS.from_pretrained(OLD).save_pretrained(NEW), CLASS being the model's"


def existing_folder(path: Path, what: str = "CLIP") -> Path:
    """`path`, when it is a folder with a config.json. what: the kind of model, for messages. Raises InputError otherwise."""
    if not path.exists():
        raise InputError(f"{path}: does not exist; hf: takes a local folder (config.json, model.safetensors, ...), nothing is downloaded")
    if not path.is_dir():
        raise InputError(f"{path}: is a file; hf: takes a folder (config.json, model.safetensors, tokenizer and preprocessor files)")
    if not (path / "config.json").is_file():
        hint = "; open_clip's layout is not read, convert it to transformers' first" if (path / "open_clip_config.json").exists() else ""
        raise InputError(f"{path}: has no config.json; a {what} folder as transformers saves it is accepted{hint}")
    return path


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError for broken JSON, another type, and a file that asks to run code."""
    try:
        content = json.loads(opening.text(opening.read(path, LARGEST_JSON), path))
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError
        raise InputError(f"{path}: is not valid JSON ({_first_line(error)})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; a JSON object is accepted")
    if "auto_map" in content or "custom_pipelines" in content:
        raise InputError(f"{path}: asks for code of its own (auto_map); code from a model folder is never run")
    return content


def weight_files(path: Path, weights: str = WEIGHTS) -> tuple[Path, ...]:
    """The safetensors files that make up the model: `weights`, or the shards that its index names.

    Raises InputError when there are none, or a shard is missing.
    """
    index = f"{weights}.index.json"
    if (path / weights).is_file():
        return (path / weights,)
    if (path / index).is_file():
        return _shards(path, index)
    if (path / "adapter_config.json").is_file():
        raise InputError(f"{path}: holds an adapter alone; merge it into its base model and save that")
    found = sorted(file.name for file in path.iterdir() if file.is_file())
    if pickled := [name for name in found if name.endswith(PICKLED)]:
        raise InputError(f"{path}: only pickled weights ({pickled[0]}); refused, because unpickling can run code from the file; {CONVERT}")
    if others := [name for name in found if name.endswith(".safetensors")]:
        raise InputError(f"{path}: has no {weights}, only {others[0]}; {weights} or {index} is accepted")
    raise InputError(f"{path}: has no safetensors weights; {weights} or {index} is accepted")


def _shards(path: Path, index: str) -> tuple[Path, ...]:
    entries = read_json(path / index).get("weight_map")
    if not isinstance(entries, dict) or not entries or not all(isinstance(name, str) for name in entries.values()):
        raise InputError(f"{path / index}: has no weight_map from tensor names to files")
    files = []
    for name in sorted(set(entries.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise InputError(f"{path / index}: names {name!r}; safetensors files in the same folder are accepted")
        if not (path / name).is_file():
            raise InputError(f"{path}: the shard {name} that {index} names is missing")
        files.append(path / name)
    return tuple(files)


def read_weights(files: tuple[Path, ...]) -> dict[str, Tensor]:
    """All tensors of the files, by name. Raises InputError for a damaged file, and for a value that is not finite."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights: dict[str, Tensor] = {}
    _refuse_sparse(files)
    for file in files:
        try:
            tensors: dict[str, Tensor] = load_file(file)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise InputError(f"{file}: is not a readable safetensors file ({_first_line(error)})") from None
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and tensor.dtype not in FLOATS:
                raise InputError(f"{file}: {name} is of {str(tensor.dtype).removeprefix('torch.')}; full weights are accepted")
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise InputError(f"{file}: {name} holds NaN or infinite values; finite weights are accepted")
        weights.update(tensors)
    return weights


def _refuse_sparse(files: tuple[Path, ...]) -> None:
    """Files of holes ask for memory that nobody has paid for on disk. Raises InputError as `opening.opened` does, too."""
    size = held = 0
    for file in files:
        with opening.opened(file) as weights:
            found = os.fstat(weights.fileno())
        size, held = size + found.st_size, held + min(512 * found.st_blocks, found.st_size)
        if size > 2**24 and held < size // 4:
            raise InputError(f"{file}: says it holds {size:,} bytes, and most of that is holes; whole safetensors files are accepted")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
