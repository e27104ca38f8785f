import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from cryopair.simulate.ribosome import DIAMETER, PSEUDO_ATOMS, ribosome
from cryopair.simulate.specimen import CLOSEST_RESIDUES


@pytest.fixture(scope="module")
def positions() -> np.ndarray:
    return ribosome(np.random.default_rng(7)).positions


def test_mass_and_longest_extent_of_a_70s_ribosome(positions):
    assert len(positions) * 110 == pytest.approx(2.3e6, rel=0.01)
    outermost = positions[np.argsort(np.linalg.norm(positions, axis=1))[-3000:]]
    assert pdist(outermost).max() == pytest.approx(DIAMETER, abs=8)
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-9)


def test_residues_do_not_clash(positions):
    assert cKDTree(positions).query(positions, k=2)[0][:, 1].min() >= CLOSEST_RESIDUES


def test_it_is_packed_as_densely_as_rna_and_protein_are(positions):
    """Within 15 Å of a residue deep inside there are as many others as at 116 Å³ each: 2/3 RNA by mass."""
    deep = positions[np.linalg.norm(positions - [45, 0, 0], axis=1) < 25]
    neighbours = cKDTree(positions).query_ball_point(deep, 15.0, return_length=True) - 1
    assert neighbours.mean() == pytest.approx(4 / 3 * np.pi * 15**3 / 116, rel=0.06)


@pytest.mark.parametrize("turn", [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])
def test_no_turn_or_mirror_about_its_axes_leaves_it_as_it_is(positions, turn):
    """More than one in twenty residues would then be where there is nothing."""
    axes = np.linalg.eigh(np.cov(positions.T))[1]
    own = positions @ axes
    far = cKDTree(own).query(own * turn)[0] > 6  # inside, no place is as far from a residue
    assert far.mean() > 0.05


def test_seed_decides(positions):
    assert len(positions) == PSEUDO_ATOMS
    assert np.array_equal(ribosome(np.random.default_rng(7)).positions, positions)
