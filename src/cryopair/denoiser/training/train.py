"""Train a denoiser on even/odd pairs (Noise2Noise, Lehtinen et al. 2018; for cryoEM Bepler et al. 2020).

The schedule is fixed and the averaged weights of its end are kept. No checkpoint is chosen by its validation
loss: at the noise of cryoEM that loss is nearly all noise variance (see `pair_loss`), and the lowest value is
luck. What tells progress is the *excess* of `validate`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ...device import out_of_memory
from ...errors import DeviceError, UsageError
from ..card import CARD, Card, read_card
from ..model import WEIGHTS, Model, load_model
from ..networks.base import Network
from ..networks.unet import UNet
from . import memory, processes
from .batches import Batches
from .checkpoint import CHECKPOINT, read_checkpoint
from .pairs import crop_side, open_pairs, working_pixel_size, working_shape
from .records import Records
from .trainer import Trainer
from .training_set import TrainingPair, file_hash, read_manifest
from .validation import VALIDATION_PAIRS

PIXEL_SIZE = 3.0
"""Å/px to work at unless told otherwise. On real apoferritin of 1.5 Å/px the correlation with other frames was 0.098
at 3 Å/px and 0.081 at 1.5 Å/px (AdamW), and 0.092 at 3 Å/px and 0.085 at 4 Å/px (Muon, over as many pixels)."""
LEARNING_RATE = 3e-3
FINE_TUNING_RATE = 3e-4
"""Ours, trained on one simulated specimen and then for 200 steps on two others, reached 5.9, 6.0, 5.7 and 5.1 dB at
3e-3, 1e-3, 3e-4 and 1e-4 (a new one 5.2 dB, at 3e-3). Topaz's small U-Net reached 12.6, 13.2, 14.0 and 13.7 dB after 60
steps at 1e-3, 3e-4, 1e-4 and 3e-5, and at 1e-3 it had to learn all anew. One seed each; SNR in the grey levels of each.
"""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    steps : int
        Batches in all.
    batch : int
        Crops per batch.
    crop : int
        Side of the crops in pixels.
    learning_rate : float or None
        At its highest; it rises linearly at first and falls as a cosine to zero. None: `LEARNING_RATE`, or
        `FINE_TUNING_RATE` for a network that has been trained before.
    channels : tuple of int
        Of the levels of the network; of no effect when one that has been trained before is given.
    pixel_size : float or None
        Å/px that the network works at: each half is resampled before it is normalised. None: that of the
        model to begin with, or as the micrographs are.
    seed : int
        Of the first weights and of the crops.
    """

    steps: int = 450
    batch: int = 8
    crop: int = 256
    learning_rate: float | None = None
    channels: tuple[int, ...] = (32, 48, 64, 96)
    pixel_size: float | None = None
    seed: int = 0


def train(
    manifest: str | Path,
    settings: TrainingSettings,
    *,
    out: str | Path,
    device: torch.device | str = "cpu",
    parent: Model | None = None,
) -> Model:
    """Train a model on a frozen training set, and write it with its card, ``training.csv`` and ``samples/``.

    The same manifest, settings, device and number of threads give the same bytes, also when training was
    killed and started again: it goes on from the last checkpoint in `out`.

    Parameters
    ----------
    manifest : str or Path
        As `training_set.write_manifest` wrote it; its paths are relative to the working directory.
    settings : TrainingSettings
        How.
    out : str or Path
        Folder of the model.
    device : torch.device or str
        Where to compute. Of several processes (see `processes`), each takes its part of every batch.
    parent : Model, optional
        To begin with instead of a new network (fine-tuning); it is left as it is.

    Returns
    -------
    Model
        The trained model, as `load_model` gives it.

    Raises
    ------
    UsageError
        When there is nothing to train on or to hold out, memory is too small, or `out` holds a model trained
        otherwise.
    BadFileError
        When a half is missing or has changed.
    DeviceError
        When memory runs out after all.
    CryopairError
        When loss or weights are not finite, again and again.
    """
    out = Path(out)
    pairs = read_manifest(manifest)
    training, held_out = ([pair for pair in pairs if pair.validate is role] for role in (False, True))
    if not training or not held_out:
        raise UsageError(
            f"{manifest}: has {len(training)} pairs to train on and {len(held_out)} to "
            "validate with; at least one of each is needed, since a model's error on the pairs it was trained "
            "on says nothing."
        )
    settings = _settled(settings, parent)
    card: Card = {
        "pixel_size": working_pixel_size(pairs, settings.pixel_size),
        "settings": asdict(settings) | {"channels": list(settings.channels)},
        "manifest_sha256": file_hash(manifest),
        "pairs": {"train": len(training), "validate": len(held_out)},
    }
    if parent:
        card["parent_sha256"] = parent.card["sha256"]
    if _is_trained(out, card):
        (out / CHECKPOINT).unlink(missing_ok=True)  # in case that it was killed between its last two acts
        return load_model(out)
    with processes.joined(torch.device(device)) as place, _deterministic(place, settings.seed):
        network = deepcopy(parent.network) if parent else UNet(channels=settings.channels)
        _optimise(network.to(place).train(), training, _spread(held_out), settings, card, out=out, device=place)
        return load_model(out)


