"""Another picker runs picking and what follows; templates are made once."""

from collections import Counter

import numpy as np
import pytest
from made_up import SOURCE, Project

from cryopair.formats.star import read_star

pytestmark = pytest.mark.slow

MOVIES = 9  # one of them is excluded; with fewer there are too few particles for templates
PICKING = Counter({"pick": 1, "handoff": 1, "extract": 1, "merge": 1, "report": 1})


def test_templates_are_made_once_and_old_movies_are_not_picked_again(fresh: Project) -> None:
    fresh.simulate(MOVIES)
    fresh.configure("picker: blob", "picker: template")
    fresh.configure("images: denoised", "images: raw")  # six steps of training leave too little to average
    source = read_star(fresh.folder / SOURCE)["micrographs"]
    defocus = (source.floats("rlnDefocusU") + source.floats("rlnDefocusV")) / 2
    fresh.configure("min_defocus: null", f"min_defocus: {np.sort(defocus)[:2].mean():.0f}")
    assert fresh.run()["templates"] == 1
    assert (
        "templates: 1 micrographs excluded; the first: defocus"
        in next(fresh.output.glob("logs/templates/*.log")).read_text()
    )
    (templates,) = fresh.output.glob("templates/*/*/templates.mrcs")
    (suffix,) = fresh.output.glob("coordinates/coords_suffix*")
    assert suffix.name == "coords_suffix_template.star"
    before = {path: path.read_bytes() for path in (templates, *fresh.output.glob("picks/Movies/*_template.star"))}
    assert len(before) == MOVIES  # the templates, and all micrographs but one
    fresh.simulate(MOVIES + 1)
    assert fresh.run() == PICKING + Counter({"halves": 1, "denoise": 1, "measure": 1})
    assert {path: path.read_bytes() for path in before} == before
    assert len(read_star(fresh.output / "coordinates.star")["coordinate_files"]) == MOVIES
