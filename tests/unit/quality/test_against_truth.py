import math

import numpy as np
import pytest

from cryopair.quality.against_truth import snr_db_against_truth


def test_snr_of_known_noise_whatever_scale_offset_and_gradient():
    random = np.random.default_rng(0)
    truth = random.normal(size=(256, 256))
    noise = random.normal(size=(256, 256))
    gradient = np.linspace(-5, 5, 256)
    image = 3 * (truth + 10**0.5 * noise) - 7 + gradient
    assert snr_db_against_truth(image, truth, pixel_size=4.0) == pytest.approx(-10, abs=0.15)


def test_lost_detail_and_wrong_sign_are_errors():
    random = np.random.default_rng(0)
    coarse = np.kron(random.normal(size=(32, 32)), np.ones((4, 4)))
    fine = random.normal(size=(128, 128))
    blurred = snr_db_against_truth(coarse, coarse + fine, pixel_size=2.0, high_pass=2000)
    assert blurred == pytest.approx(0, abs=0.4)
    assert snr_db_against_truth(-fine, fine, pixel_size=2.0) == -math.inf
    assert snr_db_against_truth(2 * fine, fine, pixel_size=2.0) > 100


def test_high_pass_halves_a_wave_of_its_period():
    """A wave of period 400 Å in the image alone loses half its amplitude before it counts as noise."""
    x = (np.arange(600) + 0.5) * 2.0  # whole waves that continue in their reflection at the edges
    truth = np.random.default_rng(1).normal(size=(600, 600))
    wave = np.sqrt(2) * 2 * np.cos(2 * np.pi * x / 400)[:, None]
    snr = snr_db_against_truth(truth + wave, truth, pixel_size=2.0)
    assert snr == pytest.approx(0, abs=0.2)
