"""Peaks, and how many of them are believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from cryopair.picking.peaks import believable, find_peaks, refined

HEIGHTS = st.lists(st.floats(0.01, 10), max_size=40).map(np.array)


def test_peaks_are_the_highest_around() -> None:
    response = np.zeros((40, 50))
    for row, column, height in ((10, 10, 3.0), (10, 14, 2.0), (30, 30, 1.0), (1, 25, 9.0), (20, 40, -1.0)):
        response[row, column] = height
    peaks = find_peaks(response, apart=5, margin=3)
    assert sorted(zip(peaks.row, peaks.column, peaks.height, strict=True)) == [(10, 10, 3.0), (30, 30, 1.0)]
    assert len(find_peaks(response, apart=3.5, margin=3)) == 3


@given(arrays(np.int8, (14, 17), elements=st.integers(-2, 9)), st.floats(0.5, 8), st.integers(0, 4))
def test_nothing_near_a_peak_is_higher(response: np.ndarray, apart: float, margin: int) -> None:
    found = find_peaks(response.astype(np.float64), apart=apart, margin=margin)
    y, x = np.indices(response.shape)
    expected = [
        (row, column)
        for row, column in zip(*np.nonzero(response > 0), strict=True)
        if max(margin, 1) <= row < 14 - max(margin, 1)
        and max(margin, 1) <= column < 17 - max(margin, 1)
        and response[np.hypot(y - row, x - column) <= max(apart, 1)].max() == response[row, column]
    ]
    assert list(zip(found.row, found.column, strict=True)) == expected


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_tops_of_paraboloids_are_found_between_pixels(dy: float, dx: float) -> None:
    y, x = np.mgrid[:21, :21]
    response = 50 - (y - 10 - dy) ** 2 - 2 * (x - 10 - dx) ** 2
    row, column = refined(response, find_peaks(response, apart=5, margin=3))
    np.testing.assert_allclose([row[0], column[0]], [10 + dy, 10 + dx], atol=1e-9)


def test_the_limit_is_the_lowest_with_few_enough_decoys() -> None:
    targets, decoys = np.array([9.0, 8, 7, 6, 5, 4, 3]), np.array([6.5, 4.5, 3.5, 3.2])
    assert believable(targets, decoys, share=0) == 7
    assert believable(targets, decoys, share=0.25) == 5  # one decoy to five targets; two of six are too many
    assert believable(targets, decoys, share=0.6) == 3


@given(HEIGHTS, HEIGHTS, st.floats(0, 1))
def test_what_is_believed_keeps_to_the_share(targets: np.ndarray, decoys: np.ndarray, share: float) -> None:
    limit = believable(targets, decoys, share=share)
    believed = (targets >= limit).sum()
    assert (decoys >= limit).sum() <= share * believed
    for lower in targets[targets < limit]:
        assert (decoys >= lower).sum() > share * (targets >= lower).sum()


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_as_many_decoys_as_targets(seed: int) -> None:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(300, 300)), 4)
    targets, decoys = (find_peaks(sign * noise, apart=10, margin=5).height for sign in (1, -1))
    believed = (targets >= believable(targets, decoys, share=0.3)).sum()
    assert believed < 0.1 * len(targets)
