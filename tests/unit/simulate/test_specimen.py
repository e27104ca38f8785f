import numpy as np
import pytest
from scipy.spatial import cKDTree

from cryopair.simulate.optics import frequencies
from cryopair.simulate.proteasome import DIAMETER, proteasome
from cryopair.simulate.specimen import (
    RESIDUE_SIGMA,
    Specimen,
    add_projection,
    displaced_ice,
    residue_phase,
    rotation_matrix,
)


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    return proteasome(np.random.default_rng(7))


def about_z(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def worst_mismatch(moved, positions):
    return cKDTree(positions).query(moved)[0].max()


def test_symmetry_is_d7_and_no_other(specimen):
    positions = specimen.positions
    assert worst_mismatch(positions @ about_z(360 / 7).T, positions) < 1e-9
    assert worst_mismatch(positions * [1, -1, -1], positions) < 1e-9
    assert worst_mismatch(positions @ about_z(360 / 14).T, positions) > 3
    assert worst_mismatch(positions * [1, 1, -1], positions) > 3  # a mirror would make it achiral


def test_size_of_a_20s_proteasome(specimen):
    x, y, z = specimen.positions.T
    assert len(x) == 28 * 232
    assert 2 * np.hypot(x, y).max() == pytest.approx(115, abs=8)
    assert np.ptp(z) == pytest.approx(DIAMETER, abs=5)


def test_phase_of_a_residue_from_scattering_theory():
    # phase = λ · relativistic mass ratio · f(0): 0.01969 Å · 1.587 · (22.5 - 133 / 32.2 · 3.04) Å
    assert residue_phase(300) == pytest.approx(0.01969 * 1.587 * 9.944, rel=2e-3)


def test_a_residue_in_ice_is_a_gaussian_less_a_wider_one():
    """22.5 Å of scattering within 1.6 Å, less the 133 / 32.2 · 3.04 Å of the ice in its volume, within 2.04 Å."""
    image = np.zeros((64, 64), np.float32)
    residue = Specimen(np.zeros((1, 3)))
    add_projection(image, residue, rotation=np.eye(3), centre=(32, 32), pixel_size=0.8, weight=9.944)
    in_ice = np.fft.irfft2(np.fft.rfft2(image) * displaced_ice(*frequencies(image.shape, 0.8)))
    radius2 = (0.8 * np.hypot(*(np.mgrid[:64, :64] - 32))) ** 2
    expected = sum(
        scattering / (2 * np.pi * sigma**2) * np.exp(-0.5 * radius2 / sigma**2)
        for scattering, sigma in ((22.5, 1.6), (-133 / 32.2 * 3.04, 133 ** (1 / 3) / np.sqrt(2 * np.pi)))
    )
    assert in_ice.sum() * 0.8**2 == pytest.approx(9.944, rel=1e-3)
    np.testing.assert_allclose(in_ice, expected, atol=2e-3 * expected.max())
    assert expected.min() < -1e-2 * expected.max()  # around it there is less than ice


@pytest.mark.parametrize("angles", [(0, 0, 0), (10, 90, 35), (-120, 140, 15)])
def test_projection_conserves_mass(specimen, angles):
    image = np.zeros((128, 128), np.float32)
    add_projection(image, specimen, rotation=rotation_matrix(*angles), centre=(63.3, 64.8), pixel_size=2.0, weight=0.31)
    assert image.sum() * 2.0**2 == pytest.approx(0.31 * len(specimen.positions), rel=1e-3)


def test_projection_slice_theorem(specimen):
    """The spectrum of a projection is the central slice of the 3D spectrum, known in closed form."""
    size, pixel_size = 160, 1.5
    rotation = rotation_matrix(20, 65, -40)
    image = np.zeros((size, size), np.float32)
    centre = (size // 2, size // 2)
    add_projection(image, specimen, rotation=rotation, centre=centre, pixel_size=pixel_size, weight=1.0)
    spectrum = np.fft.fft2(np.fft.ifftshift(image)) * pixel_size**2
    for row, column in [(0, 3), (5, 0), (-4, 7), (12, -9), (20, 20)]:
        k = np.array([column, row, 0]) / (size * pixel_size)
        structure = np.exp(-2j * np.pi * specimen.positions @ (rotation.T @ k)).sum()
        expected = structure * np.exp(-2 * (np.pi * RESIDUE_SIGMA) ** 2 * (k @ k))
        assert spectrum[row, column] == pytest.approx(expected, abs=2e-3 * len(specimen.positions))


def test_projection_cut_at_the_edge_equals_the_crop_of_a_whole_one(specimen):
    whole = np.zeros((200, 200), np.float32)
    cut = np.zeros((100, 90), np.float32)
    rotation = rotation_matrix(0, 90, 0)
    add_projection(whole, specimen, rotation=rotation, centre=(105, 80), pixel_size=2.0, weight=1.0)
    add_projection(cut, specimen, rotation=rotation, centre=(5, -20), pixel_size=2.0, weight=1.0)
    assert cut.any()
    np.testing.assert_allclose(cut[:60, :60], whole[100:160, 100:160], atol=1e-6)


def test_side_view_lies_where_psi_turns_it(specimen):
    """A tilt of 90° lays the long axis into the image: along x at psi 0, along y at psi 90, as in RELION."""
    for psi, axis in ((0, 1), (90, 0)):
        image = np.zeros((128, 128), np.float32)
        rotation = rotation_matrix(0, 90, psi)
        add_projection(image, specimen, rotation=rotation, centre=(64, 64), pixel_size=2.0, weight=1.0)
        extents = [np.ptp(np.flatnonzero(image.any(axis=other))) for other in (1, 0)]
        assert extents[axis] > extents[1 - axis] + 10


def test_rotations_follow_relion():
    """rlnAngleTilt and rlnAnglePsi are the polar angles of the view: the matrix brings it onto z."""
    rot, tilt = np.radians([30, 50])
    view = [np.sin(tilt) * np.cos(rot), np.sin(tilt) * np.sin(rot), np.cos(tilt)]
    np.testing.assert_allclose(rotation_matrix(30, 50, 70) @ view, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation_matrix(0, 0, 90) @ [1, 0, 0], [0, -1, 0], atol=1e-12)
