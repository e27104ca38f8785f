"""Movies, gains and micrographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..formats.movies import EER_SUFFIXES, MRC_SUFFIXES, TIFF_SUFFIXES, EerRendering, open_movie
from ..formats.movies.tiff import TiffMovie
from ..formats.mrc import read_mrc_info

GAIN_SUFFIX = ".gain"

_RAW_EER = EerRendering(grouping=1, upsampling=1)
_GAIN_MEAN = (0.3, 3.0)  # a gain reference is relative to its mean, or nearly so


def is_single_image(path: Path) -> bool:
    """Tell whether a file in MRC or TIFF format holds one image only: a micrograph or a gain."""
    suffix = path.suffix.lower()
    if suffix in MRC_SUFFIXES:
        return read_mrc_info(path).shape[0] == 1
    if suffix in TIFF_SUFFIXES:
        with open_movie(path) as movie:
            return movie.shape[0] == 1
    return False


def describe_movie(path: Path) -> list[tuple[str, str]]:
    """Describe a movie by its size, its type and its first frame."""
    eer = path.suffix.lower() in EER_SUFFIXES
    with open_movie(path, eer=_RAW_EER) as movie:
        frames, height, width = movie.shape
        first = movie.read(0)
    raw = "raw frames" if eer else "frames"
    lines = [("movie", f"{frames} {raw} of {width} x {height} px, {_type(first.dtype)}")]
    if path.suffix.lower() in MRC_SUFFIXES:
        lines += _header(path)
    lines.append(("row order", _row_order(path)))
    lines.append(("first frame", f"mean {first.mean(dtype=np.float64):.4g} per pixel, {_range(first)}"))
    if eer:
        lines.append(("next", "as raw frames hold few electrons, they are summed in groups: 'eer_grouping'"))
    return lines


def describe_image(path: Path) -> list[tuple[str, str]]:
    """Describe a single image; say so if it looks like a gain, or is denoised."""
    suffix = path.suffix.lower()
    if suffix == GAIN_SUFFIX:
        with TiffMovie(path) as file:
            image = file.read(0)
    else:
        with open_movie(path) as file:
            image = file.read(0)
    height, width = image.shape
    kind = "gain" if suffix == GAIN_SUFFIX or _is_gain(image) else "image"
    lines = [(kind, f"{width} x {height} px, {_type(image.dtype)}")]
    if suffix in MRC_SUFFIXES:
        lines += _header(path)
    lines.append(("values", f"mean {image.mean(dtype=np.float64):.4g}, {_range(image)}"))
    if kind == "gain":
        lines.append(("defects", f"{int((image == 0).sum())} pixels are 0"))
    not_finite = int((~np.isfinite(image)).sum())
    if not_finite:
        lines.append(("problem", f"{not_finite} pixels are not finite numbers"))
    return lines


def _header(path: Path) -> list[tuple[str, str]]:
    info = read_mrc_info(path)
    lines = [("pixel size", f"{info.pixel_size:g} Å/px" if info.pixel_size else "not in the header")]
    lines += [("label", " ".join(label.split())) for label in info.labels if label.strip()]
    if info.denoised:
        lines.append(("denoised", "yes: for seeing and picking; extraction refuses it"))
    return lines


def _row_order(path: Path) -> str:
    if path.suffix.lower() in TIFF_SUFFIXES:
        return "the last row in the file comes first, as RELION reads TIFF"
    return "as in the file"


def _is_gain(image: npt.NDArray) -> bool:
    """Tell by the values: positive, with a mean near 1, and no counts."""
    if image.dtype.kind != "f" or not np.isfinite(image).all() or image.min() < 0:
        return False
    return _GAIN_MEAN[0] < image.mean(dtype=np.float64) < _GAIN_MEAN[1] and bool((image != np.rint(image)).any())


def _type(dtype: np.dtype) -> str:
    return dtype.newbyteorder("=").name


def _range(image: npt.NDArray) -> str:
    return f"from {np.min(image):g} to {np.max(image):g}"
