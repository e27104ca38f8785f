"""The workflow on a real Slurm: the same bytes as on one machine, through jobs that are killed and tried again."""

import os
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from made_up import MOVIES, Project
from one_node_slurm import one_node_cluster

VICTIM = "halves"
"""The stage whose first job is killed, as the kernel does when memory runs out."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with one_node_cluster(tmp_path_factory.mktemp("slurm")):
        yield


@pytest.fixture(scope="module")
def on_slurm(cluster: None, prepared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that went through Slurm; the first job of `VICTIM` was killed."""
    project = prepared.copy(tmp_path_factory.mktemp("on_slurm") / "project")
    ended = threading.Event()
    killer = threading.Thread(target=kill_one, args=(project, VICTIM, ended))
    killer.start()
    try:
        project.run("--profile", "slurm")
    finally:
        ended.set()
        killer.join()
    return project


class Asked(NamedTuple):
    """What a job asked Slurm for."""

    rule: str
    memory: str
    cores: int
    gpus: int


@pytest.fixture(scope="module")
def asked(on_slurm: Project) -> list[Asked]:
    """What Slurm says of all jobs, in the order they were submitted."""
    shown = subprocess.run(["scontrol", "show", "job", "--oneliner"], capture_output=True, text=True, check=True)
    jobs = []
    for line in shown.stdout.splitlines():
        fields = dict(field.partition("=")[::2] for field in line.split())
        if fields.get("WorkDir") == str(on_slurm.folder):
            rule = re.sub("^rule_|_wildcards_.*$", "", fields["Comment"])
            gpus = int(fields.get("TresPerJob", "gres:gpu:0").removeprefix("gres:gpu:"))
            jobs.append(Asked(rule, fields["MinMemoryNode"], int(fields["CPUs/Task"]), gpus))
    return jobs


def kill_one(project: Project, stage: str, ended: threading.Event) -> None:
    """Kill the process of a stage once it is there."""
    while not ended.wait(0.1):
        for pid in project.processes(stage):
            os.kill(pid, signal.SIGKILL)
            return


def log(project: Project) -> str:
    return (project.output / "logs/run.log").read_text()


def submitted(project: Project) -> Counter[str]:
    """Return how many jobs of each rule the last pass submitted."""
    return Counter(re.findall(r"submitted with SLURM jobid \d+ \(log: .*?slurm_logs/rule_(\w+)", log(project)))


def test_results_are_those_of_a_local_run(on_slurm: Project, undisturbed: Project) -> None:
    assert on_slurm.results() == undisturbed.results()


def test_a_killed_job_is_tried_again(on_slurm: Project) -> None:
    assert "Trying to restart job" in log(on_slurm)
    assert on_slurm.jobs[VICTIM] == 1


def test_small_jobs_run_where_cryopair_runs(on_slurm: Project) -> None:
    jobs = submitted(on_slurm)
    assert set(jobs) == {"halves", "train", "denoise", "measure", "pick", "extract", "report"}
    assert jobs[VICTIM] == 2


def test_a_job_that_is_tried_again_asks_for_twice_the_memory(asked: list[Asked]) -> None:
    assert [job.memory for job in asked if job.rule == VICTIM] == ["8000M", "16000M"]


def test_jobs_ask_for_the_gpu_and_the_cores_that_they_use(asked: list[Asked]) -> None:
    asking = {job.rule: (job.gpus, job.cores) for job in asked}
    assert {rule for rule, (gpus, _) in asking.items() if gpus == 1} == {"train", "denoise", "measure"}
    assert {rule for rule, (gpus, _) in asking.items() if gpus > 1} == set()
    on_gpus, apart = 8, {"halves": 4, "pick": 2, "extract": 2, "report": 1}
    assert {rule: cores for rule, (_, cores) in asking.items()} == {
        **dict.fromkeys(("train", "denoise", "measure"), on_gpus),
        **apart,
    }


def test_nothing_is_left_to_do(on_slurm: Project) -> None:
    assert not on_slurm.run("--profile", "slurm")


def test_a_watcher_submits_what_a_new_movie_needs(on_slurm: Project) -> None:
    on_slurm.simulate(MOVIES + 1)
    result = on_slurm.cryopair("watch", "--until-idle", "0.05", "--interval", "1", "--profile", "slurm")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"finished: {MOVIES + 1} micrographs denoised, 0 failed" in result.stdout
    assert submitted(on_slurm) == Counter(
        dict.fromkeys(("halves", "denoise", "measure", "pick", "extract", "report"), 1)
    )


def test_profiles_go_by_name_or_folder(prepared: Project) -> None:
    result = prepared.cryopair("run", "--dry-run", "--profile", "slrum")
    assert result.returncode == 1
    assert "'slrum' is no folder with a config.yaml. There are also, by name: default, slurm." in result.stderr
