"""A pass with nothing to do is told from one that has something to do, whatever it is."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cryopair.config import Config
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.session.finished import Finished
from cryopair.session.launch import workflow_folder
from cryopair.session.models import Models
from cryopair.session.plan import shard_file
from cryopair.session.versions import VERSIONS
from cryopair.session.workflow import Session

OUT = Path("cryopair")


def write_shard(shard: str) -> None:
    names = Table({"rlnMicrographName": [f"MotionCorr/job002/Movies/{shard}.mrc"], "rlnOpticsGroup": [1]})
    micrographs = Micrographs(Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.0]}), names)
    for path in (shard_file(OUT, shard), OUT / f"halves/{shard}.star"):
        write_micrographs(path, micrographs)


def state(box: int = 96) -> Finished:
    return Finished(Session(Config(source="Movies", extraction={"box": box})), workflow_folder())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of two shards, whose last pass has ended well."""
    monkeypatch.chdir(tmp_path)
    write_shard("000001")
    write_shard("000002")
    (OUT / "halves/Movies").mkdir()
    assert not state().is_so()
    state().note()
    assert state().is_so()


def test_single_micrographs_locks_and_the_status_do_not_count() -> None:
    for name in ("halves/Movies/a_EVN.mrc", "plan/lock", "status.json"):
        (OUT / name).write_text("new")
    assert state().is_so()
    (OUT / "halves.star").touch()
    assert not state().is_so()


@pytest.mark.parametrize("name", ["halves/000001.star", "plan/shards/000002.star"])
def test_a_table_that_was_touched_or_deleted_counts(name: str) -> None:
    os.utime(OUT / name, (1, 1))
    assert not state().is_so()
    state().note()
    assert state().is_so()
    (OUT / name).unlink()
    assert not state().is_so()


def test_settings_and_versions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not state(box=80).is_so()
    monkeypatch.setitem(VERSIONS, "pick", VERSIONS["pick"] + 1)
    assert not state().is_so()


def test_a_target_that_is_missing_is_made_though_it_was_missing_before() -> None:
    (OUT / "halves/000001.star").unlink()
    state().note()
    assert not state().is_so()


def test_a_shard_that_was_sealed_while_a_pass_was_at_work_is_left_to_the_next() -> None:
    at_work = state()
    write_shard("000003")
    at_work.note()
    assert not state().is_so()


@pytest.fixture
def denoised() -> None:
    """A model, and what it made of both shards."""
    models = Models()
    models.put_in_force("v1", "cryopair/models/v1", "made up")
    models.write(OUT)
    paths = [OUT / "models/v1/model.safetensors"]
    paths += [
        OUT / path
        for shard in ("000001", "000002")
        for path in (f"denoised/v1/{shard}.star", f"quality/v1/{shard}.csv")
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    state().note()


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda: write_shard("000003"), ["000001", "000002"]),
        (lambda: os.utime(OUT / "halves/000001.star", (1, 1)), ["000002"]),
        (lambda: os.utime(OUT / "plan/shards/000001.star", (1, 1)), ["000002"]),
        (lambda: (OUT / "denoised/v1/000001.star").unlink(), ["000002"]),
        (lambda: os.utime(OUT / "models/v1/model.safetensors", (1, 1)), []),
        (lambda: state().forget(), []),
    ],
)
def test_shards_are_finished_each_by_itself(denoised: None, change: Callable[[], None], left: list[str]) -> None:
    assert state().shards() == ["000001", "000002"]
    assert state(box=80).shards() == []
    change()
    assert state().shards() == left


def test_a_model_that_is_put_in_force_takes_its_shards_up_again(denoised: None) -> None:
    models = Models.read(OUT)
    models.put_in_force("v2", "cryopair/models/v2", "made up", first_shard="000002")
    models.write(OUT)
    assert state().shards() == ["000001"]


def test_a_shard_whose_table_is_missing_is_not_finished_though_it_was_missing_before(denoised: None) -> None:
    (OUT / "quality/v1/000001.csv").unlink()
    state().note()
    assert state().shards() == ["000002"]
