"""Background and noise level of a micrograph: what is removed, what is not, and that it comes back."""

import numpy as np
import pytest

from cryopair.denoiser.normalise import CLAMP, Normalisation
from cryopair.errors import BadFileError

SHAPE = (300, 384)
Y, X = np.meshgrid(np.linspace(-1, 1, SHAPE[0]), np.linspace(-1, 1, SHAPE[1]), indexing="ij")
GRADIENT = 900 + 80 * X - 50 * Y + 30 * X * Y - 40 * X**2 + 25 * Y**3 + 20 * X**2 * Y
SIGMA = 7.0
BLOB = np.hypot(Y * SHAPE[0] / 2 - 40, X * SHAPE[1] / 2 + 60) < 45


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(6).normal(0, SIGMA, SHAPE)


def test_a_gradient_is_removed_and_noise_is_brought_to_unit_size(noise: np.ndarray) -> None:
    normalisation = Normalisation.of(GRADIENT + noise)
    assert normalisation.scale == pytest.approx(SIGMA, rel=0.02)
    np.testing.assert_allclose(normalisation.background(), GRADIENT, atol=0.15 * SIGMA)
    np.testing.assert_allclose(normalisation.apply(GRADIENT + noise), noise / SIGMA, atol=0.2)


def test_without_noise_the_polynomial_is_exact() -> None:
    stripes = np.where(np.arange(SHAPE[1]) % 2, 3.0, -3.0)  # so that it is not constant
    normalisation = Normalisation.of(GRADIENT + stripes)
    np.testing.assert_allclose(normalisation.background(), GRADIENT, atol=0.02)


@pytest.mark.parametrize(("factor", "offset"), [(1e-4, 0.0), (3.0, -5000.0), (1e5, 1.0)])
def test_grey_scale_does_not_matter(noise: np.ndarray, factor: float, offset: float) -> None:
    image = GRADIENT + noise - 60 * SIGMA * BLOB
    normalised = Normalisation.of(image).apply(image)
    changed = factor * image + offset
    np.testing.assert_allclose(Normalisation.of(changed).apply(changed), normalised, atol=2e-3)


def test_undo_gives_the_image_back(noise: np.ndarray) -> None:
    image = (GRADIENT + noise - 60 * SIGMA * BLOB).astype(np.float32)
    normalisation = Normalisation.of(image)
    within = np.abs(image - normalisation.background()) < CLAMP * normalisation.scale
    assert within.mean() > 0.9
    np.testing.assert_allclose(normalisation.undo(normalisation.apply(image))[within], image[within], atol=1e-3)


def test_extremes_are_clamped(noise: np.ndarray) -> None:
    image = GRADIENT + noise
    image[100, 200], image[101, 300] = 1e6, -1e6
    normalised = Normalisation.of(image).apply(image)
    assert (normalised[100, 200], normalised[101, 300]) == (CLAMP, -CLAMP)
    assert np.abs(normalised).max() == CLAMP
    np.testing.assert_allclose(normalised[150:, :], noise[150:, :] / SIGMA, atol=0.25)


def test_contamination_does_not_steer_the_background(noise: np.ndarray) -> None:
    image = GRADIENT + noise
    clean, dirty = Normalisation.of(image), Normalisation.of(image - 60 * SIGMA * BLOB)
    # The blob is 5.5 % of the pixels; on one side of the distribution they widen its quantiles by 9.5 % at most.
    assert clean.scale <= dirty.scale < 1.095 * clean.scale
    away = np.hypot(Y * SHAPE[0] / 2 - 40, X * SHAPE[1] / 2 + 60) > 60
    difference = (dirty.background() - clean.background()) / SIGMA
    assert np.abs(difference[away]).max() < 0.15


def test_contamination_is_cut_down_to_the_size_of_noise(noise: np.ndarray) -> None:
    image = GRADIENT + noise - 60 * SIGMA * BLOB
    normalised = Normalisation.of(image).apply(image)
    inner = np.hypot(Y * SHAPE[0] / 2 - 40, X * SHAPE[1] / 2 + 60) < 30
    assert -2 < normalised[inner].mean() < 0  # 60 without


def test_regions_are_those_of_the_whole(noise: np.ndarray) -> None:
    image = GRADIENT + noise - 60 * SIGMA * BLOB
    normalisation = Normalisation.of(image)
    whole = normalisation.apply(image)
    region = np.s_[111:250, 53:200]
    np.testing.assert_allclose(normalisation.apply(image[region], origin=(111, 53)), whole[region], atol=1e-4)
    undone = normalisation.undo(whole[region], origin=(111, 53))
    np.testing.assert_allclose(undone, normalisation.undo(whole)[region], rtol=1e-6)


def test_the_image_is_not_changed(noise: np.ndarray) -> None:
    image = (GRADIENT + noise).astype(np.float32)
    before = image.copy()
    Normalisation.of(image).apply(image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_is_an_error(noise: np.ndarray, value: float) -> None:
    noise[-1, -1] = value
    with pytest.raises(BadFileError, match=r"a\.mrc: has pixels that are NaN or infinite"):
        Normalisation.of(noise, name="a.mrc")


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_constant_image_is_an_error(value: float) -> None:
    with pytest.raises(BadFileError, match=r"a\.mrc: is constant; expected a micrograph"):
        Normalisation.of(np.full((100, 120), value, dtype=np.float32), name="a.mrc")
