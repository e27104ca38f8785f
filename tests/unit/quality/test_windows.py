"""A window denoised alone, against the window of the whole micrograph denoised."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryopair.denoiser.inference import denoise_micrograph
from cryopair.denoiser.model import Ensemble, Model, save_model
from cryopair.denoiser.networks.unet import UNet
from cryopair.denoiser.normalise import Normalisation
from cryopair.quality.windows import central, denoised_window, normalised_window


def make_model(folder: Path, *, pixel_size: float, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    network = UNet(channels=(4, 4))
    torch.nn.init.normal_(network.last.weight, std=0.1)
    return save_model(folder, network, {"pixel_size": pixel_size})


@pytest.fixture
def image() -> np.ndarray:
    """A micrograph with an illumination gradient and a dark corner."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:600, :720]
    signal = gaussian_filter(rng.normal(size=x.shape), 4) * 8
    dark = -30.0 * (np.hypot(y - 40, x - 50) < 60)
    return (60 + 0.02 * x + signal + dark + rng.normal(0, 3, x.shape)).astype(np.float32)


@pytest.mark.parametrize(("pixel_size", "error"), [(3.0, 1e-5), (1.37, 0.01)])
def test_a_window_is_that_of_the_whole(tmp_path: Path, image: np.ndarray, pixel_size: float, error: float) -> None:
    """Exactly where pixels are not resampled; what is far away reaches in a little where they are."""
    model = make_model(tmp_path / "model", pixel_size=3.0)
    levels, window = Normalisation.of(image), central(image.shape, 256)
    (alone,) = denoised_window(image, model, levels, window, pixel_size=pixel_size)
    whole = normalised_whole(denoise_micrograph(image, model, pixel_size=pixel_size), levels)[window]
    assert alone.shape == (256, 256)
    assert np.std(alone - whole) < error * np.std(whole)
    assert np.std(whole) > 0.02
    raw = normalised_window(image, levels, window)
    np.testing.assert_allclose(raw, normalised_whole(image, levels)[window], atol=1e-5)


def test_each_member_gives_its_own(tmp_path: Path, image: np.ndarray) -> None:
    models = [make_model(tmp_path / str(seed), pixel_size=3.0, seed=seed) for seed in range(2)]
    levels, window = Normalisation.of(image), central(image.shape, 128)
    both = denoised_window(image, Ensemble(tuple(models)), levels, window, pixel_size=3.0)
    for model, member in zip(models, both, strict=True):
        np.testing.assert_array_equal(member, denoised_window(image, model, levels, window, pixel_size=3.0)[0])
    assert np.abs(both[0] - both[1]).max() > 0.01


def test_small_images_are_measured_whole() -> None:
    assert central((100, 2000), 256) == (slice(0, 100), slice(872, 1128))


def normalised_whole(image: np.ndarray, levels: Normalisation) -> np.ndarray:
    return (image - levels.background()) / np.float32(levels.scale)
