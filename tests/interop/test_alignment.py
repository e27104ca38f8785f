"""Our alignment against RELION's on movies whose motion is known, and RELION reading what we found."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.alignment.acquisition import Acquisition
from cryopair.alignment.stage import align_micrographs
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.motion import Motion, read_motion
from cryopair.simulate.project import GAIN, simulate_project
from cryopair.sources import read_source

PIXEL_SIZE, DOSE = 2.0, 1.2
NAMES = "mic_0001", "mic_0002"
EDGE = 48
BOX, BOX_PIXEL_SIZE = 48, 6.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two movies of 24 frames under 1.2 e/Å² each, aligned by us."""
    root = tmp_path_factory.mktemp("alignment")
    simulate_project(root, movies=len(NAMES), pixel_size=PIXEL_SIZE, dose_per_frame=DOSE, seed=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        movies = read_source("Import/job001/movies.star")
        done = align_micrographs(movies, Acquisition(dose_per_frame=DOSE, gain=GAIN), out=Path("Align"))
        write_star("Align/align.star", {"optics": done.optics, "micrographs": done.table})
    return root


@pytest.fixture(scope="module", params=[1, 3], ids=["whole frames", "3 x 3 patches"])
def relions(request: pytest.FixtureRequest, project: Path, relion) -> Path:
    job = f"MotionCorr/job01{request.param}"
    relion(
        *("run_motioncorr", "--use_own", "--j", 2, "--i", "Import/job001/movies.star", "--o", f"{job}/"),
        *("--gainref", GAIN, "--bfactor", 150, "--dose_per_frame", DOSE, "--dose_weighting"),
        *("--patch_x", request.param, "--patch_y", request.param),
        cwd=project,
    )
    return project / job


def displacements(motion: Motion) -> np.ndarray:
    """Return what aligns each frame at points of the image, shape (frames, 2, 7, 9), in px."""
    x, y = np.meshgrid((np.arange(9) + 0.5) / 9 - 0.5, (np.arange(7) + 0.5) / 7 - 0.5)
    terms = np.stack([np.ones_like(x), x, x**2, y, y**2, x * y])
    local = np.stack([np.einsum("as,syx->ayx", motion.local_terms(frame), terms) for frame in motion.used_frames])
    return local + motion.global_shifts[motion.used_frames][:, :, None, None]


def residual(star: Path, truth: Path) -> float:
    """Return the RMS length of the motion that is left, in px: what blurs the sum at each point."""
    left = displacements(read_motion(star)) - displacements(read_motion(truth))
    left -= left.mean(axis=0)
    return float(np.sqrt((left**2).sum(axis=1).mean()))


def correlation_with_truth(image: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean Fourier ring correlation between 100 and 8 Å."""
    image, truth = (each[EDGE:-EDGE, EDGE:-EDGE] - each[EDGE:-EDGE, EDGE:-EDGE].mean() for each in (image, truth))
    height, width = image.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    a, b = np.fft.rfft2(image * window), np.fft.rfft2(truth * window)
    frequency = np.hypot(np.fft.fftfreq(height, PIXEL_SIZE)[:, None], np.fft.rfftfreq(width, PIXEL_SIZE))
    rings = (frequency * 200).astype(int).ravel()
    cross, own_a, own_b = (np.bincount(rings, v.ravel()) for v in ((a * b.conj()).real, abs(a) ** 2, abs(b) ** 2))
    middle = (np.arange(len(cross)) + 0.5) / 200
    return float((cross / np.sqrt(own_a * own_b))[(middle > 1 / 100) & (middle < 1 / 8)].mean())


def test_as_good_as_relion(project: Path, relions: Path) -> None:
    for name in NAMES:
        truth = project / "MotionCorr/job002/Movies" / f"{name}.star"
        image = read_mrc(project / "truth/Movies" / f"{name}.mrc")
        folders = {"ours": project / "Align/Movies", "RELION": relions / "Movies", "truth": truth.parent}
        left = {who: residual(folder / f"{name}.star", truth) for who, folder in folders.items()}
        frc = {who: correlation_with_truth(read_mrc(f / f"{name}.mrc"), image) for who, f in folders.items()}
        for who in folders:
            print(f"{name} {who:7s} motion left {left[who]:.3f} px, FRC to truth {frc[who]:.4f}")
        assert left["ours"] <= 0.3
        assert left["ours"] <= left["RELION"]
        assert frc["ours"] >= 0.98 * frc["RELION"]
        assert frc["ours"] >= 0.98 * frc["truth"]


def test_relion_reads_our_motion(project: Path, relion) -> None:
    """Polishing without a single step of its own starts from the tracks in our motion STARs, and writes them."""
    write_reference(project)
    particles = read_star(project / "truth/particles.star")
    table = particles["particles"]
    x, y = table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")
    inside = np.flatnonzero((abs(x - 512) < 420) & (abs(y - 384) < 300))
    table = table.select(inside)
    table["rlnMicrographName"] = [name.replace("MotionCorr/job002", "Align") for name in table["rlnMicrographName"]]
    table["rlnImageName"] = [f"{number:06d}@Align/particles.mrcs" for number in range(1, len(table) + 1)]
    for axis in "XY":
        table[f"rlnOrigin{axis}Angst"] = [0.0] * len(table)
    table["rlnRandomSubset"] = [1 + number % 2 for number in range(len(table))]
    optics = particles["optics"]
    optics["rlnImagePixelSize"], optics["rlnImageSize"], optics["rlnImageDimensionality"] = [BOX_PIXEL_SIZE], [BOX], [2]
    write_star(project / "Align/particles.star", {"optics": optics, "particles": table})
    images = np.random.default_rng(0).normal(size=(len(table), BOX, BOX))
    write_mrc(project / "Align/particles.mrcs", images, pixel_size=BOX_PIXEL_SIZE)
    relion(
        *("motion_refine", "--i", "Align/particles.star", "--f", "Align/postprocess.star", "--o", "Refine/"),
        *("--m1", "Align/half1.mrc", "--m2", "Align/half2.mrc", "--angpix_ref", BOX_PIXEL_SIZE),
        *("--corr_mic", "Align/align.star", "--fdose", DOSE, "--max_iters", 0),
        cwd=project,
    )
    for name in NAMES:
        motion = read_motion(project / "Align/Movies" / f"{name}.star")
        tracks = read_star(project / "Refine/Align/Movies" / f"{name}_tracks.star")
        own = [row for row in table.rows() if name in row["rlnMicrographName"]]
        assert len(own) > 3
        for number, row in enumerate(own):
            track = [tracks[str(number)].floats(f"rlnOrigin{axis}Angst") for axis in "XY"]
            x = float(row["rlnCoordinateX"]) / motion.width - 0.5
            y = float(row["rlnCoordinateY"]) / motion.height - 0.5
            local = [motion.local_terms(t) @ [1, x, x * x, y, y * y, x * y] for t in range(motion.frames)]
            ours = (motion.global_shifts + local) * PIXEL_SIZE
            assert np.stack(track, axis=1) == pytest.approx(-ours, abs=2e-3)  # Å; where RELION cuts, not what aligns


def write_reference(project: Path) -> None:
    """Write half maps and an FSC that polishing can start with: a ball with an arm."""
    z, y, x = np.mgrid[:BOX, :BOX, :BOX] - BOX / 2
    ball = np.exp(-(x**2 + y**2 + z**2) / 128) + 0.3 * np.exp(-((x - 6) ** 2 + y**2 + z**2) / 32)
    random = np.random.default_rng(1)
    for half in (1, 2):
        noisy = ball + 0.01 * random.normal(size=ball.shape)
        write_mrc(project / f"Align/half{half}.mrc", noisy, pixel_size=BOX_PIXEL_SIZE)
    shells = np.arange(BOX // 2 + 1)
    edge = BOX * BOX_PIXEL_SIZE
    fsc = {
        "rlnSpectralIndex": shells,
        "rlnResolution": shells / edge,
        "rlnAngstromResolution": [999.0, *(edge / shells[1:])],
        "rlnFourierShellCorrelationCorrected": np.exp(-shells / 15),
    }
    halves = {f"rlnUnfilteredMapHalf{half}": [f"Align/half{half}.mrc"] for half in (1, 2)}
    general = Table({"rlnFinalResolution": [15.0], **halves})
    write_star(project / "Align/postprocess.star", {"general": general, "fsc": Table(fsc)}, lists=("general",))
