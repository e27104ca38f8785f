"""Halves are checked, not trusted: do they belong together, and to this micrograph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import avg_pool2d

_BIN = 4
_BACKGROUND = 16

MIN_CORRELATION_WITH_RAW = 0.5
"""Below this, even + odd is not the same exposure as the micrograph. The right one has more than 0.99."""


def correlation(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Return the correlation of two images at medium resolution, from -1 to 1.

    Both are averaged over 4 x 4 px, where the signal of cryoEM micrographs is, and freed of what varies
    over more than 64 px, so that uneven illumination, common to all exposures, does not count.

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
    pooled = avg_pool2d(torch.from_numpy(image)[None, None], _BIN)
    smooth = avg_pool2d(pooled, _BACKGROUND + 1, stride=1, padding=_BACKGROUND // 2, count_include_pad=False)
    flat = (pooled - smooth).to(torch.float64)
    return flat - flat.mean()
