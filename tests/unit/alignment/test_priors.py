"""The strength of the priors follows what was measured."""

import numpy as np
import pytest

from cryopair.alignment.priors import local_precision, path_precision

FRAMES = 20
DOSES = 1.2 * np.arange(FRAMES)


def smoothed(measured: np.ndarray, variance: float) -> np.ndarray:
    precision = path_precision(measured, variance, DOSES)
    return np.linalg.solve(np.eye(FRAMES) / variance + precision, measured / variance)


def test_a_steady_path_is_freed_of_noise() -> None:
    random = np.random.default_rng(0)
    path = np.linspace([0, 0], [15, -8], FRAMES)
    measured = path + random.normal(size=path.shape)
    assert np.abs(smoothed(measured, 1.0) - path).std() < 0.5 * np.abs(measured - path).std()


def test_a_rough_path_that_is_measured_well_is_kept() -> None:
    path = np.cumsum(np.random.default_rng(0).normal(size=(FRAMES, 2)), axis=0)
    assert smoothed(path, 1e-4) == pytest.approx(path, abs=0.02)


def test_a_constant_costs_nothing() -> None:
    precision = path_precision(np.random.default_rng(0).normal(size=(FRAMES, 2)), 1.0, DOSES)
    assert precision @ np.full(FRAMES, 100.0) == pytest.approx(np.zeros(FRAMES), abs=1e-6)


def test_without_a_dose_all_frames_are_alike() -> None:
    precision = path_precision(np.random.default_rng(0).normal(size=(FRAMES, 2)), 1.0, np.zeros(FRAMES))
    assert precision == pytest.approx(precision[::-1, ::-1])


def test_local_motion_is_penalised_by_its_speed() -> None:
    """1 - (1 - τ)³ costs 9/5 of what τ costs: the integral of the squared speed."""
    precision = local_precision(np.zeros((15, 2)), np.eye(15))
    steady, early = (np.kron(np.eye(5)[0], term) for term in ([1, 0, 0], [3, -3, 1]))
    assert early @ precision @ early == pytest.approx(9 / 5 * (steady @ precision @ steady))


def test_strong_local_motion_is_believed_when_measured_well() -> None:
    strong = 20 * np.random.default_rng(0).normal(size=(15, 2))
    assert local_precision(strong, 1e-4 * np.eye(15))[0, 0] < local_precision(0 * strong, 1e-4 * np.eye(15))[0, 0]
