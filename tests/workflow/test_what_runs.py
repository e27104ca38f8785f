"""What a pass does: everything once, then only what is new or changed."""

import os
import re
import time
from collections import Counter

import pytest
import torch
from made_up import MOVIES, SOURCE, Project

from cryopair.formats.star import read_star

PER_SHARD = ("halves", "denoise", "measure", "pick", "handoff", "extract")
AT_THE_END = Counter({"merge": 1, "report": 1})


ONE_SHARD = Counter(dict.fromkeys(PER_SHARD, 1)) + AT_THE_END


def test_first_run_does_everything_once(finished: Project) -> None:
    assert finished.jobs == ONE_SHARD + Counter({"freeze": 1, "train": 1})
    where = re.escape(torch.cuda.get_device_name()) if torch.cuda.is_available() else "2 cores"
    announced = rf"^time:  about .+ on {where} \(half-sums .+, training .+, denoising .+\)$"
    assert re.search(announced, finished.stdout, re.MULTILINE)
    assert f"{MOVIES} micrographs denoised" in finished.stdout
    assert "none failed" in finished.stdout


def test_second_run_does_nothing_and_says_so(project: Project) -> None:
    assert project.shards_looked_at() == set()
    assert project.run() == Counter()
    assert "Nothing to be done" in (project.output / "logs/run.log").read_text()
    assert "to do: nothing" in project.stdout


def test_a_new_movie_costs_one_shard_and_no_training(project: Project) -> None:
    model = project.model()
    before = {path: path.read_bytes() for path in project.output.glob("*/Movies/*") if path.is_file()}
    project.simulate(MOVIES + 1)
    assert project.run() == ONE_SHARD
    assert project.model() == model
    assert {path: path.read_bytes() for path in before} == before
    assert len(read_star(project.output / "denoised_micrographs.star")["micrographs"]) == MOVIES + 1
    assert project.run() == Counter()


def test_finished_shards_are_left_out_until_something_of_theirs_changes(project: Project) -> None:
    project.run()
    project.simulate(MOVIES + 1)
    project.run()
    assert project.shards_looked_at() == set()
    (project.output / "picks/000001.star").touch()
    assert project.shards_looked_at() == {"000001"}
    assert project.run() == Counter({"handoff": 1, "extract": 1}) + AT_THE_END


def test_another_box_runs_extraction_only(project: Project) -> None:
    project.configure("box: 96", "box: 80")
    assert project.run() == Counter({"extract": 1}) + AT_THE_END
    assert read_star(project.output / "particles.star")["optics"]["rlnImageSize"] == ["80"]


def test_another_diameter_runs_picking_and_what_follows(project: Project) -> None:
    project.configure("diameter: 150", "diameter: 140")
    assert project.run() == Counter({"pick": 1, "handoff": 1, "extract": 1}) + AT_THE_END


def test_another_seed_trains_a_second_model_beside_the_first(project: Project) -> None:
    first = project.model()
    project.configure("seed: 1", "seed: 2")
    jobs = project.run()
    assert jobs == ONE_SHARD - Counter({"halves": 1}) + Counter({"freeze": 1, "train": 1})
    models = sorted(path.read_bytes() for path in project.output.glob("models/*/model.safetensors"))
    assert len(models) == 2
    assert first in models


def test_touching_movies_micrographs_and_their_list_runs_nothing(project: Project) -> None:
    for folder in ("Movies", "MotionCorr/job002/Movies"):
        for path in (project.folder / folder).iterdir():
            os.utime(path)
    os.utime(project.folder / SOURCE)
    assert project.run() == Counter()


@pytest.mark.parametrize(
    ("stage", "jobs"),
    [
        ("pick", Counter({"pick": 1, "handoff": 1, "extract": 1}) + AT_THE_END),
        ("train", ONE_SHARD - Counter({"halves": 1}) + Counter({"freeze": 1, "train": 1})),
    ],
)
def test_a_new_version_of_a_stage_runs_it_and_what_follows(project: Project, stage: str, jobs: Counter[str]) -> None:
    """Another network is another version of training, and makes another model."""
    assert project.would_run(newer=stage) == jobs


@pytest.mark.parametrize(
    ("name", "jobs"),
    [
        ("picks/000001.star", Counter()),  # what was made of it is there
        ("particles.star", AT_THE_END),
        ("report.html", Counter({"report": 1})),
    ],
)
def test_a_deleted_file_is_made_again_if_it_is_a_result(project: Project, name: str, jobs: Counter[str]) -> None:
    (project.output / name).unlink()
    assert project.would_run() == jobs


def test_a_run_that_was_broken_off_under_other_settings_is_looked_into(project: Project) -> None:
    """It may have cut particles of another box over the old ones, whose tables it did not come to."""
    project.run()
    finished = project.output / "plan/finished.txt"
    project.configure("box: 96", "box: 80")
    process = project.start()
    deadline = time.monotonic() + 600
    while finished.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    project.kill(process)
    project.configure("box: 80", "box: 96")
    project.run()
    assert "Building DAG" in (project.output / "logs/run.log").read_text()


def test_dry_run_writes_nothing(fresh: Project) -> None:
    result = fresh.cryopair("run", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert f"{MOVIES} new movies are not in a shard yet" in result.stderr + result.stdout
    assert not fresh.output.exists()


def test_killed_runs_go_on_to_the_same_bytes(fresh: Project, finished: Project) -> None:
    fresh.run_and_kill(when="halves/Movies/mic_0003_EVN.mrc")
    fresh.run_and_kill(when="denoised/*/Movies/mic_0002.mrc")
    fresh.run()
    assert not list(fresh.output.rglob(".*.mrc")), "half-written files were left"
    assert_same_results(fresh, finished)


def test_bare_snakemake_does_the_same(fresh: Project, finished: Project) -> None:
    """`snakemake` with the workflow's profile plans and runs as `cryopair run` does, to the same bytes."""
    result = fresh.snakemake()
    assert result.returncode == 0, result.stderr
    assert_same_results(fresh, finished)


def assert_same_results(a: Project, b: Project) -> None:
    names = ["particles.star", "halves.star", "coordinates.star", "quality.csv", "failed.star", "report.html"]
    names += [str(path.relative_to(b.output)) for path in b.output.glob("particles/Movies/*.mrcs")]
    for name in names:
        assert (a.output / name).read_bytes() == (b.output / name).read_bytes(), name
    assert a.model() == b.model()
