"""The measure stage: how good the denoised micrographs are, one row a micrograph."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..denoiser.inference import denoise_micrograph
from ..denoiser.model import Ensemble, Model
from ..denoiser.normalise import Normalisation
from ..errors import BadFileError
from ..formats.atomic import write_text
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row, process
from .baselines import baselines
from .snr import Quality, summarise
from .spectra import Spectra, measure_spectra

WINDOW = 1024
"""Side of the central window that is measured, in pixels."""

_POWERS = ("signal", "noise", "residual_noise", "bias", "excess_error")

Halves = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def measure_micrographs(
    micrographs: Micrographs,
    model: Model | Ensemble,
    *,
    out_csv: str | Path,
    with_baselines: bool = False,
    device: torch.device | str = "cpu",
) -> Micrographs:
    """Measure SNR, bias and even/odd correlation of micrographs, raw and denoised.

    The halves are denoised again, each by itself, since the denoised image on disk cannot tell noise from bias; the
    central window of each is measured.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``; without, nothing can be measured, and the tables
        have no rows.
    model : Model or Ensemble
        Its networks are moved to `device`.
    out_csv : str or Path
        One row a micrograph; the curves by spatial frequency go to ``<name>_rings.csv`` beside it.
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
    summaries: list[dict[str, object]] = []
    curves: list[dict[str, object]] = []
    filters: list[dict[str, object]] = []

    def work(row: Row) -> Mapping[str, object]:
        micrograph, pixel_size = {"micrograph": row["rlnMicrographName"]}, micrographs.pixel_size(row)
        raw, denoised = _windows(row, model, pixel_size=pixel_size, device=device)
        spectra = measure_spectra(raw, denoised, pixel_size=pixel_size)
        summaries.append({**micrograph, **_figures(summarise(spectra))})
        curves.extend({**micrograph, **ring} for ring in _rings(spectra))
        if with_baselines:
            filters.extend({**micrograph, **best} for best in _best_filters(raw, pixel_size=pixel_size))
        return {}

    measured = micrographs
    if "rlnMicrographNameEven" in micrographs.table:
        measured = process(micrographs, "measure", work, columns=())
    write_text(out_csv, _csv(summaries))
    write_text(out_csv.with_name(f"{out_csv.stem}_rings.csv"), _csv(curves))
    if with_baselines:
        write_text(out_csv.with_name(f"{out_csv.stem}_baselines.csv"), _csv(filters))
    return measured


def _windows(
    row: Row, model: Model | Ensemble, *, pixel_size: float, device: torch.device | str
) -> tuple[Halves, Halves]:
    """Return the central window of the halves, raw and denoised, both without background and in units of the noise."""
    even, odd = row["rlnMicrographNameEven"], row["rlnMicrographNameOdd"]
    images = read_mrc(even), read_mrc(odd)
    if images[0].shape != images[1].shape:
        raise BadFileError(odd, f"has shape {images[1].shape}", expected=f"{images[0].shape}, as {even} has")
    starts = [max(0, size - WINDOW) // 2 for size in images[0].shape]
    window = tuple(slice(start, start + WINDOW) for start in starts)
    windows = []
    for image, path in zip(images, (even, odd), strict=True):
        levels = Normalisation.of(image, name=path)
        raw = levels.apply(image[window], origin=(starts[0], starts[1]))
        denoised = denoise_micrograph(image, model, pixel_size=pixel_size, device=device, name=path)
        windows.append((raw, (denoised - levels.background())[window] / np.float32(levels.scale)))
    (raw_even, denoised_even), (raw_odd, denoised_odd) = windows
    return (raw_even, raw_odd), (denoised_even, denoised_odd)


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
        "bias_db": quality.bias_db,
        "corr_even_odd": quality.corr_even_odd,
        "corr_even_odd_denoised": quality.corr_even_odd_denoised,
        **{f"{name}_power_std2": values[f"{name}_power"] for name in _POWERS},
    }


def _rings(spectra: Spectra) -> Iterable[dict[str, object]]:
    for ring, frequency in enumerate(spectra.frequency):
        yield {
            "spatial_frequency_per_A": frequency,
            "coefficients": int(spectra.coefficients[ring]),
            "frc_raw": spectra.frc_raw[ring],
            "frc_denoised": spectra.frc_denoised[ring],
            "signal_power_std2": spectra.signal[ring],
            "noise_power_std2": spectra.noise[ring],
            "residual_noise_power_std2": spectra.residual[ring],
            "bias_power_std2": spectra.bias[ring],
        }


def _csv(rows: list[dict[str, object]]) -> str:
    """Format rows as CSV; what could not be estimated is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else ["micrograph"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _format(value) for key, value in row.items()})
    return text.getvalue()


def _format(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return value
