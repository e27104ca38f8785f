"""Movies give exact counts, rows in RELION's order, and clear errors."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from cryopair.errors import BadFileError
from cryopair.formats.movies import open_movie

COUNTS = np.random.default_rng(0).poisson(2, (3, 8, 10))


def read_all(path: Path) -> list[np.ndarray]:
    with open_movie(path) as movie:
        return [movie.read(frame) for frame in range(movie.shape[0])]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_tiff_rows_are_reversed(tmp_path: Path, dtype: type, compression: str | None) -> None:
    tifffile.imwrite(tmp_path / "a.tiff", COUNTS.astype(dtype), compression=compression, photometric="minisblack")
    assert np.array_equal(read_all(tmp_path / "a.tiff"), COUNTS[:, ::-1])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float32])
def test_mrc_rows_are_as_stored(tmp_path: Path, dtype: type) -> None:
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(COUNTS.astype(dtype))
    assert np.array_equal(read_all(tmp_path / "a.mrcs"), COUNTS)


def test_truncated_tiff_names_the_frame(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tiff", COUNTS.astype(np.uint8), compression="lzw", photometric="minisblack")
    whole = (tmp_path / "a.tiff").read_bytes()
    (tmp_path / "cut.tiff").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(BadFileError, match=r"cut\.tiff: is not a whole TIFF movie"):
        read_all(tmp_path / "cut.tiff")


def test_truncated_mrc_is_named(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(COUNTS.astype(np.int16))
    (tmp_path / "cut.mrcs").write_bytes((tmp_path / "a.mrcs").read_bytes()[:-50])
    with pytest.raises(BadFileError, match=r"cut\.mrcs: is not a whole MRC file"):
        open_movie(tmp_path / "cut.mrcs")


def test_missing_and_unknown_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"none\.tiff: no such file"):
        open_movie(tmp_path / "none.tiff")
    (tmp_path / "a.png").touch()
    with pytest.raises(BadFileError, match=r"has the extension '\.png'; expected a movie in TIFF or MRC"):
        open_movie(tmp_path / "a.png")
