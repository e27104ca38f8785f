"""Checks of the images themselves: that they are raw, and what the micrographs show at the coordinates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...errors import CryopairError
from ...formats.coordinates import Floats
from ...formats.mrc import map_mrc
from ..raw import looks_denoised
from ..windows import cut_windows, rescale
from .findings import Finding, Verdict
from .particles import ParticleSet, Rows

_MICROGRAPHS, _EACH = 8, 4
_SAME = 0.9
"""Correlation of a particle with what its micrograph shows; 1 but for what normalisation takes away."""


def check_raw(particles: ParticleSet, *, seed: int) -> Finding:
    """Check that no micrograph is a denoised one, by its label, its STAR or its power spectrum."""
    if "rlnMicrographNameDenoised" in particles.table:
        same = zip(particles.table["rlnMicrographName"], particles.table["rlnMicrographNameDenoised"], strict=True)
        if count := sum(raw == denoised for raw, denoised in same):
            return _denoised(f"rlnMicrographNameDenoised names the same micrograph for {count} particles")
    labelled = [name for name, _, header in particles.good_micrographs() if header.denoised]
    labelled += [name for name, _, header in particles.good_stacks() if header.denoised]
    if labelled:
        return _denoised(f"{len(labelled)} files are labelled as denoised in their headers, such as {labelled[0]}")
    smooth, looked = [], 0
    for name, _ in _some(particles, seed):
        try:
            smooth += [name] * looks_denoised(map_mrc(name)[0])
            looked += 1
        except CryopairError:
            continue
    if smooth:
        found = f"{len(smooth)} of {looked} micrographs looked at have next to no noise at high frequencies, as if"
        return Finding(Verdict.LOOK, "raw", f"{found} they had been denoised or filtered, such as {smooth[0]}")
    return Finding(Verdict.PASS, "raw", f"no label of a denoised image; {looked} micrographs looked at have raw noise")


def check_cut(particles: ParticleSet, *, seed: int) -> Finding:
    """Cut some particles again, and compare them with the images."""
    correlations: list[float] = []
    for name, rows in _some(particles, seed):
        try:
            correlations += _compare(particles, name, rows)
        except CryopairError:
            continue  # the other checks name it
    if not correlations:
        return Finding(Verdict.LOOK, "cut", "no particle could be cut again to compare")
    middle = float(np.median(correlations))
    sign = "inverted, so that protein is bright" if middle < 0 else "not inverted"
    alike = sum(abs(one) > _SAME for one in correlations)
    said = f"{alike} of {len(correlations)} particles cut again are the images (median correlation {abs(middle):.4f})"
    if alike == len(correlations):
        return Finding(Verdict.PASS, "cut", f"{said}; contrast {sign}")
    return Finding(
        Verdict.FAIL,
        "cut",
        f"{said}. The others are something else than the micrograph shows at their coordinates: cut from other "
        "micrographs (denoised ones?), at other coordinates (scaled or flipped?), or masked or CTF-multiplied.",
    )


def _denoised(why: str) -> Finding:
    fix = "Extract again, with the STAR file of the raw micrographs and the coordinates of cryopair handoff."
    return Finding(Verdict.FAIL, "raw", f"particles were cut from denoised micrographs: {why}. {fix}")


def _some(particles: ParticleSet, seed: int) -> list[tuple[str, Rows]]:
    """Choose micrographs that are there, and some particles of each."""
    rng = np.random.default_rng(seed)
    names = [(name, rows) for name, rows, _ in particles.good_micrographs()]
    chosen = [names[index] for index in rng.permutation(len(names))[:_MICROGRAPHS]]
    return [(name, rng.permutation(rows)[:_EACH]) for name, rows in chosen]


def _compare(particles: ParticleSet, name: str, rows: Rows) -> list[float]:
    """Correlate images with boxes of the size that the pixel sizes give, cut at the coordinates."""
    header, optics = particles.micrographs[name], particles.optics_row(rows[0])
    of_image = float(optics.get("rlnImagePixelSize", 0))
    of_micrograph = 0.0 if isinstance(header, CryopairError) else header.pixel_size
    micrograph = map_mrc(name)[0]
    correlations = []
    for row in rows:
        stack = map_mrc(particles.table["rlnImageName"][row].partition("@")[2])
        if not 1 <= particles.indices[row] <= len(stack):
            continue
        image = stack[particles.indices[row] - 1]
        box = 2 * round(len(image) * of_image / (of_micrograph or of_image or 1) / 2)
        if box < len(image):
            return [0.0]  # no image is finer than its micrograph
        window = cut_windows(micrograph, particles.x[[row]], particles.y[[row]], box=box)
        correlations.append(_correlation(rescale(window - window.mean(), len(image))[0], image))
    return correlations


def _correlation(first: npt.NDArray, second: npt.NDArray) -> float:
    """Return the correlation of two square images, a plane taken from each: RELION's normalisation does that."""
    a, b = (_without_plane(np.asarray(image, dtype=np.float64)) for image in (first, second))
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale else 0.0


def _without_plane(image: Floats) -> Floats:
    """Subtract the plane that fits a square image best."""
    ramp = np.arange(len(image)) - (len(image) - 1) / 2
    flat = image - image.mean()
    squares = float((ramp**2).sum()) * len(image)
    down, across = (flat.sum(axis=1) @ ramp) / squares, (flat.sum(axis=0) @ ramp) / squares
    result: Floats = flat - down * ramp[:, np.newaxis] - across * ramp
    return result
