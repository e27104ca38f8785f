import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.simulate.carbon import TRANSMISSION, CarbonEdge, draw_carbon_edge
from cryopair.simulate.exposure import Settings, draw_exposure
from cryopair.simulate.scene import render, undamaged
from cryopair.simulate.specimen import Specimen

SETTINGS = Settings(seed=1, frames=24, shape=(256, 320), pixel_size=4.0, dose_per_frame=1.2, voltage=300.0)
CARBON = replace(SETTINGS, carbon_every=2)


def test_film_ends_at_the_hole():
    edge = CarbonEdge(x=100.0, y=50.0, radius=120.0)
    cover = edge.cover((140, 240), pixel_size=2.0, corner=(10, 20))
    assert cover[60, 120] < 1e-4  # the centre of the hole
    assert cover[60, 120 + 60] == pytest.approx(0.5)
    assert cover[60, 120 + 60 + 20] > 0.97
    assert cover[60 + 60, 120] == pytest.approx(0.5)
    assert edge.carries(161, 50, pixel_size=2.0)
    assert not edge.carries(159, 50, pixel_size=2.0)


def test_edges_are_straight_and_curved_and_leave_some_of_both():
    random = np.random.default_rng(3)
    edges = [draw_carbon_edge(random, (512, 720), 4.0) for _ in range(200)]
    shares = [edge.cover((512, 720), pixel_size=4.0, corner=(0, 0)).mean() for edge in edges]
    assert min(shares) > 0.02
    assert 0.2 < np.median(shares) < 0.4
    assert max(shares) < 0.75
    radii = [edge.radius for edge in edges]
    assert min(radii) < 6_000
    assert max(radii) > 50_000


def test_every_second_exposure_shows_it_and_is_else_the_same():
    for number in range(1, 9):
        without, exposure = draw_exposure(SETTINGS, number), draw_exposure(CARBON, number)
        assert without.carbon is None
        assert (exposure.carbon is None) == (number % 2 == 1)
        assert exposure.defocus == without.defocus
        assert np.array_equal(exposure.illumination, without.illumination)
        kept = {tuple(row) for row in exposure.particles}
        assert kept <= {tuple(row) for row in without.particles}
        if exposure.carbon:
            lost = [row for row in without.particles if tuple(row) not in kept]
            assert all(exposure.carbon.carries(*row[:2], pixel_size=4.0) for row in lost)
            assert not any(exposure.carbon.carries(x, y, pixel_size=4.0) for x, y in exposure.particles[:, :2])


@pytest.mark.parametrize("ice", [300.0, 500.0])
def test_carbon_is_darker_and_grainier_than_ice(ice):
    settings = replace(CARBON, ice_thickness=ice)
    exposure = replace(draw_exposure(settings, 2), contamination=(), particles=np.zeros((0, 5)))
    exposure = replace(exposure, carbon=CarbonEdge(x=160 - 2500, y=128.0, radius=10_000.0))  # carbon right of x = 160
    nothing = Specimen(np.zeros((0, 3)))
    image = undamaged(render(exposure, nothing, settings, np.random.default_rng(0)), settings.shape)
    ice_side, carbon_side = image[:, :130], image[:, 190:]
    assert carbon_side.mean() / ice_side.mean() == pytest.approx(TRANSMISSION, abs=0.01)
    grain = [np.std(side - gaussian_filter(side, 10)) for side in (ice_side, carbon_side)]
    assert grain[1] > 3 * grain[0]


def test_thicker_ice_shows_more_of_itself():
    """Its grain grows with the root of its thickness, less what inelastic scattering takes."""
    grain = []
    for ice in (250.0, 500.0):
        settings = replace(SETTINGS, ice_thickness=ice)
        exposure = replace(draw_exposure(settings, 1), contamination=(), particles=np.zeros((0, 5)))
        image = undamaged(render(exposure, Specimen(np.zeros((0, 3))), settings, np.random.default_rng(0)), (256, 320))
        grain.append(np.std(image - gaussian_filter(image, 4)))
    assert grain[1] / grain[0] == pytest.approx(math.sqrt(2) * 0.85**0.5, rel=0.02)
