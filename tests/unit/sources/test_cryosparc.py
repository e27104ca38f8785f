"""Tables of cryoSPARC: real ones, and made-up ones with what the real ones lack."""

from pathlib import Path

import numpy as np
import pytest

from cryopair.errors import BadFileError
from cryopair.formats.coordinates import read_places
from cryopair.formats.coordinates.cryosparc import read_locations
from cryopair.formats.coordinates.writing import write_star_of_all
from cryopair.formats.cryosparc import paths, read_table
from cryopair.formats.mrc import read_mrc_info
from cryopair.formats.star import read_star
from cryopair.sources import Kind, kind_of, read_source
from cryopair.sources.cryosparc import read_exposures

SHARED = Path(__file__).parents[4] / "shared" / "data" / "cryosparc"
PICKS = SHARED.parent / "apoferritin-10146"


def write(path: Path, **columns: list) -> Path:
    arrays = {name.replace("__", "/"): np.array(values) for name, values in columns.items()}
    table = np.zeros(len(next(iter(arrays.values()))), [(n, a.dtype, a.shape[1:]) for n, a in arrays.items()])
    for name, values in arrays.items():
        table[name] = values
    with path.open("wb") as stream:
        np.save(stream, table)
    return path


def test_micrographs_with_their_optics_and_ctf(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.cs",
        micrograph_blob__path=[b">J1/a.mrc", b"J1/b.mrc", b"J1/c.mrc"],
        micrograph_blob__psize_A=[0.66, 0.66, 1.2],
        ctf__accel_kv=[300.0] * 3,
        ctf__cs_mm=[2.7] * 3,
        ctf__amp_contrast=[0.1] * 3,
        ctf__df1_A=[12000.0, 9000.0, 8000.0],
        ctf__df2_A=[11000.0, 8900.0, 7900.0],
        ctf__df_angle_rad=[np.pi / 6, 0.0, -np.pi / 4],
    )
    found = read_source(path)
    assert kind_of(found.table) is Kind.SINGLE
    assert found.table["rlnMicrographName"] == ["J1/a.mrc", "J1/b.mrc", "J1/c.mrc"]
    assert found.table.ints("rlnOpticsGroup").tolist() == [1, 1, 2]
    assert found.optics.floats("rlnMicrographPixelSize").tolist() == [0.66, 1.2]
    assert found.optics.floats("rlnVoltage").tolist() == [300, 300]
    assert found.table.floats("rlnDefocusU").tolist() == [12000, 9000, 8000]
    np.testing.assert_allclose(found.table.floats("rlnDefocusAngle"), [30, 0, -45])


def test_locations_are_in_pixels_of_the_micrograph(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.cs",
        location__micrograph_path=[b"J1/a.mrc", b"J1/b.mrc", b"J1/a.mrc"],
        location__micrograph_shape=[[4000, 6000]] * 3,
        location__center_x_frac=[0.5, 0.25, 0.0],
        location__center_y_frac=[0.25, 1.0, 0.5],
    )
    first, second = read_locations(path)
    assert (first.image, first.x.tolist(), first.y.tolist()) == ("J1/a.mrc", [3000, 0], [1000, 2000])
    assert (second.image, second.x.tolist(), second.y.tolist()) == ("J1/b.mrc", [1500], [4000])
    assert (first.shape, first.pixel_size) == ((4000, 6000), None)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real tables are not beside this checkout")
def test_defocus_and_angle_are_those_that_another_program_converted() -> None:
    """The angle's sign and unit, too: pyem wrote the STAR file from the table."""
    table = read_table(SHARED / "empiar_10076_7.cs")
    star = read_star(SHARED / "empiar_10076_7.star")[""]
    np.testing.assert_allclose(table["ctf/df1_A"], star.floats("rlnDefocusU"), atol=0.1)
    np.testing.assert_allclose(table["ctf/df2_A"], star.floats("rlnDefocusV"), atol=0.1)
    np.testing.assert_allclose(np.degrees(table["ctf/df_angle_rad"]), star.floats("rlnDefocusAngle"), atol=0.01)
    for theirs, ours in (
        ("accel_kv", "Voltage"),
        ("cs_mm", "SphericalAberration"),
        ("amp_contrast", "AmplitudeContrast"),
    ):
        np.testing.assert_allclose(table[f"ctf/{theirs}"], star.floats(f"rln{ours}"), rtol=1e-6)
    pixel_size = 1e4 * star.floats("rlnDetectorPixelSize") / star.floats("rlnMagnification")
    np.testing.assert_allclose(table["blob/psize_A"], pixel_size, rtol=1e-6)
    images = zip(table["blob/idx"] + 1, paths(table["blob/path"]), strict=True)  # theirs count from 0, RELION's from 1
    assert [f"{number}@{path}" for number, path in images] == star["rlnImageName"]
    with pytest.raises(BadFileError, match=r"has blob, ctf, uid; expected micrographs"):
        read_exposures(SHARED / "empiar_10076_7.cs")


