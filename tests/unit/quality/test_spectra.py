"""Estimators of signal, noise and bias, against images whose powers are known."""

import numpy as np
import pytest

from cryopair.quality.snr import Quality, decibels, summarise
from cryopair.quality.spectra import Spectra, measure_spectra

SHAPE = (320, 400)
PIXEL_SIZE = 1.25
NOISE_POWER = 4.0
FREQUENCY = 20 / (400 * PIXEL_SIZE)
"""Of the wave that stands for the signal: 20 periods along x, in 1/Å."""
SIGNAL_POWER = 2.0
Halves = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def halves() -> Halves:
    """A plane wave of amplitude 2 in independent white noise."""
    rng = np.random.default_rng(7)
    wave = 2 * np.sin(2 * np.pi * 20 * np.arange(SHAPE[1]) / SHAPE[1] + 0.3)
    even, odd = (wave + rng.normal(0, NOISE_POWER**0.5, SHAPE) for _ in range(2))
    return even, odd


def measure(raw: Halves, denoised: Halves) -> Spectra:
    return measure_spectra(raw, denoised, pixel_size=PIXEL_SIZE)


def test_powers_of_a_raw_half_are_the_true_ones(halves: Halves) -> None:
    quality = summarise(measure(halves, halves))
    inside = np.pi / 4  # a disc in the square of all frequencies
    assert quality.signal_power == pytest.approx(SIGNAL_POWER, rel=0.03)
    assert quality.noise_power == pytest.approx(inside * NOISE_POWER, rel=0.03)
    assert quality.snr_raw_db == pytest.approx(10 * np.log10(SIGNAL_POWER / (inside * NOISE_POWER / 2)), abs=0.2)
    assert quality.corr_even_odd == pytest.approx(SIGNAL_POWER / (SIGNAL_POWER + inside * NOISE_POWER), abs=0.01)


def test_raw_halves_are_without_bias(halves: Halves) -> None:
    """What is not denoised has all of its noise left and has lost no signal."""
    spectra = measure(halves, halves)
    np.testing.assert_allclose(spectra.bias, 0, atol=1e-12)
    np.testing.assert_allclose(spectra.residual, spectra.noise, rtol=1e-9, atol=1e-12)
    quality = summarise(spectra)
    assert quality.snr_denoised_db == pytest.approx(quality.snr_raw_db)


@pytest.mark.parametrize("factor", [0.0, 0.3, 0.8, 1.5])
def test_scaling_down_is_bias(halves: Halves, factor: float) -> None:
    """A denoiser a x leaves a² of the noise and has a bias of (1 - a)² of the signal, in each ring."""
    spectra = measure(halves, tuple(factor * half for half in halves))
    np.testing.assert_allclose(spectra.bias, (1 - factor) ** 2 * spectra.signal, atol=1e-12)
    np.testing.assert_allclose(spectra.residual, factor**2 * spectra.noise, atol=1e-12)
    quality = summarise(spectra)
    assert quality.bias_power == pytest.approx((1 - factor) ** 2 * SIGNAL_POWER, rel=0.03)
    assert quality.bias_db == pytest.approx(20 * np.log10(1 - factor) if factor < 1 else 20 * np.log10(factor - 1))
    if factor:
        assert quality.corr_even_odd_denoised == pytest.approx(quality.corr_even_odd)


def test_blurring_shows_as_bias(halves: Halves) -> None:
    """A Gaussian that halves the wave's amplitude removes nearly all noise, and a quarter of the power is bias."""
    fy, fx = np.fft.fftfreq(SHAPE[0], PIXEL_SIZE)[:, None], np.fft.rfftfreq(SHAPE[1], PIXEL_SIZE)
    transfer = 0.5 ** ((fx**2 + fy**2) / FREQUENCY**2)
    blurred = tuple(np.fft.irfft2(np.fft.rfft2(half) * transfer, SHAPE) for half in halves)
    quality = summarise(measure(halves, blurred))
    noise_left = NOISE_POWER * np.mean(np.abs(np.fft.fft2(np.fft.irfft2(transfer, SHAPE))) ** 2)
    assert quality.bias_power == pytest.approx(SIGNAL_POWER / 4, rel=0.05)
    assert quality.residual_noise_power == pytest.approx(noise_left, rel=0.1)
    assert quality.corr_even_odd_denoised > 0.9  # which looks splendid
    without_bias = decibels(quality.signal_power, quality.residual_noise_power / 2)
    assert quality.snr_denoised_db < without_bias - 5
    assert quality.snr_denoised_db == pytest.approx(decibels(2, noise_left / 2 + 0.5), abs=0.3)


def test_made_up_detail_is_bias(halves: Halves) -> None:
    """What is put into both halves alike correlates perfectly, and is told from signal all the same."""
    invented = 1.5 * np.sin(2 * np.pi * 45 * np.arange(SHAPE[0]) / SHAPE[0])[:, None]
    quality = summarise(measure(halves, tuple(half + invented for half in halves)))
    assert quality.bias_power == pytest.approx(1.5**2 / 2, rel=0.05)


