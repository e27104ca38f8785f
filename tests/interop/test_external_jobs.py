"""Our External jobs in RELION's own pipeline: Import → MotionCorr → External → Extract, nodes, edges, ends."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cryopair.formats.mrc import map_mrc
from cryopair.formats.star import Table, read_star, write_star
from cryopair.relion.job import ABORT_NOW, ABORTED, FAILURE, SUCCESS
from cryopair.simulate.project import simulate_project

SUCCEEDED, FAILED = 2, 3  # rlnPipeLineProcessStatus
MICROGRAPHS = "MotionCorr/job002/corrected_micrographs.star"
EXIT_FILES = {SUCCESS, FAILURE, ABORTED}


class Pipeline:
    """A RELION project that is worked on by relion_pipeliner alone."""

    def __init__(self, root: Path, relion) -> None:
        self.root, self.relion, self.jobs = root, relion, 0
        write_star(
            root / "default_pipeline.star",
            {"pipeline_general": Table({"rlnPipeLineJobCounter": [1]})},
            lists=["pipeline_general"],
        )
        for name in ("denoise", "extract"):
            script = root / f"relion_cryopair_{name}"
            script.write_text(
                f"#!{sys.executable}\nfrom cryopair.relion.{name} import main\n\nraise SystemExit(main())\n"
            )
            script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def run(self, kind: str, options: dict[str, object]) -> Path:
        self.jobs += 1
        folder = Path(kind) / f"job{self.jobs:03d}"
        text = ";".join(f"{name} == {value}" for name, value in options.items())
        self.relion("pipeliner", "--addJob", kind, "--addJobOptions", text, cwd=self.root)
        self.relion(
            "pipeliner", "--schedule", folder.name, "--RunJobs", f"{folder}/", "--sec_wait_after", 1, cwd=self.root
        )
        return folder

    def status(self, job: Path) -> int:
        table = read_star(self.root / "default_pipeline.star")["pipeline_processes"]
        index = table["rlnPipeLineProcessName"].index(f"{job}/")
        return int(table["rlnPipeLineProcessStatus"][index])

    def nodes(self) -> dict[str, int]:
        table = read_star(self.root / "default_pipeline.star")["pipeline_nodes"]
        return dict(zip(table["rlnPipeLineNodeName"], table.ints("rlnPipeLineNodeType").tolist(), strict=True))

    def edges(self) -> set[tuple[str, str]]:
        blocks = read_star(self.root / "default_pipeline.star")
        into, out = blocks["pipeline_input_edges"], blocks["pipeline_output_edges"]
        return {
            *zip(into["rlnPipeLineEdgeFromNode"], into["rlnPipeLineEdgeProcess"], strict=True),
            *zip(out["rlnPipeLineEdgeProcess"], out["rlnPipeLineEdgeToNode"], strict=True),
        }

    def said(self, job: Path) -> str:
        return "".join((self.root / job / f"run.{end}").read_text() for end in ("out", "err"))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, relion) -> Pipeline:
    """Movies, imported and aligned by RELION, denoised and picked by our External job."""
    root = tmp_path_factory.mktemp("pipeline")
    simulate_project(root, movies=4, frames=8, shape=(512, 512), dose_per_frame=3.6)
    for made in ("Import", "MotionCorr", "CtfFind"):  # what the simulator put where RELION's own jobs shall be
        (root / made).rename(root / f"simulated_{made}")
    pipeline = Pipeline(root, relion)
    optics = {"angpix": 2.0, "kV": 300, "Cs": 2.7, "Q0": 0.1}
    pipeline.run("Import", {"do_raw": "Yes", "fn_in_raw": "Movies/*.tiff", "is_multiframe": "Yes", **optics})
    motion = {"do_own_motioncor": "Yes", "do_dose_weighting": "Yes", "dose_per_frame": 3.6, "patch_x": 1, "patch_y": 1}
    files = {"input_star_mics": "Import/job001/movies.star", "fn_gain_ref": "Movies/gain.mrc", "do_save_ps": "No"}
    pipeline.run("MotionCorr", {**files, **motion, "nr_threads": 1, "nr_mpi": 1})
    fields = {"fn_exe": "./relion_cryopair_denoise", "in_mic": MICROGRAPHS, "nr_threads": 2}
    parameters = {"diameter": 150, "box": 96, "rescale": 48, "steps": 20}
    pipeline.run("External", fields | numbered(parameters))
    return pipeline


def numbered(parameters: dict[str, object]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for number, (label, value) in enumerate(parameters.items(), start=1):
        fields |= {f"param{number}_label": label, f"param{number}_value": value}
    return fields


def exit_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} & EXIT_FILES


def test_the_session_is_a_job_of_the_pipeline(pipeline: Pipeline) -> None:
    job = Path("External/job003")
    assert pipeline.status(job) == SUCCEEDED, pipeline.said(job)
    assert exit_files(pipeline.root / job) == {SUCCESS}
    made = {"denoised_micrographs.star": 1, "coordinates/coords_suffix_blob.star": 2, "particles.star": 3}
    assert made.items() <= {k.removeprefix(f"{job}/"): v for k, v in pipeline.nodes().items()}.items()
    assert pipeline.edges() >= {(MICROGRAPHS, f"{job}/"), *((f"{job}/", f"{job}/{name}") for name in made)}
    assert (pipeline.root / job / "report.html").is_file()


def test_relion_extracts_from_our_coordinates_what_we_cut(pipeline: Pipeline) -> None:
    coordinates = "External/job003/coordinates/coords_suffix_blob.star"
    sizes = {"extract_size": 96, "do_rescale": "Yes", "rescale": 48, "bg_diameter": -1}
    grey = {"do_norm": "Yes", "do_invert": "Yes", "nr_mpi": 1}
    job = pipeline.run("Extract", {"star_mics": MICROGRAPHS, "coords_suffix": coordinates, **sizes, **grey})
    assert pipeline.status(job) == SUCCEEDED, pipeline.said(job)
    assert (coordinates, f"{job}/") in pipeline.edges()
    assert_same_particles(pipeline.root, Path("External/job003"), job)


def test_our_extraction_is_a_job_of_its_own(pipeline: Pipeline) -> None:
    coordinates = "External/job003/coordinates/coords_suffix_blob.star"
    fields = {"fn_exe": "./relion_cryopair_extract", "in_mic": MICROGRAPHS, "in_coords": coordinates, "nr_threads": 2}
    job = pipeline.run("External", fields | numbered({"box": 96, "rescale": 48, "float16": "no"}))
    assert pipeline.status(job) == SUCCEEDED, pipeline.said(job)
    assert pipeline.nodes()[f"{job}/particles.star"] == 3
    assert {(MICROGRAPHS, f"{job}/"), (coordinates, f"{job}/")} <= pipeline.edges()
    assert_same_particles(pipeline.root, Path("External/job003"), job)


def assert_same_particles(root: Path, ours: Path, theirs: Path) -> None:
    a, b = (read_star(root / job / "particles.star") for job in (ours, theirs))
    assert len(a["particles"]) == len(b["particles"]) > 10
    assert a["optics"].labels == b["optics"].labels
    assert a["particles"].labels == b["particles"].labels
    assert a["particles"]["rlnMicrographName"] == b["particles"]["rlnMicrographName"]
    for stack in dict.fromkeys(name.split("@")[1] for name in b["particles"]["rlnImageName"]):
        below = Path(stack).relative_to(theirs)
        reference = np.array(map_mrc(root / stack), dtype=np.float64)
        mine = np.array(map_mrc(root / ours / "particles" / below), dtype=np.float64)
        assert np.abs(mine - reference).max() < 1e-5 * np.abs(reference).max()


@pytest.mark.parametrize(
    ("program", "fields", "reason"),
    [
        ("extract", {"in_mic": MICROGRAPHS}, "no --in_coords: this job needs coordinates"),
        (
            "extract",
            {"in_mic": MICROGRAPHS, **numbered({"bocks": 96})},
            "parameter 'bocks' is unknown. Did you mean 'box'?",
        ),
    ],
)
def test_a_failure_is_told_with_its_reason(pipeline: Pipeline, program: str, fields: dict, reason: str) -> None:
    if "bocks" not in str(fields):
        fields = fields | numbered({"box": 96})
    job = pipeline.run("External", {"fn_exe": f"./relion_cryopair_{program}", **fields})
    assert exit_files(pipeline.root / job) == {FAILURE}
    assert pipeline.status(job) == FAILED
    assert reason in pipeline.said(job)


def test_an_abort_request_stops_the_session(pipeline: Pipeline) -> None:
    folder = pipeline.root / "External/job099"
    folder.mkdir(parents=True)
    (folder / SUCCESS).touch()  # of an earlier run
    (folder / ABORT_NOW).touch()
    options = ["--o", "External/job099/", "--in_mics", MICROGRAPHS, "--steps", "100000", "--j", "2"]
    with (folder / "run.out").open("w") as out:
        process = subprocess.Popen(
            [pipeline.root / "relion_cryopair_denoise", *options, "--pipeline_control", "External/job099/"],
            cwd=pipeline.root,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    logs = folder / "logs"
    wait_for(lambda: any(logs.glob("train/*")) or any(logs.glob("train*")) or process.poll() is not None)
    assert exit_files(folder) == set(), (folder / "run.out").read_text()
    (folder / ABORT_NOW).touch()
    assert process.wait(300) == 1
    assert exit_files(folder) == {ABORTED}
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not [command for command in running if b"External/job099" in command]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in 10 minutes"
        time.sleep(0.2)
