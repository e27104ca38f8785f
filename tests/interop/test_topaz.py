"""Topaz itself, run beside our networks with its weights: the same numbers."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cryopair.denoiser.inference import denoise
from cryopair.denoiser.model import import_model, load_model

NAMES = ["unet", "unet-small", "fcnn", "affine", "unet-v0.2.1"]
SHAPES = [(288, 288), (255, 301), (290, 262)]
RELATIVE = 1e-5
"""Largest difference allowed, as a share of the largest deviation from the mean."""

REFERENCE = """
import sys
import numpy as np, torch
from topaz.denoise import Denoise, denoise_image
from topaz.denoising.models import DenoiseNet2, UDenoiseNet, UDenoiseNetSmall, load_model
from topaz.filters import AffineDenoise

torch.set_num_threads(2)
images = dict(np.load("images.npz"))
results = {}

def whole(model, image):  # as Topaz 0.2.5: one normalisation, one pass
    mean, std = image.mean(), image.std()
    with torch.no_grad():
        return model(torch.from_numpy((image - mean) / std)[None, None])[0, 0].numpy() * std + mean

for name in sys.argv[1].split(","):
    model, api = load_model(name), Denoise(name)
    for key, image in images.items():
        results[f"{name} model {key}"] = whole(model, image)
        results[f"{name} api {key}"] = denoise_image(image, [api], patch_size=-1)

torch.manual_seed(0)
made = {"unet": UDenoiseNet(nf=6), "small": UDenoiseNetSmall(nf=6), "fcnn": DenoiseNet2(8), "affine": AffineDenoise(9)}
torch.nn.init.normal_(made["affine"].filter.weight, std=0.1)
for name, model in made.items():
    model.eval()
    for key, image in images.items():
        results[f"made {name} {key}"] = whole(model, image)
    torch.save(model, f"{name}_zip.sav")
    torch.save(model, f"{name}_legacy.sav", _use_new_zipfile_serialization=False)
np.savez("results.npz", **results)
"""


@pytest.fixture(scope="module")
def topaz() -> Path:
    """Find the program ``topaz``."""
    program = shutil.which(os.environ.get("CRYOPAIR_TOPAZ", "topaz"))
    if program is None:
        pytest.skip("Topaz is not installed: run .ci/install, or name its program in CRYOPAIR_TOPAZ")
    return Path(program).resolve()


def micrograph(shape: tuple[int, int]) -> np.ndarray:
    """Discs of 20 px in noise of ten times their height, on a gradient."""
    rng = np.random.default_rng(shape[1])
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = 0.01 * (x - shape[1] / 2) + rng.normal(0, 3, shape)
    for _ in range(12):
        row, column = rng.uniform(0, shape)
        image -= 0.6 * (np.hypot(y - row, x - column) < 10)
    return image.astype(np.float32)


@pytest.fixture(scope="module")
def reference(topaz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let Topaz denoise the images; return the folder with its results and pickles."""
    folder = tmp_path_factory.mktemp("topaz")
    np.savez(folder / "images.npz", **{str(shape): micrograph(shape) for shape in SHAPES})
    command = [topaz.parent / "python3", "-c", REFERENCE, ",".join(NAMES)]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return folder


def assert_equal(found: np.ndarray, expected: np.ndarray, *, relative: float = RELATIVE) -> None:
    largest = np.abs(expected - expected.mean()).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=relative * largest)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_our_networks_are_topaz(
    reference: Path, topaz: Path, monkeypatch: pytest.MonkeyPatch, name: str, shape
) -> None:
    monkeypatch.setenv("CRYOPAIR_TOPAZ", str(topaz))
    results = np.load(reference / "results.npz")
    network = load_model(f"topaz:{name}").network
    image = micrograph(shape)
    whole = denoise(image, network, exact=True)
    assert_equal(whole, results[f"{name} model {shape}"])
    # Topaz 0.3 normalises a second time, by the unbiased deviation: larger by 1/(2 · pixels)
    assert_equal(whole, results[f"{name} api {shape}"], relative=RELATIVE + 1 / image.size)
    assert_equal(denoise(image, network, tile=96, exact=True), results[f"{name} model {shape}"])


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_near(topaz: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("CRYOPAIR_TOPAZ", str(topaz))
    network = load_model(f"topaz:{name}").network
    exact = denoise(micrograph((384, 320)), network, exact=True)
    difference = denoise(micrograph((384, 320)), network) - exact
    assert np.sqrt(np.mean(difference**2)) < 5e-3 * exact.std()


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("name", ["unet", "small", "fcnn", "affine"])
def test_whole_models_are_imported(reference: Path, tmp_path: Path, name: str, form: str) -> None:
    results = np.load(reference / "results.npz")
    model = import_model(reference / f"{name}_{form}.sav", out=tmp_path / "model")
    for shape in SHAPES:
        assert_equal(denoise(micrograph(shape), model.network, exact=True), results[f"made {name} {shape}"])
