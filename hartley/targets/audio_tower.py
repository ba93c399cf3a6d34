"""Audio tower: a Whisper-style encoder on a log-mel spectrogram that torch computes, so gradients reach the waveform."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LogMel(nn.Module):
    """Whisper's log-mel spectrogram, differentiable.

    Waveforms are cut or zero-padded to `seconds`. (n, samples) in [-1, 1] to (n, mels, frames); with sample_rate
    16,000, hop 400 and 3 seconds there are 120 frames. Scale and clamp are those of `WhisperFeatureExtractor`: eight
    decades below the loudest bin of each waveform, then (log10 + 4) / 4.
    """

    bank: Tensor
    window: Tensor

    def __init__(self, *, mels: int = 40, n_fft: int = 400, hop: int = 400, seconds: float = 3.0, sample_rate: int = 16_000) -> None:
        from transformers.audio_utils import mel_filter_bank

        super().__init__()
        self.n_fft, self.hop, self.sample_rate = n_fft, hop, sample_rate
        self.samples = round(seconds * sample_rate)
        bank = mel_filter_bank(
            num_frequency_bins=1 + n_fft // 2,
            num_mel_filters=mels,
            min_frequency=0.0,
            max_frequency=sample_rate / 2,
            sampling_rate=sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("bank", torch.as_tensor(bank, dtype=torch.float32).T.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        length = waveform.shape[-1]
        fitted = waveform[:, : self.samples] if length >= self.samples else F.pad(waveform, (0, self.samples - length))
        spectrum = torch.stft(fitted, self.n_fft, self.hop, window=self.window, return_complex=True)[..., :-1]
        power = spectrum.real.square() + spectrum.imag.square()
        level = (self.bank @ power).clamp_min(1e-10).log10()
        floor = level.amax(dim=(1, 2), keepdim=True) - 8.0
        return (torch.maximum(level, floor) + 4.0) / 4.0


class AudioTower(nn.Module):
    """Log-mel, Whisper encoder, mean over time, linear map into the space of a CLIP: (n, samples) to (n, d), not normed."""

    def __init__(self, config: Any, dimensions: int, front: LogMel) -> None:
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        super().__init__()
        self.front = front
        self.encoder = WhisperEncoder(config)
        self.projection = nn.Linear(config.d_model, dimensions, bias=False)

    @property
    def sample_rate(self) -> int:
        """Samples a second that the tower expects."""
        return self.front.sample_rate

    def forward(self, waveform: Tensor) -> Tensor:
        return self.encode(self.front(waveform))

    def encode(self, mel: Tensor) -> Tensor:
        """The rest of the tower, from a log-mel spectrogram (n, mels, frames) to (n, d)."""
        states = self.encoder(mel).last_hidden_state
        return self.projection(states.mean(dim=1))
