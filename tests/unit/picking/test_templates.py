"""Templates made of particles that are no discs, and matched: rods with one thick end, turned all ways."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryopair.cli import main
from cryopair.errors import BadFileError, CryopairError, UsageError
from cryopair.formats.mrc import write_mrc
from cryopair.formats.star import Table, read_star
from cryopair.micrographs import Micrographs, write_micrographs
from cryopair.picking.agreement import f1, score_picks
from cryopair.picking.classes import ANGLES, average_classes, render, sample_circles
from cryopair.picking.matching import pick_matches
from cryopair.picking.templates import Templates, make_templates, read_templates, write_templates

DIAMETER, PIXEL_SIZE = 120.0, 6.0
WIDTH = DIAMETER / PIXEL_SIZE
SHAPE = (250, 280)


def particle(y: np.ndarray, x: np.ndarray, turn: float) -> np.ndarray:
    """A bar with a knob at one end, both within the diameter, around (0, 0)."""
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    bar = (np.abs(along) < 0.45 * WIDTH) & (np.abs(across) < 0.14 * WIDTH)
    knob = np.hypot(along - 0.25 * WIDTH, across) < 0.24 * WIDTH
    return 1.0 * (bar | knob)


def micrograph(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and the places of its particles; some are faint, and there are discs that are no particles."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]]
    grid = np.stack(np.meshgrid(np.arange(21, 265, 30), np.arange(21, 235, 30)), axis=-1).reshape(-1, 2)
    places = grid + rng.uniform(-2.5, 2.5, grid.shape)
    image = gaussian_filter(rng.normal(size=SHAPE), 1.0) * 0.8
    for x, y in places:
        near = np.s_[max(int(y) - 20, 0) : int(y) + 21, max(int(x) - 20, 0) : int(x) + 21]
        image[near] -= rng.uniform(0.6, 1.2) * particle(row[near] - y, column[near] - x, rng.uniform(0, 2 * np.pi))
    return image + 100, places


@pytest.fixture(scope="module")
def scenes() -> list[tuple[np.ndarray, np.ndarray]]:
    return [micrograph(seed) for seed in range(2)]


@pytest.fixture(scope="module")
def templates(scenes: list) -> Templates:
    return make_templates([(image, PIXEL_SIZE) for image, _ in scenes], diameter=DIAMETER)


def pick(image: np.ndarray, templates: Templates, **options: float) -> np.ndarray:
    options = {"pixel_size": PIXEL_SIZE, "diameter": DIAMETER} | options
    picks = pick_matches(image, templates.images, template_pixel_size=templates.pixel_size, **options)
    assert np.all(np.diff(picks.score) <= 0)
    assert np.all(picks.score <= 1 + 1e-6)
    return np.stack([picks.x, picks.y], axis=1)


def test_particles_are_found_where_they_are(scenes: list, templates: Templates) -> None:
    for image, places in (*scenes, micrograph(9)):
        assert f1(*score_picks(pick(image, templates), places, SHAPE, WIDTH)) > 0.95


def test_a_template_looks_like_the_particle(templates: Templates) -> None:
    """At some angle, one correlates with the particle far better than a disc would."""
    size = templates.images.shape[1]
    y, x = (np.mgrid[:size, :size] - size // 2) * templates.pixel_size / PIXEL_SIZE
    inside = np.hypot(y, x) < 0.6 * WIDTH

    def best(image: np.ndarray) -> float:
        turns = np.linspace(0, 2 * np.pi, 48)
        return max(-np.corrcoef(particle(y, x, turn)[inside], image[inside])[0, 1] for turn in turns)

    assert max(map(best, templates.images)) > 0.85
    assert best(-1.0 * (np.hypot(y, x) < WIDTH / 2)) < 0.6


def test_another_pixel_size_does_not_matter(scenes: list, templates: Templates) -> None:
    """The same micrograph twice as fine; binning by 2 brings it back."""
    image, places = scenes[0]
    fine = np.kron(image, np.ones((2, 2)))
    found = pick(fine, templates, pixel_size=PIXEL_SIZE / 2)
    assert f1(*score_picks((found - 0.5) / 2, places, SHAPE, WIDTH)) > 0.95


def test_ripples_are_not_particles(templates: Templates) -> None:
    counts = []
    for seed in range(4):
        noise = gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2)
        counts.append(len(pick(noise, templates)))
    assert np.mean(counts) < 8


def test_the_same_each_time(scenes: list, templates: Templates) -> None:
    again = make_templates([(image, PIXEL_SIZE) for image, _ in scenes], diameter=DIAMETER)
    np.testing.assert_array_equal(again.images, templates.images)


@pytest.mark.parametrize("kind", [0.0, 1000.0])
def test_nothing_to_make_templates_of(kind: float) -> None:
    with pytest.raises(CryopairError, match=r"Only 0 particles stand out on 1 micrographs; 20 are needed"):
        make_templates([(np.full(SHAPE, kind), PIXEL_SIZE)], diameter=DIAMETER)


@pytest.mark.parametrize("value", [0.0, 7.3])
def test_a_constant_image_has_no_particles(templates: Templates, value: float) -> None:
    assert len(pick(np.full(SHAPE, value), templates)) == 0


def test_files_keep_templates_and_never_change(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_templates(Path("t"), templates, shards=["000001"])
    read = read_templates(Path("t"))
    np.testing.assert_allclose(read.images, templates.images, atol=1e-6)
    np.testing.assert_allclose((read.pixel_size, read.diameter), (templates.pixel_size, DIAMETER))
    assert list(read.counts) == list(templates.counts)
    blocks = read_star("t/templates.star")
    assert blocks["template_shards"]["cryopairShard"] == ["000001"]
    assert blocks[""]["rlnReferenceImage"][0] == "000001@t/templates.mrcs"
    before = Path("t/templates.mrcs").stat().st_mtime_ns
    write_templates(Path("t"), templates, shards=["000001"])
    assert Path("t/templates.mrcs").stat().st_mtime_ns == before
    other = Templates(-templates.images, templates.pixel_size, templates.counts, DIAMETER)
    with pytest.raises(UsageError, match="exists with other content"):
        write_templates(Path("t"), other)
    write_templates(Path("other"), Templates(templates.images[:1], 5.0, templates.counts[:1], DIAMETER))
    Path("other/templates.mrcs").replace("t/templates.mrcs")
    if len(templates.images) > 1:
        with pytest.raises(BadFileError, match=r"has images of shape \(1, .*expected \d+ square ones"):
            read_templates(Path("t"))


def test_micrographs_beyond_a_limit_make_no_templates(
    scenes: list, templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A third one, of nothing but carbon, would spoil them."""
    monkeypatch.chdir(tmp_path)
    spoilt = gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), 3) * 20
    for name, image in zip("abc", (*(image for image, _ in scenes), spoilt), strict=True):
        write_mrc(f"{name}.mrc", image, pixel_size=PIXEL_SIZE)
    names = [f"{name}.mrc" for name in "abc"]
    columns = {"rlnMicrographName": names, "rlnMicrographNameDenoised": names, "rlnOpticsGroup": [1] * 3}
    optics = Table({"rlnOpticsGroup": [1], "rlnMicrographPixelSize": [PIXEL_SIZE]})
    write_micrographs("denoise.star", Micrographs(optics, Table(columns | {"cryopairCarbon": [0.0, 0.1, 0.9]})))
    command = ["templates", "denoise.star", "--diameter", f"{DIAMETER}"]
    assert main([*command, "--limit", "max_carbon=0.5", "--out", "within"]) == 0
    assert "1 micrographs excluded; the first: share of carbon 0.9 is above 0.5" in capsys.readouterr().out
    np.testing.assert_allclose(read_templates(Path("within")).images, templates.images, atol=1e-4)
    assert main([*command, "--out", "of_all"]) == 0
    assert list(read_templates(Path("of_all")).counts) != list(templates.counts)


def test_images_turned_any_way_fall_into_their_classes() -> None:
    """Two shapes in equal number: two averages, each like one of the shapes."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-25:26, -25:26]
    shapes = [lambda t: particle(y, x, t), lambda t: particle(y, x, t) + particle(y, x, t + np.pi / 2)]
    samples = []
    for number in range(60):
        image = shapes[number % 2](rng.uniform(0, 2 * np.pi)) + rng.normal(0, 0.5, y.shape)
        samples.append(sample_circles(image, np.array([25.0]), np.array([25.0]), circles=20, spacing=1.0))
    averages, counts = average_classes(np.concatenate(samples), classes=2)
    assert averages.shape == (2, 20, ANGLES)
    assert sorted(counts) == [30, 30]
    inside = np.hypot(*np.mgrid[-19:20, -19:20]) < 18
    images = render(averages)
    for shape in shapes:
        turns = np.linspace(0, 2 * np.pi, 90)
        best = [max(np.corrcoef(shape(t)[6:45, 6:45][inside], im[inside])[0, 1] for t in turns) for im in images]
        assert max(best) > 0.9
        assert min(best) < 0.9
