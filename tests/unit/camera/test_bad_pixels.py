"""Bad pixels are replaced by good neighbours, independently in each frame."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.camera.bad_lines import BadLines
from cryopair.camera.bad_pixels import BadPixels, find_bad_pixels
from cryopair.errors import BadFileError
from cryopair.formats.movies import EerRendering
from cryopair.motion import Motion

RNG = np.random.default_rng(0)


def motion(**settings: object) -> Motion:
    defaults: dict = {"movie": "a.tiff", "frames": 1, "height": 20, "width": 30, "pixel_size": 1.0}
    defaults |= {"dose_per_frame": 1.0, "voltage": 300.0, "global_shifts": np.zeros((1, 2))}
    return Motion(**(defaults | settings))


def test_replacements_are_good_neighbours_and_the_rest_is_untouched() -> None:
    mask = np.zeros((20, 30), bool)
    mask[[0, 5, 5, 19], [0, 7, 8, 29]] = True
    frame = np.arange(600, dtype=np.float32).reshape(20, 30)
    before = frame.copy()
    BadPixels(mask, seed="a").replace(frame)
    assert np.array_equal(frame[~mask], before[~mask])
    for row, column in np.argwhere(mask):
        new_row, new_column = divmod(int(frame[row, column]), 30)
        assert max(abs(new_row - row), abs(new_column - column)) <= 2
        assert not mask[new_row, new_column]


def test_draws_are_independent_between_frames_and_uniform() -> None:
    mask = np.zeros((20, 30), bool)
    mask[10, 10] = True
    pixels = BadPixels(mask, seed="a")
    drawn = []
    for _ in range(4800):
        frame = np.arange(600, dtype=np.float32).reshape(20, 30)
        pixels.replace(frame)
        drawn.append(int(frame[10, 10]))
    values, counts = np.unique(drawn, return_counts=True)
    assert len(values) == 24
    assert counts.min() > 200 - 5 * np.sqrt(200)
    assert counts.max() < 200 + 5 * np.sqrt(200)
    repeats = np.mean(np.array(drawn[1:]) == np.array(drawn[:-1]))
    assert abs(repeats - 1 / 24) < 5 * np.sqrt(1 / 24 / 4800)


def test_same_movie_same_draws() -> None:
    mask = RNG.random((20, 30)) < 0.1
    frames = [RNG.normal(size=(20, 30)).astype(np.float32)] * 3
    results = []
    for seed, frame in zip(("a", "a", "b"), frames, strict=True):
        copy = frame.copy()
        BadPixels(mask, seed=seed).replace(copy)
        results.append(copy)
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_inside_a_large_defect_there_is_noise_like_the_frame() -> None:
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    frame = RNG.normal(7, 2, (60, 60)).astype(np.float32)
    frame[mask] = 0
    BadPixels(mask, seed="a").replace(frame)
    inner = frame[14:46, 14:46]
    assert float(inner.mean()) == pytest.approx(7, abs=5 * 2 / 32)
    assert float(inner.std()) == pytest.approx(2, rel=0.1)


def test_no_bad_pixels_change_nothing() -> None:
    frame = RNG.normal(size=(20, 30)).astype(np.float32)
    before = frame.copy()
    pixels = BadPixels(np.zeros((20, 30), bool), seed="a")
    pixels.replace(frame)
    assert len(pixels) == 0
    assert np.array_equal(frame, before)


def test_hot_pixels_defects_and_zero_gain_are_all_bad(tmp_path: Path) -> None:
    (tmp_path / "defects.txt").write_text("3 4 2 1\n\n28 18 10 10\n")
    gain = np.ones((20, 30), np.float32)
    gain[0, 29] = 0
    found = find_bad_pixels(motion(hot_pixels=np.array([[7, 9]]), defects="defects.txt"), gain, tmp_path)
    assert len(found) == 1 + 2 + 4 + 1


def test_bad_lines_are_bad_pixels() -> None:
    lines = BadLines(rows=(3,), columns=(0, 29))
    assert len(find_bad_pixels(motion(), None, Path(), lines=lines)) == 30 + 2 * 19


def test_eer_looks_farther_for_neighbours() -> None:
    """RELION's window is 9 x 9 there, so the middle of a 7 x 7 defect still gets a neighbour's value."""
    hot = np.stack(np.meshgrid(np.arange(10, 17), np.arange(5, 12)), axis=-1).reshape(-1, 2)
    frame = np.arange(600, dtype=np.float32).reshape(20, 30)
    before = frame.copy()
    find_bad_pixels(motion(hot_pixels=hot, eer=EerRendering(grouping=20, upsampling=1)), None, Path()).replace(frame)
    assert np.isin(frame[5:12, 10:17], before).all()
    row, column = divmod(int(frame[8, 13]), 30)
    assert max(abs(row - 8), abs(column - 13)) == 4


def test_hot_pixels_outside_the_frame_are_refused() -> None:
    with pytest.raises(BadFileError, match="hot pixels listed outside the frame"):
        find_bad_pixels(motion(hot_pixels=np.array([[30, 0]])), None, Path())