def _optimise(
    network: Network,
    training: Sequence[TrainingPair],
    held_out: Sequence[TrainingPair],
    settings: TrainingSettings,
    card: Card,
    *,
    out: Path,
    device: torch.device,
) -> None:
    """Train a network, from the last checkpoint if there is one, and write the model."""
    pairs = [*training, *held_out]
    shapes = [working_shape(pair, card["pixel_size"]) for pair in pairs]
    side = crop_side(shapes, settings.crop, network.grid)
    part = processes.part(settings.batch)
    needed = memory.estimate(
        pairs, network, pixel_size=card["pixel_size"], crops=part.stop - part.start, side=side, device=device
    )
    if processes.is_first():
        height, width = max(shapes, key=np.prod)
        print(
            f"training on {len(training)} pairs, {len(held_out)} held out, {width} x {height} px at "
            f"{card['pixel_size']:.3g} Å/px: about {needed.total() / memory.GB:.1f} GB of memory, "
            f"{settings.steps} steps of {settings.batch} crops of {side} px",
            file=sys.stderr,
        )
    memory.check(needed, device)

    opened = open_pairs(pairs, network, pixel_size=card["pixel_size"])
    batches = Batches(opened[: len(training)], side=side, size=settings.batch, seed=settings.seed, part=part)
    trainer = Trainer(
        network,
        steps=settings.steps,
        learning_rate=settings.learning_rate or LEARNING_RATE,
        batch=settings.batch,
        device=device,
        new="parent_sha256" not in card,
    )
    if checkpoint := read_checkpoint(out / CHECKPOINT, card):
        trainer.restore(checkpoint)
    with tqdm(
        total=settings.steps,
        initial=trainer.progress.step,
        desc="train",
        unit="step",
        file=sys.stderr,
        disable=not processes.is_first(),
    ) as bar:
        records = Records(out, card, opened[len(training) :], bar)
        try:
            for step in trainer.run(batches, report=records.report, keep=records.keep):
                bar.update(step - bar.n)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise DeviceError(
                f"{device}: not enough memory to train on after step {trainer.progress.step}. Wait until other "
                "programs have ended, then repeat the command: it goes on from its last checkpoint."
            ) from None
    records.finish(trainer)
    processes.wait()


def _settled(settings: TrainingSettings, parent: Model | None) -> TrainingSettings:
    """Return the settings with nothing left open."""
    if not parent:
        return replace(settings, learning_rate=settings.learning_rate or LEARNING_RATE)
    return replace(
        settings,
        learning_rate=settings.learning_rate or FINE_TUNING_RATE,
        channels=(),
        pixel_size=settings.pixel_size or parent.pixel_size,
    )


def _spread(held_out: Sequence[TrainingPair]) -> list[TrainingPair]:
    """Return at most `VALIDATION_PAIRS`, evenly spread, so that all datasets have their share."""
    count = min(len(held_out), VALIDATION_PAIRS)
    return [held_out[place * len(held_out) // count] for place in range(count)]


def _is_trained(folder: Path, card: Card) -> bool:
    """Whether a folder holds the model already; one that was trained otherwise is refused, before time is spent."""
    if not (folder / CARD).exists():
        return False
    existing = read_card(folder / CARD)
    differing = [key for key in [*card, "parent_sha256"] if existing.get(key) != card.get(key)]
    if differing:
        raise UsageError(
            f"{folder}: holds a model trained with other {', '.join(dict.fromkeys(differing))}, and is never "
            "overwritten. Train into another folder."
        )
    return (folder / WEIGHTS).exists()


@contextmanager
def _deterministic(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch for the block; on a GPU also use only algorithms that give equal bits each time."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            if device.type == "cuda":
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else its products of matrices are not
                torch.use_deterministic_algorithms(True, warn_only=True)
                torch.backends.cudnn.benchmark = False
            yield
        finally:
            torch.use_deterministic_algorithms(before[0])
            torch.backends.cudnn.benchmark = before[1]
