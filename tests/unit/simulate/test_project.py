from pathlib import Path

import numpy as np
import pytest

from cryopair.errors import UsageError
from cryopair.formats.movies import open_movie
from cryopair.formats.mrc import read_mrc, read_mrc_info
from cryopair.formats.star import read_star
from cryopair.micrographs import read_micrographs
from cryopair.motion import read_motion
from cryopair.quality.against_truth import snr_db_against_truth
from cryopair.simulate.exposure import Settings, draw_exposure
from cryopair.simulate.project import simulate_project
from cryopair.simulate.scene import illumination

SMALL = {"frames": 6, "shape": (192, 256), "dose_per_frame": 5.0}
SETTINGS = Settings(seed=1, frames=6, shape=(192, 256), pixel_size=2.0, dose_per_frame=5.0, voltage=300.0)
LISTS = {"movies.star", "corrected_micrographs.star", "micrographs_ctf.star", "particles.star"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("simulated")
    simulate_project(root, movies=2, **SMALL)
    return root


def contents(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_extension_adds_and_equals_one_go(project, tmp_path):
    simulate_project(tmp_path / "grown", movies=1, **SMALL)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "grown").rglob("*") if p.is_file()}
    simulate_project(tmp_path / "grown", movies=2, **SMALL)
    touched = {p.name for p, time in before.items() if p.stat().st_mtime_ns != time}
    assert touched == LISTS
    assert contents(tmp_path / "grown") == contents(project)


def test_a_lost_file_is_made_again(project, tmp_path):
    simulate_project(tmp_path, movies=1, **SMALL)
    (tmp_path / "Movies/mic_0001.tiff").unlink()
    simulate_project(tmp_path, movies=1, **SMALL)
    assert (tmp_path / "Movies/mic_0001.tiff").read_bytes() == (project / "Movies/mic_0001.tiff").read_bytes()


def test_other_settings_are_refused(project):
    before = contents(project)
    with pytest.raises(UsageError, match=r"cryopairSeed is 1, not 2.*Choose another folder"):
        simulate_project(project, movies=3, seed=2, **SMALL)
    assert contents(project) == before


def test_another_specimen_or_carbon_is_another_simulation(project, tmp_path):
    with pytest.raises(UsageError, match=r"cryopairSpecimen is as usual, not ribosome"):
        simulate_project(project, movies=2, specimen="ribosome", **SMALL)
    simulate_project(tmp_path, movies=2, carbon_every=2, **SMALL)
    with pytest.raises(UsageError, match=r"cryopairCarbonEvery is 2, not as usual"):
        simulate_project(tmp_path, movies=2, **SMALL)
    first, second = (f"truth/Movies/mic_000{number}.mrc" for number in (1, 2))
    assert (tmp_path / first).read_bytes() == (project / first).read_bytes()
    assert (tmp_path / second).read_bytes() != (project / second).read_bytes()


def test_the_usual_settings_are_recorded_as_ever(project):
    assert read_star(project / "truth/simulation.star")["simulation"].labels == [
        "cryopairSeed",
        "rlnImageSizeX",
        "rlnImageSizeY",
        "rlnImageSizeZ",
        "rlnMicrographOriginalPixelSize",
        "rlnMicrographDoseRate",
        "rlnVoltage",
    ]


def test_senseless_settings_are_refused(tmp_path):
    with pytest.raises(UsageError, match="120 electrons per pixel"):
        simulate_project(tmp_path, dose_per_frame=30.0)
    with pytest.raises(UsageError, match="120 kV"):
        simulate_project(tmp_path, voltage=120.0)
    with pytest.raises(UsageError, match="at least one movie"):
        simulate_project(tmp_path, movies=0)
    with pytest.raises(UsageError, match="choose from proteasome, ribosome"):
        simulate_project(tmp_path, specimen="apoferritin")
    with pytest.raises(UsageError, match="-1th movie"):
        simulate_project(tmp_path, carbon_every=-1)
    assert not list(tmp_path.iterdir())


def test_motion_star_round_trip(project):
    exposure = draw_exposure(SETTINGS, 2)
    motion = read_motion(project / "MotionCorr/job002/Movies/mic_0002.star")
    assert (motion.movie, motion.gain) == ("Movies/mic_0002.tiff", "Movies/gain.mrc")
    assert (motion.frames, motion.height, motion.width) == (6, 192, 256)
    np.testing.assert_allclose(motion.global_shifts, -exposure.drift, atol=1e-6)
    np.testing.assert_allclose(motion.local_coefficients, exposure.local_coefficients, atol=1e-6)
    assert len(motion.hot_pixels) == 8


