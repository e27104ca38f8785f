"""The stage extract: stacks, tables, and what it refuses. RELION itself is the judge in tests/interop."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.cli import main
from cryopair.errors import UsageError
from cryopair.formats.mrc import DENOISED_LABEL, map_mrc, read_mrc, read_mrc_info, write_mrc
from cryopair.formats.star import read_star
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.particles.extract import extract_particles, write_particles
from cryopair.particles.normalise import normalise
from cryopair.particles.sampling import Sampling, cut_particles
from cryopair.particles.windows import cut_windows, rescale

Make = Callable[..., Micrographs]
OUT = Path("extract")
POINTS = {"a": [(30.4, 20.9), (0.0, 69.0), (50.0, 40.0)], "b": [], "sub/c": [(60.0, 33.0)]}
PICKED = ["rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit"]
NAMED = ["rlnImageName", "rlnMicrographName", "rlnOpticsGroup"]
CTF = ["rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfBfactor", "rlnCtfScalefactor", "rlnPhaseShift"]


def replace_image(micrographs: Micrographs, index: int, image: np.ndarray, **options: object) -> None:
    write_mrc(micrographs.table["rlnMicrographName"][index], image, pixel_size=1.35, **options)


def test_stacks_and_rows_belong_together(make_micrographs: Make) -> None:
    micrographs = make_micrographs(POINTS)
    particles = extract_particles(micrographs, Sampling(box=16, normalise=False, invert=False), out=OUT)
    assert particles.table["rlnImageName"] == [
        "000001@extract/Movies/a.mrcs",
        "000002@extract/Movies/a.mrcs",
        "000003@extract/Movies/a.mrcs",
        "000001@extract/Movies/sub/c.mrcs",
    ]
    assert particles.table["rlnOpticsGroup"] == ["1", "1", "1", "1"]
    np.testing.assert_allclose(particles.table.floats("rlnCoordinateX"), [30.4, 0, 50, 60])  # not rounded
    assert particles.micrographs.table["cryopairParticleCount"] == ["3", "0", "1"]
    for row in particles.table.rows():
        number, stack = row["rlnImageName"].split("@")
        padded = np.pad(read_mrc(row["rlnMicrographName"]), 8, mode="edge")
        x, y = int(float(row["rlnCoordinateX"])), int(float(row["rlnCoordinateY"]))
        np.testing.assert_array_equal(map_mrc(stack)[int(number) - 1], padded[y : y + 16, x : x + 16])
    assert sorted(Path("extract").rglob("*.mrcs")) == [OUT / "Movies/a.mrcs", OUT / "Movies/sub/c.mrcs"]


def test_order_is_cut_downsample_normalise_invert(make_micrographs: Make) -> None:
    micrographs = make_micrographs({"a": POINTS["a"]})
    extract_particles(micrographs, Sampling(box=32, scale=20, background_diameter=26), out=OUT)
    image = read_mrc(micrographs.table["rlnMicrographName"][0])
    x, y = np.array(POINTS["a"]).T
    expected = -normalise(rescale(cut_windows(image, x, y, box=32), 20), int(13 * 20 / 32))
    stack = map_mrc("extract/Movies/a.mrcs")
    np.testing.assert_allclose(stack, expected, atol=1e-5)
    index = np.arange(20) - 10
    background = np.hypot(*np.meshgrid(index, index)) > 8
    np.testing.assert_allclose(stack[:, background].mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(stack[:, background].std(axis=1), 1, atol=1e-6)


def test_inversion_changes_the_sign_and_nothing_else() -> None:
    image = np.random.default_rng(0).normal(30, 4, (60, 60))
    for normalised in (True, False):
        dark, bright = (
            cut_particles(image, [20, 41], [30, 12], Sampling(box=24, scale=12, normalise=normalised, invert=invert))
            for invert in (False, True)
        )
        np.testing.assert_array_equal(bright, -dark)


def test_many_large_boxes_are_cut_in_batches() -> None:
    image = np.random.default_rng(0).normal(size=(1100, 1100)).astype(np.float32)
    x, y = np.random.default_rng(1).uniform(0, 1100, (2, 10))
    together = cut_particles(image, x, y, Sampling(box=1024, scale=32))
    for index in (0, 7, 8, 9):
        alone = cut_particles(image, x[[index]], y[[index]], Sampling(box=1024, scale=32))
        np.testing.assert_allclose(together[index], alone[0], atol=1e-5)


def test_a_window_is_the_centre_of_the_downsampled_box() -> None:
    image = np.random.default_rng(0).normal(30, 4, (60, 60))
    plain = {"box": 24, "scale": 16, "normalise": False, "invert": False}
    whole = cut_particles(image, [20, 41], [30, 12], Sampling(**plain))
    np.testing.assert_array_equal(
        cut_particles(image, [20, 41], [30, 12], Sampling(**plain, window=10)), whole[:, 3:13, 3:13]
    )


def test_large_grey_values_cost_no_precision() -> None:
    """A camera's counts of 50,000 with a noise of 20: particles are cut in single precision all the same."""
    image = (50_000 + np.random.default_rng(0).normal(0, 20, (300, 300))).astype(np.float32)
    x, y = np.random.default_rng(1).uniform(0, 300, (2, 10))
    windows = cut_windows(image, x, y, box=64).astype(np.float64)
    expected = normalise(rescale(windows, 32), 12)
    np.testing.assert_allclose(cut_particles(image, x, y, Sampling(64, 32, invert=False)), expected, atol=1e-5)


