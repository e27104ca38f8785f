"""Maps of particles with known orientations, cut where we pick, at their true places, and from denoised images.

    python benchmarks/reconstruction.py [images] [training steps] [figure.png]

Makes images of a 20S-proteasome-like particle (D7), trains a denoiser on their halves, picks on the denoised images,
hands the picks to the raw ones, cuts particles, gives them their true orientations and lets RELION reconstruct. Prints
the Fourier shell correlation of each map with the true one, and of the half-maps of each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from cryopair.formats.mrc import map_mrc, write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import Micrographs, read_micrographs, write_micrographs
from cryopair.particles.extract import extract_particles, write_particles
from cryopair.particles.handoff import hand_off
from cryopair.particles.sampling import Sampling
from cryopair.picking.images import Images
from cryopair.picking.pickers import BlobPicker
from cryopair.picking.stage import pick_micrographs
from cryopair.simulate.exposure import Settings, draw_exposure
from cryopair.simulate.optics import AMPLITUDE_CONTRAST, SPHERICAL_ABERRATION
from cryopair.simulate.proteasome import DIAMETER, proteasome
from cryopair.simulate.scene import illumination, render, undamaged
from cryopair.simulate.specimen import RESIDUE_SIGMA, Specimen

Floats = npt.NDArray[np.float64]

PIXEL_SIZE, SIDE, BOX = 4.0, 512, 64
DOSE = 30.0
SETTINGS = Settings(1, 1, (SIDE, SIDE), PIXEL_SIZE, DOSE, 300.0)
SAMPLING = Sampling(BOX)
FOLDER = "MotionCorr/job002/Movies"


def make_project(images: int) -> tuple[Micrographs, dict[str, Floats], Specimen]:
    """Write micrographs and their halves; return them, the truth (x, y, rot, tilt, psi) of each, and the particle."""
    specimen = proteasome(np.random.default_rng(0))
    rows, truth = [], {}
    for number in range(1, images + 1):
        exposure = replace(draw_exposure(SETTINGS, number), contamination=())
        random = np.random.default_rng([2, number])
        image = undamaged(render(exposure, specimen, SETTINGS, random), SETTINGS.shape)
        electrons = np.maximum(image, 0) * illumination(exposure, SETTINGS.shape) * DOSE * PIXEL_SIZE**2 / 2
        even, odd = random.poisson(electrons), random.poisson(electrons)
        name = f"{FOLDER}/mic_{number:03d}"
        names = {"Name": f"{name}.mrc", "NameEven": f"{name}_EVN.mrc", "NameOdd": f"{name}_ODD.mrc"}
        for path, pixels in zip(names.values(), (even + odd, even, odd), strict=True):
            write_mrc(path, pixels, pixel_size=PIXEL_SIZE)
        defocus = exposure.defocus
        rows.append(
            {f"rlnMicrograph{key}": path for key, path in names.items()}
            | {
                "rlnOpticsGroup": 1,
                "rlnDefocusU": defocus.u,
                "rlnDefocusV": defocus.v,
                "rlnDefocusAngle": defocus.angle,
            }
        )
        truth[names["Name"]] = exposure.particles
    optics = {"rlnOpticsGroupName": ["og"], "rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [PIXEL_SIZE]}
    optics |= {"rlnVoltage": [SETTINGS.voltage], "rlnSphericalAberration": [SPHERICAL_ABERRATION]}
    optics |= {"rlnAmplitudeContrast": [AMPLITUDE_CONTRAST], "rlnMicrographPixelSize": [PIXEL_SIZE]}
    return Micrographs(Table(optics), Table.from_rows(rows)), truth, specimen


def pick(micrographs: Micrographs) -> Micrographs:
    """Pick on the denoised images and hand the picks to the raw ones."""
    picked = pick_micrographs(micrographs, BlobPicker(Images.DENOISED, DIAMETER), out=Path("picks"))
    return hand_off(picked, out=Path("coordinates"))


def matched(micrographs: Micrographs, truth: dict[str, Floats]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return the coordinates that are within a quarter diameter of a particle, and the particles, row by row."""
    at, found = {}, {}
    for row in micrographs.table.rows():
        table = read_star(row["rlnMicrographCoordinates"])[""]
        points = np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], axis=1)
        particles = truth[row["rlnMicrographName"]]
        distance, nearest = cKDTree(particles[:, :2]).query(points)
        near = distance < DIAMETER / 4 / PIXEL_SIZE
        at[row["rlnMicrographName"]], found[row["rlnMicrographName"]] = points[near], particles[nearest[near]]
    return at, found


