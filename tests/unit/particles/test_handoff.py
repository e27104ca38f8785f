"""Picks on denoised images become whole pixels of the raw micrographs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.errors import BadFileError
from cryopair.formats.coordinates import Coordinates, write_coordinates
from cryopair.formats.star import read_star
from cryopair.micrographs import Micrographs
from cryopair.particles.handoff import LOSSES, hand_off, to_raw, write_coordinate_files, write_coords_suffix

ROW = {"rlnMicrographName": "MotionCorr/job002/a.mrc", "cryopairPicks": "picks/a_log.star"}


def picks_at(
    x: list[float], y: list[float], *, shape: tuple[int, int], pixel_size: float, score: list[float] | None = None
) -> Coordinates:
    score = [1.0] * len(x) if score is None else score
    return Coordinates(np.array(x), np.array(y), np.array(score), "denoised/a.mrc", shape, pixel_size)


@settings(deadline=None, max_examples=100)
@given(
    ratio=st.floats(0.25, 6),
    pixel_size=st.floats(0.4, 3),
    places=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
)
def test_scaling_there_and_back_ends_within_half_a_raw_pixel(
    ratio: float, pixel_size: float, places: list[tuple[float, float]]
) -> None:
    picked = (230, 310)
    raw = tuple(2 * int(side * ratio / 2) for side in picked)
    x, y = (np.array(places) * [picked[1] - 1, picked[0] - 1]).T
    picks = picks_at(list(x), list(y), shape=picked, pixel_size=ratio * pixel_size)
    raw_x, raw_y = to_raw(picks, ROW, shape=raw, pixel_size=pixel_size)
    assert np.array_equal(raw_x, raw_x.astype(int))
    assert np.array_equal(raw_y, raw_y.astype(int))
    assert np.abs(raw_x / ratio - x).max() <= 0.5 / ratio + 1e-9
    assert np.abs(raw_y / ratio - y).max() <= 0.5 / ratio + 1e-9


def test_rounded_to_the_nearest_pixel_with_the_first_pixels_centre_in_common() -> None:
    picks = picks_at([0, 1.24, 1.25, 1.49, 10.6], [0, 0.2, 0.25, 7, 8], shape=(50, 60), pixel_size=2.0)
    x, y = to_raw(picks, ROW, shape=(100, 120), pixel_size=1.0)
    np.testing.assert_array_equal(x, [0, 2, 3, 3, 21])
    np.testing.assert_array_equal(y, [0, 0, 1, 14, 16])


@pytest.mark.parametrize("shape", [(50, 60), (51, 61), (49, 59)])
def test_binned_sizes_may_be_cut_to_even_numbers(shape: tuple[int, int]) -> None:
    to_raw(picks_at([1.0], [1.0], shape=shape, pixel_size=2.0), ROW, shape=(100, 120), pixel_size=1.0)


@pytest.mark.parametrize(("shape", "pixel_size"), [((60, 50), 2.0), ((50, 60), 1.9), ((47, 60), 2.0), ((50, 60), 1.0)])
def test_another_field_of_view_is_refused(shape: tuple[int, int], pixel_size: float) -> None:
    picks = picks_at([1.0], [1.0], shape=shape, pixel_size=pixel_size)
    with pytest.raises(BadFileError) as error:
        to_raw(picks, ROW, shape=(100, 120), pixel_size=1.0)
    message = str(error.value)
    for part in (
        "picks/a_log.star",
        "denoised/a.mrc",
        f"{shape[1]} x {shape[0]} px of {pixel_size:g} Å",
        "120 x 100 px",
    ):
        assert part in message


@pytest.fixture
def handed(make_micrographs: Callable[..., Micrographs]) -> Micrographs:
    """Micrographs of 70 x 91 pixels with picks on images binned twice; those of the last are of another size."""
    micrographs = make_micrographs({"a": [], "b": [], "c": []})
    shapes = [(35, 45), (35, 45), (30, 45)]
    paths = [f"picks/{name}_log.star" for name in "abc"]
    for path, shape, pixel_size in zip(paths, shapes, (2.7, 2.8, 2.7), strict=True):
        x, y = [10.3, 45.4, -0.2, 20.0, -0.6], [5.0, 34.0, 0.1, 34.9, 3.0]
        score = [5.0, 4.0, 3.0, 2.0, 1.0]
        write_coordinates(path, picks_at(x, y, shape=shape, pixel_size=pixel_size, score=score))
    micrographs.table["cryopairPicks"] = paths
    micrographs.table["cryopairPicker"] = ["log"] * 3
    return hand_off(micrographs, out=Path("handoff"))


def test_picks_outside_are_counted_and_dropped(handed: Micrographs) -> None:
    assert handed.table["cryopairPicksOutside"] == ["3", "3"]
    assert handed.table["rlnMicrographCoordinates"] == ["handoff/Movies/a_log.star", "handoff/Movies/b_log.star"]
    for path in handed.table["rlnMicrographCoordinates"]:
        (table,) = read_star(path).values()
        np.testing.assert_array_equal(table.floats("rlnCoordinateX"), [21, 0])
        np.testing.assert_array_equal(table.floats("rlnCoordinateY"), [10, 0])
        np.testing.assert_array_equal(table.floats("rlnAutopickFigureOfMerit"), [5, 3])


def test_columns_are_those_of_relions_picker(handed: Micrographs) -> None:
    (table,) = read_star(handed.table["rlnMicrographCoordinates"][0]).values()
    coordinates = ["rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"]
    assert table.labels == [*coordinates, "rlnClassNumber", "rlnAnglePsi"]


def test_another_field_of_view_costs_only_its_micrograph(handed: Micrographs) -> None:
    assert handed.failed["rlnMicrographName"] == ["MotionCorr/job002/Movies/c.mrc"]
    assert handed.failed["cryopairStage"] == ["handoff"]
    assert "same field of view" in handed.failed["cryopairReason"][0]


def test_relion_4_gets_a_table_keyed_by_the_raw_micrographs(handed: Micrographs) -> None:
    write_coordinate_files("handoff/picks.star", handed)
    blocks = read_star("handoff/picks.star")
    assert list(blocks) == ["coordinate_files"]
    assert list(blocks["coordinate_files"].rows()) == [
        {
            "rlnMicrographName": f"MotionCorr/job002/Movies/{n}.mrc",
            "rlnMicrographCoordinates": f"handoff/Movies/{n}_log.star",
        }
        for n in "ab"
    ]


def test_relion_3_gets_a_file_whose_name_is_the_suffix(handed: Micrographs) -> None:
    Path("handoff/coords_suffix_other.star").touch()  # of a picker that worked here before
    path = write_coords_suffix("handoff", "handoff/micrographs.star", picker="log")
    assert list(Path("handoff").glob("coords_suffix*")) == [path]
    assert path == Path("handoff/coords_suffix_log.star")
    assert path.read_text() == "handoff/micrographs.star\n"
    suffix = path.name.removeprefix("coords_suffix")
    for row in handed.table.rows():
        below_job = row["rlnMicrographName"].removeprefix("MotionCorr/job002/").removesuffix(".mrc")
        assert row["rlnMicrographCoordinates"] == f"handoff/{below_job}{suffix}"


def test_picks_near_edges_and_each_other_are_counted_by_their_reason(
    make_micrographs: Callable[..., Micrographs],
) -> None:
    micrographs = make_micrographs({"a": []})
    x, y = [30.0, 33.0, 45.0, 9.4, 60.0, 200.0, 30.0], [30.0, 30.0, 30.0, 30.0, 61.0, 30.0, 30.0]
    score = [1.0, 2.0, 3.0, 9.0, 9.0, 9.0, 1.0]
    write_coordinates("picks/a.star", picks_at(x, y, shape=(70, 91), pixel_size=1.35, score=score))
    micrographs.table["cryopairPicker"], micrographs.table["cryopairPicks"] = ["imported"], ["picks/a.star"]
    row = hand_off(micrographs, out=Path("all")).table.row(0)
    assert [row[label] for label in LOSSES] == ["1", "0", "1"]
    row = hand_off(micrographs, out=Path("some"), edge_margin=13.5, min_distance=4.1).table.row(0)
    assert [row[label] for label in LOSSES] == ["1", "2", "2"]
    (table,) = read_star(row["rlnMicrographCoordinates"]).values()
    np.testing.assert_array_equal(table.floats("rlnCoordinateX"), [33, 45])
