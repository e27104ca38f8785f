"""Places on images of any binning, cropped, padded or turned over, come back to the micrograph."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryopair.errors import BadFileError, UsageError
from cryopair.formats.coordinates import Places
from cryopair.picking.imported.geometry import PickedOn

SHAPE, PIXEL_SIZE = (3710, 3838), 0.885


def places(x: list[float], y: list[float], **said: object) -> Places:
    return Places("", np.array(x), np.array(y), np.ones(len(x)), **said)  # type: ignore[arg-type]


def back(picked_on: PickedOn, found: Places) -> list[tuple[float, float]]:
    x, y = picked_on.to_micrograph(found, file="a.star", shape=SHAPE, pixel_size=PIXEL_SIZE)
    return list(zip(x.tolist(), y.tolist(), strict=True))


@settings(deadline=None, max_examples=80)
@given(
    binning=st.sampled_from([1.0, 2.0, 3.7]) | st.floats(0.3, 12),
    x=st.floats(0, SHAPE[1] - 1),
    y=st.floats(0, SHAPE[0] - 1),
    origin=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    flip=st.booleans(),
    by_pixel_size=st.booleans(),
)
def test_what_was_done_to_the_image_is_undone(
    binning: float, x: float, y: float, origin: tuple[float, float], flip: bool, by_pixel_size: bool
) -> None:
    row = SHAPE[0] - 1 - y if flip else y  # turned over first, then cropped or padded, then binned
    seen = places([(x - origin[0]) / binning], [(row - origin[1]) / binning])
    scale = {"pixel_size": binning * PIXEL_SIZE} if by_pixel_size else {"binning": binning}
    np.testing.assert_allclose(back(PickedOn(**scale, origin=origin, flip_y=flip), seen), [(x, y)], atol=1e-6)


@pytest.mark.parametrize("binning", [1.0, 2.0, 3.7])
def test_files_that_say_their_image_need_nothing_else(binning: float) -> None:
    shape = (int(SHAPE[0] / binning) // 2 * 2, int(SHAPE[1] / binning) // 2 * 2)
    seen = [100.25 / binning], [3000.5 / binning]
    for said in ({"shape": shape, "pixel_size": binning * PIXEL_SIZE}, {"pixel_size": binning * PIXEL_SIZE}):
        np.testing.assert_allclose(back(PickedOn(), places(*seen, **said)), [(100.25, 3000.5)], atol=1e-9)
    by_shape = back(PickedOn(), places(*seen, shape=shape))  # sizes cut to even numbers leave a little doubt
    np.testing.assert_allclose(by_shape, [(100.25, 3000.5)], atol=3000 * 2 * binning / min(SHAPE))


def test_what_the_user_says_goes_before_what_the_file_says() -> None:
    assert back(PickedOn(binning=2), places([10], [20], pixel_size=PIXEL_SIZE)) == [(20, 40)]


def test_another_field_of_view_is_refused_unless_its_place_is_told() -> None:
    square = places([10], [20], shape=(1919, 1919), pixel_size=2 * PIXEL_SIZE)
    with pytest.raises(BadFileError, match=r"a\.star: was picked on an image of 1919 x 1919 px, 2 times as coarse"):
        back(PickedOn(), square)
    assert back(PickedOn(origin=(0, -64)), square) == [(20, -24)]


@pytest.mark.parametrize(
    ("said", "message"), [({"binning": 0}, "more than 0"), ({"binning": 2, "pixel_size": 1}, "one")]
)
def test_nonsense_is_refused(said: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PickedOn(**said)
