"""Resampling keeps the waves that both grids hold, where they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.fft import next_fast_len

from cryopair.denoiser.sampling import resample, resampled_shape


def _waves(shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Cosines that the mirrored extension holds exactly, at the centres of `shape` pixels over `size` of them."""
    y = (np.arange(shape[0])[:, None] + 0.5) * size[0] / shape[0] - 0.5
    x = (np.arange(shape[1])[None, :] + 0.5) * size[1] / shape[1] - 0.5
    down = 1 + np.cos(np.pi * 5 * (2 * y + 1) / (2 * size[0]))
    across = 2 + np.cos(np.pi * 3 * (2 * x + 1) / (2 * size[1])) - np.cos(np.pi * 9 * (2 * x + 1) / (2 * size[1]))
    return down * across


@settings(deadline=None, max_examples=40)
@given(st.tuples(*[st.integers(12, 90)] * 2), st.tuples(*[st.integers(12, 90)] * 2))
def test_waves_below_both_limits_are_exact(old: tuple[int, int], new: tuple[int, int]) -> None:
    np.testing.assert_allclose(resample(_waves(old, old), new), _waves(new, old), atol=2e-5)


def test_down_and_up_again_returns_a_smooth_image() -> None:
    image = _waves((120, 95), (120, 95))
    np.testing.assert_allclose(resample(resample(image, (50, 40)), image.shape), image, atol=2e-5)


def test_noise_keeps_its_power_per_frequency() -> None:
    noise = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
    assert resample(noise, (256, 256)).var() == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize(
    ("pixel_size", "shape"),
    [(1.0, (50, 60)), (0.83, (42, 50)), (1.9, (100, 120)), (2.0, (100, 120)), (4.0, (100, 120)), (0.01, (2, 2))],
)
def test_target_pixel_size(pixel_size: float, shape: tuple[int, int]) -> None:
    assert resampled_shape((100, 120), pixel_size=pixel_size, target=2.0) == shape


@given(st.integers(600, 12000))
def test_sizes_are_even_fast_and_close_to_what_is_wanted(size: int) -> None:
    (chosen, _) = resampled_shape((size, size), pixel_size=1.5, target=3.0)
    assert chosen % 2 == 0
    assert next_fast_len(chosen) == chosen
    assert abs(chosen - size / 2) <= 0.03 * size / 2
