"""`cryopair check`: a good set passes; each way that a set can be wrong is found, and by its own check alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from cryopair.cli import main
from cryopair.errors import BadFileError
from cryopair.formats.mrc import DENOISED_LABEL, map_mrc, read_mrc, write_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.particles.audit import Verdict, audit_particles, draw_page

STAR = Path("particles/extract.star")
MICROGRAPH = "MotionCorr/job002/Movies/a.mrc"


@pytest.fixture
def extracted(make_micrographs: Callable[..., Micrographs]) -> None:
    """Particles of three micrographs, binned from 32 to 24 pixels, normalised and inverted, with CTF."""
    rng = np.random.default_rng(4)
    points = {name: [tuple(place) for place in rng.integers(5, 150, (9, 2)).tolist()] for name in "abc"}
    micrographs = make_micrographs(points, shape=(160, 170))
    for label, value in (("rlnDefocusU", 12000.0), ("rlnDefocusV", 11500.0), ("rlnDefocusAngle", 30.0)):
        micrographs.table[label] = [value] * 3
    micrographs.optics["rlnSphericalAberration"] = [2.7, 2.7]
    micrographs.optics["rlnAmplitudeContrast"] = [0.1, 0.1]
    write_micrographs("handoff.star", micrographs)
    assert main(["extract", "--star", "handoff.star", "--box", "32", "--rescale", "24", "--out", "particles"]) == 0


@pytest.fixture
def blocks(extracted: None) -> dict[str, Table]:
    return read_star(STAR)


def failing() -> dict[str, str]:
    """Return what is wrong, by check."""
    return {one.check: one.said for one in audit_particles(STAR) if one.verdict is not Verdict.PASS}


def test_a_good_set_passes(extracted: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(STAR), "--page", "page.png", "--count", "10"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == f"check: {STAR} passes"
    for part in (
        "27 particles in 3 stacks, all there",
        "boxes of 24 px of 1.8 Å, 24 px of 1.8667 Å, in headers and data_optics alike",
        "all particles lie on their 3 micrographs",
        "3 micrographs looked at have raw noise",
        "12 of 12 particles cut again are the images (median correlation 1.0000); contrast inverted",
        "defocus 11500 to 12000 Å",
        "9 to 9 a micrograph, median 9",
        "page.png: 10 particles",
    ):
        assert part in said


@pytest.mark.parametrize("options", [["--no-invert"], ["--no-normalise"], ["--no-normalise", "--no-invert"]])
def test_however_particles_are_processed(extracted: None, options: list[str]) -> None:
    assert main(["extract", "--star", "handoff.star", "--box", "32", "--out", "particles", *options]) == 0
    (cut,) = (one for one in audit_particles(STAR) if one.check == "cut")
    assert cut.verdict is Verdict.PASS
    assert ("not inverted" in cut.said) == ("--no-invert" in options)


def test_the_command_fails_if_a_check_does(blocks: dict[str, Table], capsys: pytest.CaptureFixture[str]) -> None:
    Path("particles/Movies/b.mrcs").unlink()
    assert main(["check", str(STAR), "--page", "page.png"]) == 1
    said = capsys.readouterr().out
    assert "FAIL  stacks        1 of 3 are missing, cut off or too short: particles/Movies/b.mrcs: no such file" in said
    assert "page.png: 18 particles" in said
    assert said.splitlines()[-1] == f"check: {STAR} FAILS: stacks"


def test_a_stack_that_is_cut_off_or_too_short(blocks: dict[str, Table]) -> None:
    images = blocks["particles"]["rlnImageName"]
    blocks["particles"]["rlnImageName"] = [*images[:-1], "000010@particles/Movies/c.mrcs"]
    write_star(STAR, blocks)
    assert "c.mrcs: has 9 images, and particle 10 of it is listed" in failing()["stacks"]
    path = Path("particles/Movies/c.mrcs")
    path.write_bytes(path.read_bytes()[:-5])
    assert "c.mrcs" in failing()["stacks"]


def test_sizes_and_pixel_sizes_that_differ(blocks: dict[str, Table]) -> None:
    blocks["optics"]["rlnImagePixelSize"] = [1.35, 1.4]
    write_star(STAR, blocks)
    assert (
        "3 stacks differ from data_optics: particles/Movies/a.mrcs: 1.8 Å/px in its header, 1.35" in failing()["images"]
    )
    blocks["optics"]["rlnImageSize"] = [32, 32]
    write_star(STAR, blocks)
    assert "has images of 24 x 24 px, its optics group of 32" in failing()["images"]


def test_particles_beside_their_micrograph(blocks: dict[str, Table]) -> None:
    x = blocks["particles"].floats("rlnCoordinateX")
    blocks["particles"]["rlnCoordinateX"] = [170.0, *x[1:]]
    write_star(STAR, blocks)
    assert f"1 particles lie outside their micrographs: {MICROGRAPH} (170 x 160 px): x 170" in failing()["inside"]
    Path(MICROGRAPH).unlink()
    assert f"1 of 3 micrographs are missing or bad: {MICROGRAPH}: no such file" in failing()["inside"]


def test_micrographs_that_are_labelled_as_denoised(blocks: dict[str, Table]) -> None:
    write_mrc(MICROGRAPH, read_mrc(MICROGRAPH), pixel_size=1.35, labels=[DENOISED_LABEL])
    wrong = failing()
    assert list(wrong) == ["raw"]
    assert f"1 files are labelled as denoised in their headers, such as {MICROGRAPH}" in wrong["raw"]


def test_particles_cut_from_denoised_micrographs_that_say_they_are_raw(blocks: dict[str, Table]) -> None:
    """The stacks are those of denoised images; the table names the raw micrographs."""
    shutil.copytree("MotionCorr", "raw")
    for name in ("a", "b", "c"):
        path = f"MotionCorr/job002/Movies/{name}.mrc"
        write_mrc(path, gaussian_filter(read_mrc(path), 2), pixel_size=1.4 if name == "b" else 1.35)
    assert main(["extract", "--star", "handoff.star", "--box", "32", "--rescale", "24", "--out", "particles"]) == 0
    assert "3 of 3 micrographs looked at have next to no noise" in failing()["raw"]
    shutil.rmtree("MotionCorr")
    Path("raw").rename("MotionCorr")
    wrong = failing()
    assert list(wrong) == ["cut"]
    assert "0 of 12 particles cut again are the images" in wrong["cut"]


@pytest.mark.parametrize("change", ["shifted", "flipped", "scaled"])
def test_coordinates_that_are_not_where_particles_were_cut(blocks: dict[str, Table], change: str) -> None:
    particles = blocks["particles"]
    x, y = (particles.floats(f"rlnCoordinate{axis}") for axis in "XY")
    particles["rlnCoordinateY"] = {"shifted": y + 2, "flipped": 159 - y, "scaled": y / 2}[change]
    particles["rlnCoordinateX"] = {"shifted": x, "flipped": x, "scaled": x / 2}[change]
    write_star(STAR, blocks)
    assert "The others are something else than the micrograph shows at their coordinates" in failing()["cut"]


def test_particles_without_ctf_or_with_one_that_cannot_be(blocks: dict[str, Table]) -> None:
    particles = blocks["particles"]
    particles["rlnDefocusU"] = particles.floats("rlnDefocusU") / 10_000
    write_star(STAR, blocks)
    assert "27 values cannot be; micrometres instead of Å?" in failing()["CTF"]
    blocks["particles"] = particles.without("rlnDefocusV")
    blocks["optics"] = blocks["optics"].without("rlnVoltage")
    write_star(STAR, blocks)
    assert "lacks _rlnDefocusV, _rlnVoltage in data_optics. Extract from the micrographs_ctf.star" in failing()["CTF"]


def test_particles_that_are_there_twice(blocks: dict[str, Table]) -> None:
    blocks["particles"] = blocks["particles"].select([*range(27), 3])
    write_star(STAR, blocks)
    wrong = failing()
    assert list(wrong) == ["duplicates"]
    assert wrong["duplicates"].startswith("1 images are listed more than once, and 1 particles were cut at a pixel")


def test_a_micrograph_with_far_more_particles_than_others_is_pointed_out(blocks: dict[str, Table]) -> None:
    particles = blocks["particles"]
    names = [f"{n:02d}.mrc" for n in range(20) for _ in range(5)] + ["many.mrc"] * 60
    table = Table({label: [particles[label][0]] * 160 for label in particles.labels})
    table["rlnMicrographName"] = names
    write_star(STAR, blocks | {"particles": table})
    said = failing()["counts"]
    assert said == "5 to 60 a micrograph, median 5; 1 have far more than the others: many.mrc has 60"


def test_what_is_no_set_of_particles_is_an_error(blocks: dict[str, Table]) -> None:
    with pytest.raises(BadFileError, match=r"handoff\.star: has no block data_particles.*Give the particles\.star"):
        audit_particles("handoff.star")
    write_star(STAR, blocks | {"particles": blocks["particles"].select([])})
    with pytest.raises(BadFileError, match="has no particles"):
        audit_particles(STAR)


def test_the_page_is_drawn_by_its_seed_and_shows_the_particles(extracted: None) -> None:
    assert draw_page(STAR, "a.png", count=12, seed=3, low_pass=0) == 12
    draw_page(STAR, "b.png", count=12, seed=3, low_pass=0)
    draw_page(STAR, "c.png", count=12, seed=4, low_pass=0)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes() != Path("c.png").read_bytes()
    page = np.asarray(Image.open("a.png"), dtype=float)
    assert page.shape == (3 * 100 + 4, 4 * 100 + 4)
    tile = page[4:100, 4:100].reshape(24, 4, 24, 4).mean(axis=(1, 3))
    row = int(np.random.default_rng(3).permutation(27)[0])
    name = read_star(STAR)["particles"]["rlnImageName"][row].partition("@")
    image = map_mrc(name[2])[int(name[0]) - 1]
    assert np.corrcoef(tile.ravel(), image.ravel())[0, 1] > 0.9
