"""Particles picked elsewhere, on binned images, come back to their pixel in the raw micrograph; wrong files do not."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.errors import UsageError
from cryopair.formats.coordinates import read_coordinate_table, read_coordinates
from cryopair.formats.mrc import read_mrc, write_mrc
from cryopair.formats.star import Table, write_star
from cryopair.micrographs import Micrographs
from cryopair.particles.handoff import hand_off
from cryopair.picking.imported.contrast import measure_contrast
from cryopair.picking.imported.geometry import PickedOn
from cryopair.picking.imported.stage import import_coordinates

SHAPE, PIXEL_SIZE, DIAMETER = (520, 600), 1.35, 24.0
NAMES = ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"]
DENOISED = [f"cryopair/denoised/Movies/{Path(name).name}" for name in NAMES]
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def truth() -> list[Floats]:
    """Places of particles, apart from each other, of shape ``(particles, 2)``, in whole pixels of two micrographs."""
    rng = np.random.default_rng(5)
    places = []
    for _ in NAMES:
        grid = np.stack(np.meshgrid(np.arange(40, 570, 60), np.arange(40, 490, 60)), axis=-1).reshape(-1, 2)
        places.append((grid + rng.integers(-12, 13, grid.shape))[rng.permutation(len(grid))[:45]].astype(np.float64))
    return places


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, truth: list[Floats]) -> Path:
    """Two raw micrographs, and denoised ones with dark particles."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(6)
    for name, seen, places in zip(NAMES, DENOISED, truth, strict=True):
        image = np.zeros(SHAPE)
        image[places[:, 1].astype(int), places[:, 0].astype(int)] = -1
        image = gaussian_filter(image, DIAMETER / 4) * 400 + gaussian_filter(rng.normal(size=SHAPE), 2) * 2
        write_mrc(folder / seen, image.astype(np.float32), pixel_size=PIXEL_SIZE)
        write_mrc(folder / name, (image + rng.normal(0, 9, SHAPE)).astype(np.float32), pixel_size=PIXEL_SIZE)
    return folder


@pytest.fixture
def micrographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: Path) -> Micrographs:
    """A project with those micrographs, which no test changes."""
    monkeypatch.chdir(tmp_path)
    for folder in ("MotionCorr", "cryopair"):
        Path(folder).symlink_to(files / folder)
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]})
    table = {"rlnMicrographName": NAMES, "rlnOpticsGroup": [1, 1], "rlnMicrographNameDenoised": DENOISED}
    return Micrographs(optics, Table(table))


def star(folder: str, places: Sequence[Floats]) -> str:
    for name, (x, y) in zip("ab", (one.T for one in places), strict=True):
        score = np.linspace(1, 0.1, len(x))
        columns = {"rlnCoordinateX": x, "rlnCoordinateY": y, "rlnAutopickFigureOfMerit": score}
        write_star(f"{folder}/Movies/{name}_autopick.star", {"": Table(columns)})
    return folder


def boxes(folder: str, places: Sequence[Floats]) -> str:
    Path(folder).mkdir()
    for name, (x, y) in zip("ab", (one.T for one in places), strict=True):
        lines = [
            f"{a - 15:.4f}\t{b - 15:.4f}\t30\t30\t{1 / (1 + n):.3f}\n"
            for n, (a, b) in enumerate(zip(x, y, strict=True))
        ]
        Path(folder, f"{name}.box").write_text("".join(lines))
    return folder


def cbox(folder: str, places: Sequence[Floats]) -> str:
    labels = [f"Coordinate{axis}" for axis in "XYZ"] + ["Width", "Height", "Confidence"]
    for name, (x, y) in zip("ab", (one.T for one in places), strict=True):
        count = len(x)
        values = [x - 11, y - 14, ["<NA>"] * count, [22] * count, [28] * count, np.linspace(1, 0.1, count)]
        write_star(
            f"{folder}/{name}.cbox",
            {"global": Table({"version": [1]}), "cryolo": Table(dict(zip(labels, values, strict=True)))},
        )
    return folder


def topaz(folder: str, places: Sequence[Floats]) -> str:
    rows = [f"{name}\t{x:.3f}\t{y:.3f}\t{-x:.2f}" for name, one in zip("ab", places, strict=True) for x, y in one]
    Path(f"{folder}.txt").write_text("\n".join(["image_name\tx_coord\ty_coord\tscore", *rows]) + "\n")
    return f"{folder}.txt"


