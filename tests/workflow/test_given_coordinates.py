"""Particles picked elsewhere: the run waits for coordinates, and takes them in as they come."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made_up import MOVIES, SHAPE, Project

from cryopair.formats.coordinates import read_coordinate_table
from cryopair.formats.mrc import read_mrc_info
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


def test_changed_added_and_deleted_files_cost_their_shard_and_leave_nothing_behind(project: Project) -> None:
    """There are two shards. After each pass the particles are those in the files, and no other."""
    project.simulate(MOVIES + 2)
    names = [f"Movies/mic_{number:04d}" for number in range(1, MOVIES + 3)]
    picks = {name: particles_on(project, name) for name in names}
    files = {name: project.folder / f"Picks/{name}_manualpick.star" for name in names}
    *first_shard, late, last = names
    for name in (*first_shard, last):
        write_star(files[name], {"": picks[name]})
    project.configure("picker: blob", "picker: files")
    project.configure("  files: null", "  files: Picks")
    first_pass = Counter({"pick": 2, "handoff": 2, "extract": 2, "halves": 1, "denoise": 1, "measure": 1})
    assert project.run(code=4) == first_pass + Counter({"merge": 1, "report": 1})
    assert places(project) == given(files)
    assert project.run(code=4) == Counter()

    changed = picks[first_shard[1]].select(range(1, len(picks[first_shard[1]])))
    changed["rlnCoordinateX"] = changed.floats("rlnCoordinateX") + 3
    write_star(files[first_shard[1]], {"": changed})
    assert_only_a_shard_is_cut_again(project, "000001", code=4)
    assert places(project) == given(files)

    write_star(files[late], {"": picks[late]})
    assert_only_a_shard_is_cut_again(project, "000002", code=0)
    assert places(project) == given(files)

    files[first_shard[0]].unlink()
    assert_only_a_shard_is_cut_again(project, "000001", code=4)
    assert project.stdout.splitlines()[-1].startswith("waiting for coordinates of 1 micrographs")
    assert places(project) == given(files)

    for name in (late, last):
        files[name].unlink()
    assert project.run(code=4) == Counter({"merge": 1, "report": 1})
    assert places(project) == given(files)


def particles_on(project: Project, name: str) -> Table:
    """Return where particles really are, in whole pixels, as far as they are off the edges."""
    truth = read_coordinate_table(project.folder / f"truth/{name}.star")
    at = np.stack([truth.floats("rlnCoordinateX"), truth.floats("rlnCoordinateY")], axis=1).round()
    at = at[((at > 20) & (at < np.array(SHAPE[::-1]) - 20)).all(axis=1)]
    assert len(at) > 1
    return Table({"rlnCoordinateX": at[:, 0], "rlnCoordinateY": at[:, 1]})


def assert_only_a_shard_is_cut_again(project: Project, shard: str, *, code: int) -> None:
    tables = {path: path.read_bytes() for path in project.output.glob("particles/0*.star")}
    stacks = {path: path.stat().st_mtime_ns for path in project.output.glob("particles/Movies/*.mrcs")}
    assert project.run(code=code) == Counter({"pick": 1, "handoff": 1, "extract": 1, "merge": 1, "report": 1})
    assert {path.stem for path, text in tables.items() if path.read_bytes() != text} == {shard}
    listed = read_star(project.output / f"plan/shards/{shard}.star")
    of_shard = {Path(name).stem for name in listed["micrographs"]["rlnMicrographName"]}
    assert {path.stem for path, time in stacks.items() if path.stat().st_mtime_ns != time} <= of_shard


def places(project: Project) -> set[tuple[str, float, float]]:
    """Return where the particles are, and check that each has an image, and that RELION gets no other coordinates."""
    table = read_star(project.output / "particles.star")["particles"]
    names = [name.removeprefix("MotionCorr/job002/").removesuffix(".mrc") for name in table["rlnMicrographName"]]
    counts = Counter(name.split("@")[1] for name in table["rlnImageName"])
    assert {stack: read_mrc_info(project.folder / stack).shape[0] for stack in counts} == counts
    listed = read_star(project.output / "coordinates.star")["coordinate_files"]["rlnMicrographCoordinates"]
    assert len(table) == sum(len(read_coordinate_table(project.folder / path)) for path in listed)
    return set(zip(names, table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY"), strict=True))


def given(files: dict[str, Path]) -> set[tuple[str, float, float]]:
    """Return where the files that are there say particles are."""
    found = set()
    for name, path in files.items():
        if path.is_file():
            table = read_star(path)[""]
            x, y = table.floats("rlnCoordinateX"), table.floats("rlnCoordinateY")
            found |= set(zip([name] * len(x), x, y, strict=True))
    return found
