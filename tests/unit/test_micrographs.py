"""Going through micrographs: results, failures and stops, one at a time or several."""

import threading
import time

import pytest

from cryopair.errors import BadFileError, CryopairError, DeviceError, UsageError
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs, Row, process


def some_micrographs(count: int) -> Micrographs:
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [1.5]})
    names = [f"M/job002/{number:02d}.mrc" for number in range(count)]
    return Micrographs(optics, Table({"rlnMicrographName": names, "rlnOpticsGroup": [1] * count}))


@pytest.mark.parametrize("workers", [1, 3])
def test_order_and_failures_do_not_depend_on_the_workers(workers: int) -> None:
    later = threading.Event()

    def work(row: Row) -> dict[str, object]:
        number = int(row["rlnMicrographName"][-6:-4])
        if workers > 1 and number == 0:
            later.wait(5)  # the first is done after the second
        later.set()
        if number in (2, 5):
            raise BadFileError(row["rlnMicrographName"], "is bad")
        return {"cryopairNumber": number}

    done = process(some_micrographs(12), "test", work, columns=("cryopairNumber",), workers=workers)
    assert done.table.ints("cryopairNumber").tolist() == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    assert done.failed["rlnMicrographName"] == ["M/job002/02.mrc", "M/job002/05.mrc"]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "error", [UsageError("a wrong setting"), CryopairError("one of many"), DeviceError("too little")]
)
def test_what_stops_a_stage_leaves_the_rest_undone(workers: int, error: CryopairError) -> None:
    begun = []

    def work(row: Row) -> dict[str, object]:
        begun.append(row["rlnMicrographName"])
        raise error

    with pytest.raises(CryopairError, match=str(error)):
        process(some_micrographs(50), "test", work, columns=(), workers=workers)
    assert len(begun) < 50


def test_a_stage_that_stops_waits_for_what_is_at_work() -> None:
    begun, ended = [], []

    def work(row: Row) -> dict[str, object]:
        begun.append(row["rlnMicrographName"])
        if row["rlnMicrographName"].endswith("00.mrc"):
            while len(begun) < 3:
                time.sleep(0.01)
            raise UsageError("a wrong setting")
        time.sleep(0.3)  # a file is being written
        ended.append(row["rlnMicrographName"])
        return {}

    with pytest.raises(UsageError, match="a wrong setting"):
        process(some_micrographs(9), "test", work, columns=(), workers=3)
    assert len(begun) >= 3
    assert sorted(ended) == sorted(begun)[1:]


def test_too_little_memory_is_no_fault_of_the_micrograph() -> None:
    def work(row: Row) -> dict[str, object]:
        raise DeviceError("too little")

    with pytest.raises(DeviceError, match="too little"):
        process(some_micrographs(1), "test", work, columns=())  # where one bad micrograph would be put aside
