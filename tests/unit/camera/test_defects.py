"""Defect lists and maps, as RELION takes them."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from cryopair.camera.defects import read_defects
from cryopair.errors import BadFileError

SHAPE = (20, 30)


def test_rectangles_count_from_zero_columns_first(tmp_path: Path) -> None:
    path = tmp_path / "defects.txt"
    path.write_text("3 4 2 1\n\n28 18 10 10\r\n")
    assert np.argwhere(read_defects(path, SHAPE)).tolist() == [[4, 3], [4, 4], [18, 28], [18, 29], [19, 28], [19, 29]]


@given(*[st.integers(-40, 40)] * 4)
def test_only_what_lies_in_the_frame_counts(
    tmp_path_factory: pytest.TempPathFactory, x: int, y: int, width: int, height: int
) -> None:
    path = tmp_path_factory.mktemp("defects") / "defects.txt"
    path.write_text(f"{x} {y} {width} {height}\n")
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = (columns >= x) & (columns < x + width) & (rows >= y) & (rows < y + height)
    assert np.array_equal(read_defects(path, SHAPE), inside)


def test_maps_are_read_like_movies(tmp_path: Path) -> None:
    image = np.zeros(SHAPE, np.uint8)
    image[2, 3:6] = 1
    with mrcfile.new(tmp_path / "defects.mrc") as file:
        file.set_data(image.astype(np.float32))
    tifffile.imwrite(tmp_path / "defects.tif", image[::-1])
    for name in ("defects.mrc", "defects.tif"):
        assert np.array_equal(read_defects(tmp_path / name, SHAPE), image != 0), name


SERIALEM = "CameraSizeX 5760\nCameraSizeY 4092\nRotationFlip 0\nUsableArea 0 0 4092 5760\nBadColumns 17 18\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3 4\n", r"line 1 is '3 4'; expected 'x y width height'"),
        ("1 2 3 4\n1 2 3 4 5\n", r"line 2 is '1 2 3 4 5'"),
        ("1.5 2 3 4\n", r"line 1 is '1\.5 2 3 4'"),
        ("x y w h\n", "line 1"),
        (SERIALEM, r"is a defect list of SerialEM; expected lines 'x y width height'\. Make a map .*'clip defect"),
    ],
)
def test_other_lists_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "defects.txt").write_text(text)
    with pytest.raises(BadFileError, match=message):
        read_defects(tmp_path / "defects.txt", SHAPE)


def test_other_maps_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "defects.tif", np.zeros(SHAPE, np.uint8))
    with pytest.raises(BadFileError, match="is a defect map of 30 x 20 px; expected 31 x 20 px, the size of the movie"):
        read_defects(tmp_path / "defects.tif", (20, 31))
    for name in ("none.txt", "none.tif", "none.mrc"):
        with pytest.raises(BadFileError, match="no such file"):
            read_defects(tmp_path / name, SHAPE)
