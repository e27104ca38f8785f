"""What each method did to each micrograph, in numbers.

Denoised halves are measured as in ``cryopair measure``: each half was denoised by itself, so that noise that was left
differs between the two and is told from bias. A denoised micrograph by itself cannot be measured: its noise is that of
both halves, so it has no independent partner, and any figure taken from it would reward noise that was kept. It is
shown, and scored only against the truth of simulated data.

Programs write grey levels of their own. A denoised half from a folder is therefore multiplied by the one number that
brings it nearest to the other raw half, ``a = cov(D, R') / var(D)``; the noise of R' is in no way in D.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..denoiser.normalise import Normalisation
from ..errors import BadFileError
from ..formats.mrc import read_mrc
from ..micrographs import Micrographs, Row, mirrored
from ..quality.against_truth import snr_db_against_truth
from ..quality.baselines import baselines
from ..quality.snr import Quality, summarise
from ..quality.spectra import measure_spectra
from ..quality.windows import Halves, Image, Window, central, denoised_window, normalised_window, read_halves
from .methods import Denoiser, Method, denoised_micrograph, read_denoised_halves

RAW = "raw"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One method on one micrograph; what cannot be known is NaN.

    Attributes
    ----------
    micrograph, method : str
        Which.
    setting : str
        Of a simple filter.
    trained_on : bool
        Whether the model is known to have been trained on this micrograph.
    snr_raw, snr, bias, lost, invented : float
        In dB, as in ``quality.csv``; the SNR is that of the denoised sum of the halves.
    grey_scale : float
        What the grey levels were multiplied by.
    truth : float
        SNR of the denoised micrograph against its truth, in dB.
    """

    micrograph: str
    method: str
    setting: str = ""
    trained_on: bool = False
    snr_raw: float = math.nan
    snr: float = math.nan
    bias: float = math.nan
    lost: float = math.nan
    invented: float = math.nan
    grey_scale: float = 1.0
    truth: float = math.nan

    @property
    def gain(self) -> float:
        """What denoising added to the SNR, in dB."""
        return self.snr - self.snr_raw


def measure_methods(
    micrographs: Micrographs,
    row: Row,
    methods: Sequence[Method],
    *,
    truth: Path | None = None,
    device: torch.device | str = "cpu",
) -> list[Figures]:
    """Measure one micrograph: raw, simple filters (of each kind the one with the highest SNR), and all methods.

    Parameters
    ----------
    micrographs : Micrographs
        The list that the row is of.
    row : Row
        With both halves.
    methods : sequence of Method
        Of folders, `Folder.check` has been called.
    truth : Path, optional
        Folder of noise-free images under the names of the micrographs, of simulated data.
    device : torch.device or str
        Where models compute.
    """
    name, pixel_size = row["rlnMicrographName"], micrographs.pixel_size(row)
    images = read_halves(row["rlnMicrographNameEven"], row["rlnMicrographNameOdd"])
    levels = tuple(Normalisation.of(image, name=name) for image in images)
    window = central(images[0].shape)
    raw = _pair(normalised_window(image, level, window) for image, level in zip(images, levels, strict=True))
    ideal = _truth(truth, name, images[0].shape) if truth else None

    def quality(denoised: Halves) -> Quality:
        return summarise(measure_spectra(raw, denoised, pixel_size=pixel_size))

    def against_truth(image: Image) -> float:
        return math.nan if ideal is None else snr_db_against_truth(image, ideal, pixel_size=pixel_size)

    before = quality(raw)
    found = [
        Figures(
            micrograph=name,
            method=RAW,
            snr_raw=before.snr_raw_db,
            snr=before.snr_raw_db,
            truth=against_truth(images[0] + images[1]),
        )
    ]
    best: dict[str, tuple[Quality, str, Callable[[Image], Image]]] = {}
    for kind, setting, work in baselines(*raw):
        new = quality((work(raw[0]), work(raw[1])))
        if kind not in best or not new.snr_denoised_db <= best[kind][0].snr_denoised_db:
            best[kind] = new, setting, work
    whole = [level.apply(image) for image, level in zip(images, levels, strict=True)]
    for kind, (after, setting, work) in best.items():
        truth_snr = math.nan
        if ideal is not None and kind != "Wiener":  # which is fitted to the window's frequencies
            truth_snr = against_truth(_sum(levels[n].undo(work(whole[n])) for n in (0, 1)))
        found.append(_figures(name, kind, after, setting=setting, truth=truth_snr))
    for method in methods:
        score = math.nan
        if ideal is not None:
            score = against_truth(denoised_micrograph(method, row, pixel_size=pixel_size, device=device))
        if isinstance(method, Denoiser):
            after = quality(
                _pair(
                    denoised_window(image, method.model, level, window, pixel_size=pixel_size, device=device)[0]
                    for image, level in zip(images, levels, strict=True)
                )
            )
            figures = _figures(name, method.name, after, truth=score, trained_on=name in method.trained_on)
        elif halves := read_denoised_halves(method, row):
            denoised, scale = _in_grey_levels_of(images, halves, levels, window, pixel_size=pixel_size)
            figures = _figures(name, method.name, quality(denoised), truth=score, grey_scale=scale)
        else:
            figures = Figures(micrograph=name, method=method.name, snr_raw=before.snr_raw_db, truth=score)
        found.append(figures)
    return found


