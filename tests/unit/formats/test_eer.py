"""EER movies are rendered electron by electron as they were written, by the rules of RELION."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.errors import BadFileError
from cryopair.formats.movies import EerRendering, open_movie
from cryopair.formats.movies.eer_codec import EerCodec

from .eer_writer import (
    FALCON_4,
    FALCON_4_EARLY,
    FALCON_4I,
    FALCON_C,
    FIXED_8,
    RUNNING_VARIABLE,
    Coding,
    Electrons,
    counts,
    encode,
    random_electrons,
    write_eer,
)

SHAPE = (24, 40)
CODINGS = {
    "8-bit": FALCON_4_EARLY,
    "7-bit": FALCON_4,
    "variable 7+2+2": FALCON_4I,
    "variable 7+1+1": FALCON_C,
    "variable 7+1, no vertical tag": Coding(RUNNING_VARIABLE, 7, 1, vertical_tag=False),
}
every_coding = pytest.mark.parametrize("coding", CODINGS.values(), ids=CODINGS.keys())


def electrons_of(coding: Coding, frames: int, number: int = 60, seed: int = 0) -> list[Electrons]:
    rng = np.random.default_rng(seed)
    return [random_electrons(rng, SHAPE, number, coding.place_bits) for _ in range(frames)]


def write(path: Path, electrons: list[Electrons], coding: Coding, **how) -> None:
    write_eer(path, [encode(frame, SHAPE, coding) for frame in electrons], SHAPE, coding, **how)


def render(path: Path, grouping: int, upsampling: int) -> np.ndarray:
    with open_movie(path, eer=EerRendering(grouping, upsampling)) as movie:
        images = [movie.read(frame) for frame in range(movie.shape[0])]
        assert all(image.shape == movie.shape[1:] and image.dtype == movie.dtype for image in images)
        return np.stack(images)


@every_coding
@pytest.mark.parametrize("upsampling", [-1, 1, 2, 3])
@pytest.mark.parametrize("grouping", [1, 2, 3])
def test_every_electron_is_where_it_was_written(tmp_path: Path, coding: Coding, upsampling: int, grouping: int) -> None:
    if upsampling == 3 and coding.place_bits == 1:
        pytest.skip("refused; tested below")
    electrons = electrons_of(coding, 7)
    write(tmp_path / "a.eer", electrons, coding)
    images = render(tmp_path / "a.eer", grouping, upsampling)
    assert len(images) == 7 // grouping
    for index, image in enumerate(images):
        group = electrons[index * grouping : (index + 1) * grouping]
        expected = counts(group, SHAPE, upsampling=upsampling, place_bits=coding.place_bits)
        np.testing.assert_array_equal(image, expected)


@every_coding
@pytest.mark.parametrize("number", [0, 1, 3, 960], ids=["none", "one", "few", "every pixel"])
def test_empty_sparse_and_full_frames(tmp_path: Path, coding: Coding, number: int) -> None:
    """Gaps beyond the greatest skip, and none at all."""
    electrons = electrons_of(coding, 2, number)
    write(tmp_path / "a.eer", electrons, coding)
    expected = counts(electrons, SHAPE, upsampling=2, place_bits=coding.place_bits)
    np.testing.assert_array_equal(render(tmp_path / "a.eer", 2, 2)[0], expected)


@every_coding
@given(gap=st.integers(0, 700), first=st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_gaps_of_any_length(coding: Coding, gap: int, first: int) -> None:
    pixels = np.array([first, first + 1 + gap])
    rows, columns = np.divmod(pixels, SHAPE[1])
    electrons = Electrons(rows, columns, np.array([0, 1]), np.array([1, 0]))
    image = np.zeros((2 * SHAPE[0], 2 * SHAPE[1]), np.uint8)
    codec = EerCodec(coding.skip_bits, coding.place_bits, fixed=coding.compression == FIXED_8)
    assert codec.add_frame(image, encode(electrons, SHAPE, coding), finer=1)
    np.testing.assert_array_equal(image, counts([electrons], SHAPE, upsampling=2, place_bits=coding.place_bits))


@every_coding
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_stream_cut_anywhere_is_not_whole(coding: Coding, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    electrons = random_electrons(rng, SHAPE, data.draw(st.integers(0, 40)), coding.place_bits)
    stream = encode(electrons, SHAPE, coding, padding=1)
    cut = stream[: data.draw(st.integers(0, len(stream) - 1))]
    image = np.zeros(SHAPE, np.uint8)
    codec = EerCodec(coding.skip_bits, coding.place_bits, fixed=coding.compression == FIXED_8)
    if coding.compression == FIXED_8 and len(cut) == len(stream) - 1:
        return  # of the place after the last skip nothing is used
    assert not codec.add_frame(image, cut, finer=0)
    assert not image.any()


@every_coding
def test_a_stream_that_goes_beyond_the_last_pixel_is_not_whole(tmp_path: Path, coding: Coding) -> None:
    electrons = electrons_of(coding, 1)[0]
    stream = encode(electrons, (SHAPE[0] + 1, SHAPE[1]), coding)  # one row more
    write_eer(tmp_path / "a.eer", [encode(electrons, SHAPE, coding), stream], SHAPE, coding)
    with pytest.warns(UserWarning, match=r"a\.eer: detector frame 2 does not end at its last pixel"):
        image = render(tmp_path / "a.eer", 2, 1)[0]
    np.testing.assert_array_equal(image, counts([electrons], SHAPE, upsampling=1, place_bits=coding.place_bits))


@every_coding
def test_damaged_detector_frames_are_left_out_with_a_warning(tmp_path: Path, coding: Coding) -> None:
    electrons = electrons_of(coding, 6)
    streams = [encode(frame, SHAPE, coding) for frame in electrons]
    streams[1] = streams[1][: len(streams[1]) // 2]
    write_eer(tmp_path / "a.eer", streams, SHAPE, coding)
    with pytest.warns(UserWarning, match=r"a\.eer: detector frame 2 .* left out"):
        images = render(tmp_path / "a.eer", 3, 1)
    rest = [electrons[0], electrons[2]]
    np.testing.assert_array_equal(images[0], counts(rest, SHAPE, upsampling=1, place_bits=coding.place_bits))
    np.testing.assert_array_equal(images[1], counts(electrons[3:], SHAPE, upsampling=1, place_bits=coding.place_bits))


def test_a_frame_without_a_whole_detector_frame_is_an_error(tmp_path: Path) -> None:
    streams = [encode(frame, SHAPE, FALCON_4)[:20] for frame in electrons_of(FALCON_4, 2)]
    write_eer(tmp_path / "a.eer", streams, SHAPE, FALCON_4)
    with pytest.warns(UserWarning), pytest.raises(BadFileError, match=r"a\.eer: has no whole detector frame"):
        render(tmp_path / "a.eer", 2, 1)


@pytest.mark.parametrize("strips", [2, 5])
def test_frames_in_several_strips(tmp_path: Path, strips: int) -> None:
    electrons = electrons_of(FALCON_4, 3)
    write(tmp_path / "a.eer", electrons, FALCON_4, strips=strips)
    np.testing.assert_array_equal(render(tmp_path / "a.eer", 3, 3)[0], counts(electrons, SHAPE, upsampling=3))


def test_a_first_image_that_is_the_sum_is_not_a_frame(tmp_path: Path) -> None:
    electrons = electrons_of(FALCON_4, 2)
    write(tmp_path / "a.eer", electrons, FALCON_4, first_image=np.full(SHAPE, 77))
    np.testing.assert_array_equal(render(tmp_path / "a.eer", 2, 1)[0], counts(electrons, SHAPE, upsampling=1))


def test_counts_beyond_a_byte(tmp_path: Path) -> None:
    """A pixel hit in every detector frame: 300 times, and four such pixels in one of half the grid."""
    corner = np.array([0, 0, 1, 1])
    electrons = Electrons(corner, np.array([0, 1, 0, 1]), np.zeros(4, int), np.zeros(4, int))
    stream = encode(electrons, SHAPE, FALCON_4)
    write_eer(tmp_path / "a.eer", [stream] * 300, SHAPE, FALCON_4)
    assert render(tmp_path / "a.eer", 300, 1)[0, 0, 0] == 300
    assert render(tmp_path / "a.eer", 300, -1)[0, 0, 0] == 1200
    assert render(tmp_path / "a.eer", 64, -1)[0, 0, 0] == 256
    assert render(tmp_path / "a.eer", 255, 1).dtype == np.uint8


@pytest.mark.parametrize("coding", [FALCON_4, FALCON_4I, FALCON_C], ids=["7-bit", "variable", "variable 1+1"])
@pytest.mark.parametrize("superres", [0, 1, 2])
def test_tifffile_agrees(tmp_path: Path, coding: Coding, superres: int) -> None:
    """Not for the early 8-bit files: tifffile takes their codes to be of running length, against the maker's reader."""
    if superres > coding.place_bits:
        pytest.skip("finer than the file")
    electrons = electrons_of(coding, 3)
    write(tmp_path / "a.eer", electrons, coding)
    with tifffile.TiffFile(tmp_path / "a.eer", superres=superres) as file:
        other = np.stack([page.asarray() for page in file.pages])
    np.testing.assert_array_equal(render(tmp_path / "a.eer", 1, superres + 1), other)


