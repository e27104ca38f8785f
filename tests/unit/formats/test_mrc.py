"""MRC files: whole, with pixel size and true statistics, reproducible, and clear about what is wrong."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryopair.errors import BadFileError
from cryopair.formats.mrc import DENOISED_LABEL, map_mrc, read_mrc, read_mrc_info, write_mrc


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).normal(5, 2, (6, 9)).astype(np.float32)


def test_round_trip_keeps_pixels_size_and_statistics(tmp_path: Path, image: np.ndarray) -> None:
    write_mrc(tmp_path / "a.mrc", image, pixel_size=1.35)
    assert np.array_equal(read_mrc(tmp_path / "a.mrc"), image)
    info = read_mrc_info(tmp_path / "a.mrc")
    assert info.shape == (1, 6, 9)
    assert info.pixel_size == pytest.approx(1.35)
    assert not info.denoised
    with mrcfile.open(tmp_path / "a.mrc") as file:
        header = file.header
        assert float(header.dmin) == image.min()
        assert float(header.dmean) == pytest.approx(image.mean(), rel=1e-6)
        assert float(header.rms) == pytest.approx(image.std(), rel=1e-5)


def test_stacks_are_stacks(tmp_path: Path) -> None:
    stack = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    write_mrc(tmp_path / "a.mrcs", stack, pixel_size=2)
    assert np.array_equal(map_mrc(tmp_path / "a.mrcs"), stack)
    with mrcfile.open(tmp_path / "a.mrcs") as file:
        assert file.is_image_stack()
    with pytest.raises(BadFileError, match=r"a\.mrcs: is a stack of shape \(2, 3, 4\); expected a single image"):
        read_mrc(tmp_path / "a.mrcs")


@pytest.mark.parametrize(("shape", "half_precision"), [((6, 9), False), ((3, 6, 9), False), ((3, 6, 9), True)])
def test_headers_are_valid(tmp_path: Path, shape: tuple[int, ...], half_precision: bool) -> None:
    pixels = np.random.default_rng(1).normal(30, 5, shape).astype(np.float32)
    write_mrc(tmp_path / "a.mrc", pixels, pixel_size=1.35, half_precision=half_precision)
    assert mrcfile.validate(tmp_path / "a.mrc")
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.data.dtype == (np.float16 if half_precision else np.float32)
        assert file.voxel_size.x == pytest.approx(1.35)
        np.testing.assert_array_equal(file.data, pixels.astype(file.data.dtype))


def test_labels_that_do_not_fit_are_refused(tmp_path: Path, image: np.ndarray) -> None:
    for labels in (["too long" * 11], ["one too many"] * 11):
        with pytest.raises(ValueError, match="at most 10 labels of at most 80 characters"):
            write_mrc(tmp_path / "a.mrc", image, pixel_size=1, labels=labels)


def test_equal_images_are_equal_bytes(tmp_path: Path, image: np.ndarray) -> None:
    for name in ("a.mrc", "b.mrc"):
        write_mrc(tmp_path / name, image, pixel_size=1)
    assert (tmp_path / "a.mrc").read_bytes() == (tmp_path / "b.mrc").read_bytes()
    assert b"20" not in (tmp_path / "a.mrc").read_bytes()[224:1024]  # no year in any label


def test_denoised_images_say_so(tmp_path: Path, image: np.ndarray) -> None:
    write_mrc(tmp_path / "a.mrc", image, pixel_size=1, labels=(DENOISED_LABEL, "cryopair: model 0123"))
    info = read_mrc_info(tmp_path / "a.mrc")
    assert info.denoised
    assert info.labels == (DENOISED_LABEL, "cryopair: model 0123")


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float16, np.float32])
def test_all_types_are_read(tmp_path: Path, dtype: type) -> None:
    pixels = np.array([[0, 1, 2], [100, 3, 4]], dtype=dtype)
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(pixels)
    assert np.array_equal(read_mrc(tmp_path / "a.mrc"), pixels.astype(np.float32))


@pytest.mark.parametrize("keep", [100, 1024, 1100])
def test_truncated_files_are_named(tmp_path: Path, image: np.ndarray, keep: int) -> None:
    write_mrc(tmp_path / "a.mrc", image, pixel_size=1)
    (tmp_path / "cut.mrc").write_bytes((tmp_path / "a.mrc").read_bytes()[:keep])
    with pytest.raises(BadFileError, match=r"cut\.mrc: is not a (whole|readable) MRC file"):
        read_mrc_info(tmp_path / "cut.mrc")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        write_mrc(tmp_path / "a.mrc", np.array([["x"]]), pixel_size=1)
    assert not list(tmp_path.iterdir())
