"""Gains of every orientation, binning and format, ours against RELION's."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from cryopair.camera.defects import read_defects
from cryopair.camera.gain import orient_gain, read_gain
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.halves.sums import sum_halves
from cryopair.motion import read_motion

FRAMES, HEIGHT, WIDTH = 4, 96, 144
PATTERNS = {"TIFF": "Movies/*.tiff", "MRC": "Mrc/*.mrcs"}
ORIENTATIONS = [(rotation, flip) for rotation in range(4) for flip in range(3)]
LIMIT = 1e-5
"""Largest relative RMS difference where no local motion, cut to six decimals in the STAR, limits the comparison."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, relion) -> Path:
    """Small movies that are not square, with a texture RELION can follow, and gains of both shapes."""
    root = tmp_path_factory.mktemp("gains")
    random = np.random.default_rng(0)
    texture = random.gamma(4, 2, (HEIGHT, WIDTH))
    counts = np.stack([random.poisson(np.roll(texture, (t, -t), (0, 1))) for t in range(FRAMES)])
    for folder in ("Movies", "Mrc", "Gains"):
        (root / folder).mkdir()
    tifffile.imwrite(root / "Movies/mic.tiff", counts[:, ::-1].astype(np.uint8), photometric="minisblack")
    with mrcfile.new(root / "Mrc/mic.mrcs") as file:
        file.set_data(counts.astype(np.int16))
    for name, shape in (("upright", (HEIGHT, WIDTH)), ("lying", (WIDTH, HEIGHT))):
        gain = random.uniform(0.8, 1.2, shape).astype(np.float32)
        write_mrc(root / f"Gains/{name}.mrc", gain, pixel_size=1)
        tifffile.imwrite(root / f"Gains/{name}.tif", gain[::-1])
    optics = ("--optics_group_name", "og", "--angpix", 1, "--kV", 300, "--Cs", 2.7, "--Q0", 0.1)
    for name, pattern in PATTERNS.items():
        output = ("--odir", f"{name}/", "--ofile", "movies.star")
        (root / name).mkdir()
        relion("import", "--do_movies", *optics, "--i", pattern, *output, cwd=root)
    return root


def corrected(project: Path, relion, name: str, job: str, *options: object) -> Path:
    """Run MotionCorr; return the motion STAR."""
    relion(
        *("run_motioncorr", "--use_own", "--j", 1, "--i", f"{name}/movies.star", "--o", f"MotionCorr/{job}/"),
        *("--dose_per_frame", 1.2, "--dose_weighting", "--save_noDW", *options),
        cwd=project,
    )
    return project / f"MotionCorr/{job}" / PATTERNS[name].replace("*.tiff", "mic.star").replace("*.mrcs", "mic.star")


@pytest.mark.parametrize("binning", [1, 1.5, 2])
@pytest.mark.parametrize("name", PATTERNS)
def test_every_orientation(project: Path, relion, name: str, binning: float) -> None:
    for rotation, flip in ORIENTATIONS:
        source = f"Gains/{'lying' if rotation % 2 else 'upright'}.{'tif' if flip == 2 else 'mrc'}"
        job = f"job{100 + 12 * (3 * list(PATTERNS).index(name) + round(2 * binning - 2)) + 3 * rotation + flip}"
        options = ("--gainref", source, "--gain_rot", rotation, "--gain_flip", flip, "--bin_factor", binning)
        star = corrected(project, relion, name, job, "--skip_defect", *options)
        motion = read_motion(star)
        assert (motion.binning, motion.width, motion.height) == (binning, WIDTH, HEIGHT)
        assert motion.global_shifts[1:].any()

        stored = read_gain(project / source, (WIDTH, HEIGHT) if rotation % 2 else (HEIGHT, WIDTH))
        turned = orient_gain(stored, rotation=rotation, flip=flip)
        assert motion.gain == (f"MotionCorr/{job}/gain.mrc" if rotation or flip else source)
        assert np.array_equal(turned, read_gain(project / motion.gain, (HEIGHT, WIDTH)))

        for dose_weighting, micrograph in ((False, "mic_noDW.mrc"), (True, "mic.mrc")):
            theirs = read_mrc(star.with_name(micrograph))
            ours = sum_halves(motion, dose_weighting=dose_weighting, root=project).full
            assert ours.shape == theirs.shape == (int(HEIGHT / binning), int(WIDTH / binning))
            error = np.sqrt(np.mean((ours - theirs).astype(np.float64) ** 2)) / theirs.std()
            assert error <= LIMIT, f"rotation {rotation}, flip {flip}, {micrograph}: {error:.2g}"


# side of the gain, upsampling of the movie, gain file
EER_GAINS = [(4096, 1, "gain.mrc"), (4096, 1, "camera.gain"), (4096, 2, "camera.gain"), (8192, 1, "gain.mrc")]


@pytest.mark.parametrize(("side", "upsampling", "name"), EER_GAINS)
def test_eer_gains(tmp_path: Path, relion, side: int, upsampling: int, name: str) -> None:
    """RELION converts an EER gain before it looks for the movie, of which there is none here."""
    tile = np.random.default_rng(0).uniform(0.5, 1.5, (512, 256)).astype(np.float32)
    gain = np.tile(tile, (side // 512, side // 256))
    gain[5, 7] = gain[100:104, 8:10] = 0
    if name == "gain.mrc":
        write_mrc(tmp_path / name, gain, pixel_size=1)
    else:
        tifffile.imwrite(tmp_path / name, gain)
    options = ("--gain", name, "--eer_upsampling", upsampling)
    with pytest.raises(AssertionError, match=r"none\.eer"):
        relion("convert_to_tiff", "--i", "none.eer", "--o", "out/", *options, cwd=tmp_path)
    theirs = read_mrc(tmp_path / "out/gain-reference.mrc")
    ours = read_gain(tmp_path / name, theirs.shape, eer=True)
    assert theirs.shape == (4096 * upsampling, 4096 * upsampling)
    assert np.abs(ours - theirs).max() < 1e-6


RECTANGLES = "-3 -2 5 5\n140 90 20 20\n200 200 5 5\n10 20 0 0\n30 40 -2 1\n50 60 3 2\n"


def test_defects_are_clipped_to_the_frame(project: Path, relion) -> None:
    """RELION replaces the pixels that we mark, and no others."""
    (project / "defects.txt").write_text(RECTANGLES)
    defects = read_defects(project / "defects.txt", (HEIGHT, WIDTH))
    assert defects.sum() == 2 * 3 + 4 * 6 + 3 * 2
    frame = np.random.default_rng(0).uniform(0, 1000, (HEIGHT, WIDTH)).astype(np.float32)
    frame[defects] = 2000  # more than any good pixel, but not by six standard deviations
    (project / "Defects").mkdir()
    with mrcfile.new(project / "Defects/mic.mrcs") as file:
        file.set_data(np.stack([frame] * FRAMES))
    relion(
        *("run_motioncorr", "--use_own", "--j", 1, "--i", "Defects/mic.mrcs", "--o", "MotionCorr/job900/"),
        *("--defect_file", "defects.txt", "--dose_per_frame", 1, "--angpix", 1, "--voltage", 300),
        cwd=project,
    )
    micrograph = read_mrc(project / "MotionCorr/job900/Defects/mic.mrc")
    assert np.array_equal(np.abs(micrograph - FRAMES * frame) > 500, defects)
