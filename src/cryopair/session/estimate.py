"""How long a pass will take: one frame, one training step and one tile timed on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from ..denoiser.inference import denoise_normalised
from ..denoiser.networks.unet import UNet
from ..denoiser.sampling import resampled_shape
from ..denoiser.training.train import TrainingSettings
from ..device import choose_device, fast_precision
from ..fourier import inverse, shift, transform
from ..halves.local_motion import add_interpolated
from ..motion import Motion
from ..sources import Kind, Summary
from .gpus import count_gpus
from .workflow import Session

_TILE = 512
_SECONDS_PER_JOB = 6
"""Start of a process with torch in it, and of Snakemake's own."""


def estimate(session: Session, summary: Summary, movies: int, *, cores: int) -> str:
    """Estimate the time that new movies will take.

    Parameters
    ----------
    session : Session
        With its settings.
    summary : Summary
        Of its source.
    movies : int
        How many are new.
    cores : int
        Processor cores to be used.

    Returns
    -------
    str
        For instance ``about 12 min on 8 cores (half-sums 4 min, training 6 min, denoising 2 min)``, and a second line
        if the machine has a GPU that torch cannot use.
    """
    if summary.kind is not Kind.MOTION:
        return "not known for data that do not come from a MotionCorr job"
    if not summary.motions:
        return "not known, since no motion STAR could be read"
    torch.set_num_threads(cores)
    motion = summary.motions[0]
    device = choose_device()
    height, width = motion.micrograph_shape
    stages = {"half-sums": movies * len(motion.used_frames) * _frame_seconds((height, width), str(device))}
    network = UNet().to(device)
    if session.trains and not session.is_trained:
        stages["training"] = session.config.training.steps * _step_seconds(network, device)
    height, width = _working_shape(session, motion)
    tiles = 3 * height * width / _TILE**2  # the sum, and both halves to measure
    stages["denoising"] = movies * tiles * _tile_seconds(network, device)
    jobs = 6 * (movies / session.config.shards.size + 1)
    total = sum(stages.values()) + jobs * _SECONDS_PER_JOB
    parts = ", ".join(f"{name} {_readable(seconds)}" for name, seconds in stages.items())
    where = f"{cores} cores" if device.type == "cpu" else torch.cuda.get_device_name(device)
    text = f"about {_readable(total)} on {where} ({parts})"
    if device.type == "cpu" and count_gpus():
        text += (
            f"\n       without this machine's GPU, which PyTorch {torch.__version__} cannot use: install it for CUDA"
        )
    return text


def _working_shape(session: Session, motion: Motion) -> tuple[int, int]:
    """Return the size of a micrograph at the pixel size that the network works at."""
    target = session.config.training.pixel_size if session.trains else None
    pixel_size = motion.micrograph_pixel_size
    return resampled_shape(motion.micrograph_shape, pixel_size=pixel_size, target=target or pixel_size)


def _timed(work: Callable[[], object]) -> float:
    """Return the seconds of the faster of two runs."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _frame_seconds(shape: tuple[int, int], device: str) -> float:
    frame = torch.ones(shape, device=device)
    total = torch.zeros(shape, device=device)
    terms = np.full((2, 6), 0.5)

    def sum_one() -> None:
        add_interpolated(total, inverse(shift(transform(frame), shape, 0.5, 0.5), shape), terms)

    return _timed(sum_one)


def _step_seconds(network: UNet, device: torch.device) -> float:
    settings = TrainingSettings()
    batch = torch.zeros((settings.batch, 1, settings.crop, settings.crop), device=device)

    def step() -> None:
        with fast_precision(device):
            loss = network(batch).square().mean()
        loss.backward()

    return _timed(step)


def _tile_seconds(network: UNet, device: torch.device) -> float:
    tile = np.zeros((_TILE, _TILE), np.float32)
    return _timed(lambda: denoise_normalised(tile, network, device=device))


def _readable(seconds: float) -> str:
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
