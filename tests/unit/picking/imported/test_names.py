"""Micrographs are found by name: strictly, and as other programs change names."""

import pytest

from cryopair.picking.imported.names import MicrographNames

NAMES = MicrographNames(
    [
        "MotionCorr/job002/Movies/a.mrc",
        "MotionCorr/job002/Movies/b.mrc",
        "MotionCorr/job002/more/b.mrc",
        "MotionCorr/job002/Movies/a_picks.mrc",
        "MotionCorr/job002/Movies/c.d.mrc",
        "MotionCorr/job002/Movies/grid_1_particles_00.mrc",
    ]
)


@pytest.mark.parametrize(
    ("name", "micrograph"),
    [
        ("AutoPick/job006/Movies/a_autopick.star", "Movies/a.mrc"),
        ("ManualPick/job007/cryopair/denoised/Movies/a_manualpick.star", "Movies/a.mrc"),
        ("elsewhere/CBOX/a.cbox", "Movies/a.mrc"),
        ("a", "Movies/a.mrc"),
        ("MotionCorr/job044/Movies/a.mrc", "Movies/a.mrc"),
        ("a_picks.box", "Movies/a_picks.mrc"),  # what is really called so comes first
        ("a_picks_autopick.star", "Movies/a_picks.mrc"),
        ("Picks/more/b.box", "more/b.mrc"),
        ("Movies/b_topaz.txt", "Movies/b.mrc"),
        ("c.d", "Movies/c.d.mrc"),
        ("c.d.box", "Movies/c.d.mrc"),
        ("J14/motioncorrected/008578565574161745010_a_patch_aligned_doseweighted.mrc", "Movies/a.mrc"),
        ("grid_1_particles_00.star", "Movies/grid_1_particles_00.mrc"),
    ],
)
def test_found(name: str, micrograph: str) -> None:
    assert NAMES.find(name) == [f"MotionCorr/job002/{micrograph}"]


def test_a_name_that_two_share_means_both() -> None:
    both = ["MotionCorr/job002/Movies/b.mrc", "MotionCorr/job002/more/b.mrc"]
    assert NAMES.find("b.box") == both
    assert NAMES.find("Picks/b_autopick.star") == both


@pytest.mark.parametrize("name", ["aa.star", "a_mine.star", "Movies/", "xa_autopick.star", "a_DW.box", "1_a.box", ""])
def test_like_is_not_equal(name: str) -> None:
    assert NAMES.find(name) == []


def test_an_ending_that_is_told_goes() -> None:
    assert NAMES.find("Picks/a_mine.star", ending="_mine.star") == ["MotionCorr/job002/Movies/a.mrc"]
