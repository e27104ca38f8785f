"""Movies of every kind that RELION 3.1.3 reads or writes: our counts are its counts."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.movies import EerRendering, open_movie

from ..unit.formats.eer_writer import FALCON_4, FALCON_4_EARLY, Coding, counts, encode, random_electrons, write_eer
from ..unit.formats.mrc_writer import mrc_bytes

FALCON = (4096, 4096)
"""RELION 3.1.3 takes no other size of EER."""


def as_tiff(folder: Path, relion, movie: str, *options: object) -> Path:
    """Let RELION write a movie as TIFF."""
    relion("convert_to_tiff", "--i", movie, "--o", "tiff/", *options, cwd=folder)
    return folder / "tiff" / Path(movie).with_suffix(".tif")


def read_all(path: Path, eer: EerRendering | None = None) -> np.ndarray:
    with open_movie(path, eer=eer) as movie:
        return np.stack(list(movie.frames(range(movie.shape[0]))))


@pytest.mark.parametrize("coding", [FALCON_4_EARLY, FALCON_4], ids=["8-bit", "7-bit"])
@pytest.mark.parametrize("upsampling", [1, 2])
def test_eer_is_rendered_alike(tmp_path: Path, relion, coding: Coding, upsampling: int) -> None:
    """And like the list of electrons that the file was written from; 7 detector frames in groups of 3."""
    rng = np.random.default_rng(0)
    electrons = [random_electrons(rng, FALCON, 3000) for _ in range(7)]
    write_eer(tmp_path / "a.eer", [encode(frame, FALCON, coding) for frame in electrons], FALCON, coding)
    (tmp_path / "movies.star").write_text("data_movies\n\nloop_\n_rlnMicrographMovieName #1\na.eer\n")
    options = ("--eer_grouping", 3, "--eer_upsampling", upsampling, "--compression", "lzw")
    relions = read_all(as_tiff(tmp_path, relion, "a.eer", *options))
    ours = read_all(tmp_path / "a.eer", EerRendering(3, upsampling))
    assert ours.shape == (2, 4096 * upsampling, 4096 * upsampling)
    np.testing.assert_array_equal(ours, relions)
    np.testing.assert_array_equal(ours[1], counts(electrons[3:6], FALCON, upsampling=upsampling))


@pytest.mark.parametrize("options", [("lzw",), ("deflate",), ("none",), ("lzw", "--line_by_line")])
@pytest.mark.parametrize(("mode", "low", "high"), [(0, 0, 127), (1, -(2**15), 2**15 - 1), (2, -999, 999), (101, 0, 15)])
def test_tiff_and_mrc_are_read_alike(
    tmp_path: Path, relion, mode: int, low: int, high: int, options: tuple[str, ...]
) -> None:
    """RELION reads our MRC, we read its TIFF; rows are reversed in between."""
    stack = np.random.default_rng(0).integers(low, high, (3, 50, 64), endpoint=True)
    (tmp_path / "a.mrcs").write_bytes(mrc_bytes(stack, mode))
    np.testing.assert_array_equal(read_all(tmp_path / "a.mrcs"), stack)
    np.testing.assert_array_equal(read_all(as_tiff(tmp_path, relion, "a.mrcs", "--compression", *options)), stack)
