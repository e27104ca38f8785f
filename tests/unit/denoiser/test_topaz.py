"""Topaz's networks: the numbers of their layers written out plainly, from whole images and from tiles."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cryopair.denoiser.inference import denoise_normalised
from cryopair.denoiser.networks import Network, TopazAffine, TopazFCNN, TopazUNet, topaz

Make = Callable[..., Network]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many blocks in small images."""
    monkeypatch.setattr(topaz, "BLOCK", 36)


def random_weights(network: Network) -> Network:
    """Give a network weights that keep the size of what goes through it."""
    torch.manual_seed(4)
    for parameter in network.parameters():
        fan = parameter[0].numel() if parameter.ndim > 1 else 4
        torch.nn.init.normal_(parameter, std=(2 / fan) ** 0.5)
    return network.eval()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def layer(network: Network, name: str, x: torch.Tensor, *, rectify: bool = True) -> torch.Tensor:
    weight, bias = network.get_parameter(f"{name}.weight"), network.get_parameter(f"{name}.bias")
    x = functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
    return functional.leaky_relu(x, 0.1) if rectify else x


def plain_unet(network: TopazUNet, image: torch.Tensor) -> torch.Tensor:
    """Do what Bepler et al. describe, step by step."""
    x, skips = image, [image]
    for level in range(1, network.levels + 1):
        x = functional.max_pool2d(layer(network, f"enc{level}.0", x), 2)
        skips.append(x)
    x = layer(network, f"enc{network.levels + 1}.0", x)
    for level in reversed(range(network.levels)):
        x = functional.interpolate(x, size=skips[level].shape[2:], mode="nearest")
        x = layer(network, f"dec{level + 1}.0", torch.cat([x, skips[level]], dim=1))
        x = layer(network, f"dec{level + 1}.2", x)
    return layer(network, "dec1.4", x, rectify=False)


def plain_fcnn(network: TopazFCNN, image: torch.Tensor) -> torch.Tensor:
    x = layer(network, "net.2", layer(network, "net.0", image))
    return layer(network, "net.4", x, rectify=False)


def unet(**changes: int) -> TopazUNet:
    return random_weights(TopazUNet(**({"levels": 3, "channels": 2} | changes)))  # type: ignore[return-value]


@pytest.mark.parametrize("shape", [(64, 64), (96, 160), (66, 94), (63, 101), (64, 77), (125, 90), (33, 35)])
@pytest.mark.parametrize("kernels", [(11, 5), (7, 3)])
def test_the_unet_equals_its_layers(shape: tuple[int, int], kernels: tuple[int, int]) -> None:
    network = unet(base_kernel=kernels[0], top_kernel=kernels[1])
    image = torch.from_numpy(noise(2, 1, *shape))
    with torch.no_grad():
        expected = plain_unet(network, image)
        np.testing.assert_allclose(network(image), expected, atol=1e-5 * float(expected.abs().max()))


def test_the_deep_unet_equals_its_layers() -> None:
    network = unet(levels=5, channels=3)
    image = torch.from_numpy(noise(1, 1, 145, 224))
    with torch.no_grad():
        expected = plain_unet(network, image)
        np.testing.assert_allclose(network(image), expected, atol=1e-5 * float(expected.abs().max()))


def test_the_others_equal_their_layers() -> None:
    image = torch.from_numpy(noise(2, 1, 50, 61))
    fcnn = random_weights(TopazFCNN(channels=3, kernel=7))
    affine = random_weights(TopazAffine(kernel=9))
    with torch.no_grad():
        np.testing.assert_allclose(fcnn(image), plain_fcnn(fcnn, image), atol=1e-5)  # type: ignore[arg-type]
        np.testing.assert_allclose(affine(image), layer(affine, "filter", image, rectify=False), atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(shape=st.tuples(st.integers(9, 190), st.integers(9, 190)), tile=st.integers(8, 100))
@pytest.mark.parametrize("kernels", [(11, 5), (7, 3)])
def test_tiles_equal_the_whole_for_every_size(kernels: tuple[int, int], shape: tuple[int, int], tile: int) -> None:
    network = unet(base_kernel=kernels[0], top_kernel=kernels[1])
    whole = denoise_normalised(noise(*shape), network, tile=10**6, exact=True)
    tiled = denoise_normalised(noise(*shape), network, tile=tile, exact=True)
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("shape", [(511, 639), (576, 511)])
def test_tiles_of_the_deep_unet_equal_the_whole(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every level is odd, the nearest pixel is always one before; this reaches furthest."""
    monkeypatch.setattr(topaz, "TOP_CHANNELS", (4, 4))
    network = unet(levels=5)
    whole = denoise_normalised(noise(*shape), network, tile=10**6, exact=True)
    tiled = denoise_normalised(noise(*shape), network, tile=160, exact=True)
    np.testing.assert_allclose(tiled, whole, atol=1e-5 * np.abs(whole).max())


def test_tiles_of_the_others_equal_the_whole() -> None:
    for network in (random_weights(TopazFCNN(channels=3, kernel=7)), random_weights(TopazAffine(kernel=9))):
        whole = denoise_normalised(noise(61, 50), network, tile=10**6, exact=True)
        np.testing.assert_allclose(denoise_normalised(noise(61, 50), network, tile=17, exact=True), whole, atol=1e-5)


def networks() -> Iterator[Network]:
    for base, top in itertools.product((7, 11), (3, 5)):
        yield unet(base_kernel=base, top_kernel=top)
    yield random_weights(TopazFCNN(channels=3, kernel=7))
    yield random_weights(TopazAffine(kernel=9))


def test_no_input_beyond_the_radius_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of one pixel, in images of odd size and of even size, is nowhere seen beyond the radius."""
    monkeypatch.setattr(topaz, "TOP_CHANNELS", (4, 4))
    for network in networks():
        for size in (160, 159):
            image, reach = torch.from_numpy(noise(1, 1, 20, size)), 0
            for column in range(size // 2, size // 2 + network.grid):
                changed = image.clone()
                changed[..., 10, column] = 50.0
                with torch.no_grad():
                    differs = (network(image) - network(changed)).abs()[0, 0].amax(dim=0) > 1e-4
                reach = max(reach, int(np.abs(np.flatnonzero(differs.numpy()) - column).max()))
            assert network.receptive_radius / 2 < reach <= network.receptive_radius


@pytest.mark.parametrize("shape", [(48, 64), (37, 51)])
def test_gradients_are_those_of_the_layers(shape: tuple[int, int]) -> None:
    """So that a network of Topaz's can be trained, or trained further."""
    network = unet(top_kernel=5).train()
    image, weights = torch.from_numpy(noise(1, 1, *shape)), torch.from_numpy(noise(1, 1, *shape)[::-1].copy())
    parameters = dict(network.named_parameters())
    expected = torch.autograd.grad((plain_unet(network, image) * weights).sum(), list(parameters.values()))
    found = torch.autograd.grad((network(image) * weights).sum(), list(parameters.values()))
    for name, one, other in zip(parameters, found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4 * float(other.abs().max()), err_msg=name)


def test_bfloat16_stays_near() -> None:
    """Four layers, in each of which weights and results are rounded to 2⁻⁹; half of the sum, since signs differ."""
    network = unet(channels=8)
    image = torch.from_numpy(noise(1, 1, 96, 96))
    with torch.no_grad():
        exact = network(image)
        with torch.autocast("cpu", torch.bfloat16):
            fast = network(image)
    assert fast.dtype == torch.float32
    assert 0 < (fast - exact).std() < 4 * 2**-9 * exact.std()
