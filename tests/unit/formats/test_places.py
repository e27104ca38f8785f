"""Coordinate files of other programs: what each says, down to the pixel; real ones; and what is none."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.errors import BadFileError
from cryopair.formats.coordinates import NO_SCORE, Coordinates, Places, read_places, write_coordinates

SHARED = Path(__file__).parents[4] / "shared" / "data"

STAR_30 = """
data_

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnAutopickFigureOfMerit #3
  100.500000    20.250000     0.624705
    7.000000   300.000000    -0.500000
"""
MANUAL = """
# version 30001

data_

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnClassNumber #3
_rlnAnglePsi #4
_rlnAutopickFigureOfMerit #5
 100.5  20.25         -999   -999.00000   -999.00000
 7 300         -999   -999.00000   -999.00000
"""
CBOX = """
data_global

_cbox_format_version 1.0

data_cryolo

loop_
_CoordinateX #1
_CoordinateY #2
_CoordinateZ #3
_Width #4
_Height #5
_Depth #6
_EstWidth #7
_EstHeight #8
_Confidence #9
_NumBoxes #10
_Angle #11
-9.5 -99.75 <NA> 220.0 240.0 <NA> 232.0 222.0 0.625 <NA> <NA>
-103 180 <NA> 220.0 240.0 <NA> 220.0 218.0 0.125 <NA> <NA>

data_cryolo_include

