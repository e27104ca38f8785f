"""Signal-to-noise ratios before and after denoising, with bias, from the spectra of the halves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .spectra import Ring, Spectra

MUCH_LOST, MUCH_INVENTED = 0.5, 0.25
"""Shares of the signal power that may be lost (a good guess is cautious) and invented before images mislead."""
CAMERA_PATTERN = 0.02
"""Correlation of the raw halves near Nyquist above which the camera's pattern is in both."""

_BAND = 2000
"""Fourier coefficients in a band at least: enough to tell a signal of 1/20 of the noise."""
_SIGNIFICANT = 3.0  # standard deviations of a band's signal power above 0
_NEAR_NYQUIST = 0.9  # of it


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
        What the denoiser lost or made up: the sum of the next two.
    lost_power, invented_power : float
        Signal that the denoiser took away, and what it put into both halves that is not signal; see `split_bias`.
    excess_error_power : float
        Mean square error of a denoised half against the signal: residual noise and bias. It is the Noise2Noise
        error, ``var(De - Ro)``, less the noise power of Ro.
    corr_near_nyquist : float
        Correlation of the raw halves in the outermost tenth of frequencies. No specimen has signal there: what
        correlates is the camera's, a gain or hot pixels that were not corrected.
    """

    corr_even_odd: float
    corr_even_odd_denoised: float
    signal_power: float
    noise_power: float
    residual_noise_power: float
    bias_power: float
    lost_power: float
    invented_power: float
    excess_error_power: float
    corr_near_nyquist: float

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

    @property
    def lost_db(self) -> float:
        """Lost signal over signal in dB."""
        return decibels(self.lost_power, self.signal_power)

    @property
    def invented_db(self) -> float:
        """What was made up over signal in dB."""
        return decibels(self.invented_power, self.signal_power)

    @property
    def concerns(self) -> tuple[str, ...]:
        """What is wrong with the denoised micrograph or its halves, in words; empty if nothing is known to be.

        ``blurred``: more than `MUCH_LOST` of the signal was taken away. ``invented``: what was made up has more than
        `MUCH_INVENTED` of the signal's power. ``camera pattern``: the halves share what is no signal, and all figures
        flatter the denoiser.
        """
        found = {
            "blurred": self.lost_power > MUCH_LOST * self.signal_power,
            "invented": self.invented_power > MUCH_INVENTED * self.signal_power,
            "camera pattern": self.corr_near_nyquist > CAMERA_PATTERN,
        }
        return tuple(name for name, present in found.items() if present)


def summarise(spectra: Spectra) -> Quality:
    """Add up the rings of a micrograph's spectra."""
    signal, noise = float(spectra.signal.sum()), float(spectra.noise.sum())
    residual, bias = float(spectra.residual.sum()), float(spectra.bias.sum())
    survived = float((spectra.denoised - spectra.residual).sum())
    lost, invented = split_bias(spectra)
    outermost = spectra.frequency >= _NEAR_NYQUIST * spectra.frequency[-1]
    return Quality(
        corr_even_odd=_share(signal, signal + noise),
        corr_even_odd_denoised=_share(survived, survived + residual),
        signal_power=signal,
        noise_power=noise,
        residual_noise_power=residual,
        bias_power=bias,
        lost_power=lost,
        invented_power=invented,
        excess_error_power=residual + bias,
        corr_near_nyquist=_share(
            float(spectra.signal[outermost].sum()), float((spectra.signal + spectra.noise)[outermost].sum())
        ),
    )


def split_bias(spectra: Spectra) -> tuple[float, float]:
    """Tell what the denoiser lost from what it made up.

    In each band of frequencies, what survives in both denoised halves is projected on the signal: with
    ``a = cov(D, R') / signal`` it is ``a`` times the signal, and a rest that has nothing to do with it. So
    ``bias = (1 - a)² signal + rest``, where the first is lost (or exaggerated) and the rest is made up,
    ``cov(De, Do) - a² signal``. Where there is no signal to speak of, all of it counts as lost.

    Returns
    -------
    tuple of float
        Powers of both; they add up to the bias.
    """
    lost = 0.0
    signal, noise, kept = (_in_bands(ring, spectra) for ring in (spectra.signal, spectra.noise, spectra.kept))
    coefficients = _in_bands(spectra.coefficients.astype(np.float64), spectra)
    for power, error, left in zip(signal, noise / np.sqrt(coefficients), kept, strict=True):
        lost += (power - left) ** 2 / power if power > _SIGNIFICANT * error and power > 0 else power
    return float(lost), float(spectra.bias.sum() - lost)


def _in_bands(ring: Ring, spectra: Spectra) -> Ring:
    """Add up rings in bands of at least `_BAND` coefficients, the last of which may have fewer."""
    band = (np.cumsum(spectra.coefficients) - 1) // _BAND
    _, starts = np.unique(band, return_index=True)
    return np.asarray(np.add.reduceat(ring, starts), np.float64)


def decibels(power: float, reference: float) -> float:
    """Return ``10 log10(power / reference)``; NaN when either is not above zero, as estimates can be."""
    if power <= 0 or reference <= 0:
        return math.nan
    return 10 * math.log10(power / reference)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
