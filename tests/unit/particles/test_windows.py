"""Boxes cut out of micrographs and their downsampling, against padding and against analytic waves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.particles.windows import cut_windows, rescale

HEIGHT, WIDTH = 23, 31
IMAGE = np.random.default_rng(0).normal(size=(HEIGHT, WIDTH)).astype(np.float32)
BOX, SIZE = 48, 20
ROW, COLUMN = np.mgrid[:BOX, :BOX]
SMALL_ROW, SMALL_COLUMN = np.mgrid[:SIZE, :SIZE]


def padded_crop(image: np.ndarray, column: int, row: int, box: int) -> np.ndarray:
    padded = np.pad(image, box, mode="edge")
    top, left = row + box - box // 2, column + box - box // 2
    return padded[top : top + box, left : left + box]


@settings(deadline=None, max_examples=80)
@given(
    half_box=st.integers(1, 12),
    places=st.lists(st.tuples(st.floats(0, WIDTH - 0.001), st.floats(0, HEIGHT - 0.001)), min_size=1, max_size=5),
)
def test_boxes_are_crops_of_the_edge_padded_micrograph(half_box: int, places: list[tuple[float, float]]) -> None:
    x, y = np.array(places).T
    windows = cut_windows(IMAGE, x, y, box=2 * half_box)
    for window, (column, row) in zip(windows, places, strict=True):
        np.testing.assert_array_equal(window, padded_crop(IMAGE, int(column), int(row), 2 * half_box))


@pytest.mark.parametrize(("x", "y"), [(0, 0), (WIDTH - 1, 0), (0, HEIGHT - 1), (WIDTH - 1, HEIGHT - 1)])
def test_a_box_over_a_corner_repeats_the_edges(x: int, y: int) -> None:
    (window,) = cut_windows(IMAGE, [x], [y], box=10)
    np.testing.assert_array_equal(window, padded_crop(IMAGE, x, y, 10))
    assert np.count_nonzero(window == IMAGE[y, x]) >= 25  # all that is beyond the corner


@pytest.mark.parametrize(("value", "pixel"), [(10.0, 10), (10.4, 10), (10.9, 10), (-0.5, 0), (-0.999, 0), (0.999, 0)])
def test_coordinates_are_truncated_toward_zero(value: float, pixel: int) -> None:
    whole = cut_windows(IMAGE, [pixel], [pixel], box=8)
    np.testing.assert_array_equal(cut_windows(IMAGE, [value], [value], box=8), whole)
    assert not np.array_equal(cut_windows(IMAGE, [pixel + 1], [pixel], box=8), whole)


@pytest.mark.parametrize("box", [2, 8, 16])
def test_the_coordinate_is_pixel_half_box_and_x_is_the_column(box: int) -> None:
    (window,) = cut_windows(IMAGE, [17.0], [11.0], box=box)
    assert window[box // 2, box // 2] == IMAGE[11, 17]
    assert window[box // 2 - 1, box // 2] == IMAGE[10, 17]


def test_downsampling_keeps_grey_levels_place_and_low_frequencies() -> None:
    waves = 7 + np.cos(2 * np.pi * 3 * COLUMN / BOX + 0.4) + 2 * np.sin(2 * np.pi * (5 * ROW - 2 * COLUMN) / BOX)
    expected = (
        7
        + np.cos(2 * np.pi * 3 * SMALL_COLUMN / SIZE + 0.4)
        + 2 * np.sin(2 * np.pi * (5 * SMALL_ROW - 2 * SMALL_COLUMN) / SIZE)
    )
    np.testing.assert_allclose(rescale(waves[np.newaxis], SIZE)[0], expected, atol=1e-12)


def test_downsampling_removes_what_is_beyond_nyquist() -> None:
    waves = np.cos(2 * np.pi * 11 * COLUMN / BOX) + np.sin(2 * np.pi * (17 * ROW + 2 * COLUMN) / BOX)
    np.testing.assert_allclose(rescale(waves[np.newaxis], SIZE), 0, atol=1e-12)


@pytest.mark.parametrize(("frequency", "kept"), [(SIZE // 2, 1.0), (-SIZE // 2, 0.0)])
def test_the_new_nyquist_row_is_that_of_the_positive_frequency(frequency: int, kept: float) -> None:
    wave = np.cos(2 * np.pi * (frequency * ROW + 2 * COLUMN) / BOX + 0.3)
    expected = kept * np.cos(np.pi * SMALL_ROW + 2 * np.pi * 2 * SMALL_COLUMN / SIZE + 0.3)
    np.testing.assert_allclose(rescale(wave[np.newaxis], SIZE)[0], expected, atol=1e-12)


def test_images_are_downsampled_each_by_itself() -> None:
    windows = np.random.default_rng(1).normal(size=(3, BOX, BOX))
    np.testing.assert_allclose(rescale(windows, SIZE)[2], rescale(windows[2:], SIZE)[0], atol=1e-13)
    np.testing.assert_array_equal(rescale(windows, BOX), windows)
