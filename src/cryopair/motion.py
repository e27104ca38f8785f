"""The motion of one movie, as RELION's MotionCorr job stores it in its per-movie STAR.

Signs, units and index order follow RELION (``micrograph_model.cpp``, ``motioncorr_runner.cpp``):

- a shift is what is *added* to the position of the image content, ``aligned(x) = raw(x - shift)``;
- ``data_global_shift`` is in pixels of the raw movie, whatever the binning;
- ``data_local_motion_model`` is in pixels of the grid that the fit was made on: binned pixels when
  RELION binned early (its default), raw pixels otherwise. The file does not say which; `read_motion`
  finds out from the observed patch shifts, which are always in raw pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import BadFileError
from .formats.movies import EerRendering
from .formats.star import Table, read_star, require, write_star

UNOBSERVED = -9999.0
"""RELION's mark for the shift of a frame that was not used."""

_GENERAL = (
    "rlnImageSizeX",
    "rlnImageSizeY",
    "rlnImageSizeZ",
    "rlnMicrographMovieName",
    "rlnMicrographBinning",
    "rlnMicrographOriginalPixelSize",
    "rlnMicrographDoseRate",
    "rlnMicrographPreExposure",
    "rlnVoltage",
    "rlnMicrographStartFrame",
    "rlnMotionModelVersion",
)

