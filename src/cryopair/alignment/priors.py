"""What is known of motion before looking: paths bend little, most at the beginning, and the ice bends smoothly.

How little and how smoothly is chosen for each movie, as the strength under which what was measured is the most
probable (the evidence). A movie with strong signal is hardly smoothed, one of mere noise does not move.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_BENDS = 2.0 ** np.arange(-6, 5)
_LATE_BEND, _EARLY_BEND = 0.1, 1.5  # Å per frame², times one of _BENDS
_SETTLING_DOSE = 4.0  # e/Å²
_STEP = 10.0  # Å per frame; a bound where nothing else is known
_AMPLITUDES = 2.0 ** np.arange(4)  # Å

SPACE_TERMS, TIME_TERMS = 5, 3
"""Of the local model: x, x², y, y², xy, and τ, τ², τ³. RELION's constant in space is in the global shifts."""


def path_precision(measured: Array, variance: float, doses: Array) -> Array:
    """Return the precision matrix of a path's prior.

    Steps from frame to frame change by random amounts, larger while the specimen settles under the first
    few e/Å².

    Parameters
    ----------
    measured : numpy.ndarray
        Shape ``(frames, 2)``: the path as the frames alone have it, in Å.
    variance : float
        Of each of its coordinates, in Å².
    doses : numpy.ndarray
        At the frames, in e/Å².

    Returns
    -------
    numpy.ndarray
        Shape ``(frames, frames)``, in 1/Å². A constant is free.
    """
    frames = len(measured)
    difference = np.diff(np.eye(frames), axis=0)
    bend = np.diff(np.eye(frames - 1), axis=0)
    usual = _LATE_BEND + _EARLY_BEND * np.exp(-doses[1:-1] / _SETTLING_DOSE)
    noise = variance * difference @ difference.T
    candidates = [np.eye(frames - 1) / _STEP**2 + (bend.T / (scale * usual) ** 2) @ bend for scale in _BENDS]
    best = max(candidates, key=lambda q: _log_evidence(difference @ measured, np.linalg.inv(q) + noise))
    return difference.T @ best @ difference


def local_precision(measured: Array, covariance: Array) -> Array:
    """Return the precision matrix of the prior of the local model's coefficients.

    Each term of space moves as a polynomial q(τ) in relative time, with the prior
    ``exp(-∫ q'(τ)² dτ / 2 a²)``: little motion in all, at whatever time.

    Parameters
    ----------
    measured : numpy.ndarray
        Shape ``(15, 2)``: the coefficients as the frames alone have them, in Å.
    covariance : numpy.ndarray
        Of each axis, shape ``(15, 15)``, in Å².

    Returns
    -------
    numpy.ndarray
        Shape ``(15, 15)``, in 1/Å².
    """
    power = np.arange(1, TIME_TERMS + 1)
    motion = np.kron(np.eye(SPACE_TERMS), np.outer(power, power) / (power[:, None] + power - 1))
    spread = np.linalg.inv(motion)
    best = max(_AMPLITUDES, key=lambda a: _log_evidence(measured, a**2 * spread + covariance))
    return motion / best**2


def _log_evidence(values: Array, covariance: Array) -> float:
    """Return the log-density of columns of normal values, but for a constant."""
    _, log_determinant = np.linalg.slogdet(covariance)
    return -0.5 * float((values * np.linalg.solve(covariance, values)).sum() + values.shape[1] * log_determinant)
