"""The whole chain from every kind of source."""

import shutil
from pathlib import Path

import pytest
from made_up import MOVIES, SETTINGS, Project

from cryopair.formats.star import read_star

pytestmark = pytest.mark.slow

NAMES = [f"mic_{number:04d}" for number in range(1, MOVIES + 1)]


@pytest.fixture
def bare(finished: Project, tmp_path: Path) -> Project:
    """A project with movies only, as they come from the microscope."""
    shutil.copytree(finished.folder / "Movies", tmp_path / "bare" / "Movies")
    return Project(tmp_path / "bare")


def start(project: Project, source: str, **settings: str) -> str:
    values = SETTINGS | {name.replace("__", "."): value for name, value in settings.items()}
    options = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    result = project.cryopair("init", "--from", source, "--diameter", "150", *options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def denoised(project: Project) -> list[str]:
    return sorted(Path(name).stem for name in names(project, "rlnMicrographName"))


def names(project: Project, label: str) -> list[str]:
    return read_star(project.output / "denoised_micrographs.star")["micrographs"][label]


def test_raw_movies_are_aligned(bare: Project) -> None:
    acquisition = {
        "acquisition__pixel_size": "2.0",
        "acquisition__voltage": "300",
        "acquisition__dose_per_frame": "1.2",
        "acquisition__gain": "Movies/gain.mrc",
    }
    assert "raw movies" in start(bare, "Movies/*.tiff", **acquisition)
    held_back = bare.folder / "Movies" / f"{NAMES[-1]}.tiff"
    held_back.rename(bare.folder / "later.tiff")
    jobs = bare.run()
    assert (jobs["align"], jobs["halves"], jobs["train"]) == (1, 1, 1)
    assert denoised(bare) == NAMES[:-1]
    assert names(bare, "cryopairMicrographNameRaw")[0] == "cryopair/motion/job001/Movies/mic_0001.mrc"
    assert len(read_star(bare.output / "particles.star")["particles"])
    assert not bare.run()

    (bare.folder / "later.tiff").rename(held_back)
    jobs = bare.run()
    assert (jobs["align"], jobs["halves"], jobs["train"]) == (1, 1, 0)
    assert denoised(bare) == NAMES

    bare.configure("  pre_exposure: 0.0", "  pre_exposure: 0.5")
    assert bare.run()["align"] == 2


def test_raw_movies_say_what_they_lack(bare: Project) -> None:
    said = start(bare, "Movies")
    for missing in ("pixel size", "voltage", "dose per frame"):
        assert missing in said
    bare.run(code=1)
    assert "acquisition: the pixel size is not known" in (bare.output / "logs/align/000001.log").read_text()


def test_halves_made_elsewhere_and_a_model_for_single_micrographs(finished: Project, tmp_path: Path) -> None:
    project = Project(tmp_path)
    shutil.copytree(finished.output / "halves" / "Movies", tmp_path / "MC")
    assert "5, 2 Å/px: halves made elsewhere" in start(project, "MC")
    jobs = project.run()
    assert (jobs["align"], jobs["halves"], jobs["train"], jobs["measure"]) == (0, 1, 1, 1)
    assert denoised(project) == NAMES
    assert not list(project.output.glob("**/*_EVN.mrc"))

    model = next((project.output / "models").iterdir())
    other = Project(tmp_path / "other")
    shutil.copytree(project.output / "halves/job001/MC", other.folder / "mics")
    assert "only an existing model can be applied" in start(other, "mics")
    result = other.cryopair("run")
    assert result.returncode == 1
    assert "set 'denoising.model'" in result.stderr
    other.configure("model: null", f"model: {model}")
    assert other.run()["train"] == 0
    assert denoised(other) == NAMES
    assert len(read_star(other.output / "particles.star")["particles"])
