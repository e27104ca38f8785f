"""Movies give exact counts, rows in RELION's order, one by one or many ahead of use."""

import bz2
import lzma
import subprocess
import threading
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cryopair.errors import BadFileError
from cryopair.formats.movies import MovieFile, open_movie
from cryopair.formats.movies import movie as movie_module

from .mrc_writer import mrc_bytes, pack_four_bit

COUNTS = np.random.default_rng(0).poisson(2, (3, 8, 10))
RANGES = {0: (-128, 127), 1: (-(2**15), 2**15 - 1), 2: (-(2**20), 2**20), 6: (0, 2**16 - 1), 12: (-2048, 2048)}
RANGES[101] = (0, 15)
TIFF_TYPES = {"u1": (0, 255), "i1": (-128, 127), "u2": (0, 2**16 - 1), "i2": (-(2**15), 2**15 - 1), "f4": (-999, 999)}

properties = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_all(path: Path) -> list[np.ndarray]:
    with open_movie(path) as movie:
        return [movie.read(frame) for frame in range(movie.shape[0])]


@st.composite
def stacks(draw: st.DrawFn, low: int, high: int) -> np.ndarray:
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 13), st.integers(1, 17)))
    return np.random.default_rng(draw(st.integers(0, 2**32))).integers(low, high, shape, endpoint=True)


# TIFF


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "adobe_deflate", "packbits", "zstd"])
@pytest.mark.parametrize("kind", TIFF_TYPES)
@given(data=st.data())
@properties
def test_tiff_of_any_shape(tmp_path: Path, kind: str, compression: str | None, data: st.DataObject) -> None:
    """Written by tifffile: type, compression, byte order, classic or BigTIFF, strips, differences along rows."""
    counts = data.draw(stacks(*TIFF_TYPES[kind])).astype(kind)
    predictor = compression not in (None, "packbits") and data.draw(st.booleans())
    tifffile.imwrite(
        tmp_path / "a.tif",
        counts,
        compression=compression,
        predictor=predictor,
        byteorder=data.draw(st.sampled_from("<>")),
        bigtiff=data.draw(st.booleans()),
        rowsperstrip=data.draw(st.integers(1, counts.shape[1])),
        photometric="minisblack",
        metadata=None,
    )
    with open_movie(tmp_path / "a.tif") as movie:
        assert movie.shape == counts.shape
        assert movie.dtype == np.dtype(kind)
        first = data.draw(st.integers(0, len(counts) - 1))
        for frame in range(first, len(counts)):
            image = movie.read(frame)
            assert image.dtype == movie.dtype
            np.testing.assert_array_equal(image, counts[frame, ::-1])


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_tiff_written_by_libtiff(tmp_path: Path, kind: str, compression: str) -> None:
    """The library of SerialEM, MotionCor2 and RELION, through Pillow; directories come after their images."""
    counts = np.random.default_rng(1).poisson(3, (4, 37, 301)).astype(kind)
    images = [Image.fromarray(frame) for frame in counts]
    images[0].save(tmp_path / "a.tif", save_all=True, append_images=images[1:], compression=compression)
    np.testing.assert_array_equal(read_all(tmp_path / "a.tif"), counts[:, ::-1])


@pytest.mark.parametrize(
    ("height", "width"),
    [(8184, 5760), (11520, 4092), (7420, 3838), (7676, 3710), (7424, 3840), (7680, 3712), (8184, 5759)],
)
def test_four_bit_tiffs_are_known_by_their_size(tmp_path: Path, height: int, width: int) -> None:
    """K3 and K2 super-resolution, either way up; the last within IMOD's tolerance."""
    packed = np.zeros((height, width), np.uint8)
    packed[0, :3] = 0x21, 0x43, 0xF0
    packed[-1, -1] = 0x5A
    tifffile.imwrite(tmp_path / "a.tif", packed, compression="zlib", photometric="minisblack")
    with open_movie(tmp_path / "a.tif") as movie:
        assert movie.shape == (1, height, 2 * width)
        image = movie.read(0)
    assert image[-1, :6].tolist() == [1, 2, 3, 4, 0, 15]
    assert image[0, -2:].tolist() == [10, 5]


