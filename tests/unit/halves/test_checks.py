"""The check of half-sums sees shared structure, not shared illumination."""

import numpy as np
import pytest

from cryopair.halves.checks import correlation

RNG = np.random.default_rng(0)
SHAPE = (256, 320)


def test_independent_exposures_do_not_correlate_even_under_one_illumination() -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = 50 + 20 * x / SHAPE[1] - 10 * (y / SHAPE[0]) ** 2
    a, b = (RNG.poisson(light).astype(np.float32) for _ in range(2))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.2
    assert abs(correlation(a, b)) < 5 / np.sqrt(a.size / 16)


def test_shared_signal_gives_its_share_of_the_variance() -> None:
    signal = np.kron(RNG.normal(size=(64, 80)), np.ones((4, 4)))
    a, b = (signal + 4 * RNG.normal(size=SHAPE) for _ in range(2))  # 4 x 4 averages: variance 1 of each
    expected = correlation(a.astype(np.float32), b.astype(np.float32))
    assert expected == pytest.approx(0.5, abs=5 / np.sqrt(a.size / 16))


def test_identical_and_constant_images() -> None:
    a = RNG.normal(size=SHAPE).astype(np.float32)
    assert correlation(a, 3 * a + 7) == pytest.approx(1)
    assert correlation(a, np.ones_like(a)) == 0
