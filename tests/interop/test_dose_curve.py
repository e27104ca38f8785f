"""The dose curve of simulated movies: SNR and picks grow with the dose, as the truth says they do."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from cryopair.cli import main
from cryopair.denoiser.model import save_model
from cryopair.denoiser.networks import TopazAffine
from cryopair.denoiser.training.train import TrainingSettings, train
from cryopair.denoiser.training.training_set import freeze_training_set, write_manifest
from cryopair.formats.coordinates import read_coordinate_table
from cryopair.formats.mrc import read_mrc
from cryopair.halves.sums import sum_halves
from cryopair.micrographs import read_micrographs
from cryopair.motion import read_motion
from cryopair.picking.agreement import f1, match_picks
from cryopair.picking.blob import pick_blobs
from cryopair.quality.against_truth import snr_db_against_truth
from cryopair.quality.dose_curve import first_frames
from cryopair.simulate.project import simulate_project

SIGMA = 4.0
"""Of the Gaussian that stands for a denoiser, in pixels."""
PIXEL_SIZE, DIAMETER = 2.0, 150.0


def gaussian_network() -> TopazAffine:
    """A network that is a Gaussian blur."""
    network = TopazAffine()
    (weight,) = (parameter for parameter in network.parameters() if parameter.ndim == 4)
    offsets = torch.arange(weight.shape[-1]) - weight.shape[-1] // 2
    profile = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    kernel = torch.outer(profile, profile)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        weight[0, 0] = kernel / kernel.sum()
    return network


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dose")
    simulate_project(root, movies=2, frames=24, shape=(640, 768), pixel_size=PIXEL_SIZE, dose_per_frame=1.2)
    save_model(root / "model", gaussian_network(), {"pixel_size": None})
    return root


@pytest.fixture(scope="module")
def rows(project: Path) -> list[dict[str, str]]:
    here = Path.cwd()
    os.chdir(project)
    try:
        options = ("--star", "CtfFind/job003/micrographs_ctf.star", "--model", "model", "--diameter", str(DIAMETER))
        assert main(["dose-curve", *options, "--out", "dose", "--movies", "2", "--device", "cpu"]) == 0
    finally:
        os.chdir(here)
    with (project / "dose/dose_curve.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def rows_of_a_trained_model(project: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """A small network, trained on other movies at full dose."""
    here, others, source = Path.cwd(), tmp_path_factory.mktemp("others"), "CtfFind/job003/micrographs_ctf.star"
    simulate_project(others, movies=4, frames=24, shape=(320, 384), pixel_size=PIXEL_SIZE, dose_per_frame=1.2, seed=2)
    try:
        os.chdir(others)
        assert main(["halves", "--star", source, "--out", "halves", "--device", "cpu"]) == 0
        write_manifest("manifest.star", freeze_training_set([read_micrographs(Path("halves/halves.star"))]))
        settings = TrainingSettings(steps=150, batch=4, crop=128, channels=(8, 12, 16), pixel_size=4.0)
        train("manifest.star", settings, out=project / "trained")
        os.chdir(project)
        options = ("--star", source, "--model", "trained", "--diameter", str(DIAMETER), "--out", "trained/dose")
        assert main(["dose-curve", *options, "--movies", "2", "--device", "cpu"]) == 0
    finally:
        os.chdir(here)
    with (project / "trained/dose/dose_curve.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    """Return a figure by movie and dose, shape ``(2, 4)``."""
    return np.array([float(row[name]) for row in rows]).reshape(2, 4)


def test_doses_are_those_of_the_frames(project: Path, rows: list[dict[str, str]]) -> None:
    assert (column(rows, "frames") == [6, 12, 18, 24]).all()
    np.testing.assert_allclose(column(rows, "dose_e_per_A2"), [[7.2, 14.4, 21.6, 28.8]] * 2)
    assert (project / "dose/dose_curve.png").stat().st_size > 5000


def test_snr_grows_with_the_dose_and_ever_less(rows: list[dict[str, str]]) -> None:
    """Doubling the dose of a specimen that nothing damages is 3 dB; radiation takes some of that, and of the denoised
    sums the bias of the filter, which no dose makes smaller."""
    raw, denoised = (column(rows, f"snr_{name}_db").mean(axis=0) for name in ("raw", "denoised"))
    assert (np.diff(raw) > 0).all(), raw
    assert (np.diff(denoised) > 0).all(), denoised
    assert 1.5 < raw[1] - raw[0] < 3.6, raw
    assert raw[3] - raw[1] < raw[1] - raw[0] + 0.5, raw
    assert denoised[3] - denoised[0] < raw[3] - raw[0]
    agreement = column(rows, "f1_with_full_dose")
    assert (agreement[:, 3] == 1).all()
    assert (agreement[:, 2] >= agreement[:, 0] - 0.03).all()


def test_the_trend_is_that_of_the_truth(project: Path, rows: list[dict[str, str]]) -> None:
    """The same sums against the noise-free image and the true positions."""
    true_snr, true_f1 = np.zeros((2, 4)), np.zeros((2, 4))
    for movie in range(2):
        name = f"Movies/mic_{movie + 1:04d}"
        truth = read_mrc(project / f"truth/{name}.mrc")
        table = read_coordinate_table(project / f"truth/{name}.star")
        particles = np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], axis=1)
        motion = read_motion(project / f"MotionCorr/job002/{name}.star")
        for place, share in enumerate((0.25, 0.5, 0.75, 1.0)):
            full = sum_halves(first_frames(motion, share), dose_weighting=True, root=project).full
            true_snr[movie, place] = snr_db_against_truth(full, truth, pixel_size=PIXEL_SIZE)
            with torch.inference_mode():
                blurred = gaussian_network()(torch.from_numpy(full - full.mean())[None, None])[0, 0].numpy()
            found = pick_blobs(blurred, pixel_size=PIXEL_SIZE, diameter=DIAMETER)
            reach = DIAMETER / PIXEL_SIZE / 4
            true_f1[movie, place] = f1(*match_picks(np.stack([found.x, found.y], axis=1), particles, reach))
    measured = column(rows, "snr_raw_db").mean(axis=0)
    gains, true_gains = measured - measured[-1], true_snr.mean(axis=0) - true_snr.mean(axis=0)[-1]
    np.testing.assert_allclose(gains, true_gains, atol=1.0)
    # Where the picks agree with those at full dose as well, they are as good against the truth.
    agreement = column(rows, "f1_with_full_dose").mean(axis=0)
    good = agreement > 0.95
    assert (true_f1.mean(axis=0)[good] > true_f1.mean(axis=0)[-1] - 0.06).all()


def test_a_trained_model_holds_at_lower_doses(rows_of_a_trained_model: list[dict[str, str]]) -> None:
    """It gains at each dose, also at those that it was not trained at, and more where there is more noise to remove."""
    raw, denoised = (column(rows_of_a_trained_model, f"snr_{name}_db").mean(axis=0) for name in ("raw", "denoised"))
    gain = denoised - raw
    assert (gain > 3).all(), gain
    assert (np.diff(raw) > 0).all(), raw
    assert (np.diff(denoised) > 0).all(), denoised
    agreement = column(rows_of_a_trained_model, "f1_with_full_dose").mean(axis=0)
    assert agreement[3] == 1
    assert agreement[2] > 0.8 and agreement[2] >= agreement[0] - 0.03, agreement
