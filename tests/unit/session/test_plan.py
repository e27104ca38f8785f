"""The planner: append-only, idempotent, and quick to see what is new, replaced or back."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cryopair.errors import BadFileError, CryopairError, UsageError
from cryopair.formats.fingerprint import MISSING
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import read_micrographs
from cryopair.motion import Motion, write_motion
from cryopair.session.plan import (
    journal_file,
    new_movies,
    plan,
    sealed_shards,
    shard_file,
    shard_lengths,
    without_replaced,
)
from cryopair.sources import read_source

SOURCE = "MotionCorr/job002/corrected_micrographs.star"
OUT = Path("cryopair")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make a project whose job has `n` micrographs; calling it again lets the job grow."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Movies").mkdir()

    def grow(n: int, **columns: object) -> None:
        names = [f"m{i:03d}" for i in range(n)]
        for name in names:
            if not Path(f"Movies/{name}.tiff").exists():
                Path(f"Movies/{name}.tiff").write_bytes(name.encode())
                motion = Motion(
                    movie=f"Movies/{name}.tiff",
                    frames=3,
                    height=8,
                    width=8,
                    pixel_size=1,
                    dose_per_frame=1,
                    voltage=300,
                    global_shifts=np.zeros((3, 2)),
                )
                write_motion(f"MotionCorr/job002/Movies/{name}.star", motion)
        rows = {"rlnMicrographName": [f"MotionCorr/job002/Movies/{name}.mrc" for name in names]}
        optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.0]})
        write_star(SOURCE, {"optics": optics, "micrographs": Table(rows | {"rlnOpticsGroup": [1] * n} | columns)})

    return grow


def contents() -> dict[str, bytes]:
    return {shard: shard_file(OUT, shard).read_bytes() for shard in sealed_shards(OUT)}


def names(shard: str) -> list[str]:
    return [Path(name).stem for name in read_micrographs(shard_file(OUT, shard)).table["rlnMicrographName"]]


def test_all_movies_are_sealed_in_order(project: Callable) -> None:
    project(5)
    result = plan(SOURCE, OUT, shard_size=2)
    assert (result.shards, result.added) == (["000001", "000002", "000003"], 5)
    assert [names(shard) for shard in result.shards] == [["m000", "m001"], ["m002", "m003"], ["m004"]]


def test_planning_again_changes_nothing(project: Callable) -> None:
    project(5)
    plan(SOURCE, OUT, shard_size=2)
    before, journal = contents(), (OUT / "plan/journal.star").read_bytes()
    assert plan(SOURCE, OUT, shard_size=2).added == 0
    assert contents() == before
    assert (OUT / "plan/journal.star").read_bytes() == journal


def test_new_movies_get_new_shards_and_the_old_ones_stay(project: Callable) -> None:
    project(3)
    plan(SOURCE, OUT, shard_size=2)
    before = contents()
    project(4)
    assert new_movies(read_source(SOURCE), OUT) == 1
    assert plan(SOURCE, OUT, shard_size=2).shards == ["000001", "000002", "000003"]
    assert {shard: contents()[shard] for shard in before} == before
    assert names("000003") == ["m003"]


def test_touching_and_copying_is_no_change(project: Callable) -> None:
    project(3)
    plan(SOURCE, OUT, shard_size=2)
    for path in [*Path("Movies").iterdir(), *Path("MotionCorr/job002/Movies").glob("*.star")]:
        os.utime(path, (1, 1))
    assert plan(SOURCE, OUT, shard_size=2).added == 0


def test_a_replaced_movie_is_taken_in_again(project: Callable) -> None:
    project(3)
    plan(SOURCE, OUT, shard_size=2)
    Path("Movies/m001.tiff").write_bytes(b"another exposure")
    assert plan(SOURCE, OUT, shard_size=2).added == 1
    assert names("000003") == ["m001"]
    assert plan(SOURCE, OUT, shard_size=2).added == 0


def test_a_realigned_movie_is_taken_in_again(project: Callable) -> None:
    project(2)
    plan(SOURCE, OUT, shard_size=2)
    star = Path("MotionCorr/job002/Movies/m000.star")
    star.write_text(star.read_text().replace("0.000000", "0.100000"))
    assert plan(SOURCE, OUT, shard_size=2).added == 1


def test_a_missing_movie_is_planned_and_again_when_it_appears(project: Callable) -> None:
    project(3)
    content = Path("Movies/m002.tiff").read_bytes()
    Path("Movies/m002.tiff").unlink()
    plan(SOURCE, OUT, shard_size=4)
    assert read_micrographs(shard_file(OUT, "000001")).table["cryopairFingerprint"][2] == MISSING
    assert plan(SOURCE, OUT, shard_size=4).added == 0
    Path("Movies/m002.tiff").write_bytes(content)
    assert plan(SOURCE, OUT, shard_size=4).added == 1
    assert names("000002") == ["m002"]


def test_a_crash_between_shard_and_journal_doubles_nothing(project: Callable) -> None:
    project(2)
    plan(SOURCE, OUT, shard_size=1)
    journal = (OUT / "plan/journal.star").read_bytes()
    project(4)
    plan(SOURCE, OUT, shard_size=1)
    before = contents()
    (OUT / "plan/journal.star").write_bytes(journal)
    shard_file(OUT, "000004").unlink()  # as if killed after sealing shard 3 of 4
    assert plan(SOURCE, OUT, shard_size=1).added == 1
    assert contents() == before


def test_two_planners_at_once_make_one_plan(project: Callable) -> None:
    project(12)
    threads = [threading.Thread(target=plan, args=(SOURCE, OUT), kwargs={"shard_size": 5}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(names(shard)) for shard in sealed_shards(OUT)] == [5, 5, 2]


def test_other_columns_are_refused(project: Callable) -> None:
    project(2)
    plan(SOURCE, OUT, shard_size=2)
    project(3, rlnDefocusU=[10000.0] * 3)
    with pytest.raises(UsageError, match=r"has other columns .*\(rlnDefocusU\)"):
        plan(SOURCE, OUT, shard_size=2)


def test_a_missing_source_is_named(project: Callable) -> None:
    with pytest.raises(BadFileError, match=r"corrected_micrographs\.star: no such file"):
        plan(SOURCE, OUT, shard_size=2)


@pytest.fixture
def halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write images into ``MC``."""
    monkeypatch.chdir(tmp_path)

    def add(*files: str, value: float = 1.0, pixel_size: float = 1.5) -> None:
        for file in files:
            write_mrc(f"MC/{file}.mrc", np.full((4, 4), value), pixel_size=pixel_size)

    return add


