"""Train a denoiser on even/odd pairs (Noise2Noise, Lehtinen et al. 2018; for cryoEM Bepler et al. 2020).

The schedule is fixed and the averaged weights of its end are kept. No checkpoint is chosen by its validation
loss: at the noise of cryoEM that loss is nearly all noise variance (about 0.97 of the total, flat), and the
lowest value is luck. What tells progress is the *excess* of `validate`.
"""

from __future__ import annotations

import copy
import csv
import io
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from ..device import fast_precision
from ..errors import CryopairError, UsageError
from ..formats.atomic import write_text
from .card import CARD, Card, read_card
from .inference import denoise_normalised
from .model import Model, save_model
from .networks.unet import UNet
from .pairs import OpenPair, batches, crop_side, open_pairs
from .training_set import check_pixel_sizes, file_hash, read_manifest

REPORTS = 20
"""Lines in ``training.csv``: times that the held-out pairs are looked at."""
VALIDATION_SIDE = 512
VALIDATION_PAIRS = 8

_WEIGHT_DECAY = 1e-4
_LARGEST_GRADIENT = 1.0
_WARM_UP = 0.05  # of the steps
_AVERAGED = 0.05  # the weights are averaged over about this share of the steps


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
    learning_rate : float
        At its highest; it rises linearly at first and falls as a cosine to zero.
    channels : tuple of int
        Of the levels of the network.
    seed : int
        Of the first weights and of the crops.
    """

    steps: int = 450
    batch: int = 8
    crop: int = 256
    learning_rate: float = 3e-3
    channels: tuple[int, ...] = (32, 48, 64, 96)
    seed: int = 0


@dataclass(frozen=True)
class Validation:
    """How well a network predicts one half from the other, on held-out pairs.

    Attributes
    ----------
    mse : float
        Mean square of prediction minus other half, in squared units of the normalised noise.
    excess : float
        `mse` less the noise variance of the other half, which no prediction can avoid: the mean square
        error of one denoised half against the signal itself. It can come out below zero by chance.
    signal : float
        Signal power: the covariance of the halves.
    """

    mse: float
    excess: float
    signal: float

    @property
    def snr_db(self) -> float:
        """Signal over excess in dB; NaN when either is not above zero."""
        if self.signal <= 0 or self.excess <= 0:
            return math.nan
        return 10 * math.log10(self.signal / self.excess)


def train(
    manifest: str | Path,
    settings: TrainingSettings,
    *,
    out: str | Path,
    device: torch.device | str = "cpu",
) -> Model:
    """Train a model on a frozen training set, and write it with its card and ``training.csv``.

    The same manifest, settings, device and number of threads give the same bytes.

    Parameters
    ----------
    manifest : str or Path
        As `training_set.write_manifest` wrote it; its paths are relative to the working directory.
    settings : TrainingSettings
        How.
    out : str or Path
        Folder of the model.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Model
        The trained model, its network on `device`.

    Raises
    ------
    UsageError
        When there is nothing to train on or to hold out, or `out` holds a model trained otherwise.
    BadFileError
        When a half is missing or has changed.
    CryopairError
        When the loss is not finite.
    """
    pairs = read_manifest(manifest)
    card: Card = {
        "pixel_size": check_pixel_sizes(pairs) if pairs else 0.0,
        "settings": asdict(settings) | {"channels": list(settings.channels)},
        "manifest_sha256": file_hash(manifest),
        "pairs": {"train": sum(not p.validate for p in pairs), "validate": sum(p.validate for p in pairs)},
    }
    if not all(card["pairs"].values()):
        raise UsageError(
            f"{manifest}: has {card['pairs']['train']} pairs to train on and {card['pairs']['validate']} to "
            "validate with; at least one of each is needed, since a model's error on the pairs it was trained "
            "on says nothing."
        )
    _refuse_other(Path(out), card)

    opened = open_pairs(pairs)
    training = [o for o, pair in zip(opened, pairs, strict=True) if not pair.validate]
    held_out = [o for o, pair in zip(opened, pairs, strict=True) if pair.validate]
    with _deterministic(torch.device(device), settings.seed):
        network, history = _optimise(training, held_out, settings, device)

    last = history[-1]
    card["validation"] = {
        "excess_mse": last["validation_excess"],
        "mse": last["validation_mse"],
        "snr_db": None if math.isnan(last["validation_snr_db"]) else last["validation_snr_db"],
    }
    write_text(Path(out) / "training.csv", _csv(history))
    return save_model(out, network, card)


def validate(network: UNet, pairs: Sequence[OpenPair], *, device: torch.device | str = "cpu") -> Validation:
    """Measure a network on the centres of pairs that it was not trained on, in both directions.

    With inputs ``e``, ``o`` and ``f`` the network: ``mse = mean((f(e) - o)² + (f(o) - e)²) / 2``; the noise
    variance, averaged over the halves, is ``mean((e - o)²) / 2``. The noise of the target appears in both
    and cancels, so that the excess is known far better than either.
    """
    sums = np.zeros(4)
    for pair in pairs[:VALIDATION_PAIRS]:
        even, odd = pair.centre(VALIDATION_SIDE, network.grid)
        from_even, from_odd = (denoise_normalised(half, network, device=device) for half in (even, odd))
        mse = np.mean((from_even - odd) ** 2 + (from_odd - even) ** 2, dtype=np.float64) / 2
        noise = np.mean((even - odd) ** 2, dtype=np.float64) / 2
        signal = np.mean((even - even.mean()) * (odd - odd.mean()), dtype=np.float64)
        sums += np.array([mse, noise, signal, 1.0]) * even.size
    mse, noise, signal = sums[:3] / sums[3]
    return Validation(mse=float(mse), excess=float(mse - noise), signal=float(signal))


def _optimise(
    training: Sequence[OpenPair],
    held_out: Sequence[OpenPair],
    settings: TrainingSettings,
    device: torch.device | str,
) -> tuple[UNet, list[dict[str, float]]]:
    """Run the schedule; return the averaged network and the lines of ``training.csv``."""
    network = UNet(channels=settings.channels).to(device)
    averaged = copy.deepcopy(network).requires_grad_(False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, settings.steps))
    side = crop_side([*training, *held_out], settings.crop, network.grid)
    stream = batches(training, side=side, size=settings.batch, generator=np.random.default_rng(settings.seed))
    interval = max(1, settings.steps // REPORTS)
    decay = 1 - 1 / max(1.0, _AVERAGED * settings.steps)
    history: list[dict[str, float]] = []
    losses: list[float] = []
    bar = tqdm(islice(stream, settings.steps), total=settings.steps, desc="train", unit="step", file=sys.stderr)
    for step, (inputs, targets) in enumerate(bar, start=1):
        with fast_precision(torch.device(device)):
            predicted = network(torch.from_numpy(inputs).to(device))
        loss = functional.mse_loss(predicted, torch.from_numpy(targets).to(device))
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise CryopairError(
                f"training: the loss became {losses[-1]} at step {step} of {settings.steps}; train again with a "
                f"learning rate below {settings.learning_rate:g}."
            )
        rate = schedule.get_last_lr()[0]
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimiser.step()
        schedule.step()
        warm = min(decay, step / (step + 10))  # forget the first, random weights soon
        for mean, now in zip(averaged.parameters(), network.parameters(), strict=True):
            mean.lerp_(now.detach(), 1 - warm)
        if step % interval == 0 or step == settings.steps:
            seen = validate(averaged, held_out, device=device)
            bar.set_postfix_str(f"SNR {seen.snr_db:.2f} dB, excess {seen.excess:.4f}")
            history.append(
                {
                    "step": step,
                    "learning_rate": float(rate),
                    "train_loss": float(np.mean(losses)),
                    "validation_mse": seen.mse,
                    "validation_excess": seen.excess,
                    "validation_snr_db": seen.snr_db,
                }
            )
            losses = []
    return averaged.eval(), history


def _rate(step: int, steps: int) -> float:
    """Return the share of the full learning rate at a step: linear warm-up, then a cosine to zero."""
    warm_up = max(1, round(_WARM_UP * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


@contextmanager
def _deterministic(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch for the block; on a GPU also use only algorithms that give equal bits each time."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            if device.type == "cuda":
                torch.use_deterministic_algorithms(True, warn_only=True)
                torch.backends.cudnn.benchmark = False
            yield
        finally:
            torch.use_deterministic_algorithms(before[0])
            torch.backends.cudnn.benchmark = before[1]


def _refuse_other(folder: Path, card: Card) -> None:
    """Refuse a folder whose model was trained otherwise, before the time is spent."""
    if not (folder / CARD).exists():
        return
    existing = read_card(folder / CARD)
    differing = [key for key in card if existing.get(key) != card[key]]
    if differing:
        raise UsageError(
            f"{folder}: holds a model trained with other {', '.join(differing)}, and is never overwritten. "
            "Train into another folder."
        )


def _csv(history: Sequence[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    for line in history:
        writer.writerow({key: "" if value != value else f"{value:.6g}" for key, value in line.items()})
    return text.getvalue()
