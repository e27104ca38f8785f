"""Raw micrographs of noise on a gradient, and coordinate files for them, in an empty project folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, write_star
from cryopair.micrographs import Micrographs

PIXEL_SIZES = (1.35, 1.4)

Points = Sequence[tuple[float, float]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder as the working directory, since RELION's paths are relative to it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def make_micrographs(project: Path) -> Callable[..., Micrographs]:
    """Write raw micrographs with coordinate files, given by name; micrographs alternate in optics group."""

    def make(points: Mapping[str, Points], *, shape: tuple[int, int] = (70, 91)) -> Micrographs:
        rng = np.random.default_rng(2)
        height, width = shape
        gradient = 0.05 * np.arange(width) + 0.2 * np.arange(height)[:, np.newaxis]
        names = [f"MotionCorr/job002/Movies/{name}.mrc" for name in points]
        groups = [1 + number % 2 for number in range(len(names))]
        coordinates = [f"coordinates/{name}_log.star" for name in points]
        for name, path, group, places in zip(names, coordinates, groups, points.values(), strict=True):
            write_mrc(name, rng.normal(40, 6, shape) + gradient, pixel_size=PIXEL_SIZES[group - 1])
            x, y = np.array(places, dtype=np.float64).reshape(-1, 2).T
            columns = {"rlnCoordinateX": x, "rlnCoordinateY": y, "rlnAutopickFigureOfMerit": np.linspace(1, 0, len(x))}
            write_star(path, {"": Table(columns)})
        optics = Table(
            {
                "rlnOpticsGroupName": ["opticsGroup1", "opticsGroup2"],
                "rlnOpticsGroup": [1, 2],
                "rlnMicrographOriginalPixelSize": [0.675, 0.7],
                "rlnVoltage": [300.0, 200.0],
                "rlnMicrographPixelSize": PIXEL_SIZES,
            }
        )
        table = Table({"rlnMicrographName": names, "rlnOpticsGroup": groups, "rlnMicrographCoordinates": coordinates})
        return Micrographs(optics, table)

    return make