def test_blur_loses_and_hallucination_invents(halves: Halves) -> None:
    """Three tenths of the wave taken away, and another wave put in: each part of the bias has its own power."""
    invented = 1.5 * np.sin(2 * np.pi * 45 * np.arange(SHAPE[0]) / SHAPE[0])[:, None]
    quality = summarise(measure(halves, tuple(0.7 * half + invented for half in halves)))
    assert quality.lost_power == pytest.approx(0.3**2 * SIGNAL_POWER, rel=0.05)
    assert quality.invented_power == pytest.approx(1.5**2 / 2, rel=0.05)
    assert quality.lost_power + quality.invented_power == pytest.approx(quality.bias_power)
    assert quality.lost_db == pytest.approx(20 * np.log10(0.3), abs=0.2)
    assert quality.invented_db == pytest.approx(10 * np.log10(1.125 / 2), abs=0.2)


def test_inventing_raises_the_frc_of_denoised_halves_but_not_that_with_the_other_raw_half(halves: Halves) -> None:
    invented = np.random.default_rng(1).normal(0, 5, SHAPE)
    spectra = measure(halves, tuple(0.1 * half + invented for half in halves))
    assert spectra.frc_denoised[20:].mean() > 0.95
    assert abs(spectra.frc_denoised_raw[20:].mean()) < 0.02


def test_noise_that_both_halves_share_shows_near_nyquist(halves: Halves) -> None:
    """A gain that was not corrected is the same in both halves, and is taken for signal."""
    assert abs(summarise(measure(halves, halves)).corr_near_nyquist) < 0.03
    pattern = np.random.default_rng(2).normal(0, 0.1**0.5 * NOISE_POWER**0.5, SHAPE)
    fixed = tuple(half + pattern for half in halves)
    quality = summarise(measure(fixed, fixed))
    assert quality.corr_near_nyquist == pytest.approx(0.1 / 1.1, abs=0.03)
    assert quality.signal_power == pytest.approx(SIGNAL_POWER + np.pi / 4 * 0.1 * NOISE_POWER, rel=0.05)


def test_excess_error_is_that_of_noise2noise(halves: Halves) -> None:
    """Error against the other raw half less the other's noise, in real space: no rings, no projections."""
    denoised = tuple(0.4 * half for half in halves)
    against_the_other = np.mean([np.var(denoised[0] - halves[1]), np.var(denoised[1] - halves[0])])
    excess = against_the_other - (np.var(halves) - np.mean(halves[0] * halves[1]))
    # The whole square of frequencies has more of the residual noise than the disc of the rings.
    corners = 0.4**2 * NOISE_POWER * (1 - np.pi / 4)
    assert summarise(measure(halves, denoised)).excess_error_power == pytest.approx(excess - corners, rel=0.05)


def test_the_wave_is_in_its_ring(halves: Halves) -> None:
    spectra = measure(halves, halves)
    assert spectra.frequency[np.argmax(spectra.signal)] == pytest.approx(FREQUENCY, abs=0.5 / (320 * PIXEL_SIZE))
    assert spectra.frequency[-1] == pytest.approx(0.5 / PIXEL_SIZE)
    assert spectra.frequency[0] >= 1 / 500


def test_illumination_is_not_signal() -> None:
    rng = np.random.default_rng(8)
    slow = 10 * np.sin(2 * np.pi * np.arange(600) / 600)  # of 1200 Å
    halves = tuple(slow + rng.normal(size=(600, 600)) for _ in range(2))
    spectra = measure_spectra(halves, halves, pixel_size=2.0)
    assert spectra.signal.sum() < 0.05 * 50  # what the window leaks


def test_identical_halves_correlate_perfectly(halves: Halves) -> None:
    spectra = measure((halves[0], halves[0]), (halves[1], halves[1]))
    np.testing.assert_allclose(spectra.frc_raw, 1, atol=1e-12)
    np.testing.assert_allclose(spectra.frc_denoised, 1, atol=1e-12)
    np.testing.assert_allclose(spectra.noise, 0, atol=1e-12)


def test_independent_noise_does_not_correlate() -> None:
    """FRC of noise scatters about 0 with variance 1/n for n coefficients (n/2 of them independent)."""
    rng = np.random.default_rng(9)
    even, odd = rng.normal(size=(2, 400, 400))
    spectra = measure((even, odd), (odd, even))
    scores = spectra.frc_raw * np.sqrt(spectra.coefficients)
    assert abs(scores.mean()) < 4 / np.sqrt(len(scores))
    assert 0.75 < scores.std() < 1.4  # the window makes neighbouring coefficients alike
    assert np.abs(scores).max() < 5
    np.testing.assert_allclose(spectra.frc_denoised, spectra.frc_raw, atol=1e-12)


@pytest.mark.parametrize("shape", [(64, 64), (63, 80), (91, 64)])
def test_every_coefficient_is_counted_once(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(size=shape)
    spectra = measure_spectra((image, image), (image, image), pixel_size=1.0)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1]), indexing="ij"))
    index = np.round(radius * min(shape))
    expected = [np.sum(index == round(frequency * min(shape))) for frequency in spectra.frequency]
    np.testing.assert_array_equal(spectra.coefficients, expected)


def test_blank_images_have_no_powers() -> None:
    blank = np.zeros((64, 64))
    quality = summarise(measure((blank, blank), (blank, blank)))
    assert quality == Quality(*[0.0] * 10)
    assert np.isnan([quality.snr_raw_db, quality.snr_denoised_db, quality.bias_db]).all()


def test_decibels() -> None:
    assert decibels(100, 1) == pytest.approx(20)
    assert decibels(1, 2) == pytest.approx(-3.0103)
    assert np.isnan([decibels(-1, 1), decibels(1, 0)]).all()
