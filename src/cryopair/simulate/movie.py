"""From the noise-free image to electron counts: motion, damage, and an imperfect detector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from ..motion import Motion
from .optics import damage_rate
from .scene import canvas_shape, origin

_DEAD_PIXELS = 12
_HOT_PIXELS = 8
_HOT_RATE = 20.0  # false counts per frame of a hot pixel; RELION finds it at six standard deviations
_GAIN_VARIATION = 0.03  # rms from pixel to pixel
_BLOCK = 128  # columns read out by one amplifier
_BLOCK_VARIATION = 0.02  # rms between amplifiers


@dataclass(frozen=True)
class Detector:
    """A counting camera.

    Attributes
    ----------
    gain : numpy.ndarray
        Shape ``(height, width)``: ``corrected = counts * gain``; 0 where the pixel is dead.
    hot_pixels : numpy.ndarray
        Shape ``(n, 2)``: x and y of pixels that count electrons which are not there.
    """

    gain: npt.NDArray[np.float32]
    hot_pixels: npt.NDArray[np.int64]

    def count(self, intensity: npt.NDArray[np.float32], random: np.random.Generator) -> npt.NDArray[np.uint8]:
        """Return the counts of one frame, before gain correction.

        Parameters
        ----------
        intensity : numpy.ndarray
            Shape ``(height, width)``: electrons expected in each pixel of a perfect camera.
        random : numpy.random.Generator
            Draws the shot noise, independent in every pixel.
        """
        dead = self.gain == 0
        expected = np.where(dead, 0, np.maximum(intensity, 0) / np.where(dead, 1, self.gain))
        expected[self.hot_pixels[:, 1], self.hot_pixels[:, 0]] += _HOT_RATE
        return np.minimum(random.poisson(expected), 255).astype(np.uint8)


def make_detector(shape: tuple[int, int], random: np.random.Generator) -> Detector:
    """Make a camera with an uneven gain of mean 1, a dead column segment, dead pixels and hot pixels."""
    height, width = shape
    gain = random.normal(1, _GAIN_VARIATION, shape)
    blocks = random.normal(1, _BLOCK_VARIATION, -(-width // _BLOCK))
    gain *= np.repeat(blocks, _BLOCK)[:width]
    gain = np.clip(gain / gain.mean(), 0.5, 2.0)
    chosen = random.choice(height * width, _DEAD_PIXELS + _HOT_PIXELS, replace=False)
    rows, columns = np.divmod(chosen, width)
    gain[rows[:_DEAD_PIXELS], columns[:_DEAD_PIXELS]] = 0
    hot = np.stack([columns[_DEAD_PIXELS:], rows[_DEAD_PIXELS:]], axis=1)
    segment = slice(height // 3, height // 3 + height // 8)
    gain[segment, _column_without(hot[:, 0], width)] = 0
    return Detector(gain.astype(np.float32), hot[np.lexsort((hot[:, 0], hot[:, 1]))])


def expected_frames(spectrum: npt.NDArray[np.complex64], motion: Motion) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the noise-free frames of a movie, relative to the incident intensity.

    In each frame the specimen has moved, and has taken the dose up to the frame's middle.

    Parameters
    ----------
    spectrum : numpy.ndarray
        Of the undamaged image on its canvas, from `scene.render`.
    motion : Motion
        The true motion, with RELION's signs: what undoes it.

    Yields
    ------
    numpy.ndarray
        Shape ``(height, width)``.
    """
    canvas = canvas_shape((motion.height, motion.width))
    rate = damage_rate(canvas, pixel_size=motion.pixel_size, voltage=motion.voltage).astype(np.float32)
    # The coefficients of the cubic spline that passes through the image, so that warping it does not blur it.
    spline = spectrum / _spline_response(canvas)
    for frame in range(motion.frames):
        dose = motion.pre_exposure + motion.dose_per_frame * (frame + 0.5)
        shift_x, shift_y = motion.global_shifts[frame]
        moved = fft.irfft2(spline * np.exp(-dose * rate) * _drift(canvas, -shift_x, -shift_y), s=canvas)
        where = local_positions(motion, frame)
        yield ndimage.map_coordinates(moved, where, order=3, prefilter=False, output=np.float32)


