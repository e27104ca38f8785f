"""Files that no program listed: movies, halves and micrographs by their names."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import write_mrc
from cryopair.sources import Kind, kind_of, read_source, summarise


@pytest.fixture(autouse=True)
def _in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def images(*names: str, pixel_size: float = 1.5) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_mrc(name, np.arange(48.0).reshape(6, 8), pixel_size=pixel_size)


def movies(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(name, np.ones((3, 6, 8), np.uint8), photometric="minisblack")


@pytest.mark.parametrize("source", ["Movies", "Movies/*.tif", "**/*.tif"])
def test_movies(source: str) -> None:
    movies("Movies/b.tif", "Movies/a.tif")
    images("Movies/gain.mrc")
    found = read_source(source, output="out")
    assert kind_of(found.table) is Kind.RAW
    assert found.table["rlnMicrographMovieName"] == ["Movies/a.tif", "Movies/b.tif"]
    assert found.table["rlnMicrographName"] == ["out/motion/job001/Movies/a.mrc", "out/motion/job001/Movies/b.mrc"]
    lines = "\n".join(summarise(found).lines())
    assert "2: raw movies" in lines
    assert "3 frames of 8 x 6 px, e.g. Movies/a.tif" in lines


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("MC", "MC/a_{}.mrc"),
        ("MC/*_{EVN,ODD}.mrc", "MC/a_{}.mrc"),
        ("average", "average/{}/a.mrc"),
        ("average/{even,odd}/*.mrc", "average/{}/a.mrc"),
        ("Warp", "Warp/average/{}/a.mrc"),
        ("one{1,2}/x/*.mrc", "one{}/x/a.mrc"),
        ("d?/{e,o}*.mrc", "d7/{}_a.mrc"),
    ],
)
def test_halves_are_matched_by_their_names(source: str, names: str) -> None:
    even, odd = {"M": ("EVN", "ODD"), "a": ("even", "odd"), "W": ("even", "odd"), "o": "12", "d": "eo"}[source[0]]
    images(names.format(even), names.format(odd), names.format(even).replace("a.", "b.").replace("a_", "b_"))
    found = read_source(source, output="out")
    assert kind_of(found.table) is Kind.HALVES
    assert found.table["rlnMicrographNameEven"] == [names.format(even)]  # the other has no odd half yet
    assert found.table["rlnMicrographNameOdd"] == [names.format(odd)]
    assert found.table["rlnMicrographName"][0].startswith("out/halves/job001/")
    assert found.optics["rlnMicrographPixelSize"] == ["1.500000"]


@pytest.mark.parametrize(
    ("half", "raw"),
    [
        ("MC/a_EVN.mrc", "MC/a.mrc"),
        ("average/even/a.mrc", "average/a.mrc"),
        ("even/a.mrc", "average/a.mrc"),
    ],
)
def test_the_sum_is_taken_where_programs_put_it(half: str, raw: str) -> None:
    images(half, half.replace("EVN", "ODD").replace("even", "odd"), raw)
    source = half.replace("EVN", "{EVN,ODD}").replace("even", "{even,odd}").replace("a_", "*_").replace("a.m", "*.m")
    assert read_source(source).table["rlnMicrographName"] == [raw]


def test_weighted_twins_are_not_micrographs_of_their_own() -> None:
    halves = [f"MC/a{twin}_{half}.mrc" for twin in ("", "_DW") for half in ("EVN", "ODD")]
    images(*halves, "MC/a.mrc", "MC/a_DW.mrc", "MC/a_DWS.mrc", "MC/a_PS.mrc", "MC/only_DW.mrc")
    assert read_source("MC").table["rlnMicrographName"] == ["MC/a.mrc"]
    assert read_source("MC/*.mrc").table["rlnMicrographName"] == ["MC/a.mrc", "MC/only_DW.mrc"]


def test_no_half_is_paired_with_that_of_another_movie() -> None:
    images("MC/a_EVN.mrc", "MC/b_ODD.mrc")
    with pytest.raises(BadFileError, match=r"1 even and 1 odd halves, and no two of them belong together"):
        read_source("MC")


def test_single_micrographs_and_their_pixel_size() -> None:
    images("mics/a.mrc")
    found = read_source("mics/*.mrc")
    assert kind_of(found.table) is Kind.SINGLE
    assert found.optics["rlnMicrographPixelSize"] == ["1.500000"]
    images("none/a.mrc", pixel_size=0.0)
    with pytest.raises(BadFileError, match=r"does not say its pixel size.*acquisition\.pixel_size"):
        read_source("none/*.mrc")
    assert read_source("none/*.mrc", pixel_size=0.9).optics["rlnMicrographPixelSize"] == ["0.900000"]


def test_micrographs_with_motion_stars_beside_them_are_those_of_a_job() -> None:
    images("J/a.mrc")
    Path("J/a.star").write_text("data_general\n")
    assert read_source("J/*.mrc").table["rlnMicrographMetadata"] == ["J/a.star"]


def test_what_is_not_there_or_lies_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadFileError, match=r"nowhere: no such file or folder; expected the STAR file of a RELION job"):
        read_source("nowhere")
    with pytest.raises(BadFileError, match="no file matches"):
        read_source("*.tif")
    Path("empty").mkdir()
    with pytest.raises(UsageError, match="empty: holds no movies, halves or micrographs"):
        read_source("empty")
    Path("a.txt").write_text("hello")
    with pytest.raises(UsageError, match=r"a\.txt: is no list"):
        read_source("a.txt")
    movies("Movies/a.tif")
    assert read_source(f"{tmp_path}/Movies/*.tif").table["rlnMicrographMovieName"] == ["Movies/a.tif"]
    Path("project").mkdir()
    monkeypatch.chdir("project")
    for pattern in (f"{tmp_path}/Movies/*.tif", "../Movies/*.tif", f"{tmp_path}/Movies", "../Movies"):
        with pytest.raises(UsageError, match=r"lies outside the project.*ln -s"):
            read_source(pattern)


def test_halves_without_the_other_one_are_named() -> None:
    images("MC/a_EVN.mrc", "MC/a_ODD.mrc", "MC/b_EVN.mrc", "MC/c_ODD.mrc", "MC/a_DW_EVN.mrc")
    found = read_source("MC")
    assert len(found.table) == 1
    assert found.failed["cryopairReason"] == [
        "MC/b_EVN.mrc: there is no MC/b_ODD.mrc",
        "MC/c_ODD.mrc: there is no MC/c_EVN.mrc",
    ]
    assert "problem         MC/c_ODD.mrc: there is no MC/c_EVN.mrc" in summarise(found).lines()
    images(*(f"MC/x{number}_EVN.mrc" for number in range(9)))
    assert "problem         and 8 more of this kind" in summarise(read_source("MC")).lines()


def test_two_pairs_of_one_common_name_are_refused() -> None:
    images("MC/a_EVN.mrc", "MC/a_ODD.mrc", "MC/a-EVN.mrc", "MC/a-ODD.mrc")
    with pytest.raises(BadFileError, match=r"names the micrograph .*a twice"):
        read_source("MC/*{EVN,ODD}.mrc")


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("grid[1]", "grid[1]/e_EVN.mrc"),
        ("g[1]/average", "g[1]/average/even/e.mrc"),
        ("r[0-9]/*_{EVN,ODD}.mrc", "r7/e_EVN.mrc"),
        ("r[!0]/*_{EVN,ODD}.mrc", "r^/e_EVN.mrc"),
        ("r[]^[]/*_{EVN,ODD}.mrc", "r^/e_EVN.mrc"),
        ("**/*_{EVN,ODD}.mrc", "x/y/e_EVN.mrc"),
    ],
)
def test_halves_in_folders_and_patterns_with_brackets(source: str, file: str) -> None:
    images(file, file.replace("EVN", "ODD").replace("even", "odd"))
    assert read_source(source).table["rlnMicrographNameEven"] == [file]


def test_a_folder_of_movies_with_brackets_in_its_name() -> None:
    movies("grid[1]/a.tif")
    assert read_source("grid[1]").table["rlnMicrographMovieName"] == ["grid[1]/a.tif"]
