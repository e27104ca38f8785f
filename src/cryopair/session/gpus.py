"""How busy the GPUs of this machine are."""

from __future__ import annotations

import shutil
import subprocess
import time
from functools import lru_cache

_QUERY = "--query-gpu=utilization.gpu,memory.used,memory.total"
_EVERY_SECONDS = 5.0


def gpu_use() -> str:
    """Return what NVIDIA's driver says, for instance ``87 %, 12.3 of 24.0 GB``; empty where there is no GPU."""
    return _at(int(time.time() / _EVERY_SECONDS)) if shutil.which("nvidia-smi") else ""


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
        result = subprocess.run(
            ["nvidia-smi", _QUERY, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        return describe_gpus(result.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
