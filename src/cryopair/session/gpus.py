"""The GPUs of this machine: how many there are and how busy they are, without loading torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from functools import lru_cache

_USE = ("--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits")
_EVERY_SECONDS = 5.0


def count_gpus() -> int:
    """Return how many GPUs programs started here will see, by NVIDIA's driver and ``CUDA_VISIBLE_DEVICES``."""
    there = sum(line.startswith("GPU ") for line in _ask("--list-gpus").splitlines())
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return there if visible is None else min(there, len(visible.replace(",", " ").split()))


def gpu_use() -> str:
    """Return what NVIDIA's driver says, for instance ``87 %, 12.3 of 24.0 GB``; empty where there is no GPU."""
    return _at(int(time.time() / _EVERY_SECONDS))


def describe_gpus(text: str) -> str:
    """Describe the answer of ``nvidia-smi``: use in %, memory used and there in MiB, one GPU a line."""
    parts = []
    for line in text.splitlines():
        use, used, there = (value.strip() for value in line.split(","))
        parts.append(f"{use} %, {float(used) / 1024:.1f} of {float(there) / 1024:.1f} GB")
    return "; ".join(parts)


@lru_cache(maxsize=1)
def _at(moment: int) -> str:
    try:
        return describe_gpus(_ask(*_USE))
    except ValueError:  # "[N/A]", of what cannot be measured
        return ""


def _ask(*options: str) -> str:
    """Return what the driver's program prints; nothing where it is missing or fails."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        return subprocess.run([program, *options], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
