import numpy as np
import pytest
import torch

from cryopair.fourier import inverse, shift, transform
from cryopair.halves.local_motion import add_interpolated
from cryopair.simulate.exposure import Settings, draw_exposure
from cryopair.simulate.movie import Detector, expected_frames, make_detector
from cryopair.simulate.project import true_motion
from cryopair.simulate.proteasome import proteasome
from cryopair.simulate.scene import illumination, render, undamaged

SHAPE = (160, 224)
NO_DAMAGE = 1e-9  # e/Å² per frame


@pytest.fixture(scope="module")
def scene():
    settings = Settings(seed=3, frames=5, shape=SHAPE, pixel_size=2.0, dose_per_frame=NO_DAMAGE, voltage=300.0)
    exposure = draw_exposure(settings, 2)
    spectrum = render(exposure, proteasome(np.random.default_rng(0)), settings, np.random.default_rng(1))
    detector = make_detector(SHAPE, np.random.default_rng(2))
    return spectrum, true_motion(exposure, settings, "mic_0002", detector)


def realigned(frame, motion, number, sign=1):
    """Undo the motion as RELION does: Fourier shift, then bilinear interpolation."""
    x, y = sign * motion.global_shifts[number]
    moved = inverse(shift(transform(torch.from_numpy(frame)), SHAPE, x, y), SHAPE)
    total = torch.zeros(SHAPE)
    add_interpolated(total, moved, sign * motion.local_terms(number))
    return total.numpy()[24:-24, 24:-24]


def test_aligning_with_the_stored_shifts_gives_the_truth(scene):
    spectrum, motion = scene
    truth = undamaged(spectrum, SHAPE)[24:-24, 24:-24]
    frames = list(expected_frames(spectrum, motion))
    np.testing.assert_allclose(frames[0][24:-24, 24:-24], truth, atol=1e-4)
    last = motion.frames - 1
    assert np.abs(motion.global_shifts[last]).max() > 1
    assert np.abs(motion.local_terms(last)).max() > 0.5
    error = np.std(realigned(frames[last], motion, last) - truth) / truth.std()
    assert error < 0.12  # what bilinear interpolation costs; the wrong sign costs all
    assert np.std(realigned(frames[last], motion, last, sign=-1) - truth) / truth.std() > 0.8


def test_content_moves_against_the_stored_shift(scene):
    spectrum, motion = scene
    first, *_, last = expected_frames(spectrum, motion)
    cross = np.fft.ifft2(np.fft.fft2(last) * np.conj(np.fft.fft2(first))).real
    peak = np.array(np.unravel_index(cross.argmax(), SHAPE))
    drift_y, drift_x = np.where(peak > np.array(SHAPE) / 2, peak - SHAPE, peak)
    np.testing.assert_allclose([drift_x, drift_y], -motion.global_shifts[-1], atol=1.5)


def test_damage_takes_fine_detail_and_leaves_the_mean(scene):
    spectrum, motion = scene
    still = {"global_shifts": np.zeros((5, 2)), "local_coefficients": None}
    exposed = type(motion)(**{**vars(motion), **still, "dose_per_frame": 20.0})
    window = np.hanning(160)[:, None] * np.hanning(224)  # the frame is not periodic
    first, *_, last = (np.abs(np.fft.rfft2(frame * window)) for frame in expected_frames(spectrum, exposed))
    assert last[0, 0] == pytest.approx(first[0, 0], rel=1e-3)
    k = np.hypot(np.fft.fftfreq(160, 2.0)[:, None], np.fft.rfftfreq(224, 2.0))
    for period, left in ((40, 0.7099), (20, 0.3560), (12, 0.1105)):  # exp(-80 / 2 Nc), 80 e/Å² later
        ring = np.abs(k - 1 / period) < 0.003
        ratio = np.linalg.norm(last[ring]) / np.linalg.norm(first[ring])
        assert ratio == pytest.approx(left, rel=0.03)


def test_corrected_counts_are_poisson_with_the_dose_as_mean():
    detector = make_detector((256, 320), np.random.default_rng(5))
    intensity = np.full((256, 320), 1.2 * 2.0**2, np.float32)
    counts = np.stack([detector.count(intensity, np.random.default_rng([9, i])) for i in range(20)])
    assert counts.dtype == np.uint8
    good = detector.gain > 0
    good[detector.hot_pixels[:, 1], detector.hot_pixels[:, 0]] = False
    corrected = counts * detector.gain
    assert corrected[:, good].mean() == pytest.approx(4.8, rel=2e-3)
    # variance of a Poisson count times gain: gain² · (mean / gain)
    scaled = (corrected[:, good] - 4.8) / np.sqrt(4.8 * detector.gain[good])
    assert scaled.var() == pytest.approx(1, rel=5e-3)
    neighbours = np.mean(scaled[:, :-1] * scaled[:, 1:])
    assert abs(neighbours) < 5e-3  # white


def test_detector_has_dead_and_hot_pixels():
    detector = make_detector((256, 320), np.random.default_rng(5))
    dead = detector.gain == 0
    assert dead.sum() == 12 + 256 // 8
    assert detector.gain[~dead].mean() == pytest.approx(1, abs=2e-3)
    assert 0.02 < detector.gain[~dead].std() < 0.06
    x, y = detector.hot_pixels.T
    assert not dead[y, x].any()
    total = sum(
        detector.count(np.full((256, 320), 4.8, np.float32), np.random.default_rng(i)).astype(float) for i in range(24)
    )
    corrected = total * detector.gain
    assert (corrected[y, x] > corrected.mean() + 6 * corrected.std()).all()  # RELION's criterion
    assert (corrected > corrected.mean() + 6 * corrected.std()).sum() == len(x)


def test_counts_saturate_instead_of_wrapping():
    detector = Detector(np.ones((4, 4), np.float32), np.zeros((0, 2), np.int64))
    counts = detector.count(np.full((4, 4), 1000, np.float32), np.random.default_rng(0))
    assert (counts == 255).all()


def test_illumination_has_mean_one():
    settings = Settings(seed=1, frames=2, shape=SHAPE, pixel_size=2.0, dose_per_frame=1.2, voltage=300.0)
    for number in range(1, 9):
        beam = illumination(draw_exposure(settings, number), SHAPE)
        assert beam.mean() == pytest.approx(1, abs=1e-5)
        assert 0.7 < beam.min() < beam.max() < 1.3
