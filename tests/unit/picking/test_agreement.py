import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryopair.picking.agreement import f1, match_picks


def test_picks_are_paired_one_to_one():
    truth = [(0, 0), (10, 0)]
    assert match_picks([(1, 0), (2, 0), (11, 1), (50, 50)], truth, 3) == (2, 2, 0)


def test_a_greedy_nearest_match_would_lose_a_pair():
    # the pick at 5 is nearest to both particles; the other pick reaches only the one at 4
    assert match_picks([(5, 0), (1, 0)], [(4, 0), (8, 0)], 3) == (2, 0, 0)


def test_radius_is_inclusive():
    assert match_picks([(3, 4)], [(0, 0)], 5) == (1, 0, 0)
    assert match_picks([(3, 4)], [(0, 0)], 4.99) == (0, 1, 1)


def test_nothing_picked_or_nothing_there():
    assert match_picks([], [(1, 1), (2, 2)], 5) == (0, 0, 2)
    assert match_picks(np.zeros((3, 2)), np.zeros((0, 2)), 5) == (0, 3, 0)
    assert match_picks([], [], 5) == (0, 0, 0)


points = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=8)


@given(points, points, st.floats(0, 30))
def test_every_pick_and_particle_is_counted_once(picks, truth, radius):
    hits, false, missed = match_picks(picks, truth, radius)
    assert hits + false == len(picks)
    assert hits + missed == len(truth)
    assert match_picks(truth, picks, radius) == (hits, missed, false)


def test_f1():
    assert f1(8, 2, 2) == pytest.approx(0.8)
    assert f1(6, 0, 6) == pytest.approx(2 / 3)
    assert f1(0, 0, 0) == 0
