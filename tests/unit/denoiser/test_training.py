"""Training: a small network learns to denoise, the same one each time."""

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cryopair.denoiser.model import load_model
from cryopair.denoiser.networks.unet import UNet
from cryopair.denoiser.pairs import batches, crop_side, open_pairs
from cryopair.denoiser.training import TrainingSettings, Validation, train, validate
from cryopair.denoiser.training_set import freeze_training_set, read_manifest, write_manifest
from cryopair.errors import BadFileError, UsageError
from cryopair.formats.mrc import write_mrc
from cryopair.micrographs import Micrographs

SETTINGS = TrainingSettings(steps=60, batch=4, crop=48, learning_rate=4e-3, channels=(8, 12))
BRIEF = TrainingSettings(steps=3, batch=1, crop=16, channels=(4, 4))


class Identity(torch.nn.Module):
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


def test_the_network_learns_to_denoise(manifest: Path, trained: Path) -> None:
    """Its error is below that of the raw half (the noise) and that of returning the mean (the signal)."""
    held_out = open_pairs([pair for pair in read_manifest(manifest) if pair.validate])
    seen = validate(load_model(trained).network, held_out)
    raw = validate(Identity(), held_out)  # type: ignore[arg-type]
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
    for name in ("model.safetensors", "model.json", "training.csv"):
        assert (tmp_path / "model" / name).read_bytes() == (trained / name).read_bytes(), name
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
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    with pytest.raises(UsageError, match="holds a model trained with other settings, and is never overwritten"):
        train(manifest, BRIEF, out=trained)
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


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


def test_crops_fit_the_smallest_micrograph(own_manifest: Path) -> None:
    opened = open_pairs(read_manifest(own_manifest))
    assert crop_side(opened, 256, 8) == 40
    assert crop_side(opened, 30, 8) == 24
    with pytest.raises(UsageError, match="at least 64 px are needed"):
        crop_side(opened, 256, 32)


def test_batches_are_crops_of_both_halves_in_the_same_place_and_orientation(own_manifest: Path) -> None:
    pairs = open_pairs(read_manifest(own_manifest))[:1]
    whole = [half.crop((0, 0), half.shape) for half in (pairs[0].even, pairs[0].odd)]
    stream: Iterator[tuple[np.ndarray, np.ndarray]] = batches(
        pairs, side=32, size=1, generator=np.random.default_rng(0)
    )
    seen = set()
    for _, (inputs, targets) in zip(range(60), stream, strict=False):
        seen.add(locate(inputs[0, 0], targets[0, 0], whole))
    assert {swap for swap, *_ in seen} == {False, True}
    assert len({orientation for _, orientation, *_ in seen}) == 8
    assert len({place for *_, place in seen}) > 30


def locate(given: np.ndarray, wanted: np.ndarray, whole: list[np.ndarray]) -> tuple[bool, int, tuple[int, int]]:
    """Return which half was the input, how it was turned, and where it was cut; fails if it is nowhere."""
    for orientation in range(8):
        undone = [np.rot90(crop, -(orientation % 4)) for crop in (given, wanted)]
        if orientation >= 4:
            undone = [crop[::-1] for crop in undone]
        for swap in (False, True):
            first, second = whole[::-1] if swap else whole
            corners = np.argwhere(np.abs(first - undone[0][0, 0]) < 1e-5)
            for y, x in corners:
                area = np.s_[y : y + 32, x : x + 32]
                if first[area].shape == (32, 32) and np.allclose(first[area], undone[0], atol=1e-4):
                    np.testing.assert_allclose(second[area], undone[1], atol=1e-4)
                    return swap, orientation, (int(y), int(x))
    raise AssertionError("the crop is not part of either half")


def test_decibels_of_excess() -> None:
    assert Validation(mse=1, excess=0.01, signal=0.1).snr_db == pytest.approx(10)
    assert math.isnan(Validation(mse=1, excess=-0.01, signal=0.1).snr_db)
