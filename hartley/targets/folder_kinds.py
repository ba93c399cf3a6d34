"""What a folder is, by its files' names and its configuration alone: told before anything heavy is imported."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from hartley import files
from hartley.errors import InputError
from hartley.targets.registry import ARCHITECTURES

SERVE = "serve it (vLLM, llama.cpp, Ollama, TGI) and name openai:MODEL@URL"
_CONFIG_BYTES = 2**20
PIPELINE = "StableDiffusionPipeline"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")


@cache
def attacked() -> frozenset[str]:
    """The families of models that some threat attacks, and policies, which agents are built from."""
    from hartley import catalog

    return frozenset({"policy", *(family for row in catalog.threats() if row.recipe for family in row.recipe.families)})


def _scanned() -> dict[str, str]:
    """By the kind of folder that a scan attacks, what people call it."""
    known = {"clip": "CLIP", "llama": "LLaMA chat"}
    return {row.kind: known.get(row.kind, row.kind) for row in ARCHITECTURES if row.family in attacked()}


def refuse_unattacked(folder: Path) -> None:
    """Raises InputError, in one line that says what there is and what can be done with it, for anything but a folder that a scan
    attacks; what cannot be told from names is left to the loader."""
    if folder.is_file():
        if folder.suffix == ".gguf":
            raise InputError(f"{folder}: is a GGUF file, as llama.cpp reads them; {SERVE}")
        raise InputError(f"{folder}: is a file; hf:PATH takes a local model folder")
    if not folder.is_dir():
        raise InputError(f"target 'hf:{folder}': no such folder; hf:PATH takes a local model folder")
    names = sorted(path.name for path in folder.iterdir())
    settings = _settings(folder / "config.json") if "config.json" in names else None
    if settings is None:
        _without_configuration(folder, names)
        return
    kind = settings.get("model_type")
    if kind is None and "model.bin" in names:
        raise InputError(
            f"{folder}: is a CTranslate2 folder; hf: takes what transformers saves (config.json, model.safetensors), or {SERVE}"
        )
    if "modules.json" in names and kind not in _scanned():
        raise InputError(
            f"{folder}: is a sentence embedder (sentence-transformers), which finds a memory's entries; no threat attacks one alone"
        )
    if not isinstance(kind, str) or kind in _scanned():
        if isinstance(kind, str) and (quantized := settings.get("quantization_config")) is not None:
            how = quantized.get("quant_method", "?") if isinstance(quantized, dict) else "?"
            raise InputError(
                f"{folder}: is a quantized {_scanned()[kind]} model ({str(how)[:40]}); its full weights are accepted, or {SERVE}"
            )
        return
    known = next((row for row in ARCHITECTURES if row.kind == kind), None)
    known_kinds = " and ".join((", ".join([*_scanned().values()][:-1]), [*_scanned().values()][-1]))
    if known is not None:
        article = "an" if known.family[0] in "aeiou" else "a"
        raise InputError(
            f"{folder}: is {article} {known.family} ({kind}); hartley.targets.load gives it, and no threat attacks one yet; "
            f"a scan takes folders of {known_kinds}"
        )
    raise InputError(f"{folder}: is of type {kind[:60]!r}, which hf: does not load (a scan takes {known_kinds}); a chat model: {SERVE}")


def _without_configuration(folder: Path, names: list[str]) -> None:
    def having(*endings: str) -> str:
        return next((name for name in names if name.endswith(endings)), "")

    if "adapter_config.json" in names:
        raise InputError(f"{folder}: holds an adapter alone (LoRA); merge it into its base model and save that")
    if "model_index.json" in names:
        pipeline = str((_settings(folder / "model_index.json") or {}).get("_class_name", "a pipeline"))[:60]
        if pipeline not in _scanned():
            raise InputError(f"{folder}: is a diffusers folder ({pipeline}); a scan takes those of {PIPELINE}")
        return
    if "open_clip_config.json" in names:
        raise InputError(f"{folder}: has no config.json; open_clip's layout is not read, convert it to transformers' first")
    if found := having(".gguf"):
        raise InputError(f"{folder}: holds a GGUF file ({found}), as llama.cpp reads them; {SERVE}")
    if found := having(".onnx"):
        raise InputError(f"{folder}: holds an ONNX model ({found}), which hf: does not read; what transformers saves is accepted")
    if found := having(*_PICKLED):
        raise InputError(
            f"{folder}: has no config.json, and only pickled weights ({found}), which are never loaded; save it with safetensors"
        )


def _settings(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where it cannot be read: the loader says why."""
    try:
        found = files.parsed_json(files.read(path, _CONFIG_BYTES), path)
    except InputError:
        return None
    return found if isinstance(found, dict) else None
