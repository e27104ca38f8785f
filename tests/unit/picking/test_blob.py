"""The picker on made-up images whose particles are known."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from cryopair.picking.blob import Picks, pick_blobs

DIAMETER = 100.0
PIXEL_SIZE = 1.6
WIDTH = DIAMETER / PIXEL_SIZE
SHAPE = (620, 800)
ROW, COLUMN = np.mgrid[: SHAPE[0], : SHAPE[1]]
BLOB = (450.0, 150.0)


@dataclass
class Scene:
    image: np.ndarray
    places: np.ndarray
    """Column and row of each particle, shape ``(particles, 2)``."""


def soft_disc(x: float, y: float, diameter: float) -> np.ndarray:
    return np.clip(diameter / 2 - np.hypot(COLUMN - x, ROW - y) + 0.5, 0, 1)


def ring(x: float, y: float, diameter: float) -> np.ndarray:
    return soft_disc(x, y, diameter) - 0.75 * soft_disc(x, y, 0.5 * diameter)


def places_apart(rng: np.random.Generator, count: int) -> np.ndarray:
    """Places at least 1.3 diameters apart and away from the edge and from `BLOB`."""
    places: list[np.ndarray] = []
    while len(places) < count:
        place = rng.uniform(0.6 * WIDTH, [SHAPE[1] - 0.6 * WIDTH, SHAPE[0] - 0.6 * WIDTH])
        others = [np.hypot(*(place - other)) > 1.3 * WIDTH for other in places]
        if all(others) and np.hypot(*(place - BLOB)) > 3.5 * WIDTH:
            places.append(place)
    return np.array(places)


def make_scene(kind: str, *, seed: int = 0, particles: int = 24) -> Scene:
    """Dark particles in the correlated noise that denoising leaves, over uneven illumination."""
    rng = np.random.default_rng(seed)
    places = places_apart(rng, particles)
    draw = {"discs": soft_disc, "rings": ring}[kind]
    noise = gaussian_filter(rng.normal(size=SHAPE), 3)
    strengths = rng.uniform(0.8, 1.2, particles)
    density = sum(strength * draw(x, y, WIDTH) for (x, y), strength in zip(places, strengths, strict=True))
    return Scene(300 - density + 0.2 * noise / noise.std(), places)


def matches(picks: Picks, places: np.ndarray, *, within: float) -> np.ndarray:
    """Return for each place the distance to its nearest pick, infinite beyond `within`."""
    if not len(picks):
        return np.full(len(places), np.inf)
    return cKDTree(np.stack([picks.x, picks.y], axis=1)).query(places, distance_upper_bound=within)[0]


def pick(image: np.ndarray, **options: float) -> Picks:
    return pick_blobs(image, **{"pixel_size": PIXEL_SIZE, "diameter": DIAMETER, **options})


@pytest.mark.parametrize("kind", ["discs", "rings"])
@pytest.mark.parametrize("seed", [0, 1])
def test_particles_are_found_and_little_else(kind: str, seed: int) -> None:
    scene = make_scene(kind, seed=seed)
    picks = pick(scene.image)
    found = np.isfinite(matches(picks, scene.places, within=0.25 * WIDTH)).sum()
    assert found >= 0.95 * len(scene.places)
    assert found >= 0.9 * len(picks)


def test_contamination_is_left_out() -> None:
    scene = make_scene("discs")
    blob = soft_disc(*BLOB, 2.2 * WIDTH)
    picks = pick(scene.image - 12 * gaussian_filter(blob, 4))
    assert np.all(np.hypot(picks.x - BLOB[0], picks.y - BLOB[1]) > 1.1 * WIDTH)
    assert np.isfinite(matches(picks, scene.places, within=0.25 * WIDTH)).sum() >= 0.9 * len(scene.places)


@pytest.mark.parametrize("blur", [0.0, 3.0, 10.0])
def test_ripples_are_not_particles(blur: float) -> None:
    """Noise has some seventy maxima as far apart as particles; hardly any may be picked."""
    picked = []
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(size=SHAPE)
        picked.append(len(pick(gaussian_filter(noise, blur) if blur else noise)))
    assert np.mean(picked) < 8


def test_particles_of_several_sizes_are_found() -> None:
    """Half of the particles are twice as large as the others."""
    scene = make_scene("discs", particles=0)
    grid = [(x, y) for y in (110, 310, 510) for x in (110, 300, 500, 690)]
    image = scene.image - sum(soft_disc(x, y, WIDTH * (1 + n % 2)) for n, (x, y) in enumerate(grid))
    picks = pick(image, diameter_max=2 * DIAMETER)
    assert np.isfinite(matches(picks, np.array(grid), within=0.25 * WIDTH)).all()
    assert len(picks) <= 13


def test_nothing_is_closer_to_the_edge_than_half_a_diameter() -> None:
    image = make_scene("discs").image
    for x, y in ((20, 300), (400, 15), (SHAPE[1] - 25, 320), (60, SHAPE[0] - 20)):
        image -= soft_disc(x, y, WIDTH)
    picks = pick(image)
    assert len(picks) >= 20
    assert min(picks.x.min(), picks.y.min()) >= WIDTH / 2 - 2  # places are known to a binned pixel
    assert picks.x.max() <= SHAPE[1] - 1 - WIDTH / 2 + 2
    assert picks.y.max() <= SHAPE[0] - 1 - WIDTH / 2 + 2


def test_best_first_and_the_same_each_time() -> None:
    image = make_scene("rings").image
    picks, again = pick(image), pick(image.copy())
    assert np.all(np.diff(picks.score) <= 0)
    for name in ("x", "y", "score"):
        np.testing.assert_array_equal(getattr(picks, name), getattr(again, name))


def test_stronger_particles_score_higher() -> None:
    noise = gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), 3)
    places = [(150, 150), (400, 300), (650, 450)]
    image = noise / noise.std() - sum(
        s * soft_disc(x, y, WIDTH) for s, (x, y) in zip((1.5, 2.5, 2.0), places, strict=True)
    )
    best = pick(image)
    order = [
        int(np.argmin([np.hypot(x - a, y - b) for a, b in places])) for x, y in zip(best.x[:3], best.y[:3], strict=True)
    ]
    assert order == [1, 2, 0]


@pytest.mark.parametrize(("factor", "offset"), [(1000.0, 0.0), (1e-3, 5.0), (1.0, -1e4)])
def test_grey_scale_does_not_matter(factor: float, offset: float) -> None:
    image = make_scene("discs").image - 300
    picks, changed = pick(image), pick(factor * image + offset)
    np.testing.assert_allclose(changed.x, picks.x)
    np.testing.assert_allclose(changed.y, picks.y)
    np.testing.assert_allclose(changed.score, picks.score, rtol=1e-5)


def test_a_gradient_does_not_matter() -> None:
    scene = make_scene("discs")
    picks = pick(scene.image)
    tilted = pick(scene.image + 4 * COLUMN / SHAPE[1] - 3 * ROW / SHAPE[0])  # several times a particle's depth
    distances = matches(tilted, np.stack([picks.x, picks.y], axis=1), within=0.1 * WIDTH)
    assert np.isfinite(distances).mean() > 0.95
    assert abs(len(tilted) - len(picks)) <= 1


@pytest.mark.parametrize("pixel_size", [1.1, 1.6, 2.9, 6.0])
def test_binning_does_not_shift_picks(pixel_size: float) -> None:
    """Over many places relative to the binned pixels the error averages out, whatever the binning."""
    rng = np.random.default_rng(5)
    width = DIAMETER / pixel_size
    grid = np.stack(np.meshgrid(np.arange(1, 8), np.arange(1, 7)), axis=-1).reshape(-1, 2)
    places = (1.6 * grid + rng.uniform(-0.1, 0.1, grid.shape)) * width
    row, column = np.mgrid[: round(11.2 * width), : round(12.8 * width)]
    image = rng.normal(0, 0.02, row.shape)
    for x, y in places:
        near = np.s_[round(y - width) : round(y + width), round(x - width) : round(x + width)]
        image[near] -= np.exp(-((column[near] - x) ** 2 + (row[near] - y) ** 2) / (2 * (0.2 * width) ** 2))
    picks = pick(image, pixel_size=pixel_size)
    assert len(picks) == len(places)
    found = np.stack([picks.x, picks.y], axis=1)
    errors = found[cKDTree(found).query(places)[1]] - places
    assert np.abs(errors.mean(axis=0)).max() < 0.25
    binning = max(int(width / 18), 1)
    assert np.abs(errors).max() < max(binning / 2, 1)


def test_a_single_particle_is_found() -> None:
    picks = pick(-soft_disc(400, 300, WIDTH))
    assert len(picks) >= 1
    assert np.hypot(picks.x[0] - 400, picks.y[0] - 300) < 1.5


@pytest.mark.parametrize("value", [0.0, 0.1, 1000.3, -7.0])
def test_a_constant_image_has_no_particles(value: float) -> None:
    assert len(pick(np.full((300, 400), value, dtype=np.float32))) == 0


@pytest.mark.parametrize("shape", [(50, 400), (400, 62), (10, 10), (1, 1)])
def test_no_room_for_a_particle(shape: tuple[int, int]) -> None:
    assert len(pick(-np.random.default_rng(0).random(shape))) == 0


def test_an_input_is_not_changed() -> None:
    image = make_scene("discs").image
    before = image.copy()
    pick(image)
    np.testing.assert_array_equal(image, before)
