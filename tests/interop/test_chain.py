"""From movies to 2D classes with real RELION at both ends: motion correction before, classification after."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.mrc import map_mrc, read_mrc_info
from cryopair.formats.star import Table, read_star, write_star
from cryopair.session.init import initialise
from cryopair.simulate.project import simulate_project

JOB = "MotionCorr/job004"
SOURCE = "CtfFind/job005/micrographs_ctf.star"
SETTINGS = {"training.steps": "40", "shards.size": "2"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, relion) -> Path:
    """Movies imported, aligned by RELION, and run through the workflow."""
    root = tmp_path_factory.mktemp("relion")
    simulate_project(root, movies=4, frames=12, dose_per_frame=2.4)
    (root / "Import/job003").mkdir()
    optics = ("--optics_group_name", "og", "--angpix", 2, "--kV", 300, "--Cs", 2.7, "--Q0", 0.1)
    movies = ("--i", "Movies/*.tiff", "--odir", "Import/job003/", "--ofile", "movies.star")
    relion("import", "--do_movies", *optics, *movies, cwd=root)
    dose = ("--dose_per_frame", 2.4, "--dose_weighting", "--save_noDW")
    patches = ("--patch_x", 3, "--patch_y", 3, "--bfactor", 500, "--group_frames", 3)
    files = ("--gainref", "Movies/gain.mrc", "--i", "Import/job003/movies.star", "--o", f"{JOB}/")
    relion("run_motioncorr", "--use_own", "--j", 2, *dose, *patches, *files, cwd=root)
    with_true_ctf(root)

    here = Path.cwd()
    os.chdir(root)
    try:
        initialise(SOURCE, Path("config/config.yaml"), output="cryopair", diameter=150, settings=SETTINGS)
        command = [sys.executable, "-m", "cryopair", "run", "--cores", "2"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        os.chdir(here)
    assert result.returncode == 0, result.stdout + result.stderr
    return root


def with_true_ctf(root: Path) -> None:
    """Give RELION's micrographs the true defocus, as a CtfFind job would: Debian has no ctffind."""
    blocks = read_star(root / JOB / "corrected_micrographs.star")
    true = read_star(root / "CtfFind/job003/micrographs_ctf.star")["micrographs"]
    table = blocks["micrographs"].without("rlnMicrographNameNoDW", "rlnMicrographMetadata")
    names = [Path(name).name for name in table["rlnMicrographName"]]
    assert names == [Path(name).name for name in true["rlnMicrographName"]]
    for label in true.labels:
        if label not in table:
            table[label] = true[label]
    write_star(root / SOURCE, blocks | {"micrographs": table})


def test_all_particles_come_from_relions_raw_micrographs(project: Path) -> None:
    blocks = read_star(project / "cryopair/particles.star")
    particles = blocks["particles"]
    assert len(particles) > 80
    names = set(particles["rlnMicrographName"])
    assert names == {f"{JOB}/Movies/mic_{number:04d}.mrc" for number in range(1, 5)}
    assert not any(read_mrc_info(project / name).denoised for name in names)
    assert "rlnDefocusU" in particles


def test_relion_classifies_the_particles(project: Path, relion) -> None:
    (project / "Class2D/job010").mkdir(parents=True)
    search = ("--iter", 3, "--K", 2, "--psi_step", 24, "--offset_range", 4, "--offset_step", 4, "--oversampling", 0)
    model = (
        "--particle_diameter",
        170,
        "--ctf",
        "--tau2_fudge",
        2,
        "--flatten_solvent",
        "--zero_mask",
        "--norm",
        "--scale",
    )
    files = ("--i", "cryopair/particles.star", "--o", "Class2D/job010/run", "--dont_combine_weights_via_disc", "--j", 2)
    relion("refine", *files, *search, *model, cwd=project)
    seen = read_star(project / "Class2D/job010/run_it003_data.star")["particles"]
    ours = read_star(project / "cryopair/particles.star")["particles"]
    assert seen["rlnImageName"] == ours["rlnImageName"]
    np.testing.assert_allclose(seen.floats("rlnCoordinateX"), ours.floats("rlnCoordinateX"))
    classes = read_star(project / "Class2D/job010/run_it003_model.star")["model_classes"]
    assert classes.floats("rlnClassDistribution").sum() == pytest.approx(1, abs=1e-3)


def test_relion_extracts_the_same_particles_from_our_coordinates(project: Path, relion) -> None:
    """RELION 3.1 finds the coordinates by coords_suffix_blob.star and cuts what we cut, pixel by pixel."""
    options = ("--extract", "--extract_size", 112, "--norm", "--bg_radius", 42, "--invert_contrast")
    coordinates = ("--coord_dir", "cryopair/coordinates/", "--coord_suffix", "_blob.star")
    output = ("--part_star", "Extract/job020/particles.star", "--part_dir", "Extract/job020/")
    dust = ("--white_dust", -1, "--black_dust", -1)
    assert (project / "cryopair/coordinates/coords_suffix_blob.star").is_file()
    relion("preprocess", "--i", SOURCE, *coordinates, *output, *options, *dust, cwd=project)
    theirs = read_star(project / "Extract/job020/particles.star")
    ours = read_star(project / "cryopair/particles.star")
    assert theirs["optics"].labels == ours["optics"].labels
    assert theirs["particles"].labels == ours["particles"].labels
    assert len(theirs["particles"]) == len(ours["particles"])
    for number in range(1, 5):
        a = np.array(map_mrc(project / f"cryopair/particles/Movies/mic_{number:04d}.mrcs"), dtype=np.float64)
        b = np.array(map_mrc(project / f"Extract/job020/Movies/mic_{number:04d}.mrcs"), dtype=np.float64)
        assert np.sqrt(np.mean((a - b) ** 2)) / b.std() < 1e-5


def test_relion_reads_every_star_and_keeps_every_value(project: Path, relion) -> None:
    """Each table goes through relion_star_handler and comes back equal in value.

    That program reads only tables of micrographs or particles with optics groups (with --ignore_optics,
    3.1.3 finds no columns in any file, RELION's own included), so other tables borrow an optics group.
    """
    stars = sorted(path for path in (project / "cryopair").rglob("*.star") if "coords_suffix" not in path.name)
    assert len(stars) > 20
    borrowed = read_star(project / SOURCE)["optics"]
    seen = set()
    for path in stars:
        for name, table in read_star(path).items():
            if name == "optics" or not len(table):
                continue
            seen.add(name)
            kind = "particles" if name == "particles" else "micrographs"
            optics = read_star(path).get("optics", borrowed)
            if "rlnOpticsGroup" not in table:
                table["rlnOpticsGroup"] = [1] * len(table)
            write_star(project / "in.star", {"optics": optics, kind: table})
            relion("star_handler", "--i", "in.star", "--o", "out.star", cwd=project)
            back = read_star(project / "out.star")
            assert_equal(back["optics"], optics, path)
            assert_equal(back[kind], table, path)
    assert {"", "image", "micrographs", "particles", "coordinate_files", "movies", "training_pairs"} <= seen


def assert_equal(a: Table, b: Table, path: Path) -> None:
    assert a.labels == b.labels, path
    for label in b.labels:
        for x, y in zip(a[label], b[label], strict=True):
            assert x == y or float(x) == pytest.approx(float(y), rel=1e-6, abs=1e-6), (path, label, x, y)