@pytest.mark.parametrize("grouping", [1, 2, 3])
def test_eerfile_agrees(tmp_path: Path, grouping: int) -> None:
    """With the program of the same task; the file says that a detector frame is 1 e/Å²."""
    eerfile = pytest.importorskip("eerfile", reason="EER is not compared with eerfile, which is not installed")
    electrons = electrons_of(FALCON_4, 7)
    write(tmp_path / "a.eer", electrons, FALCON_4)
    other = eerfile.render(tmp_path / "a.eer", dose_per_output_frame=grouping)
    np.testing.assert_array_equal(render(tmp_path / "a.eer", grouping, 1), other)


@pytest.mark.parametrize(("grouping", "upsampling"), [(0, 1), (-3, 1), (1, 0), (1, 4), (1, -2)])
def test_renderings_that_do_not_exist(grouping: int, upsampling: int) -> None:
    with pytest.raises(ValueError, match="it must be 1"):
        EerRendering(grouping, upsampling)


def test_what_cannot_be_rendered(tmp_path: Path) -> None:
    write(tmp_path / "c.eer", electrons_of(FALCON_C, 4), FALCON_C)
    with pytest.raises(BadFileError, match=r"c\.eer: cannot be rendered with upsampling 3 .* 2 x 2 parts"):
        open_movie(tmp_path / "c.eer", eer=EerRendering(1, 3))
    with pytest.raises(BadFileError, match=r"c\.eer: has 4 detector frames; expected at least 5, the EER grouping"):
        open_movie(tmp_path / "c.eer", eer=EerRendering(5, 1))
    with pytest.raises(BadFileError, match=r"c\.eer: is an EER movie.*grouping and an upsampling"):
        open_movie(tmp_path / "c.eer")


def test_no_warning_for_whole_movies(tmp_path: Path) -> None:
    write(tmp_path / "a.eer", electrons_of(FALCON_4, 4), FALCON_4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render(tmp_path / "a.eer", 2, 2)
