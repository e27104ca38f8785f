"""What `cryopair status` says: of a session that is watched, was stopped, has died, or never was watched."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cryopair.formats.star import Table, write_star
from cryopair.session.display import panel
from cryopair.session.gpus import describe_gpus
from cryopair.session.models import Models
from cryopair.session.plan import shard_file
from cryopair.session.status import Status, describe, duration, is_at_work

OUT = Path("out")


@pytest.fixture(autouse=True)
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two shards with a model; the second one has no SNR that could be estimated."""
    monkeypatch.chdir(tmp_path)
    models = Models()
    models.put_in_force("v1-0123abcd", "out/models/v1-0123abcd", "8 movies are there")
    models.write(OUT)
    for shard, values in (("000001", (10.0, 12.0, 20.0)), ("000002", ("",))):
        write_star(shard_file(OUT, shard), {"micrographs": Table({"rlnMicrographName": ["a"]})})
        path = OUT / f"quality/v1-0123abcd/{shard}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("micrograph,snr_raw_db,snr_denoised_db\n" + "".join(f"m,-8.5,{value}\n" for value in values))
    table = Table({"rlnMicrographName": ["a", "b", "c"]})
    write_star(OUT / "denoised_micrographs.star", {"micrographs": table})
    write_star(OUT / "failed.star", {"failed": table.select([0])})


@contextmanager
def lock() -> Iterator[None]:
    with (OUT / "plan/run.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def watched(**values) -> Status:
    status = Status(
        state="waiting", source="job/list.star", host="scope", pid=4711, started=time.time() - 3600, **values
    )
    status.look(OUT)
    status.write(OUT)
    return status


def test_a_session_that_nobody_watched() -> None:
    lines, well = describe(OUT)
    assert lines[0] == "out: nothing is at work"
    assert "3 denoised, 1 failed" in lines[1]
    assert "SNR       12.0 dB (raw -8.5 dB), median of shard 000001" in lines
    assert well
    with lock():
        assert describe(OUT)[0][0] == "out: a run is at work"


def test_a_watched_session() -> None:
    watched(seen=9, waiting=2, arriving_per_hour=310.0, done_per_hour=299.6, behind_seconds=240, training="v1: 45%")
    with lock():
        assert is_at_work(OUT)
        lines, well = describe(OUT)
    assert lines[0] == "out: waiting for movies, watching for 60 min (job/list.star, process 4711 on scope)"
    assert lines[1:6] == [
        "movies    9 seen, 3 denoised, 1 failed, 2 on their way",
        "pace      310 an hour come in, 300 an hour are done; 4 min behind",
        "model     v1-0123abcd",
        "training  v1: 45%",
        "SNR       12.0 dB (raw -8.5 dB), median of shard 000001",
    ]
    assert well


def test_trouble_and_silence_ask_for_a_human() -> None:
    status = watched(problem="the disk is full")
    status.state = "failing"
    status.write(OUT)
    with lock():
        lines, well = describe(OUT)
    assert "in trouble, and trying again" in lines[0]
    assert lines[-1] == "PROBLEM   the disk is full"
    assert not well
    status.state = "working"  # it tries again, and nothing has gone right yet
    status.write(OUT)
    with lock():
        assert not describe(OUT)[1]


def test_a_watcher_that_died_and_one_that_was_stopped() -> None:
    status = watched()
    lines, well = describe(OUT)
    assert "the watcher DIED" in lines[0]
    assert "cryopair watch" in lines[0]
    assert not well
    status.state = "stopped"
    status.write(OUT)
    lines, well = describe(OUT)
    assert lines[0].startswith("out: the watcher stopped 0 s ago")
    assert well


def test_a_status_of_another_version_is_read_as_far_as_it_goes() -> None:
    path = OUT / "status.json"
    path.write_text('{"state": "waiting", "seen": 3, "something_new": 1}')
    status = Status.read(OUT)
    assert status is not None
    assert status.seen == 3
    path.write_text("{half")
    assert Status.read(OUT) is None


def test_the_panel_has_the_lines() -> None:
    status = watched(jobs=["Denoising shard 000002  denoise:  40%"], jobs_done=3, jobs_total=9, drift="noise rose")
    text = panel(status).renderable.plain
    assert text.splitlines() == status.lines()
    assert "now       Denoising shard 000002  denoise:  40%" in text
    assert "jobs      3 of 9 done in this pass" in text


def test_gpus_in_words() -> None:
    assert describe_gpus("87, 12595, 24576\n3, 0, 24576\n") == "87 %, 12.3 of 24.0 GB; 3 %, 0.0 of 24.0 GB"
    assert describe_gpus("") == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5399, "90 min"), (7200, "2.0 h")]
)
def test_time_spans_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words
