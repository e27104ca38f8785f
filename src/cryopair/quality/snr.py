"""Signal-to-noise ratios before and after denoising, with bias, from the spectra of the halves."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .spectra import Spectra


@dataclass(frozen=True)
class Quality:
    """Figures of one micrograph; powers are sums over the rings, in units of the normalised noise.

    Attributes
    ----------
    corr_even_odd : float
        Correlation of the raw halves.
    corr_even_odd_denoised : float
        Correlation of the denoised halves.
    signal_power, noise_power : float
        Of a raw half.
    residual_noise_power : float
        Noise left in a denoised half.
    bias_power : float
        What the denoiser lost or made up.
    excess_error_power : float
        Mean square error of a denoised half against the signal: residual noise and bias.
    """

    corr_even_odd: float
    corr_even_odd_denoised: float
    signal_power: float
    noise_power: float
    residual_noise_power: float
    bias_power: float
    excess_error_power: float

    @property
    def snr_raw_db(self) -> float:
        """SNR of the raw full sum in dB: adding the halves halves the noise power against the signal."""
        return decibels(self.signal_power, self.noise_power / 2)

    @property
    def snr_denoised_db(self) -> float:
        """SNR of the denoised full sum in dB, where bias counts as noise (and is not halved)."""
        return decibels(self.signal_power, self.residual_noise_power / 2 + self.bias_power)

    @property
    def bias_db(self) -> float:
        """Bias over signal in dB: -3 dB means that half of the signal power was lost or replaced."""
        return decibels(self.bias_power, self.signal_power)


def summarise(spectra: Spectra) -> Quality:
    """Add up the rings of a micrograph's spectra."""
    signal, noise = float(spectra.signal.sum()), float(spectra.noise.sum())
    residual, bias = float(spectra.residual.sum()), float(spectra.bias.sum())
    survived = float((spectra.denoised - spectra.residual).sum())
    return Quality(
        corr_even_odd=_share(signal, signal + noise),
        corr_even_odd_denoised=_share(survived, survived + residual),
        signal_power=signal,
        noise_power=noise,
        residual_noise_power=residual,
        bias_power=bias,
        excess_error_power=residual + bias,
    )


def decibels(power: float, reference: float) -> float:
    """Return ``10 log10(power / reference)``; NaN when either is not above zero, as estimates can be."""
    if power <= 0 or reference <= 0:
        return math.nan
    return 10 * math.log10(power / reference)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
