"""A microscope session: movies drop in while `cryopair watch` runs, and all ends as one batch run does."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up import Project

from cryopair.formats.star import read_star

MOVIES = 8
SETTINGS = {
    "shards.size": "3",
    "shards.max_wait": "0.1",
    "training.steps": "6",
    "training.pairs": "50",
    "training.quick.pairs": "4",
    "training.quick.steps": "20",
    "alignment.motion": "global",
    "extraction.box": "96",
    "acquisition.pixel_size": "2.0",
    "acquisition.voltage": "300",
    "acquisition.dose_per_frame": "1.2",
    "acquisition.gain": "Movies/gain.mrc",
}
MERGED = ("halves", "denoised_micrographs", "coordinates", "particles", "failed")
PATIENCE = 600.0
"""In s: on a busy machine a pass takes a minute."""


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All movies at once."""
    project = Project(tmp_path_factory.mktemp("batch"))
    project.simulate(MOVIES)
    for job in ("Import", "MotionCorr", "CtfFind"):
        shutil.rmtree(project.folder / job)
    begin(project)
    project.run()
    return project


def begin(project: Project) -> None:
    options = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    result = project.cryopair("init", "--from", "Movies/*.tiff", "--diameter", "150", *options)
    assert result.returncode == 0, result.stderr


def watch(project: Project, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "cryopair", "watch", "--cores", "2", "--interval", "1", *options]
    with (project.folder / "watch.out").open("a") as stream:
        return subprocess.Popen(
            command, cwd=project.folder, env=project._environment(), stdout=stream, stderr=subprocess.STDOUT
        )


def wait_for(condition: Callable[[], object], watcher: subprocess.Popen, project: Project) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert watcher.poll() is None, (project.folder / "watch.out").read_text()
        assert time.monotonic() < deadline, (project.folder / "watch.out").read_text()
        time.sleep(0.1)


def status(project: Project) -> dict:
    path = project.output / "status.json"
    return json.loads(path.read_text()) if path.exists() else {"done": 0, "taken_in": 0, "state": ""}


def test_bit_by_bit_ends_as_a_batch_run(batch: Project, tmp_path: Path) -> None:
    movies = sorted((batch.folder / "Movies").glob("*.tiff"))
    whole = {path.name: path.read_bytes() for path in movies}
    order = list(whole)
    random.Random(5).shuffle(order)
    slow, truncated, replaced = order[1], order[2], order[4]

    live = Project(tmp_path)
    folder = live.folder / "Movies"
    folder.mkdir()
    shutil.copy(batch.folder / "Movies/gain.mrc", folder)
    shutil.copy(movies[0], folder / order[0])  # for `init` to look at
    (folder / order[0]).write_bytes(whole[order[0]])
    begin(live)

    def drop(name: str, content: bytes) -> None:
        (folder / name).write_bytes(content)

    watcher = watch(live)
    try:
        drop(truncated, whole[truncated][: len(whole[truncated]) // 2])
        for part in range(1, 6):
            drop(slow, whole[slow][: len(whole[slow]) * part // 5])
            time.sleep(0.3)
        drop(order[3], whole[order[3]])
        drop(replaced, whole[order[7]])  # another exposure, by mistake
        wait_for(lambda: list(live.output.glob("denoised/*-quick-*/0*.star")), watcher, live)
        assert "-quick-" in live.cryopair("status").stdout
        drop(truncated, whole[truncated])
        drop(replaced, whole[replaced])
        for name in order[5:]:
            drop(name, whole[name])
        wait_for(lambda: status(live)["taken_in"] == MOVIES, watcher, live)
        watcher.send_signal(signal.SIGTERM)
        assert watcher.wait(PATIENCE) == 130
        assert status(live)["state"] == "stopped"
        assert not list(live.output.rglob(".*.mrc*")), "something half-written was left"
        watcher = watch(live, "--until-idle", "0.1")
        assert watcher.wait(PATIENCE) == 0, (live.folder / "watch.out").read_text()
    finally:
        watcher.kill()
        watcher.wait()

    assert_same_results(live, batch)
    assert_each_once(live, again={replaced, truncated})
    said = live.cryopair("status").stdout
    assert "finished" in said
    assert f"{MOVIES} seen, {MOVIES} denoised, 0 failed, 0 on their way" in said


def assert_same_results(live: Project, batch: Project) -> None:
    names = [f"{name}.star" for name in MERGED] + ["quality.csv", "quality_rings.csv"]
    for pattern in (
        "motion/job001/**/*.mrc",
        "halves/**/*.mrc",
        "denoised/v1-????????/**/*.mrc",
        "particles/**/*.mrcs",
    ):
        found = [str(path.relative_to(batch.output)) for path in batch.output.glob(pattern)]
        assert found, pattern
        names += found
    names += [str(path.relative_to(batch.output)) for path in batch.output.glob("models/*/model.*")]
    for name in names:
        assert (live.output / name).read_bytes() == (batch.output / name).read_bytes(), name


def assert_each_once(live: Project, *, again: set[str]) -> None:
    """Each movie was split once, and denoised once by each model; those that came broken or wrong, once more."""
    split = Counter(row for path in live.output.glob("halves/0*.star") for row in stems(path))
    assert set(split.values()) <= {1, 2}
    assert {name for name, times in split.items() if times == 2} <= {Path(name).stem for name in again}
    for folder in live.output.glob("denoised/*"):
        tables = [stems(path) for path in folder.glob("0*.star")]
        if "-quick-" not in folder.name:
            assert Counter(name for table in tables for name in table) == Counter(dict.fromkeys(split, 1))


def stems(path: Path) -> list[str]:
    return [Path(name).stem for name in read_star(path)["micrographs"]["rlnMicrographName"]]


def test_a_watcher_that_was_killed_is_taken_over_and_a_bad_pass_does_not_end_it(batch: Project, tmp_path: Path) -> None:
    shutil.copytree(batch.folder, tmp_path / "project")
    project = Project(tmp_path / "project")
    gain = project.folder / "Movies/gain.mrc"
    whole = gain.read_bytes()
    gain.unlink()
    shutil.rmtree(project.output)
    watcher = watch(project, "--until-idle", "0.1")
    try:
        wait_for(lambda: "PROBLEM" in project.cryopair("status").stdout, watcher, project)
        assert project.cryopair("status").returncode == 1
        assert project.cryopair("run").returncode == 1  # refused
        watcher.kill()
        watcher.wait()
        said = project.cryopair("status")
        assert said.returncode == 1
        assert "DIED" in said.stdout
        watcher = watch(project, "--until-idle", "0.1")
        wait_for(lambda: status(project)["pid"] == watcher.pid and status(project)["problem"], watcher, project)
        gain.write_bytes(whole)
        assert watcher.wait(PATIENCE) == 0, (project.folder / "watch.out").read_text()
    finally:
        watcher.kill()
        watcher.wait()
    assert_same_results(project, batch)
    os.utime(gain)
    assert project.cryopair("watch", "--once", "--interval", "1").returncode == 0
