"""Coordinate files: picks with the image that they were made on, in the first, nameless block."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.errors import BadFileError
from cryopair.formats.coordinates import Coordinates, read_coordinate_table, read_coordinates, write_coordinates
from cryopair.formats.star import Table, read_star, write_star

PICKS = Coordinates(
    x=np.array([12.25, 3071.5, 0.0]),
    y=np.array([8123.75, 0.0005, 7.0]),
    score=np.array([8.5, 3.25, -0.5]),
    image="Denoised/my movies/a.mrc",
    shape=(3710, 3838),
    pixel_size=1.3275,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_coordinates(tmp_path / "a_log.star", PICKS)
    return tmp_path / "a_log.star"


def assert_equal(found: Coordinates, expected: Coordinates) -> None:
    for name in ("x", "y", "score"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-9, err_msg=name)
    assert (found.image, found.shape) == (expected.image, expected.shape)
    assert found.pixel_size == pytest.approx(expected.pixel_size, abs=1e-9)


def test_round_trip(path: Path) -> None:
    assert_equal(read_coordinates(path), PICKS)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(*[st.floats(0, 20000)] * 3), max_size=4))
def test_any_places_come_back(tmp_path_factory: pytest.TempPathFactory, places: list[tuple[float, ...]]) -> None:
    path = tmp_path_factory.mktemp("picks") / "a.star"
    x, y, score = np.array(places).reshape(-1, 3).T
    write_coordinates(path, Coordinates(x, y, score, "a.mrc", (20, 30), 0.83))
    found = read_coordinates(path)
    for values, expected in ((found.x, x), (found.y, y), (found.score, score)):
        np.testing.assert_allclose(values, expected, atol=5.1e-7)


def test_picks_are_in_the_first_nameless_block(path: Path) -> None:
    blocks = read_star(path)
    assert list(blocks) == ["", "image"]
    assert blocks[""].labels == ["rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"]
    assert [line for line in path.read_text().splitlines() if line.startswith("data_")] == ["data_", "data_image"]


def test_width_is_x_and_height_is_y(path: Path) -> None:
    image = read_star(path)["image"].row(0)
    assert (image["cryopairImageSizeX"], image["cryopairImageSizeY"]) == ("3838", "3710")


def test_no_picks_are_still_a_file_with_labels(tmp_path: Path) -> None:
    nothing = np.zeros(0)
    write_coordinates(tmp_path / "a.star", Coordinates(nothing, nothing, nothing, "a.mrc", (20, 30), 2.0))
    found = read_coordinates(tmp_path / "a.star")
    assert (len(found.x), found.shape) == (0, (20, 30))
    assert len(read_coordinate_table(tmp_path / "a.star")) == 0


def test_picks_without_their_image_are_refused(tmp_path: Path, path: Path) -> None:
    write_star(tmp_path / "b.star", {"": read_star(path)[""]})
    with pytest.raises(BadFileError, match=r"b\.star: has no block data_image.*pick again"):
        read_coordinates(tmp_path / "b.star")
    blocks = read_star(path)
    blocks["image"] = blocks["image"].select([0, 0])
    write_star(tmp_path / "c.star", blocks)
    with pytest.raises(BadFileError, match=r"c\.star: names 2 images in data_image; expected one"):
        read_coordinates(tmp_path / "c.star")


def test_tables_of_other_pickers_are_read_with_all_columns(tmp_path: Path) -> None:
    table = Table({"rlnCoordinateX": [1.5], "rlnCoordinateY": [2.5], "rlnHelicalTubeID": [3], "topazScore": ["0.7e1"]})
    for name in ("", "picks"):  # RELION reads the first block, whatever its name
        write_star(tmp_path / "a.star", {name: table, "other": Table({"rlnCoordinateX": [9.0]})})
        assert read_coordinate_table(tmp_path / "a.star") == table


def test_files_without_coordinates_are_named(tmp_path: Path) -> None:
    write_star(tmp_path / "a.star", {"": Table({"rlnCoordinateX": [1.0]})})
    with pytest.raises(BadFileError, match=r"a\.star: .*lacks _rlnCoordinateY"):
        read_coordinate_table(tmp_path / "a.star")
    with pytest.raises(BadFileError, match=r"b\.star: no such file"):
        read_coordinate_table(tmp_path / "b.star")
    (tmp_path / "c.star").write_text("")
    with pytest.raises(BadFileError, match=r"c\.star: has no block"):
        read_coordinate_table(tmp_path / "c.star")
