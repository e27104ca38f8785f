"""The proof of the geometry: RELION's map of our particles is as good as that of particles cut at their true places."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.errors import UsageError
from cryopair.formats.mrc import DENOISED_LABEL, map_mrc, write_mrc
from cryopair.particles.extract import extract_particles

pytestmark = pytest.mark.skipif(shutil.which("relion_reconstruct") is None, reason="RELION is not installed")


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """benchmarks/reconstruction.py, which makes the figure of the documentation."""
    path = Path(__file__).parents[2] / "benchmarks/reconstruction.py"
    spec = importlib.util.spec_from_file_location("reconstruction", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_map_of_our_particles_is_that_of_particles_cut_at_their_true_places(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    micrographs, truth, specimen = benchmark.make_project(6)
    denoised = [name.replace("MotionCorr/job002", "denoised") for name in micrographs.table["rlnMicrographName"]]
    for raw, smooth in zip(micrographs.table["rlnMicrographName"], denoised, strict=True):  # a filter does, to pick on
        image = gaussian_filter(map_mrc(raw)[0].astype(np.float64), 2.5)
        write_mrc(smooth, image, pixel_size=benchmark.PIXEL_SIZE, labels=(DENOISED_LABEL,))
    micrographs.table["rlnMicrographNameDenoised"] = denoised
    picked = benchmark.pick(micrographs)
    at, found = benchmark.matched(picked, truth)
    assert sum(map(len, at.values())) > 250
    ours = benchmark.cut(picked, at, found, out="ours")
    inside = {name: particles[:, :2].clip(0, benchmark.SIDE - 1) for name, particles in found.items()}
    best = benchmark.cut(picked, inside, found, out="true_places")
    map_of_particle = benchmark.true_map(specimen)
    fsc, fsc_best = (benchmark.shell_correlation(benchmark.reconstruct(star), map_of_particle) for star in (ours, best))
    assert fsc_best[:9].min() > 0.97  # the truth is the truth: RELION's handedness, centre and CTF
    assert fsc_best[:26].min() > 0.7
    assert abs(fsc.mean() / fsc_best.mean() - 1) < 0.01
    most = slice(0, 28)  # of 31 shells; the last ones, at the edge of Fourier space, are mostly interpolation
    np.testing.assert_allclose(fsc[most], fsc_best[most], rtol=0, atol=0.01)

    picked.table["rlnMicrographName"] = denoised
    with pytest.raises(UsageError, match="particles must be cut from the raw ones"):
        extract_particles(picked, benchmark.SAMPLING, out=Path("refused"))
