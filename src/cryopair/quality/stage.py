"""The measure stage: how good the denoised micrographs are, one row a micrograph."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch

from ..denoiser.inference import denoise_normalised
from ..denoiser.model import Model
from ..denoiser.normalise import Normalisation
from ..errors import BadFileError
from ..formats.atomic import write_text
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row, process
from .snr import Quality, summarise
from .spectra import Spectra, measure_spectra

WINDOW = 1024
"""Side of the central window that is measured, in pixels."""

_POWERS = ("signal", "noise", "residual_noise", "bias", "excess_error")


def measure_micrographs(
    micrographs: Micrographs, model: Model, *, out_csv: str | Path, device: torch.device | str = "cpu"
) -> Micrographs:
    """Measure SNR, bias and even/odd correlation of micrographs, raw and denoised.

    The halves of the central window are denoised again, each by itself, with the normalisation of the whole
    image; the denoised sum on disk cannot tell noise from bias.

    Parameters
    ----------
    micrographs : Micrographs
        With ``rlnMicrographNameEven`` and ``rlnMicrographNameOdd``.
    model : Model
        Its network is moved to `device`.
    out_csv : str or Path
        One row a micrograph; the curves by spatial frequency go to ``<name>_rings.csv`` beside it.
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

    def work(row: Row) -> Mapping[str, object]:
        spectra = _measure(row, model, pixel_size=micrographs.pixel_size(row), device=device)
        summaries.append({"micrograph": row["rlnMicrographName"], **_figures(summarise(spectra))})
        curves.extend({"micrograph": row["rlnMicrographName"], **ring} for ring in _rings(spectra))
        return {}

    measured = process(micrographs, "measure", work, columns=())
    write_text(out_csv, _csv(summaries))
    write_text(out_csv.with_name(f"{out_csv.stem}_rings.csv"), _csv(curves))
    return measured


def _measure(row: Row, model: Model, *, pixel_size: float, device: torch.device | str) -> Spectra:
    even, odd = row["rlnMicrographNameEven"], row["rlnMicrographNameOdd"]
    images = read_mrc(even), read_mrc(odd)
    if images[0].shape != images[1].shape:
        raise BadFileError(odd, f"has shape {images[1].shape}", expected=f"{images[0].shape}, as {even} has")
    height, width = images[0].shape
    y, x = max(0, height - WINDOW) // 2, max(0, width - WINDOW) // 2
    first, second = (
        Normalisation.of(image, name=path).apply(image[y : y + WINDOW, x : x + WINDOW], origin=(y, x))
        for image, path in zip(images, (even, odd), strict=True)
    )
    denoised = (
        denoise_normalised(first, model.network, device=device),
        denoise_normalised(second, model.network, device=device),
    )
    return measure_spectra((first, second), denoised, pixel_size=pixel_size)


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
