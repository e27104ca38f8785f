"""The denoise stage: micrographs with half-sums in, denoised micrographs out."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from ..errors import BadFileError
from ..formats.mrc import DENOISED_LABEL, read_mrc, write_mrc
from ..micrographs import Micrographs, Row, mirrored, process
from .inference import denoise_micrograph, micrographs_in_work
from .model import Ensemble, Model

COLUMNS = ("rlnMicrographNameDenoised", "cryopairModel")
What = Literal["sum", "halves", "both"]
COARSER = 1.1
"""A model may be used on pixels larger than those it was trained at by this factor; finer ones are resampled."""


def denoise_micrographs(
    micrographs: Micrographs,
    model: Model | Ensemble,
    *,
    out: str | Path,
    what: What = "sum",
    device: torch.device | str = "cpu",
) -> Micrographs:
    """Denoise micrographs; the results have the grey levels and background of the raw full sums.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``; or without, then the micrographs are denoised.
    model : Model or Ensemble
        Its networks are moved to `device`.
    out : str or Path
        Folder below which the images go, mirroring the raw micrographs' folders; relative to the project.
    what : {"sum", "halves", "both"}
        What the network is given: the sum of the halves, or each half, whose results are added, or all three.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Micrographs
        With ``rlnMicrographNameDenoised`` and ``cryopairModel`` (its hash).

    Warns
    -----
    UserWarning
        When the pixels are coarser than those of the training data.
    """
    out = Path(out)
    warn_pixel_size(micrographs, model)

    def work(row: Row) -> Mapping[str, object]:
        path = out / f"{mirrored(row['rlnMicrographName'])}.mrc"
        pixel_size = micrographs.pixel_size(row)

        def denoised(image: npt.NDArray, name: str) -> npt.NDArray[np.float32]:
            return denoise_micrograph(image, model, pixel_size=pixel_size, device=device, name=name)

        if "rlnMicrographNameEven" in row:
            result = _of_halves(row, denoised, what=what)
        else:
            result = denoised(read_mrc(row["rlnMicrographName"]), row["rlnMicrographName"])
        write_mrc(
            path,
            result,
            pixel_size=pixel_size,
            labels=(DENOISED_LABEL, f"cryopair: model {model.hash}"),
        )
        return dict(zip(COLUMNS, (path.as_posix(), model.hash), strict=True))

    return process(micrographs, "denoise", work, columns=COLUMNS, workers=micrographs_in_work(device))


def _of_halves(
    row: Row, denoised: Callable[[npt.NDArray, str], npt.NDArray[np.float32]], *, what: What
) -> npt.NDArray[np.float32]:
    names = [row[f"rlnMicrographName{half}"] for half in ("Even", "Odd")]
    even, odd = map(read_mrc, names)
    if even.shape != odd.shape:
        raise BadFileError(names[1], f"has shape {odd.shape}", expected=f"{even.shape}, as {names[0]} has")
    results = []
    if what in ("sum", "both"):
        results.append(denoised(even + odd, row["rlnMicrographName"]))
    if what in ("halves", "both"):
        results.append(denoised(even, names[0]) + denoised(odd, names[1]))
    return reduce(np.add, results) / np.float32(len(results))


def warn_pixel_size(micrographs: Micrographs, model: Model | Ensemble) -> None:
    """Warn of each optics group whose pixels are coarser than those the model was trained at, where that is known."""
    for optics, member in itertools.product(micrographs.optics.rows(), model.members):
        pixel_size = float(optics["rlnMicrographPixelSize"])
        if member.pixel_size and pixel_size > COARSER * member.pixel_size:
            warnings.warn(
                f"optics group {optics['rlnOpticsGroup']} has {pixel_size:g} Å/px, but model {member.hash} was "
                f"trained at {member.pixel_size:g} Å/px: expect worse results, or train a model on these data.",
                stacklevel=2,
            )
