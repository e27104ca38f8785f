"""Our STAR files in cryosparc-tools, the library of cryoSPARC's makers: same places on the same pixels, and back."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cryopair.cli import main
from cryopair.formats.coordinates import read_places
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import Micrographs, read_micrographs, write_micrographs
from cryopair.particles.handoff import write_coordinate_files

HEIGHT, WIDTH = 70, 91
SPOTS = {"a": [(20, 12), (75, 15)], "b": [(41, 60)]}
"""None has a partner at the other end of the rows or columns, nor with x and y exchanged."""

REFERENCE = """
import sys
import numpy as np
from cryosparc import mrc, star
from cryosparc.dataset import Dataset

blocks = star.read(sys.argv[1])
table = blocks["particles" if "particles" in blocks else ""]
paths = table["rlnMicrographName"]
images = [mrc.read(path)[1][0] for path in paths]
shape = np.array([image.shape for image in images])
fractions = np.array([table["rlnCoordinateX"], table["rlnCoordinateY"]]) / shape.T[::-1]
columns, rows = np.rint(fractions * shape.T[::-1]).astype(int)
seen = {"micrograph": [image[row, column] for image, row, column in zip(images, rows, columns)]}
if "optics" in blocks:
    number, stacks = zip(*(name.split("@") for name in table["rlnImageName"]))
    particles = [mrc.read(stack)[1][int(index) - 1] for index, stack in zip(number, stacks)]
    seen["brightest"] = [np.unravel_index(image.argmax(), image.shape) for image in particles]
    seen["ctf"] = [table[f"rlnDefocus{axis}"] for axis in ("U", "V", "Angle")]
    labels = ("Voltage", "SphericalAberration", "AmplitudeContrast", "ImagePixelSize", "ImageSize")
    seen["optics"] = [blocks["optics"]["rln" + label][0] for label in labels]
np.savez("seen.npz", **seen)

places = Dataset.allocate(len(table), fields=[
    ("location/micrograph_path", "O"), ("location/micrograph_shape", "u4", (2,)),
    ("location/center_x_frac", "f4"), ("location/center_y_frac", "f4"),
])
places["location/micrograph_path"] = paths
places["location/micrograph_shape"] = shape
places["location/center_x_frac"], places["location/center_y_frac"] = fractions
places.save("places.cs")
"""


@pytest.fixture
def python() -> str:
    """Find the Python that has cryosparc-tools."""
    found = shutil.which("cryosparc-tools-python")
    if found is None:
        pytest.skip("cryosparc-tools is not installed: run .ci/install")
    return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two micrographs of noise with a bright pixel at each particle, and their coordinates."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, places in SPOTS.items():
        image = rng.normal(0, 1, (HEIGHT, WIDTH))
        for x, y in places:
            image[y, x] = 100
        write_mrc(f"MotionCorr/job002/Movies/{name}.mrc", image, pixel_size=1.35)
        x, y = np.array(places, dtype=float).T
        write_star(f"coordinates/{name}_log.star", {"": Table({"rlnCoordinateX": x, "rlnCoordinateY": y})})
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnMicrographPixelSize": [1.35],
    }
    table = {
        "rlnMicrographName": [f"MotionCorr/job002/Movies/{name}.mrc" for name in SPOTS],
        "rlnOpticsGroup": [1, 1],
        "rlnDefocusU": [12000.0, 9000.0],
        "rlnDefocusV": [11500.0, 8900.0],
        "rlnDefocusAngle": [30.0, -45.0],
        "rlnMicrographCoordinates": [f"coordinates/{name}_log.star" for name in SPOTS],
    }
    micrographs = Micrographs(Table(optics), Table(table))
    write_micrographs("handoff.star", micrographs)
    write_coordinate_files("coordinates.star", micrographs)
    return tmp_path


def look(python: str, star: str) -> dict[str, np.ndarray]:
    """Let cryosparc-tools read a STAR file and write its places as cryoSPARC has them; compare these with ours."""
    result = subprocess.run([python, "-c", REFERENCE, star], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for places, expected in zip(read_places("places.cs"), SPOTS.values(), strict=True):
        assert places.shape == (HEIGHT, WIDTH)
        np.testing.assert_allclose(np.stack([places.x, places.y], axis=1), expected, atol=1e-4)
    return dict(np.load("seen.npz"))


def test_particles(python: str, project: Path) -> None:
    assert main(["extract", "--star", "handoff.star", "--box", "16", "--no-invert", "--out", "particles"]) == 0
    seen = look(python, "particles/extract.star")
    np.testing.assert_array_equal(seen["micrograph"], 100)
    np.testing.assert_array_equal(seen["brightest"], [[8, 8]] * 3)
    np.testing.assert_allclose(seen["ctf"].T, [[12000, 11500, 30]] * 2 + [[9000, 8900, -45]])
    np.testing.assert_allclose(seen["optics"], [300, 2.7, 0.1, 1.35, 16])


def test_particles_where_a_micrograph_failed(python: str, project: Path) -> None:
    micrographs = read_micrographs("handoff.star")
    micrographs.table = micrographs.table.select([0, 1, 1])
    micrographs.table["rlnMicrographName"] = [*micrographs.table["rlnMicrographName"][:2], "MotionCorr/job002/gone.mrc"]
    write_micrographs("handoff.star", micrographs)
    assert main(["extract", "--star", "handoff.star", "--box", "16", "--no-invert", "--out", "particles"]) == 0
    np.testing.assert_array_equal(look(python, "particles/extract.star")["brightest"], [[8, 8]] * 3)
    (reason,) = read_star("particles/extract_failed.star")["failed"]["cryopairReason"]
    assert "gone.mrc: no such file" in reason


def test_locations_alone(python: str, project: Path) -> None:
    assert main(["export-coordinates", "coordinates.star", "--format", "cryosparc", "--out", "picks"]) == 0
    seen = look(python, "picks/cryosparc.star")
    np.testing.assert_array_equal(seen["micrograph"], 100)
