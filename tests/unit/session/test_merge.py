"""Shards joined: sorted by name, each micrograph once, by the last shard that holds it."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from cryopair.errors import CryopairError
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import FAILED_LABELS, Micrographs, natural_order, write_micrographs
from cryopair.quality.tables import format_table
from cryopair.session.merge import Shards, join_optics, merge_shards
from cryopair.session.models import Models
from cryopair.session.plan import shard_file

MODEL = "v1-0123abcd"
OPTICS = {"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.0]}


def write_shard(shard: str, *, done: dict[str, int], failed: tuple[str, ...] = ()) -> None:
    """Write all tables of a shard; `done` gives each micrograph's number of picks."""
    names = [f"MotionCorr/job002/Movies/{name}.mrc" for name in done]
    lost = [f"MotionCorr/job002/Movies/{name}.mrc" for name in failed]
    optics = Table(OPTICS)
    planned = Table({"rlnMicrographName": names + lost, "rlnOpticsGroup": [1] * (len(names) + len(lost))})
    write_micrographs(shard_file(Path("out"), shard), Micrographs(optics, planned))
    table = Table({"rlnMicrographName": names, "rlnOpticsGroup": [1] * len(names)})
    table["rlnMicrographNameDenoised"] = [f"out/denoised/{shard}/{name}.mrc" for name in done]
    table["cryopairPicker"] = ["log"] * len(names)
    table["cryopairPickCount"] = list(done.values())
    table["rlnMicrographCoordinates"] = [f"out/coordinates/{shard}/{name}_log.star" for name in done]
    losses = Table.from_rows(
        [dict(zip(FAILED_LABELS, (n, "halves", "torn"), strict=True)) for n in lost], FAILED_LABELS
    )
    for stage in ("halves", f"denoised/{MODEL}", "coordinates"):
        write_micrographs(Path("out") / stage / f"{shard}.star", Micrographs(optics, table, losses))
    Path(f"out/quality/{MODEL}").mkdir(exist_ok=True, parents=True)
    for suffix in ("", "_rings"):
        figures = [{"micrograph": name, "snr_raw_db": shard} for name in names]
        text = format_table(figures, columns=("micrograph", "snr_raw_db"))
        Path(f"out/quality/{MODEL}/{shard}{suffix}.csv").write_text(text)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    models = Models()
    models.put_in_force(MODEL, f"out/models/{MODEL}", "5 movies are there")
    models.write(Path("out"))


def stems(table: Table) -> list[str]:
    return [Path(name).stem for name in table["rlnMicrographName"]]


def test_order_is_that_of_the_names_and_not_of_arrival() -> None:
    write_shard("000001", done={"a10": 2, "b": 3})
    write_shard("000002", done={"a2": 1})
    last = merge_shards(Path("out"), ["000001", "000002"], picked=True, extracted=False)
    assert stems(last.table) == ["a2", "a10", "b"]
    assert stems(read_star("out/halves.star")["micrographs"]) == ["a2", "a10", "b"]
    assert len(read_star("out/failed.star")["failed"]) == 0
    assert len(Path("out/quality.csv").read_text().splitlines()) == 4
    seen = read_star("out/denoised_micrographs.star")["micrographs"]
    assert seen["rlnMicrographName"][0] == "out/denoised/000002/a2.mrc"
    assert seen["cryopairMicrographNameRaw"][0] == "MotionCorr/job002/Movies/a2.mrc"


def test_a_replaced_movie_counts_in_its_last_shard_only() -> None:
    write_shard("000001", done={"a": 1, "b": 1}, failed=("c",))
    write_shard("000002", done={"b": 5, "c": 7})
    last = merge_shards(Path("out"), ["000001", "000002"], picked=True, extracted=False)
    assert stems(last.table) == ["a", "b", "c"]
    assert last.table["cryopairPickCount"] == ["1", "5", "7"]
    assert len(last.failed) == 0
    assert Path("out/quality.csv").read_text().splitlines()[2].endswith(",000002")


def test_a_movie_that_was_replaced_by_a_bad_one_has_failed() -> None:
    write_shard("000001", done={"a": 1, "b": 1})
    write_shard("000002", done={}, failed=("b",))
    last = merge_shards(Path("out"), ["000001", "000002"], picked=True, extracted=False)
    assert stems(last.table) == ["a"]
    assert stems(read_star("out/failed.star")["failed"]) == ["b"]


def test_no_picks_at_all_is_an_error() -> None:
    write_shard("000001", done={"a": 0})
    with pytest.raises(CryopairError, match=r"no particle was picked on any of 1 micrographs"):
        merge_shards(Path("out"), ["000001"], picked=True, extracted=False)


def write_particles(shard: str, names: Sequence[str]) -> None:
    """Write a shard's particles, one on each micrograph; without any there is no table."""
    table = Table({"rlnMicrographName": [f"MotionCorr/job002/Movies/{name}.mrc" for name in names]})
    write_star(f"out/particles/{shard}.star", {"optics": Table(OPTICS), "particles": table if names else Table()})


def test_shards_that_wait_for_coordinates_keep_what_failed_in_them() -> None:
    write_shard("000001", done={"a": 1})
    write_shard("000002", done={"b": 1}, failed=("c",))
    write_particles("000001", ["a"])
    Path("out/coordinates/000002.star").unlink()
    last = merge_shards(Path("out"), ["000001", "000002"], picked=True, extracted=True, waiting=["000002"])
    assert stems(last.table) == stems(read_star("out/coordinates.star")["coordinate_files"]) == ["a"]
    assert stems(read_star("out/failed.star")["failed"]) == ["c"]
    assert stems(read_star("out/denoised_micrographs.star")["micrographs"]) == ["a", "b"]
    assert stems(read_star("out/particles.star")["particles"]) == ["a"]


