"""Each damaged movie ends in one clear error that names it, within a second and in little memory."""

import bz2
import io
import lzma
import struct
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
import zstandard
from PIL import Image

from cryopair.errors import BadFileError
from cryopair.formats.movies import EerRendering, open_movie

from .eer_writer import FALCON_4, FALCON_4I, FALCON_C, Coding, encode, random_electrons, write_eer
from .mrc_writer import header, mrc_bytes

COUNTS = np.random.default_rng(0).poisson(2, (4, 24, 40)).astype(np.uint8)
TEXT = b"_rlnMicrographMovieName #1\n" * 100
MEMORY = 32 * 2**20
SECONDS = 1.0


def check(path: Path, content: bytes, message: str) -> None:
    """Open a file with this content and read it all, which must fail with one line that matches."""
    path.write_bytes(content)
    tracemalloc.start()
    started = time.process_time()
    try:
        with warnings.catch_warnings(), pytest.raises(BadFileError, match=message) as caught:
            warnings.simplefilter("error")
            with open_movie(path, eer=EerRendering(1, 1)) as movie:
                for _ in movie.frames(range(movie.shape[0])):
                    pass
        assert time.process_time() - started < SECONDS
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture(autouse=True)
def _nothing_else_is_said(capfd: pytest.CaptureFixture[str]):
    yield
    assert capfd.readouterr() == ("", "")


# TIFF


def tiff(counts: np.ndarray = COUNTS, **how) -> bytes:
    """Write by tifffile: each directory comes before its strips."""
    file = io.BytesIO()
    how = {"compression": "lzw", "rowsperstrip": 7, "photometric": "minisblack", "metadata": None} | how
    tifffile.imwrite(file, counts, **how)
    return file.getvalue()


def libtiff() -> bytes:
    """Write by libtiff: each directory comes after its strips."""
    file = io.BytesIO()
    images = [Image.fromarray(frame) for frame in COUNTS]
    images[0].save(file, "TIFF", save_all=True, append_images=images[1:], compression="tiff_lzw")
    return file.getvalue()


def directory_offsets(content: bytes) -> list[int]:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        return [page.offset for page in file.pages]


def field_offset(content: bytes, tag: int, image: int = 0) -> int:
    """Return where the value of a field of classic little-endian TIFF is in its directory."""
    start = directory_offsets(content)[image]
    for entry in range(struct.unpack_from("<H", content, start)[0]):
        if struct.unpack_from("<H", content, start + 2 + 12 * entry)[0] == tag:
            return start + 2 + 12 * entry + 8
    raise KeyError(tag)


def with_field(content: bytes, tag: int, value: int, image: int = 0) -> bytes:
    changed = bytearray(content)
    where = field_offset(content, tag, image)
    struct.pack_into("<HI", changed, where - 6, 4, 1)
    struct.pack_into("<I", changed, where, value)
    return bytes(changed)


