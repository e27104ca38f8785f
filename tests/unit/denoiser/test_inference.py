"""Tiles leave no trace, whatever their size and the image's."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.denoiser.grey_levels import MeanStd
from cryopair.denoiser.inference import denoise, denoise_normalised, tiles
from cryopair.denoiser.networks import Network, TopazAffine, UNet
from cryopair.denoiser.normalise import Normalisation
from cryopair.errors import BadFileError, CryopairError


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "tile"),
    [((128, 160), 64), ((129, 167), 64), ((97, 130), 40), ((35, 301), 37), ((64, 48), 8), ((5, 120), 24)],
)
def test_tiles_equal_the_whole(network: UNet, shape: tuple[int, int], tile: int) -> None:
    image = noise(*shape)
    whole = denoise_normalised(image, network, tile=10**6, exact=True)
    tiled = denoise_normalised(image, network, tile=tile, exact=True)
    assert whole.shape == shape
    assert whole.std() > 0.01
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_tiles_equal_the_whole_in_three_dimensions(make_network: Callable[..., UNet]) -> None:
    volume = noise(14, 21, 40)
    network = make_network((4, 4), dimensions=3)
    whole = denoise_normalised(volume, network, tile=10**6, exact=True)
    np.testing.assert_allclose(denoise_normalised(volume, network, tile=12, exact=True), whole, atol=1e-5)


@pytest.mark.parametrize("channels", [(4, 4), (4, 4, 4), (4, 4, 4, 4)])
def test_no_input_beyond_the_radius_matters(make_network: Callable[..., UNet], channels: tuple[int, ...]) -> None:
    network = make_network(channels)
    size, centre = 16 * network.grid, 8 * network.grid
    image = torch.zeros(1, 1, 4 * network.grid, size).normal_().requires_grad_()
    row = 2 * network.grid
    reach = 0
    for column in range(centre, centre + network.grid):  # all places relative to the grid
        (gradient,) = torch.autograd.grad(network(image)[0, 0, row, column], image)
        columns = np.flatnonzero(gradient[0, 0].abs().sum(dim=0).numpy())
        reach = max(reach, *np.abs(columns - column))
    assert reach <= network.receptive_radius
    assert reach > network.receptive_radius / 2  # not so generous that the bound says nothing


@settings(deadline=None, max_examples=60)
@given(
    cells=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    side=st.integers(1, 120),
    radius=st.integers(1, 40),
    grid=st.sampled_from([2, 8]),
)
def test_cores_cover_the_image_once_and_lie_on_the_grid(
    cells: tuple[int, int], side: int, radius: int, grid: int
) -> None:
    sizes = (cells[0] * grid, cells[1] * grid)
    covered = np.zeros(sizes, dtype=int)
    numbers = np.arange(covered.size).reshape(sizes)
    for tile in tiles(sizes, side=side, grid=grid, radius=radius):
        covered[tile.core] += 1
        np.testing.assert_array_equal(numbers[tile.region][tile.core_in_region], numbers[tile.core])
        for size, region, core in zip(sizes, tile.region, tile.core, strict=True):
            assert region.start % grid == core.start % grid == (region.stop - region.start) % grid == 0
            assert core.start - region.start >= radius or region.start == 0
            assert region.stop - core.stop >= radius or region.stop == size
    assert np.all(covered == 1)


def test_the_result_is_in_the_grey_levels_of_the_image(network: UNet) -> None:
    """Scaling the input scales the output: the network sees the same either way."""
    image = 40 + 3 * noise(120, 150) + 0.1 * np.arange(150, dtype=np.float32)
    result = denoise(image, network, exact=True)
    np.testing.assert_allclose(denoise(250 * image - 7000, network, exact=True), 250 * result - 7000, rtol=1e-4)
    normalisation = Normalisation.of(image)
    normalised = denoise_normalised(normalisation.apply(image), network, exact=True)
    np.testing.assert_array_equal(result, normalisation.undo(normalised))


def test_topaz_networks_work_on_mean_and_deviation() -> None:
    """As Topaz up to 0.2.5: the mean of the whole image is 0, its deviation 1; both are given back."""
    image = 40 + 3 * noise(60, 71) + 0.1 * np.arange(71, dtype=np.float32)
    network = TopazAffine(kernel=3)
    torch.nn.init.zeros_(network.filter.weight)
    network.filter.weight.data[0, 0, 1, 1] = 0.5
    torch.nn.init.constant_(network.filter.bias, 0.25)
    normalised = (image - image.mean()) / image.std()
    np.testing.assert_allclose(MeanStd.of(image).apply(image), normalised, atol=1e-5)
    expected = (0.5 * normalised + 0.25) * image.std() + image.mean()
    np.testing.assert_allclose(denoise(image, network, exact=True), expected, rtol=1e-6)


class Hungry(Network):
    """Doubles the image, but finds no memory for tiles above a side."""

    grid, receptive_radius, padded = 8, 0, True

    def __init__(self, side: int, error: Exception) -> None:
        super().__init__()
        self.dimensions, self.hyper_parameters = 2, {}
        self.side, self.error, self.tried = side, error, []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.tried.append(max(image.shape[2:]))
        if self.tried[-1] > self.side:
            raise self.error
        return 2 * image


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail at alloc_cpu.cpp] . DefaultCPUAllocator: not enough memory: you tried to allocate"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_smaller_tiles_are_tried_when_memory_runs_out(error: Exception) -> None:
    network, image = Hungry(110, error), noise(300, 400)
    np.testing.assert_array_equal(denoise_normalised(image, network), 2 * image)
    assert network.tried[:3] == [400, 200, 104]


def test_too_little_memory_is_one_clear_error() -> None:
    with pytest.raises(CryopairError, match="cpu: not enough memory to denoise even in tiles of 100 px"):
        denoise_normalised(noise(300, 400), Hungry(30, MemoryError()))
    with pytest.raises(RuntimeError, match="something else"):
        denoise_normalised(noise(64, 64), Hungry(30, RuntimeError("something else")))


def test_default_precision_is_near_the_exact(network: UNet) -> None:
    image = noise(100, 120)
    exact = denoise_normalised(image, network, exact=True)
    fast = denoise_normalised(image, network)
    assert np.abs(fast - exact).max() < 0.05 * exact.std()


def test_bad_images_are_named(network: UNet) -> None:
    image = noise(64, 64)
    image[3, 4] = np.nan
    with pytest.raises(BadFileError, match=r"a\.mrc: has pixels that are NaN"):
        denoise(image, network, name="a.mrc")
    with pytest.raises(BadFileError, match=r"a\.mrc: is constant"):
        denoise(np.full((64, 64), 3.3), network, name="a.mrc")


def test_bad_networks_are_noticed(network: UNet) -> None:
    with pytest.raises(CryopairError, match=r"a\.mrc: the denoised image is constant"):
        denoise(noise(64, 64), UNet(channels=(4, 4)), name="a.mrc")
    torch.nn.init.constant_(network.last.bias, torch.nan)
    with pytest.raises(CryopairError, match=r"a\.mrc: the denoised image has NaN"):
        denoise(noise(64, 64), network, name="a.mrc")
