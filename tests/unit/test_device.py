"""Devices by name, several GPUs shared by processes, and what happens where memory is too little."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cryopair.device import choose_device, else_on_cpu, least_taken
from cryopair.errors import UsageError

CPU, ANY_GPU = torch.device("cpu"), torch.device("cuda")
HOLDER = """
import torch
torch.cuda.device_count = lambda: 2
from cryopair.device import least_taken
print(least_taken(torch.device("cuda")), flush=True)
input()
"""


def test_devices_that_are_not_there_are_refused() -> None:
    assert choose_device("cpu") == CPU
    with pytest.raises(UsageError, match="device 'cuda:99' is not there"):
        choose_device("cuda:99")
    with pytest.raises(UsageError, match="device 'tpu0' is not known"):
        choose_device("tpu0")


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What torch would say of a machine with two; nobody has a place on them yet."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.usefixtures("two_gpus")
def test_processes_take_gpus_in_turn_until_they_end(tmp_path: Path) -> None:
    def hold() -> subprocess.Popen[str]:
        command, environment = [sys.executable, "-c", HOLDER], os.environ | {"TMPDIR": str(tmp_path)}
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    with hold() as first, hold() as second:
        taken = {holder: holder.stdout.readline().strip() for holder in (first, second)}  # type: ignore[union-attr]
        assert sorted(taken.values()) == ["cuda:0", "cuda:1"]
        on_second = next(holder for holder, place in taken.items() if place == "cuda:1")
        on_second.kill()
        on_second.wait()
        assert str(least_taken(ANY_GPU)) == "cuda:1"  # the place is free again, and before second places
        assert [str(least_taken(ANY_GPU)) for _ in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
        first.kill()


@pytest.mark.usefixtures("two_gpus")
def test_gpus_are_told_apart_by_what_the_system_calls_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert least_taken(ANY_GPU).index == 0  # the system's 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 0")
    assert least_taken(ANY_GPU).index == 1


@pytest.mark.usefixtures("two_gpus")
def test_a_device_that_was_named_is_taken_as_it_is(tmp_path: Path) -> None:
    for named in (CPU, torch.device("cuda:1")):
        assert least_taken(named) == named
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_on_a_gpu_is_done_on_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    def work(place: torch.device) -> str:
        if place.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return f"done on the {place}"

    assert else_on_cpu(work, torch.device("cuda:1"), name="halves: a.tiff") == "done on the cpu"
    said = "halves: a.tiff: the free memory of cuda:1 does not suffice; done on the CPU instead"
    assert capsys.readouterr().err.strip() == said


@pytest.mark.parametrize(
    ("place", "error"), [("cpu", torch.OutOfMemoryError("out of memory")), ("cuda", RuntimeError("an illegal access"))]
)
def test_other_failures_are_not_tried_again(place: str, error: RuntimeError) -> None:
    tries = []

    def work(place: torch.device) -> None:
        tries.append(place)
        raise error

    with pytest.raises(RuntimeError, match=str(error)):
        else_on_cpu(work, torch.device(place), name="halves: a.tiff")
    assert len(tries) == 1
