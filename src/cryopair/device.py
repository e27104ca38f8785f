"""Where and in which precision networks run, and what happens where memory does not suffice."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import torch
from tqdm import tqdm

from .errors import UsageError

Result = TypeVar("Result")


def choose_device(name: str = "auto") -> torch.device:
    """Return a device by name; ``auto`` is any GPU, or the CPU where there is none.

    Raises
    ------
    UsageError
        When the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device '{name}' is not known; use auto, cpu, cuda or cuda:1.") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device '{name}' is not there: torch sees {torch.cuda.device_count()} CUDA GPUs. Use auto or cpu."
        )
    return device


def fast_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context of mixed bfloat16 where `device` computes in it natively, else of plain float32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # not in older torch
        native = device.type == "cpu" and bool(capabilities.get("avx512_bf16"))
    return torch.autocast(device.type, torch.bfloat16) if native else nullcontext()


def least_taken(device: torch.device) -> torch.device:
    """Return the GPU that fewest of our processes on this machine have, where `device` stands for any of several.

    Each process takes a place on a GPU, first places before second ones, for as long as it lives: a place is a lock,
    which ends with its process, however that ends.
    """
    there = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 0
    if there < 2:
        return device
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(number) for number in range(there)]
    folder = Path(tempfile.gettempdir()) / f"cryopair-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    places = ((gpu, folder / f"{names[gpu].strip()}.{turn}") for turn in count() for gpu in range(there))
    return torch.device("cuda", next(gpu for gpu, place in places if _takes(place)))


def _takes(place: Path) -> bool:
    """Lock a file until this process ends, unless another has locked it."""
    descriptor = os.open(place, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True


def out_of_memory(error: Exception) -> bool:
    """Tell torch's and Python's failures to get memory from other errors."""
    message = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "not enough memory" in message
        or "can't allocate memory" in message
    )


def else_on_cpu(work: Callable[[torch.device], Result], device: torch.device, *, name: str) -> Result:
    """Do some work on a device, or on the CPU if the memory of the GPU does not suffice, which is said.

    Parameters
    ----------
    work : callable
        Takes the device.
    device : torch.device
        Where to try first.
    name : str
        What is worked on.
    """
    try:
        return work(device)
    except RuntimeError as error:
        if device.type == "cpu" or not out_of_memory(error):
            raise
    torch.cuda.empty_cache()  # outside the block above, whose error holds on to what was in memory
    tqdm.write(f"{name}: the free memory of {device} does not suffice; done on the CPU instead", file=sys.stderr)
    return work(torch.device("cpu"))
