"""The stage measure: one row a micrograph, columns with their units, curves beside it."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryopair.denoiser.model import Ensemble, Model, save_model
from cryopair.denoiser.networks.unet import UNet
from cryopair.denoiser.normalise import Normalisation
from cryopair.denoiser.training.training_set import TrainingPair
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs
from cryopair.quality.patterns import GRID_PEAK_DB, SEAM
from cryopair.quality.stage import measure_micrographs
from cryopair.quality.windows import central, denoised_window

UNITS = ("_db", "_std2", "_std", "_per_A")
UNITLESS = (
    *(
        "micrograph",
        "used_for_training",
        "concerns",
        "seam_at",
        "corr_even_odd",
        "corr_even_odd_denoised",
        "corr_near_nyquist",
    ),
    *("coefficients", "frc_raw", "frc_denoised", "frc_denoised_raw"),
)


@pytest.fixture
def micrographs(tmp_path: Path) -> Micrographs:
    """Two micrographs with their halves, one whose odd half is of another size, and one without files."""
    rng = np.random.default_rng(0)
    names = ["a", "b", "misfit", "missing"]
    for name in names[:3]:
        signal = gaussian_filter(rng.normal(size=(160, 192)), 2)
        for half in ("EVN", "ODD"):
            image = 20 + signal / signal.std() + rng.normal(0, 2, signal.shape)
            cut = 64 if (name, half) == ("misfit", "ODD") else 192
            write_mrc(tmp_path / f"{name}_{half}.mrc", image[:, :cut], pixel_size=1.5)
    table = Table(
        {
            "rlnMicrographName": [f"MotionCorr/job002/{name}.mrc" for name in names],
            "rlnOpticsGroup": [1] * 4,
            "rlnMicrographNameEven": [str(tmp_path / f"{name}_EVN.mrc") for name in names],
            "rlnMicrographNameOdd": [str(tmp_path / f"{name}_ODD.mrc") for name in names],
        }
    )
    return Micrographs(Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]}), table)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A model that has hardly learnt anything yet: its output is zero everywhere, but for the last digits."""
    torch.manual_seed(0)
    network = UNet(channels=(4, 4))
    torch.nn.init.normal_(network.last.weight, std=1e-4)
    return save_model(tmp_path / "model", network, {"pixel_size": 1.5})


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_denoiser_that_returns_nothing_has_lost_all_signal(
    micrographs: Micrographs, model: Model, tmp_path: Path
) -> None:
    measured = measure_micrographs(micrographs, model, out_csv=tmp_path / "quality.csv")
    rows = read_csv(tmp_path / "quality.csv")
    assert [row["micrograph"] for row in rows] == measured.table["rlnMicrographName"]
    for row in rows:
        powers = {name: float(row[f"{name}_power_std2"]) for name in ("signal", "noise", "residual_noise", "bias")}
        assert powers["residual_noise"] == pytest.approx(0, abs=1e-6)
        assert powers["bias"] == pytest.approx(powers["signal"], rel=1e-2)
        assert float(row["bias_db"]) == pytest.approx(0, abs=0.02)
        assert float(row["snr_denoised_db"]) == pytest.approx(0, abs=0.02)
        expected = 10 * np.log10(2 * powers["signal"] / powers["noise"])
        assert float(row["snr_raw_db"]) == pytest.approx(expected, abs=1e-3)
        assert powers["signal"] / powers["noise"] == pytest.approx(1 / (4 * np.pi / 4), rel=0.25)


