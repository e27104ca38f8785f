"""Real RELION 3.1.3, and movies for it."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from made_up import Project
from scipy.ndimage import gaussian_filter, map_coordinates
from stage_commands import ForkServer

from cryopair.formats.mrc import write_mrc

Relion = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count all that is here among the long tests."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def relion() -> Relion:
    """Run a RELION program in a project folder; return what it printed."""
    if shutil.which("relion_run_motioncorr") is None:
        pytest.skip("RELION is not installed: run .ci/install")

    def run(program: str, *arguments: object, cwd: Path) -> str:
        command = [f"relion_{program}", *map(str, arguments)]
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        return output

    return run


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small made-up project in which nothing was run. Tests work on copies of it."""
    project = Project(tmp_path_factory.mktemp("prepared"))
    project.prepare()
    return project


@pytest.fixture(scope="session")
def undisturbed(prepared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same project, run through on this machine without any disturbance."""
    project = prepared.copy(tmp_path_factory.mktemp("undisturbed") / "project")
    project.run()
    return project


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """Runs commands without paying for their imports."""
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with movies whose motion RELION can follow in small patches: strong texture everywhere.

    On real particles in such small frames its patches lose track, and local models of tens of pixels come
    out; their coefficients, cut to six decimals in the STAR, then limit any comparison.
    """
    root = tmp_path_factory.mktemp("project")
    random = np.random.default_rng(0)
    frames, height, width, margin = 12, 384, 512, 32
    texture = gaussian_filter(random.normal(size=(height + 2 * margin, width + 2 * margin)), 3)
    texture *= 0.3 / texture.std()
    gain = 1 + gaussian_filter(random.normal(size=(height, width)), 20)
    gain[100, 200] = gain[50:53, 60:62] = 0
    y, x = np.mgrid[:height, :width].astype(np.float64)
    counts = np.empty((frames, height, width), np.uint8)
    for t in range(frames):
        drift_x, drift_y = 0.5 * t - 0.02 * t**2, -0.3 * t
        local_x, local_y = 0.24 * t * (x / width - 0.5), -0.1 * t * (y / height - 0.5) * (x / width)
        at = [y + margin - drift_y - local_y, x + margin - drift_x - local_x]
        electrons = 4 * (1 + map_coordinates(texture, at, order=3))
        counts[t] = random.poisson(np.clip(electrons, 0.1, None) * (gain > 0) / np.where(gain > 0, gain, 1))
    counts[:, 200, 300], counts[:, 10, 11] = 90, 100
    (root / "Movies").mkdir()
    tifffile.imwrite(root / "Movies/mic.tiff", counts[:, ::-1], compression="lzw", photometric="minisblack")
    (root / "Mrc").mkdir()
    with mrcfile.new(root / "Mrc/mic.mrcs") as file:
        file.set_data(counts.astype(np.int16))
    good = np.where(gain == 0, 1, gain)
    (root / "Gains").mkdir()
    write_mrc(root / "Gains/gain.mrc", gain, pixel_size=1)
    write_mrc(root / "Gains/good.mrc", good, pixel_size=1)
    tifffile.imwrite(root / "Gains/good.tif", good[::-1].astype(np.float32))
    # RELION turns clockwise, then reverses the rows: undo both
    write_mrc(root / "Gains/turned.mrc", np.rot90(gain[::-1]), pixel_size=1)
    (root / "Gains/defects.txt").write_text("100 50 3 2\n300 250 2 4\n")
    return root
