"""Several GPUs in one machine, as far as Snakemake sees them: a job for each, and cores left for the others."""

import os
import re
from pathlib import Path

import pytest
from made_up import MOVIES, Project


@pytest.fixture(autouse=True)
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that answers as NVIDIA's does on a machine with two GPUs."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf 'GPU 0: one\\nGPU 1: another\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_as_many_jobs_as_gpus_and_cores_for_more(project: Project) -> None:
    project.configure("what: sum", "what: halves")
    project.run("--cores", "12")
    assert project.jobs["denoise"] == 1
    assert not {"halves", "train"} & project.jobs.keys()  # other threads than before are no reason to run again
    assert _gpus(project) == "2"
    assert "Execute 2 jobs..." in _log(project)  # the picking, beside the measuring that has all 12 cores without a GPU
    project.configure("what: halves", "what: sum")
    project.run("--cores", "12", "--resources", "gpu=1")
    assert _gpus(project) == "1"


def test_a_gpu_that_torch_cannot_use_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-of-another-machine")  # hides from PyTorch what GPUs there are
    project.configure("name: v1", "name: v2")
    project.simulate(MOVIES + 1)
    project.run()
    after = project.stdout[project.stdout.index("time:  about ") :].splitlines()
    assert re.fullmatch(r"time:  about .+ on 2 cores \(half-sums .+, training .+, denoising .+\)", after[0])
    assert after[1].startswith("       without this machine's GPU, which PyTorch ")


def _log(project: Project) -> str:
    return (project.output / "logs" / "run.log").read_text()


def _gpus(project: Project) -> str:
    """Return how many Snakemake gives out at a time."""
    (line,) = re.findall(r"^Provided resources: gpu=.*$", _log(project), re.MULTILINE)
    return re.findall(r"\d+", line)[-1]