def strips(content: bytes, image: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages[image]
        return tuple(page.dataoffsets), tuple(page.databytecounts)


KINDS_OF_TIFF = {
    "classic": tiff,
    "big-endian": lambda: tiff(byteorder=">"),
    "BigTIFF": lambda: tiff(bigtiff=True),
    "uncompressed": lambda: tiff(compression=None),
    "libtiff": libtiff,
}
CUTS: dict[str, Callable[[bytes], int]] = {
    "nothing left": lambda content: 0,
    "in the magic": lambda content: 2,
    "after the magic": lambda content: 4,
    "after the header": lambda content: 16 if content[2:4] in (b"+\0", b"\0+") else 8,
    "in the first directory": lambda content: directory_offsets(content)[0] + 20,
    "after the count of the first directory": lambda content: directory_offsets(content)[0] + 2,
    "in the first strip": lambda content: strips(content, 0)[0][0] + 3,
    "in the second directory": lambda content: directory_offsets(content)[1] + 9,
    "before the last directory": lambda content: directory_offsets(content)[-1],
    "in the last directory": lambda content: directory_offsets(content)[-1] + 50,
    "in the last strip": lambda content: strips(content, 3)[0][-1] + 1,
    "at the last byte of the last strip": lambda content: strips(content, 3)[0][-1] + strips(content, 3)[1][-1] - 1,
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS.keys())
@pytest.mark.parametrize("kind", KINDS_OF_TIFF.values(), ids=KINDS_OF_TIFF.keys())
def test_cut_tiff(tmp_path: Path, kind: Callable[[], bytes], cut: Callable[[bytes], int]) -> None:
    content = kind()
    check(tmp_path / "a.tif", content[: cut(content)], "is not a whole TIFF movie|is no TIFF file")


def test_tiff_cut_anywhere(tmp_path: Path) -> None:
    """No cut gives a shorter movie, or another one."""
    for content in (tiff(COUNTS[:2, :5, :7], rowsperstrip=4), tiff(COUNTS[:2, :3, :3], compression=None, bigtiff=True)):
        for length in range(len(content)):
            (tmp_path / "a.tif").write_bytes(content[:length])
            with pytest.raises(BadFileError), open_movie(tmp_path / "a.tif") as movie:
                list(movie.frames(range(movie.shape[0])))


def looped() -> bytes:
    content = bytearray(tiff())
    first, last = directory_offsets(bytes(content))[0], directory_offsets(bytes(content))[-1]
    entries = struct.unpack_from("<H", content, last)[0]
    struct.pack_into("<I", content, last + 2 + 12 * entries, first)
    return bytes(content)


def with_garbage(content: bytes) -> bytes:
    (offset, *_), (size, *_) = strips(content, 2)
    return content[:offset] + b"\xa5" * size + content[offset + size :]


def mixed(*parts: tuple[np.ndarray, dict]) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for image, how in parts:
            writer.write(image, **{"photometric": "minisblack", "metadata": None, "contiguous": False} | how)
    return file.getvalue()


FRAME = COUNTS[0]
WRONG_TIFFS = {
    "text": (TEXT, r"is no TIFF file \(it starts with b'_rln'\)"),
    "MRC": (mrc_bytes(COUNTS, 0), "is no TIFF file"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(100), "is no TIFF file"),
    "zeros": (bytes(5000), "is no TIFF file"),
    "version 44": (b"II\x2c\0" + tiff()[4:], "is no TIFF file"),
    "no image": (struct.pack("<2sHI", b"II", 42, 0) + bytes(100), "it holds no image"),
    "first directory beyond the end": (struct.pack("<2sHI", b"II", 42, 10**9) + bytes(99), "image 1 goes on beyond"),
    "directory of 2^63 entries": (
        struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 2**63) + bytes(999),
        "image 1 goes on beyond",
    ),
    "a loop of directories": (looped(), "image 5 is one of those before it"),
    "width 0": (with_field(tiff(), 256, 0), "image 1 has 0 x 24 px"),
    "height 0": (with_field(tiff(), 257, 0), "image 1 has 40 x 0 px"),
    "width 2^31": (with_field(tiff(), 256, 2**31), "image 1 has 2147483648 x 24 px"),
    "30000 px more than its strips": (with_field(tiff(), 257, 30000), "4 strips of 7 rows for 30000 rows"),
    "30000 x 30000 in one strip": (
        with_field(with_field(with_field(tiff(rowsperstrip=24), 256, 30000), 257, 30000), 278, 30000),
        r"30000 x 30000 px in \d+ bytes",
    ),
    "width of the third frame": (with_field(tiff(), 256, 39, image=2), "frame 3 has 39 x 24 px; expected 40 x 24 px"),
    "no width": (with_field(tiff(), 256, 1).replace(struct.pack("<HH", 256, 4), b"\xf0\xf0\4\0"), "has no field 256"),
    "0 rows in a strip": (with_field(tiff(), 278, 0), "4 strips of 0 rows"),
    "strip beyond the end": (with_field(tiff(rowsperstrip=24), 273, 10**8), "image 1 ends at byte 1"),
    "strip longer than the file": (with_field(tiff(rowsperstrip=24), 279, 10**8, image=1), "image 2 ends at byte 1"),
    "strip of no bytes": (with_field(tiff(rowsperstrip=24), 279, 0), "image 1 has 40 x 24 px in 0 bytes"),
    "strip too short": (with_field(tiff(rowsperstrip=24), 279, 30), r"frame 1 has \d+ of 960 bytes in a strip"),
    "garbled LZW": (with_garbage(tiff(rowsperstrip=24)), "frame 3 cannot be decompressed"),
    "garbled ZIP": (with_garbage(tiff(compression="zlib")), "frame 3 cannot be decompressed"),
    "garbled Zstandard": (with_garbage(tiff(compression="zstd")), "frame 3 cannot be decompressed"),
    "garbled PackBits": (with_garbage(tiff(compression="packbits")), "frame 3 "),
    "mixed sizes": (mixed((FRAME, {}), (FRAME[:, :30], {})), "frame 2 has 30 x 24 px; expected 40 x 24 px"),
    "mixed types": (mixed((FRAME, {}), (FRAME.astype("i2"), {})), "frame 2 has pixels of int16; expected uint8"),
    "colour": (tiff(np.zeros((8, 8, 3), np.uint8), photometric="rgb"), "has 3 values per pixel; expected grey"),
    "tiles": (tiff(np.zeros((4, 64, 64), np.uint8), tile=(32, 32), rowsperstrip=None), "is in tiles"),
    "reversed bits": (
        tiff().replace(struct.pack("<HHII", 262, 3, 1, 1), struct.pack("<HHII", 266, 3, 1, 2)),
        "bits of its bytes reversed",
    ),
    "double precision": (tiff(COUNTS.astype("f8")), "pixels of 64 bits, sample format 3"),
    "32-bit integers": (tiff(COUNTS.astype("u4")), "pixels of 32 bits, sample format 1"),
    "complex": (tiff(COUNTS.astype("c8")), "pixels of 64 bits, sample format 6"),
    "1 bit": (tiff(COUNTS > 2, compression=None), "pixels of 1 bits"),
    "JPEG": (with_field(tiff(), 259, 7), "compressed by scheme 7 of TIFF; expected none, LZW"),
    "EER named TIFF": (with_field(tiff(), 259, 65001), "compressed by scheme 65001"),
}