@pytest.mark.parametrize(
    ("height", "width", "kind"), [(5760, 8184, "u1"), (8184, 5760, "u2"), (4092, 5760, "u1"), (3838, 3710, "u1")]
)
def test_other_sizes_are_not_four_bit(tmp_path: Path, height: int, width: int, kind: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((height, width), kind), compression="zlib", photometric="minisblack")
    with open_movie(tmp_path / "a.tif") as movie:
        assert movie.shape == (1, height, width)


# MRC


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", RANGES)
@given(data=st.data())
@properties
def test_mrc_of_any_shape(tmp_path: Path, mode: int, order: str, data: st.DataObject) -> None:
    """Written byte by byte; also with extended headers, wrong machine stamps, and bytes after the last frame."""
    counts = data.draw(stacks(*RANGES[mode]))
    stamp = data.draw(st.sampled_from([None, b"\0\0\0\0", b"DD\0\0", b"\x11\x11\0\0"]))
    content = mrc_bytes(counts, mode, order=order, extended=data.draw(st.sampled_from([0, 7, 1024])), stamp=stamp)
    path = tmp_path / f"a{data.draw(st.sampled_from(['.mrc', '.mrcs', '.st', '.MRC']))}"
    path.write_bytes(content + bytes(data.draw(st.sampled_from([0, 5]))))
    with open_movie(path) as movie:
        assert movie.shape == counts.shape
        for frame in data.draw(st.permutations(range(len(counts)))):
            image = movie.read(frame)
            assert image.dtype == movie.dtype and image.dtype.isnative
            np.testing.assert_array_equal(image, counts[frame])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.float32, np.float16])
def test_mrc_written_by_mrcfile(tmp_path: Path, dtype: type) -> None:
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(COUNTS.astype(dtype))
    assert np.array_equal(read_all(tmp_path / "a.mrcs"), COUNTS)


def test_mode_0_is_signed(tmp_path: Path) -> None:
    (tmp_path / "a.mrcs").write_bytes(mrc_bytes(np.full((1, 2, 2), -1), 0))
    assert (read_all(tmp_path / "a.mrcs")[0] == -1).all()


