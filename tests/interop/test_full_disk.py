"""A disk that is full, gone or refuses: one clear line, nothing half-written, and on when it is well again."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up import Project
from stage_commands import ForkServer, stage_commands

ROOM = 1 << 25
BALLAST = "ballast"
STAGES = ("halves", "freeze", "train", "denoise", "measure", "pick", "handoff", "extract", "merge", "report")


@pytest.fixture
def disk(undisturbed: Project, tmp_path: Path) -> Iterator[Project]:
    """The finished project, with its results on a small disk of their own."""
    project = undisturbed.copy(tmp_path / "project")
    elsewhere = tmp_path / "results"
    project.output.rename(elsewhere)
    project.output.mkdir()
    mount(project.output)
    try:
        subprocess.run(["cp", "-a", f"{elsewhere}/.", str(project.output)], check=True)
        yield project
    finally:
        subprocess.run(["umount", "--lazy", str(project.output)], check=True)


def mount(folder: Path) -> None:
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "small", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip(f"no small disk can be mounted here ({result.stderr.strip()}): be root, outside a container")


def fill(folder: Path) -> None:
    """Leave no room."""
    with (folder / BALLAST).open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space") as found:
        while True:
            stream.write(bytes(4096))
    assert found.value.errno == errno.ENOSPC


def test_every_stage_says_that_the_disk_is_full(disk: Project, undisturbed: Project, server: ForkServer) -> None:
    calls = {call[0]: call for call in stage_commands(disk)}
    assert sorted(calls) == sorted(STAGES)
    for stage in STAGES:
        before = disk.results()
        if stage in ("freeze", "train"):  # sealed once: they would find their work done
            for path in disk.output.glob("training/*" if stage == "freeze" else "models/*/*.*"):
                subprocess.run(["rm", "-r", str(path)], check=True)
        left = disk.results()
        fill(disk.output)
        assert server.run(disk, calls[stage])[0] == 1, stage
        said = server.said(disk).splitlines()[-1]
        assert said.startswith("cryopair: cryopair/"), said
        assert "cannot be written, because the disk, or your share of it, is full." in said
        assert "Traceback" not in server.said(disk)
        (disk.output / BALLAST).unlink()
        assert disk.results() == left, stage
        assert server.run(disk, calls[stage])[0] == 0, stage
        assert disk.results() == before, stage
    assert disk.results() == undisturbed.results()


def test_a_pass_goes_on_when_there_is_room_again(disk: Project, undisturbed: Project) -> None:
    merged = [path.name for path in disk.output.glob("*.*")]
    for name in (*merged, "picks", "coordinates", "particles"):
        subprocess.run(["rm", "-r", str(disk.output / name)], check=True)
    fill(disk.output)
    result = disk.cryopair("run", "--cores", "2")
    assert result.returncode == 1
    assert "is full" in result.stderr, result.stderr
    assert "Traceback" not in result.stderr
    (disk.output / BALLAST).unlink()
    disk.run()
    assert disk.results() == undisturbed.results()


def test_a_disk_that_is_gone(disk: Project, undisturbed: Project) -> None:
    """The results' disk is taken away, and what is below it cannot be written."""
    (pick,) = [call for call in stage_commands(disk) if call[0] == "pick"]
    subprocess.run(["mount", "-o", "remount,ro", str(disk.output)], check=True)
    result = disk.cryopair(*pick)
    assert result.returncode == 1
    assert "the file system refuses it (Read-only file system)" in result.stderr.splitlines()[-1]
    result = disk.cryopair("run", "--cores", "2")
    assert result.returncode == 1
    assert "Read-only file system" in result.stderr
    assert "Traceback" not in result.stderr
    subprocess.run(["mount", "-o", "remount,rw", str(disk.output)], check=True)
    disk.run()
    assert disk.results() == undisturbed.results()
