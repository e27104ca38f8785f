"""Another picker runs picking and what follows; templates are made once."""

from collections import Counter

from made_up import MOVIES, Project

from cryopair.formats.star import read_star

PICKING = Counter({"pick": 1, "handoff": 1, "extract": 1, "merge": 1, "report": 1})


def test_templates_are_made_once_and_old_movies_are_not_picked_again(project: Project) -> None:
    project.configure("picker: blob", "picker: template")
    assert project.run() == PICKING + Counter({"templates": 1})
    (templates,) = project.output.glob("templates/*/*/templates.mrcs")
    (suffix,) = project.output.glob("coordinates/coords_suffix*")
    assert suffix.name == "coords_suffix_template.star"
    before = {path: path.read_bytes() for path in (templates, *project.output.glob("picks/Movies/*_template.star"))}
    assert len(before) == MOVIES + 1
    project.simulate(MOVIES + 1)
    assert project.run() == PICKING + Counter({"halves": 1, "denoise": 1, "measure": 1})
    assert {path: path.read_bytes() for path in before} == before
    assert len(read_star(project.output / "coordinates.star")["coordinate_files"]) == MOVIES + 1
