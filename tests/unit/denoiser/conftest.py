"""A small network with weights that do something, and half-sums of smooth signal in white noise."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryopair.denoiser.networks.unet import UNet
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs

PIXEL_SIZE = 1.5


def random_network(channels: tuple[int, ...] = (6, 8, 8), dimensions: int = 2) -> UNet:
    """Return a network whose last layer, which is zero at first, has random weights too."""
    torch.manual_seed(1)
    network = UNet(channels=channels, dimensions=dimensions)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    torch.nn.init.normal_(network.last.bias, std=0.1)
    return network.eval()


def write_pairs(folder: Path, count: int, shape: tuple[int, int] = (128, 144)) -> Micrographs:
    """Write half-sums whose noise has twice the signal's standard deviation, on a gradient."""
    rng = np.random.default_rng(11)
    names = [f"{number:02d}" for number in range(count)]
    gradient = 0.1 * np.arange(shape[1])
    for name in names:
        signal = gaussian_filter(rng.normal(size=shape), 3)
        for half in ("EVN", "ODD"):
            image = 100 + gradient + 5 * signal / signal.std() + rng.normal(0, 10, shape)
            write_mrc(folder / f"{name}_{half}.mrc", image, pixel_size=PIXEL_SIZE)
    table = Table(
        {
            "rlnMicrographName": [f"MotionCorr/job002/Movies/{name}.mrc" for name in names],
            "rlnOpticsGroup": [1] * count,
            "rlnMicrographNameEven": [str(folder / f"{name}_EVN.mrc") for name in names],
            "rlnMicrographNameOdd": [str(folder / f"{name}_ODD.mrc") for name in names],
        }
    )
    return Micrographs(Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]}), table)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are faster on one thread than on several that wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_network() -> Callable[..., UNet]:
    return random_network


@pytest.fixture
def network() -> UNet:
    return random_network()


@pytest.fixture(scope="session")
def make_pairs() -> Callable[..., Micrographs]:
    return write_pairs