def test_rings_add_up_to_the_powers(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    measure_micrographs(micrographs, model, out_csv=tmp_path / "quality.csv")
    rings = read_csv(tmp_path / "quality_rings.csv")
    for row in read_csv(tmp_path / "quality.csv"):
        own = [ring for ring in rings if ring["micrograph"] == row["micrograph"]]
        for name in ("signal", "noise", "residual_noise", "bias"):
            label = f"{name}_power_std2"
            total = sum(float(ring[label]) for ring in own)
            assert total == pytest.approx(float(row[label]), rel=1e-3, abs=1e-5)
        assert float(own[-1]["spatial_frequency_per_A"]) == pytest.approx(1 / 3, rel=1e-5)


def test_columns_have_their_units(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    measure_micrographs(micrographs, model, out_csv=tmp_path / "quality.csv")
    for name in ("quality.csv", "quality_rings.csv"):
        for label in read_csv(tmp_path / name)[0]:
            assert label in UNITLESS or label.endswith(UNITS), label


def test_what_was_trained_on_is_marked(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    pairs = [
        TrainingPair(name, "", "", 1.5, (160, 192), "", "", validate=validate)
        for name, validate in (("MotionCorr/job002/a.mrc", True), ("MotionCorr/job002/misfit.mrc", False))
    ]
    measure_micrographs(micrographs, model, out_csv=tmp_path / "quality.csv", training_set=pairs)
    assert [row["used_for_training"] for row in read_csv(tmp_path / "quality.csv")] == ["validation", "none"]


def test_denoised_images_are_searched_for_seams(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    for name in "ab":
        image = gaussian_filter(np.random.default_rng(1).normal(size=(160, 192)), 3)
        image[:, 90:] += image.std() if name == "b" else 0
        write_mrc(tmp_path / f"{name}.mrc", image, pixel_size=1.5)
    seen = micrographs.table.select([0, 1])
    seen["rlnMicrographNameDenoised"] = [str(tmp_path / f"{name}.mrc") for name in "ab"]
    measure_micrographs(Micrographs(micrographs.optics, seen), model, out_csv=tmp_path / "quality.csv")
    a, b = read_csv(tmp_path / "quality.csv")
    assert float(a["seam_std"]) < SEAM < float(b["seam_std"])
    assert b["seam_at"] == "column 90"
    assert float(a["grid_peak_db"]) < GRID_PEAK_DB


def test_models_that_differ_disagree(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    """Of a model that gives nothing and one that gives x, the variance is x²/2: half of the second one's power."""
    torch.manual_seed(1)
    network = UNet(channels=(4, 4))
    torch.nn.init.normal_(network.last.weight, std=0.3)
    loud = save_model(tmp_path / "loud", network, {"pixel_size": 1.5})
    one = Micrographs(micrographs.optics, micrographs.table.select([0]))
    measure_micrographs(one, Ensemble((model, loud)), out_csv=tmp_path / "both.csv")
    (both,) = read_csv(tmp_path / "both.csv")
    even, odd = (read_mrc(one.table.row(0)[f"rlnMicrographName{half}"]) for half in ("Even", "Odd"))
    powers = []
    for image in (even, odd):
        levels, window = Normalisation.of(image), central(image.shape)
        powers.append(np.mean(denoised_window(image, loud, levels, window, pixel_size=1.5)[0] ** 2))
    assert float(both["disagreement_power_std2"]) == pytest.approx(np.mean(powers) / 2, rel=0.01)


def test_bad_pairs_cost_only_themselves(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    measured = measure_micrographs(micrographs, model, out_csv=tmp_path / "quality.csv")
    assert measured.table["rlnMicrographName"] == ["MotionCorr/job002/a.mrc", "MotionCorr/job002/b.mrc"]
    assert measured.failed["rlnMicrographName"] == ["MotionCorr/job002/misfit.mrc", "MotionCorr/job002/missing.mrc"]
    assert "has shape (160, 64); expected (160, 192)" in measured.failed["cryopairReason"][0]
    assert "no such file" in measured.failed["cryopairReason"][1]


def test_the_same_bytes_each_time(micrographs: Micrographs, model: Model, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        measure_micrographs(micrographs, model, out_csv=tmp_path / folder / "q.csv")
    for name in ("q.csv", "q_rings.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
