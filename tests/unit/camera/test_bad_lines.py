"""Whole rows and columns that are off are found and named; normal micrographs have none."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.camera.bad_lines import BadLines, find_bad_lines
from cryopair.formats.mrc import read_mrc
from cryopair.simulate.project import simulate_project

SHARED = Path(__file__).parents[4] / "shared" / "data"


def summed(shape: tuple[int, int] = (192, 256), dose: float = 30) -> np.ndarray:
    """Electron counts under uneven light, with amplifier blocks of their own gain, beads and the edge of a hole."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = 1 + 0.3 * x / shape[1] - 0.2 * (y / shape[0]) ** 2 + 0.05 * gaussian_filter(random.normal(size=shape), 3)
    light *= np.repeat(random.normal(1, 0.02, shape[1] // 32), 32)
    light *= np.where(y > 0.7 * shape[0], 0.75, 1)  # carbon, its edge along a row
    for row, column in random.integers(0, min(shape), (6, 2)):
        light *= np.where((y - row) ** 2 + (x - column) ** 2 < 25, 0.3, 1)
    return random.poisson(dose * light).astype(np.float32)


@pytest.mark.parametrize("dose", [3, 30, 300])
def test_structure_is_no_bad_line(dose: float) -> None:
    assert not find_bad_lines(summed(dose=dose))


@pytest.mark.parametrize(("factor", "offset"), [(0, 0), (0, 255), (1.5, 0), (1, 20), (0.5, 0)])
def test_lines_that_are_off_are_found(factor: float, offset: float) -> None:
    total = summed()
    total[[12, 13, 100]] = total[[12, 13, 100]] * factor + offset
    total[:, [0, 200]] = total[:, [0, 200]] * factor + offset
    assert find_bad_lines(total) == BadLines(rows=(12, 13, 100), columns=(0, 200))


def test_constant_lines_are_found_at_any_level() -> None:
    total = summed()
    total[50] = total[45:55].mean()
    assert find_bad_lines(total) == BadLines(rows=(50,))


def test_a_third_of_a_line_is_left_to_the_defect_list() -> None:
    total = summed()
    total[50, :85] = 0
    assert not find_bad_lines(total)


def test_images_without_zero_level_or_without_anything() -> None:
    total = summed() - 500
    assert not find_bad_lines(total)
    total[7] += 30
    assert find_bad_lines(total) == BadLines(rows=(7,))
    assert not find_bad_lines(np.zeros((64, 64), np.float32))


def test_lines_are_named() -> None:
    assert str(BadLines(rows=(12, 13), columns=(511,))) == "rows 12-13 and column 511"
    assert str(BadLines(columns=(1, 3, 4, 5))) == "columns 1, 3-5"
    assert not BadLines()


def test_simulated_movies_have_none(tmp_path: Path) -> None:
    """With carbon, ice, a dead column segment, dead and hot pixels, as the demo has them."""
    import tifffile

    simulate_project(tmp_path, movies=2, frames=3, shape=(192, 256), carbon_every=1)
    for movie in sorted(tmp_path.glob("Movies/*.tiff")):
        assert not find_bad_lines(tifffile.imread(movie).sum(axis=0).astype(np.float32))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real micrographs is not beside this checkout")
def test_real_micrographs() -> None:
    for path in sorted(SHARED.glob("apoferritin-10146/*.mrc")):
        assert not find_bad_lines(read_mrc(path)), path
    # The first row and column of this one are truly off, by 1 and 2 standard deviations.
    assert find_bad_lines(read_mrc(SHARED / "micrograph/Ucsf_stack_1142_DW.mrc")) == BadLines(rows=(0,), columns=(0,))
