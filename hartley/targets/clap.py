"""CLAP as an Encoder of sound and text, with a differentiable twin of its feature extractor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PADDINGS = ("repeatpad", "repeat", "pad")


class ClapMel(nn.Module):
    """The twin of `ClapFeatureExtractor`: waveforms (n, samples) in [-1, 1] to decibels (n, channels, frames, mels).

    Shorter waveforms are filled up as `padding` says: repeated and then silence ("repeatpad"), repeated, or silence.
    Longer ones are cut at `seconds`; the original cuts at a random place. With `fused` the spectrogram comes four times,
    as the original does for sound that fits.
    """

    bank: Tensor
    window: Tensor

    def __init__(
        self, *, mels: int, n_fft: int, hop: int, seconds: int, sample_rate: int, low: float, high: float, padding: str, fused: bool
    ) -> None:
        from transformers.audio_utils import mel_filter_bank

        super().__init__()
        self.n_fft, self.hop, self.sample_rate, self.padding, self.fused = n_fft, hop, sample_rate, padding, fused
        self.samples = seconds * sample_rate
        bank = mel_filter_bank(
            num_frequency_bins=1 + n_fft // 2,
            num_mel_filters=mels,
            min_frequency=low,
            max_frequency=high,
            sampling_rate=sample_rate,
            norm=None if fused else "slaney",
            mel_scale="htk" if fused else "slaney",
        )
        self.register_buffer("bank", torch.as_tensor(bank, dtype=torch.float32), persistent=False)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        length = waveform.shape[-1]
        if length < self.samples:
            times = {"repeatpad": self.samples // length, "repeat": self.samples // length + 1, "pad": 1}[self.padding]
            waveform = waveform.repeat(1, times)[:, : self.samples]
            waveform = F.pad(waveform, (0, self.samples - waveform.shape[-1]))
        spectrum = torch.stft(waveform[:, : self.samples], self.n_fft, self.hop, window=self.window, return_complex=True)
        power = (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ self.bank
        decibels = 10.0 * power.clamp_min(1e-10).log10()
        return decibels[:, None].expand(-1, 4 if self.fused else 1, -1, -1)


class ClapEncoder:
    """A ClapModel; satisfies `Encoder` with the modalities audio and text.

    model      transformers' model, in evaluation mode, parameters frozen.
    tokenizer  its tokenizer, with padding.
    front      the twin of its feature extractor.
    """

    def __init__(self, *, name: str, fingerprint: str, model: Any, tokenizer: Any, front: ClapMel) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.front = front
        self.module = model.eval().requires_grad_(False)

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"grad", "score"})

    @property
    def modalities(self) -> frozenset[str]:
        return frozenset({"audio", "text"})

    @property
    def image_size(self) -> tuple[int, int] | None:
        """None: CLAP sees nothing."""
        return None

    @property
    def sample_rate(self) -> int:
        return self.front.sample_rate

    @property
    def logit_scale(self) -> float:
        """The scale from sound to text."""
        return float(self.module.logit_scale_a.detach().exp())

    def embed_image(self, pixels: Tensor) -> Tensor:
        """Raises ValueError: CLAP does not see."""
        raise ValueError(f"{self.name} has no vision tower")

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """n strings to (n, d), unit norm. Longer texts are cut at the tower's last position."""
        if not texts:
            return torch.zeros(0, self.module.config.projection_dim)
        text = self.module.config.text_config
        room = text.max_position_embeddings - text.pad_token_id - 1  # RoBERTa's positions begin after the padding's number
        tokens = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=room,
            return_token_type_ids=False,
            split_special_tokens=True,
        )
        ids, mask = (torch.tensor(tokens[key], device=self.module.device) for key in ("input_ids", "attention_mask"))
        return F.normalize(self.module.get_text_features(input_ids=ids, attention_mask=mask).pooler_output, dim=-1)

    def embed_audio(self, waveform: Tensor) -> Tensor:
        """(n, samples) in [-1, 1] to (n, d), unit norm. Raises ValueError for waveforms without samples."""
        if waveform.dim() != 2 or waveform.shape[1] == 0:
            raise ValueError(f"waveforms have shape {tuple(waveform.shape)}, {self.name} takes (n, samples)")
        longer = torch.zeros(len(waveform), 1, dtype=torch.bool, device=waveform.device)
        return F.normalize(self.module.get_audio_features(input_features=self.front(waveform), is_longer=longer).pooler_output, dim=-1)
