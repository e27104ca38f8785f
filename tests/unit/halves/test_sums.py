"""Half-sums of small movies with known content; RELION itself is the judge in tests/interop."""

from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from cryopair.camera.bad_lines import BadLines
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import write_mrc
from cryopair.halves.sums import sum_halves
from cryopair.motion import Motion

RNG = np.random.default_rng(0)
FRAMES, HEIGHT, WIDTH = 7, 24, 32
COUNTS = RNG.poisson(4, (FRAMES, HEIGHT, WIDTH)).astype(np.int16)
GAIN = RNG.uniform(0.9, 1.1, (HEIGHT, WIDTH)).astype(np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(COUNTS)
    tifffile.imwrite(tmp_path / "a.tiff", COUNTS[:, ::-1].astype(np.uint8), photometric="minisblack")
    write_mrc(tmp_path / "gain.mrc", GAIN, pixel_size=1)
    return tmp_path


@pytest.fixture
def still() -> Motion:
    return Motion(
        movie="a.mrcs",
        frames=FRAMES,
        height=HEIGHT,
        width=WIDTH,
        pixel_size=1.0,
        dose_per_frame=1.2,
        voltage=300,
        global_shifts=np.zeros((FRAMES, 2)),
        gain="gain.mrc",
    )


def with_drift(motion: Motion) -> Motion:
    return replace(motion, global_shifts=np.stack([np.arange(FRAMES), -2.0 * np.arange(FRAMES)], axis=1))


def test_even_is_the_first_third_fifth_frame(root: Path, still: Motion) -> None:
    sums = sum_halves(still, dose_weighting=False, root=root)
    np.testing.assert_allclose(sums.even, (COUNTS[::2] * GAIN).sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(sums.odd, (COUNTS[1::2] * GAIN).sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(sums.full, (COUNTS * GAIN).sum(axis=0), rtol=1e-5)


def test_parity_starts_at_the_first_used_frame(root: Path, still: Motion) -> None:
    shifts = np.zeros((FRAMES, 2))
    shifts[[0, 6]] = np.nan
    sums = sum_halves(replace(still, global_shifts=shifts, first_frame=2), dose_weighting=False, root=root)
    np.testing.assert_allclose(sums.even, (COUNTS[[1, 3, 5]] * GAIN).sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(sums.odd, (COUNTS[[2, 4]] * GAIN).sum(axis=0), rtol=1e-5)


def test_shifts_are_added_to_the_content(root: Path, still: Motion) -> None:
    sums = sum_halves(with_drift(still), dose_weighting=False, root=root)
    moved = [np.roll(frame * GAIN, (-2 * t, t), (0, 1)) for t, frame in enumerate(COUNTS)]
    np.testing.assert_allclose(sums.full, np.sum(moved, axis=0), rtol=1e-4)


def test_local_motion_in_whole_pixels(root: Path, still: Motion) -> None:
    coefficients = np.zeros((2, 6, 3))
    coefficients[0, 0, 0] = 1.0  # x shift of one pixel a frame, everywhere
    motion = replace(still, local_coefficients=coefficients)
    sums = sum_halves(motion, dose_weighting=False, root=root)
    moved = [np.roll(frame * GAIN, t, 1) for t, frame in enumerate(COUNTS)]
    np.testing.assert_allclose(sums.full[:, FRAMES:-1], np.sum(moved, axis=0)[:, FRAMES:-1], rtol=1e-4)


def test_tiff_and_mrc_agree(root: Path, still: Motion) -> None:
    mrc, tiff = (
        sum_halves(replace(with_drift(still), movie=m), dose_weighting=True, root=root) for m in ("a.mrcs", "a.tiff")
    )
    assert np.array_equal(mrc.even, tiff.even)
    assert np.array_equal(mrc.odd, tiff.odd)


@pytest.mark.parametrize("dtype", ["i1", "u1", "u2", "f4"])
def test_the_type_of_the_counts_does_not_matter(root: Path, still: Motion, dtype: str) -> None:
    tifffile.imwrite(root / "b.tiff", COUNTS[:, ::-1].astype(dtype), photometric="minisblack")
    a, b = (
        sum_halves(replace(with_drift(still), movie=m), dose_weighting=True, root=root) for m in ("a.mrcs", "b.tiff")
    )
    assert np.array_equal(a.even, b.even)
    assert np.array_equal(a.odd, b.odd)


def test_early_binning_keeps_the_mean_and_halves_the_shift(root: Path, still: Motion) -> None:
    sums = sum_halves(replace(with_drift(still), binning=2.0), dose_weighting=False, root=root)
    assert sums.even.shape == (HEIGHT // 2, WIDTH // 2)
    assert sums.full.mean() == pytest.approx((COUNTS * GAIN).sum(axis=0).mean(), rel=1e-5)
    unbinned = sum_halves(with_drift(still), dose_weighting=False, root=root)
    low = np.fft.rfft2(sums.full)[:4, :4] / sums.full.size
    np.testing.assert_allclose(low, np.fft.rfft2(unbinned.full)[:4, :4] / unbinned.full.size, atol=1e-4)


def test_late_binning_gives_the_size_of_the_micrograph(root: Path, still: Motion) -> None:
    coefficients = np.zeros((2, 6, 3))
    coefficients[0, 0, 0] = 1.0
    motion = replace(still, binning=2.0, early_binning=False, local_coefficients=coefficients)
    sums = sum_halves(motion, dose_weighting=False, root=root)
    assert sums.even.shape == (HEIGHT // 2, WIDTH // 2)


def test_dose_weighted_halves_keep_the_noise_level(root: Path, still: Motion) -> None:
    """Weights are normalised over the movie, so that white noise of variance v per frame gives v in the sum."""
    noise = RNG.normal(10, 1, (FRAMES, 128, 128)).astype(np.float32)
    with mrcfile.new(root / "noise.mrcs") as file:
        file.set_data(noise)
    motion = replace(still, movie="noise.mrcs", height=128, width=128, gain=None)
    full = sum_halves(motion, dose_weighting=True, root=root).full
    assert full.std() == pytest.approx(1.0, rel=0.03)
    assert full.mean() == pytest.approx(10 * np.sqrt(FRAMES), rel=0.01)


def test_bad_lines_are_replaced_and_named(root: Path, still: Motion) -> None:
    """A saturated row and a dead column: found in the sum, then treated as bad pixels, anew in every frame."""
    counts = RNG.poisson(4, (FRAMES, 96, 128)).astype(np.uint8)
    good = counts.sum(axis=0)
    counts[:, 40] = 255
    counts[:, :, 77] = 0
    tifffile.imwrite(root / "lines.tiff", counts[:, ::-1], photometric="minisblack")
    motion = replace(still, movie="lines.tiff", height=96, width=128, gain=None)
    sums = sum_halves(motion, dose_weighting=False, root=root)
    assert sums.bad_lines == BadLines(rows=(40,), columns=(77,))
    assert sums.full[40].mean() == pytest.approx(4 * FRAMES, rel=0.1)
    assert sums.full[:, 77].mean() == pytest.approx(4 * FRAMES, rel=0.1)
    assert abs(np.corrcoef(sums.even[40], sums.odd[40])[0, 1]) < 5 / np.sqrt(128)
    others = np.ones((96, 128), bool)
    others[40] = others[:, 77] = False
    np.testing.assert_allclose(sums.full[others], good[others], rtol=1e-5)


def test_two_runs_give_the_same_bytes(root: Path, still: Motion) -> None:
    motion = replace(with_drift(still), hot_pixels=RNG.integers(0, 24, (20, 2)))
    a, b = (sum_halves(motion, dose_weighting=True, root=root) for _ in range(2))
    assert a.even.tobytes() == b.even.tobytes()
    assert a.odd.tobytes() == b.odd.tobytes()


def test_wrong_inputs_are_named(root: Path, still: Motion) -> None:
    def sums(**changes: object) -> None:
        sum_halves(replace(still, **changes), dose_weighting=True, root=root)

    with pytest.raises(BadFileError, match=r"none\.tiff: no such file"):
        sums(movie="none.tiff")
    with pytest.raises(BadFileError, match=r"a\.mrcs: has 7 frames; expected 8, as its motion STAR says"):
        sums(frames=8, global_shifts=np.zeros((8, 2)))
    with pytest.raises(BadFileError, match=r"a\.mrcs: has frames of 32 x 24 px; expected 32 x 26 px"):
        sums(height=26)
    write_mrc(root / "small.mrc", GAIN[1:], pixel_size=1)
    with pytest.raises(BadFileError, match=r"small\.mrc: is a gain reference of 32 x 23 px; expected 32 x 24 px"):
        sums(gain="small.mrc")
    with pytest.raises(UsageError, match=r"binning 1\.5 makes a micrograph of 21 x 16 px; RELION needs even sizes"):
        sums(binning=1.5)
    with pytest.raises(UsageError, match=r"not defined at 120 kV.*Set 'dose_weighting: false'"):
        sums(voltage=120)
