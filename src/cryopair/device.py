"""Where and in which precision networks run."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from .errors import UsageError


def choose_device(name: str = "auto") -> torch.device:
    """Return a device by name; ``auto`` is the first GPU, or the CPU where there is none.

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