def test_movies_and_micrographs_agree_with_the_truth(project):
    with open_movie(project / "Movies/mic_0001.tiff") as movie:
        assert movie.shape == (6, 192, 256)
        frames = [movie.read(frame) for frame in range(6)]
    assert frames[0].dtype == np.uint8
    truth = read_mrc(project / "truth/Movies/mic_0001.mrc")
    unweighted = read_mrc(project / "MotionCorr/job002/Movies/mic_0001_noDW.mrc")
    assert unweighted.mean() / truth.mean() == pytest.approx(6 * 5.0 * 2.0**2, rel=0.01)
    gain = read_mrc(project / "Movies/gain.mrc")
    raw_sum = np.sum(frames, axis=0) * gain
    snr = snr_db_against_truth(unweighted, truth, pixel_size=2.0)
    # without alignment, without replaced bad pixels, and with rows in the wrong order it is worse
    assert snr > snr_db_against_truth(raw_sum, truth, pixel_size=2.0) + 1
    assert snr > snr_db_against_truth(unweighted[::-1], truth, pixel_size=2.0) + 3
    assert read_mrc_info(project / "MotionCorr/job002/Movies/mic_0001.mrc").pixel_size == pytest.approx(2.0)


def test_particles_are_dark_where_the_truth_says(project):
    beam = illumination(draw_exposure(SETTINGS, 2), (192, 256))
    truth = read_mrc(project / "truth/Movies/mic_0002.mrc") / beam
    table = read_star(project / "truth/Movies/mic_0002.star")["particles"]
    x, y = np.rint(table.floats("rlnCoordinateX")), np.rint(table.floats("rlnCoordinateY"))
    rows, columns = np.mgrid[:192, :256]
    near = (np.hypot(rows[..., None] - y, columns[..., None] - x) < 20).any(axis=2)
    far = (np.hypot(rows[..., None] - y, columns[..., None] - x) > 50).all(axis=2)
    assert len(table) >= 2
    assert truth[near].mean() < np.median(truth[far]) - 0.01


def test_lists_read_as_relion_micrographs(project):
    corrected = read_micrographs(project / "MotionCorr/job002/corrected_micrographs.star")
    assert corrected.table.labels == [
        "rlnMicrographNameNoDW",
        "rlnMicrographName",
        "rlnMicrographMetadata",
        "rlnOpticsGroup",
        "rlnAccumMotionTotal",
        "rlnAccumMotionEarly",
        "rlnAccumMotionLate",
    ]
    for row in corrected.table.rows():
        for label in ("rlnMicrographNameNoDW", "rlnMicrographName", "rlnMicrographMetadata"):
            assert (project / row[label]).is_file()
        assert corrected.pixel_size(row) == 2.0
    steps = np.linalg.norm(np.diff(draw_exposure(SETTINGS, 1).drift, axis=0), axis=1)
    assert corrected.table.floats("rlnAccumMotionTotal")[0] == pytest.approx(steps.sum(), abs=1e-5)

    with_ctf = read_micrographs(project / "CtfFind/job003/micrographs_ctf.star").table
    assert with_ctf["rlnMicrographName"] == corrected.table["rlnMicrographName"]
    defocus = draw_exposure(SETTINGS, 1).defocus
    assert with_ctf.floats("rlnDefocusU")[0] == pytest.approx(defocus.u, abs=1e-3)

    movies = read_star(project / "Import/job001/movies.star")
    assert movies["movies"]["rlnMicrographMovieName"] == ["Movies/mic_0001.tiff", "Movies/mic_0002.tiff"]


def test_all_true_particles_are_listed_by_micrograph(project):
    listed = read_star(project / "truth/particles.star")["particles"]
    for number in (1, 2):
        name = f"MotionCorr/job002/Movies/mic_{number:04d}.mrc"
        own = read_star(project / f"truth/Movies/mic_{number:04d}.star")["particles"]
        chosen = [i for i, micrograph in enumerate(listed["rlnMicrographName"]) if micrograph == name]
        assert listed.select(chosen)["rlnCoordinateX"] == own["rlnCoordinateX"]
        x, y = own.floats("rlnCoordinateX"), own.floats("rlnCoordinateY")
        assert ((x >= 0) & (x <= 255) & (y >= 0) & (y <= 191)).all()
