"""RELION's motion STARs: read field by field, units found out, written so that they come back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryopair.errors import BadFileError
from cryopair.formats.star import Table, read_star, write_star
from cryopair.motion.model import Motion, read_motion, write_motion

RNG = np.random.default_rng(0)
SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def motion() -> Motion:
    shifts = np.cumsum(RNG.normal(size=(6, 2)), axis=0).round(4)
    shifts[[0, 5]] = np.nan
    shifts[1] = 0
    return Motion(
        movie="Movies/a.tiff",
        frames=6,
        height=100,
        width=140,
        pixel_size=0.885,
        dose_per_frame=1.277,
        pre_exposure=0.5,
        voltage=200,
        first_frame=2,
        global_shifts=shifts,
        local_coefficients=RNG.normal(size=(2, 6, 3)).round(4),
        gain="MotionCorr/job002/gain.mrc",
        hot_pixels=np.array([[3, 4], [139, 99]]),
    )


def assert_equal(a: Motion, b: Motion) -> None:
    for name, value in vars(a).items():
        np.testing.assert_equal(value, getattr(b, name), err_msg=name)


def test_round_trip(tmp_path: Path, motion: Motion) -> None:
    write_motion(tmp_path / "a.star", motion)
    assert_equal(read_motion(tmp_path / "a.star"), motion)


def test_used_frames_and_sizes(motion: Motion) -> None:
    assert motion.used_frames == range(1, 5)
    binned = replace(motion, binning=1.5)
    assert binned.micrograph_shape == (66, 93)
    assert binned.micrograph_pixel_size == pytest.approx(1.3275)


def test_local_terms_are_relions_polynomial(motion: Motion) -> None:
    """Coefficient 3 s + p - 1 belongs to space term s and time power p; t counts from the first used frame."""
    flat = np.zeros(36)
    flat[18 + 3 * 5 + 1] = 2.0  # y shift, term xy, t²
    terms = replace(motion, local_coefficients=flat.reshape(2, 6, 3)).local_terms(4)
    expected = np.zeros((2, 6))
    expected[1, 5] = 2.0 * 3**2  # 0-based frame 4 is frame 5; minus first frame 2
    assert np.array_equal(terms, expected)
    assert not motion.local_terms(1).any()


@pytest.mark.parametrize("binning", [2.0, 1.5])
@pytest.mark.parametrize("early", [True, False])
def test_grid_is_found_from_the_patch_shifts(tmp_path: Path, motion: Motion, binning: float, early: bool) -> None:
    """data_local_shift is in raw pixels, the model in pixels of the aligned grid; their ratio tells the grid."""
    path = tmp_path / "a.star"
    write_motion(path, replace(motion, binning=binning))
    frames, x, y = (a.ravel() for a in np.meshgrid(np.arange(2, 6), [35.0, 105.0], [20.0, 80.0]))
    u, v, t = x / motion.width - 0.5, y / motion.height - 0.5, frames - 2 + 0.5
    space = np.stack([np.ones_like(u), u, u**2, v, v**2, u * v])
    model = np.einsum("asp,sn,pn->an", motion.local_coefficients, space, np.stack([t, t**2, t**3]))
    raw = model * (binning if early else 1) + RNG.normal(scale=0.05 * model.std(), size=model.shape)
    shifts = {"rlnMicrographFrameNumber": frames, "rlnCoordinateX": x, "rlnCoordinateY": y}
    shifts |= {"rlnMicrographShiftX": raw[0], "rlnMicrographShiftY": raw[1]}
    write_star(path, read_star(path) | {"local_shift": Table(shifts)}, lists=("general",))
    assert read_motion(path).early_binning is early


def test_motion_without_shifts_is_refused(tmp_path: Path, motion: Motion) -> None:
    write_motion(tmp_path / "a.star", replace(motion, global_shifts=np.full((6, 2), np.nan)))
    with pytest.raises(BadFileError, match="all shifts are -9999"):
        read_motion(tmp_path / "a.star")


def test_contradicting_frame_numbers_are_refused(tmp_path: Path, motion: Motion) -> None:
    write_motion(tmp_path / "a.star", motion)
    blocks = read_star(tmp_path / "a.star")
    blocks["general"]["rlnImageSizeZ"] = [7]
    write_star(tmp_path / "a.star", blocks, lists=("general",))
    with pytest.raises(BadFileError, match=r"lists 6 frames in data_global_shift; expected frames 1 to 7"):
        read_motion(tmp_path / "a.star")


def test_a_value_that_is_no_number_is_named(tmp_path: Path, motion: Motion) -> None:
    write_motion(tmp_path / "a.star", motion)
    blocks = read_star(tmp_path / "a.star")
    blocks["general"]["rlnVoltage"] = ["high"]
    write_star(tmp_path / "a.star", blocks, lists=("general",))
    with pytest.raises(BadFileError, match=r"a\.star: holds a value that is no number .*'high'"):
        read_motion(tmp_path / "a.star")


def test_another_star_file_is_refused(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", {"optics": Table({"rlnOpticsGroup": [1]})})
    with pytest.raises(BadFileError, match="no block data_general"):
        read_motion(tmp_path / "a.star")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real STAR files is not beside this checkout")
def test_real_files() -> None:
    """Every field of every real motion STAR, compared with the file's own text."""
    paths = [*SHARED.glob("relion31-tutorial/MotionCorr/job002/Movies/*.star")]
    paths += [SHARED / "relion4-testdata/movie_frameImage.star"]
    paths += [SHARED / "relion5-tomo/MotionCorr/job002/frames/TS_54_000_-0_0.star"]
    assert len(paths) == 26
    for path in paths:
        motion = read_motion(path)
        words = [line.split() for line in path.read_text().splitlines()]
        general = {line[0]: line[1] for line in words if len(line) == 2 and line[0].startswith("_rln")}
        assert motion.movie == general["_rlnMicrographMovieName"]
        assert motion.width == int(general["_rlnImageSizeX"])
        assert motion.frames == int(general["_rlnImageSizeZ"]) == len(motion.global_shifts)
        assert motion.dose_per_frame == float(general["_rlnMicrographDoseRate"])
        assert (motion.local_coefficients is None) == (general["_rlnMotionModelVersion"] == "0")
        assert not motion.global_shifts[0].any()
        assert motion.used_frames == range(motion.frames)
