"""What is compared: folders of images that a program denoised, and models that denoise here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..denoiser.inference import denoise_micrograph
from ..denoiser.model import Model, load_model
from ..denoiser.training.training_set import file_hash, read_manifest
from ..errors import BadFileError, UsageError
from ..formats.mrc import read_mrc
from ..micrographs import Row, mirrored
from ..quality.windows import Halves

EVEN, ODD = "_EVN", "_ODD"


@dataclass(frozen=True)
class Folder:
    """Images that a program wrote.

    For a micrograph ``MotionCorr/job002/Movies/a.mrc`` they are ``Movies/a.mrc`` or ``a.mrc`` (the denoised micrograph)
    and ``a_EVN.mrc`` and ``a_ODD.mrc`` beside it (the two halves, each denoised by itself), or ``a.mrc`` in the folders
    ``<path>_even`` and ``<path>_odd``. Nothing else is taken for it.

    Attributes
    ----------
    name : str
        For the tables.
    path : Path
        The folder.
    """

    name: str
    path: Path

    def check(self, names: Sequence[str]) -> None:
        """Make sure that each micrograph has an image, and all of them halves if one of them has.

        Raises
        ------
        BadFileError
            When something is missing.
        UsageError
            When two micrographs would share one image.
        """
        owners: dict[Path, str] = {}
        halved = [name for name in names if self.halves(name)]
        for name in names:
            image = self.image(name)
            if halved and not self.halves(name):
                raise BadFileError(
                    self.path,
                    f"has denoised halves of {halved[0]}, but none of {name}",
                    expected=f"{mirrored(name).name}{EVEN}.mrc and {ODD}.mrc",
                    fix="Denoise the halves of all micrographs, or of none.",
                )
            if image is None and not halved:
                raise BadFileError(
                    self.path,
                    f"has no image of {name}",
                    expected=f"{mirrored(name)}.mrc or {mirrored(name).name}.mrc in it",
                    fix="Names are never guessed: link the images under those of the micrographs.",
                )
            for path in filter(None, (image, *(self.halves(name) or ()))):
                if path in owners:
                    raise UsageError(
                        f"{path}: would be the denoised image of both {owners[path]} and {name}. "
                        f"Sort the images into folders as those of the micrographs: {mirrored(name)}.mrc."
                    )
                owners[path] = name

    def image(self, name: str) -> Path | None:
        """Return the denoised micrograph, if it is there."""
        return next((path for path in self._places(self.path, name, "") if path.is_file()), None)

    def halves(self, name: str) -> tuple[Path, Path] | None:
        """Return both denoised halves, if they are there."""
        even, odd = (self.path.with_name(self.path.name + half) for half in ("_even", "_odd"))
        for one, other, endings in (
            (self.path, self.path, (EVEN, ODD)),
            (even, odd, (EVEN, ODD)),
            (even, odd, ("", "")),
        ):
            pairs = zip(self._places(one, name, endings[0]), self._places(other, name, endings[1]), strict=True)
            for pair in pairs:
                if pair[0].is_file() and pair[1].is_file():
                    return pair
        return None

    @staticmethod
    def _places(folder: Path, name: str, ending: str) -> Iterator[Path]:
        below = mirrored(name)
        yield folder / f"{below}{ending}.mrc"
        if len(below.parts) > 1:
            yield folder / f"{below.name}{ending}.mrc"


@dataclass(frozen=True)
class Denoiser:
    """A model that denoises here.

    Attributes
    ----------
    name : str
        For the tables.
    model : Model
        Its network is moved to the device.
    trained_on : frozenset of str
        Micrographs that it was trained on, as far as that is known.
    """

    name: str
    model: Model
    trained_on: frozenset[str] = frozenset()


Method = Folder | Denoiser


def read_denoiser(path: str, *, name: str = "") -> Denoiser:
    """Read a model, and find its training set if it lies where cryopair has put it.

    Parameters
    ----------
    path : str
        Folder of the model, or ``topaz:NAME``.
    name : str
        For the tables; the model's own if empty.
    """
    model = load_model(path)
    trained_on: set[str] = set()
    for manifest in Path(path).resolve().parent.parent.glob("training/*/manifest.star"):
        if file_hash(manifest) == model.card.get("manifest_sha256"):
            trained_on = {pair.micrograph for pair in read_manifest(manifest) if not pair.validate}
    return Denoiser(name or (path if ":" in path else Path(path).name), model, frozenset(trained_on))


def denoised_micrograph(
    method: Method, row: Row, *, pixel_size: float, device: torch.device | str
) -> npt.NDArray[np.float32]:
    """Return a whole denoised micrograph, for the eye; the sum of the denoised halves where there is no other."""
    name = row["rlnMicrographName"]
    if isinstance(method, Denoiser):
        whole = read_mrc(row["rlnMicrographNameEven"]) + read_mrc(row["rlnMicrographNameOdd"])
        return denoise_micrograph(whole, method.model, pixel_size=pixel_size, device=device, name=name)
    if image := method.image(name):
        return read_like(image, row)
    halves = read_denoised_halves(method, row)
    assert halves is not None  # Folder.check
    return halves[0] + halves[1]


def read_denoised_halves(folder: Folder, row: Row) -> Halves | None:
    """Read the denoised halves of a micrograph, if there are any."""
    halves = folder.halves(row["rlnMicrographName"])
    return None if halves is None else (read_like(halves[0], row), read_like(halves[1], row))


def read_like(path: Path, row: Row) -> npt.NDArray[np.float32]:
    """Read a denoised image.

    Raises
    ------
    BadFileError
        When it has not the size of the micrograph's halves.
    """
    image, even = read_mrc(path), row["rlnMicrographNameEven"]
    shape = read_mrc(even).shape
    if image.shape != shape:
        raise BadFileError(
            path,
            f"has shape {image.shape}",
            expected=f"{shape}, as {even} has",
            fix="Only images of one size can be compared: denoise without binning, or resample the result.",
        )
    return image