def test_picks_that_were_all_dropped_are_an_error() -> None:
    write_shard("000001", done={"a": 3})
    write_particles("000001", [])
    with pytest.raises(CryopairError, match=r"not one particle is left to extract: all picks on 1 micrographs"):
        merge_shards(Path("out"), ["000001"], picked=True, extracted=True)


def test_rows_are_those_of_reading_all_tables_and_sorting_them() -> None:
    """Rows are copied as text; reading every table whole, and writing all rows sorted, gives the same bytes."""
    write_shard("000001", done={"b2": 1, "b 10": 2, "a": 3}, failed=("c",))
    write_shard("000002", done={"b2": 5, "c": 7, "a'1": 1}, failed=("d",))
    write_shard("000003", done={"a0": 1, 'a"0,1': 0, "gone": 4})
    particles = {"000001": ["b 10", "a", "b2", "a"], "000002": ["c", "b2", "c", "a'1"], "000003": ["gone", "a0"]}
    for shard, names in particles.items():
        paths = [f"MotionCorr/job002/Movies/{name}.mrc" for name in names]
        table = Table({"rlnImageName": [f"{i:06d}@{path}s" for i, path in enumerate(paths)]})
        table["rlnMicrographName"], table["rlnPhaseShift"] = paths, [0.1 * len(path) for path in paths]
        table["rlnMicrographId"] = [".", "?", "_x", "data_1"][: len(paths)]
        write_star(f"out/particles/{shard}.star", {"optics": Table(OPTICS), "particles": table})
    lost = {"rlnMicrographName": ["MotionCorr/job002/Movies/gone.mrc"], "cryopairStage": ["source"]}
    write_star("out/plan/withdrawn.star", {"failed": Table(lost | {"cryopairReason": ["no longer listed"]})})
    merge_shards(Path("out"), list(particles), picked=True, extracted=True)

    owner = {"a": "000001", "b 10": "000001", "b2": "000002", "c": "000002", "a'1": "000002", "a0": "000003"}
    found = []
    for shard in particles:
        table = read_star(f"out/particles/{shard}.star")["particles"]
        found.append(table.select(i for i, name in enumerate(stems(table)) if owner.get(name) == shard))
    table = Table.concatenate(found)
    order = sorted(range(len(table)), key=lambda row: natural_order(table["rlnMicrographName"][row]))
    write_star("expected.star", {"optics": Table(OPTICS), "particles": table.select(order)})
    assert Path("out/particles.star").read_bytes() == Path("expected.star").read_bytes()
    assert stems(table.select(order)) == ["a0", "a'1", "a", "a", "b2", "b 10", "c", "c"]
    for name in ("quality.csv", "quality_rings.csv"):
        with Path("out", name).open(newline="") as stream:
            rows = [(Path(row["micrograph"]).stem, row["snr_raw_db"]) for row in csv.DictReader(stream)]
        assert dict(rows) == owner | {'a"0,1': "000003"}
        assert [name for name, _ in rows] == ["a0", 'a"0,1', "a'1", "a", "b2", "b 10", "c"]


def test_merging_again_gives_what_merging_anew_gives() -> None:
    """What an earlier merge found is used for shards that are as they were, and not for one that was made again."""

    def joined() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path("out").iterdir() if path.is_file()}

    shards = ["000001", "000002", "000003"]
    for number, shard in enumerate(shards):
        names = [f"m{10 * number + place}" for place in range(4)]
        write_shard(shard, done=dict.fromkeys(names, 2), failed=(f"f{number}",))
        write_particles(shard, names)
        merge_shards(Path("out"), shards[: number + 1], picked=True, extracted=True)
    write_shard("000002", done={"m10": 3}, failed=("m11",))
    write_particles("000002", ["m10", "m10"])
    merge_shards(Path("out"), shards, picked=True, extracted=True)
    again = joined()
    Path("out/plan/merged.json").unlink()
    merge_shards(Path("out"), shards, picked=True, extracted=True)
    assert joined() == again
    assert stems(read_star("out/particles.star")["particles"])[4:6] == ["m10", "m10"]


def test_a_table_that_was_cut_off_is_named() -> None:
    write_shard("000001", done={"a": 1})
    write_particles("000001", ["a"])
    path = Path("out/particles/000001.star")
    path.write_text(path.read_text().removesuffix(" \n"))
    with pytest.raises(CryopairError, match=r"000001\.star: its block data_particles does not end"):
        merge_shards(Path("out"), ["000001"], picked=True, extracted=True)


def test_what_is_no_longer_made_is_removed() -> None:
    write_shard("000001", done={"a": 1})
    merge_shards(Path("out"), ["000001"], picked=True, extracted=False)
    assert Path("out/coordinates.star").exists()
    Path("out/particles.star").touch()
    merge_shards(Path("out"), ["000001"], picked=False, extracted=False)
    assert not Path("out/coordinates.star").exists()
    assert not Path("out/particles.star").exists()


def test_optics_groups_are_joined_and_must_not_change() -> None:
    first, second = Table(OPTICS), Table({"rlnOpticsGroup": [2], "rlnMicrographPixelSize": [1.5]})
    assert join_optics([first, second, first])["rlnOpticsGroup"] == ["1", "2"]
    changed = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.1]})
    with pytest.raises(CryopairError, match=r"optics group 1 changed while movies came in \(rlnMicrographPixelSize\)"):
        join_optics([first, changed])


def test_length_counts_each_micrograph_once() -> None:
    write_shard("000001", done={"a": 1, "b": 1})
    write_shard("000002", done={"b": 1})
    assert len(Shards(Path("out"), ["000001", "000002"])) == 2
