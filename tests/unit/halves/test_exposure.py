"""Carbon and contamination, found by their share of the area."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.halves.exposure import measure_exposure

SHAPE, PIXEL_SIZE = (480, 600), 4.0
Y, X = np.mgrid[: SHAPE[0], : SHAPE[1]]


def micrograph(transmission: np.ndarray | float = 1.0, *, slope: float = 0.15, seed: int = 0) -> np.ndarray:
    """50 electrons per pixel under a beam that is off centre, with dark particles in ice of uneven thickness."""
    rng = np.random.default_rng(seed)
    beam = 1 + slope * (X / SHAPE[1] - 0.5) - slope / 2 * (Y / SHAPE[0] - 0.5) - 0.1 * (X / SHAPE[1] - 0.5) ** 2
    ice = gaussian_filter(rng.normal(size=SHAPE), 88)
    particles = gaussian_filter((rng.random(SHAPE) < 3e-4).astype(float), 8) * 400
    expected = 50 * beam * transmission * (1 + 0.012 * ice / ice.std()) * (1 - 0.02 * np.minimum(particles, 1))
    return rng.poisson(expected).astype(np.float32)


def test_plain_ice_is_neither() -> None:
    for seed in range(3):
        exposure = measure_exposure(micrograph(seed=seed), pixel_size=PIXEL_SIZE)
        assert exposure.contamination < 0.005
        assert exposure.carbon == 0
        assert exposure.intensity == pytest.approx(49, abs=2)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.27])
@pytest.mark.parametrize("direction", [(1.0, 0.3), (-0.5, -1.0)])
def test_carbon_is_found_up_to_a_quarter(share: float, direction: tuple[float, float]) -> None:
    across = direction[0] * X + direction[1] * Y
    carbon = across > np.quantile(across, 1 - share)
    exposure = measure_exposure(micrograph(np.where(carbon, 0.88, 1.0), slope=0.1), pixel_size=PIXEL_SIZE)
    assert exposure.carbon == pytest.approx(share, abs=0.03)
    assert exposure.contamination < 0.01


def test_contamination_is_not_carbon() -> None:
    blobs = (np.hypot(X - 200, Y - 150) < 40) | (np.hypot(X - 450, Y - 330) < 30)
    exposure = measure_exposure(micrograph(np.where(blobs, 0.75, 1.0)), pixel_size=PIXEL_SIZE)
    assert exposure.contamination == pytest.approx(blobs.mean(), rel=0.4)
    assert exposure.carbon == 0


def test_without_a_mean_darkness_is_told_by_the_spread() -> None:
    blobs = np.hypot(X - 200, Y - 150) < 40
    image = micrograph(np.where(blobs, 0.6, 1.0))
    exposure = measure_exposure((image - image.mean()) / image.std(), pixel_size=PIXEL_SIZE)
    assert exposure.contamination == pytest.approx(blobs.mean(), abs=0.012)  # half a block more all around


def test_constant_and_tiny_images_have_neither() -> None:
    for image in (np.ones(SHAPE, np.float32), np.ones((40, 40), np.float32)):
        exposure = measure_exposure(image, pixel_size=PIXEL_SIZE)
        assert (exposure.intensity, exposure.contamination, exposure.carbon) == (1.0, 0.0, 0.0)
