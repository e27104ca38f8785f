"""Coordinates made elsewhere: lists by shard that change only with what they list, and what waits for its own."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from cryopair.config import parse_config
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, read_star
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.session.coordinates import GivenCoordinates
from cryopair.session.plan import shard_file
from cryopair.session.workflow import Session

SHARDS = ["000001", "000002"]
BOX = "10 20 30 30\n"


def name(letter: str) -> str:
    return f"MotionCorr/job002/Movies/{letter}.mrc"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sealed shards, with the micrographs a and b, and c."""
    monkeypatch.chdir(tmp_path)
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]})
    for shard, letters in zip(SHARDS, ("ab", "c"), strict=True):
        table = Table({"rlnMicrographName": [name(one) for one in letters], "rlnOpticsGroup": [1] * len(letters)})
        write_micrographs(shard_file(Path("out"), shard), Micrographs(optics, table))
    Path("Picks").mkdir()


def given() -> GivenCoordinates:
    found = GivenCoordinates(Path("out"), "Picks")
    found.plan(SHARDS)
    return found


def put(letters: Iterable[str], text: str = BOX) -> None:
    for letter in letters:
        Path(f"Picks/{letter}.box").write_text(text)


def contents() -> list[tuple[str, int]]:
    """Return the content of both lists, and when they were written."""
    paths = [Path(f"out/plan/coordinates/{shard}.star") for shard in SHARDS]
    return [(path.read_text(), path.stat().st_mtime_ns) for path in paths]


def test_only_shards_with_coordinates_have_them() -> None:
    assert [given().has(shard) for shard in SHARDS] == [False, False]
    put("b")
    assert [given().has(shard) for shard in SHARDS] == [True, False]
    (table,) = read_star(given().list_of("000001")).values()
    row = table.row(0)
    assert (row["rlnMicrographName"], row["rlnMicrographCoordinates"]) == (name("b"), "Picks/b.box")
    assert row["cryopairImageInTable"] == ""


def test_a_list_changes_only_with_the_coordinates_of_its_shard() -> None:
    put("bc")
    given()
    before = contents()
    Path("Picks/b.box").touch()
    given()
    assert contents() == before
    put("c", BOX * 2)
    given()
    after = contents()
    assert after[0] == before[0]
    assert after[1][0] != before[1][0]
    put("a")
    given()
    assert contents()[0][0] != before[0][0]
    assert contents()[1] == after[1]


def test_coordinates_that_go_are_no_longer_listed() -> None:
    put("c")
    assert given().has("000002")
    Path("Picks/c.box").unlink()
    assert not given().has("000002")


def test_what_waits_is_counted_and_told_what_to_do() -> None:
    put("a")
    Path("Picks/z.box").write_text(BOX)
    seen = [f"out/denoised/Movies/{letter}.mrc" for letter in "abc"]
    for path in seen:
        write_mrc(path, np.zeros((70, 90)), pixel_size=1.5)
    raw = [name(letter) for letter in "abc"]
    denoised = Table({"rlnMicrographName": seen, "cryopairMicrographNameRaw": raw})
    found = given()
    count, lines = found.waiting(SHARDS, denoised)
    text = "\n".join([*found.leftover, *lines])
    assert count == 2
    assert "Picks/z.box: no micrograph has its name" in text
    assert "2 of 3 denoised micrographs wait for your coordinates, the first is out/denoised/Movies/b.mrc." in text
    assert "90 x 70 px, 1.5 Å/px" in text
    assert "such as Movies/b_manualpick.star or b.box" in text
    put("bc")
    assert given().waiting(SHARDS, denoised)[0] == 0


def test_a_session_goes_as_far_as_there_are_coordinates() -> None:
    values = {"source": "a.star", "output": "out", "extraction": {"box": 96}}
    values["picking"] = {"picker": "files", "min_score": -2.5}
    imported = {"files": "Picks", "binning": 3.7, "origin": [4, -8], "flip_y": True}
    session = Session(parse_config(values | {"imported": imported}))
    assert (session.picks, session.extracts, session.merge_options(SHARDS)) == (False, False, "")
    assert "out/coordinates.star" not in session.merged_outputs()
    put("c")
    given()
    session = Session(parse_config(values | {"imported": imported}))
    assert (session.picks, session.extracts, session.picked(SHARDS)) == (True, True, ["000002"])
    assert session.merge_options(SHARDS) == "--picked --extracted --waiting 000001"
    session.models.put_in_force("m-0123abcd", "m", "given")
    inputs = session.merged_inputs(SHARDS)
    assert "out/particles/000002.star" in inputs
    assert "out/particles/000001.star" not in inputs
    assert "out/denoised/m-0123abcd/000001.star" in inputs
    assert session.picking_inputs("000002") == ["out/plan/coordinates/000002.star"]
    assert " ".join(session.picking_command("000002")) == (
        "import-coordinates --from out/plan/coordinates/000002.star --binning 3.7 --min-score -2.5 "
        "--origin 4.0 -8.0 --flip-y --allow-none"
    )