def test_a_sum_that_comes_after_its_halves_is_no_new_movie(halves: Callable) -> None:
    halves("a_EVN", "a_ODD")
    assert plan("MC", OUT, shard_size=2).added == 1
    halves("a", "b", "b_EVN", "b_ODD")
    assert plan("MC", OUT, shard_size=2).added == 1
    assert (names("000001"), names("000002")) == (["a"], ["b"])
    assert not plan("MC", OUT, shard_size=2).added


def test_half_or_sum_replaced_is_taken_in_again_under_its_name(halves: Callable) -> None:
    halves("a_EVN", "a_ODD", "b", "b_EVN", "b_ODD")
    plan("MC", OUT, shard_size=2)
    halves("a", value=3)
    assert not plan("MC", OUT, shard_size=2).added  # our own sum is the micrograph
    for file, name in (("a_ODD", "cryopair/halves/job001/MC/a.mrc"), ("b_EVN", "MC/b.mrc"), ("b", "MC/b.mrc")):
        halves(file, value=2)
        added = plan("MC", OUT, shard_size=2)
        assert added.added == 1
        assert read_micrographs(shard_file(OUT, added.shards[-1])).table["rlnMicrographName"] == [name]


def test_crash_after_halves_were_sealed(halves: Callable) -> None:
    halves("a_EVN", "a_ODD")
    plan("MC", OUT, shard_size=2)
    (OUT / "plan/journal.star").unlink()
    halves("a")
    assert not plan("MC", OUT, shard_size=2).added


def test_journal_from_before_halves_were_known_by_their_even_one(project: Callable) -> None:
    project(3)
    plan(SOURCE, OUT, shard_size=2)
    path = OUT / "plan/journal.star"
    write_star(path, {"movies": read_star(path)["movies"].without("rlnMicrographNameEven")})
    assert not plan(SOURCE, OUT, shard_size=2).added
    project(4)
    assert plan(SOURCE, OUT, shard_size=2).added == 1


def test_another_pixel_size_is_refused_before_anything_is_sealed(halves: Callable) -> None:
    halves("a", pixel_size=0)
    plan("MC", OUT, shard_size=2, pixel_size=1.0)
    halves("b", pixel_size=0)
    with pytest.raises(CryopairError, match=r"optics group 1 changed while movies came in \(rlnMicrographPixelSize\)"):
        plan("MC", OUT, shard_size=2, pixel_size=2.0)
    assert sealed_shards(OUT) == ["000001"]
    assert plan("MC", OUT, shard_size=2, pixel_size=1.0).added == 1


def test_no_two_shards_work_on_a_movie_that_was_replaced(project: Callable) -> None:
    project(3)
    plan(SOURCE, OUT, shard_size=2)
    Path("Movies/m001.tiff").write_bytes(b"another exposure")
    plan(SOURCE, OUT, shard_size=2)
    left = {}
    for shard in sealed_shards(OUT):
        micrographs = read_micrographs(shard_file(OUT, shard))
        current = without_replaced(micrographs, journal_file(OUT), shard=shard)
        left[shard] = [Path(name).stem for name in current.table["rlnMicrographName"]]
    assert left == {"000001": ["m000"], "000002": ["m002"], "000003": ["m001"]}
    assert shard_lengths(OUT) == {"000001": 1, "000002": 1, "000003": 1}
