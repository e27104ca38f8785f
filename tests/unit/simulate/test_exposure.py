import numpy as np

from cryopair.simulate.exposure import Settings, draw_exposure

SETTINGS = Settings(seed=1, frames=24, shape=(768, 1024), pixel_size=2.0, dose_per_frame=1.2, voltage=300.0)
EXPOSURES = [draw_exposure(SETTINGS, number) for number in range(1, 25)]


def test_particles_touch_neither_each_other_nor_contamination():
    for exposure in EXPOSURES:
        xy = exposure.particles[:, :2] * 2.0
        distances = np.linalg.norm(xy[:, None] - xy, axis=2) + 1e6 * np.eye(len(xy))
        assert distances.min() >= 1.15 * 150 - 1e-6
        for blob in exposure.contamination:
            apart = np.hypot(xy[:, 0] - 2 * blob.x, xy[:, 1] - 2 * blob.y)
            assert apart.min() >= blob.radius + 90 - 1e-6


def test_40_to_60_particles_in_most_images():
    positions = [e.particles[:, :2] for e in EXPOSURES]
    counts = np.array([((xy > 0) & (xy < [1023, 767])).all(axis=1).sum() for xy in positions])
    assert 40 <= np.median(counts) <= 60
    assert counts.min() > 25
    assert any(len(e.particles) > count for e, count in zip(EXPOSURES, counts, strict=True))  # some overhang


def test_orientations_are_uniform():
    angles = np.concatenate([e.particles[:, 2:] for e in EXPOSURES])
    tilt = np.cos(np.radians(angles[:, 1]))
    n = len(angles)
    assert abs(tilt.mean()) < 4 * np.sqrt(1 / 3 / n)
    assert abs((tilt**2).mean() - 1 / 3) < 4 * np.sqrt(4 / 45 / n)
    for angle in (angles[:, 0], angles[:, 2]):
        assert abs(np.exp(1j * np.radians(angle)).mean()) < 4 / np.sqrt(n)


def test_motion_starts_at_zero_and_is_fast_at_first():
    for exposure in EXPOSURES:
        assert (exposure.drift[0] == 0).all()
        assert np.linalg.norm(exposure.drift, axis=1).max() < 12
    steps = np.mean([np.linalg.norm(np.diff(e.drift, axis=0), axis=1) for e in EXPOSURES], axis=0)
    assert steps[:3].mean() > 3 * steps[-6:].mean()


def test_local_motion_is_one_or_two_pixels_at_the_end():
    corners = np.array([(1, x, x * x, y, y * y, x * y) for x in (-0.5, 0.5) for y in (-0.5, 0.5)])
    time = 23.0 ** np.arange(1, 4)
    last = [np.abs((e.local_coefficients @ time) @ corners.T).max() for e in EXPOSURES]
    assert 0.5 < np.median(last) < 2
    assert max(last) < 4


def test_number_and_seed_decide():
    again = draw_exposure(SETTINGS, 3)
    assert np.array_equal(again.particles, EXPOSURES[2].particles)
    assert np.array_equal(again.local_coefficients, EXPOSURES[2].local_coefficients)
    assert not np.array_equal(again.drift, EXPOSURES[3].drift)
    assert EXPOSURES[2].defocus != EXPOSURES[3].defocus
