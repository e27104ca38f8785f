"""Training: a small network learns to denoise, the same one each time."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cryopair.denoiser.model import load_model
from cryopair.denoiser.networks.base import Network
from cryopair.denoiser.networks.unet import UNet
from cryopair.denoiser.training import trainer
from cryopair.denoiser.training.memory import kept_per_pixel
from cryopair.denoiser.training.pairs import open_pairs
from cryopair.denoiser.training.train import FINE_TUNING_RATE, TrainingSettings, train
from cryopair.denoiser.training.training_set import freeze_training_set, read_manifest, write_manifest
from cryopair.denoiser.training.validation import Validation, validate
from cryopair.errors import BadFileError, DeviceError, UsageError
from cryopair.formats.mrc import write_mrc
from cryopair.micrographs import Micrographs

SETTINGS = TrainingSettings(steps=60, batch=4, crop=48, learning_rate=4e-3, channels=(8, 12))
BRIEF = TrainingSettings(steps=3, batch=1, crop=16, channels=(4, 4))


class Identity(Network):
    """A denoiser that leaves everything as it is."""

    dimensions, grid, receptive_radius = 2, 4, 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, make_pairs: Callable[..., Micrographs]) -> Path:
    folder = tmp_path_factory.mktemp("training")
    pairs = freeze_training_set([make_pairs(folder / "halves", 6)])
    write_manifest(folder / "manifest.star", pairs)
    return folder / "manifest.star"


@pytest.fixture(scope="module")
def trained(manifest: Path) -> Path:
    train(manifest, SETTINGS, out=manifest.parent / "model")
    return manifest.parent / "model"


@pytest.fixture
def own_manifest(tmp_path: Path, make_pairs: Callable[..., Micrographs]) -> Path:
    """A manifest whose halves the test may damage."""
    write_manifest(tmp_path / "manifest.star", freeze_training_set([make_pairs(tmp_path / "halves", 4, (40, 52))]))
    return tmp_path / "manifest.star"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_network_learns_to_denoise(manifest: Path, trained: Path) -> None:
    """Its error is below that of the raw half (the noise) and that of returning the mean (the signal)."""
    network = load_model(trained).network
    held_out = open_pairs([pair for pair in read_manifest(manifest) if pair.validate], network, pixel_size=1.5)
    seen = validate(network, held_out)
    raw = validate(Identity(), held_out)
    nothing = validate(UNet(channels=(4, 4)), held_out)
    assert raw.excess == pytest.approx(4 / 5, abs=0.06)  # noise has four times the signal's power
    assert nothing.excess == pytest.approx(seen.signal, rel=0.1)
    assert seen.excess < 0.6 * nothing.excess < 0.6 * raw.excess
    assert seen.snr_db > raw.snr_db + 5
    assert json.loads((trained / "model.json").read_text())["validation"]["snr_db"] == pytest.approx(
        seen.snr_db, abs=0.05
    )


def test_training_again_gives_the_same_bytes(manifest: Path, trained: Path, tmp_path: Path) -> None:
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    train(manifest, SETTINGS, out=tmp_path / "model")
    assert contents(tmp_path / "model") == contents(trained)
    assert torch.equal(torch.random.get_rng_state(), state)  # and nobody else's random numbers change


def test_the_seed_matters(manifest: Path, tmp_path: Path) -> None:
    models = [
        train(manifest, TrainingSettings(**{**vars(BRIEF), "seed": seed}), out=tmp_path / str(seed)) for seed in (0, 1)
    ]
    assert models[0].hash != models[1].hash


def test_progress_is_written_down(trained: Path) -> None:
    with (trained / "training.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [int(line["step"]) for line in lines] == list(range(3, 61, 3))
    rates = [float(line["learning_rate"]) for line in lines]
    assert max(rates) == pytest.approx(SETTINGS.learning_rate, rel=0.01)
    assert rates[-1] < 0.01 * SETTINGS.learning_rate
    assert float(lines[-1]["validation_excess"]) < float(lines[0]["validation_excess"])


def test_the_card_says_where_the_model_comes_from(manifest: Path, trained: Path) -> None:
    card = json.loads((trained / "model.json").read_text())
    assert card["pairs"] == {"train": 5, "validate": 1}
    assert card["pixel_size"] == 1.5
    assert card["settings"] == {**vars(SETTINGS), "channels": [8, 12]}


def test_another_training_is_never_overwritten(manifest: Path, trained: Path) -> None:
    before = contents(trained)
    with pytest.raises(UsageError, match="holds a model trained with other settings, and is never overwritten"):
        train(manifest, BRIEF, out=trained)
    assert contents(trained) == before


def test_changed_halves_are_refused(own_manifest: Path, tmp_path: Path) -> None:
    half = Path(read_manifest(own_manifest)[0].odd)
    write_mrc(half, np.random.default_rng(0).normal(size=(40, 52)), pixel_size=1.5)
    with pytest.raises(BadFileError, match=r"00_ODD\.mrc: has changed since the training set was frozen"):
        train(own_manifest, BRIEF, out=tmp_path / "model")
    half.unlink()
    with pytest.raises(BadFileError, match=r"00_ODD\.mrc: no such file"):
        train(own_manifest, BRIEF, out=tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_something_must_be_held_out(own_manifest: Path, tmp_path: Path) -> None:
    pairs = [pair for pair in read_manifest(own_manifest) if not pair.validate]
    write_manifest(tmp_path / "other.star", pairs)
    with pytest.raises(UsageError, match="has 3 pairs to train on and 0 to validate with"):
        train(tmp_path / "other.star", BRIEF, out=tmp_path / "model")


def test_small_images_and_fewer_pairs_than_a_batch(own_manifest: Path, tmp_path: Path) -> None:
    """Three pairs of 40 x 52 px for batches of eight crops of 256 px: crops are as large as they can be."""
    model = train(own_manifest, TrainingSettings(steps=2, channels=(4, 4)), out=tmp_path / "model")
    assert np.isfinite(list(model.card["validation"].values())).all()


def test_images_too_small_for_the_network_are_refused(own_manifest: Path, tmp_path: Path) -> None:
    settings = TrainingSettings(steps=2, channels=(4, 4, 4, 4, 4))
    with pytest.raises(UsageError, match=r"would be 32 px .* smallest micrograph side 40 px\); at least 64 px"):
        train(own_manifest, settings, out=tmp_path / "model")


def test_datasets_of_two_pixel_sizes_are_brought_to_one(
    tmp_path: Path, make_pairs: Callable[..., Micrographs], capsys: pytest.CaptureFixture[str]
) -> None:
    fine, coarse = make_pairs(tmp_path / "fine", 4, (80, 88)), make_pairs(tmp_path / "coarse", 4, (40, 52))
    coarse.optics["rlnMicrographPixelSize"] = [3.0]
    pairs = freeze_training_set([fine, coarse], projects=[tmp_path / "fine", tmp_path / "coarse"])
    write_manifest(tmp_path / "manifest.star", pairs)
    with pytest.raises(UsageError, match="differ in pixel size"):
        train(tmp_path / "manifest.star", BRIEF, out=tmp_path / "model")
    model = train(tmp_path / "manifest.star", replace(BRIEF, pixel_size=3.0), out=tmp_path / "model")
    assert (model.pixel_size, model.card["settings"]["pixel_size"]) == (3.0, 3.0)
    assert "training on 6 pairs, 2 held out, 52 x 40 px at 3 Å/px: about 0.4 GB" in capsys.readouterr().err


def test_fine_tuning_goes_on_from_its_parent(manifest: Path, trained: Path, tmp_path: Path) -> None:
    parent = load_model(trained)
    before = {name: weight.clone() for name, weight in parent.network.state_dict().items()}
    child = train(manifest, TrainingSettings(steps=6, batch=2, crop=32), out=tmp_path / "child", parent=parent)
    assert child.card["parent_sha256"] == parent.card["sha256"] != child.card["sha256"]
    assert child.card["architecture"] == parent.card["architecture"]
    assert child.card["settings"]["learning_rate"] == FINE_TUNING_RATE
    excess = [model.card["validation"]["excess_mse"] for model in (child, parent)]
    assert excess[0] < 1.3 * excess[1]  # a new network is six times worse after six steps
    assert all(torch.equal(weight, before[name]) for name, weight in parent.network.state_dict().items())
    with pytest.raises(UsageError, match="holds a model trained with other settings, parent_sha256"):
        train(manifest, TrainingSettings(steps=6, batch=2, crop=32), out=tmp_path / "child")


def test_samples_show_a_half_what_is_made_of_it_and_the_other_half(manifest: Path, trained: Path) -> None:
    samples = sorted((trained / "samples").iterdir())
    assert [sample.name for sample in samples] == [f"step_{step:06d}.png" for step in range(3, 61, 3)]
    first, last = (np.asarray(Image.open(sample), dtype=float) for sample in (samples[0], samples[-1]))
    assert first.shape == (128, 3 * 144 + 2 * 8)
    given, denoised, other = (last[:, start : start + 144].ravel() for start in (0, 152, 304))
    assert np.corrcoef(denoised, other)[0, 1] > 1.5 * np.corrcoef(given, other)[0, 1] > 0.1
    np.testing.assert_array_equal(first[:, 304:], last[:, 304:])  # one grey scale at all steps


def test_memory_is_counted_before_anything_is_read(own_manifest: Path, tmp_path: Path) -> None:
    pairs = [replace(pair, shape=(400_000, 400_000)) for pair in read_manifest(own_manifest)]
    write_manifest(tmp_path / "huge.star", pairs)
    needed = r"needs about \d{4}\.\d GB of memory, and the machine \(or this job\) has \d+\.\d GB free\."
    with pytest.raises(UsageError, match=needed):
        train(tmp_path / "huge.star", BRIEF, out=tmp_path / "model")


def test_memory_that_runs_out_stops_a_training_that_can_go_on(
    own_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, room = trainer.pair_loss, iter([True, True])

    def full(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if next(room, False):
            return good(predicted, target)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as context:
        context.setattr(trainer, "pair_loss", full)
        with pytest.raises(DeviceError, match="cpu: not enough memory to train on after step 2"):
            train(own_manifest, BRIEF, out=tmp_path / "stopped")
    train(own_manifest, BRIEF, out=tmp_path / "stopped")
    train(own_manifest, BRIEF, out=tmp_path / "whole")
    stopped, whole = (tmp_path / name / "model.safetensors" for name in ("stopped", "whole"))
    assert stopped.read_bytes() == whole.read_bytes()


def test_what_a_network_keeps_for_the_way_back_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)  # no bfloat16
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 5, 3, padding=1), torch.nn.Conv2d(5, 1, 3, padding=1))
    network.grid = 4  # type: ignore[assignment]
    # The input of either layer; what comes out of the last one is not kept.
    assert kept_per_pixel(network, torch.device("cpu")) == 4 * (1 + 5)  # type: ignore[arg-type]


def test_decibels_of_excess() -> None:
    assert Validation(mse=1, excess=0.01, signal=0.1).snr_db == pytest.approx(10)
    assert math.isnan(Validation(mse=1, excess=-0.01, signal=0.1).snr_db)
