"""A model that blurs and one that makes things up are exposed by the report's first screen."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.signal import fftconvolve
from torch import Tensor
from torch.nn import functional

from cryopair.denoiser.model import Model
from cryopair.denoiser.networks import Network
from cryopair.denoiser.networks.unet import UNet
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs
from cryopair.quality.stage import measure_micrographs
from cryopair.report.page import write_report

SHAPE, PIXEL_SIZE = (256, 320), 2.0
NOISE = 2.0  # standard deviation in a half, in those of the signal
OUT, MODEL = Path("cryopair"), Path("cryopair/models/v1-0123abcd")


class Smoothing(Network):
    """A Gaussian, and for the one that makes things up the same picture in whatever it is given."""

    def __init__(self, sigma: float, made_up: np.ndarray | None = None) -> None:
        super().__init__()
        reach = int(4 * sigma)
        line = torch.exp(-(torch.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
        self.line, self.made_up = line / line.sum(), made_up
        self.dimensions, self.grid, self.receptive_radius, self.hyper_parameters = 2, 2, reach, {}

    def forward(self, image: Tensor) -> Tensor:
        smooth = functional.conv2d(image, self.line[None, None, :, None], padding="same")
        smooth = functional.conv2d(smooth, self.line[None, None, None, :], padding="same")
        return smooth if self.made_up is None else smooth + torch.from_numpy(self.made_up)[None, None]


def features(seed: int) -> np.ndarray:
    """Something of the size of particles, of unit standard deviation."""
    white = np.random.default_rng(seed).normal(size=SHAPE)
    image = gaussian_filter(white, 3) - gaussian_filter(white, 9)
    return np.asarray(image / image.std(), np.float32)


def another_picture(signal: np.ndarray) -> np.ndarray:
    """Return one and the same picture at each place that looks like a particle, whatever is there."""
    places = ((signal == maximum_filter(signal, 15)) & (signal > 1)).astype(np.float32)
    y, x = np.mgrid[-12:13, -12:13]
    spots = ((5, -6, 1.0), (-5, 6, -1.0), (7, 5, 1.0))
    picture = sum(sign * np.exp(-((x - left) ** 2 + (y - top) ** 2) / 18) for top, left, sign in spots)
    image = fftconvolve(places, picture, mode="same")
    return np.asarray(image / image.std(), np.float32)


def low_passed(signal: np.ndarray) -> np.ndarray:
    """Blur so much that hardly a particle is left."""
    return np.asarray(gaussian_filter(signal, 8), np.float32)


def itself(signal: np.ndarray) -> np.ndarray:
    """Train rightly."""
    return signal


def trained(wanted: Callable[[np.ndarray], np.ndarray]) -> Network:
    """Train a small network to make of noisy micrographs what is wanted of their signal."""
    torch.manual_seed(0)
    random, side, scale = np.random.default_rng(0), 96, float(np.hypot(1, NOISE))
    signals = [features(100 + index) for index in range(8)]
    pairs = [(signal, wanted(signal)) for signal in signals]
    network = UNet(channels=(6, 10))
    optimiser = torch.optim.Adam(network.parameters(), 4e-3)
    for _ in range(100):
        patches = []
        for signal, target in (pairs[index] for index in random.integers(0, len(pairs), 2)):
            top, left = (int(random.integers(size - side)) for size in SHAPE)
            patch = np.stack((signal, target))[:, top : top + side, left : left + side]
            patch[0] += random.normal(0, NOISE, (side, side))
            patches.append(torch.from_numpy(patch / scale)[:, None])
        noisy, target = torch.stack(patches, dim=1).float()
        loss = functional.mse_loss(network(noisy), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def halves() -> Micrographs:
    """Write six pairs of halves, the signal as strong as half of the noise of one."""
    rng = np.random.default_rng(2)
    names = [f"MotionCorr/job002/Movies/m{index + 1}.mrc" for index in range(6)]
    columns: dict[str, list[str]] = {"rlnMicrographName": names, "rlnOpticsGroup": ["1"] * 6}
    for half in ("Even", "Odd"):
        columns[f"rlnMicrographName{half}"] = [f"{OUT}/halves/m{index + 1}_{half}.mrc" for index in range(6)]
    for index in range(6):
        signal = features(index)
        for half in ("Even", "Odd"):
            image = 30 + signal + rng.normal(0, NOISE, SHAPE)
            write_mrc(columns[f"rlnMicrographName{half}"][index], image, pixel_size=PIXEL_SIZE)
    return Micrographs(Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]}), Table(columns))


@pytest.mark.parametrize(
    ("network", "level", "says"),
    [
        (Smoothing(2.0), "good", "Denoising works on these data."),
        (Smoothing(12.0), "bad", "Do not rely on these denoised images: the model blurs."),
        (Smoothing(2.0, features(99)), "bad", "Do not rely on these denoised images: the model makes things up."),
    ],
    ids=["sound", "blurs", "makes things up"],
)
def test_the_first_screen_tells(session: Path, network: Network, level: str, says: str) -> None:
    assert_first_screen(session, network, level, says)


@pytest.mark.parametrize(
    ("wanted", "level", "says"),
    [
        (itself, "good", "Denoising works on these data."),
        (low_passed, "bad", "Do not rely on these denoised images: the model blurs."),
        (
            another_picture,
            "bad",
            "Do not rely on these denoised images: the model loses the signal and makes things up.",
        ),
    ],
    ids=["on the signal", "on a blurred signal", "on a picture of something else"],
)
def test_the_first_screen_tells_of_what_a_model_was_trained_wrongly(
    session: Path, wanted: Callable[[np.ndarray], np.ndarray], level: str, says: str
) -> None:
    assert_first_screen(session, trained(wanted), level, says)


def assert_first_screen(session: Path, network: Network, level: str, says: str) -> None:
    """Measure and report as the workflow does, and look at what a reader sees first."""
    model = Model(network, {"sha256": "ab" * 32, "pixel_size": PIXEL_SIZE})
    measure_micrographs(halves(), model, out_csv=session / "quality.csv")
    write_report(session, model=MODEL)
    page = (session / "report.html").read_text(encoding="utf-8")
    first_screen = page[page.index("<header>") : page.index('<section id="gallery">')]
    assert f'<div class="verdict {level}">' in first_screen
    assert says in first_screen
    style = re.search(rf"\.{level}\S* \{{ color: var\((--\w+)\)", page)
    assert style is not None and style[1] == {"good": "--green", "bad": "--red"}[level]
