"""Each damaged list ends in one clear error that names it; harmless oddities do no harm."""

from pathlib import Path

import pytest

from cryopair.errors import BadFileError, CryopairError
from cryopair.micrographs import mirrored
from cryopair.sources import read_source

GOOD = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnMicrographPixelSize #3
og1 1 0.885

# version 30001

data_micrographs

loop_
_rlnMicrographName #1
_rlnMicrographMetadata #2
_rlnOpticsGroup #3
MotionCorr/job002/Movies/a.mrc MotionCorr/job002/Movies/a.star 1
MotionCorr/job002/Movies/b.mrc MotionCorr/job002/Movies/b.star 1
"""

BAD = {
    "empty file": ("", "a.star"),
    "blank lines": ("\n\n\n", "a.star"),
    "no block": ("hello world\n", "a.star"),
    "a table of numbers": ("1 2 3\n4 5 6\n", "a.star"),
    "no optics": (GOOD[GOOD.index("data_micrographs") :], "data_optics"),
    "no micrographs": (GOOD[: GOOD.index("data_micrographs")], "data_micrographs"),
    "optics without a number": (GOOD.replace("_rlnOpticsGroup #2", "_rlnSomething #2", 1), "rlnOpticsGroup"),
    "no pixel size": (GOOD.replace("_rlnMicrographPixelSize", "_rlnSomethingElse"), "pixel size"),
    "no names": (GOOD.replace("_rlnMicrographName", "_rlnSomethingElse"), "rlnMicrographName"),
    "no optics group": (GOOD.replace("_rlnOpticsGroup #3", "_rlnSomethingElse #3"), "rlnOpticsGroup"),
    "no rows": (GOOD[: GOOD.index("MotionCorr/")], "a.star"),
    "a value too few": (GOOD.replace("MotionCorr/job002/Movies/b.star 1", "MotionCorr/job002/Movies/b.star"), "a.star"),
    "a value too many": (GOOD.replace("b.star 1", "b.star 1 7"), "a.star"),
    "cut in a row": (GOOD[:-30], "a.star"),
    "cut in the labels": (GOOD[: GOOD.index("_rlnMicrographMetadata") + 5], "a.star"),
    "a quote that does not end": (GOOD.replace("og1", '"og1'), "a.star"),
    "the same micrograph twice": (GOOD.replace("Movies/b.mrc", "Movies/a.mrc"), "names the micrograph Movies/a twice"),
    "two jobs, one movie": (GOOD.replace("job002/Movies/b.mrc", "job007/Movies/a.mrc"), "Movies/a twice"),
    "tilt series": ("data_global\n\nloop_\n_rlnTomoName #1\nTS_01\n", "tilt series"),
    "one tilt series": ("data_TS_01\n\nloop_\n_rlnMicrographName #1\n_rlnTomoYTilt #2\na.mrc 3\n", "tilt series"),
    "RELION 3.0": (GOOD[GOOD.index("loop_\n_rlnMicrographName") :].join(["data_\n\n", ""]), "a.star"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_bad_lists(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.star"
    path.write_text(content)
    with pytest.raises(CryopairError) as caught:
        read_source(path)
    assert message in str(caught.value)
    assert "a.star" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\x00\xff\xfe" * 500, GOOD.encode("utf-16"), b"\x89HDF\r\n\x1a\n" * 40])
def test_files_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.star"
    path.write_bytes(content)
    with pytest.raises(BadFileError, match=r"a\.star"):
        read_source(path)


@pytest.mark.parametrize(
    "content",
    [GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD, GOOD.replace(" ", "\t"), GOOD + "\n\n# the end", GOOD.rstrip("\n")],
    ids=["lines end as on Windows", "byte order mark", "tabs", "comment at the end", "no line end"],
)
def test_harmless_oddities(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.star"
    path.write_bytes(content.encode())
    names = read_source(path).table["rlnMicrographName"]
    assert names == ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"]


@pytest.mark.parametrize("name", ["/data/a.mrc", "../a.mrc", "MotionCorr/job002/../../a.mrc", "..", "", "/"])
def test_no_result_leaves_the_output_folder(name: str) -> None:
    with pytest.raises(CryopairError, match="must be relative to the project"):
        mirrored(name)