@pytest.mark.parametrize(("content", "message"), WRONG_TIFFS.values(), ids=WRONG_TIFFS.keys())
def test_wrong_tiff(tmp_path: Path, content: bytes, message: str) -> None:
    check(tmp_path / "a.tiff", content, message)


# MRC


def mrc_with(**fields: int) -> bytes:
    places = {"width": 0, "height": 4, "sections": 8, "mode": 12, "extended": 92}
    content = bytearray(mrc_bytes(COUNTS, 1))
    for name, value in fields.items():
        struct.pack_into("<i", content, places[name], value)
    return bytes(content)


MRC = mrc_bytes(COUNTS, 1)
WRONG_MRCS = {
    "empty": (b"", r"is not a whole MRC file \(0 bytes\)"),
    "cut in the header": (MRC[:100], r"is not a whole MRC file \(100 bytes\)"),
    "cut at the header's last byte": (MRC[:1023], r"\(1023 bytes\); expected a header of 1024"),
    "header alone": (MRC[:1024], r"\(1024 bytes\); expected 8704 for the 4 sections of 40 x 24 px"),
    "cut in the first frame": (MRC[:1100], "is not a whole MRC file"),
    "cut after the first frame": (MRC[: 1024 + 2 * 24 * 40], "is not a whole MRC file"),
    "cut in the last frame": (MRC[:-200], "is not a whole MRC file"),
    "cut at the last byte": (MRC[:-1], r"\(8703 bytes\); expected 8704"),
    "cut 4-bit": (mrc_bytes(COUNTS & 15, 101)[:-1], "is not a whole MRC file"),
    "cut big-endian": (mrc_bytes(COUNTS, 1, order=">")[:-1], "expected 8704"),
    "cut in the extended header": (mrc_bytes(COUNTS, 1, extended=5000)[:3000], "is not a whole MRC file"),
    "extended header longer than the file": (mrc_with(extended=10**9), "is not a whole MRC file"),
    "extended header below 0": (mrc_with(extended=-1024), "after -1024 extra bytes"),
    "text": (TEXT, "is no MRC image"),
    "TIFF": (tiff() + bytes(999), "is no MRC image"),
    "zeros": (bytes(5000), r"is no MRC image \(its header gives 0 x 0 px\)"),
    "width 0": (mrc_with(width=0), "is no MRC image"),
    "height below 0": (mrc_with(height=-24), "is no MRC image"),
    "width 10^9": (mrc_with(width=10**9), "is no MRC image"),
    "no sections": (mrc_with(sections=0), "a header of 0 sections"),
    "sections below 0": (mrc_with(sections=-1), "a header of -1 sections"),
    "2 billion sections": (mrc_with(sections=2**31 - 1), "is not a whole MRC file"),
    "30000 x 30000": (mrc_with(width=30000, height=30000), "is not a whole MRC file"),
    "complex": (mrc_with(mode=4), "is MRC of mode 4; expected one of modes 0, 1, 2, 6, 12, 101"),
    "complex integers": (mrc_with(mode=3), "is MRC of mode 3"),
    "mode -1": (mrc_with(mode=-1), "is MRC of mode -1"),
    "mode 16": (mrc_with(mode=16), "is MRC of mode 16"),
}


