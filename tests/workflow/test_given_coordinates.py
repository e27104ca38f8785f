"""Particles picked elsewhere: the run waits for coordinates, and takes them in as they come."""

from collections import Counter

import pytest
from made_up import MOVIES, Project

from cryopair.formats.star import Table, read_star, write_star

pytestmark = pytest.mark.slow


def particles_by_place(table: Table) -> set[tuple[str, ...]]:
    labels = ("rlnMicrographName", "rlnImageName", "rlnCoordinateX", "rlnCoordinateY", "rlnAutopickFigureOfMerit")
    return set(zip(*(table[label] for label in labels), strict=True))


def test_the_run_waits_and_goes_on_with_the_micrographs_that_have_coordinates(project: Project) -> None:
    ours = read_star(project.output / "particles.star")["particles"]
    project.configure("picker: blob", "picker: files")
    project.configure("  files: null", "  files: Picks")
    assert project.run(code=4) == Counter({"merge": 1, "report": 1})
    last = project.stdout.splitlines()[-1]
    assert last.startswith(f"waiting for coordinates of {MOVIES} micrographs; so far: {MOVIES} micrographs denoised")
    assert "put them: where 'imported.files' says, Picks: a file for each micrograph, such as Movies/" in project.stdout
    assert not (project.output / "particles.star").exists()

    for name in ("Movies/mic_0001", "Movies/mic_0003"):
        coordinates = read_star(project.output / f"coordinates/{name}_blob.star")
        write_star(project.folder / f"Picks/{name}_manualpick.star", coordinates)
    assert project.run(code=4) == Counter({"pick": 1, "handoff": 1, "extract": 1, "merge": 1, "report": 1})
    assert project.stdout.splitlines()[-1].startswith(f"waiting for coordinates of {MOVIES - 2} micrographs")
    some = read_star(project.output / "particles.star")["particles"]
    of_two = {row for row in particles_by_place(ours) if row[0].endswith(("mic_0001.mrc", "mic_0003.mrc"))}
    assert particles_by_place(some) == of_two
