"""How Snakemake is called: this machine's GPUs and cores, shared out."""

from pathlib import Path

import pytest

from cryopair.session.gpus import count_gpus
from cryopair.session.launch import profile_file, snakemake_command

LISTED = """GPU 0: NVIDIA RTX A5000 (UUID: GPU-5c0b)
GPU 1: NVIDIA H200 (UUID: GPU-91d2)
  MIG 3g.71gb Device 0: (UUID: MIG-11aa)
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that answers as NVIDIA's does on a machine with two GPUs."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\ntest "$*" = --list-gpus && cat <<END\n{LISTED}END\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return program


def options(cores: int, *, profile: str = "default") -> list[str]:
    command = snakemake_command(Path("config.yaml"), cores, [], profile=profile_file(profile))
    return command[command.index(next(option for option in command if option.endswith(f"cores={cores}"))) + 1 :]


def test_no_gpu_no_shares(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert count_gpus() == 0
    assert options(16) == ["--nolock"]  # jobs that would use a GPU have all cores, and take turns


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(("visible", "gpus"), [(None, 2), ("", 0), ("1", 1), ("GPU-5c0b, GPU-91d2", 2), ("0,1,2", 2)])
def test_gpus_are_counted(visible: str | None, gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert count_gpus() == gpus


def test_a_driver_that_fails_has_no_gpus(driver: Path) -> None:
    driver.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert count_gpus() == 0


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(("cores", "share"), [(2, 1), (12, 4), (64, 8)])
def test_jobs_on_gpus_leave_cores_to_the_others(cores: int, share: int) -> None:
    shares = [f"{rule}={share}" for rule in ("train", "denoise", "measure")]
    assert options(cores) == ["--resources", "gpu=2", "--set-threads", *shares, "--nolock"]


@pytest.mark.usefixtures("driver")
def test_other_profiles_say_it_themselves(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("resources:\n  gpu: 1\n")
    assert options(16, profile=str(tmp_path)) == ["--nolock"]
    assert options(16, profile="slurm") == ["--nolock"]