def test_an_image_is_a_movie_of_one_frame(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(COUNTS[0].astype(np.float32))
    assert [frame.shape for frame in read_all(tmp_path / "a.mrc")] == [(8, 10)]


def test_four_bits_low_half_first(tmp_path: Path) -> None:
    (tmp_path / "a.mrcs").write_bytes(mrc_bytes(np.array([[[1, 2, 3]]]), 101)[:1024] + b"\x21\x03")
    assert read_all(tmp_path / "a.mrcs")[0].tolist() == [[1, 2, 3]]
    assert pack_four_bit(np.array([[1, 2, 3]])).tolist() == [[0x21, 0x03]]


# Compressed MRC

COMPRESS = {".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}
PROGRAMS = {".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}


@pytest.mark.parametrize("suffix", COMPRESS)
@given(data=st.data())
@settings(properties, max_examples=25)
def test_compressed_mrc_in_any_order(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    mode = data.draw(st.sampled_from(list(RANGES)))
    counts = data.draw(stacks(*RANGES[mode]))
    content = mrc_bytes(counts, mode, order=data.draw(st.sampled_from("<>")), extended=3)
    cut = data.draw(st.integers(0, len(content)))  # written in two parts, as parallel programs do
    (tmp_path / f"a.mrc{suffix}").write_bytes(COMPRESS[suffix](content[:cut]) + COMPRESS[suffix](content[cut:]))
    with open_movie(tmp_path / f"a.mrc{suffix}") as movie:
        assert movie.shape == counts.shape
        for frame in data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=6)):
            np.testing.assert_array_equal(movie.read(frame), counts[frame])
        np.testing.assert_array_equal(list(movie.frames(range(len(counts)))), counts)


@pytest.mark.parametrize("suffix", PROGRAMS)
def test_compressed_by_the_programs(tmp_path: Path, suffix: str) -> None:
    with mrcfile.new(tmp_path / "a.mrcs") as file:
        file.set_data(COUNTS.astype(np.int8))
    subprocess.run([PROGRAMS[suffix], "-9", tmp_path / "a.mrcs"], check=True, capture_output=True)
    assert np.array_equal(read_all(tmp_path / f"a.mrcs{suffix}"), COUNTS)


# Frames ahead of use


class CountedMovie(MovieFile):
    """Counts how many frames are decoded, and how many at once."""

    def __init__(self, frames: int, size: int = 8) -> None:
        self.path = Path("made up")
        self.shape = (frames, size, size)
        self.dtype = np.dtype(np.uint8)
        self.decoded: list[int] = []
        self._lock = threading.Lock()

    def close(self) -> None: ...

    def _decode(self, frame: int) -> np.ndarray:
        with self._lock:
            self.decoded.append(frame)
        return np.full(self.shape[1:], frame, np.uint8)


@given(numbers=st.lists(st.integers(0, 19), max_size=40), cores=st.integers(1, 6))
@properties
def test_frames_come_in_the_order_asked_for(monkeypatch: pytest.MonkeyPatch, numbers: list[int], cores: int) -> None:
    monkeypatch.setattr(movie_module, "_cores", lambda: cores)
    frames = list(CountedMovie(20).frames(numbers, dtype=np.float32))
    assert [int(frame[0, 0]) for frame in frames] == numbers
    assert all(frame.dtype == np.float32 and frame.flags.c_contiguous and frame.flags.writeable for frame in frames)


@pytest.mark.parametrize(("cores", "memory", "most"), [(4, 2**30, 4), (4, 2 * 8 * 8, 2), (4, 1, 1), (1, 2**30, 1)])
def test_no_more_frames_are_decoded_than_fit(
    monkeypatch: pytest.MonkeyPatch, cores: int, memory: int, most: int
) -> None:
    monkeypatch.setattr(movie_module, "_cores", lambda: cores)
    monkeypatch.setattr(movie_module, "_MEMORY_AHEAD", memory)
    movie = CountedMovie(50)
    for used, _ in enumerate(movie.frames(range(50)), start=1):
        assert len(movie.decoded) <= used + most
    assert movie.decoded == sorted(movie.decoded) or cores > 1


def test_frames_left_unread_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movie_module, "_cores", lambda: 2)
    movie = CountedMovie(50)
    frames = movie.frames(range(50))
    next(frames)
    frames.close()
    assert len(movie.decoded) <= 3
    assert threading.active_count() < 10


@pytest.mark.parametrize("share", ["1", "3"])
def test_a_job_keeps_to_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", share)
    assert movie_module._cores() <= int(share)


@pytest.mark.parametrize("name", ["a.tif", "a.mrcs", "a.mrcs.xz"])
def test_frames_are_the_frames_read_one_by_one(tmp_path: Path, name: str) -> None:
    counts = np.random.default_rng(3).integers(0, 100, (12, 9, 11)).astype(np.int16)
    tifffile.imwrite(tmp_path / "a.tif", counts[:, ::-1], compression="lzw", photometric="minisblack")
    (tmp_path / "a.mrcs").write_bytes(mrc_bytes(counts, 1))
    (tmp_path / "a.mrcs.xz").write_bytes(lzma.compress(mrc_bytes(counts, 1)))
    with open_movie(tmp_path / name) as movie:
        np.testing.assert_array_equal(list(movie.frames(range(2, 9))), counts[2:9])
        np.testing.assert_array_equal(list(movie.frames([7, 0, 7])), counts[[7, 0, 7]])


@pytest.mark.parametrize("frame", [-1, 3, 100])
def test_frames_that_do_not_exist(tmp_path: Path, frame: int) -> None:
    (tmp_path / "a.mrcs").write_bytes(mrc_bytes(COUNTS, 1))
    with open_movie(tmp_path / "a.mrcs") as movie, pytest.raises(IndexError, match="has 3 frames"):
        movie.read(frame)


# Names


def test_missing_and_unknown_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"none\.tiff: no such file"):
        open_movie(tmp_path / "none.tiff")
    for name, extension in (("a.png", r"\.png"), ("a.tif.bz2", r"\.tif\.bz2"), ("a.bz2", r"\.bz2")):
        (tmp_path / name).touch()
        with pytest.raises(BadFileError, match=rf"has the extension '{extension}'; expected a movie in TIFF, MRC or"):
            open_movie(tmp_path / name)
