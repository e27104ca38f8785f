"""Parts of the dose curve that need no movie; the curve itself is tested in tests/interop."""

import numpy as np
import pytest

from cryopair.errors import UsageError
from cryopair.formats.star import Table
from cryopair.micrographs import Micrographs
from cryopair.motion import Motion
from cryopair.quality.dose_curve import DosePoint, dose_curve, first_frames, format_dose_curve, medians


def motion(frames: int, first: int = 1) -> Motion:
    shifts = np.arange(2.0 * frames).reshape(frames, 2)
    shifts[: first - 1] = np.nan
    return Motion(
        movie="a.tiff",
        frames=frames,
        height=64,
        width=64,
        pixel_size=1.0,
        dose_per_frame=1.0,
        voltage=300.0,
        first_frame=first,
        global_shifts=shifts,
    )


@pytest.mark.parametrize(("share", "last"), [(0.25, 10), (0.5, 20), (1.0, 40), (0.01, 4)])
def test_the_first_frames_are_those_used_first(share: float, last: int) -> None:
    assert first_frames(motion(40), share).used_frames == range(last)


def test_frames_that_were_left_out_stay_out() -> None:
    cut = first_frames(motion(42, first=3), 0.5)
    assert cut.used_frames == range(2, 22)
    np.testing.assert_array_equal(cut.local_terms(5), motion(42, first=3).local_terms(5))


def point(name: str, share: float, snr: float) -> DosePoint:
    return DosePoint(name, share, round(40 * share), 40 * share, snr, snr + 10, -8.0, 50, share)


def test_medians_are_over_the_movies_of_each_share() -> None:
    points = [
        point(name, share, snr)
        for name, snr in zip("abc", (1.0, 2.0, float("nan")), strict=True)
        for share in (0.5, 1.0)
    ]
    half, full = medians(points)
    assert (half.share, full.share) == (0.5, 1.0)
    assert (half.snr_raw_db, half.frames, half.dose) == (1.5, 20, 20.0)
    lines = format_dose_curve(points).splitlines()
    assert lines[0].startswith("micrograph,share_of_frames,frames,dose_e_per_A2,snr_raw_db,")
    assert lines[1] == "a,0.5,20,20,1,11,-8,50,0.5"


def test_what_cannot_be_done_is_said() -> None:
    single = Micrographs(Table({"rlnOpticsGroup": [1]}), Table({"rlnMicrographName": ["a"], "rlnOpticsGroup": [1]}))
    with pytest.raises(UsageError, match="_rlnMicrographMetadata"):
        list(dose_curve(single, None, diameter=100, dose_weighting=True))
    single.table["rlnMicrographMetadata"] = ["a.star"]
    with pytest.raises(UsageError, match="shares of the frames"):
        list(dose_curve(single, None, diameter=100, dose_weighting=True, shares=[0.5, 50]))