@pytest.mark.skipif(not PICKS.is_dir(), reason="the real picks are not beside this checkout")
@pytest.mark.parametrize("picks", sorted(PICKS.glob("*_picks.star")), ids=lambda path: path.stem)
def test_real_picks_go_to_fractions_and_to_a_star_file_and_come_back(tmp_path: Path, picks: Path) -> None:
    """Fractions as cryosparc-tools' example for crYOLO makes them of RELION's coordinates: nothing is turned over."""
    (places,) = read_places(picks)
    height, width = read_mrc_info(str(picks).replace("_picks.star", "_frame.mrc")).shape[-2:]
    path = write(
        tmp_path / "p.cs",
        location__micrograph_path=[b"J1/imported/0123_a.mrc"] * len(places),
        location__micrograph_shape=[[height, width]] * len(places),
        location__center_x_frac=np.float32(places.x / width).tolist(),
        location__center_y_frac=np.float32(places.y / height).tolist(),
    )
    (found,) = read_places(path)
    write_star_of_all(tmp_path / "p.star", [found])
    (written,) = read_places(tmp_path / "p.star")
    assert written.image == found.image == "J1/imported/0123_a.mrc"
    for back in (found, written):
        np.testing.assert_allclose(np.stack([back.x, back.y]), np.stack([places.x, places.y]), atol=1e-3)


def test_damaged_and_dangerous_tables_are_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.cs", uid=[1, 2, 3], micrograph_blob__path=[b"a", b"b", b"c"]).read_bytes()
    for size in (0, 5, 9, 60, len(whole) - 1):
        (tmp_path / "cut.cs").write_bytes(whole[:size])
        with pytest.raises(BadFileError, match=r"cut\.cs: is not a table of cryoSPARC"):
            read_table(tmp_path / "cut.cs")
    with (tmp_path / "b.cs").open("wb") as stream:
        np.save(stream, np.array([{"run": "me"}], dtype=object), allow_pickle=True)
    with pytest.raises(BadFileError, match=r"is not a table of cryoSPARC.*Python objects"):
        read_table(tmp_path / "b.cs")
    with (tmp_path / "c.cs").open("wb") as stream:
        np.save(stream, np.ones((3, 3)))
    with pytest.raises(BadFileError, match="holds an array of float64"):
        read_table(tmp_path / "c.cs")


@pytest.mark.parametrize("rows", [-1, 10**9, 10**12, 10**30])
def test_a_table_that_claims_more_than_it_holds_takes_no_memory(tmp_path: Path, rows: int) -> None:
    whole = write(tmp_path / "a.cs", micrograph_blob__path=[b"a"], micrograph_blob__psize_A=[1.0]).read_bytes()
    claim = f"({rows},)".encode()
    claimed = whole.replace(b"(1,)", claim)  # the padding of the header makes room
    end = claimed.index(b"\n")
    (tmp_path / "b.cs").write_bytes(claimed[: end - len(claim) + 4] + claimed[end:])
    with pytest.raises(BadFileError, match=r"b\.cs: is not a table of cryoSPARC"):
        read_table(tmp_path / "b.cs")


def test_a_table_with_very_many_columns(tmp_path: Path) -> None:
    classes = {f"alignments_class_{number}__posterior": [0.5] for number in range(400)}
    path = write(tmp_path / "a.cs", micrograph_blob__path=[b"a.mrc"], micrograph_blob__psize_A=[1.0], **classes)
    assert read_exposures(path).table["rlnMicrographName"] == ["a.mrc"]


def test_numbers_of_optics_groups_stay_as_exposures_come_in(tmp_path: Path) -> None:
    columns = {"micrograph_blob__path": [b"a", b"b"], "micrograph_blob__psize_A": [1.2, 0.6]}
    before = read_exposures(write(tmp_path / "a.cs", **{name: values[:1] for name, values in columns.items()}))
    after = read_exposures(write(tmp_path / "b.cs", **columns))
    assert before.optics.row(0) == after.optics.row(0)
    assert after.table["rlnOpticsGroup"] == ["1", "2"]