def test_an_image_of_one_grey_level_is_not_scaled_up() -> None:
    assert not cut_particles(np.full((90, 90), 1234.567), [40, 5], [40, 88], Sampling(32, 20)).any()


def test_float16_halves_the_files_and_keeps_three_digits(make_micrographs: Make) -> None:
    for half_precision, folder in ((False, Path("full")), (True, Path("half"))):
        micrographs = make_micrographs({"a": POINTS["a"]})
        extract_particles(micrographs, Sampling(box=16), out=folder, half_precision=half_precision)
    full, half = (map_mrc(f"{folder}/Movies/a.mrcs") for folder in ("full", "half"))
    assert (full.dtype, half.dtype) == (np.float32, np.float16)
    np.testing.assert_array_equal(half, full.astype(np.float16))


def test_grey_values_too_large_for_float16_are_named(make_micrographs: Make) -> None:
    micrographs = make_micrographs({"a": [(40, 30)]})
    replace_image(micrographs, 0, np.full((70, 91), 70_000.0))
    sampling = Sampling(box=16, normalise=False)
    (reason,) = extract_particles(micrographs, sampling, out=OUT, half_precision=True).micrographs.failed[
        "cryopairReason"
    ]
    assert "extract/Movies/a.mrcs: grey values up to 70000 do not fit in float16" in reason


def test_the_number_of_threads_changes_nothing(make_micrographs: Make) -> None:
    points = {f"mic{i}": [(10 * i + 5.0, 7 * j + 3.0) for j in range(i)] for i in range(8)}
    micrographs = make_micrographs(points)
    alone = extract_particles(micrographs, Sampling(box=16, scale=10), out=OUT, workers=1)
    stacks = {path: path.read_bytes() for path in sorted(OUT.rglob("*.mrcs"))}
    together = extract_particles(micrographs, Sampling(box=16, scale=10), out=OUT, workers=4)
    assert together.table == alone.table
    assert {path: path.read_bytes() for path in sorted(OUT.rglob("*.mrcs"))} == stacks
    assert len(stacks) == 7


def test_optics_and_header_have_the_pixel_size_of_the_images(make_micrographs: Make) -> None:
    micrographs = make_micrographs({"a": [(40, 30)], "b": [(41, 31)]})
    particles = extract_particles(micrographs, Sampling(box=24, scale=16), out=OUT)
    labels = micrographs.optics.without("rlnMicrographPixelSize").labels
    assert particles.optics.labels == [*labels, "rlnImagePixelSize", "rlnImageSize", "rlnImageDimensionality"]
    np.testing.assert_allclose(particles.optics.floats("rlnImagePixelSize"), [2.025, 2.1])
    assert particles.optics["rlnImageSize"] == ["16", "16"]
    assert particles.optics["rlnImageDimensionality"] == ["2", "2"]
    for name, pixel_size in (("a", 2.025), ("b", 2.1)):
        info = read_mrc_info(f"extract/Movies/{name}.mrcs")
        assert (info.shape, info.pixel_size) == ((1, 16, 16), pytest.approx(pixel_size))
    assert "rlnMicrographPixelSize" in micrographs.optics  # the input is left alone


def test_columns_without_ctf(make_micrographs: Make) -> None:
    particles = extract_particles(make_micrographs(POINTS), Sampling(box=16), out=OUT)
    assert particles.table.labels == PICKED + NAMED


