"""Interpolation of local motion against its definition, pixel by pixel."""

import math

import numpy as np
import pytest
import torch

from cryopair.halves.local_motion import add_interpolated

RNG = np.random.default_rng(0)


def reference(frame: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Sample bilinearly at (ix - dx, iy - dy); nearest pixel without interpolation where that leaves the frame."""
    height, width = frame.shape
    result = np.empty_like(frame)
    for iy in range(height):
        for ix in range(width):
            x, y = ix / width - 0.5, iy / height - 0.5
            dx, dy = terms @ np.array([1, x, x * x, y, y * y, x * y])
            at_x, at_y = ix - dx, iy - dy
            x0, y0 = math.floor(at_x), math.floor(at_y)
            if x0 < 0 or y0 < 0 or x0 >= width - 1 or y0 >= height - 1:
                result[iy, ix] = frame[min(max(y0, 0), height - 1), min(max(x0, 0), width - 1)]
                continue
            fx, fy = at_x - x0, at_y - y0
            upper = frame[y0, x0] * (1 - fx) + frame[y0, x0 + 1] * fx
            lower = frame[y0 + 1, x0] * (1 - fx) + frame[y0 + 1, x0 + 1] * fx
            result[iy, ix] = upper * (1 - fy) + lower * fy
    return result


@pytest.mark.parametrize("size", [0.3, 3.0, 40.0])
@pytest.mark.parametrize("strip", [None, 1, 7])
def test_definition(size: float, strip: int | None) -> None:
    frame = RNG.normal(size=(24, 31)).astype(np.float32)
    terms = RNG.uniform(-size, size, (2, 6))
    total = torch.ones(24, 31)
    add_interpolated(total, torch.from_numpy(frame), terms, strip=strip)
    np.testing.assert_allclose(total.numpy() - 1, reference(frame, terms), atol=2e-5)


def test_whole_pixels_are_moved_exactly() -> None:
    frame = torch.from_numpy(RNG.normal(size=(20, 30)).astype(np.float32))
    total = torch.zeros(20, 30)
    add_interpolated(total, frame, np.array([[2.0, 0, 0, 0, 0, 0], [-1.0, 0, 0, 0, 0, 0]]))
    assert torch.equal(total[1:-2, 3:-1], frame[2:-1, 1:-3])
