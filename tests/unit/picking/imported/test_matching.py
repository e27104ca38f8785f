"""Folders, patterns, lists and tables: each coordinate file goes to its micrograph, or is reported."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.star import Table, write_star
from cryopair.picking.imported.matching import Source, match_files

NAMES = [f"MotionCorr/job002/{folder}/{name}.mrc" for folder, name in (("A", "x"), ("A", "y"), ("B", "y"), ("B", "z"))]
BOX = "10 20 30 30\n"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(*paths: str, text: str = BOX) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)


def files(where: str) -> dict[str, str]:
    return {
        name.removeprefix("MotionCorr/job002/"): one.file for name, one in match_files(where, NAMES).sources.items()
    }


def test_a_job_of_relion_with_all_that_lies_beside_the_coordinates() -> None:
    put("AutoPick/job006/A/x_autopick.star", "AutoPick/job006/B/y_autopick.star")
    put("AutoPick/job006/job.star", "AutoPick/job006/run.out", "AutoPick/job006/coords_suffix_autopick.star", text="no")
    put("AutoPick/job006/.hidden", "AutoPick/job006/logfile.pdf", text="no")
    coordinates = "rlnMicrographCoordinates"
    listed = {"rlnMicrographName": [NAMES[0]], coordinates: ["AutoPick/job006/A/x_autopick.star"]}
    write_star("AutoPick/job006/autopick.star", {"coordinate_files": Table(listed)})
    expected = {"A/x.mrc": "AutoPick/job006/A/x_autopick.star", "B/y.mrc": "AutoPick/job006/B/y_autopick.star"}
    assert files("AutoPick/job006") == expected
    assert match_files("AutoPick/job006", NAMES).lines() == []
    assert files("AutoPick/job006/autopick.star") == {"A/x.mrc": expected["A/x.mrc"]}
    assert files("AutoPick/job006/coords_suffix_autopick.star") == expected


def test_the_stars_end_of_a_pattern_is_no_part_of_the_name() -> None:
    put("P/x_mine.star", "P/z_mine.star", "P/z_yours.star")
    assert files("P/*_mine.star") == {"A/x.mrc": "P/x_mine.star", "B/z.mrc": "P/z_mine.star"}
    assert files(f"{Path.cwd()}/P/*_mine.star") == {"A/x.mrc": f"{Path.cwd()}/P/x_mine.star"} | {
        "B/z.mrc": f"{Path.cwd()}/P/z_mine.star"
    }


def test_what_is_ambiguous_is_not_used_but_named() -> None:
    put("P/CBOX/x.cbox", "P/EMAN/x.box", "P/y.box", "P/B/z.box")
    matches = match_files("P", NAMES)
    assert list(matches.sources) == [NAMES[3]]
    text = "\n".join(matches.lines())
    assert "2 of the coordinate files or their entries are ambiguous and are not used:" in text
    assert f"{NAMES[0]}: has 2 coordinate files (P/CBOX/x.cbox, P/EMAN/x.box)" in text
    assert f"P/y.box: 'P/y.box' may be any of {NAMES[1]}, {NAMES[2]}" in text


def test_what_belongs_to_no_micrograph_is_named_with_the_reason() -> None:
    put("P/x.box", "P/q.box")
    put("P/readme.txt", text="Picked on a rainy day.\n")
    put("P/r.txt", text="image_name\tx_coord\ty_coord\ns\t1\t2\ns\t3\t4\nz\t5\t6\n")
    matches = match_files("P", NAMES)
    assert list(matches.sources) == [NAMES[0], NAMES[3]]
    assert matches.unmatched[0] == "P/q.box: no micrograph has its name"
    assert matches.unmatched[1] == "P/r.txt: has 2 particles on 's'"
    assert matches.unmatched[2].startswith(
        "P/readme.txt: is no coordinate file; it begins with 'Picked on a rainy day.'"
    )


def test_a_table_of_many_micrographs_changes_only_for_those_it_changes_for() -> None:
    table = "image_name\tx_coord\ty_coord\tscore\nx\t1\t2\t3\nz\t5\t6\t7\n"
    put("t.txt", text=table)
    before = match_files("t.txt", NAMES).sources
    assert [(one.file, one.image) for one in before.values()] == [("t.txt", "x"), ("t.txt", "z")]
    put("t.txt", text=table + "z\t8\t9\t1\n")
    after = match_files("t.txt", NAMES).sources
    assert after[NAMES[0]] == before[NAMES[0]]
    assert after[NAMES[3]].fingerprint != before[NAMES[3]].fingerprint


def test_a_list_says_which_image_of_a_table_is_meant() -> None:
    row = {"rlnMicrographName": [NAMES[2]], "rlnMicrographCoordinates": ["t.txt"], "cryopairImageInTable": ["other"]}
    write_star("list.star", {"coordinate_files": Table(row)})
    put("t.txt")
    (source,) = match_files("list.star", NAMES).sources.values()
    assert (source.file, source.image) == ("t.txt", "other")


def test_particles_of_cryosparc_by_the_names_it_gives_to_micrographs() -> None:
    paths = [b">J14/motioncorrected/008578565574161745010_x_patch_aligned_doseweighted.mrc", b"J14/imported/z.mrc"]
    columns = [("location/micrograph_path", "S90"), ("location/micrograph_shape", "<u4", (2,))]
    columns += [(f"location/center_{axis}_frac", "<f4") for axis in "xy"]
    table = np.array([(path, (70, 90), 0.5, 0.25) for path in paths], dtype=columns)
    with Path("p.cs").open("wb") as stream:
        np.save(stream, table)
    assert files("p.cs") == {"A/x.mrc": "p.cs", "B/z.mrc": "p.cs"}


def test_nothing_there_is_nothing_found() -> None:
    assert match_files("P/*.star", NAMES).sources == {}
    assert match_files("no/such/folder", NAMES).lines() == []


def test_the_same_file_under_two_names_is_one() -> None:
    put("P/x.box")
    Path("P/A").mkdir()
    Path("P/A/x.box").symlink_to("../x.box")
    assert match_files("P", NAMES).sources == {
        NAMES[0]: Source("P/A/x.box", "", match_files("P/x.box", NAMES).sources[NAMES[0]].fingerprint)
    }