def cut(micrographs: Micrographs, at: dict[str, Floats], found: dict[str, Floats], *, out: str) -> Path:
    """Cut particles at given coordinates, and write them with their true orientations and places."""
    files = []
    for name in micrographs.table["rlnMicrographName"]:
        (x, y), (true_x, true_y, rot, tilt, psi) = at[name].T, found[name].T
        angles = {"rlnAngleRot": rot, "rlnAngleTilt": tilt, "rlnAnglePsi": psi}
        shifts = {"rlnOriginXAngst": (np.trunc(x) - true_x) * PIXEL_SIZE}  # RELION's box is centred on a whole pixel
        shifts["rlnOriginYAngst"] = (np.trunc(y) - true_y) * PIXEL_SIZE
        halves = {"rlnRandomSubset": 1 + np.arange(len(x)) % 2}
        files.append(f"{out}/{Path(name).stem}_at.star")
        write_star(files[-1], {"": Table({"rlnCoordinateX": x, "rlnCoordinateY": y, **angles, **shifts, **halves})})
    table = micrographs.table.without("rlnMicrographCoordinates")
    table["rlnMicrographCoordinates"] = files
    particles = extract_particles(Micrographs(micrographs.optics, table), SAMPLING, out=Path(out))
    write_particles(f"{out}/particles.star", particles)
    return Path(out) / "particles.star"


