"""Sample images of a training: what the network makes of a held-out pair, to be looked at while it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from ...formats.atomic import atomic_path
from ..inference import denoise_normalised
from ..networks.base import Network
from .pairs import OpenPair

SAMPLES = "samples"
"""Folder beside the model."""

_SIDE = 512
_LOW_PASS = 4.0  # standard deviation of the Gaussian in pixels: about where a particle's outline is best seen
_GAP = 8  # white pixels between the images
_DARKEST, _LIGHTEST = 0.5, 99.5  # percentiles of the low-passed half that the grey scale spans
_REACH = 1.5  # and as much wider, since the denoised half is sharper


def write_sample(folder: Path, step: int, network: Network, pair: OpenPair, *, device: torch.device) -> None:
    """Write ``samples/step_000450.png``: a half, the same denoised, and the other half low-passed, for comparison.

    All three have the grey scale of the third, which is the same at all steps.

    Parameters
    ----------
    folder : Path
        Of the model.
    step : int
        Of the training.
    network : Network
        As it is by then.
    pair : OpenPair
        Held out; its centre is shown.
    device : torch.device
        Where to compute.
    """
    given, other = pair.centre(_SIDE, network.grid)
    smooth = gaussian_filter(other, _LOW_PASS)
    denoised = denoise_normalised(given, network, device=device)
    low, high = np.percentile(smooth, (_DARKEST, _LIGHTEST))
    middle, reach = (low + high) / 2, max(_REACH * (high - low) / 2, 1e-6)
    gap = np.full((given.shape[0], _GAP), 255, np.uint8)
    greys = [
        np.round(np.clip((image - middle) / reach + 1, 0, 2) * 127.5).astype(np.uint8)
        for image in (given, denoised, smooth)
    ]
    strip = np.concatenate([greys[0], gap, greys[1], gap, greys[2]], axis=1)
    with atomic_path(folder / SAMPLES / f"step_{step:06d}.png") as temporary:
        Image.fromarray(strip).save(temporary)
