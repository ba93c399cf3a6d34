"""Every way a CLIP folder can be wrong gives one InputError line that names the file and what is accepted."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from hartley.errors import InputError
from hartley.targets import huggingface


def edit(path: Path, **changes: object) -> None:
    """Sets keys of a JSON file; a dotted key goes into the object of that name."""
    content = json.loads(path.read_text())
    for key, value in changes.items():
        outer, _, inner = key.partition("__")
        if inner:
            content[outer][inner] = value
        else:
            content[outer] = value
    path.write_text(json.dumps(content))


def weights(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def poison(tensors) -> None:
    tensors["visual_projection.weight"][0, 0] = float("nan")


class Planted:
    """Unpickling this writes a file: the proof that nothing was unpickled is that the file is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def only_pickled(name: str):
    def spoil(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(pickle.dumps(Planted(folder / "ran")))

    return spoil


def cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def lying_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "elsewhere.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"logit_scale": "../elsewhere.safetensors"}}))


def lost_shard(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"logit_scale": "model-00001-of-00002.safetensors"}}))


def adapter_only(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "somewhere/else"}')


def code_inside(folder: Path) -> None:
    (folder / "modeling.py").write_text(f"open({str(folder / 'ran')!r}, 'w')")
    edit(folder / "config.json", auto_map={"AutoModel": "modeling.Model"})


def broken_sound(folder: Path) -> None:
    (folder / "audio").mkdir()
    (folder / "audio" / "config.json").write_text("{")


def weights_for_fewer_words(folder: Path) -> None:
    edit(folder / "config.json", text_config__vocab_size=10)
    name = "text_model.embeddings.token_embedding.weight"
    weights(folder, lambda tensors: tensors.update({name: tensors[name][:10].clone()}))


def largest_pad(folder: Path) -> None:
    """The legacy switch reads a text at its largest token; here that is the padding."""
    edit(folder / "config.json", text_config__eos_token_id=2)
    edit(folder / "tokenizer_config.json", pad_token="two")


