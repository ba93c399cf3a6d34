"""Distortion of log-mel spectrograms in training: few voices teach a tower to hear many when each is heard bent."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

WARP = 0.16
GAIN = 0.12
BANDS = 6
FRAMES = 5


def distort(mel: Tensor, generator: torch.Generator) -> Tensor:
    """Log-mels (n, mels, frames), each with its frequency axis stretched by up to 16% (another vocal tract), a smooth random
    gain over frequency (another microphone), and two bands and two short times blanked (SpecAugment, Park et al. 2019)."""
    count, mels, frames = mel.shape
    stretch = 1.0 + (torch.rand(count, 1, generator=generator) * 2 - 1) * WARP
    row = ((torch.arange(mels) + 0.5) * stretch / mels * 2 - 1).clamp(-1, 1)
    column = (torch.arange(frames) + 0.5) / frames * 2 - 1
    grid = torch.stack([column.expand(count, mels, frames), row.unsqueeze(2).expand(count, mels, frames)], dim=-1)
    warped = F.grid_sample(mel.unsqueeze(1), grid, padding_mode="border", align_corners=False).squeeze(1)
    gain = F.interpolate(torch.randn(count, 1, 6, generator=generator) * GAIN, size=mels, mode="linear", align_corners=True)
    heard = warped + gain.transpose(1, 2)
    blank = heard.mean(dim=(1, 2), keepdim=True)
    for axis, size, longest in ((1, mels, BANDS), (2, frames, FRAMES)):
        for _ in range(2):
            length = torch.randint(longest + 1, (count, 1), generator=generator)
            start = (torch.rand(count, 1, generator=generator) * (size - length)).long()
            place = torch.arange(size)
            hidden = (place >= start) & (place < start + length)
            heard = torch.where(hidden.unsqueeze(3 - axis), blank, heard)
    return heard
