"""Denoising plain images, outside of any workflow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from ..errors import UsageError
from ..formats.mrc import DENOISED_LABEL, read_mrc, read_mrc_info, write_mrc
from .inference import denoise_micrograph
from .model import Ensemble, Model


def denoise_files(
    images: Sequence[Path], model: Model | Ensemble, *, out: Path, device: torch.device | str = "cpu"
) -> None:
    """Denoise images as they are and write them to a folder under their own names.

    An image whose header has no pixel size is taken to have the model's.

    Parameters
    ----------
    images : sequence of Path
        MRC files.
    model : Model or Ensemble
        Its networks are moved to `device`.
    out : Path
        Folder for the results.
    device : torch.device or str
        Where to compute.

    Raises
    ------
    UsageError
        When two images have the same name, or `out` is where they lie: inputs are never written to.
    """
    targets = [out / image.name for image in images]
    if len(set(targets)) < len(targets):
        twice = next(target.name for target in targets if targets.count(target) > 1)
        raise UsageError(f"two of the images are called {twice}; denoise them into different folders.")
    for image, target in zip(images, targets, strict=True):
        if image.resolve() == target.resolve():
            raise UsageError(f"{image}: the result would replace the input; choose another --out.")
    for image, target in zip(tqdm(images, desc="denoise", unit="mic", file=sys.stderr), targets, strict=True):
        pixel_size = read_mrc_info(image).pixel_size
        if not pixel_size:  # unset in the header: take it to be the model's
            pixel_size = model.members[0].pixel_size or 1.0
        denoised = denoise_micrograph(read_mrc(image), model, pixel_size=pixel_size, device=device, name=image)
        labels = (DENOISED_LABEL, f"cryopair: model {model.hash}")
        write_mrc(target, denoised, pixel_size=read_mrc_info(image).pixel_size, labels=labels)
