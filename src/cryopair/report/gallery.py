"""The micrographs that the report shows as images: chosen by SNR, raw beside denoised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..formats.coordinates import read_coordinate_table
from ..formats.mrc import read_mrc
from .data import MicrographResult
from .images import contrast, grey, jpeg_uri, shrink

WIDTH = 700
"""Of the images, in pixels."""
DIFFERENCE_WIDTH = 480
THUMBNAIL_WIDTH = 176

_PLACES = (
    ("median SNR", 0.5),
    ("highest SNR", 0.0),
    ("lowest SNR", 1.0),
    ("upper quartile", 0.25),
    ("lower quartile", 0.75),
)
"""Which micrographs: places in the order of falling raw SNR, the ones that matter most first."""
_RAW_DEVIATIONS = 3.0
_DENOISED_DEVIATIONS = 4.0
_SCALE_BARS = (50, 100, 200, 500, 1000, 2000, 5000, 10000)  # Å


@dataclass(frozen=True, kw_only=True)
class View:
    """One micrograph in the gallery.

    Attributes
    ----------
    place : str
        Why it was chosen.
    micrograph : MicrographResult
        Its figures.
    raw, denoised, thumbnail : str
        Data URIs.
    difference : str or None
        Raw less denoised; None when the two differ in size.
    shape : tuple of int
        ``(height, width)`` of the raw micrograph, in pixels, which the picks are in.
    picks : list of tuple
        x, y of each pick.
    scale_bar : int
        Length of the scale bar in Å.
    """

    place: str
    micrograph: MicrographResult
    raw: str
    denoised: str
    thumbnail: str
    difference: str | None
    shape: tuple[int, int]
    picks: list[tuple[float, float]]
    scale_bar: int


def choose(micrographs: Sequence[MicrographResult]) -> list[tuple[str, MicrographResult]]:
    """Choose up to five micrographs, from the highest to the lowest raw SNR.

    Without any SNR they are spread over the session, and their place is empty. Micrographs whose images
    are gone are passed over.
    """
    shown = [m for m in micrographs if m.denoised and Path(m.denoised).is_file() and Path(m.name).is_file()]
    measured = [m for m in shown if np.isfinite(m.snr_raw)]
    ranked = sorted(measured, key=lambda m: (-m.snr_raw, m.number)) or shown
    chosen: dict[int, str] = {}
    for place, share in _PLACES if ranked else ():
        chosen.setdefault(round(share * (len(ranked) - 1)), place if measured else "")
    return [(chosen[index], ranked[index]) for index in sorted(chosen)]


def render(place: str, micrograph: MicrographResult) -> View:
    """Make the images of one micrograph.

    Raw and denoised are each shown in their own contrast; the difference is shown in the raw one's, so that
    its strength can be seen.
    """
    assert micrograph.denoised is not None
    raw, denoised = read_mrc(micrograph.name), read_mrc(micrograph.denoised)
    small_raw, small_denoised = shrink(raw, WIDTH), shrink(denoised, WIDTH)
    raw_limits = contrast(small_raw, deviations=_RAW_DEVIATIONS)
    seen = grey(small_denoised, contrast(small_denoised, deviations=_DENOISED_DEVIATIONS))
    return View(
        place=place,
        micrograph=micrograph,
        raw=jpeg_uri(grey(small_raw, raw_limits)),
        denoised=jpeg_uri(seen),
        thumbnail=jpeg_uri(np.round(shrink(seen, THUMBNAIL_WIDTH)).astype(np.uint8)),
        difference=_difference(raw, denoised) if raw.shape == denoised.shape else None,
        shape=(raw.shape[0], raw.shape[1]),
        picks=_picks(micrograph.coordinates),
        scale_bar=scale_bar(raw.shape[1] * micrograph.pixel_size),
    )


def scale_bar(width: float) -> int:
    """Return the round length, in Å, that is nearest to a sixth of an image `width` Å wide."""
    return min(_SCALE_BARS, key=lambda length: abs(np.log(6 * length / width)))


def _difference(raw: np.ndarray, denoised: np.ndarray) -> str:
    difference = shrink(raw - denoised, DIFFERENCE_WIDTH)
    low, high = contrast(shrink(raw, DIFFERENCE_WIDTH), deviations=_RAW_DEVIATIONS)
    middle = float(np.median(difference))
    return jpeg_uri(grey(difference, (middle - (high - low) / 2, middle + (high - low) / 2)))


def _picks(star: str | None) -> list[tuple[float, float]]:
    if star is None:
        return []
    table = read_coordinate_table(star)
    x, y = table.floats("rlnCoordinateX").tolist(), table.floats("rlnCoordinateY").tolist()
    return list(zip(x, y, strict=True))
