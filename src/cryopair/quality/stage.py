"""The measure stage: how good the denoised micrographs are, one row a micrograph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from ..denoiser.inference import micrographs_in_work
from ..denoiser.model import Ensemble, Model
from ..denoiser.sampling import resampled_shape
from ..denoiser.training.training_set import TrainingPair
from ..formats.atomic import write_text
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row, process
from .baselines import baselines
from .patterns import grid_peak_db, seam
from .snr import Quality, summarise
from .spectra import Spectra, measure_spectra
from .tables import format_table
from .windows import Halves, central, mean_halves, read_halves, windows_of

_POWERS = ("signal", "noise", "residual_noise", "bias", "lost", "invented", "excess_error")


@dataclass(frozen=True)
class _Result:
    """What was measured of a micrograph: rows of the three tables."""

    figures: dict[str, object]
    rings: list[dict[str, object]]
    filters: list[dict[str, object]]


def measure_micrographs(
    micrographs: Micrographs,
    model: Model | Ensemble,
    *,
    out_csv: str | Path,
    training_set: Sequence[TrainingPair] = (),
    with_baselines: bool = False,
    device: torch.device | str = "cpu",
) -> Micrographs:
    """Measure SNR, bias and even/odd correlation of micrographs, raw and denoised.

    The halves are denoised again, each by itself, since the denoised image on disk cannot tell noise from bias; the
    central window of each is measured. The denoised image on disk is searched for seams and for traces of the
    network's grid.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``; without, nothing can be measured, and the tables
        have no rows. With ``rlnMicrographNameDenoised`` if these are to be looked for.
    model : Model or Ensemble
        Its networks are moved to `device`. Of several, it is also measured how much they disagree.
    out_csv : str or Path
        One row a micrograph; the curves by spatial frequency go to ``<name>_rings.csv`` beside it.
    training_set : sequence of TrainingPair
        What the model was trained on, if that may be among the micrographs: their figures flatter it.
    with_baselines : bool
        Measure simple filters too, into ``<name>_baselines.csv``: of each kind the one with the highest SNR
        on that micrograph.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Micrographs
        Those that could be measured, unchanged, and all failures so far.
    """
    out_csv = Path(out_csv)
    results: dict[str, _Result] = {}
    roles = {pair.micrograph: "validation" if pair.validate else "train" for pair in training_set}

    def work(row: Row) -> Mapping[str, object]:
        name, pixel_size = row["rlnMicrographName"], micrographs.pixel_size(row)
        paths = row["rlnMicrographNameEven"], row["rlnMicrographNameOdd"]
        raw, members = windows_of(read_halves(*paths), paths, model, pixel_size=pixel_size, device=device)
        spectra = measure_spectra(raw, mean_halves(members), pixel_size=pixel_size)
        quality = summarise(spectra)
        row_of_figures = {"micrograph": name, "used_for_training": roles.get(name, "none"), **_figures(quality)}
        if len(members) > 1:
            row_of_figures["disagreement_power_std2"] = disagreement_power(members)
        row_of_figures |= _patterns(row, model, pixel_size=pixel_size)
        filters = _best_filters(raw, pixel_size=pixel_size) if with_baselines else ()
        results[name] = _Result(
            row_of_figures,
            rings=[{"micrograph": name, **ring} for ring in _rings(spectra)],
            filters=[{"micrograph": name, **best} for best in filters],
        )
        return {}

    measured = micrographs
    if "rlnMicrographNameEven" in micrographs.table:
        measured = process(micrographs, "measure", work, columns=(), workers=micrographs_in_work(device))
    ordered = [results[name] for name in measured.table["rlnMicrographName"] if name in results]
    write_text(out_csv, format_table([result.figures for result in ordered]))
    rings = out_csv.with_name(f"{out_csv.stem}_rings.csv")
    write_text(rings, format_table([ring for result in ordered for ring in result.rings]))
    if with_baselines:
        filters = out_csv.with_name(f"{out_csv.stem}_baselines.csv")
        write_text(filters, format_table([row for result in ordered for row in result.filters]))
    return measured


def disagreement_power(members: Sequence[Halves]) -> float:
    """Return the mean square of what models (or seeds) make of the same half, about their mean: what cannot be trusted.

    Parameters
    ----------
    members : sequence of tuple of numpy.ndarray
        Even and odd denoised half of each model, in units of the noise.
    """
    return float(np.mean([np.var(halves, axis=0, ddof=1).mean() for halves in zip(*members, strict=True)]))


def _patterns(row: Row, model: Model | Ensemble, *, pixel_size: float) -> dict[str, object]:
    """Look for traces of the network's grid and of tiles in the denoised image, where there is one."""
    if "rlnMicrographNameDenoised" not in row:
        return {}
    image = read_mrc(row["rlnMicrographNameDenoised"])
    peaks = [
        grid_peak_db(image[central(image.shape)], _grid_period(image.shape, member, pixel_size=pixel_size))
        for member in model.members
        if member.network.grid > 1
    ]
    worst, place = seam(image)
    return {"grid_peak_db": max(peaks, default=math.nan), "seam_std": worst, "seam_at": place}


def _grid_period(shape: tuple[int, ...], model: Model, *, pixel_size: float) -> tuple[float, float]:
    """Return the period of a network's grid along y and x, in pixels of the micrograph."""
    height, width = shape
    working = resampled_shape((height, width), pixel_size=pixel_size, target=model.pixel_size or pixel_size)
    return model.network.grid * height / working[0], model.network.grid * width / working[1]


def _best_filters(raw: Halves, *, pixel_size: float) -> Iterable[dict[str, object]]:
    """Measure simple filters; of each kind, give the figures of the one with the highest SNR."""
    best: dict[str, tuple[str, Quality]] = {}
    for kind, setting, work in baselines(*raw):
        quality = summarise(measure_spectra(raw, (work(raw[0]), work(raw[1])), pixel_size=pixel_size))
        # An SNR that cannot be estimated is NaN, which is above nothing.
        if kind not in best or not quality.snr_denoised_db <= best[kind][1].snr_denoised_db:
            best[kind] = setting, quality
    for kind, (setting, quality) in best.items():
        yield {"filter": kind, "setting": setting, **_figures(quality)}


def _figures(quality: Quality) -> dict[str, object]:
    """Name the figures with their units; powers are in squared units of the standard deviation of a raw half."""
    values = asdict(quality)
    return {
        "snr_raw_db": quality.snr_raw_db,
        "snr_denoised_db": quality.snr_denoised_db,
        "concerns": "; ".join(quality.concerns),
        "bias_db": quality.bias_db,
        "lost_db": quality.lost_db,
        "invented_db": quality.invented_db,
        "corr_even_odd": quality.corr_even_odd,
        "corr_even_odd_denoised": quality.corr_even_odd_denoised,
        "corr_near_nyquist": quality.corr_near_nyquist,
        **{f"{name}_power_std2": values[f"{name}_power"] for name in _POWERS},
    }


def _rings(spectra: Spectra) -> Iterable[dict[str, object]]:
    for ring, frequency in enumerate(spectra.frequency):
        yield {
            "spatial_frequency_per_A": frequency,
            "coefficients": int(spectra.coefficients[ring]),
            "frc_raw": spectra.frc_raw[ring],
            "frc_denoised": spectra.frc_denoised[ring],
            "frc_denoised_raw": spectra.frc_denoised_raw[ring],
            "signal_power_std2": spectra.signal[ring],
            "noise_power_std2": spectra.noise[ring],
            "residual_noise_power_std2": spectra.residual[ring],
            "bias_power_std2": spectra.bias[ring],
        }
