"""STAR tables: what was read is written back unchanged, and numbers keep RELION's precision."""

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.errors import BadFileError, CryopairError
from cryopair.formats.star import Table, format_value, read_star, require, write_star

REAL = """
# version 30001

data_optics

loop_ 
_rlnOpticsGroupName #1 
_rlnOpticsGroup #2 
_rlnMicrographPixelSize #3 
opticsGroup1            1     0.885000 
 

# version 30001

data_micrographs

loop_ 
_rlnMicrographName #1 
_rlnAccumMotionTotal #2 
MotionCorr/job002/Movies/a.mrc    16.420495 
"MotionCorr/job002/my movie.mrc" 4.60142e-05 
 
"""

values = st.text(string.ascii_letters + string.digits + "/._-@#+ []';$", max_size=30)


def test_reads_relion(tmp_path: Path) -> None:
    path = tmp_path / "a.star"
    path.write_text(REAL)
    blocks = read_star(path)
    assert list(blocks) == ["optics", "micrographs"]
    assert blocks["optics"].floats("rlnMicrographPixelSize") == [0.885]
    assert blocks["micrographs"]["rlnMicrographName"][1] == "MotionCorr/job002/my movie.mrc"
    assert blocks["micrographs"]["rlnAccumMotionTotal"] == ["16.420495", "4.60142e-05"]


def test_untouched_values_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(REAL)
    blocks = read_star(tmp_path / "a.star")
    write_star(tmp_path / "b.star", blocks)
    assert read_star(tmp_path / "b.star") == blocks
    assert "4.60142e-05" in (tmp_path / "b.star").read_text()


@settings(deadline=None)
@given(rows=st.lists(st.tuples(values, values), max_size=5))
def test_any_value_round_trips(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("star") / "a.star"
    table = Table({"rlnA": [a for a, _ in rows], "cryopairB": [b for _, b in rows]})
    write_star(path, {"": table})
    assert read_star(path) == {"": table}


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_keep_six_decimals_or_seven_digits(number: float) -> None:
    assert float(format_value(number)) == pytest.approx(number, abs=5.1e-7, rel=1e-6)


@pytest.mark.parametrize(
    ("number", "text"), [(1.0, "1.000000"), (0.0005, "5.000000e-04"), (3, "3"), (-0.5, "-0.500000"), (0.0, "0.000000")]
)
def test_numbers_look_like_relions(number: float, text: str) -> None:
    assert format_value(number) == text


def test_nan_is_refused() -> None:
    with pytest.raises(CryopairError, match="nan"):
        format_value(float("nan"))


def test_lists_and_nameless_blocks(tmp_path: Path) -> None:
    general = Table({"rlnVoltage": [300.0], "rlnMicrographMovieName": ["Movies/a b.tiff"]})
    write_star(tmp_path / "a.star", {"general": general, "": Table({"rlnX": [1]})}, lists=("general",))
    assert read_star(tmp_path / "a.star") == {"general": general, "": Table({"rlnX": ["1"]})}
    assert "loop_" not in (tmp_path / "a.star").read_text().split("data_\n")[0]


def test_equal_tables_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.star", "b.star"):
        write_star(tmp_path / name, {"x": Table({"rlnA": [1.5, 2.5]})})
    assert (tmp_path / "a.star").read_bytes() == (tmp_path / "b.star").read_bytes()


def test_concatenate_names_the_odd_column() -> None:
    with pytest.raises(CryopairError, match="rlnDefocusU"):
        Table.concatenate([Table({"rlnA": [1]}), Table({"rlnA": [1], "rlnDefocusU": [2]})])
    joined = Table.concatenate([Table({"rlnA": [1]}), Table(), Table({"rlnA": [2, 3]})])
    assert joined["rlnA"] == ["1", "2", "3"]


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="rlnB has 1 values, the table has 2 rows"):
        Table({"rlnA": [1, 2], "rlnB": [1]})


@pytest.mark.parametrize(
    ("text", "message"),
    [("no star at all", "is not a STAR file"), ("data_a\n\nloop_\n_rlnA\n_rlnB\n1 2 3\n", "is not a STAR file")],
)
def test_damaged_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.star").write_text(text)
    with pytest.raises(BadFileError, match=rf"bad\.star: {message}"):
        read_star(tmp_path / "bad.star")


def test_missing_file_block_and_column_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match="no such file"):
        read_star(tmp_path / "none.star")
    blocks = {"optics": Table({"rlnOpticsGroup": [1]})}
    with pytest.raises(BadFileError, match=r"no block data_micrographs \(blocks: data_optics\)"):
        require("a.star", blocks, "micrographs")
    with pytest.raises(BadFileError, match="data_optics lacks _rlnVoltage"):
        require("a.star", blocks, "optics", "rlnVoltage")


def test_what_relion_could_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CryopairError, match="cannot be written"):
        write_star(tmp_path / "a.star", {"": Table({"rlnA": ['a " b']})})
    assert not list(tmp_path.iterdir())
