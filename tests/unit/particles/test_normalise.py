"""The background outside the particle's circle sets the grey scale."""

import numpy as np
import pytest

from cryopair.particles.normalise import background_radius, normalise

SIZE, RADIUS = 32, 11
ROW, COLUMN = np.mgrid[:SIZE, :SIZE] - SIZE // 2
BACKGROUND = np.hypot(ROW, COLUMN) > RADIUS


@pytest.fixture
def images() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal([[[5]], [[-300]]], [[[2]], [[70]]], (2, SIZE, SIZE)) - 40 * ~BACKGROUND


def test_background_has_mean_0_and_standard_deviation_1(images: np.ndarray) -> None:
    for image in normalise(images, RADIUS):
        assert image[BACKGROUND].mean() == pytest.approx(0, abs=1e-12)
        assert image[BACKGROUND].std() == pytest.approx(1, abs=1e-12)
        assert image[~BACKGROUND].mean() < -0.3  # the particle does not count as background


def test_ramps_and_grey_scales_leave_no_trace(images: np.ndarray) -> None:
    changed = 3.7 * images + 0.8 * COLUMN - 2.1 * ROW + 500
    np.testing.assert_allclose(normalise(changed, RADIUS), normalise(images, RADIUS), atol=1e-10)


def test_the_ramp_is_fitted_to_the_background_only() -> None:
    particle = np.where(BACKGROUND, 0.0, 10.0 + 3.0 * COLUMN)
    ramp = 0.5 * COLUMN - 0.25 * ROW + 2
    (result,) = normalise((particle + ramp)[np.newaxis], RADIUS)
    np.testing.assert_allclose(result, particle, atol=1e-10)  # flat background: levelled, but not scaled


@pytest.mark.parametrize(
    ("box", "size", "diameter", "radius"),
    [
        (64, 64, None, 24),
        (64, 32, None, 12),  # as RELION's user interface
        (48, 22, None, 8),  # 8.25
        (48, 32, 31.0, 10),  # 10.33
        (100, 100, 99.9, 49),
        (256, 64, 256.0, 32),
    ],
)
def test_radius_is_relions(box: int, size: int, diameter: float | None, radius: int) -> None:
    assert background_radius(shown=box, scale=size / box, diameter=diameter) == radius
