"""Another picker runs picking and what follows; templates are made once."""

from collections import Counter

import pytest
from made_up import Project

from cryopair.formats.star import read_star

pytestmark = pytest.mark.slow

MOVIES = 8  # with fewer there are too few particles for templates
PICKING = Counter({"pick": 1, "handoff": 1, "extract": 1, "merge": 1, "report": 1})


def test_templates_are_made_once_and_old_movies_are_not_picked_again(fresh: Project) -> None:
    fresh.simulate(MOVIES)
    fresh.configure("picker: blob", "picker: template")
    fresh.configure("images: denoised", "images: raw")  # six steps of training leave too little to average
    assert fresh.run()["templates"] == 1
    (templates,) = fresh.output.glob("templates/*/*/templates.mrcs")
    (suffix,) = fresh.output.glob("coordinates/coords_suffix*")
    assert suffix.name == "coords_suffix_template.star"
    before = {path: path.read_bytes() for path in (templates, *fresh.output.glob("picks/Movies/*_template.star"))}
    assert len(before) == MOVIES + 1
    fresh.simulate(MOVIES + 1)
    assert fresh.run() == PICKING + Counter({"halves": 1, "denoise": 1, "measure": 1})
    assert {path: path.read_bytes() for path in before} == before
    assert len(read_star(fresh.output / "coordinates.star")["coordinate_files"]) == MOVIES + 1