def true_map(specimen: Specimen) -> Floats:
    """Return the particle's density, pseudo-atom by pseudo-atom, RELION's centre in the middle of voxel BOX / 2."""
    grid = (np.arange(BOX) - BOX // 2) * PIXEL_SIZE
    x, y, z = (np.exp(-0.5 * ((grid - axis[:, np.newaxis]) / RESIDUE_SIGMA) ** 2) for axis in specimen.positions.T)
    return np.einsum("az,ay,ax->zyx", z, y, x, optimize=True)


def reconstruct(star: Path, *, subset: int = -1) -> Floats:
    """Let RELION make a map of particles, of one half if asked."""
    out = star.with_name(f"map_{subset}.mrc")
    options = ["--ctf", "--sym", "D7", "--subset", str(subset)]
    command = ["relion_reconstruct", "--i", str(star), "--o", str(out), *options]
    subprocess.run(command, check=True, capture_output=True)
    return np.array(map_mrc(out), dtype=np.float64)


def shell_correlation(a: Floats, b: Floats) -> Floats:
    """Return the Fourier shell correlation of two maps, shells 1 to BOX / 2 - 1."""
    index = np.arange(BOX) - BOX // 2
    z, y, x = np.meshgrid(index, index, index, indexing="ij")
    shell = np.rint(np.sqrt(x**2 + y**2 + z**2)).astype(np.int64).ravel()
    soft = 0.5 - 0.5 * np.tanh((np.sqrt(x**2 + y**2 + z**2) - 0.62 * DIAMETER / PIXEL_SIZE) / 2)
    f, g = (np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(volume * soft))).ravel() for volume in (a, b))
    cross = np.bincount(shell, (f * g.conj()).real)
    power = np.bincount(shell, np.abs(f) ** 2) * np.bincount(shell, np.abs(g) ** 2)
    return (cross / np.sqrt(power))[1 : BOX // 2]


def half_maps_correlation(star: Path) -> Floats:
    """Return the correlation of the maps of the two halves of the particles."""
    return shell_correlation(*(reconstruct(star, subset=half) for half in (1, 2)))


def denoise(micrographs: Micrographs, *, steps: int) -> Micrographs:
    """Train a denoiser on the halves and apply it, by the commands of cryopair."""
    write_micrographs("halves.star", micrographs)
    for options in (
        ["freeze", "halves.star", "--out", "manifest.star"],
        ["train", "--manifest", "manifest.star", "--out", "model", "--steps", str(steps)],
        ["denoise", "--star", "halves.star", "--model", "model", "--out", "denoised"],
    ):
        subprocess.run([sys.executable, "-m", "cryopair", *options], check=True)
    return read_micrographs("denoised/denoise.star")


def cut_from_denoised(micrographs: Micrographs, at: dict[str, Floats], found: dict[str, Floats]) -> Path:
    """Do what is refused: cut particles from the denoised images, their label of warning removed."""
    names = micrographs.table["rlnMicrographName"]
    table = micrographs.table.without("rlnMicrographNameDenoised")
    copies = [name.replace("MotionCorr", "Unlabelled") for name in names]
    for copy, denoised in zip(copies, micrographs.table["rlnMicrographNameDenoised"], strict=True):
        write_mrc(copy, map_mrc(denoised)[0], pixel_size=PIXEL_SIZE)
    table["rlnMicrographName"] = copies
    renamed = dict(zip(names, copies, strict=True))
    at, found = ({renamed[name]: rows for name, rows in parts.items()} for parts in (at, found))
    return cut(Micrographs(micrographs.optics, table), at, found, out="from_denoised")


def draw(path: str, curves: dict[str, tuple[Floats, Floats]], particles: int) -> None:
    """Draw the correlations of each map with the truth, and of its half-maps, over spatial frequency."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    frequency = np.arange(1, BOX // 2) / (BOX * PIXEL_SIZE)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    styles = {
        "raw, where we picked": {"color": "#0072b2", "lw": 1.8, "ls": (0, (4, 2)), "zorder": 3},
        "raw, true places": {"color": "#f0b429", "lw": 5, "alpha": 0.7},
        "denoised": {"color": "#c1272d", "lw": 1.8},
    }
    for name, (with_truth, of_halves) in curves.items():
        axes[0].plot(frequency, with_truth, label=name, **styles[name])
        axes[1].plot(frequency, of_halves, label=name, **styles[name])
    titles = ("with the true map", "between half-maps, which is all one sees")
    for axis, title, limit in zip(axes, titles, (0.5, 0.143), strict=True):
        axis.set(title=title, xlabel="resolution", ylim=(-0.05, 1.03), xlim=(0, frequency[-1]))
        periods = (60, 30, 20, 15, 12, 10, 9)
        axis.set_xticks([1 / period for period in periods], [f"{period} Å" for period in periods])
        axis.axhline(limit, color="grey", lw=0.8, ls=":")
        axis.text(0.001, limit + 0.015, f"{limit:g}", color="grey", fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("Fourier shell correlation")
    axes[0].legend(frameon=False, title=f"{particles} particles cut from", loc="lower left", bbox_to_anchor=(0.03, 0))
    figure.savefig(path, dpi=110)


def main(images: int, steps: int, figure: str | None) -> None:
    from programs import machine  # found only where this file is the program

    micrographs, truth, specimen = make_project(images)
    micrographs = denoise(micrographs, steps=steps)
    picked = pick(micrographs)
    at, found = matched(picked, truth)
    true_places = {name: particles[:, :2].clip(0, SIDE - 1) for name, particles in found.items()}
    stars = {
        "raw, where we picked": cut(picked, at, found, out="ours"),
        "raw, true places": cut(picked, true_places, found, out="true_places"),
        "denoised": cut_from_denoised(picked, at, found),
    }
    density = true_map(specimen)
    curves = {
        name: (shell_correlation(reconstruct(star), density), half_maps_correlation(star))
        for name, star in stars.items()
    }
    count = sum(map(len, at.values()))
    print("\n".join(machine()))
    print(
        f"{images} images of {SIDE}² at {PIXEL_SIZE:g} Å/px, {DOSE:g} e/Å²; {count} particles, {steps} training steps"
    )
    print(f"{'particles cut from':24} {'mean FSC with truth':>20} {'0.5 at':>8} {'of half-maps':>14} {'0.143 at':>9}")
    for name, (with_truth, of_halves) in curves.items():
        limits = [resolution(with_truth, 0.5), resolution(of_halves, 0.143)]
        print(f"{name:24} {with_truth.mean():20.4f} {limits[0]:6.1f} Å {of_halves.mean():14.4f} {limits[1]:7.1f} Å")
    if figure:
        draw(figure, curves, count)


def resolution(correlation: Floats, threshold: float) -> float:
    """Return where a correlation first falls below a threshold, in Å; that of the last shell if it does not."""
    below = np.flatnonzero(correlation < threshold)
    return BOX * PIXEL_SIZE / (1 + (below[0] if len(below) else len(correlation) - 1))


if __name__ == "__main__":
    chosen = sys.argv[1:]
    target = str(Path(chosen[2]).resolve()) if len(chosen) > 2 else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(int(chosen[0]) if chosen else 24, int(chosen[1]) if len(chosen) > 1 else 400, target)
