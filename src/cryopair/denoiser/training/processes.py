"""Several processes that train one network, each with a GPU and its part of every batch.

They are started by torch's own launcher (``torchrun --nproc-per-node N -m cryopair train ...``) or by `run`.
What is drawn does not depend on how many there are; the first one writes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, multiprocessing, nn
from torch import distributed as dist

from ...errors import CryopairError, UsageError


def count() -> int:
    """Return how many there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the one that writes and reports."""
    return not _were_started() or os.environ["RANK"] == "0"


def part(batch: int) -> slice:
    """Return which crops of a batch are this process's.

    Raises
    ------
    UsageError
        When there are more processes than crops.
    """
    if batch < count():
        raise UsageError(f"a batch of {batch} crops cannot be shared by {count()} processes; use {batch} or fewer.")
    rank = dist.get_rank() if count() > 1 else 0
    return slice(rank * batch // count(), (rank + 1) * batch // count())


def mean(values: Tensor) -> Tensor:
    """Average over the processes."""
    if count() > 1:
        dist.all_reduce(values)
        values = values / count()
    return values


def wait() -> None:
    """Wait until all processes have come this far."""
    if count() > 1:
        dist.barrier()


def distributed(network: nn.Module) -> nn.Module:
    """Return the network such that gradients are averaged over the processes."""
    if count() == 1:
        return network
    return nn.parallel.DistributedDataParallel(network)


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Join the other processes for the block, if there are any; give the device of this one."""
    if not _were_started():
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def gpus(wanted: int | None, device: torch.device, *, most: int) -> int:
    """Return how many GPUs to start processes for; 1 also stands for the CPU, and for being one of such processes.

    Parameters
    ----------
    wanted : int or None
        As the user says; None for all.
    device : torch.device
        As chosen; one with a number, such as ``cuda:1``, is the only one.
    most : int
        That have something to do.

    Raises
    ------
    UsageError
        When there are fewer than wanted.
    """
    there = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 1
    if _were_started():
        return 1
    if wanted is not None and not 1 <= wanted <= there:
        raise UsageError(f"--gpus {wanted}: device '{device}' has {there} to offer.")
    return min(wanted or there, most)


def run(number: int, work: Callable[..., object], *arguments: Any) -> None:
    """Do `work` in so many processes on this machine: in this one, or in new ones, which end when this one does.

    Parameters
    ----------
    number : int
        Of processes.
    work : callable
        Of a module; called with `arguments`. `joined` brings the processes together.

    Raises
    ------
    CryopairError
        As the first process that raised one.
    """
    if number == 1:
        work(*arguments)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    errors = multiprocessing.get_context("spawn").SimpleQueue()
    try:
        multiprocessing.spawn(_start, (number, port, errors, work, arguments), nprocs=number)
    except multiprocessing.ProcessExitedException as stopped:
        message = f"a training process ended with code {stopped.exit_code}." if errors.empty() else errors.get()
        raise CryopairError(message) from None


def _were_started() -> bool:
    """Whether this is one of several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _start(
    rank: int, number: int, port: int, errors: Any, work: Callable[..., object], arguments: tuple[Any, ...]
) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(number),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    try:
        work(*arguments)
    except CryopairError as error:
        errors.put(str(error))
        raise SystemExit(1) from None