def _in_grey_levels_of(
    raw: Halves, denoised: Halves, levels: Sequence[Normalisation], window: Window, *, pixel_size: float
) -> tuple[Halves, float]:
    """Return windows of denoised halves as those of the raw ones are, and what they were multiplied by.

    Each loses the slow part of its own background. The coarse shape of contamination, which the raw halves lost too, is
    taken away after scaling.
    """
    slow = [_without_contamination(level) for level in levels]
    scales = [np.float32(level.scale) for level in levels]
    own = [_without_contamination(Normalisation.of(image, name="denoised half")) for image in denoised]

    def flat(images: Halves, backgrounds: Sequence[Normalisation]) -> Halves:
        return _pair(
            ((image - background.background())[window] / scale).astype(np.float32)
            for image, background, scale in zip(images, backgrounds, scales, strict=True)
        )

    after = flat(denoised, own)
    spectra = measure_spectra(flat(raw, slow), after, pixel_size=pixel_size)
    power = float(spectra.denoised.sum())
    scale = float(spectra.kept.sum()) / power if power > 0 else 0.0
    scaled = _pair(
        image * np.float32(scale) - (level.background() - smooth.background())[window] / size
        for image, level, smooth, size in zip(after, levels, slow, scales, strict=True)
    )
    return scaled, scale


def _without_contamination(levels: Normalisation) -> Normalisation:
    return replace(levels, outstanding=np.zeros_like(levels.outstanding))


def _truth(folder: Path, name: str, shape: tuple[int, ...]) -> Image:
    path = folder / f"{mirrored(name)}.mrc"
    image = read_mrc(path)
    if image.shape != shape:
        raise BadFileError(path, f"has shape {image.shape}", expected=f"{shape}, as the halves of {name} have")
    return image


def _figures(
    name: str,
    method: str,
    quality: Quality,
    *,
    setting: str = "",
    trained_on: bool = False,
    grey_scale: float = 1.0,
    truth: float = math.nan,
) -> Figures:
    return Figures(
        micrograph=name,
        method=method,
        setting=setting,
        trained_on=trained_on,
        snr_raw=quality.snr_raw_db,
        snr=quality.snr_denoised_db,
        bias=quality.bias_db,
        lost=quality.lost_db,
        invented=quality.invented_db,
        grey_scale=grey_scale,
        truth=truth,
    )


def _pair(images: Iterable[Image]) -> Halves:
    even, odd = images
    return even, odd


def _sum(images: Iterable[Image]) -> Image:
    even, odd = images
    return even + odd


def columns(figures: Figures) -> dict[str, object]:
    """Return the figures named with their units, for CSV."""
    values = asdict(figures)
    units = {name: f"{name}_db" for name in ("snr_raw", "bias", "lost", "invented")}
    units |= {"snr": "snr_denoised_db", "truth": "snr_against_truth_db"}
    return {units.get(name, name): value for name, value in values.items()} | {"gain_db": figures.gain}
