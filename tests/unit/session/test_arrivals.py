"""Movies that come in bit by bit: whatever the order, grouping and interruptions, the same movies are taken in."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import read_list
from cryopair.session.arrivals import Patience, waiting_file
from cryopair.session.plan import Plan, plan, sealed_shards, shard_file
from cryopair.session.withdrawn import withdrawn

OUT = Path("out")
START = 2e9  # later than any file here, in s since 1970
MINUTE = 60.0


class Killed(BaseException):
    """Ends a planner as kill -9 would, but for its temporary files."""


def look(minutes: float, *, size: int = 4, max_wait: float = 5.0, source: str = "mics/*.mrc", **options) -> Plan:
    patience = Patience(settle=15.0, max_wait=max_wait * MINUTE, now=START + minutes * MINUTE)
    return plan(source, OUT, shard_size=size, patience=patience, **options)


def movie(name: str, value: float = 1.0, *, at: float = 0.0) -> Path:
    path = Path(f"mics/{name}.mrc")
    write_mrc(path, np.full((4, 4), value), pixel_size=1.5)
    os.utime(path, (START + at * MINUTE,) * 2)
    return path


def taken_in() -> dict[str, str]:
    """Return the fingerprint of each micrograph as the journal has it, after checking that the shards agree."""
    journal = read_star(OUT / "plan/journal.star")["movies"]
    last: dict[str, tuple[str, str]] = {}
    for shard in sealed_shards(OUT):
        table = read_list(shard_file(OUT, shard)).table
        for name, fingerprint in zip(table["rlnMicrographName"], table["cryopairFingerprint"], strict=True):
            last[name] = (fingerprint, shard)
    labels = ("rlnMicrographName", "cryopairFingerprint", "cryopairShard")
    entries = {
        name: (fingerprint, shard) for name, fingerprint, shard in zip(*map(journal.__getitem__, labels), strict=True)
    }
    assert entries == last
    return {name: fingerprint for name, (fingerprint, _) in entries.items()}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_movie_is_taken_in_when_it_has_settled_and_a_shard_is_full() -> None:
    for name in "abcd":
        movie(name)
    assert look(0).added == 0
    assert look(0.1).added == 0, "six seconds are too short"
    assert look(0.3).added == 4
    assert (look(0.5).added, look(0.5).waiting) == (0, 0)


def test_a_shard_that_does_not_fill_is_sealed_after_a_while() -> None:
    for name in "abcde":
        movie(name)
    assert look(0).waiting == 5
    assert (look(1).added, look(1).waiting) == (4, 1)
    assert look(4.9).added == 0
    assert look(5).added == 1


def test_old_files_need_no_second_look() -> None:
    movie("a", at=-10)
    assert look(0, size=1).added == 1


def test_a_movie_that_is_written_slowly_waits_until_it_is_whole() -> None:
    movie("whole", at=-10)
    assert look(0, size=1).added == 1
    path = movie("a")
    whole = path.read_bytes()
    for step, part in enumerate((100, 700, 1060)):
        path.write_bytes(whole[:part])
        os.utime(path, (START + step * MINUTE,) * 2)
        assert look(step, size=1).added == 0
        assert look(step + 0.5, size=1).added == 0, "settled, but its header says that it is longer"
    movie("a", at=3)
    assert look(3, size=1).added == 0
    assert look(3.5, size=1).added == 1


def test_a_movie_that_stays_broken_is_taken_in_to_fail_by_name_and_again_when_it_is_whole() -> None:
    movie("whole", at=-10)
    assert look(0, size=1).added == 1
    path = movie("a")
    whole = path.read_bytes()
    path.write_bytes(whole[:500])
    os.utime(path, (START,) * 2)
    assert look(0, size=1).added == 0
    assert look(5, size=1).added == 1
    path.write_bytes(whole)
    os.utime(path, (START + 6 * MINUTE,) * 2)
    assert look(6, size=1).added == 0
    assert look(6.5, size=1).added == 1
    assert len(sealed_shards(OUT)) == 3


def test_a_replaced_movie_is_taken_in_again_once_it_has_settled_and_touching_is_nothing() -> None:
    movie("a", at=-10)
    look(0, size=1)
    movie("a", at=1)
    assert look(2, size=1).added == 0
    movie("a", 2.0, at=2)
    assert look(2, size=1).added == 0
    assert look(2.5, size=1, look_again=False).added == 1, "it was waited for"
    movie("a", 3.0, at=3)
    assert look(9, size=1, look_again=False).added == 0
    assert look(9, size=1).added == 1


def test_what_is_archived_keeps_its_results() -> None:
    path = movie("a", at=-10)
    movie("b", at=-10)
    look(0, size=2)
    path.unlink()
    assert look(10, size=2).added == 0
    assert not len(withdrawn(OUT))


def test_what_a_list_names_no_longer_is_withdrawn_until_it_is_named_again() -> None:
    names = [str(movie(name, at=-10)) for name in "abc"]
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]})

    def write(listed: list[str], age: float = 100.0) -> None:
        table = Table({"rlnMicrographName": listed, "rlnOpticsGroup": [1] * len(listed)})
        write_star("list.star", {"optics": optics, "micrographs": table})
        old = Path("list.star").stat().st_mtime - age
        os.utime("list.star", (old, old))

    write(names)
    plan("list.star", OUT, shard_size=4)
    write(names[:2], age=1)
    plan("list.star", OUT, shard_size=4)
    assert not len(withdrawn(OUT)), "the list may be half written"
    write(names[:2])
    plan("list.star", OUT, shard_size=4)
    assert withdrawn(OUT)["rlnMicrographName"] == names[2:]
    assert withdrawn(OUT)["cryopairReason"] == ["no longer listed in list.star"]
    write(names)
    assert plan("list.star", OUT, shard_size=4).added == 0
    assert not len(withdrawn(OUT))


def test_a_restart_does_not_begin_to_wait_again() -> None:
    movie("a")
    look(0, size=1)
    assert waiting_file(OUT).is_file()
    assert look(0.3, size=1).added == 1
    assert len(read_star(waiting_file(OUT))["waiting"]) == 0


@contextmanager
def killed_at(write: int, *, before: bool) -> Iterator[None]:
    """End whoever writes at a certain write, just before or just after it."""
    replace, count = Path.replace, 0

    def counted(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == write and before:
            raise Killed
        result = replace(self, target)
        if count == write:
            raise Killed
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", counted)
        with suppress(Killed):
            yield


NAMES = st.permutations("abcdefg")
STEP = st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans(), st.booleans())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=NAMES, steps=st.lists(STEP, max_size=6), replaced=st.sets(st.sampled_from("abcdefg"), max_size=2))
def test_any_order_grouping_and_interruption_takes_in_the_same(
    order: list[str], steps: list, replaced: set[str]
) -> None:
    """Steps: how many movies drop in, at which write the planner is killed, before or after it, and if in a batch."""
    here = Path.cwd()
    folder = Path(tempfile.mkdtemp(dir=here))
    os.chdir(folder)
    try:
        Path("mics").mkdir()
        movie("first", at=-10)
        coming = list(order)
        for minute, (count, write, before, batch) in enumerate(steps):
            for name in coming[:count]:
                movie(name, at=minute)
            del coming[:count]
            if minute == 3:
                for name in replaced - set(coming):
                    movie(name, 2.0, at=minute)
            with killed_at(write, before=before):
                plan("mics/*.mrc", OUT, shard_size=3) if batch else look(minute, size=3)
        for name in order:
            if name in coming or name in replaced:
                movie(name, 2.0 if name in replaced else 1.0, at=50)
        plan("mics/*.mrc", OUT, shard_size=3)
        assert plan("mics/*.mrc", OUT, shard_size=3).added == 0
        assert max(len(read_list(shard_file(OUT, shard)).table) for shard in sealed_shards(OUT)) <= 3
        bit_by_bit = taken_in()
        shutil.rmtree(OUT)
        plan("mics/*.mrc", OUT, shard_size=3)
        assert bit_by_bit == taken_in()
        assert len(bit_by_bit) == 8
    finally:
        os.chdir(here)
        shutil.rmtree(folder)
