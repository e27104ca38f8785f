"""Our half-sums against the micrographs that RELION's own motion correction makes of the same movies."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from cryopair.camera.bad_pixels import find_bad_pixels
from cryopair.camera.gain import read_gain
from cryopair.formats.mrc import read_mrc
from cryopair.halves.checks import correlation
from cryopair.halves.sums import sum_halves
from cryopair.motion import Motion, read_motion

MOVIE = "mic"
EDGE = 16
"""Left out: on the outermost pixels the last bit decides between interpolation and replication."""
NEAR_BAD = 20
"""Left out around replaced pixels, which RELION draws at random, and which ring along rows and columns."""

PATCHES = ("--patch_x", 3, "--patch_y", 3)
GAIN = ("--gainref", "Gains/gain.mrc")

# name: folder of the movies, voltage, options of relion_run_motioncorr, largest relative RMS
CASES = {
    "tiff": ("Movies/*.tiff", 300, (*PATCHES, *GAIN), 1e-3),
    "mrc": ("Mrc/*.mrcs", 300, (*PATCHES, *GAIN), 1e-3),
    "200 kV": ("Movies/*.tiff", 200, (*PATCHES, *GAIN), 1e-3),
    "binned": ("Movies/*.tiff", 300, (*PATCHES, *GAIN, "--bin_factor", 2), 1e-3),
    "binned late": ("Movies/*.tiff", 300, (*PATCHES, *GAIN, "--bin_factor", 2, "--no_early_binning"), 1e-3),
    "from frame 3": ("Movies/*.tiff", 300, (*PATCHES, *GAIN, "--first_frame_sum", 3), 1e-3),
    "frames 3 to 10": ("Movies/*.tiff", 300, (*PATCHES, *GAIN, "--first_frame_sum", 3, "--last_frame_sum", 10), 1e-3),
    "gain turned": (
        "Movies/*.tiff",
        300,
        (*PATCHES, "--gainref", "Gains/turned.mrc", "--gain_rot", 1, "--gain_flip", 1),
        1e-3,
    ),
    "defects": ("Movies/*.tiff", 300, (*PATCHES, *GAIN, "--defect_file", "Gains/defects.txt"), 1e-3),
    "no local motion": ("Movies/*.tiff", 300, ("--gainref", "Gains/good.mrc", "--skip_defect"), 1e-5),
    "no local motion, 200 kV": ("Mrc/*.mrcs", 200, ("--gainref", "Gains/good.tif", "--skip_defect"), 1e-5),
    "no local motion, binned": (
        "Movies/*.tiff",
        300,
        ("--gainref", "Gains/good.mrc", "--skip_defect", "--bin_factor", 2),
        1e-5,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_halves_add_up_to_relions_micrograph(movies: Path, relion, case: str) -> None:
    pattern, voltage, options, limit = CASES[case]
    job = f"job{100 + list(CASES).index(case)}"
    (movies / "Import" / job).mkdir(parents=True)
    optics = ("--optics_group_name", "og", "--angpix", 1, "--kV", voltage, "--Cs", 2.7, "--Q0", 0.1)
    relion(
        "import",
        "--do_movies",
        *optics,
        "--i",
        pattern,
        "--odir",
        f"Import/{job}/",
        "--ofile",
        "movies.star",
        cwd=movies,
    )
    weights = (
        "--grouping_for_ps",
        3,
        "--ps_size",
        64,
        "--dose_per_frame",
        1.2,
        "--preexposure",
        0.5,
        "--dose_weighting",
        "--save_noDW",
    )
    output = f"MotionCorr/{job}"
    relion(
        *("run_motioncorr", "--use_own", "--j", 2, "--bfactor", 150, *weights, *options),
        *("--i", f"Import/{job}/movies.star", "--o", f"{output}/"),
        cwd=movies,
    )
    star = movies / output / pattern.split("/")[0] / f"{MOVIE}.star"
    motion = read_motion(star)
    assert (motion.local_coefficients is None) == ("--patch_x" not in options)
    for dose_weighting, name in ((False, f"{MOVIE}_noDW.mrc"), (True, f"{MOVIE}.mrc")):
        theirs = read_mrc(star.with_name(name))
        sums = sum_halves(motion, dose_weighting=dose_weighting, root=movies)
        seen = compared(motion, theirs.shape, movies, replaced="--skip_defect" not in options)
        difference = (sums.full - theirs)[seen]
        relative = np.sqrt(np.mean(difference.astype(np.float64) ** 2)) / theirs[seen].std()
        assert relative <= limit, f"{name}: {relative:.2g}"
        # Independent electrons, one specimen: correlated, but far from equal. Their sum is the micrograph.
        between = float(np.corrcoef(sums.even[seen], sums.odd[seen])[0, 1])
        assert 0.3 < between < 0.95
        assert correlation(sums.even, sums.odd) > between  # at medium resolution there is less noise
        assert correlation(sums.full, theirs) > 0.99


def compared(motion: Motion, shape: tuple[int, ...], root: Path, *, replaced: bool) -> np.ndarray:
    """Return where pixels are compared: in the interior, away from replaced pixels, their rows and columns."""
    seen = np.zeros(shape, dtype=bool)
    seen[EDGE:-EDGE, EDGE:-EDGE] = True
    if not replaced:
        return seen
    gain = read_gain(root / motion.gain, (motion.height, motion.width)) if motion.gain else None
    bad = np.zeros((motion.height, motion.width), dtype=bool)
    bad.reshape(-1)[find_bad_pixels(motion, gain, root).pixels] = True
    rows, columns = np.nonzero(bad)
    assert len(rows)
    near = binary_dilation(bad, iterations=NEAR_BAD)
    near[rows] = True
    near[:, columns] = True
    step = int(motion.binning)
    return seen & ~near[::step, ::step][: shape[0], : shape[1]]
