"""Picking: ours beside RELION's LoG picker and Topaz's pretrained detector, on micrographs whose particles are known.

    python benchmarks/picking.py [scores] [times] [--topaz PROGRAM] [--apoferritin MODEL] [--micrographs N]

Sets: simulated ribosomes and proteasomes (`simulated_pairs.py`: ice of 300 to 800 Å, contamination, steep
illumination, one in four with the edge of the carbon film), and eight real micrographs of apoferritin (EMPIAR-10146,
the mean of some 41 frames) with hand picks. A pick within a quarter of the diameter of a particle's centre has found
it, each particle once, by optimal assignment; particles cut by the edge may be picked but need not be. Also how many
particles each finds on simulated micrographs that hold nothing but ice. Nothing is tuned to a set: everyone gets the
diameter and has its defaults, RELION a range of 10 % either way. Only Topaz is also shown with the limit that suits it
best on each set, which its users find by trying.

MODEL is the folder of a denoiser that was trained on the apoferritin frames (`real_pairs.py --model`); with it, our
pickers also work on denoised micrographs.

Times are taken apart from scores, on one core and in turn: RELION's LoG, then ours, on the same micrographs, several
rounds. RELION's are those of its program, which starts in no time; Topaz's include its start, which takes seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from programs import TOPAZ, launch, machine, topaz
from simulated_pairs import PIXEL_SIZE, SHAPE, damaged, draw

from cryopair.formats.coordinates import read_coordinate_table
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.picking.agreement import HIT, PickScore, add_scores, f1, score_picks
from cryopair.picking.blob import pick_blobs
from cryopair.picking.images import Images
from cryopair.picking.matching import pick_matches
from cryopair.picking.picks import Picks
from cryopair.picking.templates import make_templates
from cryopair.picking.topaz import TopazPicker
from cryopair.simulate.kinds import KINDS
from cryopair.simulate.scene import illumination, render

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY.parent / "shared/data/apoferritin-10146"
SEED = 1
TOPAZ_LIMITS = range(-3, 5)

Places = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Micrograph:
    """A micrograph, and where its particles are.

    Attributes
    ----------
    path : Path
        The image that was recorded, float32.
    pixel_size, diameter : float
        In Å/px and Å.
    particles : numpy.ndarray
        Shape ``(particles, 2)``, x and y in pixels.
    """

    path: Path
    pixel_size: float
    diameter: float
    particles: Places

    @property
    def width(self) -> float:
        """Of a particle, in pixels."""
        return self.diameter / self.pixel_size


Work = Callable[[Sequence[Micrograph]], list[Places]]


def simulate(folder: Path, specimen: str, count: int, *, empty: bool = False) -> list[Micrograph]:
    """Make the first micrographs of a specimen, with its particles or without."""
    made = []
    model = KINDS[specimen].make(np.random.default_rng([SEED, 0, 1]))
    for number in range(1 if specimen == "ribosome" else 2, 2 * count + 1, 2):
        settings, exposure = draw(number, shape=SHAPE, seed=SEED)
        if empty:
            exposure = replace(exposure, particles=exposure.particles[:0], contamination=(), carbon=None)
        random = np.random.default_rng([SEED, number, 1])
        spectrum = render(exposure, model, settings, random, structural_noise=True)
        electrons = random.poisson(damaged(spectrum, settings) * illumination(exposure, SHAPE))
        path = folder / f"{specimen}{'_ice' * empty}_{number:02d}.mrc"
        write_mrc(path, electrons.astype(np.float32), pixel_size=PIXEL_SIZE)
        at = exposure.particles[:, :2]
        at = at[((at >= 0) & (at < np.array(SHAPE[::-1]))).all(axis=1)]
        made.append(Micrograph(path, PIXEL_SIZE, settings.diameter, at))
    return made


def apoferritin(folder: Path, data: Path, count: int) -> list[Micrograph]:
    """Unpack the real micrographs; all have hand picks. The particle is 12 nm wide, the pixel 1.5 Å by estimate."""
    made = []
    for path in sorted(data.glob("*_rest.mrc"))[:count]:
        copy, picks = folder / f"apoferritin_{path.name}", path.with_name(path.name.replace("_rest.mrc", "_picks.star"))
        write_mrc(copy, read_mrc(path), pixel_size=1.5)
        table = read_coordinate_table(picks)
        at = np.stack([table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")], axis=1)
        made.append(Micrograph(copy, 1.5, 120.0, at))
    return made


def denoised(micrographs: Sequence[Micrograph], model: Path) -> list[Micrograph]:
    """Denoise micrographs, as the workflow would."""
    out = micrographs[0].path.parent / "denoised"
    command = [sys.executable, "-m", "cryopair", "denoise", "--model", str(model), "--out", str(out)]
    launch([*command, *(str(micrograph.path) for micrograph in micrographs)])
    return [replace(micrograph, path=out / micrograph.path.name) for micrograph in micrographs]


def blobs(micrographs: Sequence[Micrograph]) -> list[Places]:
    return [
        _xy(pick_blobs(read_mrc(one.path), pixel_size=one.pixel_size, diameter=one.diameter)) for one in micrographs
    ]


def make_matcher(micrographs: Sequence[Micrograph]) -> Work:
    """Make templates of the micrographs themselves, as a session does of its first ones."""
    diameter = micrographs[0].diameter
    templates = make_templates(((read_mrc(one.path), one.pixel_size) for one in micrographs), diameter=diameter)

    def work(micrographs: Sequence[Micrograph]) -> list[Places]:
        return [
            _xy(
                pick_matches(
                    read_mrc(one.path),
                    templates.images,
                    pixel_size=one.pixel_size,
                    template_pixel_size=templates.pixel_size,
                    diameter=diameter,
                )
            )
            for one in micrographs
        ]

    return work


def relion(micrographs: Sequence[Micrograph]) -> list[Places]:
    """Pick by ``relion_autopick --LoG`` with the settings that RELION's interface starts with."""
    folder, first = micrographs[0].path.parent, micrographs[0]
    write_micrographs(folder / "micrographs.star", _listed(micrographs, [one.path.name for one in micrographs]))
    sizes = ["--LoG_diam_min", str(0.9 * first.diameter), "--LoG_diam_max", str(1.1 * first.diameter)]
    usual = ["--shrink", "0", "--lowpass", "20", "--LoG_adjust_threshold", "0", "--LoG_upper_threshold", "5"]
    files = [
        "--i",
        "micrographs.star",
        "--odir",
        "relion/",
        "--pickname",
        "autopick",
        "--angpix",
        str(first.pixel_size),
    ]
    command = ["relion_autopick", "--LoG", *sizes, *usual, *files]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    found = []
    for one in micrographs:
        star = folder / "relion" / f"{one.path.stem}_autopick.star"
        table = read_coordinate_table(star) if star.is_file() else None
        at = [] if table is None else [table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")]
        found.append(np.stack(at, axis=1) if at else np.zeros((0, 2)))
    return found


def by_topaz(detector: str) -> Work:
    """Pick by a pretrained detector."""

    def work(micrographs: Sequence[Micrograph]) -> list[Places]:
        return [_xy(picks) for picks in topaz_picks(detector, micrographs)]

    return work


def by_topaz_at_best(detector: str, micrographs: Sequence[Micrograph]) -> Work:
    """Pick by a pretrained detector with the whole limit that gives the best F1 on these very micrographs."""
    picks = topaz_picks(detector, micrographs, TOPAZ_LIMITS[0])

    def above(limit: float) -> list[Places]:
        return [_xy(found)[found.score >= limit] for found in picks]

    best = max(TOPAZ_LIMITS, key=lambda limit: f1(*total_score(micrographs, above(limit))))
    return lambda _: above(best)


def topaz_picks(detector: str, micrographs: Sequence[Micrograph], limit: float | None = None) -> list[Picks]:
    """Return what a detector finds from a limit on; from our default one if none is given."""
    listed = _listed(micrographs, [str(one.path) for one in micrographs])
    pick = TopazPicker(Images.RAW, micrographs[0].diameter, detector, limit).start(listed)
    return [Picks(found.x, found.y, found.score) for found in map(pick, listed.table.rows())]


def total_score(micrographs: Sequence[Micrograph], found: Sequence[Places]) -> PickScore:
    """Compare picks with the particles of all micrographs."""
    total = PickScore(0, 0, 0)
    for one, picks in zip(micrographs, found, strict=True):
        total = add_scores(total, score_picks(picks, one.particles, read_mrc(one.path).shape, one.width))
    return total


def report(
    title: str, sets: dict[str, list[Micrograph]], names: Sequence[str], work: Callable[[list[Micrograph]], Work]
):
    """Print a line for a picker: F1, precision and recall on each set, or false picks where there are no particles."""
    cells = []
    for name in names:
        micrographs = sets.get(name, [])
        if not micrographs:
            cells.append(f"{'-':^22}")
            continue
        total = total_score(micrographs, work(micrographs)(micrographs))
        if not sum(len(one.particles) for one in micrographs):
            cells.append(f"{total.false_positive / len(micrographs):^22.1f}")
            continue
        hit, wrong, missed = total
        cells.append(f"{f1(*total):6.3f}  {hit / max(hit + wrong, 1):6.3f}  {hit / max(hit + missed, 1):6.3f}")
    print(f"{title:26}" + "  ".join(cells), flush=True)


def scores(options: argparse.Namespace, sets: dict[str, list[Micrograph]]) -> None:
    """Print what each picker finds."""
    names = list(sets)
    sizes = ", ".join(f"{len(part)} of {name}" for name, part in sets.items())
    print(f"{sizes}; found within {HIT:g} diameters; ice only: false picks per micrograph\n")
    print(f"{'':26}" + "  ".join(f"{name:^22}" for name in names))
    print(f"{'':26}" + "  ".join(f"{'F1':>6}  {'prec.':>6}  {'recall':>6}" for _ in names[:-1]))
    report("RELION's LoG, raw", sets, names, lambda _: relion)
    report("blob, raw", sets, names, lambda _: blobs)
    with_particles = {name: part for name, part in sets.items() if name != "ice only"}
    report("template, raw", with_particles, names, make_matcher)
    if options.apoferritin and sets["apoferritin"]:
        clean = {"apoferritin": denoised(sets["apoferritin"], options.apoferritin)}
        report("blob, denoised", clean, names, lambda _: blobs)
        report("template, denoised", clean, names, make_matcher)
    if topaz():
        for detector in options.detectors:
            report(f"Topaz's {detector}, raw", sets, names, lambda _, detector=detector: by_topaz(detector))
            at_best = partial(by_topaz_at_best, detector)
            report("  at its best limit", with_particles, names, at_best)


def times(options: argparse.Namespace, sets: dict[str, list[Micrograph]]) -> None:
    """Print the seconds that pickers take for a micrograph of each set, and their ratio to RELION's."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    for name in ("ribosome", "proteasome", "apoferritin"):
        micrographs = sets[name][: options.timed]
        if not micrographs:
            continue
        works = {"RELION's LoG": relion, "blob": blobs, "template": make_matcher(micrographs)}
        rounds: list[dict[str, float]] = []
        for number in range(options.rounds + 1):
            taken = {title: _seconds(work, micrographs) for title, work in works.items()}
            rounds += [taken] if number else []  # the first time, libraries plan and caches fill
        print(f"\n{name}, {len(micrographs)} micrographs in turn, one core, {options.rounds} rounds")
        for title in works:
            seconds = [taken[title] for taken in rounds]
            ratios = [taken[title] / taken["RELION's LoG"] for taken in rounds]
            print(
                f"  {title:13} median {statistics.median(seconds):6.3f} s a micrograph, {min(seconds):6.3f} to "
                f"{max(seconds):6.3f} s   ratio to RELION's {statistics.median(ratios):5.2f}, {min(ratios):5.2f} to "
                f"{max(ratios):5.2f}",
                flush=True,
            )
    if topaz():
        for detector in options.detectors:
            seconds = _seconds(by_topaz(detector), sets["ribosome"])
            print(
                f"\nTopaz's {detector}, one run on {len(sets['ribosome'])} ribosomes' micrographs: {seconds:.2f} s each"
            )


def _seconds(work: Work, micrographs: Sequence[Micrograph]) -> float:
    start = time.perf_counter()
    work(micrographs)
    return (time.perf_counter() - start) / len(micrographs)


def main(options: argparse.Namespace, folder: Path) -> None:
    print("\n".join(machine()))
    sets = {name: simulate(folder, name, options.micrographs) for name in ("ribosome", "proteasome")}
    sets["apoferritin"] = apoferritin(folder, options.data, options.micrographs) if options.data.is_dir() else []
    if "scores" in options.what:
        sets["ice only"] = simulate(folder, "ribosome", options.micrographs, empty=True)
        scores(options, sets)
    if "times" in options.what:
        times(options, sets)


def _listed(micrographs: Sequence[Micrograph], names: Sequence[str]) -> Micrographs:
    optics = {
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnOpticsGroup": [1],
        "rlnMicrographPixelSize": [micrographs[0].pixel_size],
        "rlnMicrographOriginalPixelSize": [micrographs[0].pixel_size],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
    }
    return Micrographs(Table(optics), Table({"rlnMicrographName": names, "rlnOpticsGroup": [1] * len(names)}))


def _xy(picks: Picks) -> Places:
    return np.stack([picks.x, picks.y], axis=1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="scores, times (default: both)")
    parser.add_argument("--rounds", type=int, default=5, help="of times (default: %(default)s)")
    parser.add_argument(
        "--timed", type=int, default=4, help="micrographs of each set in a round (default: %(default)s)"
    )
    parser.add_argument("--topaz", metavar="PROGRAM", help="where the program topaz is (default: on the PATH)")
    parser.add_argument(
        "--apoferritin", type=Path, metavar="MODEL", help="folder of a denoiser for the real micrographs"
    )
    parser.add_argument("--micrographs", type=int, default=8, help="of each set at most (default: %(default)s)")
    parser.add_argument("--detectors", nargs="*", default=["resnet16"], help="of Topaz (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real micrographs (default: %(default)s)")
    chosen = parser.parse_args()
    chosen.what = chosen.what or ["scores", "times"]
    if chosen.topaz:
        os.environ[TOPAZ] = chosen.topaz
    with tempfile.TemporaryDirectory() as work:
        main(chosen, Path(work))
