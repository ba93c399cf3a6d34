"""What a folder is, told in one line from its names and its configuration, without torch and in no time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hartley.errors import InputError
from hartley.targets.folder_kinds import refuse_unattacked

CONFIG = "config.json"
KINDS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("whisper", {CONFIG: {"model_type": "whisper"}}, "is a recognizer (whisper)"),
    ("qwen", {CONFIG: {"model_type": "qwen2"}}, "is of type 'qwen2', which hf: does not load"),
    ("mistral", {CONFIG: {"model_type": "mistral"}}, "openai:MODEL@URL"),
    ("gemma", {CONFIG: {"model_type": "gemma3_text"}}, "a scan takes CLIP, clap, blip, "),
    ("bert", {CONFIG: {"model_type": "bert"}}, "'bert'"),
    ("t5", {CONFIG: {"model_type": "t5"}}, "'t5'"),
    ("gguf folder", {"model.gguf": None, "README.md": None}, "holds a GGUF file (model.gguf)"),
    ("onnx", {"model.onnx": None}, "holds an ONNX model"),
    ("lora", {"adapter_config.json": {"peft_type": "LORA"}, "adapter_model.safetensors": None}, "holds an adapter alone (LoRA)"),
    ("flux", {"model_index.json": {"_class_name": "FluxPipeline"}}, "is a diffusers folder (FluxPipeline); a scan takes those of Stable"),
    ("open_clip", {"open_clip_config.json": {}, "open_clip_model.safetensors": None}, "open_clip's layout is not read"),
    ("ctranslate2", {CONFIG: {"bos_token": "<s>"}, "model.bin": None, "vocabulary.json": []}, "is a CTranslate2 folder"),
    ("sentence-transformers", {"modules.json": [], CONFIG: {"model_type": "bert"}}, "is a sentence embedder"),
    ("pickle", {"pytorch_model.bin": None}, "only pickled weights (pytorch_model.bin)"),
    ("checkpoint", {"model.ckpt": None}, "only pickled weights (model.ckpt)"),
    ("gptq", {CONFIG: {"model_type": "llama", "quantization_config": {"quant_method": "gptq"}}}, "is a quantized LLaMA chat model (gptq)"),
    ("awq", {CONFIG: {"model_type": "llama", "quantization_config": {"quant_method": "awq"}}}, "(awq)"),
    ("bnb", {CONFIG: {"model_type": "llama", "quantization_config": {"quant_method": "bitsandbytes"}}}, "(bitsandbytes)"),
    ("hostile type", {CONFIG: {"model_type": "x" * 5000}}, "which hf: does not load"),
)


@pytest.mark.parametrize(("files", "said"), [row[1:] for row in KINDS], ids=[row[0] for row in KINDS])
def test_a_folder_that_nothing_attacks_is_told_what_it_is(tmp_path: Path, files: dict[str, Any], said: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text("" if content is None else json.dumps(content))
    with pytest.raises(InputError) as refusal:
        refuse_unattacked(tmp_path)
    assert said in str(refusal.value) and "\n" not in str(refusal.value) and len(str(refusal.value)) < 400


ATTACKED = ("clip", "clap", "blip", "blip-2", "idefics", "llava", "qwen2_audio", "llama")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"model_type": 3}', *(json.dumps({"model_type": kind}) for kind in ATTACKED), "[" * 10_000]
)
def test_what_names_do_not_tell_is_left_to_the_loader(tmp_path: Path, content: str) -> None:
    (tmp_path / CONFIG).write_text(content)
    refuse_unattacked(tmp_path)


def test_a_pipeline_that_a_threat_attacks_is_left_to_the_loader(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    refuse_unattacked(tmp_path)


def test_a_gguf_file_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match="is a GGUF file"):
        refuse_unattacked(tmp_path / "m.gguf")
    with pytest.raises(InputError, match="no such folder"):
        refuse_unattacked(tmp_path / "absent")


def test_it_is_told_before_anything_heavy_is_imported_and_before_data_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text('{"model_type": "whisper"}')
    begin = time.process_time()
    code = "import sys; from hartley.cli import main\ntry: main()\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code, "scan", "--target", f"hf:{tmp_path}"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2 and "is a recognizer" in done.stderr and "--data" not in done.stderr and "Assertion" not in done.stderr
    assert time.process_time() - begin < 2
