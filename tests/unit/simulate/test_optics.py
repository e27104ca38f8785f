import numpy as np
import pytest

from cryopair.errors import UsageError
from cryopair.simulate.optics import (
    Defocus,
    ctf,
    damage_rate,
    electron_wavelength,
    interaction_parameter,
    transfer,
)


def test_textbook_constants():
    assert electron_wavelength(300) == pytest.approx(0.019687, rel=1e-4)
    assert electron_wavelength(200) == pytest.approx(0.025079, rel=1e-4)
    assert interaction_parameter(300) == pytest.approx(6.526e-4, rel=1e-3)
    assert interaction_parameter(200) == pytest.approx(7.288e-4, rel=1e-3)


def first_zero(defocus, direction, voltage=300):
    k = np.linspace(1e-3, 0.12, 200_000)
    curve = ctf(k * np.cos(direction), k * np.sin(direction), defocus=defocus, voltage=voltage)
    return k[np.flatnonzero(np.diff(np.sign(curve)))[0]]


def test_first_zero_lies_where_the_phase_reaches_pi():
    # χ + asin(0.1) = π, with χ = π λ Δf k² - π/2 Cs λ³ k⁴ solved as a quadratic in k²
    wavelength, df, cs = 0.0196875, 15_000, 2.7e7
    a, b, c = 0.5 * cs * wavelength**3, -wavelength * df, 1 - np.arcsin(0.1) / np.pi
    k2 = (-b - np.sqrt(b * b - 4 * a * c)) / (2 * a)
    assert first_zero(Defocus(u=df, v=df, angle=0), 0.3) == pytest.approx(np.sqrt(k2), rel=1e-4)


def test_amplitude_contrast_and_sign_at_zero_frequency():
    value = ctf(np.zeros(1), np.zeros(1), defocus=Defocus(u=1e4, v=1e4, angle=0), voltage=300)
    assert value[0] == pytest.approx(-0.1)
    low = ctf(np.full(1, 0.01), np.zeros(1), defocus=Defocus(u=1e4, v=1e4, angle=0), voltage=300)
    assert low[0] < -0.1  # underfocus: matter is dark


def test_astigmatism_turns_from_x_towards_y():
    defocus = Defocus(u=20_000, v=10_000, angle=30)
    along_u, along_v = (first_zero(defocus, np.radians(angle)) for angle in (30, 120))
    assert along_u == pytest.approx(first_zero(Defocus(u=20_000, v=20_000, angle=0), 0), rel=1e-4)
    assert along_v == pytest.approx(first_zero(Defocus(u=10_000, v=10_000, angle=0), 0), rel=1e-4)


def test_transfer_of_zero_frequency():
    value = transfer((32, 48), pixel_size=2.0, defocus=Defocus(u=1e4, v=1e4, angle=0), voltage=300)
    assert value.shape == (32, 25)
    assert value[0, 0] == pytest.approx(2 * -0.1 * 0.85 * 0.65)


def test_critical_dose_of_grant_and_grigorieff():
    rate = damage_rate((100, 100), pixel_size=2.0, voltage=300)
    assert rate[0, 0] == 0
    # at 1/10 Å: Nc = 0.245 · 0.1^-1.665 + 2.81 = 14.14 e/Å²; two of those leave 1/e of the amplitude
    assert 1 / (2 * rate[0, 20]) == pytest.approx(14.138, rel=1e-3)
    assert damage_rate((100, 100), pixel_size=2.0, voltage=200)[0, 20] == pytest.approx(rate[0, 20] / 0.8)


def test_damage_at_other_voltages_is_refused():
    with pytest.raises(UsageError, match="120 kV"):
        damage_rate((8, 8), pixel_size=1.0, voltage=120)
