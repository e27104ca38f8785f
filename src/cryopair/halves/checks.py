"""Halves are checked, not trusted: do they belong together, and to this micrograph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import avg_pool2d

from ..errors import BadFileError, CryopairError
from ..formats.fingerprint import MISSING, fingerprint
from ..micrographs import Row

_BIN = 4
_BACKGROUND = 16
_OUTLIER = 8.0  # robust standard deviations

MIN_CORRELATION_WITH_RAW = 0.5
"""Below this, even + odd is not the same exposure as the micrograph. The right one has more than 0.99."""


def check_unchanged(row: Row, *files: str) -> None:
    """Compare the files of a micrograph with what the planner saw, if it did.

    Raises
    ------
    BadFileError
        When one is missing, or is another than it was.
    """
    now = fingerprint(*files)
    if now == MISSING:
        missing = next(name for name in files if fingerprint(name) == MISSING)
        raise BadFileError(missing, "no such file", fix="Was it moved, or is a disk not mounted?")
    if row.get("cryopairFingerprint", now) != now:
        raise BadFileError(
            files[0],
            "has changed since it was planned" + (f", or {' or '.join(files[1:])} has" if files[1:] else ""),
            fix="Run again: the next pass takes in the new file.",
        )


def check_fit(
    even: npt.NDArray[np.float32], odd: npt.NDArray[np.float32], raw: npt.NDArray[np.float32], *, what: str
) -> tuple[float, float]:
    """Return the correlations of two halves with each other and of their sum with the micrograph.

    Raises
    ------
    CryopairError
        When they do not belong together.
    """
    between, with_raw = correlation(even, odd), correlation(even + odd, raw)
    if not (between > 0 and with_raw > MIN_CORRELATION_WITH_RAW):
        raise CryopairError(
            f"{what}: the halves do not fit: correlation {between:.3f} between even and odd (expected above 0), "
            f"{with_raw:.3f} of their sum with the micrograph (expected above {MIN_CORRELATION_WITH_RAW:g}). Is it "
            "another movie, or an empty one?"
        )
    return between, with_raw


def correlation(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Return the correlation of two images at medium resolution, from -1 to 1.

    Both are averaged over 4 x 4 px, where the signal of cryoEM micrographs is, and freed of what varies
    over more than 64 px, so that uneven illumination, common to all exposures, does not count. Values beyond
    eight standard deviations are cut, so that no saturated row of a micrograph decides alone.

    Parameters
    ----------
    a, b : numpy.ndarray
        Shape ``(height, width)``, equal.

    Returns
    -------
    float
        0 when either image is constant.
    """
    flat_a, flat_b = _flattened(a), _flattened(b)
    norm = float(flat_a.norm() * flat_b.norm())
    return float((flat_a * flat_b).sum()) / norm if norm > 0 else 0.0


def _flattened(image: npt.NDArray[np.float32]) -> torch.Tensor:
    pooled = _without_outliers(avg_pool2d(torch.from_numpy(image)[None, None], _BIN))
    smooth = avg_pool2d(pooled, _BACKGROUND + 1, stride=1, padding=_BACKGROUND // 2, count_include_pad=False)
    flat = _without_outliers((pooled - smooth).to(torch.float64))
    return flat - flat.mean()


def _without_outliers(image: torch.Tensor) -> torch.Tensor:
    """Cut values that are more than `_OUTLIER` robust standard deviations away from the median."""
    median = image.median()
    limit = _OUTLIER * 1.4826 * (image - median).abs().median()
    return image.clamp(median - limit, median + limit)
