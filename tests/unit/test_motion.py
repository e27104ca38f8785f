"""RELION's motion STARs: read field by field, units found out, written so that they come back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryopair.errors import BadFileError
from cryopair.formats.movies import EerRendering
from cryopair.formats.star import Table, read_star, write_star
from cryopair.motion import Motion, read_motion, write_motion

RNG = np.random.default_rng(0)
DATA = Path(__file__).parents[1] / "data" / "motion"
SHARED = Path(__file__).parents[3] / "shared" / "data"


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


def test_sizes_and_scales_must_be_positive(tmp_path: Path, motion: Motion) -> None:
    path = tmp_path / "a.star"
    write_motion(path, motion)
    for label, value in (("MicrographBinning", "0.0"), ("ImageSizeX", "-5"), ("MicrographOriginalPixelSize", "nan")):
        blocks = read_star(path)
        blocks["general"][f"rln{label}"] = [value]
        write_star(tmp_path / "b.star", blocks, lists=("general",))
        with pytest.raises(BadFileError, match=f"gives _rln{label} {value}; expected a number above 0"):
            read_motion(tmp_path / "b.star")


def test_a_gap_in_the_shifts_is_refused(tmp_path: Path, motion: Motion) -> None:
    shifts = motion.global_shifts.copy()
    shifts[2] = np.nan
    write_motion(tmp_path / "a.star", replace(motion, global_shifts=shifts))
    with pytest.raises(BadFileError, match="gives no shift of frame 3; expected shifts without a gap"):
        read_motion(tmp_path / "a.star")


EER = """
# version 50001

data_general

_rlnImageSizeX                                     4096
_rlnImageSizeY                                     4096
_rlnImageSizeZ                                        2
_rlnMicrographMovieName                    frames/a.eer
_rlnMicrographGainName                     frames/a.gain
_rlnMicrographDefectFile                   frames/defects.txt
_rlnMicrographBinning                          1.000000
_rlnMicrographOriginalPixelSize                0.735000
_rlnMicrographDoseRate                         0.812500
_rlnMicrographPreExposure                      3.000000
_rlnVoltage                                  300.000000
_rlnMicrographStartFrame                              1
_rlnEERUpsampling                                     1
_rlnEERGrouping                                      32
_rlnMotionModelVersion                                0


# version 50001

data_global_shift

loop_
_rlnMicrographFrameNumber #1
_rlnMicrographShiftX #2
_rlnMicrographShiftY #3
           1     0.000000     0.000000
           2     0.769999     -0.50667
"""
# What the wrapper of MotionCor2 leaves: the shifts of the patches, but no model of them.
PATCHES = """
# version 30001

data_local_shift

loop_
_rlnMicrographFrameNumber #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnMicrographShiftX #4
_rlnMicrographShiftY #5
           1   371.000000   384.000000     0.000000     0.000000
           2   371.000000   384.000000     0.130000     -0.22000
