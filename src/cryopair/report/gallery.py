"""Micrographs shown as images: raw, denoised and what was removed, on top of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..formats.coordinates import read_coordinate_table
from ..formats.mrc import read_mrc
from .data import MicrographResult
from .formatting import fixed, percent
from .images import Floats, contrast, grey, jpeg_uri, shrink
from .verdict import share

DISAGREEMENT = "disagreement"
"""Name of the map of where denoised images differ."""
AREA = 700_000
"""Pixels of each image; noise takes about half a byte for each."""
THUMBNAIL_WIDTH = 176
MOST_OUTLIERS = 8
"""Outliers that are shown besides the five that stand for the rest."""

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
    key : str
        Its number in the session, or another name that is unique on the page and has no blanks.
    place : str
        Why it was chosen.
    label : str
        Its name.
    layers : mapping of str to str
        What can be seen, name → data URI, all of one shape.
    thumbnail : str
        Data URI.
    shape : tuple of int
        ``(height, width)`` of the raw micrograph, in pixels, which the picks are in.
    pixel_size : float
        In Å/px, of the raw micrograph.
    picks : list of tuple
        x, y of each pick.
    facts : mapping of str to str
        What is said of it beside the image.
    """

    key: str
    place: str
    label: str
    layers: Mapping[str, str]
    thumbnail: str
    shape: tuple[int, int]
    pixel_size: float
    picks: Sequence[tuple[float, float]] = ()
    facts: Mapping[str, str]

    @property
    def scale_bar(self) -> int:
        """Length of the scale bar in Å."""
        return scale_bar(self.shape[1] * self.pixel_size)


def choose(micrographs: Sequence[MicrographResult]) -> list[tuple[str, MicrographResult]]:
    """Choose five micrographs from the highest to the lowest raw SNR, and then the worst outliers.

    Without any SNR the five are spread over the session, and their place is empty. Micrographs whose images
    are gone are passed over.
    """
    measured = [m for m in micrographs if m.denoised and np.isfinite(m.snr_raw)]
    ranked = sorted(measured, key=lambda m: (-m.snr_raw, m.number)) or [m for m in micrographs if m.denoised]
    chosen: dict[int, str] = {}
    for place, part in _PLACES if ranked else ():
        near = _nearest_shown(ranked, round(part * (len(ranked) - 1)))
        if near is not None:
            chosen.setdefault(near, place if measured else "")
    typical = [(chosen[index], ranked[index]) for index in sorted(chosen)]
    known = {m.number for _, m in typical}
    flagged = sorted((m for m in micrographs if m.flags), key=lambda m: (-len(m.flags), m.number))
    outliers = [m for m in flagged if m.number not in known and _is_shown(m)][:MOST_OUTLIERS]
    return typical + [("outlier", m) for m in sorted(outliers, key=lambda m: m.number)]


def _nearest_shown(ranked: Sequence[MicrographResult], index: int) -> int | None:
    """Return the place nearest to `index` whose images are there."""
    for place in sorted(range(len(ranked)), key=lambda place: (abs(place - index), place)):
        if _is_shown(ranked[place]):
            return place
    return None


def _is_shown(micrograph: MicrographResult) -> bool:
    return bool(micrograph.denoised) and Path(str(micrograph.denoised)).is_file() and Path(micrograph.name).is_file()


def render(place: str, micrograph: MicrographResult) -> View:
    """Make the images of one micrograph of a session."""
    raw, denoised = read_mrc(micrograph.name), read_mrc(str(micrograph.denoised))
    images = {"raw": shown(raw), "denoised": shown(denoised)}
    if raw.shape == denoised.shape:
        images["residual"] = images["raw"] - images["denoised"]
    return View(
        key=str(micrograph.number),
        place=place,
        label=micrograph.label,
        layers=layers(images),
        thumbnail=thumbnail(images["denoised"]),
        shape=(raw.shape[0], raw.shape[1]),
        pixel_size=micrograph.pixel_size,
        picks=_picks(micrograph.coordinates),
        facts=_facts(micrograph),
    )


def shown(image: npt.NDArray) -> Floats:
    """Shrink an image to the size at which it is shown."""
    height, width = image.shape
    return shrink(image, round((AREA * width / height) ** 0.5))


def layers(images: Mapping[str, npt.NDArray]) -> dict[str, str]:
    """Turn images of one micrograph into data URIs.

    The raw image and all denoised ones are each shown in their own contrast. What was removed (a name that begins with
    ``residual``) is shown in the raw image's, so that its strength can be seen; where denoised images differ
    (`DISAGREEMENT`) from black, which is nowhere, to white, which is two deviations of a denoised image.

    Parameters
    ----------
    images : mapping of str to numpy.ndarray
        Name → image, shape ``(height, width)`` each, as `shown` or larger; ``raw`` is among them.
    """
    small_ones = {name: shown(image) for name, image in images.items()}
    low, high = contrast(small_ones["raw"], deviations=_RAW_DEVIATIONS)
    deviation = 1.0  # of the denoised image before
    found = {}
    for name, small in small_ones.items():
        if name.startswith("residual"):
            middle = float(np.median(small[np.isfinite(small)]))
            limits = middle - (high - low) / 2, middle + (high - low) / 2
        elif name == DISAGREEMENT:
            limits = 0.0, 2 * deviation
        elif name == "raw":
            limits = low, high
        else:
            limits = contrast(small, deviations=_DENOISED_DEVIATIONS)
            deviation = (limits[1] - limits[0]) / (2 * _DENOISED_DEVIATIONS)
        found[name] = jpeg_uri(grey(small, limits))
    return found


def thumbnail(image: npt.NDArray) -> str:
    """Turn an image into a small data URI."""
    small = shrink(image, THUMBNAIL_WIDTH)
    return jpeg_uri(grey(small, contrast(small, deviations=_DENOISED_DEVIATIONS)))


def scale_bar(width: float) -> int:
    """Return the round length, in Å, that is nearest to a sixth of an image `width` Å wide."""
    return min(_SCALE_BARS, key=lambda length: abs(np.log(6 * length / width)))


def _facts(m: MicrographResult) -> dict[str, str]:
    facts = {
        "Micrograph": m.label,
        "SNR": f"{fixed(m.snr_raw)} → {fixed(m.snr_denoised)} dB",
        "Bias": f"{fixed(m.bias)} dB ({percent(share(m.bias))})",
        "Motion": f"{fixed(m.motion_early + m.motion_late)} Å",
    }
    if m.defocus > 0:
        facts["Defocus"] = f"{fixed(m.defocus / 1e4, 2)} µm"
    if m.picks is not None:
        facts["Picks"] = str(m.picks)
    if m.role:
        facts["Model"] = "held out from training" if m.held_out else "trained on it"
    if m.flags:
        facts["Stands out"] = "; ".join(m.flags)
    return facts


def _picks(star: str | None) -> list[tuple[float, float]]:
    if star is None:
        return []
    table = read_coordinate_table(star)
    x, y = table.floats("rlnCoordinateX").tolist(), table.floats("rlnCoordinateY").tolist()
    return list(zip(x, y, strict=True))
