"""The SNR of Bepler et al. (2020), from regions with and without a particle, here where there are picks.

For each pick, the mean and variance of a background region nearby, μb and vb, and of the region of the particle after
μb was subtracted, μs and vs, give the signal-to-noise ratio; in dB it is averaged over the pairs:
``10 / N Σ (lg signal - lg vb)``. Whether the paper's signal is ``μs²`` or ``μs² + vs`` is not known to us, so both are
given. Neither knows of bias: blur raises both. They are for comparison with published values, the SNR of the
halves is for judging.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

from ..formats.atomic import write_text
from ..formats.coordinates import read_coordinate_table
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row, process
from .tables import format_table

REGION = 0.5
"""Side of a region in particle diameters: inside the particle also where a pick is somewhat off."""
APART = 1.1
"""Distance of a background region from any pick, in diameters, at least."""
FEWEST = 5
"""Pairs of regions below which nothing is said."""


@dataclass(frozen=True)
class AnnotatedSnr:
    """SNR from pairs of regions, in dB; NaN with fewer than `FEWEST` pairs.

    Attributes
    ----------
    pairs : int
        Number of picks that have a background region.
    mean_db : float
        With the squared mean of the particle's region as signal.
    mean_and_variance_db : float
        With the variance of the particle's region added.
    """

    pairs: int
    mean_db: float
    mean_and_variance_db: float


def annotated_snr(
    image: npt.NDArray, x: npt.ArrayLike, y: npt.ArrayLike, *, diameter: float, pixel_size: float
) -> AnnotatedSnr:
    """Measure an image at picks and beside them.

    Parameters
    ----------
    image : numpy.ndarray
        Raw or denoised, shape ``(height, width)``.
    x, y : array_like
        Columns and rows of the picks in pixels of the image.
    diameter : float
        Of the particle, in Å.
    pixel_size : float
        Of the image, in Å/px.
    """
    side = max(3, round(REGION * diameter / pixel_size) | 1)
    picks = np.stack([np.asarray(y, np.float64), np.asarray(x, np.float64)], axis=1).reshape(-1, 2)
    margin = side // 2 + 1
    inside = ((picks >= margin) & (picks < np.array(image.shape) - margin)).all(axis=1)
    places = _background(image.shape, picks, margin=margin, away=APART * diameter / pixel_size)
    if not inside.any() or not len(places):
        return AnnotatedSnr(0, math.nan, math.nan)
    nearest = places[cKDTree(places).query(picks[inside])[1]]
    flat = image.astype(np.float64) - float(image.mean(dtype=np.float64))
    mean = ndimage.uniform_filter(flat, side)
    variance = np.maximum(ndimage.uniform_filter(flat**2, side) - mean**2, 0)
    at, beside = picks[inside].round().astype(int), nearest.round().astype(int)
    signal = (mean[tuple(at.T)] - mean[tuple(beside.T)]) ** 2
    spread, noise = variance[tuple(at.T)], variance[tuple(beside.T)]
    usable = (signal > 0) & (noise > 0)
    if usable.sum() < FEWEST:
        return AnnotatedSnr(int(usable.sum()), math.nan, math.nan)
    values = [10 * float(np.mean(np.log10(power[usable] / noise[usable]))) for power in (signal, signal + spread)]
    return AnnotatedSnr(int(usable.sum()), *values)


def measure_at_picks(micrographs: Micrographs, *, diameter: float, out_csv: Path) -> Micrographs:
    """Measure raw and denoised micrographs at the same picks and beside them.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographCoordinates`` (raw pixels) and ``rlnMicrographNameDenoised``: of ``cryopair handoff``.
    diameter : float
        Of the particle, in Å.
    out_csv : Path
        One row a micrograph.

    Returns
    -------
    Micrographs
        Those that could be measured, unchanged, and all failures so far.
    """
    rows: list[dict[str, object]] = []

    def measure(row: Row) -> Mapping[str, object]:
        table = read_coordinate_table(row["rlnMicrographCoordinates"])
        x, y = table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")
        figures: dict[str, object] = {"micrograph": row["rlnMicrographName"]}
        for kind, label in (("raw", "rlnMicrographName"), ("denoised", "rlnMicrographNameDenoised")):
            image, pixel_size = read_mrc(row[label]), micrographs.pixel_size(row)
            snr = annotated_snr(image, x, y, diameter=diameter, pixel_size=pixel_size)
            figures["pairs"] = snr.pairs
            figures[f"annotated_snr_{kind}_mean_db"] = snr.mean_db
            figures[f"annotated_snr_{kind}_mean_and_variance_db"] = snr.mean_and_variance_db
        rows.append(figures)
        return {}

    measured = process(micrographs, "measure-picks", measure, columns=())
    write_text(out_csv, format_table(rows))
    return measured


def _background(
    shape: tuple[int, ...], picks: npt.NDArray[np.float64], *, margin: int, away: float
) -> npt.NDArray[np.float64]:
    """Return centres of regions without a pick, on a grid of half a region, shape ``(places, 2)``: row and column."""
    rows, columns = (np.arange(margin, size - margin, max(1, margin)) for size in shape)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float64)
    if not len(grid) or not len(picks):
        return np.zeros((0, 2))
    return grid[cKDTree(picks).query(grid)[0] >= away]