def comma(folder: str, places: Sequence[Floats]) -> str:
    Path(folder).mkdir()
    for name, one in zip("ab", places, strict=True):
        Path(folder, f"{name}.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in one))
    return folder


def particles(folder: str, places: Sequence[Floats]) -> str:
    rows = [(NAMES[n], x, y) for n, one in enumerate(places) for x, y in one]
    table = dict(zip(("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"), zip(*rows, strict=True), strict=True))
    write_star(f"{folder}.star", {"optics": Table({"rlnOpticsGroup": [1]}), "particles": Table(table)})
    return f"{folder}.star"


FORMATS = [star, boxes, cbox, topaz, comma, particles]


def handed(micrographs: Micrographs, where: str, **options: object) -> list[Floats]:
    """Import coordinates and hand them to the raw micrographs, as the workflow does."""
    imported = import_coordinates(micrographs, where, out=Path("picks"), **options)  # type: ignore[arg-type]
    assert (imported.waiting, len(imported.micrographs.failed)) == ([], 0)
    files = hand_off(imported.micrographs, out=Path("coordinates")).table["rlnMicrographCoordinates"]
    tables = [read_coordinate_table(file) for file in files]
    return [np.column_stack([table.floats(f"rlnCoordinate{axis}") for axis in "XY"]) for table in tables]


@pytest.mark.parametrize("binning", [1, 2, 3.7])
@pytest.mark.parametrize("write", FORMATS)
def test_known_places_come_back_from_every_format_at_any_binning(
    micrographs: Micrographs,
    truth: list[Floats],
    write: Callable[[str, Sequence[Floats]], str],
    binning: float,
) -> None:
    where = write("P", [places / binning for places in truth])
    found = handed(micrographs, where, picked_on=PickedOn(binning=binning))
    for ours, places in zip(found, truth, strict=True):
        np.testing.assert_allclose(ours, places, atol=0.5)


@pytest.mark.parametrize("binning", [1, 2, 3.7])
def test_known_places_come_back_from_fractions(micrographs: Micrographs, truth: list[Floats], binning: float) -> None:
    height, width = (round(side / binning) for side in SHAPE)
    columns = [("location/micrograph_path", "S40"), ("location/micrograph_shape", "<u4", (2,))]
    columns += [(f"location/center_{axis}_frac", "<f4") for axis in "xy"]
    rows = [
        (f"J1/imported/{name}.mrc", (height, width), x / binning / width, y / binning / height)
        for name, places in zip("ab", truth, strict=True)
        for x, y in places
    ]
    with Path("p.cs").open("wb") as stream:
        np.save(stream, np.array(rows, dtype=columns))
    for ours, places in zip(handed(micrographs, "p.cs", picked_on=PickedOn(binning=binning)), truth, strict=True):
        np.testing.assert_allclose(ours, places, atol=0.5)


def test_cropped_and_turned_over_as_well(micrographs: Micrographs, truth: list[Floats]) -> None:
    seen = [np.column_stack([(x - 20) / 3.7, (SHAPE[0] - 1 - y + 8) / 3.7]) for x, y in (one.T for one in truth)]
    picked_on = PickedOn(pixel_size=3.7 * PIXEL_SIZE, origin=(20, -8), flip_y=True)
    for ours, places in zip(handed(micrographs, star("P", seen), picked_on=picked_on), truth, strict=True):
        np.testing.assert_allclose(ours, places, atol=0.5)


def test_picks_are_as_our_pickers_write_them(micrographs: Micrographs, truth: list[Floats]) -> None:
    imported = import_coordinates(micrographs, star("P", truth), out=Path("picks")).micrographs
    row = imported.table.row(1)
    assert (row["cryopairPicker"], row["cryopairPicks"]) == ("imported", "picks/Movies/b_imported.star")
    assert row["cryopairPickCount"] == "45"
    picks = read_coordinates(row["cryopairPicks"])
    assert (picks.image, picks.shape, picks.pixel_size) == (row["rlnMicrographNameDenoised"], SHAPE, PIXEL_SIZE)
    np.testing.assert_allclose(picks.score, np.linspace(1, 0.1, 45), atol=1e-6)


def test_a_list_for_display_does_as_well(micrographs: Micrographs, truth: list[Floats]) -> None:
    table = micrographs.table.without("rlnMicrographNameDenoised")
    table["cryopairMicrographNameRaw"] = table["rlnMicrographName"]
    table["rlnMicrographName"] = micrographs.table["rlnMicrographNameDenoised"]
    shown = Micrographs(micrographs.optics, table)
    imported = import_coordinates(shown, star("P", truth), out=Path("picks")).micrographs
    assert imported.table["rlnMicrographName"] == NAMES


def test_scores_below_the_threshold_are_left_out(micrographs: Micrographs, truth: list[Floats]) -> None:
    imported = import_coordinates(micrographs, star("P", truth), out=Path("picks"), min_score=0.55).micrographs
    assert imported.table["cryopairPickCount"] == ["23", "23"]
    with pytest.raises(UsageError, match=r"Q/a\.csv: has no scores, and only those above 0\.55 are wanted"):
        import_coordinates(micrographs, comma("Q", truth), out=Path("picks"), min_score=0.55)


def test_micrographs_without_coordinates_wait(micrographs: Micrographs, truth: list[Floats]) -> None:
    star("P", truth)
    Path("P/Movies/a_autopick.star").unlink()
    imported = import_coordinates(micrographs, "P", out=Path("picks"))
    assert imported.waiting == NAMES[:1]
    assert imported.micrographs.table["rlnMicrographName"] == NAMES[1:]
    with pytest.raises(UsageError, match=r"Q: holds no coordinates for any of 2 micrographs"):
        import_coordinates(micrographs, "Q", out=Path("picks"))


def test_a_bad_file_costs_its_micrograph(micrographs: Micrographs, truth: list[Floats]) -> None:
    star("P", truth)
    Path("P/Movies/a_autopick.star").write_text("nothing\n")
    imported = import_coordinates(micrographs, "P", out=Path("picks")).micrographs
    assert imported.table["rlnMicrographName"] == NAMES[1:]
    assert "is no coordinate file; it begins with 'nothing'" in imported.failed["cryopairReason"][0]


def test_an_empty_file_is_a_micrograph_without_particles(
    micrographs: Micrographs, truth: list[Floats], capsys: pytest.CaptureFixture[str]
) -> None:
    boxes("P", truth)
    Path("P/a.box").write_text("")
    imported = import_coordinates(micrographs, "P", out=Path("picks")).micrographs
    assert imported.table["cryopairPickCount"] == ["0", "45"]
    assert "1 of 2 coordinate files give no particle, the first is P/a.box" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("factor", "message"), [(0.5, "binned by about 2"), (0.27, r"binned by about 3\.[6-9]"), (2, "larger")]
)
def test_another_scale_is_noticed(
    micrographs: Micrographs, truth: list[Floats], factor: float, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = star("P", [places * factor for places in truth])
    with pytest.raises(UsageError, match=rf"P/Movies/a_autopick\.star and 1 more: .*{message}.*--pixel-size"):
        import_coordinates(micrographs, where, out=Path("picks"))
    if factor < 1:  # who says that they are right is believed
        import_coordinates(micrographs, where, out=Path("picks"), picked_on=PickedOn(binning=1))
        assert re.search(message, capsys.readouterr().err)


def test_coordinates_that_are_upside_down_are_noticed_on_raw_too(micrographs: Micrographs, truth: list[Floats]) -> None:
    where = star("P", [np.column_stack([x, SHAPE[0] - 1 - y]) for x, y in (one.T for one in truth)])
    for seen in (micrographs, Micrographs(micrographs.optics, micrographs.table.without("rlnMicrographNameDenoised"))):
        with pytest.raises(UsageError, match=r"upside down.*Import them with --flip-y .*'imported\.flip_y: true'"):
            import_coordinates(seen, where, out=Path("picks"))
    for ours, places in zip(handed(micrographs, where, picked_on=PickedOn(flip_y=True)), truth, strict=True):
        np.testing.assert_array_equal(ours, places)
    with pytest.raises(UsageError, match="Import them without --flip-y"):
        import_coordinates(micrographs, star("Q", truth), out=Path("picks"), picked_on=PickedOn(flip_y=True))


def test_coordinates_of_other_micrographs_are_doubted(
    micrographs: Micrographs, truth: list[Floats], capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(1)
    import_coordinates(micrographs, star("P", truth), out=Path("picks"), diameter=DIAMETER * PIXEL_SIZE)
    assert "warning" not in capsys.readouterr().err
    elsewhere = [rng.uniform(30, 490, (60, 2)) for _ in truth]
    import_coordinates(micrographs, star("P", elsewhere), out=Path("picks"), diameter=DIAMETER * PIXEL_SIZE)
    assert "the micrographs show nothing that differs from what is around them" in capsys.readouterr().err


REAL = Path(__file__).parents[5] / "shared" / "data" / "apoferritin-10146"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real micrographs are not beside this checkout")
def test_real_hollow_particles_picked_by_hand_are_seen_to_be_right_or_upside_down() -> None:
    images = []
    for path in sorted(REAL.glob("*_picks.star"))[:2]:
        table = read_coordinate_table(path)
        image = read_mrc(path.with_name(path.name.replace("picks.star", "rest.mrc")))
        images.append((image, table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")))
    right = measure_contrast(images, diameter=None)
    assert not right.upside_down
    assert not right.on_nothing
    turned = measure_contrast([(image, x, len(image) - 1 - y) for image, x, y in images], diameter=None)
    assert turned.upside_down


def test_no_particle_at_all_is_an_error_unless_it_is_said_that_there_may_be_none(
    micrographs: Micrographs, truth: list[Floats]
) -> None:
    Path("P").mkdir()
    for name in "ab":
        Path(f"P/{name}.box").touch()
    with pytest.raises(UsageError, match=r"P: no particle is left on any micrograph\. The files are empty"):
        import_coordinates(micrographs, "P", out=Path("picks"))
    assert import_coordinates(micrographs, "P", out=Path("picks"), allow_none=True).particles == 0
    nothing = import_coordinates(micrographs, "Q", out=Path("picks"), allow_none=True)
    assert (len(nothing.micrographs.table), nothing.waiting, nothing.particles) == (0, NAMES, 0)