def make_counts(
    spectrum: npt.NDArray[np.complex64],
    motion: Motion,
    detector: Detector,
    beam: npt.NDArray[np.float32],
    *,
    noise: Callable[[int], np.random.Generator],
) -> npt.NDArray[np.uint8]:
    """Return the counts of a movie. Shot noise is drawn last, from the moved image, so it is white.

    Parameters
    ----------
    spectrum, motion
        As in `expected_frames`.
    detector : Detector
        The camera. Like the beam, it does not move.
    beam : numpy.ndarray
        Shape ``(height, width)``, from `scene.illumination`.
    noise : callable
        Gives the random numbers of a frame, 0-based.

    Returns
    -------
    numpy.ndarray
        Shape ``(frames, height, width)``.
    """
    counts = np.empty((motion.frames, motion.height, motion.width), np.uint8)
    electrons = beam * (motion.dose_per_frame * motion.pixel_size**2)
    for frame, image in enumerate(expected_frames(spectrum, motion)):
        counts[frame] = detector.count(electrons * image, noise(frame))
    return counts


def local_positions(motion: Motion, frame: int) -> npt.NDArray[np.float32]:
    """Return where on the drifted canvas the pixels of a frame come from.

    RELION undoes local motion by ``aligned(x) = drifted(x - d(x))`` with its polynomial d, once the drift is
    undone by the stored global shift g. So the pixel at v of the frame shows the aligned image at the x for
    which ``x - d(x) = v + g``. The canvas has the drift in it already: what remains is ``v + d(x)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(2, height, width)``: row and column on the canvas.
    """
    top, left = origin((motion.height, motion.width))
    terms = motion.local_terms(frame).astype(np.float32)
    shift_x, shift_y = motion.global_shifts[frame]
    rows = np.arange(motion.height, dtype=np.float32)[:, None]
    columns = np.arange(motion.width, dtype=np.float32)[None, :]
    u_y, u_x = rows + np.float32(shift_y), columns + np.float32(shift_x)
    dx = dy = np.zeros((1, 1), np.float32)
    for _ in range(2):  # d changes by < 1 % of itself over its own length, so this is exact to 1e-4 of it
        x = (u_x + dx) / motion.width - 0.5
        y = (u_y + dy) / motion.height - 0.5
        dx, dy = (_polynomial(axis_terms, x, y) for axis_terms in terms)
    return np.stack([rows + dy + top, columns + dx + left])


def _polynomial(terms: npt.NDArray[np.float64], x: npt.NDArray, y: npt.NDArray) -> npt.NDArray:
    one, x1, x2, y1, y2, xy = terms
    return one + x * (x1 + x2 * x + xy * y) + y * (y1 + y2 * y)


def _drift(shape: tuple[int, int], x: float, y: float) -> npt.NDArray[np.complex64]:
    """Return the factor that moves the content of a canvas by ``(x, y)`` px."""
    across = np.exp(-2j * np.pi * x * np.fft.rfftfreq(shape[1]))
    down = np.exp(-2j * np.pi * y * np.fft.fftfreq(shape[0]))
    return (down[:, None] * across[None, :]).astype(np.complex64)


def _spline_response(shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return the transfer function of cubic B-spline weights (1, 4, 1)/6 along both axes (Unser 1999)."""
    across = (2 + np.cos(2 * np.pi * np.fft.rfftfreq(shape[1]))) / 3
    down = (2 + np.cos(2 * np.pi * np.fft.fftfreq(shape[0]))) / 3
    return (down[:, None] * across[None, :]).astype(np.float32)


def _column_without(taken: npt.NDArray[np.int64], width: int) -> int:
    """Return a column near two thirds of the width with no hot pixel in it."""
    return next(column for column in range(2 * width // 3, width) if column not in taken)
