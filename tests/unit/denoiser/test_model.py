"""Model files: they come back, damage is noticed, and nothing in them is ever run."""

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from cryopair.denoiser.inference import denoise_normalised
from cryopair.denoiser.model import CARD, WEIGHTS, Ensemble, load_model, load_models, save_model
from cryopair.denoiser.networks import Network, TopazAffine, TopazFCNN, TopazUNet, UNet
from cryopair.errors import BadFileError, UsageError

CONTENT = {"pixel_size": 1.35, "settings": {"steps": 3}}


@pytest.fixture
def folder(tmp_path: Path, network: UNet) -> Path:
    save_model(tmp_path / "model", network, CONTENT)
    return tmp_path / "model"


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def change_card(folder: Path, **values: object) -> None:
    card = json.loads((folder / CARD).read_text()) | values
    (folder / CARD).write_text(json.dumps(card))


@pytest.mark.parametrize("name", ["", WEIGHTS])
def test_round_trip(folder: Path, network: UNet, name: str) -> None:
    model = load_model(folder / name)
    image = np.random.default_rng(0).normal(size=(40, 56)).astype(np.float32)
    expected = denoise_normalised(image, network, exact=True)
    np.testing.assert_array_equal(denoise_normalised(image, model.network, exact=True), expected)
    assert model.pixel_size == 1.35
    assert model.card["settings"] == {"steps": 3}
    assert model.card["architecture"] == {"name": "UNet", "channels": [6, 8, 8], "dimensions": 2}
    assert model.hash == hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()[:12]
    assert not model.network.training


@pytest.mark.parametrize(
    "network", [TopazUNet(levels=3, channels=2, base_kernel=7), TopazFCNN(channels=3, kernel=5), TopazAffine(kernel=7)]
)
def test_all_architectures_come_back(tmp_path: Path, network: Network) -> None:
    save_model(tmp_path / "model", network, CONTENT | {"pixel_size": None})
    model = load_model(tmp_path / "model")
    image = np.random.default_rng(0).normal(size=(40, 56)).astype(np.float32)
    expected = denoise_normalised(image, network, exact=True)
    np.testing.assert_array_equal(denoise_normalised(image, model.network, exact=True), expected)
    assert type(model.network) is type(network)
    assert model.pixel_size is None


def test_several_models_are_an_ensemble(tmp_path: Path, folder: Path, make_network: Callable[..., UNet]) -> None:
    other = save_model(tmp_path / "other", make_network((4, 4)), CONTENT)
    one = load_models([folder])
    both = load_models([folder, tmp_path / "other"])
    assert one.hash == load_model(folder).hash
    assert isinstance(both, Ensemble)
    assert both.hash == f"{one.hash}+{other.hash}"
    assert [member.hash for member in both.members] == [one.hash, other.hash]


def test_equal_models_are_equal_bytes(tmp_path: Path, folder: Path, network: UNet) -> None:
    save_model(tmp_path / "again", network, CONTENT)
    for name in (WEIGHTS, CARD):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_another_model_is_never_overwritten(folder: Path, network: UNet, make_network: Callable[..., UNet]) -> None:
    before = {name: (folder / name).read_bytes() for name in (WEIGHTS, CARD)}
    save_model(folder, network, CONTENT)  # the same one may be written again
    with pytest.raises(UsageError, match="never overwritten"):
        save_model(folder, make_network((4, 4)), CONTENT)
    with pytest.raises(UsageError, match="never overwritten"):
        save_model(folder, network, CONTENT | {"pixel_size": 2.0})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("place", [10, -1])
def test_damaged_weights_are_refused(folder: Path, place: int) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[place] ^= 1
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(BadFileError, match=r"model\.safetensors: has SHA-256 .*as model\.json says"):
        load_model(folder)


def test_truncated_and_missing_weights_are_refused(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-4])
    with pytest.raises(BadFileError, match="has SHA-256"):
        load_model(folder)
    (folder / WEIGHTS).unlink()
    with pytest.raises(BadFileError, match=r"model\.safetensors: no such file"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pkl", "model.ckpt", "weights"])
@pytest.mark.parametrize("writer", ["pickle", "torch"])
def test_pickled_models_are_refused_unopened(folder: Path, tmp_path: Path, name: str, writer: str) -> None:
    path = folder / name
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    else:
        torch.save(Trap(tmp_path / "sprung"), path)
    with pytest.raises(UsageError, match="is not a cryopair model"):
        load_model(path)
    assert not (tmp_path / "sprung").exists()
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()  # the trap works


def test_a_pickle_in_disguise_is_not_unpickled(folder: Path, tmp_path: Path) -> None:
    content = pickle.dumps(Trap(tmp_path / "sprung"))
    (folder / WEIGHTS).write_bytes(content)
    with pytest.raises(BadFileError, match="has SHA-256"):
        load_model(folder)
    change_card(folder, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises((BadFileError, SafetensorError)):
        load_model(folder)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format_version": 2}, "has format version 2; expected version 1. Update cryopair"),
        (
            {"architecture": {"name": "Transformer"}},
            "architecture is .*Transformer.*; expected one of UNet, TopazUNet, TopazFCNN, TopazAffine",
        ),
    ],
)
def test_models_of_other_kinds_are_refused(folder: Path, values: dict[str, object], message: str) -> None:
    change_card(folder, **values)
    with pytest.raises(BadFileError, match=message):
        load_model(folder)


@pytest.mark.parametrize("card", ["", "[]", "{}", "not json", '{"format_version": 1}'])
def test_what_is_no_card_is_refused(folder: Path, card: str) -> None:
    (folder / CARD).write_text(card)
    with pytest.raises(BadFileError, match=r"model\.json: is not the card of a model"):
        load_model(folder)
    (folder / CARD).unlink()
    with pytest.raises(BadFileError, match=r"model\.json: no such file; expected the card of a model"):
        load_model(folder)
