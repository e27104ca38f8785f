"""Checks of what the table says, held against the headers of the files that it names."""

from __future__ import annotations

import numpy as np

from .findings import Finding, Verdict
from .particles import ParticleSet

_DEFOCUS = (500.0, 100_000.0)  # Å, between which a defocus can be
_CTF = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
_OPTICS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
_UNUSUAL = 5.0  # robust standard deviations of the counts


def check_stacks(particles: ParticleSet) -> Finding:
    """Check that every stack is there, whole and long enough."""
    bad = [str(error) for error in particles.stacks.values() if isinstance(error, Exception)]
    for name, rows, header in particles.good_stacks():
        numbers = particles.indices[rows]
        if numbers.min() < 1 or numbers.max() > header.shape[0]:
            bad.append(f"{name}: has {header.shape[0]} images, and particle {numbers.max()} of it is listed.")
    stacks = len(particles.by_stack)
    if bad:
        return Finding(Verdict.FAIL, "stacks", f"{len(bad)} of {stacks} are missing, cut off or too short: {bad[0]}")
    return Finding(Verdict.PASS, "stacks", f"{len(particles.table)} particles in {stacks} stacks, all there")


def check_images(particles: ParticleSet) -> Finding:
    """Check sizes and pixel sizes of the images against the optics table."""
    bad, said = [], set()
    for name, rows, header in particles.good_stacks():
        optics = particles.optics_row(rows[0])
        if not {"rlnImageSize", "rlnImagePixelSize"} <= set(optics):
            bad.append(f"{name}: its optics group has no _rlnImageSize and _rlnImagePixelSize")
            continue
        size, pixel_size = float(optics["rlnImageSize"]), float(optics["rlnImagePixelSize"])
        said.add(f"{size:g} px of {pixel_size:.5g} Å")
        if header.shape[1:] != (size, size):
            bad.append(f"{name}: has images of {header.shape[2]} x {header.shape[1]} px, its optics group of {size:g}")
        elif header.pixel_size and abs(header.pixel_size - pixel_size) > 1e-3 * pixel_size:
            bad.append(f"{name}: {header.pixel_size:.5g} Å/px in its header, {pixel_size:.5g} in its optics group")
    if bad:
        return Finding(Verdict.FAIL, "images", f"{len(bad)} stacks differ from data_optics: {bad[0]}")
    return Finding(Verdict.PASS, "images", f"boxes of {', '.join(sorted(said))}, in headers and data_optics alike")


def check_inside(particles: ParticleSet) -> Finding:
    """Check that the centre of every particle is on its micrograph."""
    missing = [str(error) for error in particles.micrographs.values() if isinstance(error, Exception)]
    if missing:
        of = f"{len(missing)} of {len(particles.by_micrograph)}"
        return Finding(Verdict.FAIL, "inside", f"{of} micrographs are missing or bad: {missing[0]}")
    outside: list[str] = []
    for name, rows, header in particles.good_micrographs():
        _, height, width = header.shape
        x, y = particles.x[rows], particles.y[rows]
        for row in rows[~((x > -1) & (x < width) & (y > -1) & (y < height))]:
            outside.append(f"{name} ({width} x {height} px): x {particles.x[row]:g}, y {particles.y[row]:g}")
    if outside:
        return Finding(Verdict.FAIL, "inside", f"{len(outside)} particles lie outside their micrographs: {outside[0]}")
    return Finding(Verdict.PASS, "inside", f"all particles lie on their {len(particles.by_micrograph)} micrographs")


def check_duplicates(particles: ParticleSet) -> Finding:
    """Check that no image is listed twice, and none cut twice at one place."""
    images = len(particles.table) - len(set(particles.table["rlnImageName"]))
    places = list(zip(particles.table["rlnMicrographName"], np.trunc(particles.x), np.trunc(particles.y), strict=True))
    same = len(places) - len(set(places))
    if not images and not same:
        return Finding(Verdict.PASS, "duplicates", "no image is listed twice, no two were cut at one pixel")
    return Finding(
        Verdict.FAIL,
        "duplicates",
        f"{images} images are listed more than once, and {same} particles were cut at a pixel that another has. The "
        "same noise in both half-sets makes resolutions too good: keep one of each (picking.min_distance).",
    )


def check_ctf(particles: ParticleSet) -> Finding:
    """Check that every particle has a defocus, and its optics group a voltage and the like."""
    missing = [f"_{label}" for label in _CTF if label not in particles.table]
    missing += [f"_{label} in data_optics" for label in _OPTICS if label not in particles.optics]
    if missing:
        fix = "Extract from the micrographs_ctf.star of a CtfFind job."
        return Finding(Verdict.FAIL, "CTF", f"lacks {', '.join(missing)}. {fix}")
    defocus = np.concatenate([particles.table.floats(label) for label in _CTF[:2]])
    bad = int((~((defocus > _DEFOCUS[0]) & (defocus < _DEFOCUS[1]))).sum())
    said = f"defocus {defocus.min():.0f} to {defocus.max():.0f} Å"
    if bad:
        return Finding(Verdict.FAIL, "CTF", f"{said}: {bad} values cannot be; micrometres instead of Å?")
    return Finding(Verdict.PASS, "CTF", said)


def check_counts(particles: ParticleSet) -> Finding:
    """Look for micrographs with far more particles than others."""
    counts = {name: len(rows) for name, rows in particles.by_micrograph.items()}
    values = np.array(list(counts.values()))
    middle = float(np.median(values))
    spread = max(1.4826 * float(np.median(np.abs(values - middle))), np.sqrt(middle))
    many = sorted(
        (name for name, count in counts.items() if count > middle + _UNUSUAL * spread), key=counts.__getitem__
    )
    said = f"{values.min()} to {values.max()} a micrograph, median {middle:g}"
    if many:
        most = f"{many[-1]} has {counts[many[-1]]}"
        return Finding(Verdict.LOOK, "counts", f"{said}; {len(many)} have far more than the others: {most}")
    return Finding(Verdict.PASS, "counts", said)
