"""Coordinates inside the micrograph and apart from each other."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from cryopair.particles.selection import apart, inside


def test_a_margin_is_measured_from_the_outermost_pixels() -> None:
    x = np.array([-0.5, 0.0, 9.9, 10.0, 79.0, 79.1, 89.0, 90.0])
    y = np.full(8, 30.0)
    assert inside(x, y, shape=(60, 90)).tolist() == [False, True, True, True, True, True, True, False]
    assert inside(x, y, shape=(60, 90), margin=10).tolist() == [False, False, False, True, True, False, False, False]
    assert inside(y, x, shape=(90, 60), margin=10).tolist() == [False, False, False, True, True, False, False, False]


def test_the_best_of_a_chain_wins_and_the_next_but_one_stays() -> None:
    x, y = np.array([0.0, 8.0, 16.0, 24.0]), np.zeros(4)
    assert apart(x, y, np.array([1.0, 4.0, 3.0, 2.0]), distance=8).tolist() == [1, 3]
    assert apart(x, y, np.array([1.0, 4.0, 3.0, 2.0]), distance=7.99).tolist() == [0, 1, 2, 3]


def test_without_scores_the_first_stays_and_without_distance_only_the_same_pixel_goes() -> None:
    x, y = np.array([5.0, 5.0, 6.0, 5.0]), np.array([7.0, 7.0, 7.0, 8.0])
    assert apart(x, y, np.full(4, -999.0), distance=0).tolist() == [0, 2, 3]
    assert apart(x[:0], y[:0], y[:0], distance=9).tolist() == []


@settings(deadline=None, max_examples=60)
@given(
    places=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 9)), max_size=40),
    distance=st.floats(0, 30),
)
def test_what_is_left_is_apart_and_what_went_had_a_better_one_near(
    places: list[tuple[int, int, int]], distance: float
) -> None:
    x, y, score = np.array(places, dtype=np.float64).reshape(-1, 3).T
    kept = apart(x, y, score, distance=distance)
    distances = squareform(pdist(np.column_stack([x, y]))) if len(x) > 1 else np.zeros((len(x), len(x)))
    assert (distances[np.ix_(kept, kept)][~np.eye(len(kept), dtype=bool)] > distance).all()
    for index in set(range(len(x))) - set(kept.tolist()):
        near = [other for other in kept if distances[index, other] <= distance]
        assert max(score[near]) >= score[index]
