"""Motion found on movies whose motion is known, with much noise, with none but noise, and with too much of it."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from cryopair.alignment.estimate import Paths, estimate_global, estimate_local
from cryopair.alignment.frames import CoarseFrames
from cryopair.alignment.likelihood import Spectra, measure_weights, slopes

MARGIN = 48
FRAMES, SHAPE, PIXEL_SIZE = 16, (256, 320), 3.0
DOSES = 1.2 * np.arange(FRAMES)
TIME = np.linspace(0, 1, FRAMES)
SETTLING = np.stack([9 * (1 - np.exp(-TIME * 6)), 4 * TIME], axis=1)  # Å: fast first, then steady


def image_spectrum(shape: tuple[int, int], random: np.random.Generator, *, blur: float) -> np.ndarray:
    """Return the spectrum of a random image of standard deviation 1, larger than `shape` by `MARGIN` px all around.

    Its detail fades beyond `blur` px, as that of proteins in ice does.
    """
    canvas = tuple(size + 2 * MARGIN for size in shape)
    frequency = np.hypot(np.fft.fftfreq(canvas[0])[:, None], np.fft.rfftfreq(canvas[1]))
    spectrum = np.fft.rfft2(random.normal(size=canvas)) / (1 + (frequency * 20) ** 2)
    spectrum *= np.exp(-((np.pi * blur * frequency) ** 2))
    return spectrum / np.fft.irfft2(spectrum, s=canvas).std()


def moved(spectrum: np.ndarray, shape: tuple[int, int], x: float, y: float) -> np.ndarray:
    """Return the image with its content moved by (x, y) px."""
    canvas = tuple(size + 2 * MARGIN for size in shape)
    phase = np.fft.fftfreq(canvas[0])[:, None] * y + np.fft.rfftfreq(canvas[1]) * x
    image = np.fft.irfft2(spectrum * np.exp(-2j * np.pi * phase), s=canvas)
    return image[MARGIN:-MARGIN, MARGIN:-MARGIN]


def made_up(drift: np.ndarray, *, signal: float, local: np.ndarray | None = None, pattern: float = 0.0) -> CoarseFrames:
    """Make frames of noise 1 whose content drifts, in Å; `local` is the motion that Paths.local shall undo."""
    random = np.random.default_rng(1)
    spectrum = image_spectrum(SHAPE, random, blur=1.5)
    fixed = pattern * random.normal(size=SHAPE)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    space = monomials(columns / SHAPE[1] - 0.5, rows / SHAPE[0] - 0.5)
    frames = []
    for time, (x, y) in zip(TIME, drift / PIXEL_SIZE, strict=True):
        image = moved(spectrum, SHAPE, x, y)
        if local is not None:
            dx, dy = np.einsum("asp,syx,p->ayx", local, space, time ** np.arange(1, 4)) / PIXEL_SIZE
            image = map_coordinates(image, [rows + dy, columns + dx], order=3, mode="nearest")
        frames.append(signal * image + fixed + random.normal(size=SHAPE))
    images = np.stack(frames).astype(np.float32)
    images -= images.mean(axis=(1, 2), keepdims=True)
    return CoarseFrames(torch.from_numpy(images), (PIXEL_SIZE, PIXEL_SIZE))


def monomials(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, x**2, y, y**2, x * y])


def residual(paths: Paths, drift: np.ndarray, local: np.ndarray | None = None) -> float:
    """Return the RMS length in Å of what motion is left in the aligned frames, over the image."""
    x, y = np.meshgrid(np.linspace(-0.45, 0.45, 7), np.linspace(-0.45, 0.45, 7))
    missed = paths.local - (0 if local is None else local)
    left = np.einsum("asp,syx,tp->tayx", missed, monomials(x, y), TIME[:, None] ** np.arange(1, 4))
    left += (paths.shifts + drift)[:, :, None, None]
    left -= left.mean(axis=0)
    return float(np.sqrt((left**2).sum(axis=1).mean()))


@pytest.mark.parametrize(("signal", "limit"), [(0.5, 0.1), (0.15, 0.35), (0.1, 0.6)])
def test_drift_is_found_to_a_fraction_of_a_pixel(signal: float, limit: float) -> None:
    frames = made_up(SETTLING, signal=signal)
    paths = estimate_global(frames, DOSES)
    assert residual(paths, SETTLING) < limit  # Å, where a pixel is 3 Å
    assert (paths.shifts[0] == 0).all()
    # Looking for local motion where there is none must not make more than 0.1 Å.
    assert residual(estimate_local(frames, DOSES, paths), SETTLING) < limit + 0.1


def test_drift_of_many_pixels_is_followed() -> None:
    drift = np.stack([60 * TIME, -20 * TIME], axis=1)  # 20 px
    assert residual(estimate_global(made_up(drift, signal=0.3), DOSES), drift) < 0.3


@pytest.mark.parametrize(("signal", "limit"), [(1.0, 0.2), (0.3, 0.4)])
def test_local_motion_is_found(signal: float, limit: float) -> None:
    local = np.zeros((2, 5, 3))
    local[0, [0, 1, 4], 0] = 5, 6, -6  # Å
    local[1, [2, 3], 0] = -5, 7
    local[1, 2, 1] = 3
    frames = made_up(SETTLING, signal=signal, local=local)
    whole = estimate_global(frames, DOSES)
    found = estimate_local(frames, DOSES, whole)
    assert residual(whole, SETTLING, local) > 0.5
    assert residual(found, SETTLING, local) < limit


@pytest.mark.parametrize("pattern", [0.0, 0.1])
def test_noise_does_not_move(pattern: float) -> None:
    """A pattern that stays, as a poor gain leaves, is no motion either."""
    frames = made_up(np.zeros((FRAMES, 2)), signal=0, pattern=pattern)
    paths = estimate_local(frames, DOSES, estimate_global(frames, DOSES))
    assert np.abs(paths.shifts).max() < 0.5
    assert np.abs(paths.local).max() < 0.5


def test_a_weak_fixed_pattern_does_not_hold_the_specimen_back() -> None:
    frames = made_up(SETTLING, signal=0.15, pattern=0.05)
    assert residual(estimate_global(frames, DOSES), SETTLING) < 0.4


def test_the_same_frames_give_the_same_motion() -> None:
    frames = made_up(SETTLING, signal=0.15)
    first, second = (estimate_local(frames, DOSES, estimate_global(frames, DOSES)) for _ in range(2))
    assert np.array_equal(first.shifts, second.shifts)
    assert np.array_equal(first.local, second.local)


def test_slopes_are_derivatives_of_the_likelihood() -> None:
    frames = made_up(SETTLING, signal=0.3)
    spectra = Spectra.of(frames.images, frames.pixel_size)
    shifts = -SETTLING[None]
    weights = measure_weights(spectra, shifts)
    band = spectra.up_to(weights.finest)
    slope = slopes(band, weights, shifts)[0, 3]
    others = band.moved(0, shifts[0]).sum(0) - band.moved(0, shifts[0])[3]

    def likelihood(x: float, y: float) -> float:
        tried = shifts[0].copy()
        tried[3] += x, y
        product = others.conj() * band.moved(0, tried)[3] / (FRAMES - 1)
        return float((weights.values.double() * product.real).sum())

    step = 0.5
    numeric = [likelihood(step, 0) - likelihood(-step, 0), likelihood(0, step) - likelihood(0, -step)]
    assert slope == pytest.approx(np.array(numeric) / (2 * step), rel=0.05, abs=0.02 * np.sqrt(weights.information))


def test_information_says_how_exact_shifts_are() -> None:
    """Weak priors aside, errors of shifts have the variance that the weights promise."""
    still = np.zeros((FRAMES, 2))
    frames = made_up(still, signal=0.15)
    spectra = Spectra.of(frames.images, frames.pixel_size)
    weights = measure_weights(spectra, still[None])
    steps = slopes(spectra.up_to(weights.finest), weights, still[None])[0] / weights.information
    assert steps.std() == pytest.approx(weights.information**-0.5, rel=0.4)


def test_tiny_movies_have_no_local_motion() -> None:
    frames = made_up(SETTLING, signal=0.5)
    small = CoarseFrames(frames.images[:, :40, :48].contiguous(), frames.pixel_size)
    paths = estimate_local(small, DOSES, estimate_global(small, DOSES))
    assert not paths.local.any()
