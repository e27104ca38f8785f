"""Coordinates that come and go, against the installed RELION: the same pixels, and its particles pass our audit."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cryopair.cli import main
from cryopair.formats.mrc import map_mrc, write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.particles.audit import Verdict, audit_particles

RELION = shutil.which("relion_preprocess")
pytestmark = pytest.mark.skipif(RELION is None, reason="relion_preprocess is not on PATH: nothing to compare with")

SHAPE, PIXEL_SIZE, BINNING = (420, 500), 1.35, 3.7
NAMES = ["Movies/a", "Movies/b"]
Places = dict[str, np.ndarray]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A project with two raw micrographs of noise, as whole pixels of particles by micrograph."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(7)
    names = [f"MotionCorr/job002/{name}.mrc" for name in NAMES]
    for name in names:
        write_mrc(name, rng.normal(40, 6, SHAPE), pixel_size=PIXEL_SIZE)
    optics = {"rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [0.675]}
    optics |= {"rlnVoltage": [300.0], "rlnSphericalAberration": [2.7], "rlnAmplitudeContrast": [0.1]}
    table = Table({"rlnMicrographName": names, "rlnOpticsGroup": [1, 1]})
    for label, value in (("rlnDefocusU", 12000.0), ("rlnDefocusV", 11000.0), ("rlnDefocusAngle", 12.0)):
        table[label] = [value, value + 100]
    write_micrographs(
        "micrographs_ctf.star", Micrographs(Table(optics | {"rlnMicrographPixelSize": [PIXEL_SIZE]}), table)
    )
    return {name: np.unique(rng.integers(2, [498, 418], (40, 2)), axis=0).astype(float) for name in NAMES}


def extract(folder: str, ending: str, job: str, *options: str) -> Path:
    """Let RELION extract from raw with the coordinate files below a folder."""
    inputs = ["--i", "micrographs_ctf.star", "--coord_dir", f"{folder}/", "--coord_suffix", ending]
    outputs = ["--part_star", f"{job}/particles.star", "--part_dir", f"{job}/", "--extract", "--extract_size", "32"]
    done = subprocess.run([str(RELION), *inputs, *outputs, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(job) / "particles.star"


def images(star: Path) -> np.ndarray:
    stacks = dict.fromkeys(name.partition("@")[2] for name in read_star(star)["particles"]["rlnImageName"])
    return np.concatenate([map_mrc(stack) for stack in stacks])


def test_relion_cuts_the_pixels_that_were_picked_on_a_binned_image(places: Places) -> None:
    """Picked at 3.7-fold binning, imported, handed off, and exported as boxes: always the same particles."""
    for name, found in places.items():
        columns = {f"rlnCoordinate{axis}": found[:, n] for n, axis in enumerate("XY")}
        write_star(f"Truth/{name}_log.star", {"": Table(columns)})
        write_star(f"Binned/{name}_autopick.star", {"": Table({label: x / BINNING for label, x in columns.items()})})
    imported = ["--from", "Binned", "--binning", str(BINNING), "--out", "picks"]
    assert main(["import-coordinates", "--star", "micrographs_ctf.star", *imported]) == 0
    assert main(["handoff", "--star", "picks/import-coordinates.star", "--out", "coordinates"]) == 0
    boxes = ["--format", "box", "--box", "32", "--out", "boxes"]
    assert main(["export-coordinates", "coordinates/handoff.star", *boxes]) == 0
    truth = images(extract("Truth", "_log.star", "Extract/job004"))
    assert len(truth) == sum(map(len, places.values()))
    np.testing.assert_array_equal(images(extract("coordinates", "_imported.star", "Extract/job005")), truth)
    np.testing.assert_array_equal(images(extract("boxes", ".box", "Extract/job006")), truth)


@pytest.mark.parametrize("options", [[], ["--scale", "24", "--norm", "--bg_radius", "9", "--invert_contrast"]])
def test_particles_of_relion_pass_our_audit(places: Places, options: list[str]) -> None:
    for name, found in places.items():
        columns = {f"rlnCoordinate{axis}": found[:, n] + 0.6 for n, axis in enumerate("XY")}
        write_star(f"Picks/{name}_log.star", {"": Table(columns)})
    star = extract("Picks", "_log.star", "Extract/job004", *options)
    findings = audit_particles(star)
    assert [one.line() for one in findings if one.verdict is not Verdict.PASS] == []
    (cut,) = (one for one in findings if one.check == "cut")
    assert cut.said.startswith("8 of 8 particles cut again are the images (median correlation 1.0000)")
