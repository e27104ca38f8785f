"""Our extraction against the installed RELION: same particles, same columns, same values, same pixels."""

import shutil
import subprocess
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from cryopair.formats.coordinates import Coordinates, write_coordinates
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import Micrographs, read_micrographs, write_micrographs
from cryopair.particles.extract import extract_particles, write_particles
from cryopair.particles.handoff import hand_off, suffix, write_coords_suffix
from cryopair.particles.reextract import reextract_particles
from cryopair.particles.sampling import Sampling

RELION = shutil.which("relion_preprocess")
pytestmark = pytest.mark.skipif(RELION is None, reason="relion_preprocess is not on PATH: nothing to compare with")

HEIGHT, WIDTH = 170, 231
PIXEL_SIZE = 1.35
JOB = "MotionCorr/job002"
NAMES = ("Movies/first.mrc", "Movies/second_v2.mrc", "Movies/sub/empty.mrc")
NO_DUST = ["--white_dust", "-1", "--black_dust", "-1"]

CASES = {
    "plain": (["--extract_size", "48"], {"normalise": False, "invert": False}),
    "scaled": (["--extract_size", "48", "--scale", "20"], {"scale": 20, "normalise": False, "invert": False}),
    "scale of the box": (["--extract_size", "48", "--scale", "48"], {"scale": 48, "normalise": False, "invert": False}),
    "inverted": (["--extract_size", "48", "--invert_contrast"], {"normalise": False, "invert": True}),
    "normalised": (["--extract_size", "48", "--norm", "--bg_radius", "18", *NO_DUST], {"invert": False}),
    "all": (
        ["--extract_size", "48", "--scale", "22", "--norm", "--bg_radius", "8", "--invert_contrast", *NO_DUST],
        {"scale": 22},
    ),
    "background": (
        ["--extract_size", "48", "--scale", "32", "--norm", "--bg_radius", "10", "--invert_contrast", *NO_DUST],
        {"scale": 32, "background_diameter": 31.0},
    ),
    "window": (["--extract_size", "48", "--window", "30"], {"window": 30, "normalise": False, "invert": False}),
    "normalised window": (
        ["--extract_size", "48", "--window", "30", "--norm", "--bg_radius", "11", "--invert_contrast", *NO_DUST],
        {"window": 30},
    ),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_micrographs(*, ctf: bool = True) -> Micrographs:
    rng = np.random.default_rng(5)
    gradient = 0.05 * np.arange(WIDTH) + 0.2 * np.arange(HEIGHT)[:, np.newaxis]
    for name in NAMES:
        write_mrc(f"{JOB}/{name}", rng.normal(40, 6, (HEIGHT, WIDTH)) + gradient, pixel_size=PIXEL_SIZE)
    optics = Table(
        {
            "rlnOpticsGroupName": ["opticsGroup1", "opticsGroup2"],
            "rlnOpticsGroup": [1, 2],
            "rlnMicrographOriginalPixelSize": [0.675, 0.675],
            "rlnVoltage": [300.0, 300.0],
            "rlnSphericalAberration": [2.7, 2.7],
            "rlnAmplitudeContrast": [0.1, 0.1],
            "rlnMicrographPixelSize": [PIXEL_SIZE, 1.4],
        }
    )
    table = Table({"rlnMicrographName": [f"{JOB}/{name}" for name in NAMES], "rlnOpticsGroup": [2, 1, 1]})
    if ctf:
        table["rlnCtfImage"] = [f"CtfFind/job003/{name}.ctf:mrc" for name in NAMES]
        table["rlnDefocusU"] = [10863.857422, 9955.683594, 12000.5]
        table["rlnDefocusV"] = [10575.793945, 9621.553711, 12000.25]
        table["rlnCtfAstigmatism"] = [288.0, 334.0, 0.25]
        table["rlnDefocusAngle"] = [77.995102, -81.5, 0.0]
        table["rlnCtfFigureOfMerit"] = [0.131144, 0.14, 0.15]
        table["rlnCtfMaxResolution"] = [4.809192, 5.1, 4.9]
    return Micrographs(optics, table)


def write_coordinate_stars(folder: str) -> list[str]:
    """Write fractional coordinates, with boxes over every edge and corner; none on the last micrograph."""
    rng = np.random.default_rng(6)
    over_the_edges = [
        (0.0, 0.0), (0.9, 100.2), (120.6, 3.5),
        (WIDTH - 1.0, HEIGHT - 1.0), (WIDTH - 0.01, 60.0), (90.99, HEIGHT - 0.4),
        (23.99, 24.0), (24.0, 23.99), (WIDTH - 24.0, HEIGHT - 24.0), (WIDTH - 23.0, HEIGHT - 23.0),
    ]  # fmt: skip
    inner = rng.uniform([0, 0], [WIDTH, HEIGHT], (25, 2))
    paths = []
    for name, points in zip(NAMES, (np.array([*over_the_edges, *inner]), inner[:7], inner[:0]), strict=True):
        paths.append(f"{folder}/{name.removesuffix('.mrc')}{suffix('log')}")
        columns = {
            "rlnCoordinateX": points[:, 0],
            "rlnCoordinateY": points[:, 1],
            "rlnAutopickFigureOfMerit": rng.uniform(0, 1, len(points)),
            "rlnClassNumber": [0] * len(points),
            "rlnAnglePsi": [0.0] * len(points),
        }
        write_star(paths[-1], {"": Table(columns)})
    return paths


def run_relion(
    micrographs: Micrographs, *options: str, coordinates: str = "Picks", job: str = "Extract/job004"
) -> Path:
    write_micrographs("micrographs_ctf.star", micrographs)
    inputs = ["--i", "micrographs_ctf.star", "--coord_dir", f"{coordinates}/", "--coord_suffix", suffix("log")]
    outputs = ["--part_star", f"{job}/particles.star", "--part_dir", f"{job}/", "--extract", *options]
    done = subprocess.run([RELION, *inputs, *outputs], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Path(job) / "particles.star"


def assert_same_tables(ours: Path, theirs: Path, *, atol: float = 1e-6) -> None:
    ours, theirs = read_star(ours), read_star(theirs)
    assert list(ours) == list(theirs)
    for block in theirs:
        assert ours[block].labels == theirs[block].labels
        for label in theirs[block].labels:
            try:
                expected = theirs[block].floats(label)
            except ValueError:
                assert [v.replace("Ours/job005", "Extract/job004") for v in ours[block][label]] == theirs[block][label]
            else:
                np.testing.assert_allclose(ours[block].floats(label), expected, rtol=0, atol=atol, err_msg=label)


def stacks(star: Path) -> list[np.ndarray]:
    names = dict.fromkeys(value.split("@")[1] for value in read_star(star)["particles"]["rlnImageName"])
    images = []
    for name in names:
        with mrcfile.open(name, permissive=True) as file:
            images.append(np.array(file.data, dtype=np.float64))
    return images


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")  # mrcfile, on the version field of RELION's headers
@pytest.mark.parametrize("case", CASES)
def test_same_particles_as_relion(project, case):
    options, settings = CASES[case]
    micrographs = make_micrographs()
    micrographs.table["rlnMicrographCoordinates"] = write_coordinate_stars("Picks")
    theirs = run_relion(micrographs, *options)
    particles = extract_particles(micrographs, Sampling(box=48, **settings), out=Path("Ours/job005"))
    ours = Path("Ours/job005/particles.star")
    write_particles(ours, particles)
    assert_same_tables(ours, theirs)
    assert not Path("Ours/job005/Movies/sub/empty.mrcs").exists()
    for mine, reference in zip(stacks(ours), stacks(theirs), strict=True):
        assert mine.shape == reference.shape
        difference = np.sqrt(np.mean((mine - reference) ** 2, axis=(1, 2)))
        assert np.all(difference < 1e-5 * reference.std(axis=(1, 2)))


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_a_window_after_rescaling_is_the_centre_of_relions_images(project):
    """RELION's own --window is off centre after --scale, with zeros at the sides."""
    micrographs = make_micrographs()
    micrographs.table["rlnMicrographCoordinates"] = write_coordinate_stars("Picks")
    theirs = stacks(run_relion(micrographs, "--extract_size", "48", "--scale", "32"))
    sampling = Sampling(box=48, scale=32, window=20, normalise=False, invert=False)
    particles = extract_particles(micrographs, sampling, out=Path("Ours/job005"))
    write_particles("Ours/job005/particles.star", particles)
    assert particles.optics["rlnImageSize"] == ["20", "20"]
    np.testing.assert_allclose(particles.optics.floats("rlnImagePixelSize"), [PIXEL_SIZE * 1.5, 2.1])
    for mine, reference in zip(stacks(Path("Ours/job005/particles.star")), theirs, strict=True):
        np.testing.assert_allclose(mine, reference[:, 6:26, 6:26], rtol=0, atol=1e-5 * reference.std())


@pytest.mark.parametrize("keep", ["none", "optional CTF columns", "bare CTF", "optics group with the picks"])
def test_same_columns_as_relion_for_other_tables(project, keep):
    micrographs = make_micrographs(ctf=keep != "none")
    paths = write_coordinate_stars("Picks")
    if keep == "optional CTF columns":
        for label, values in {
            "rlnBeamTiltX": [0.1, 0.2, 0.3],
            "rlnBeamTiltY": [0.3, 0.2, 0.1],
            "rlnPhaseShift": [90.0, 91.0, 92.0],
            "rlnCtfScalefactor": [0.5, 0.6, 0.7],
            "rlnCtfBfactor": [1.0, 2.0, 3.0],
        }.items():
            micrographs.table[label] = values
    elif keep == "bare CTF":
        optional = ("rlnDefocusV", "rlnDefocusAngle", "rlnCtfFigureOfMerit", "rlnCtfMaxResolution")
        micrographs.table = micrographs.table.without(*optional)
    elif keep.startswith("optics"):
        for path in paths:
            picks = read_star(path)[""]
            picks["rlnOpticsGroup"] = [1] * len(picks)
            write_star(path, {"": picks})
    micrographs.table["rlnMicrographCoordinates"] = paths
    theirs = run_relion(micrographs, "--extract_size", "16")
    particles = extract_particles(micrographs, Sampling(box=16, normalise=False, invert=False), out=Path("Ours/job005"))
    write_particles("Ours/job005/particles.star", particles)
    assert_same_tables(Path("Ours/job005/particles.star"), theirs)


def test_no_particles_at_all(project):
    micrographs = make_micrographs()
    micrographs.table = micrographs.table.select([2])
    micrographs.table["rlnMicrographCoordinates"] = write_coordinate_stars("Picks")[2:]
    particles = extract_particles(micrographs, Sampling(box=16), out=Path("Ours/job005"))
    assert len(particles.table) == 0
    write_particles("particles.star", particles)
    assert list(read_star("particles.star")) == ["optics"]


def test_relion_finds_handed_off_coordinates(project):
    micrographs = make_micrographs()
    picks = []
    for name in NAMES:
        picks.append(f"picks/{name.removesuffix('.mrc')}.star")
        x, y = np.array([50.4, 60.6, 114.9]), np.array([10.0, 44.5, 84.2])  # the last is outside after rounding
        shape = (HEIGHT // 2, WIDTH // 2)
        pixel_size = 2 * micrographs.pixel_size({"rlnMicrographName": name, "rlnOpticsGroup": "1"})
        write_coordinates(
            picks[-1], Coordinates(x, y, np.array([3.0, 2.0, 1.0]), f"denoised/{name}", shape, pixel_size)
        )
    micrographs.table["rlnOpticsGroup"] = [1, 1, 1]
    micrographs.table["cryopairPicks"] = picks
    micrographs.table["cryopairPicker"] = ["log"] * 3
    handed = hand_off(micrographs, out=Path("External/job003/coordinates"))
    suffix_file = write_coords_suffix("External/job003/coordinates", "micrographs_ctf.star", picker="log")
    assert suffix_file.name == f"coords_suffix{suffix('log')}"
    theirs = run_relion(micrographs, "--extract_size", "16", coordinates=str(suffix_file.parent))
    particles = read_star(theirs)["particles"]
    assert particles["rlnMicrographName"] == [f"{JOB}/{name}" for name in NAMES for _ in range(3)]
    np.testing.assert_array_equal(particles.floats("rlnCoordinateX"), [101, 121, 230] * 3)
    np.testing.assert_array_equal(particles.floats("rlnCoordinateY"), [20, 89, 168] * 3)
    assert len(read_micrographs("micrographs_ctf.star").table) == len(handed.table)


def test_relion_reads_the_picks_themselves(project):
    micrographs = make_micrographs()
    for name in NAMES:
        picks = Coordinates(
            np.array([30.25]), np.array([40.75]), np.array([2.0]), f"denoised/{name}", (HEIGHT, WIDTH), PIXEL_SIZE
        )
        write_coordinates(f"picks/{name.removesuffix('.mrc')}{suffix('log')}", picks)
    theirs = run_relion(micrographs, "--extract_size", "16", coordinates="picks")
    assert read_star(theirs)["particles"]["rlnCoordinateX"] == ["30.250000"] * 3


def refined_particles(micrographs: Micrographs) -> Table:
    """Particles as after a refinement of RELION's own extraction at half the size, in random order, shifts in Å."""
    blocks = read_star(run_relion(micrographs, "--extract_size", "32", "--scale", "16", job="Extract/job010"))
    rng = np.random.default_rng(9)
    particles = blocks["particles"].select(rng.permutation(len(blocks["particles"])))
    for label, values in {
        "rlnAngleRot": rng.uniform(-180, 180, len(particles)),
        "rlnOriginXAngst": rng.normal(0, 6, len(particles)),
        "rlnOriginYAngst": np.where(
            rng.uniform(size=len(particles)) < 0.3, 1.4 * 2.5, rng.normal(0, 6, len(particles))
        ),
        "rlnRandomSubset": rng.integers(1, 3, len(particles)),
    }.items():
        particles[label] = values
    inside = [
        20 < float(row["rlnCoordinateX"]) < WIDTH - 20 and 20 < float(row["rlnCoordinateY"]) < HEIGHT - 20
        for row in particles.rows()
    ]
    particles = particles.select(np.flatnonzero(inside))
    # cut from another job, as from a denoised image
    particles["rlnMicrographName"] = [name.replace(JOB, "External/job099") for name in particles["rlnMicrographName"]]
    write_star("run_data.star", {"optics": blocks["optics"], "particles": particles})
    return particles


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@pytest.mark.parametrize("what", ["as they are", "recenter", "reset offsets"])
def test_refined_particles_are_cut_anew_as_by_relion(project, what):
    micrographs = make_micrographs()
    write_coordinate_stars("Picks")
    refined = refined_particles(micrographs)
    options = {
        "as they are": [],
        "recenter": ["--recenter", "--ref_angpix", "1"],
        "reset offsets": ["--reset_offsets"],
    }[what]
    files = ["--part_star", "Extract/job004/particles.star", "--part_dir", "Extract/job004/", "--extract"]
    size = ["--extract_size", "40", "--scale", "30", "--norm", "--bg_radius", "11", "--invert_contrast", *NO_DUST]
    command = [RELION, "--i", "micrographs_ctf.star", "--reextract_data_star", "run_data.star", *options, *files, *size]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shifts = {"recenter": what == "recenter", "reset_offsets": what == "reset offsets"}
    particles = reextract_particles(
        micrographs, "run_data.star", Sampling(box=40, scale=30), out=Path("Ours/job005"), **shifts
    )
    write_particles("Ours/job005/particles.star", particles)
    assert len(particles.table) == len(refined) > 20
    five_decimals = 5.1e-6  # which RELION writes of negative numbers
    assert_same_tables(Path("Ours/job005/particles.star"), Path("Extract/job004/particles.star"), atol=five_decimals)
    both = stacks(Path("Ours/job005/particles.star")), stacks(Path("Extract/job004/particles.star"))
    for mine, reference in zip(*both, strict=True):
        difference = np.sqrt(np.mean((mine - reference) ** 2, axis=(1, 2)))
        assert np.all(difference < 1e-5 * reference.std(axis=(1, 2)))
