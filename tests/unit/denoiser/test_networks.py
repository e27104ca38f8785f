"""Our own network: the enlargement that is made for GPUs."""

import pytest
import torch

from cryopair.denoiser.networks.unet import Doubling


@pytest.mark.parametrize(
    ("shape", "mode"), [((2, 3, 5, 4), "bilinear"), ((1, 2, 3, 4, 2), "trilinear"), ((1, 1, 1, 1), "bilinear")]
)
def test_enlarging_by_two_has_the_gradient_of_torch_s_own(shape: tuple[int, ...], mode: str) -> None:
    random = torch.Generator().manual_seed(1)
    images = [torch.randn(shape, generator=random).requires_grad_()]
    images.append(images[0].detach().clone().requires_grad_())
    weight = torch.randn(*shape[:2], *(2 * size for size in shape[2:]), generator=random)
    theirs = torch.nn.functional.interpolate(images[0], scale_factor=2, mode=mode)
    ours = Doubling.apply(images[1])
    torch.testing.assert_close(ours, theirs)
    for result in (theirs, ours):
        (result * weight).sum().backward()
    torch.testing.assert_close(images[1].grad, images[0].grad)