def test_columns_with_ctf_are_relions(make_micrographs: Make) -> None:
    micrographs = make_micrographs(POINTS)
    values = {
        "rlnCtfImage": ["a.ctf:mrc", "b.ctf:mrc", "c.ctf:mrc"],
        "rlnDefocusU": [10863.857422, 9955.683594, 12000.5],
        "rlnDefocusV": [10575.793945, 9621.553711, 12000.25],
        "rlnCtfAstigmatism": [288.0, 334.0, 0.25],
        "rlnDefocusAngle": [77.995102, -81.5, 0.0],
        "rlnCtfFigureOfMerit": [0.131144, 0.14, 0.15],
        "rlnCtfMaxResolution": [4.809192, 5.1, 4.9],
    }
    for label, column in values.items():
        micrographs.table[label] = column
    table = extract_particles(micrographs, Sampling(box=16), out=OUT).table
    assert table.labels == [*PICKED, *NAMED, "rlnCtfMaxResolution", "rlnCtfFigureOfMerit", *CTF]
    assert table["rlnDefocusU"] == ["10863.857422"] * 3 + ["12000.500000"]
    assert table["rlnDefocusV"] == ["10575.793945"] * 3 + ["12000.250000"]
    assert table["rlnCtfFigureOfMerit"] == ["0.131144"] * 3 + ["0.150000"]
    assert table["rlnCtfBfactor"] == ["0.000000"] * 4
    assert table["rlnCtfScalefactor"] == ["1.000000"] * 4


def test_missing_ctf_columns_get_relions_defaults_and_others_are_kept(make_micrographs: Make) -> None:
    micrographs = make_micrographs({"a": [(40, 30)]})
    micrographs.table["rlnDefocusU"] = [9000.0]
    micrographs.table["rlnPhaseShift"] = [90.0]
    micrographs.table["rlnBeamTiltX"] = [0.25]
    table = extract_particles(micrographs, Sampling(box=16), out=OUT).table
    assert table.labels == [*PICKED, *NAMED, *CTF, "rlnBeamTiltX"]
    row = table.row(0)
    ctf = [float(row[label]) for label in (*CTF, "rlnBeamTiltX")]
    assert ctf == [9000, 9000, 0, 0, 1, 90, 0.25]


def test_no_picks_no_particles_no_stack(make_micrographs: Make) -> None:
    particles = extract_particles(make_micrographs({"a": [], "b": []}), Sampling(box=16), out=OUT)
    assert len(particles.table) == 0
    assert particles.micrographs.table["cryopairParticleCount"] == ["0", "0"]
    assert not OUT.exists()
    write_particles("particles.star", particles)
    assert list(read_star("particles.star")) == ["optics"]


