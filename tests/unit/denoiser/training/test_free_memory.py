"""Free memory: of the machine, or of a job whose memory is limited."""

from pathlib import Path

import pytest

from cryopair.denoiser.training.free_memory import free_memory

GB = 1000**3


def machine(root: Path, *, available_kb: int, groups: str = "") -> None:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal:  99999999 kB\nMemAvailable:  {available_kb} kB\n")
    (root / "proc/self/cgroup").write_text(groups)


def group(folder: Path, *, limit: str, used: int, files: int, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, value in zip(names, (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {files}\n")


def test_without_limits_it_is_that_of_the_machine(tmp_path: Path) -> None:
    machine(tmp_path, available_kb=4_000_000, groups="0::/user.slice\n")
    group(tmp_path / "sys/fs/cgroup/user.slice", limit="max", used=GB, files=0)
    assert free_memory(root=tmp_path) == 4_096_000_000


@pytest.mark.parametrize("tight", ["job", "job/step"])
def test_the_tightest_limit_counts_also_one_further_up(tmp_path: Path, tight: str) -> None:
    machine(tmp_path, available_kb=64_000_000, groups="0::/job/step\n")
    for name in ("job", "job/step"):
        limit = 8 * GB if name == tight else 32 * GB
        group(tmp_path / "sys/fs/cgroup" / name, limit=str(limit), used=3 * GB, files=GB)
    assert free_memory(root=tmp_path) == 6 * GB


def test_the_first_version_of_control_groups(tmp_path: Path) -> None:
    machine(tmp_path, available_kb=64_000_000, groups="9:cpu,cpuacct:/\n4:memory:/slurm/job_7\n")
    group(tmp_path / "sys/fs/cgroup/memory/slurm/job_7", limit=str(5 * GB), used=2 * GB, files=0, version=1)
    assert free_memory(root=tmp_path) == 3 * GB


def test_where_the_system_says_nothing(tmp_path: Path) -> None:
    assert free_memory(root=tmp_path) is None


def test_this_machine_has_some() -> None:
    free = free_memory()
    assert free is None or free > 0
