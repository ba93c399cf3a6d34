"""CLIP as an Encoder: any transformers CLIP, with an optional audio tower that shares its space."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hartley import files as opening
from hartley.targets.audio_tower import AudioTower, LogMel

DECIDING_FILES = ("*.json", "*.safetensors", "merges.txt", "audio/*.json", "audio/*.safetensors")
NOT_DECIDING = frozenset({"abilities.json"})


@dataclass(frozen=True)
class Normalize:
    """The smallest preprocessing: (pixels - mean) / std, for pictures that already have the tower's size.

    mean, std: three floats; size: (height, width). Raises ValueError for a picture of another shape.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]

    def __call__(self, pixels: Tensor) -> Tensor:
        if tuple(pixels.shape[1:]) != (3, *self.size):
            raise ValueError(f"pictures have shape {tuple(pixels.shape)}, this encoder takes (n, 3, {self.size[0]}, {self.size[1]})")
        mean = torch.tensor(self.mean, dtype=pixels.dtype, device=pixels.device).view(3, 1, 1)
        std = torch.tensor(self.std, dtype=pixels.dtype, device=pixels.device).view(3, 1, 1)
        return (pixels - mean) / std


class Towers(nn.Module):
    """The parameters of a ClipEncoder: `clip` (a transformers CLIPModel) and `audio` (an AudioTower, or None)."""

    def __init__(self, clip: nn.Module, audio: AudioTower | None = None) -> None:
        super().__init__()
        self.clip = clip
        self.audio = audio


class ClipEncoder:
    """A CLIP from parts that are already loaded; satisfies `Encoder` and `Trainable`.

    name        what the report calls it.
    clip        a transformers CLIPModel; put into evaluation mode, gradients to its parameters switched off.
    tokenizer   a transformers tokenizer with padding.
    preprocess  pixels in [0, 1] to what the vision tower takes, differentiably; `Normalize` where sizes match.
    image_size  (height, width) that `preprocess` needs; None: any.
    fingerprint a hash of the weights and settings. A clone's is computed from its live weights instead.
    audio       an AudioTower into the same space, or None.
    """

    def __init__(
        self,
        *,
        name: str,
        clip: nn.Module,
        tokenizer: Any,
        preprocess: Callable[[Tensor], Tensor],
        image_size: tuple[int, int] | None,
        fingerprint: str,
        audio: AudioTower | None = None,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        self.preprocess = preprocess
        self._image_size = image_size
        self._fingerprint = fingerprint
        self._is_clone = False
        self._towers = Towers(clip, audio).eval().requires_grad_(False)

    @property
    def fingerprint(self) -> str:
        """A hash of the weights and of all settings; for a clone, of its weights as they are now."""
        if not self._is_clone:
            return self._fingerprint
        digest = hashlib.sha256(self._fingerprint.encode())
        for key, value in sorted(self._towers.state_dict().items()):
            digest.update(key.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"grad", "score", "train"})

    @property
    def modalities(self) -> frozenset[str]:
        return frozenset({"image", "text"} | ({"audio"} if self._towers.audio is not None else set()))

    @property
    def image_size(self) -> tuple[int, int] | None:
        return self._image_size

    @property
    def sample_rate(self) -> int:
        """Samples a second that embed_audio expects; 16,000 without an audio tower."""
        return 16_000 if self._towers.audio is None else self._towers.audio.sample_rate

    @property
    def logit_scale(self) -> float:
        return float(self._towers.clip.logit_scale.detach().exp())  # type: ignore[operator]

    @property
    def module(self) -> Towers:
        return self._towers

    def embed_image(self, pixels: Tensor) -> Tensor:
        features = self._towers.clip.get_image_features(pixel_values=self.preprocess(pixels))  # type: ignore[operator]
        return F.normalize(features.pooler_output, dim=-1)

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm. Longer texts are cut at the tower's last position; "" is bos and eos alone."""
        clip: Any = self._towers.clip
        if not texts:
            return torch.zeros(0, clip.config.projection_dim)
        limit = clip.config.text_config.max_position_embeddings
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, max_length=limit)
        ids, mask = (torch.tensor(tokens[key], device=clip.device) for key in ("input_ids", "attention_mask"))
        return F.normalize(clip.get_text_features(input_ids=ids, attention_mask=mask).pooler_output, dim=-1)

    def embed_audio(self, waveform: Tensor) -> Tensor:
        if self._towers.audio is None:
            raise ValueError(f"{self.name} has no audio tower")
        return F.normalize(self._towers.audio(waveform), dim=-1)

    def clone(self) -> ClipEncoder:
        """A copy with parameters of its own, in evaluation mode and frozen: set requires_grad on its module to train it."""
        twin = copy.copy(self)
        twin._towers = copy.deepcopy(self._towers)
        twin._is_clone = True
        return twin


def folder_fingerprint(path: Path, patterns: Sequence[str] = DECIDING_FILES) -> str:
    """sha256 over the names and bytes of the files of a model folder that decide an answer: by default those of a CLIP."""
    digest = hashlib.sha256()
    files = {file for pattern in patterns for file in path.glob(pattern) if file.name not in NOT_DECIDING}
    for file in sorted(files, key=lambda found: found.relative_to(path).as_posix()):
        with opening.opened(file) as content:
            digest.update(file.relative_to(path).as_posix().encode() + b"\0" + hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def load_audio_tower(folder: Path, dimensions: int) -> AudioTower:
    """The audio tower in `folder` (config.json, preprocessor_config.json, model.safetensors), in float32.

    Raises OSError, KeyError or RuntimeError when a file is missing or does not fit.
    """
    from safetensors.torch import load_file
    from transformers import WhisperConfig

    front = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
    log_mel = LogMel(
        mels=front["feature_size"],
        n_fft=front["n_fft"],
        hop=front["hop_length"],
        seconds=front["chunk_length"],
        sample_rate=front["sampling_rate"],
    )
    tower = AudioTower(WhisperConfig.from_json_file(str(folder / "config.json")), dimensions, log_mel)
    weights = load_file(folder / "model.safetensors")
    tower.load_state_dict({key: value.float() for key, value in weights.items()})
    return tower


@contextmanager
def no_bar() -> Iterator[None]:
    """transformers draws a progress bar over the weights of every model; a tool's own output is no place for it."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def load_clip_folder(path: Path, *, name: str, preprocess: Callable[[Tensor], Tensor] | None = None) -> ClipEncoder:
    """The CLIP in a folder that is known to be sound, from safetensors alone, in float32, with `audio/` when it is there.

    Without `preprocess`, pictures must come at the tower's own size and are normalized only. A user's folder, which may
    be wrong in many ways, is checked elsewhere before it gets here.
    """
    from transformers import AutoTokenizer, CLIPModel

    with no_bar():
        clip: Any = CLIPModel.from_pretrained(
            path, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, attn_implementation="sdpa"
        )
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    settings = json.loads((path / "preprocessor_config.json").read_text(encoding="utf-8"))
    side = clip.config.vision_config.image_size
    normalize = Normalize(tuple(settings["image_mean"]), tuple(settings["image_std"]), (side, side))
    audio = load_audio_tower(path / "audio", clip.config.projection_dim) if (path / "audio").is_dir() else None
    return ClipEncoder(
        name=name,
        clip=clip,
        tokenizer=tokenizer,
        preprocess=preprocess or normalize,
        image_size=None if preprocess else (side, side),
        fingerprint=folder_fingerprint(path),
        audio=audio,
    )
