"""All that a training writes into the folder of its model: ``training.csv``, samples, checkpoints, the model."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ...formats.atomic import write_text
from ..card import Card
from ..model import save_model
from . import processes
from .checkpoint import CHECKPOINT, Checkpoint, write_checkpoint
from .pairs import OpenPair
from .samples import write_sample
from .trainer import Trainer
from .validation import validate

HISTORY = "training.csv"


class Records:
    """The folder of a model in training; only the first of several processes writes.

    Parameters
    ----------
    folder : Path
        Of the model.
    card : dict
        What makes the training what it is.
    held_out : sequence of OpenPair
        To look at in each report.
    bar : tqdm
        Shows the last report.
    """

    def __init__(self, folder: Path, card: Card, held_out: Sequence[OpenPair], bar: tqdm) -> None:
        self._folder, self._card, self._held_out, self._bar = folder, card, held_out, bar

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in the place of the last one."""
        if processes.is_first():
            write_checkpoint(self._folder / CHECKPOINT, checkpoint, self._card)

    def report(self, trainer: Trainer) -> dict[str, float]:
        """Look at the held-out pairs; write a sample and ``training.csv``; return the new line of it."""
        if not processes.is_first():
            return {}
        step = trainer.progress.step
        seen = validate(trainer.averaged, self._held_out, device=trainer.device)
        self._bar.set_postfix_str(f"SNR {seen.snr_db:.2f} dB, excess {seen.excess:.4f}")
        write_sample(self._folder, step, trainer.averaged, self._held_out[0], device=trainer.device)
        line = {
            "step": step,
            "learning_rate": trainer.rate,
            "train_loss": float(np.mean(trainer.progress.losses)),
            "validation_mse": seen.mse,
            "validation_excess": seen.excess,
            "validation_snr_db": seen.snr_db,
        }
        write_text(self._folder / HISTORY, _csv([*trainer.progress.history, line]))
        return line

    def finish(self, trainer: Trainer) -> None:
        """Write the model, and remove what is only needed to go on."""
        if not processes.is_first():
            return
        last = trainer.progress.history[-1]
        snr = last["validation_snr_db"]
        validation = {
            "excess_mse": last["validation_excess"],
            "mse": last["validation_mse"],
            "snr_db": None if math.isnan(snr) else snr,
        }
        results = {"rollbacks": trainer.progress.rollbacks, "validation": validation}
        save_model(self._folder, trainer.averaged.eval(), self._card | results)
        (self._folder / CHECKPOINT).unlink(missing_ok=True)


def _csv(history: Sequence[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    for line in history:
        writer.writerow({key: "" if value != value else f"{value:.6g}" for key, value in line.items()})
    return text.getvalue()
