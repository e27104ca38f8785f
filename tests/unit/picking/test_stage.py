"""The stage pick: one file of picks a micrograph, in pixels of the denoised image."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.coordinates import read_coordinates
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table, read_star
from cryopair.micrographs import Micrographs
from cryopair.picking.blob import pick_blobs
from cryopair.picking.images import Images
from cryopair.picking.pickers import choose_picker
from cryopair.picking.stage import pick_micrographs

DIAMETER, PIXEL_SIZE = 60.0, 2.0
SHAPE = (200, 260)


@pytest.fixture
def picked(tmp_path: Path) -> Micrographs:
    """Pick on three images: of three particles, of none, and not there."""
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]]
    noise = np.random.default_rng(0).normal(0, 0.05, SHAPE)
    places = [(50, 60), (190, 70), (120, 150)]
    discs = sum(1.0 * (np.hypot(column - x, row - y) < 15) for x, y in places)
    write_mrc(tmp_path / "denoised/a.mrc", noise - discs, pixel_size=PIXEL_SIZE)
    write_mrc(tmp_path / "denoised/empty.mrc", np.full(SHAPE, 3.3), pixel_size=PIXEL_SIZE)
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]})
    names = ["a", "empty", "missing"]
    table = Table(
        {
            "rlnMicrographName": [f"MotionCorr/job002/Movies/{name}.mrc" for name in names],
            "rlnOpticsGroup": [1, 1, 1],
            "rlnMicrographNameDenoised": [str(tmp_path / f"denoised/{name}.mrc") for name in names],
        }
    )
    picker = choose_picker("blob", Images.DENOISED, diameter=DIAMETER)
    return pick_micrographs(Micrographs(optics, table), picker, out=tmp_path / "picks")


def test_picks_are_counted_and_say_what_they_were_made_on(picked: Micrographs, tmp_path: Path) -> None:
    assert picked.table["cryopairPickCount"] == ["3", "0"]
    assert picked.table["cryopairPicker"] == ["blob", "blob"]
    assert picked.table["cryopairPicks"] == [
        str(tmp_path / f"picks/Movies/{name}_blob.star") for name in ("a", "empty")
    ]
    for row in picked.table.rows():
        assert list(read_star(row["cryopairPicks"])) == ["", "image"]
        coordinates = read_coordinates(row["cryopairPicks"])
        assert len(coordinates.x) == int(row["cryopairPickCount"])
        assert coordinates.image == row["rlnMicrographNameDenoised"]
        assert (coordinates.shape, coordinates.pixel_size) == (SHAPE, PIXEL_SIZE)


def test_picks_are_the_pickers_best_first(picked: Micrographs) -> None:
    row = picked.table.row(0)
    image = read_mrc(row["rlnMicrographNameDenoised"])
    expected = pick_blobs(image, pixel_size=PIXEL_SIZE, diameter=DIAMETER)
    found = read_coordinates(row["cryopairPicks"])
    for name in ("x", "y", "score"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-6)
    np.testing.assert_allclose(sorted(zip(found.x, found.y, strict=True)), [(50, 60), (120, 150), (190, 70)], atol=2)


def test_a_missing_image_costs_only_itself(picked: Micrographs) -> None:
    assert picked.failed["rlnMicrographName"] == ["MotionCorr/job002/Movies/missing.mrc"]
    assert picked.failed["cryopairStage"] == ["pick"]
