"""Grid patterns and seams: found where they are, and not found in images without."""

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.quality.patterns import GRID_PEAK_DB, SEAM, grid_peak_db, seam

SHAPE = (480, 512)
PERIODS = [(16.0, 16.0), (22.3, 22.1), (58.0, 58.0)]


def smooth(seed: int, sigma: float = 3) -> np.ndarray:
    """An image as smooth as a denoised one, of standard deviation 1 about 100."""
    image = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), sigma)
    return 100 + image / image.std()


@pytest.mark.parametrize("sigma", [0, 1, 3, 6])
def test_images_without_traces_are_below_the_limits(sigma: float) -> None:
    for seed in range(5):
        image = smooth(seed, sigma)
        assert max(grid_peak_db(image, period) for period in PERIODS) < GRID_PEAK_DB - 4
        assert seam(image)[0] < SEAM - 2


@pytest.mark.parametrize("period", PERIODS)
def test_a_pattern_of_the_grid_is_found(period: tuple[float, float]) -> None:
    """Of one percent of the image's deviation, with waves of some 5 px along y and 4 px along x."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    waves = [round(length / wave) / length for length, wave in zip(period, (5, 4), strict=True)]
    pattern = 0.01 * math.sqrt(2) * np.cos(2 * np.pi * (waves[0] * y + waves[1] * x) + 1)
    without = grid_peak_db(smooth(1), period)
    assert grid_peak_db(smooth(1) + pattern, period) > GRID_PEAK_DB > without


def test_a_chequerboard_is_found() -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    assert grid_peak_db(smooth(2) + 0.01 * ((x + y) % 2), (16, 16)) > GRID_PEAK_DB


def test_other_periods_are_not_the_grid() -> None:
    x = np.arange(SHAPE[1])
    assert grid_peak_db(smooth(3) + 0.05 * np.cos(2 * np.pi * x / 11.3), (16, 16)) < GRID_PEAK_DB


@pytest.mark.parametrize(("axis", "name"), [(1, "column"), (0, "row")])
def test_a_seam_is_found_where_it_is(axis: int, name: str) -> None:
    """Of 0.15 times the image's deviation; further along it jumps the other way."""
    step = np.where(np.arange(SHAPE[axis]) >= 256, 0.15, 0.0)
    sign = np.cos(np.pi * np.arange(SHAPE[1 - axis]) / SHAPE[1 - axis])
    image = smooth(4) + (np.outer(sign, step) if axis == 1 else np.outer(step, sign))
    worst, place = seam(image)
    assert worst > SEAM
    assert place == f"{name} 256"


def test_slopes_are_no_seams() -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    assert seam(smooth(5) + 0.1 * x + 0.2 * y)[0] < SEAM


def test_what_cannot_be_told_is_nan() -> None:
    assert math.isnan(grid_peak_db(np.ones(SHAPE), (16, 16)))
    assert math.isnan(grid_peak_db(smooth(6)[:60], (16, 16)))
    assert math.isnan(seam(smooth(6)[:20, :20])[0])
