"""Halves that another program made: checked, and added up where their sum is not there."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from cryopair.formats.mrc import read_mrc, read_mrc_info, write_mrc
from cryopair.formats.star import Table
from cryopair.halves.stage import EXPOSURE, halve_micrographs
from cryopair.micrographs import Micrographs

OUT = Path("out/halves")


@pytest.fixture(autouse=True)
def _in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def half(seed: int, *, scene: int = 0, shape: tuple[int, int] = (128, 160)) -> npt.NDArray[np.float64]:
    """A scene of 8-px spots with noise of its own."""
    spots = np.kron(np.random.default_rng(scene).normal(0, 3, (shape[0] // 8, shape[1] // 8)), np.ones((8, 8)))
    return 50 + spots + np.random.default_rng([seed, 7]).normal(0, 1, spots.shape)


def given(name: str, even: npt.NDArray, odd: npt.NDArray, *, pixel_size: float = 1.5) -> Micrographs:
    write_mrc("a_EVN.mrc", even, pixel_size=pixel_size)
    write_mrc("a_ODD.mrc", odd, pixel_size=1.5)
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]})
    table = Table({"rlnMicrographName": [name], "rlnOpticsGroup": [1]})
    table["rlnMicrographNameEven"], table["rlnMicrographNameOdd"] = ["a_EVN.mrc"], ["a_ODD.mrc"]
    return Micrographs(optics, table)


def halve(micrographs: Micrographs) -> Micrographs:
    return halve_micrographs(micrographs, out=OUT, dose_weighting=True)


def test_the_sum_is_written_where_there_is_none() -> None:
    even, odd = half(1), half(2)
    done = halve(given("out/halves/job001/a.mrc", even, odd))
    assert done.table["rlnMicrographNameEven"] == ["a_EVN.mrc"]
    assert done.table.floats("cryopairCorrelationEvenOdd")[0] > 0.9
    np.testing.assert_allclose(read_mrc("out/halves/job001/a.mrc"), even + odd, rtol=1e-6)
    assert read_mrc_info("out/halves/job001/a.mrc").pixel_size == pytest.approx(1.5)


def test_a_sum_that_is_there_is_left_alone() -> None:
    even, odd = half(1), half(2)
    write_mrc("a.mrc", (even + odd) / 2, pixel_size=1.5)  # a mean will do as well
    before = Path("a.mrc").read_bytes()
    done = halve(given("a.mrc", even, odd))
    assert done.table["rlnMicrographName"] == ["a.mrc"]
    assert done.table.floats("cryopairCorrelationRaw")[0] > 0.99
    assert Path("a.mrc").read_bytes() == before


def reason(micrographs: Micrographs) -> str:
    failed = halve(micrographs).failed
    assert len(failed) == 1
    return failed["cryopairReason"][0]


def test_halves_of_two_movies_are_refused() -> None:
    assert "the halves do not fit" in reason(given("out/halves/job001/a.mrc", half(1), 100 - half(2)))


def test_a_micrograph_of_another_movie_is_refused() -> None:
    write_mrc("a.mrc", half(3, scene=5), pixel_size=1.5)
    assert "of their sum with the micrograph" in reason(given("a.mrc", half(1), half(2)))


def test_sizes_and_pixel_sizes_must_agree() -> None:
    name = "out/halves/job001/a.mrc"
    assert "a_ODD.mrc: has 64 x 64 px; expected 160 x 128 px" in reason(given(name, half(1), half(2, shape=(64, 64))))
    assert "a_ODD.mrc: has 1.5 Å/px; expected 2 Å/px" in reason(given(name, half(1), half(2), pixel_size=2.0))


def test_all_micrographs_must_have_one_pixel_size() -> None:
    first = given("out/halves/job001/a.mrc", half(1), half(2))
    for suffix, seed in (("EVN", 3), ("ODD", 4)):
        write_mrc(f"b_{suffix}.mrc", half(seed), pixel_size=2.0)
    row = first.table.row(0)
    second = row | {label: row[label].replace("a", "b") for label in row if label.startswith("rlnMicrographName")}
    second["rlnMicrographName"] = "out/halves/job001/b.mrc"
    done = halve(Micrographs(first.optics, Table.from_rows([row, second])))
    assert done.table["rlnMicrographNameEven"] == ["a_EVN.mrc"]
    assert "b_EVN.mrc: has 2 Å/px; expected 1.5 Å/px, as a_EVN.mrc has" in done.failed["cryopairReason"][0]


def test_a_missing_half_is_named() -> None:
    micrographs = given("out/halves/job001/a.mrc", half(1), half(2))
    Path("a_ODD.mrc").unlink()
    assert "a_ODD.mrc: no such file" in reason(micrographs)


def test_single_micrographs_are_passed_on() -> None:
    write_mrc("a.mrc", half(1), pixel_size=1.5)
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]})
    single = Micrographs(optics, Table({"rlnMicrographName": ["a.mrc", "b.mrc"], "rlnOpticsGroup": [1, 1]}))
    done = halve(single)
    assert done.table.labels == ["rlnMicrographName", "rlnOpticsGroup", *EXPOSURE]
    assert done.table.floats("cryopairContamination")[0] == 0
    assert done.table["rlnMicrographName"] == ["a.mrc"]
    assert "b.mrc: no such file" in done.failed["cryopairReason"][0]
