import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from cryopair.simulate.ribosome import DIAMETER, NUCLEOTIDES, RESIDUES, ribosome
from cryopair.simulate.specimen import CLOSEST_RESIDUES


@pytest.fixture(scope="module")
def positions() -> np.ndarray:
    return ribosome(np.random.default_rng(7)).positions


def test_mass_and_size_of_a_70s_ribosome(positions):
    assert len(positions) == 3 * NUCLEOTIDES + RESIDUES
    assert pytest.approx(2.3e6, rel=0.03) == NUCLEOTIDES * 322 + RESIDUES * 110
    outermost = positions[np.argsort(np.linalg.norm(positions, axis=1))[-3000:]]
    assert pdist(outermost).max() == pytest.approx(DIAMETER, abs=8)
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-9)
    assert np.sqrt((positions**2).sum(axis=1).mean()) == pytest.approx(84, abs=4)  # radius of gyration


def test_residues_do_not_clash(positions):
    assert cKDTree(positions).query(positions, k=2)[0][:, 1].min() >= CLOSEST_RESIDUES


def test_rna_is_packed_in_touching_helices(positions):
    deep = positions[: 3 * NUCLEOTIDES]
    deep = deep[np.linalg.norm(deep - [45, 0, 0], axis=1) < 30]
    density = cKDTree(positions).query_ball_point(deep, 22.0, return_length=True).mean() / (4 / 3 * np.pi * 22**3)
    assert density == pytest.approx(6 / 2.81 / (np.sqrt(0.75) * 22**2), rel=0.1)  # six a base pair, every 2.81 Å


def test_protein_is_packed_as_densely_as_protein_is(positions):
    protein = cKDTree(positions[3 * NUCLEOTIDES :])
    neighbours = protein.query_ball_point(protein.data, 10.0, return_length=True)
    deep = np.quantile(neighbours, 0.9)  # most residues are near the surface of a globule
    assert deep == pytest.approx(4 / 3 * np.pi * 10**3 / 133, rel=0.15)


def test_helices_and_globules_show_where_a_solid_body_would_not(positions):
    """Power at 1/17 to 1/10 Å⁻¹ beside that of as many independent atoms; of a solid packed evenly it is 0.25."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(60, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    waves = (directions[:, None] / np.array([17.0, 15.0, 12.0, 10.0])[:, None]).reshape(-1, 3)
    power = np.mean(np.abs(np.exp(-2j * np.pi * positions @ waves.T).sum(axis=0)) ** 2)
    assert power / len(positions) > 0.45


@pytest.mark.parametrize("turn", [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])
def test_no_turn_or_mirror_about_its_axes_leaves_it_as_it_is(positions, turn):
    """More than one in twenty residues would then be where there is nothing."""
    axes = np.linalg.eigh(np.cov(positions.T))[1]
    own = positions @ axes
    far = cKDTree(own).query(own * turn)[0] > 6  # inside, no place is as far from a residue
    assert far.mean() > 0.05


def test_seed_decides(positions):
    assert np.array_equal(ribosome(np.random.default_rng(7)).positions, positions)