WRONG = {
    "no config": (lambda f: (f / "config.json").unlink(), ["has no config.json", "CLIP folder as transformers saves it"]),
    "open_clip": (
        lambda f: (f / "config.json").rename(f / "open_clip_config.json"),
        ["has no config.json", "open_clip's layout is not read"],
    ),
    "broken config": (lambda f: (f / "config.json").write_text("{"), ["config.json: is not valid JSON"]),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), ["config.json: holds a list", "JSON object"]),
    "config not text": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe"), ["config.json: is not valid JSON"]),
    "deep config": (lambda f: (f / "config.json").write_text("[" * 200_000), ["config.json: is not valid JSON"]),
    "another model": (lambda f: edit(f / "config.json", model_type="blip"), ["the model type 'blip'", "'clip' is accepted"]),
    "half a model": (lambda f: edit(f / "config.json", model_type="clip_vision_model"), ["'clip_vision_model'", "whole CLIPModel"]),
    "no model type": (lambda f: (f / "config.json").write_text("{}"), ["has no model_type", "'clip' is accepted"]),
    "quantized": (lambda f: edit(f / "config.json", quantization_config={"bits": 4}), ["quantization_config", "unquantized"]),
    "other weights file": (lambda f: edit(f / "config.json", transformers_weights="x.bin"), ["transformers_weights"]),
    "code in config": (code_inside, ["config.json: asks for code of its own (auto_map)", "never run"]),
    "code in tokenizer": (
        lambda f: edit(f / "tokenizer_config.json", auto_map={"AutoTokenizer": ["x.T", None]}),
        ["tokenizer_config.json: asks for code of its own"],
    ),
    "code in preprocessor": (lambda f: edit(f / "preprocessor_config.json", auto_map={}), ["preprocessor_config.json: asks for code"]),
    "endless layers": (lambda f: edit(f / "config.json", text_config__num_hidden_layers=10**9), ["text_config is not usable", "1 to 200"]),
    "endless width": (
        lambda f: edit(f / "config.json", text_config__hidden_size=2**20),
        ["config.json describes", "the safetensors files hold"],
    ),
    "odd heads": (lambda f: edit(f / "config.json", text_config__num_attention_heads=5), ["does not describe a CLIP model", "heads"]),
    "config of words": (lambda f: edit(f / "config.json", vision_config__image_size="big"), ["does not describe a CLIP model"]),
    "one channel": (lambda f: edit(f / "config.json", vision_config__num_channels=1), ["square color pictures"]),
    "more layers": (
        lambda f: edit(f / "config.json", text_config__num_hidden_layers=3),
        ["lack 16 tensors", "text_model.encoder.layers.2"],
    ),
    "fewer layers": (
        lambda f: edit(f / "config.json", text_config__num_hidden_layers=1),
        ["hold 16 tensors that config.json does not describe"],
    ),
    "other patches": (lambda f: edit(f / "config.json", vision_config__patch_size=16), ["has shape", "config.json describes"]),
    "no weights": (
        lambda f: (f / "model.safetensors").unlink(),
        ["has no safetensors weights", "model.safetensors.index.json is accepted"],
    ),
    "variant": (
        lambda f: (f / "model.safetensors").rename(f / "model.fp16.safetensors"),
        ["has no model.safetensors, only model.fp16.safetensors"],
    ),
    "pickled": (
        only_pickled("pytorch_model.bin"),
        ["only pickled weights (pytorch_model.bin)", "unpickling can run code", "save_pretrained"],
    ),
    "pickled pt": (only_pickled("clip.pt"), ["only pickled weights (clip.pt)"]),
    "pickled ckpt": (only_pickled("model.ckpt"), ["only pickled weights (model.ckpt)"]),
    "adapter": (adapter_only, ["holds an adapter alone", "merge it"]),
    "cut weights": (cut, ["model.safetensors: is not a readable safetensors file"]),
    "text weights": (lambda f: (f / "model.safetensors").write_text("hello"), ["model.safetensors: is not a readable safetensors file"]),
    "nan weights": (lambda f: weights(f, poison), ["visual_projection.weight holds NaN or infinite"]),
    "lacking weights": (
        lambda f: weights(f, lambda w: w.pop("visual_projection.weight")),
        ["lack 1 tensors", "first visual_projection.weight"],
    ),
    "index leads out": (lying_index, ["names '../elsewhere.safetensors'", "in the same folder"]),
    "shard missing": (lost_shard, ["the shard model-00001-of-00002.safetensors", "is missing"]),
    "no preprocessor": (lambda f: (f / "preprocessor_config.json").unlink(), ["has no preprocessor_config.json"]),
    "other processor": (
        lambda f: edit(f / "preprocessor_config.json", image_processor_type="SiglipImageProcessor"),
        ["the picture processor is 'SiglipImageProcessor'", "CLIPImageProcessor"],
    ),
    "nearest neighbor": (lambda f: edit(f / "preprocessor_config.json", resample=0), ["preprocessor_config.json: resample is", "accepted"]),
    "other picture size": (lambda f: edit(f / "preprocessor_config.json", crop_size=24, size=24), ["come out as 24 x 24", "takes 32 x 32"]),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), ["tokenizer files are missing (vocab.json, merges.txt)"]),
    "broken tokenizer": (lambda f: (f / "tokenizer.json").write_text("{}"), ["the tokenizer (tokenizer.json) cannot be used"]),
    "cut tokenizer": (lambda f: (f / "tokenizer.json").write_text('{"a'), ["tokenizer.json: is not valid JSON"]),
    "other tokenizer": (
        lambda f: edit(f / "tokenizer_config.json", tokenizer_class="BertTokenizer"),
        ["tokenizer_class is 'BertTokenizer'", "CLIPTokenizer"],
    ),
    "too many words": (weights_for_fewer_words, ["has token 14, but config.json's vocab_size is 10"]),
    "another end": (lambda f: edit(f / "config.json", text_config__eos_token_id=49407), ["all texts get one embedding", "eos_token_id"]),
    "padding read": (largest_pad, ["a text's embedding changes with the texts beside it"]),
    "sound tower": (broken_sound, ["audio/config.json: is not valid JSON"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_folder_gives_one_line_that_names_it(copied, case, no_network, capfd):
    folder = copied()
    spoil, words = WRONG[case]
    spoil(folder)
    with pytest.raises(InputError) as error:
        huggingface.load(folder)
    message, printed = str(error.value), capfd.readouterr()
    assert "\n" not in message and len(message) < 600
    assert all(word in message for word in words), message
    assert (printed.out, printed.err) == ("", "")
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("missing", ["vocab.json", "merges.txt"])
def test_a_missing_tokenizer_file_is_named(copied, missing):
    folder = copied("byte pairs")
    (folder / missing).unlink()
    with pytest.raises(InputError, match=rf"tokenizer files are missing \({missing}\)"):
        huggingface.load(folder)


def test_a_path_that_is_no_folder(tmp_path):
    with pytest.raises(InputError, match=r"openai/clip: does not exist; hf: takes a local folder .* nothing is downloaded"):
        huggingface.load("openai/clip")
    (tmp_path / "file.safetensors").touch()
    with pytest.raises(InputError, match="is a file; hf: takes a folder"):
        huggingface.load(tmp_path / "file.safetensors")
