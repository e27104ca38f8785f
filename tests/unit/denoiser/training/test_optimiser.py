import numpy as np
import pytest
import torch
from torch import nn

from cryopair.denoiser.networks import TopazUNet, UNet
from cryopair.denoiser.training.optimiser import Muon, is_wide, orthogonal


@pytest.mark.parametrize("shape", [(32, 48), (96, 864), (64, 32)])
def test_all_singular_values_are_made_nearly_alike(shape):
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    u, s, v = torch.linalg.svd(matrix @ torch.diag(torch.logspace(0, -1.5, shape[1])), full_matrices=False)
    result = orthogonal(u * s @ v)
    # Same directions, other lengths: between U and V it is diagonal.
    lengths = u.T @ result @ v.T
    assert lengths.diagonal().min() > 0.5
    assert lengths.diagonal().max() < 1.3
    assert (lengths - torch.diag(lengths.diagonal())).abs().max() < 0.02


def test_only_kernels_between_many_channels_are_treated_so():
    for network, first, last in (
        (UNet(), "down.0.0.weight", "last.weight"),
        (TopazUNet(), "enc1.0.weight", "dec1.4.weight"),
    ):
        wide = {name for name, weight in network.named_parameters() if is_wide(weight)}
        kernels = {name for name, weight in network.named_parameters() if weight.ndim == 4}
        assert kernels - wide == {first, last}


def test_a_step_is_as_large_as_adams_and_decays_the_weights():
    torch.manual_seed(0)
    convolution = nn.Conv2d(32, 48, 3)
    before = convolution.weight.detach().clone()
    optimiser = Muon(convolution.parameters(), lr=1e-2, weight_decay=0.0)
    convolution(torch.randn(1, 32, 20, 20)).square().mean().backward()
    optimiser.step()
    moved = (convolution.weight.detach() - before).square().mean().sqrt()
    assert float(moved) == pytest.approx(0.2e-2, rel=0.25)

    decaying = Muon(convolution.parameters(), lr=1e-2, weight_decay=0.5)
    convolution.weight.grad = torch.zeros_like(convolution.weight)
    before = convolution.weight.detach().clone()
    decaying.step()
    torch.testing.assert_close(convolution.weight.detach(), before * (1 - 0.5e-2))


def test_other_weights_move_as_with_adamw():
    torch.manual_seed(0)
    one, other = nn.Linear(5, 3), nn.Linear(5, 3)
    other.load_state_dict(one.state_dict())
    optimisers = (
        Muon(one.parameters(), lr=1e-2, weight_decay=0.1),
        torch.optim.AdamW(other.parameters(), lr=1e-2, weight_decay=0.1),
    )
    for _ in range(20):
        given = torch.randn(7, 5)
        for network, optimiser in zip((one, other), optimisers, strict=True):
            optimiser.zero_grad()
            network(given).square().mean().backward()
            optimiser.step()
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
