"""A page of particles for the eye, drawn at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from ...formats.atomic import atomic_path
from ...formats.mrc import map_mrc
from .particles import ParticleSet

_TILE, _GAP = 96, 4  # pixels of the page
_CONTRAST = 3.0  # standard deviations to black and to white


def draw_page(path: str | Path, page: str | Path, *, count: int = 100, seed: int = 1, low_pass: float = 20.0) -> int:
    """Draw particles side by side, each in its own contrast.

    Parameters
    ----------
    path : str or Path
        A particles STAR.
    page : str or Path
        PNG file to write.
    count : int
        How many particles, at most.
    seed : int
        Which ones.
    low_pass : float
        In Å: detail finer than this is blurred, so that particles stand out from the noise. 0: none is.

    Returns
    -------
    int
        How many were drawn; particles whose stack is missing are left out.
    """
    particles = ParticleSet.read(path)
    order = np.random.default_rng(seed).permutation(len(particles.table)).tolist()
    there = {name for name, _, _ in particles.good_stacks()}
    stacks = [name.partition("@")[2] for name in particles.table["rlnImageName"]]
    rows = [row for row in order if stacks[row] in there][:count]
    across = max(int(np.ceil(np.sqrt(len(rows)))), 1)
    step = _TILE + _GAP
    down = -(-len(rows) // across)
    canvas = Image.new("L", (across * step + _GAP, max(down, 1) * step + _GAP), 255)
    for place, row in enumerate(rows):
        image = np.asarray(map_mrc(stacks[row])[particles.indices[row] - 1], dtype=np.float64)
        pixel_size = float(particles.optics_row(row).get("rlnImagePixelSize", 1.0))
        # half of the amplitude is left at the spacing `low_pass`
        blurred = gaussian_filter(image, low_pass / pixel_size * np.sqrt(2 * np.log(2)) / (2 * np.pi))
        tile = Image.fromarray(_grey(blurred)).resize((_TILE, _TILE), Image.Resampling.BICUBIC)
        canvas.paste(tile, (_GAP + place % across * step, _GAP + place // across * step))
    with atomic_path(page) as temporary:
        canvas.save(temporary, format="PNG")
    return len(rows)


def _grey(image: np.ndarray) -> np.ndarray:
    deviation = float(image.std()) or 1.0
    scaled = (image - image.mean()) / (2 * _CONTRAST * deviation) + 0.5
    grey: np.ndarray = np.round(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return grey