"""


def test_eer(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_text(EER)
    motion = read_motion(path)
    assert_fields(path, motion)
    assert motion.eer == EerRendering(grouping=32, upsampling=1)
    assert not motion.local_motion_lost
    write_motion(tmp_path / "b.star", motion)
    assert_equal(read_motion(tmp_path / "b.star"), motion)
    assert list(read_star(tmp_path / "b.star")["general"].labels) == list(read_star(path)["general"].labels)
    path.write_text(EER.replace("_rlnEERGrouping                                      32\n", ""))
    with pytest.raises(BadFileError, match="gives _rlnEERUpsampling alone; expected _rlnEERGrouping and"):
        read_motion(path)


def test_patches_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(EER + PATCHES)
    motion = read_motion(tmp_path / "a.star")
    assert motion.local_coefficients is None
    assert motion.local_motion_lost


@pytest.mark.parametrize(
    ("name", "early", "used"),
    [("binned", True, range(12)), ("binned_late", False, range(12)), ("frames_3_to_10", True, range(2, 10))],
)
def test_files_of_relion(name: str, early: bool, used: range) -> None:
    """As RELION 3.1.3 wrote them for the movies of tests/interop."""
    path = DATA / f"relion_3.1.3_{name}.star"
    motion = read_motion(path)
    assert_fields(path, motion)
    assert motion.early_binning is early
    assert motion.used_frames == used
    assert motion.first_frame == used[0] + 1
    assert motion.local_coefficients is not None
    assert len(motion.hot_pixels)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real STAR files is not beside this checkout")
def test_real_files() -> None:
    """Every field of every real motion STAR, compared with the file's own text."""
    paths = [*SHARED.glob("relion31-tutorial/MotionCorr/job002/Movies/*.star")]
    paths += [SHARED / "relion4-testdata/movie_frameImage.star"]
    paths += [SHARED / "relion5-tomo/MotionCorr/job002/frames/TS_54_000_-0_0.star"]
    assert len(paths) == 26
    for path in paths:
        motion = read_motion(path)
        assert_fields(path, motion)
        assert not motion.global_shifts[0].any()
        assert motion.used_frames == range(motion.frames)
        assert not motion.local_motion_lost


def assert_fields(path: Path, motion: Motion) -> None:
    """Compare with the words of the file, block by block."""
    blocks: dict[str, list[list[str]]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("data_"):
            blocks[line.strip()] = rows = []
        elif line.strip() and not line.startswith(("#", "loop_")):
            rows.append(line.split())
    general = {words[0].removeprefix("_rln"): words[1] for words in blocks["data_general"]}
    tables = {name: [row for row in rows if row[0][0] != "_"] for name, rows in blocks.items()}

    assert motion.movie == general["MicrographMovieName"]
    assert motion.gain == general.get("MicrographGainName")
    assert motion.defects == general.get("MicrographDefectFile")
    assert (motion.width, motion.height) == (int(general["ImageSizeX"]), int(general["ImageSizeY"]))
    assert motion.frames == int(general["ImageSizeZ"]) == len(motion.global_shifts)
    assert motion.binning == float(general["MicrographBinning"])
    assert motion.pixel_size == float(general["MicrographOriginalPixelSize"])
    assert motion.dose_per_frame == float(general["MicrographDoseRate"])
    assert motion.pre_exposure == float(general["MicrographPreExposure"])
    assert motion.voltage == float(general["Voltage"])
    assert motion.first_frame == int(general["MicrographStartFrame"])
    assert (motion.eer is None) == ("EERGrouping" not in general)
    shifts = np.where(np.isnan(motion.global_shifts), -9999, motion.global_shifts)
    assert shifts.tolist() == [[float(x), float(y)] for _, x, y in tables["data_global_shift"]]
    assert (motion.local_coefficients is None) == (general["MotionModelVersion"] == "0")
    if motion.local_coefficients is not None:
        stored = [float(value) for _, value in tables["data_local_motion_model"]]
        assert motion.local_coefficients.reshape(-1).tolist() == stored
        assert motion.local_coefficients[1, 5, 2] == stored[35]
    hot_pixels = [[float(x), float(y)] for x, y in tables.get("data_hot_pixels", [])]
    assert motion.hot_pixels.tolist() == hot_pixels


def test_motion_is_counted_as_relion_counts_it() -> None:
    shifts = np.full((6, 2), np.nan)
    shifts[1:] = np.cumsum([[0, 0], [3, 4], [0, 1], [2, 0], [0, 0.5]], axis=0)
    motion = Motion(
        movie="a", frames=6, height=2, width=2, pixel_size=2, dose_per_frame=1, pre_exposure=0.5, voltage=300,
        first_frame=2, global_shifts=shifts,
    )  # fmt: skip
    assert motion.path_lengths == (10.0, 7.0)  # the step to frame 3 is early: 3 <= (4 - 0.5) / 1
    assert replace(motion, dose_per_frame=0).path_lengths == (0.0, 17.0)
