"""Options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

STAR_HELP = "micrographs STAR file, of RELION or of the stage before"


def add_config(sub: argparse.ArgumentParser) -> None:
    """Add the option of the commands that read the settings."""
    sub.add_argument("--config", default="config/config.yaml", help="settings (default: %(default)s)")


def add_model(sub: argparse.ArgumentParser) -> None:
    """Add the option of the commands that denoise."""
    sub.add_argument(
        "--model",
        action="append",
        required=True,
        help="folder of a model, or topaz:NAME (unet, unet-small, fcnn, affine, unet-v0.2.1) with the weights of an "
        "installed Topaz; the results of several are averaged: --model A --model B",
    )


def add_device(sub: argparse.ArgumentParser) -> None:
    """Add the option of the commands that can use a GPU."""
    sub.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 … (default: a GPU if there is one)")


def device_of(options: argparse.Namespace) -> torch.device:
    """Return the device that was chosen; of several GPUs the one that fewest of our processes have."""
    from ..device import choose_device, least_taken

    return least_taken(choose_device(options.device))


def add_diameter(sub: argparse.ArgumentParser) -> None:
    """Add the option of the commands that look at particles on micrographs."""
    sub.add_argument(
        "--diameter", type=float, required=True, metavar="Å", help="particle diameter; of a long particle, its length"
    )


def add_dose_weighting(
    sub: argparse.ArgumentParser, what: str = "whether the micrographs are dose-weighted sums"
) -> None:
    """Add the option of the commands that sum frames."""
    sub.add_argument(
        "--dose-weighting", action=argparse.BooleanOptionalAction, default=True, help=f"{what} (default: yes)"
    )


def add_output(sub: argparse.ArgumentParser) -> None:
    """Add the option of the commands that work on a session's results as a whole."""
    sub.add_argument("--output", type=Path, required=True, help="output folder of the session")
