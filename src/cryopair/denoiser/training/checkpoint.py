"""Checkpoints: all that a training needs to go on, and end as if it had never been stopped. Nothing is pickled."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from tqdm import tqdm

from ...formats.atomic import atomic_path
from .processes import is_first

CHECKPOINT = "checkpoint.safetensors"

_PROGRESS, _TRAINING = "progress", "training"  # entries of the file's header, as JSON


@dataclass
class Progress:
    """How far a training is; numbers and lists only, so that JSON holds it exactly.

    Attributes
    ----------
    step : int
        Steps done.
    draws : int
        Batches drawn: more than steps when some were taken back.
    rollbacks : list of int
        Steps at which something was not finite; each halves the learning rate.
    losses : list of float
        Of the steps since the last report.
    history : list of dict
        Lines of ``training.csv``.
    """

    step: int = 0
    draws: int = 0
    rollbacks: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a training.

    Attributes
    ----------
    tensors : dict of torch.Tensor
        Weights, averaged weights, and the moments of the optimiser.
    progress : Progress
        How far it is.
    """

    tensors: dict[str, torch.Tensor]
    progress: Progress


def write_checkpoint(path: Path, checkpoint: Checkpoint, training: dict[str, Any]) -> None:
    """Write a checkpoint in the place of the one before, whole or not at all.

    Parameters
    ----------
    path : Path
        Of the file.
    checkpoint : Checkpoint
        What to write.
    training : dict
        What makes the training what it is: manifest, settings, ...
    """
    header = {_PROGRESS: json.dumps(asdict(checkpoint.progress)), _TRAINING: json.dumps(training)}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in checkpoint.tensors.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors, header))


def read_checkpoint(path: Path, training: dict[str, Any]) -> Checkpoint | None:
    """Read the checkpoint of a training; None, and a line on standard error, when it is not that training's.

    Parameters
    ----------
    path : Path
        Of the file, which need not exist.
    training : dict
        As it was written.
    """
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as stored:
            header = {key: json.loads(value) for key, value in stored.metadata().items()}
            found = header[_TRAINING]
            differing = sorted(key for key in found.keys() | training.keys() if found.get(key) != training.get(key))
            if not differing:
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
                return Checkpoint(tensors, Progress(**header[_PROGRESS]))
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"no checkpoint ({error})"
    else:
        reason = f"of a training with other {', '.join(differing)}"
    if is_first():
        tqdm.write(f"train: {path} is {reason}; training starts anew.", file=sys.stderr)
    return None
