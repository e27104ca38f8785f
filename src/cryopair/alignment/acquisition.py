"""What the files of a movie do not say: how it was recorded, and what to make of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..camera.gain import orient_gain
from ..camera.references import is_falcon_gain, read_reference
from ..errors import BadFileError, UsageError
from ..formats.movies import EER_SUFFIXES, EerRendering, open_movie
from ..formats.mrc import write_mrc
from ..formats.star import Table
from ..micrographs import Row
from ..motion import Motion
from .estimate import MIN_FRAMES

IN_OPTICS = {
    "pixel_size": "rlnMicrographOriginalPixelSize",
    "voltage": "rlnVoltage",
    "spherical_aberration": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
}


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """How movies were recorded, and how to sum them.

    Attributes
    ----------
    pixel_size : float or None
        Of the frames, in Å/px. This and the next three are for tables that do not have them in their optics
        groups; those that do must agree.
    voltage : float or None
        In kV.
    spherical_aberration : float or None
        In mm.
    amplitude_contrast : float or None
        From 0 to 1.
    dose_per_frame, pre_exposure : float
        In e/Å²; of EER movies, per grouped frame.
    gain : str or None
        The gain reference, as the camera's computer wrote it.
    gain_rotation, gain_flip : int
        What brings it onto the frames, see `camera.gain.orient_gain`.
    defects : str or None
        Defect list or map.
    eer : EerRendering or None
        For EER movies.
    binning : float
        Raw pixels per micrograph pixel and axis.
    first_frame : int
        1-based.
    last_frame : int or None
        1-based, None for the last of the movie.
    """

    pixel_size: float | None = None
    voltage: float | None = None
    spherical_aberration: float | None = None
    amplitude_contrast: float | None = None
    dose_per_frame: float = 0.0
    pre_exposure: float = 0.0
    gain: str | None = None
    gain_rotation: int = 0
    gain_flip: int = 0
    defects: str | None = None
    eer: EerRendering | None = None
    binning: float = 1.0
    first_frame: int = 1
    last_frame: int | None = None

    def with_oriented_gain(self, folder: Path) -> Acquisition:
        """Write the gain as it lies on the frames to ``<folder>/gain.mrc``, as RELION does, if it must be turned.

        Raises
        ------
        BadFileError, UsageError
            When the gain cannot be read, or its rotation or flip is none that there is.
        """
        if self.gain is None or not (self.gain_rotation or self.gain_flip):
            return self
        gain = orient_gain(read_reference(self.gain), rotation=self.gain_rotation, flip=self.gain_flip)
        if self.eer is not None and is_falcon_gain(self.gain):
            # As MRC it will be taken, with EER movies, for a reference to divide by.
            gain = np.divide(1, gain, out=np.zeros_like(gain), where=gain != 0)
        path = folder / "gain.mrc"
        write_mrc(path, gain, pixel_size=self.pixel_size or 1.0)
        return replace(self, gain=str(path), gain_rotation=0, gain_flip=0)

    def still(self, row: Row, optics: Row, *, root: Path) -> Motion:
        """Return a movie without motion: its shifts are 0.

        Parameters
        ----------
        row : mapping of str to str
            With ``rlnMicrographMovieName``; a ``rlnMicrographPreExposure`` of its own is added.
        optics : mapping of str to str
            Its optics group, from `completed`.
        root : Path
            Project folder.

        Raises
        ------
        BadFileError
            When the movie cannot be opened, or is too short.
        """
        name = row["rlnMicrographMovieName"]
        with open_movie(root / name, eer=self.eer) as movie:
            frames, height, width = movie.shape
        used = range(self.first_frame - 1, min(self.last_frame or frames, frames))
        if len(used) < MIN_FRAMES:
            raise BadFileError(
                root / name,
                f"has {frames} frames, {len(used)} of them from {self.first_frame} to {self.last_frame or 'the last'}",
                expected=f"at least {MIN_FRAMES}",
            )
        shifts = np.full((frames, 2), np.nan)
        shifts[used] = 0
        return Motion(
            movie=name,
            frames=frames,
            height=height,
            width=width,
            pixel_size=float(optics["rlnMicrographOriginalPixelSize"]),
            binning=self.binning,
            dose_per_frame=self.dose_per_frame,
            pre_exposure=self.pre_exposure + float(row.get("rlnMicrographPreExposure", 0)),
            voltage=float(optics["rlnVoltage"]),
            first_frame=self.first_frame,
            global_shifts=shifts,
            gain=self.gain,
            defects=self.defects,
            eer=self.eer if Path(name).suffix.lower() in EER_SUFFIXES else None,
        )

    def completed(self, optics: Table) -> Table:
        """Return optics groups of micrographs: with what was not in those of the movies, and the pixel size.

        Raises
        ------
        UsageError
            When a value is missing, or is another than in the table.
        """
        table = optics.select(range(len(optics)))
        for name, label in IN_OPTICS.items():
            given = getattr(self, name)
            if label in table:
                other = [value for value in table[label] if given is not None and abs(float(value) - given) > 1e-4]
                if other:
                    raise UsageError(
                        f"acquisition: {_said(name)} is {given:g}, but {other[0]} in the movies' optics groups "
                        f"(_{label}). Leave it out, or correct the table."
                    )
            elif given is not None:
                table[label] = [float(given)] * len(table)
            elif name in ("pixel_size", "voltage"):
                raise UsageError(f"acquisition: the {_said(name)} is not known: the movies' table has no _{label}.")
        table = table.without("rlnMicrographPixelSize")  # RELION writes it last
        table["rlnMicrographPixelSize"] = table.floats("rlnMicrographOriginalPixelSize") * self.binning
        return table


def _said(name: str) -> str:
    return name.replace("_", " ")