def test_a_command_that_cuts_nothing_fails_unless_for_a_shard(
    make_micrographs: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    micrographs = make_micrographs({"a": [], "b": [(40, 30)]})
    Path(micrographs.table["rlnMicrographName"][1]).unlink()
    write_micrographs("handoff.star", micrographs)
    command = ["extract", "--star", "handoff.star", "--box", "16", "--out", "extract"]
    assert main(command) == 1
    told = "not one particle was cut: 1 micrographs have no coordinates and 1 failed (extract/extract_failed.star"
    assert told in capsys.readouterr().err
    assert list(read_star("extract/extract.star")) == ["optics"]
    assert main([*command, "--shard"]) == 0
    assert list(read_star("extract/extract.star")) == ["optics", "failed"]


def test_a_missing_micrograph_costs_only_itself(make_micrographs: Make) -> None:
    micrographs = make_micrographs(POINTS)
    Path(micrographs.table["rlnMicrographName"][0]).unlink()
    particles = extract_particles(micrographs, Sampling(box=16), out=OUT)
    assert particles.table["rlnImageName"] == ["000001@extract/Movies/sub/c.mrcs"]
    assert particles.micrographs.failed["rlnMicrographName"] == ["MotionCorr/job002/Movies/a.mrc"]
    write_particles("particles.star", particles)
    assert list(read_star("particles.star")) == ["optics", "particles"]
    assert read_star("particles_failed.star")["failed"]["cryopairReason"] == [
        "MotionCorr/job002/Movies/a.mrc: no such file; expected an MRC image."
    ]
    write_particles("particles.star", particles, of_shard=True)
    assert read_star("particles.star")["failed"] == particles.micrographs.failed
    assert not Path("particles_failed.star").exists()


def test_a_truncated_micrograph_costs_only_itself(make_micrographs: Make) -> None:
    micrographs = make_micrographs(POINTS)
    path = Path(micrographs.table["rlnMicrographName"][0])
    path.write_bytes(path.read_bytes()[:2000])
    particles = extract_particles(micrographs, Sampling(box=16), out=OUT)
    assert particles.table["rlnImageName"] == ["000001@extract/Movies/sub/c.mrcs"]
    assert "is not a whole MRC file" in " ".join(particles.micrographs.failed["cryopairReason"])


@pytest.mark.parametrize("place", [(91.0, 10.0), (10.0, 70.0), (-1.0, 5.0), (5.0, -1.5), (400.0, 300.0)])
def test_coordinates_outside_are_named(make_micrographs: Make, place: tuple[float, float]) -> None:
    micrographs = make_micrographs({"a": [(40, 30), place], "b": [(-0.9, 69.9)]})
    particles = extract_particles(micrographs, Sampling(box=16), out=OUT)
    assert particles.micrographs.table["cryopairParticleCount"] == ["1"]
    (reason,) = particles.micrographs.failed["cryopairReason"]
    assert f"coordinates/a_log.star: 1 of 2 coordinates, the first at ({place[0]:g}, {place[1]:g})" in reason
    assert "91 x 70 px" in reason


def test_a_box_larger_than_the_micrograph_is_named(make_micrographs: Make) -> None:
    with pytest.raises(UsageError, match=r"a box of 72 px is larger than the micrograph \(91 x 70 px\)"):
        extract_particles(make_micrographs({"a": [(40, 30)]}), Sampling(box=72), out=OUT)
    assert len(extract_particles(make_micrographs({"a": [(40, 30)]}), Sampling(box=70), out=OUT).table) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"box": 15}, "box is 15 px; expected an even number"),
        ({"box": 0}, "box is 0 px; expected an even number above 0"),
        ({"box": 16, "scale": 7}, "scale is 7 px; expected an even number"),
        ({"box": 16, "scale": 18}, "scale is 18 px for a box of 16 px.*not upsampled"),
        ({"box": 16, "background_diameter": 17}, "diameter is 17 px for particle images that show 16 px"),
        ({"box": 16, "background_diameter": 0}, "diameter is 0 px for particle images that show 16 px"),
        ({"box": 16, "scale": 8, "window": 5}, "window is 5 px; expected an even number"),
        ({"box": 16, "scale": 8, "window": 10}, "window is 10 px for images of 8 px; expected at most these"),
        ({"box": 16, "scale": 8, "window": 4, "background_diameter": 9}, "diameter is 9 px.* that show 8 px"),
    ],
)
def test_impossible_sizes_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampling(**options)


def test_micrographs_without_coordinates_are_refused(make_micrographs: Make) -> None:
    micrographs = make_micrographs(POINTS)
    micrographs.table = micrographs.table.without("rlnMicrographCoordinates")
    with pytest.raises(UsageError, match=r"no column _rlnMicrographCoordinates.*cryopair handoff"):
        extract_particles(micrographs, Sampling(box=16), out=OUT)


def test_one_denoised_image_by_its_label_stops_everything(make_micrographs: Make) -> None:
    micrographs = make_micrographs(POINTS)
    replace_image(micrographs, 2, np.zeros((70, 91)), labels=(DENOISED_LABEL,))
    with pytest.raises(UsageError, match=r"sub/c\.mrc: .*denoised.*raw"):
        extract_particles(micrographs, Sampling(box=16), out=OUT)
    assert not OUT.exists()


def test_a_denoised_image_by_its_name_stops_everything(make_micrographs: Make) -> None:
    micrographs = make_micrographs({"a": [(40, 30)]})
    micrographs.table["rlnMicrographNameDenoised"] = micrographs.table["rlnMicrographName"]
    with pytest.raises(UsageError, match=r"denoised.*raw"):
        extract_particles(micrographs, Sampling(box=16), out=OUT)


def test_a_smooth_image_is_warned_of(make_micrographs: Make, capsys: pytest.CaptureFixture[str]) -> None:
    micrographs = make_micrographs({"a": [(40, 30)], "b": [(40, 30)]})
    extract_particles(micrographs, Sampling(box=16), out=OUT)
    assert "warning" not in capsys.readouterr().err
    replace_image(micrographs, 1, gaussian_filter(np.random.default_rng(0).normal(size=(70, 91)), 2))
    extract_particles(micrographs, Sampling(box=16), out=OUT)
    assert "warning: 1 of 2 micrographs have next to no noise" in capsys.readouterr().err


def test_a_stack_is_not_a_micrograph(make_micrographs: Make) -> None:
    micrographs = make_micrographs({"a": [(4, 3)]})
    replace_image(micrographs, 0, np.zeros((3, 70, 91)))
    (reason,) = extract_particles(micrographs, Sampling(box=16), out=OUT).micrographs.failed["cryopairReason"]
    assert "is a stack of 3 images; expected a single micrograph" in reason
