"""Coordinates for other programs: what was written is read back as it was."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.cli import main
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.coordinates import NO_SCORE, Places, read_places
from cryopair.formats.coordinates.writing import write_boxes, write_csv, write_topaz_table
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.particles.export import export_coordinates
from cryopair.particles.handoff import write_coordinate_files

PLACE = st.tuples(*[st.integers(-50_00, 8000_00).map(lambda value: value / 100)] * 2, st.integers(-99, 99))


@settings(deadline=None, max_examples=20)
@given(places=st.lists(PLACE, min_size=1, max_size=5), scored=st.booleans())
def test_any_places_come_back_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[float, float, int]], scored: bool
) -> None:
    folder = tmp_path_factory.mktemp("places")
    x, y, score = np.array(places, dtype=np.float64).T
    written = Places("Movies/a b.mrc", x, y, score if scored else np.full(len(x), NO_SCORE))
    write_boxes(folder / "a.box", written, box=90)
    write_topaz_table(folder / "a.txt", [written])
    write_csv(folder / "a.csv", [written])
    for name, image in (("a.box", ""), ("a.txt", "a b"), ("a.csv", "Movies/a b.mrc")):
        (found,) = read_places(folder / name)
        assert found.image == image
        np.testing.assert_allclose(np.stack([found.x, found.y]), np.stack([x, y]), atol=1e-9)
        np.testing.assert_array_equal(found.score, written.score)


def test_a_box_reaches_from_its_corner_as_relion_cuts_it(tmp_path: Path) -> None:
    write_boxes(tmp_path / "a.box", Places("", np.array([100.0]), np.array([20.0]), np.array([0.5])), box=32)
    assert (tmp_path / "a.box").read_text() == "84\t4\t32\t32\t0.5\n"
    with pytest.raises(UsageError, match="33 px wide; expected an even number"):
        write_boxes(tmp_path / "a.box", Places("", np.zeros(0), np.zeros(0), np.zeros(0)), box=33)


@pytest.fixture
def coordinates(make_micrographs: Callable[..., Micrographs]) -> Micrographs:
    micrographs = make_micrographs({"a": [(10, 20), (30, 40)], "b": [(50, 60)], "c": []})
    write_coordinate_files("coordinates.star", micrographs)
    write_micrographs("handoff.star", micrographs)
    return micrographs


@pytest.mark.parametrize("star", ["coordinates.star", "handoff.star"])
def test_all_micrographs_of_a_session(coordinates: Micrographs, star: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-coordinates", star, "--format", "box", "--box", "8", "--out", "boxes"]) == 0
    assert "3 particles in boxes/Movies/a.box and 2 more" in capsys.readouterr().out
    assert Path("boxes/Movies/a.box").read_text() == "6\t16\t8\t8\t1\n26\t36\t8\t8\t0\n"
    assert Path("boxes/Movies/c.box").read_text() == ""
    whole = coordinates.table["rlnMicrographName"][:2]
    for name, images in (("topaz", ["a", "b"]), ("csv", whole), ("cryosparc", whole)):
        (path,) = export_coordinates(star, out=Path("tables"), as_format=name)[1]
        found = read_places(path)
        assert [places.image for places in found] == images
        assert [places.x.tolist() for places in found] == [[10, 30], [50]]
        assert [places.y.tolist() for places in found] == [[20, 40], [60]]
        assert [places.score.tolist() for places in found] == [[1, 0], [1]]


def test_what_cannot_be_exported_is_explained(coordinates: Micrographs) -> None:
    with pytest.raises(UsageError, match="Boxes have a size: give --box"):
        export_coordinates("coordinates.star", out=Path("boxes"), as_format="box")
    with pytest.raises(BadFileError, match="lists no coordinate files"):
        export_coordinates("coordinates/a_log.star", out=Path("boxes"), as_format="csv")
    one = Places("A/a.mrc", np.zeros(1), np.zeros(1), np.zeros(1))
    with pytest.raises(UsageError, match=r"B/a\.mrc and A/a\.mrc are both 'a'"):
        write_topaz_table("a.txt", [one, Places("B/a.mrc", one.x, one.y, one.score)])
