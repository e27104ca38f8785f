"""Fourier operations against analytic truths."""

import numpy as np
import pytest
import torch

from cryopair.fourier import DoseWeights, crop, inverse, shift, transform

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)


def noise(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(RNG.normal(3, 1, (height, width)))


def test_whole_shifts_are_rolls() -> None:
    image = noise(12, 16)
    moved = inverse(shift(transform(image), (12, 16), 3.0, -2.0), (12, 16))
    torch.testing.assert_close(moved, torch.roll(image, (-2, 3), (0, 1)))


@pytest.mark.parametrize("shape", [(32, 48), (33, 48)])
def test_a_shifted_wave_is_the_wave_elsewhere(shape: tuple[int, int]) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]]

    def wave(dx: float, dy: float) -> torch.Tensor:
        return torch.from_numpy(np.cos(2 * np.pi * (3 * (x - dx) / shape[1] - 5 * (y - dy) / shape[0])))

    moved = inverse(shift(transform(wave(0, 0)), shape, 1.37, -0.61), shape)
    torch.testing.assert_close(moved, wave(1.37, -0.61))


def test_cropping_keeps_the_mean_and_the_low_frequencies() -> None:
    y, x = np.mgrid[:16, :24]
    low = 2.0 + np.cos(2 * np.pi * (2 * x / 24 + y / 16))
    high = np.cos(2 * np.pi * 11 * x / 24)
    cropped = inverse(crop(transform(torch.from_numpy(low + high)), (8, 12)), (8, 12))
    torch.testing.assert_close(cropped, torch.from_numpy(low[::2, ::2]))


def test_cropping_takes_the_negative_nyquist_row() -> None:
    """RELION keeps the last rows of the spectrum, so the new Nyquist row is frequency -n/2."""
    spectrum = transform(noise(16, 16))
    assert torch.equal(crop(spectrum, (8, 8))[4], spectrum[12, :5])


def test_dose_weights_follow_grant_and_grigorieff() -> None:
    doses = [1.5, 3.0, 4.5]
    weights = DoseWeights((64, 64), pixel_size=1.0, doses=doses, voltage=300, device=CPU)
    k = 16 / 64  # 1/Å, at row 0, column 16
    critical = 0.245 * k**-1.665 + 2.81
    unscaled = np.exp(-0.5 * np.array(doses) / critical)
    expected = unscaled / np.sqrt((unscaled**2).sum())
    assert [float(weights[i][0, 16]) for i in range(3)] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("voltage", [300, 200, 100, 199])
def test_dose_weights_keep_the_noise_white(voltage: float) -> None:
    """The sum of squares over frames is 1 at all frequencies; at 0 each frame has 1/sqrt(frames)."""
    weights = DoseWeights((32, 40), pixel_size=0.8, doses=[1.0, 2.0, 3.0, 4.0], voltage=voltage, device=CPU)
    total = sum(weights[i].square() for i in range(4))
    torch.testing.assert_close(total, torch.ones_like(total))
    assert [float(weights[i][0, 0]) for i in range(4)] == pytest.approx([0.5] * 4)


def test_lower_voltage_damages_more() -> None:
    at = {
        kv: DoseWeights((32, 32), pixel_size=1.0, doses=[10.0, 20.0], voltage=kv, device=CPU)[1][0, 16]
        for kv in (300, 200, 100)
    }
    assert at[300] > at[200] > at[100]


def test_other_voltages_are_refused() -> None:
    with pytest.raises(ValueError, match=r"120 kV; known: 300, 200, 100 kV"):
        DoseWeights((8, 8), pixel_size=1, doses=[1.0], voltage=120, device=CPU)
