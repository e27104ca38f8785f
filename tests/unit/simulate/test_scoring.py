import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopair.simulate.scoring import f1, match_picks, snr_db_against_truth


def test_picks_are_paired_one_to_one():
    truth = [(0, 0), (10, 0)]
    assert match_picks([(1, 0), (2, 0), (11, 1), (50, 50)], truth, 3) == (2, 2, 0)


def test_a_greedy_nearest_match_would_lose_a_pair():
    # the pick at 5 is nearest to both particles; the other pick reaches only the one at 4
    assert match_picks([(5, 0), (1, 0)], [(4, 0), (8, 0)], 3) == (2, 0, 0)


def test_radius_is_inclusive():
    assert match_picks([(3, 4)], [(0, 0)], 5) == (1, 0, 0)
    assert match_picks([(3, 4)], [(0, 0)], 4.99) == (0, 1, 1)


def test_nothing_picked_or_nothing_there():
    assert match_picks([], [(1, 1), (2, 2)], 5) == (0, 0, 2)
    assert match_picks(np.zeros((3, 2)), np.zeros((0, 2)), 5) == (0, 3, 0)
    assert match_picks([], [], 5) == (0, 0, 0)


points = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=8)


@given(points, points, st.floats(0, 30))
def test_every_pick_and_particle_is_counted_once(picks, truth, radius):
    hits, false, missed = match_picks(picks, truth, radius)
    assert hits + false == len(picks)
    assert hits + missed == len(truth)
    assert match_picks(truth, picks, radius) == (hits, missed, false)


def test_f1():
    assert f1(8, 2, 2) == pytest.approx(0.8)
    assert f1(6, 0, 6) == pytest.approx(2 / 3)
    assert f1(0, 0, 0) == 0


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