@pytest.mark.parametrize(("content", "message"), WRONG_MRCS.values(), ids=WRONG_MRCS.keys())
def test_wrong_mrc(tmp_path: Path, content: bytes, message: str) -> None:
    check(tmp_path / "a.mrcs", content, message)


def test_mrc_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mrcs"
    path.write_bytes(MRC)
    with open_movie(path) as movie:
        path.write_bytes(MRC[:-100])
        with pytest.raises(BadFileError, match=r"a\.mrcs: ends inside frame 4"):
            list(movie.frames(range(4)))


COMPRESS = {".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}
NOISE = np.random.default_rng(1).integers(-(2**15), 2**15, (4, 200, 300)).astype("i2")
every_compression = pytest.mark.parametrize("suffix", COMPRESS)
WRONG_CONTENT = {
    "nothing": (b"", "its header cannot be decompressed"),
    "text": (TEXT, "is no MRC image"),
    "header cut": (MRC[:1000], "its header cannot be decompressed"),
    "extended header cut": (mrc_bytes(COUNTS, 1, extended=5000)[:3000], "its extended header cannot be decompressed"),
    "header alone": (MRC[:1024], "frame 1 cannot be decompressed"),
    "last frame cut": (MRC[:-1], "frame 4 cannot be decompressed"),
    "2 billion sections": (mrc_with(sections=2**31 - 1), "frame 5 cannot be decompressed"),
    "mode 4": (mrc_with(mode=4), "is MRC of mode 4"),
}


@every_compression
@pytest.mark.parametrize(("content", "message"), WRONG_CONTENT.values(), ids=WRONG_CONTENT.keys())
def test_wrong_content_compressed(tmp_path: Path, suffix: str, content: bytes, message: str) -> None:
    check(tmp_path / f"a.mrc{suffix}", COMPRESS[suffix](content), message)


@every_compression
@pytest.mark.parametrize("part", [0, 0.001, 0.3, 0.999], ids=["nothing", "in the header", "in a frame", "at the end"])
def test_compressed_file_cut(tmp_path: Path, suffix: str, part: float) -> None:
    content = COMPRESS[suffix](mrc_bytes(NOISE, 1))
    check(tmp_path / f"a.mrcs{suffix}", content[: int(part * len(content))], "cannot be decompressed")


@every_compression
def test_compressed_file_garbled(tmp_path: Path, suffix: str) -> None:
    content = bytearray(COMPRESS[suffix](mrc_bytes(NOISE, 1)))
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    if suffix == ".zst":  # without a checksum, noise is stored as it is: only the structure can be told to be wrong
        content[4:9] = b"\xff" * 5
    check(tmp_path / f"a.mrcs{suffix}", bytes(content), "cannot be decompressed|is no MRC image")


@every_compression
@pytest.mark.parametrize("content", [TEXT, MRC], ids=["text", "MRC that is not compressed"])
def test_not_compressed_at_all(tmp_path: Path, suffix: str, content: bytes) -> None:
    check(tmp_path / f"a.mrcs{suffix}", content, "its header cannot be decompressed")


# EER

SHAPE = (24, 40)


def eer(tmp_path: Path, coding: Coding = FALCON_4, frames: int = 3, shape: tuple[int, int] = SHAPE) -> bytes:
    rng = np.random.default_rng(0)
    streams = [encode(random_electrons(rng, shape, 50, coding.place_bits), shape, coding) for _ in range(frames)]
    write_eer(tmp_path / "whole.eer", streams, shape, coding)
    return (tmp_path / "whole.eer").read_bytes()


def test_whole_eer_is_read(tmp_path: Path) -> None:
    """So that the tests below fail for what they change alone."""
    (tmp_path / "a.eer").write_bytes(eer(tmp_path))
    with open_movie(tmp_path / "a.eer", eer=EerRendering(1, 1)) as movie:
        assert sum(int(frame.sum()) for frame in movie.frames(range(3))) == 150


@pytest.mark.parametrize("part", [0, 0.005, 0.02, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999])
def test_cut_eer(tmp_path: Path, part: float) -> None:
    content = eer(tmp_path)
    check(tmp_path / "a.eer", content[: int(part * len(content))], "is not a whole TIFF movie|is no TIFF file")


WRONG_EERS: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "text": (lambda folder: TEXT, "is no TIFF file"),
    "MRC": (lambda folder: MRC, "is no TIFF file"),
    "prototype": (lambda folder: bytes(99) + b"ThermoFisherECComprOK000", "is no TIFF file"),
    "TIFF movie": (lambda folder: tiff(), "holds no electron events"),
    "places of 3 bits": (
        lambda folder: eer(folder, Coding(65002, 7, 3)),
        r"codes electrons in 7 \+ 3 \+ 3 bits; expected 7 to 12 bits",
    ),
    "places of 0 bits": (
        lambda folder: eer(folder, FALCON_4I).replace(
            b"\xf0\xfd\3\0\1" + bytes(7) + b"\2", b"\xf0\xfd\3\0\1" + bytes(8)
        ),
        "codes electrons in 7",
    ),
    "skips of 30 bits": (lambda folder: eer(folder, Coding(65002, 30, 2)), "codes electrons in 30"),
    "mixed codings": (
        lambda folder: eer(folder, FALCON_C).replace(
            struct.pack("<HHQ", 65007, 3, 1) + b"\7", struct.pack("<HHQ", 65007, 3, 1) + b"\x08", 1
        ),
        "has image 2 unlike the first",
    ),
    "mixed sizes": (
        lambda folder: eer(folder).replace(struct.pack("<HHQQ", 256, 4, 1, 40), struct.pack("<HHQQ", 256, 4, 1, 41), 1),
        "has image 2 unlike the first",
    ),
    "width 2^31": (
        lambda folder: eer(folder).replace(struct.pack("<HHQQ", 256, 4, 1, 40), struct.pack("<HHQQ", 256, 4, 1, 2**31)),
        "image 1 has 2147483648 x 24 px",
    ),
    "no size": (
        lambda folder: eer(folder).replace(struct.pack("<HH", 256, 4), struct.pack("<HH", 254, 4)),
        "has no field 256",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG_EERS.values(), ids=WRONG_EERS.keys())
def test_wrong_eer(tmp_path: Path, content: Callable[[Path], bytes], message: str) -> None:
    check(tmp_path / "a.eer", content(tmp_path), message)


@pytest.mark.parametrize("name", ["a.tif", "a.mrc", "a.mrcs.xz", "a.mrc.bz2", "a.mrc.zst", "a.eer"])
def test_a_folder_is_no_movie(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(BadFileError, match="no such file"):
        open_movie(tmp_path / name, eer=EerRendering(1, 1))


def test_header_writer_agrees_with_mrcfile(tmp_path: Path) -> None:
    """The header that the tests above change is a right one."""
    (tmp_path / "a.mrc").write_bytes(header((1, 2, 3), 2) + bytes(24))
    assert mrcfile.read(tmp_path / "a.mrc").shape == (2, 3)
