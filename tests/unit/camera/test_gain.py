"""Gain references: formats, orientation, grids, and what is no gain."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cryopair.camera.gain import orient_gain, read_gain
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import write_mrc

SHAPE = (4, 6)
GAIN = np.random.default_rng(0).uniform(0.8, 1.2, SHAPE).astype(np.float32)
GAIN[1, 2] = 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_mrc(tmp_path / "gain.mrc", GAIN, pixel_size=1)
    tifffile.imwrite(tmp_path / "gain.tif", GAIN[::-1])
    tifffile.imwrite(tmp_path / "falcon.gain", GAIN)
    return tmp_path


@pytest.mark.parametrize("name", ["gain.mrc", "gain.tif", "falcon.gain"])
def test_rows_come_in_the_order_of_the_frames(folder: Path, name: str) -> None:
    assert np.array_equal(read_gain(folder / name, SHAPE), GAIN)


def test_eer_gains_are_inverted_unless_they_are_the_cameras_own(folder: Path) -> None:
    inverted = np.where(GAIN == 0, 0, GAIN.mean() / np.where(GAIN == 0, 1, GAIN))
    for name in ("gain.mrc", "gain.tif"):
        gain = read_gain(folder / name, SHAPE, eer=True)
        assert gain.dtype == np.float32
        np.testing.assert_allclose(gain, inverted, rtol=1e-6)
    assert np.array_equal(read_gain(folder / "falcon.gain", SHAPE, eer=True), GAIN)


def test_eer_gains_fit_finer_and_coarser_grids(folder: Path) -> None:
    """A 4k gain is repeated on the 8k grid; of an 8k gain, blocks of 2 x 2 are summed on the 4k grid."""
    finer = read_gain(folder / "falcon.gain", (8, 12), eer=True)
    assert np.array_equal(finer, np.kron(GAIN, np.ones((2, 2))))
    coarser = read_gain(folder / "falcon.gain", (2, 3), eer=True)
    np.testing.assert_allclose(coarser[0, 1], GAIN[:2, 2:4].sum(), rtol=1e-6)
    summed = GAIN.reshape(2, 2, 3, 2).sum(axis=(1, 3))
    np.testing.assert_allclose(read_gain(folder / "gain.mrc", (2, 3), eer=True), summed.mean() / summed, rtol=1e-6)
    with pytest.raises(BadFileError, match="is a gain reference of 6 x 4 px; expected 12 x 8 px"):
        read_gain(folder / "gain.mrc", (8, 12))
    with pytest.raises(BadFileError, match="is a gain reference of 6 x 4 px; expected 12 x 12 px"):
        read_gain(folder / "gain.mrc", (12, 12), eer=True)


def test_orientation_by_hand() -> None:
    """A clockwise quarter turn brings the first column, read upwards, to the first row; tests/interop has RELION's."""
    gain = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    assert orient_gain(gain, rotation=1).tolist() == [[4, 1], [5, 2], [6, 3]]
    assert orient_gain(gain, flip=1).tolist() == [[4, 5, 6], [1, 2, 3]]
    assert orient_gain(gain, flip=2).tolist() == [[3, 2, 1], [6, 5, 4]]
    assert orient_gain(gain, rotation=1, flip=1).tolist() == [[6, 3], [5, 2], [4, 1]]
    assert orient_gain(gain, rotation=2).tolist() == [[6, 5, 4], [3, 2, 1]]


@pytest.mark.parametrize(("rotation", "flip"), [(4, 0), (-1, 0), (90, 0), (0, 3)])
def test_other_orientations_are_refused(rotation: int, flip: int) -> None:
    with pytest.raises(UsageError, match="quarter turns"):
        orient_gain(GAIN, rotation=rotation, flip=flip)


def test_a_wrong_size_says_what_would_fit(folder: Path) -> None:
    with pytest.raises(BadFileError, match=r"6 x 4 px; expected 4 x 6 px.*would fit after a 90-degree rotation"):
        read_gain(folder / "gain.mrc", (6, 4))
    with pytest.raises(BadFileError, match=r"6 x 4 px; expected 5 x 6 px, the size of the movie\. Use the gain that"):
        read_gain(folder / "gain.mrc", (6, 5))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "has 1 values that are not finite"),
        (np.inf, "has 1 values that are not finite"),
        (-1, "has 1 values that are negative"),
    ],
)
def test_values_that_are_no_gains_are_refused(tmp_path: Path, value: float, message: str) -> None:
    gain = GAIN.copy()
    gain[3, 3] = value
    tifffile.imwrite(tmp_path / "gain.tif", gain)
    with pytest.raises(BadFileError, match=message):
        read_gain(tmp_path / "gain.tif", SHAPE)
    tifffile.imwrite(tmp_path / "zero.tif", np.zeros(SHAPE, np.float32))
    with pytest.raises(BadFileError, match="is zero everywhere"):
        read_gain(tmp_path / "zero.tif", SHAPE)


def test_other_files_are_refused(folder: Path) -> None:
    (folder / "gain.dm4").write_bytes(b"\0" * 100)
    with pytest.raises(BadFileError, match=r"is an image of DigitalMicrograph.*'dm2mrc gain\.dm4 gain\.mrc'"):
        read_gain(folder / "gain.dm4", SHAPE)
    (folder / "text.tif").write_text("not an image")
    with pytest.raises(BadFileError, match=r"text\.tif: is no TIFF file"):
        read_gain(folder / "text.tif", SHAPE)
    whole = (folder / "falcon.gain").read_bytes()
    (folder / "short.gain").write_bytes(whole[: len(whole) - 40])
    with pytest.raises(BadFileError, match=r"short\.gain: is not a whole TIFF"):
        read_gain(folder / "short.gain", SHAPE)
    tifffile.imwrite(folder / "stack.tif", np.stack([GAIN, GAIN]), photometric="minisblack")
    with pytest.raises(BadFileError, match="is a stack of 2 images"):
        read_gain(folder / "stack.tif", SHAPE)