loop_
_slice_index #1
"""


def read_one(tmp_path: Path, text: str, name: str = "a.txt") -> Places:
    (tmp_path / name).write_text(text)
    (places,) = read_places(tmp_path / name)
    return places


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (STAR_30, [0.624705, -0.5]),
        (MANUAL, [NO_SCORE, NO_SCORE]),
        (CBOX, [0.625, 0.125]),
        ("-9.5\t-99.75\t220\t240\n-103\t180\t220\t240\n", [NO_SCORE, NO_SCORE]),
        ("-9.5 -99.75 220 240 0.75\r\n-103 180 220 240 7.25\r\n", [0.75, 7.25]),
        ("100.5 20.25\n7 300\n", [NO_SCORE, NO_SCORE]),
        ("x_coord\ty_coord\tscore\n100.5\t20.25\t3.5\n7\t300\t-1\n", [3.5, -1]),
        ("score,Y,X\n3.5,20.25,100.5\n\n-1,300,7\n", [3.5, -1]),
        ("x; y\n100.5; 20.25\n7; 300\n", [NO_SCORE, NO_SCORE]),
        ("# made by hand\nx y  score\n100.5  20.25 1\n7 300 2\n", [1, 2]),
    ],
)
@pytest.mark.parametrize("name", ["a.star", "a.box", "a.csv", "a"])  # what it is, the content says
def test_every_format_gives_the_same_centres(tmp_path: Path, text: str, score: list[float], name: str) -> None:
    places = read_one(tmp_path, text, name)
    assert (places.x.tolist(), places.y.tolist()) == ([100.5, 7], [20.25, 300])
    assert places.score.tolist() == score
    assert (places.image, places.shape, places.pixel_size) == ("", None, None)


def test_a_box_is_centred_where_relion_centres_it(tmp_path: Path) -> None:
    """RELION cuts ``x0 .. x0 + 179`` for a box of 180 around ``x0 + 90``, which it counts as the centre."""
    places = read_one(tmp_path, "2889 3885 180 180 0.6598718762397766\n")
    assert (places.x.tolist(), places.y.tolist()) == ([2979], [3975])


def test_one_table_of_many_micrographs(tmp_path: Path) -> None:
    (tmp_path / "topaz.txt").write_text(
        "image_name\tx_coord\ty_coord\tscore\ndata_1\t1\t2\t3\nb\t4\t5\t6\ndata_1\t7\t8\t9\n"
    )
    first, second = read_places(tmp_path / "topaz.txt")
    assert (first.image, first.x.tolist(), first.y.tolist(), first.score.tolist()) == ("data_1", [1, 7], [2, 8], [3, 9])
    assert (second.image, second.x.tolist(), second.score.tolist()) == ("b", [4], [6])


def test_particles_of_relion_by_micrograph(tmp_path: Path) -> None:
    (tmp_path / "particles.star").write_text(
        "data_optics\nloop_\n_rlnOpticsGroup #1\n1\n\ndata_particles\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n"
        "_rlnMicrographName #3\n1 2 MotionCorr/job002/a.mrc\n3 4 MotionCorr/job002/b.mrc\n"
    )
    first, second = read_places(tmp_path / "particles.star")
    assert (first.image, first.x.tolist()) == ("MotionCorr/job002/a.mrc", [1])
    assert (second.image, second.y.tolist()) == ("MotionCorr/job002/b.mrc", [4])


def test_our_own_picks_say_what_they_were_made_on(tmp_path: Path) -> None:
    one = np.array([1.25])
    write_coordinates(tmp_path / "a_log.star", Coordinates(one, one + 1, one + 2, "denoised/a.mrc", (70, 90), 2.7))
    (places,) = read_places(tmp_path / "a_log.star")
    assert (places.image, places.shape, places.pixel_size) == ("", (70, 90), 2.7)
    assert (places.x.tolist(), places.y.tolist(), places.score.tolist()) == ([1.25], [2.25], [3.25])


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "x,y\n", "data_\n\n", "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n"]
)
def test_no_particles_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)
    assert sum(map(len, read_places(tmp_path / "a"))) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Select/job005/micrographs_selected.star\n", "is no coordinate file; it begins with 'Select/job005"),
        ("1 2 3\n", "three numbers in each line"),
        ("1 2 0 0\n", "boxes without a size"),
        ("1 2 30 30 -1\n4 5 30 30 -2\n", "has filaments"),
        ("1 2 30 30\n4 5\n", "has 2 numbers in line 2 and 4 in the first"),
        ("1 2 30 30\nend\n", "line 2 is 'end'; expected numbers"),
        ("1 nan\n", "is no coordinate file"),
        ("x,y\n1,two\n", "has 'two' as y in line 2; expected a number"),
        ("x,y\n1\n", "has 1 values in line 2; expected 2: x,y"),
        ("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 inf\n", "has 'inf' in row 1 of _rlnCoordinateY"),
        ("data_micrographs\nloop_\n_rlnMicrographName\na.mrc\n", "has no coordinates .*_rlnMicrographName"),
        ("data_coordinate_files\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\na b\n", "is a list of"),
        ("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1\n", "is not a STAR file"),
        (CBOX.replace("<NA> 220", "17 220"), "has boxes of a tomogram"),
        (CBOX.replace("_Confidence", "_Sureness"), "lacks _Confidence"),
    ],
)
def test_foreign_and_damaged_files_are_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(BadFileError, match=rf"a: .*{message}"):
        read_places(tmp_path / "a")


def test_images_and_missing_files_are_no_coordinates(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(b"\xff\xfe\x00\x81" * 300)
    with pytest.raises(BadFileError, match="holds bytes that are no text; expected RELION STAR, EMAN"):
        read_places(tmp_path / "a.mrc")
    with pytest.raises(BadFileError, match="no such file"):
        read_places(tmp_path / "b.star")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real coordinate files are not beside this checkout")
def test_all_files_of_a_real_job_load() -> None:
    files = [*SHARED.glob("relion31-tutorial/AutoPick/*/Movies/*.star"), *SHARED.glob("apoferritin-10146/*_picks.star")]
    assert len(files) == 13
    assert sum(len(places) for file in files for places in read_places(file)) == 242 + 229 + 229 + 221 + 237 + 1312
    (topaz,) = SHARED.glob("coordinates/topaz_EMPIAR-10025_*.txt")
    assert sum(map(len, read_places(topaz))) == 399


REAL = [  # file, images, and of the first: particles, smallest and largest x, y and score
    ("coordinates/TcdA1-0010_frames.box", 1, 87, (124, 4015.5), (128, 3874.5), (NO_SCORE, NO_SCORE)),
    ("coordinates/TcdA1-0018_frames_sum.cbox", 1, 120, (137.485, 3923.679), (150.577, 3984.456), (0.1209, 0.9476)),
    ("coordinates/TcdA1-0019_frames_sum.cbox", 1, 129, (114.595, 3936.734), (157.846, 3978.842), (0.1018, 0.9511)),
    ("coordinates/repic_crYOLO_*.box", 1, 719, (96, 3951), (134, 3975), (0.3042, 0.8877)),
    ("coordinates/repic_topaz_*.box", 1, 789, (28, 4052), (24, 4064), (0.0107, 7.1822)),
    ("coordinates/topaz_EMPIAR-10025_*.txt", 8, 50, (1091, 6934), (766, 7180), (NO_SCORE, NO_SCORE)),
    ("micrograph/Ucsf_stack_1142_DW_autopick.star", 1, 45, (19.979, 929.031), (19.979, 889.073), (0.0893, 0.6247)),
    ("relion31-tutorial/ManualPick/*/Movies/*.star", 1, 3, (1424, 2332), (1572, 1928), (NO_SCORE, NO_SCORE)),
    (
        "relion31-tutorial/AutoPick/*/Movies/*21_*.star",
        1,
        242,
        (79.018, 3612.235),
        (112.882, 3747.694),
        (0.0299, 0.1631),
    ),
    ("relion4-testdata/*_autopick.star", 1, 195, (79.018, 3612.235), (79.018, 3713.829), (0.0256, 0.1727)),
    ("relion4-testdata/particles_1k.star", 22, 69, (126, 2587), (93, 1783), (NO_SCORE, NO_SCORE)),
    ("cryosparc/relion5.star", 2, 11, (181, 1736), (228, 1944), (8.504, 39.4717)),
    ("apoferritin-10146/May08_03.05.02_picks.star", 1, 149, (28, 1230), (32, 1184), (NO_SCORE, NO_SCORE)),
]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real coordinate files are not beside this checkout")
@pytest.mark.parametrize(("pattern", "images", "count", "x", "y", "score"), REAL, ids=[case[0] for case in REAL])
def test_real_files(
    pattern: str,
    images: int,
    count: int,
    x: tuple[float, float],
    y: tuple[float, float],
    score: tuple[float, float],
) -> None:
    (path,) = SHARED.glob(pattern)
    found = read_places(path)
    assert (len(found), len(found[0])) == (images, count)
    for values, extremes in ((found[0].x, x), (found[0].y, y), (found[0].score, score)):
        np.testing.assert_allclose((values.min(), values.max()), extremes, atol=6e-4)
