"""The stage align: from a table of movies to what a MotionCorr job leaves."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter, shift

from cryopair.alignment.acquisition import Acquisition
from cryopair.alignment.stage import align_micrographs, align_movie
from cryopair.camera.gain import read_gain
from cryopair.cli import main
from cryopair.errors import UsageError
from cryopair.formats.fingerprint import fingerprint
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.halves.sums import sum_halves
from cryopair.micrographs import Micrographs, read_micrographs
from cryopair.motion import read_motion
from cryopair.sources import read_source

FRAMES, SHAPE = 8, (160, 192)
DRIFT = np.stack([0.7 * np.arange(FRAMES), -0.4 * np.arange(FRAMES)], axis=1)  # px
SETTINGS = Acquisition(dose_per_frame=1.0, gain="Movies/gain.mrc", gain_rotation=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two movies, a truncated one, and a gain that needs a quarter turn."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    scene = gaussian_filter(random.normal(size=(SHAPE[0] + 40, SHAPE[1] + 40)), 2)
    scene *= 0.4 / scene.std()
    gain = np.clip(random.normal(1, 0.03, SHAPE), 0.8, 1.2)
    gain[20, 30] = 0
    Path("Movies").mkdir()
    for name in ("a", "b"):
        counts = np.empty((FRAMES, *SHAPE), np.uint8)
        for frame, (x, y) in enumerate(DRIFT):
            electrons = 4 * (1 + shift(scene, (y, x), order=3, mode="nearest")[20:-20, 20:-20])
            counts[frame] = random.poisson(np.where(gain > 0, electrons.clip(0.1) / np.where(gain > 0, gain, 1), 0))
        counts[:, 50, 60] = 80  # hot
        tifffile.imwrite(f"Movies/{name}.tiff", counts[:, ::-1], compression="lzw", photometric="minisblack")
    Path("Movies/broken.tiff").write_bytes(Path("Movies/a.tiff").read_bytes()[:20_000])
    write_mrc("Movies/gain.mrc", np.rot90(gain), pixel_size=1)  # RELION turns clockwise
    optics = {"rlnOpticsGroupName": ["og"], "rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [1.5]}
    movies = {"rlnMicrographMovieName": [f"Movies/{n}.tiff" for n in ("a", "broken", "b")], "rlnOpticsGroup": [1] * 3}
    tables = {"optics": Table({**optics, "rlnVoltage": [300.0]}), "movies": Table(movies)}
    write_star("movies.star", tables)
    return tmp_path


def test_a_job_like_relions(project: Path) -> None:
    command = "align --star movies.star --out Align/job003 --dose-per-frame 1 --gain Movies/gain.mrc --gain-rotation 1"
    assert main([*command.split(), "--motion", "global", "--device", "cpu"]) == 0
    done = read_micrographs("Align/job003/align.star")
    assert done.table["rlnMicrographName"] == ["Align/job003/Movies/a.mrc", "Align/job003/Movies/b.mrc"]
    assert done.failed["rlnMicrographName"] == ["Movies/broken.tiff"]
    assert done.optics.labels[-1] == "rlnMicrographPixelSize"
    for row in done.table.rows():
        motion = read_motion(row["rlnMicrographMetadata"])
        assert motion.movie == row["rlnMicrographMovieName"]
        assert motion.gain == "Align/job003/gain.mrc"
        assert motion.hot_pixels.tolist() == [[60, 50]]
        left = motion.global_shifts + DRIFT
        assert np.abs(left - left.mean(axis=0)).max() < 0.25
        assert (motion.global_shifts[0] == 0).all()
        # The micrograph is what the motion STAR says, to the six decimals in which it says it.
        again = sum_halves(motion, dose_weighting=True)
        micrograph = read_mrc(row["rlnMicrographName"])
        assert np.abs(again.full - micrograph).max() < 1e-3 * micrograph.std()
        early, late = motion.path_lengths
        written = [float(row[f"rlnAccumMotion{part}"]) * motion.pixel_size for part in ("Early", "Late", "Total")]
        assert written == pytest.approx([early, late, early + late], abs=1e-4)
        assert late > 0
    assert read_gain("Align/job003/gain.mrc", SHAPE)[20, 30] == 0


def test_nothing_depends_on_the_run(project: Path) -> None:
    for out in ("one", "two"):
        align_micrographs(read_source("movies.star"), SETTINGS, out=Path(out))
    for name in ("Movies/a.mrc", "Movies/b.mrc", "gain.mrc"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()
    stars = [Path(out, "Movies/a.star").read_text().replace(out, "out") for out in ("one", "two")]
    assert stars[0] == stars[1]


def test_a_planned_movie_is_known_by_its_motion_from_then_on(project: Path) -> None:
    movies = read_source("movies.star")
    movies.table["cryopairFingerprint"] = [fingerprint(name) for name in movies.table["rlnMicrographMovieName"]]
    done = align_micrographs(movies, SETTINGS, out=Path("out"))
    row = done.table.row(0)
    assert row["cryopairFingerprint"] == fingerprint(row["rlnMicrographMovieName"], row["rlnMicrographMetadata"])
    Path("Movies/a.tiff").write_bytes(Path("Movies/b.tiff").read_bytes()[:-1] + b"\0")
    failed = align_micrographs(movies, SETTINGS, out=Path("again")).failed
    assert "has changed since it was planned" in failed["cryopairReason"][0]


def test_aligned_stacks_are_only_summed(project: Path) -> None:
    movie = SETTINGS.with_oriented_gain(Path("out")).still(
        {"rlnMicrographMovieName": "Movies/a.tiff"},
        {"rlnMicrographOriginalPixelSize": "1.5", "rlnVoltage": "300"},
        root=Path(),
    )
    motion = align_movie(movie, extent="none")
    assert (motion.global_shifts == 0).all()
    assert motion.local_coefficients is None
    assert len(motion.hot_pixels) == 1


def test_local_motion_is_in_pixels_of_the_micrograph(project: Path) -> None:
    """Shifts are of the raw movie, whatever the binning; the local model is of the binned one."""
    found = {}
    for binning in (1, 2):
        settings = Acquisition(dose_per_frame=1.0, gain="Movies/gain.mrc", gain_rotation=1, binning=binning)
        out = Path(f"bin{binning}")
        done = align_micrographs(read_source("movies.star"), settings, out=out)
        assert done.pixel_size(done.table.row(0)) == 1.5 * binning
        found[binning] = read_motion(out / "Movies/a.star")
        assert read_mrc(out / "Movies/a.mrc").shape == (SHAPE[0] // binning, SHAPE[1] // binning)
    assert np.array_equal(found[1].global_shifts, found[2].global_shifts)
    assert found[1].local_coefficients == pytest.approx(2 * found[2].local_coefficients, abs=2e-5)


def test_frames_left_out(project: Path) -> None:
    settings = Acquisition(dose_per_frame=1.0, pre_exposure=0.5, first_frame=3, last_frame=7)
    align_micrographs(read_source("movies.star"), settings, out=Path("out"))
    motion = read_motion("out/Movies/a.star")
    assert motion.used_frames == range(2, 7)
    assert (motion.first_frame, motion.pre_exposure) == (3, 0.5)
    left = motion.global_shifts[2:7] + DRIFT[2:7]
    assert np.abs(left - left.mean(axis=0)).max() < 0.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dose_per_frame": 0}, "dose per frame is not known"),
        ({"pixel_size": 1.1}, "pixel size is 1.1, but 1.500000"),
        ({"gain_rotation": 5}, "gain rotation 5"),
        ({"gain": "none.mrc"}, "acquisition.gain: none.mrc: no such file"),
        ({"defects": "none.txt"}, "acquisition.defects: none.txt: no such file"),
    ],
)
def test_wrong_settings_stop_everything(project: Path, change: dict, message: str) -> None:
    settings = Acquisition(**{**vars(SETTINGS), **change})
    with pytest.raises(UsageError, match=message):
        align_micrographs(read_source("movies.star"), settings, out=Path("out"))


def test_what_the_table_does_not_say_must_be_given(project: Path) -> None:
    with pytest.raises(UsageError, match="pixel size is not known"):
        align_micrographs(read_source("Movies/[ab].tiff"), SETTINGS, out=Path("out"))
    settings = Acquisition(**{**vars(SETTINGS), "pixel_size": 1.5, "voltage": 300, "spherical_aberration": 2.7})
    done = align_micrographs(read_source("Movies/[ab].tiff"), settings, out=Path("out"))
    assert done.optics.row(0)["rlnSphericalAberration"] == "2.700000"
    assert len(done.table) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Acquisition(dose_per_frame=1, first_frame=7), "has 8 frames, 2 of them from 7 to the last"),
        (Acquisition(dose_per_frame=1, gain="small.mrc"), "gain reference of 5 x 4 px"),
    ],
)
def test_movies_that_do_not_fit_fail(project: Path, settings: Acquisition, message: str) -> None:
    write_mrc("small.mrc", np.ones((4, 5)), pixel_size=1)
    movies = read_source("movies.star")
    movies.table = movies.table.select([0])
    failed = align_micrographs(movies, settings, out=Path("out")).failed
    assert message in failed["cryopairReason"][0]


def test_micrographs_are_not_aligned(project: Path) -> None:
    optics = Table({"rlnOpticsGroup": [1]})
    with pytest.raises(UsageError, match="names no movies"):
        align_micrographs(Micrographs(optics, Table({"rlnMicrographName": ["a.mrc"]})), SETTINGS, out=Path("out"))


def test_read_star_of_the_stage_has_relions_columns(project: Path) -> None:
    assert main(["align", "--star", "movies.star", "--out", "out", "--dose-per-frame", "1", "--motion", "none"]) == 0
    labels = read_star("out/align.star")["micrographs"].labels
    assert labels[-5:] == [
        "rlnMicrographName",
        "rlnMicrographMetadata",
        "rlnAccumMotionTotal",
        "rlnAccumMotionEarly",
        "rlnAccumMotionLate",
    ]