EARLY_DOSE = 4.0
"""In e/Å²: where RELION's MotionCorr jobs divide early from late motion (``--dose_motionstats_cutoff``)."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """One movie's acquisition and motion.

    Attributes
    ----------
    movie : str
        Path of the movie, relative to the project.
    frames, height, width : int
        Size of the raw movie.
    pixel_size : float
        Of the raw movie, in Å/px.
    binning : float
        Raw pixels per micrograph pixel and axis.
    dose_per_frame, pre_exposure : float
        In e/Å².
    voltage : float
        In kV.
    first_frame : int
        1-based number of the first frame used.
    global_shifts : numpy.ndarray
        Shape ``(frames, 2)``, x and y in raw pixels; NaN for frames that were not used.
    local_coefficients : numpy.ndarray or None
        Shape ``(2, 6, 3)``: axis (x, y), spatial term (1, x, x², y, y², xy), power of t (1, 2, 3).
    early_binning : bool
        Whether frames are binned before they are aligned, RELION's default. The local model is in pixels
        of the grid that the frames are aligned on. Without effect when `binning` is 1.
    gain, defects : str or None
        Paths of the gain reference and the defect file.
    hot_pixels : numpy.ndarray
        Shape ``(n, 2)``, x and y of the hot pixels found in this movie.
    eer : EerRendering or None
        How frames are made of an EER movie; None for other movies.
    local_motion_lost : bool
        Whether local motion was observed, but no model of it was stored: by the wrapper of MotionCor2, or
        because RELION rejected its fit. Only the global part can be undone.
    """

    movie: str
    frames: int
    height: int
    width: int
    pixel_size: float
    binning: float = 1.0
    dose_per_frame: float
    pre_exposure: float = 0.0
    voltage: float
    first_frame: int = 1
    global_shifts: npt.NDArray[np.float64]
    local_coefficients: npt.NDArray[np.float64] | None = None
    early_binning: bool = True
    gain: str | None = None
    defects: str | None = None
    hot_pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    eer: EerRendering | None = None
    local_motion_lost: bool = False

    @property
    def used_frames(self) -> range:
        """0-based indices of the frames that were used."""
        used = np.flatnonzero(np.isfinite(self.global_shifts[:, 0]))
        return range(int(used[0]), int(used[-1]) + 1)

    @property
    def path_lengths(self) -> tuple[float, float]:
        """Early and late length of the path of the whole frames, in Å; all of it is late if the dose is not known.

        As RELION's ``rlnAccumMotion*``: a step is early if the later of its frames, counted from 1 in the movie, is not
        beyond ``(EARLY_DOSE - pre-exposure) / dose per frame``.
        """
        used = np.array(self.used_frames)
        steps = np.linalg.norm(np.diff(self.global_shifts[used], axis=0), axis=1) * self.pixel_size
        early = (used[1:] + 1) * self.dose_per_frame <= EARLY_DOSE - self.pre_exposure
        early &= self.dose_per_frame > 0
        return float(steps[early].sum()), float(steps[~early].sum())

    @property
    def micrograph_shape(self) -> tuple[int, int]:
        """``(height, width)`` of the micrograph: raw size over binning, cut to whole pixels."""
        return int(self.height / self.binning), int(self.width / self.binning)

    @property
    def micrograph_pixel_size(self) -> float:
        """Of the micrograph, in Å/px."""
        return self.pixel_size * self.binning

    def local_terms(self, frame: int) -> npt.NDArray[np.float64]:
        """Return the local shift of a frame as a polynomial in space.

        Parameters
        ----------
        frame : int
            0-based frame number in the movie.

        Returns
        -------
        numpy.ndarray
            Shape ``(2, 6)``: for x and y, coefficients of 1, x, x², y, y², xy in pixels of the grid that
            the frames are aligned on, where x and y run over -0.5 … 0.5 across the image. Time counts
            frames from the first one used (RELION: ``t = frame - first_frame``), so that one has none.
        """
        if self.local_coefficients is None:
            return np.zeros((2, 6))
        time = frame + 1 - self.first_frame
        return self.local_coefficients @ np.array([time, time**2, time**3], dtype=np.float64)


def read_motion(path: str | Path) -> Motion:
    """Read a per-movie motion STAR of RELION 3.1, 4 or 5.

    Parameters
    ----------
    path : str or Path
        For instance ``MotionCorr/job002/Movies/a.star``.

    Raises
    ------
    BadFileError
        When the file is missing, is not such a STAR, or contradicts itself.
    """
    blocks = read_star(path)
    try:
        return _motion_of(path, blocks)
    except ValueError as error:
        raise BadFileError(path, f"holds a value that is no number ({error})") from None


def _motion_of(path: str | Path, blocks: dict[str, Table]) -> Motion:
    general = require(path, blocks, "general", *_GENERAL, fix="Is it a motion STAR of a MotionCorr job?").row(0)
    _check_positive(path, general)
    shifts = require(
        path, blocks, "global_shift", "rlnMicrographFrameNumber", "rlnMicrographShiftX", "rlnMicrographShiftY"
    )
    frames = int(float(general["rlnImageSizeZ"]))
    numbers = shifts.ints("rlnMicrographFrameNumber")
    if not np.array_equal(numbers, np.arange(1, frames + 1)):
        raise BadFileError(path, f"lists {len(numbers)} frames in data_global_shift", expected=f"frames 1 to {frames}")
    global_shifts = np.stack([shifts.floats("rlnMicrographShiftX"), shifts.floats("rlnMicrographShiftY")], axis=1)
    global_shifts[(global_shifts == UNOBSERVED).any(axis=1)] = np.nan
    if not np.isfinite(global_shifts).all(axis=1).any():
        raise BadFileError(
            path,
            f"gives no motion: all shifts are {UNOBSERVED:.0f}",
            fix="MotionCor2 1.5 and later leave such files when RELION cannot read their log: align this movie again.",
        )
    _check_used(path, global_shifts)
    coefficients = _read_coefficients(path, blocks, int(float(general["rlnMotionModelVersion"])))
    motion = Motion(
        movie=general["rlnMicrographMovieName"],
        frames=frames,
        height=int(float(general["rlnImageSizeY"])),
        width=int(float(general["rlnImageSizeX"])),
        pixel_size=float(general["rlnMicrographOriginalPixelSize"]),
        binning=float(general["rlnMicrographBinning"]),
        dose_per_frame=float(general["rlnMicrographDoseRate"]),
        pre_exposure=float(general["rlnMicrographPreExposure"]),
        voltage=float(general["rlnVoltage"]),
        first_frame=int(float(general["rlnMicrographStartFrame"])),
        global_shifts=global_shifts,
        local_coefficients=coefficients,
        gain=general.get("rlnMicrographGainName") or None,
        defects=general.get("rlnMicrographDefectFile") or None,
        hot_pixels=_read_hot_pixels(blocks),
        eer=_read_eer(path, general),
        local_motion_lost=coefficients is None and "local_shift" in blocks,
    )
    return _with_aligned_grid(motion, blocks)


def _check_positive(path: str | Path, general: dict[str, str]) -> None:
    labels = "ImageSizeX", "ImageSizeY", "MicrographBinning", "MicrographOriginalPixelSize", "Voltage"
    for label in labels:
        if not 0 < float(general[f"rln{label}"]) < np.inf:
            raise BadFileError(path, f"gives _rln{label} {general[f'rln{label}']}", expected="a number above 0")


def _check_used(path: str | Path, shifts: npt.NDArray[np.float64]) -> None:
    used = np.flatnonzero(np.isfinite(shifts).all(axis=1))
    missing = np.setdiff1d(np.arange(used[0], used[-1]), used)
    if len(missing):
        raise BadFileError(path, f"gives no shift of frame {missing[0] + 1}", expected="shifts without a gap")


def _read_coefficients(path: str | Path, blocks: dict[str, Table], version: int) -> npt.NDArray[np.float64] | None:
    if version == 0:
        return None
    if version != 1:
        raise BadFileError(path, f"has motion model version {version}", expected="0 (none) or 1 (third order)")
    model = require(path, blocks, "local_motion_model", "rlnMotionModelCoeffsIdx", "rlnMotionModelCoeff")
    if not np.array_equal(model.ints("rlnMotionModelCoeffsIdx"), np.arange(36)):
        raise BadFileError(path, f"has {len(model)} motion coefficients", expected="36, numbered from 0")
    return model.floats("rlnMotionModelCoeff").reshape(2, 6, 3)


def _read_eer(path: str | Path, general: dict[str, str]) -> EerRendering | None:
    labels = "rlnEERGrouping", "rlnEERUpsampling"
    given = [label for label in labels if label in general]
    if not given:
        return None
    if len(given) < len(labels):
        raise BadFileError(path, f"gives _{given[0]} alone", expected=" and ".join(f"_{label}" for label in labels))
    grouping, upsampling = (int(float(general[label])) for label in labels)
    return EerRendering(grouping=grouping, upsampling=upsampling)


def _read_hot_pixels(blocks: dict[str, Table]) -> npt.NDArray[np.int64]:
    if "hot_pixels" not in blocks:
        return np.zeros((0, 2), np.int64)
    hot = blocks["hot_pixels"]
    return np.stack([hot.ints("rlnCoordinateX"), hot.ints("rlnCoordinateY")], axis=1)


def _with_aligned_grid(motion: Motion, blocks: dict[str, Table]) -> Motion:
    """Find on which grid the frames were aligned, by regressing the observed patch shifts on the local model.

    The observed shifts are in raw pixels, so the slope is the binning when the model is in binned
    pixels, and 1 when it is in raw pixels. RELION's fit takes a frame at its middle, t + 0.5, though the
    model is applied at t (``motioncorr_runner.cpp``), so the regression does too.
    """
    if motion.local_coefficients is None or abs(motion.binning - 1) < 0.01 or "local_shift" not in blocks:
        return motion
    observed = blocks["local_shift"]
    x = observed.floats("rlnCoordinateX") / motion.width - 0.5
    y = observed.floats("rlnCoordinateY") / motion.height - 0.5
    t = observed.floats("rlnMicrographFrameNumber") - motion.first_frame + 0.5
    space = np.stack([np.ones_like(x), x, x**2, y, y**2, x * y])
    time = np.stack([t, t**2, t**3])
    model = np.einsum("asp,sn,pn->an", motion.local_coefficients, space, time)
    seen = np.stack([observed.floats("rlnMicrographShiftX"), observed.floats("rlnMicrographShiftY")])
    power = float((model**2).sum())
    slope = float((model * seen).sum()) / power if power > 0 else motion.binning
    return replace(motion, early_binning=abs(slope - motion.binning) <= abs(slope - 1))


def write_motion(path: str | Path, motion: Motion) -> None:
    """Write a per-movie motion STAR that RELION 3.1 and later read.

    Parameters
    ----------
    path : str or Path
        Written whole or not at all.
    motion : Motion
        Its local model, if any, is written in binned pixels, as RELION's default (early binning) has it.
    """
    general: dict[str, object] = {
        "rlnImageSizeX": motion.width,
        "rlnImageSizeY": motion.height,
        "rlnImageSizeZ": motion.frames,
        "rlnMicrographMovieName": motion.movie,
    }
    if motion.gain:
        general["rlnMicrographGainName"] = motion.gain
    if motion.defects:
        general["rlnMicrographDefectFile"] = motion.defects
    general |= {
        "rlnMicrographBinning": float(motion.binning),
        "rlnMicrographOriginalPixelSize": float(motion.pixel_size),
        "rlnMicrographDoseRate": float(motion.dose_per_frame),
        "rlnMicrographPreExposure": float(motion.pre_exposure),
        "rlnVoltage": float(motion.voltage),
        "rlnMicrographStartFrame": motion.first_frame,
    }
    if motion.eer is not None:
        general |= {"rlnEERUpsampling": motion.eer.upsampling, "rlnEERGrouping": motion.eer.grouping}
    general |= {
        "rlnMotionModelVersion": int(motion.local_coefficients is not None),
    }
    shifts = np.where(np.isfinite(motion.global_shifts), motion.global_shifts, UNOBSERVED)
    blocks = {
        "general": Table({label: [value] for label, value in general.items()}),
        "global_shift": Table(
            {
                "rlnMicrographFrameNumber": range(1, motion.frames + 1),
                "rlnMicrographShiftX": shifts[:, 0],
                "rlnMicrographShiftY": shifts[:, 1],
            }
        ),
    }
    if motion.local_coefficients is not None:
        scale = 1.0 if motion.early_binning else 1.0 / motion.binning
        coefficients = motion.local_coefficients.reshape(36) * scale
        blocks["local_motion_model"] = Table(
            {"rlnMotionModelCoeffsIdx": range(36), "rlnMotionModelCoeff": coefficients}
        )
    if len(motion.hot_pixels):
        blocks["hot_pixels"] = Table(
            {
                "rlnCoordinateX": motion.hot_pixels[:, 0].astype(float),
                "rlnCoordinateY": motion.hot_pixels[:, 1].astype(float),
            }
        )
    write_star(path, blocks, lists=("general",))
