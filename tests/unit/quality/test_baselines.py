"""Simple filters, against what they do to waves and to noise of known spectrum."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import fft
from scipy.ndimage import gaussian_filter

from cryopair.denoiser.model import save_model
from cryopair.denoiser.networks.unet import UNet
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs
from cryopair.quality.baselines import baselines, binned, wiener
from cryopair.quality.stage import measure_micrographs

HALVES = {"Even": "EVN", "Odd": "ODD"}


def wave(cycles: int, shape: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Return half-waves along x that continue in their mirror image."""
    x = (np.arange(shape[1]) + 0.5) / shape[1]
    return np.broadcast_to(np.cos(np.pi * cycles * x), shape).astype(np.float32)


def test_binning_is_a_sharp_low_pass():
    slow, fast = wave(39), wave(41)  # binned 4 times, 160 columns hold 40 half-waves
    np.testing.assert_allclose(binned(3 + slow + fast, 4), 3 + slow, atol=1e-5)


def test_wiener_passes_signal_and_stops_noise():
    """Signal of equal power up to 0.1 cycles per pixel, as strong there as the noise: half of both passes."""
    random = np.random.default_rng(0)
    shape = (384, 512)
    y, x = (np.arange(size) / (2 * size) for size in shape)
    band = np.hypot(y[:, None], x[None, :]) < 0.1
    signal = fft.idctn(random.normal(size=shape) * band, norm="ortho").astype(np.float32)
    even, odd = (signal + random.normal(size=shape).astype(np.float32) for _ in range(2))
    apply = wiener(even, odd)
    after = fft.dctn(apply(even), norm="ortho") / fft.dctn(even, norm="ortho")
    assert after[band].mean() == pytest.approx(0.5, abs=0.02)
    assert after[~band].mean() < 0.02
    # The least error that any linear filter can leave: S N / (S + N) in the band
    error = np.mean((apply(even) - signal) ** 2)
    assert error == pytest.approx(0.5 * band.mean(), rel=0.08)
    narrower, wider = (np.mean((gaussian_filter(even, sigma) - signal) ** 2) for sigma in (1.0, 3.0))
    assert error < 0.9 * min(narrower, wider)


def test_wiener_of_pure_noise_removes_it():
    even, odd = np.random.default_rng(1).normal(size=(2, 256, 256)).astype(np.float32)
    assert wiener(even, odd)(even).std() < 0.2
    blank = np.zeros((32, 32), np.float32)
    assert not wiener(blank, blank)(blank).any()


def test_small_images_are_not_binned_to_nothing():
    even, odd = np.random.default_rng(1).normal(size=(2, 20, 30)).astype(np.float32)
    found = [(kind, setting) for kind, setting, work in baselines(even, odd) if work(even).shape == even.shape]
    assert [setting for kind, setting in found if kind == "binning"] == ["2 times", "3 times", "4 times"]
    assert found[-1] == ("Wiener", "fitted")


def test_measured_beside_the_model_only_if_asked(tmp_path: Path):
    random = np.random.default_rng(0)
    signal = 3 * gaussian_filter(random.normal(size=(256, 256)), 3)
    for half in HALVES.values():
        noisy = 100 + signal / signal.std() + random.normal(0, 2, signal.shape)
        write_mrc(tmp_path / f"a_{half}.mrc", noisy, pixel_size=1.5)
    halves = {f"rlnMicrographName{half}": [str(tmp_path / f"a_{end}.mrc")] for half, end in HALVES.items()}
    table = Table({"rlnMicrographName": ["a.mrc"], "rlnOpticsGroup": [1], **halves})
    micrographs = Micrographs(Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]}), table)
    torch.manual_seed(0)
    network = UNet(channels=(4, 4))
    torch.nn.init.normal_(network.last.weight, std=0.01)
    model = save_model(tmp_path / "model", network, {"pixel_size": 1.5})
    measure_micrographs(micrographs, model, out_csv=tmp_path / "plain.csv")
    assert not (tmp_path / "plain_baselines.csv").exists()
    measure_micrographs(micrographs, model, out_csv=tmp_path / "q.csv", with_baselines=True)
    assert (tmp_path / "q.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    with (tmp_path / "q_baselines.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["filter"] for row in rows] == ["binning", "Gaussian", "Wiener"]
    # The signal's spectrum, 36π exp(-36π²k²), meets the noise of the full sum, 2, at k = 0.106, where the best filter
    # passes one half; so does a Gaussian of sigma 1.76 px.
    assert rows[1]["setting"] in ("sigma 1.5 px", "sigma 2 px")
    assert float(rows[1]["snr_denoised_db"]) > float(rows[1]["snr_raw_db"]) + 8
    assert float(rows[2]["snr_denoised_db"]) > float(rows[1]["snr_denoised_db"]) - 0.5
