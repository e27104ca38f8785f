"""The check of half-sums sees shared structure, not shared illumination."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryopair.formats.mrc import read_mrc
from cryopair.halves.checks import MIN_CORRELATION_WITH_RAW, correlation

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


def test_one_saturated_row_does_not_decide() -> None:
    """A white row of the micrograph, replaced in the halves, must not make them look like another movie's."""
    signal = np.kron(RNG.normal(size=(64, 80)), np.ones((4, 4)))
    a = (signal + RNG.normal(size=SHAPE)).astype(np.float32)
    with_row = a.copy()
    with_row[100] += 1000
    assert correlation(a, with_row) > MIN_CORRELATION_WITH_RAW


def test_micrographs_of_half_precision(tmp_path: Path) -> None:
    """RELION 4 and 5 write mode 12 by default."""
    sums = RNG.poisson(40, SHAPE).astype(np.float32) / 7
    with mrcfile.new(tmp_path / "mic.mrc") as file:
        file.set_data(sums.astype(np.float16))
        assert file.header.mode == 12
    raw = read_mrc(tmp_path / "mic.mrc")
    assert raw.dtype == np.float32
    assert correlation(sums, raw) > 0.9999
