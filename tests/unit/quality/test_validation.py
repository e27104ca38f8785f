"""Estimates from noisy halves against the truth of simulated micrographs, and denoisers that are wrong on purpose."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter

from cryopair.quality.baselines import wiener
from cryopair.quality.snr import Quality, decibels, summarise
from cryopair.quality.spectra import measure_spectra
from cryopair.simulate.exposure import Settings, draw_exposure
from cryopair.simulate.kinds import KINDS
from cryopair.simulate.scene import render, undamaged

PIXEL_SIZE, SHAPE = 3.0, (400, 400)
DRAWS = 4
Image = np.ndarray
Denoiser = Callable[[Image], Image]


@pytest.fixture(scope="module")
def truths() -> list[Image]:
    """Two noise-free micrographs of proteasomes in ice, without background, of unit deviation."""
    settings = Settings(
        seed=5, frames=24, shape=SHAPE, pixel_size=PIXEL_SIZE, dose_per_frame=1.2, voltage=300.0, specimen="proteasome"
    )
    specimen = KINDS["proteasome"].make(np.random.default_rng(1))
    images = []
    for number in (1, 2):
        random = np.random.default_rng(number)
        image = undamaged(render(draw_exposure(settings, number), specimen, settings, random), SHAPE)
        image = image - gaussian_filter(image, 200 / PIXEL_SIZE)
        images.append((image / image.std()).astype(np.float32))
    return images


def halves_of(truth: Image, snr_db: float, seed: int) -> tuple[Image, Image]:
    """Add white noise, so that the full sum has this SNR over the whole square of frequencies."""
    random = np.random.default_rng(seed)
    deviation = (2 / 10 ** (snr_db / 10)) ** 0.5  # of a half
    even, odd = (truth + random.normal(0, deviation, truth.shape).astype(np.float32) for _ in range(2))
    return even, odd


def measured(truth: Image, snr_db: float, denoiser: Denoiser) -> tuple[Quality, Quality]:
    """Return the figures estimated from noisy halves, and the true ones; powers are means over several noises."""
    estimates, noises = [], []
    of_truth = denoiser(truth)
    clean = summarise(measure_spectra((truth, truth), (of_truth, of_truth), pixel_size=PIXEL_SIZE))
    for seed in range(DRAWS):
        halves = halves_of(truth, snr_db, seed)
        denoised = denoiser(halves[0]), denoiser(halves[1])
        estimates.append(summarise(measure_spectra(halves, denoised, pixel_size=PIXEL_SIZE)))
        # Of a linear denoiser: what it makes of the truth alone, and of the noise alone.
        noise, left = halves[0] - truth, denoised[0] - of_truth
        of_noise = measure_spectra((noise, noise), (left, left), pixel_size=PIXEL_SIZE)
        noises.append((of_noise.signal.sum(), of_noise.denoised.sum()))
    names = ("signal_power", "noise_power", "residual_noise_power", "bias_power")
    means = np.mean([[getattr(quality, name) for name in names] for quality in estimates], axis=0)
    true = (clean.signal_power, *np.mean(noises, axis=0), clean.bias_power)
    return tuple(
        Quality(0, 0, signal, noise, residual, bias, 0, 0, residual + bias, 0)
        for signal, noise, residual, bias in (means, true)
    )


@pytest.mark.parametrize("snr_db", [-12, -6, 0])
@pytest.mark.parametrize("sigma", [1.0, 3.0, 10.0])
def test_snr_and_bias_are_within_1_db_of_the_truth(truths: list[Image], snr_db: float, sigma: float) -> None:
    """From too little smoothing to far too much of it."""
    estimate, true = measured(truths[0], snr_db, partial(gaussian_filter, sigma=sigma))
    assert estimate.snr_raw_db == pytest.approx(true.snr_raw_db, abs=1)
    assert estimate.snr_denoised_db == pytest.approx(true.snr_denoised_db, abs=1)
    # What the noise leaves uncertain of a power, for as many Fourier coefficients; see `split_bias`.
    error = true.noise_power / np.sqrt(np.pi / 4 * truths[0].size * DRAWS)
    if true.bias_power > 10 * error:
        assert estimate.bias_db == pytest.approx(true.bias_db, abs=1)
    else:
        assert estimate.bias_power == pytest.approx(true.bias_power, abs=5 * error)


def figures(truth: Image, denoiser: Denoiser, *, snr_db: float = -8, extra: Image | float = 0.0) -> Quality:
    even, odd = (half + extra for half in halves_of(truth, snr_db, 9))
    return summarise(measure_spectra((even, odd), (denoiser(even), denoiser(odd)), pixel_size=PIXEL_SIZE))


def test_a_fair_filter_raises_no_concern(truths: list[Image]) -> None:
    even, odd = halves_of(truths[0], -5, 9)
    quality = figures(truths[0], wiener(even, odd), snr_db=-5)
    assert quality.concerns == ()
    assert quality.snr_denoised_db > quality.snr_raw_db + 3


def test_a_model_that_blurs_is_exposed(truths: list[Image]) -> None:
    quality = figures(truths[0], partial(gaussian_filter, sigma=30))
    assert quality.corr_even_odd_denoised > 0.9  # the images look splendid
    assert quality.concerns == ("blurred",)


def test_a_model_that_paints_particles_of_another_micrograph_is_exposed(truths: list[Image]) -> None:
    """The same hallucination in both halves: it correlates perfectly, and is bias by construction."""
    even, odd = halves_of(truths[0], -5, 9)
    fair = wiener(even, odd)
    quality = figures(truths[0], lambda half: fair(half) + 0.7 * truths[1], snr_db=-5)
    honest = figures(truths[0], fair, snr_db=-5)
    assert quality.concerns == ("invented",)
    assert quality.corr_even_odd_denoised > honest.corr_even_odd_denoised
    painted = measure_spectra((truths[1], truths[1]), (truths[1], truths[1]), pixel_size=PIXEL_SIZE).signal.sum()
    assert quality.invented_power - honest.invented_power == pytest.approx(0.49 * painted, rel=0.2)
    # What is painted lies on some of the true particles by chance, and passes for signal there.
    assert quality.lost_power == pytest.approx(honest.lost_power, rel=0.2)
    assert quality.snr_denoised_db < honest.snr_denoised_db - 1


def test_a_model_that_stamps_particles_on_noise_is_exposed(truths: list[Image]) -> None:
    """It puts a disc on every maximum, particle or not, which both halves only agree on where there is something."""
    y, x = np.mgrid[-10:11, -10:11]
    disc = np.hypot(y, x) < 9

    def stamp(half: Image) -> Image:
        smooth = gaussian_filter(-half, 3)
        peaks = (smooth == maximum_filter(smooth, 15)) & (smooth > 0)
        return -6 * maximum_filter(peaks.astype(np.float32), footprint=disc)

    quality = figures(truths[0], stamp)
    assert "invented" in quality.concerns
    assert quality.snr_denoised_db < decibels(1, 1)  # more is wrong than right


def test_a_gain_left_in_both_halves_is_exposed(truths: list[Image]) -> None:
    """It looks like signal: the raw SNR comes out too high, and what removes it is said to lose signal."""
    pattern = np.random.default_rng(3).normal(0, 0.6, SHAPE).astype(np.float32)
    clean, dirty = (figures(truths[0], partial(gaussian_filter, sigma=3), extra=extra) for extra in (0.0, pattern))
    assert "camera pattern" in dirty.concerns
    assert "camera pattern" not in clean.concerns
    assert dirty.snr_raw_db > clean.snr_raw_db + 0.7


def test_hot_pixels_left_in_both_halves_are_exposed(truths: list[Image]) -> None:
    hot = np.where(np.random.default_rng(4).random(SHAPE) < 1e-3, 40.0, 0.0).astype(np.float32)
    quality = figures(truths[0], partial(gaussian_filter, sigma=3), extra=hot)
    assert "camera pattern" in quality.concerns
