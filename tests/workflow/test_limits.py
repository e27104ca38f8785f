"""A micrograph beyond a limit is listed with the reason, denoised all the same, and used for nothing else."""

import numpy as np
import pytest
from made_up import MOVIES, Project

from cryopair.formats.star import Table, read_star

pytestmark = pytest.mark.slow


def names(table: Table) -> set[str]:
    return set(table["rlnMicrographName"])


def test_a_micrograph_that_moved_too_much_is_used_for_nothing(finished: Project, fresh: Project) -> None:
    known = read_star(finished.output / "halves.star")["micrographs"]
    motion = known.floats("cryopairMotionEarly")
    order = np.argsort(motion)
    moved_most = known["rlnMicrographName"][order[-1]]
    limit = round(float(motion[order[-2:]].mean()), 4)
    assert motion[order[-2]] < limit < motion[order[-1]]
    fresh.configure("max_motion_early: null", f"max_motion_early: {limit}")
    fresh.configure("exclude_from: [training, picking]", "exclude_from: [training, picking, extraction]")
    fresh.run()

    excluded = read_star(fresh.output / "excluded.star")["excluded"]
    assert excluded["rlnMicrographName"] == [moved_most]
    assert excluded["cryopairReason"] == [f"early motion {motion[order[-1]]:.4g} Å is above {limit:.4g} Å"]
    others = names(known) - {moved_most}
    assert len(others) == MOVIES - 1

    (manifest,) = fresh.output.glob("training/*/manifest.star")
    assert names(read_star(manifest)["training_pairs"]) == others
    assert names(read_star(fresh.output / "coordinates.star")["coordinate_files"]) == others
    assert names(read_star(fresh.output / "particles.star")["particles"]) <= others
    assert read_star(fresh.output / "particles.star")["particles"].labels
    stem = moved_most.rsplit("/", 1)[1].removesuffix(".mrc")
    made = {path.relative_to(fresh.output).parts[0] for path in fresh.output.rglob(f"*{stem}*") if path.is_file()}
    assert made == {"halves", "denoised"}
    assert not len(read_star(fresh.output / "failed.star")["failed"])

    seen = read_star(fresh.output / "denoised_micrographs.star")["micrographs"]
    assert set(seen["cryopairMicrographNameRaw"]) == names(known)
    measured = (fresh.output / "quality.csv").read_text()
    assert all(f"{name}," in measured for name in names(known))
    page = (fresh.output / "report.html").read_text(encoding="utf-8")
    assert "early motion" in page[page.index('<section id="failures">') :]

    assert not fresh.run()  # what was excluded is not taken for missing
