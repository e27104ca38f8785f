"""The denoise stage: micrographs with half-sums in, denoised micrographs out."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from ..errors import BadFileError
from ..formats.mrc import DENOISED_LABEL, read_mrc, write_mrc
from ..micrographs import Micrographs, Row, mirrored, process
from .inference import denoise
from .model import Ensemble, Model

COLUMNS = ("rlnMicrographNameDenoised", "cryopairModel")
PIXEL_SIZE_TOLERANCE = 0.05
"""A model may be used at a pixel size that differs by this share from the one it was trained at."""


def denoise_micrographs(
    micrographs: Micrographs, model: Model | Ensemble, *, out: str | Path, device: torch.device | str = "cpu"
) -> Micrographs:
    """Denoise each half of each micrograph and write the sum of the two.

    The halves are denoised, not the full sum, because they have the noise level that the model was trained
    on. The result has the grey levels and background of the raw full sum.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``.
    model : Model or Ensemble
        Its networks are moved to `device`.
    out : str or Path
        Folder below which the images go, mirroring the raw micrographs' folders; relative to the project.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Micrographs
        With ``rlnMicrographNameDenoised`` and ``cryopairModel`` (its hash).

    Warns
    -----
    UserWarning
        When the pixel size is not that of the training data.
    """
    out = Path(out)
    warn_pixel_size(micrographs, model)
    networks = [member.network for member in model.members]

    def work(row: Row) -> Mapping[str, object]:
        path = out / f"{mirrored(row['rlnMicrographName'])}.mrc"
        even, odd = (row[f"rlnMicrographName{half}"] for half in ("Even", "Odd"))
        images = {half: read_mrc(half) for half in (even, odd)}
        if images[even].shape != images[odd].shape:
            raise BadFileError(odd, f"has shape {images[odd].shape}", expected=f"{images[even].shape}, as {even} has")
        first, second = (denoise(image, networks, device=device, name=half) for half, image in images.items())
        write_mrc(
            path,
            first + second,
            pixel_size=micrographs.pixel_size(row),
            labels=(DENOISED_LABEL, f"cryopair: model {model.hash}"),
        )
        return dict(zip(COLUMNS, (path.as_posix(), model.hash), strict=True))

    return process(micrographs, "denoise", work, columns=COLUMNS)


def warn_pixel_size(micrographs: Micrographs, model: Model | Ensemble) -> None:
    """Warn of each optics group whose pixel size the model was not trained at, where that is known."""
    for optics, member in itertools.product(micrographs.optics.rows(), model.members):
        pixel_size = float(optics["rlnMicrographPixelSize"])
        if member.pixel_size and abs(pixel_size / member.pixel_size - 1) > PIXEL_SIZE_TOLERANCE:
            warnings.warn(
                f"optics group {optics['rlnOpticsGroup']} has {pixel_size:g} Å/px, but model {member.hash} was "
                f"trained at {member.pixel_size:g} Å/px: expect worse results, or train a model on these data.",
                stacklevel=2,
            )
