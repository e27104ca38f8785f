"""What External jobs read from RELION's command line, and how they end. Real pipelines are in tests/interop."""

import importlib
import tomllib
from pathlib import Path

import pytest

from cryopair.errors import BadFileError, UsageError
from cryopair.formats.star import Table, read_star, write_star
from cryopair.micrographs import Micrographs
from cryopair.relion.denoise import nodes_of, write_config
from cryopair.relion.entry import run_job
from cryopair.relion.extract import find_coordinates
from cryopair.relion.job import (
    ABORT_NOW,
    ABORTED,
    FAILURE,
    MICROGRAPHS,
    OUTPUT_NODES,
    PARTICLES,
    SUCCESS,
    AbortedError,
    ExternalJob,
)

FOLDER = "External/job005/"
RAW = ["MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def micrographs() -> Micrographs:
    optics = {"rlnOpticsGroupName": ["og"], "rlnOpticsGroup": [1], "rlnMicrographPixelSize": [2.0]}
    return Micrographs(Table(optics), Table({"rlnMicrographName": RAW, "rlnOpticsGroup": [1, 1]}))


def exit_files() -> set[str]:
    return {path.name for path in Path(FOLDER).iterdir() if path.name.startswith("RELION_JOB")}


def test_the_command_line_of_relion_is_taken_apart() -> None:
    line = f"--o {FOLDER} --in_mics m.star --in_coords c.star --box 96 --float16 --background_diameter -1 --j 4"
    job = ExternalJob.parse([*line.split(), "--pipeline_control", FOLDER])
    assert job.folder == Path("External/job005")
    assert job.inputs == {"in_mics": "m.star", "in_coords": "c.star"}
    assert job.parameters == {"box": "96", "float16": None, "background_diameter": "-1"}
    assert job.threads == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--in_mics m.star", "--o is missing"),
        (f"--o {FOLDER} --j many", "--j is 'many'; expected a number"),
        (f"--o {FOLDER} --box 96 64", "'64' follows no label"),
    ],
)
def test_what_makes_no_sense_is_named(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExternalJob.parse(line.split())


@pytest.mark.parametrize(("value", "on"), [(None, True), ("Yes", True), ("no", False), ("0", False), ("true", True)])
def test_parameters_that_are_yes_or_no(value: str | None, on: bool) -> None:
    job = ExternalJob(Path(FOLDER), parameters={"recenter": value})
    assert job.is_on("recenter", usually=not on) is on
    assert job.is_on("invert", usually=on) is on
    with pytest.raises(UsageError, match="'recenter' is 'maybe'; expected yes or no"):
        ExternalJob(Path(FOLDER), parameters={"recenter": "maybe"}).is_on("recenter", usually=True)


def test_success_lists_what_was_made_and_forgets_earlier_ends(project: Path) -> None:
    Path(FOLDER).mkdir(parents=True)
    for name in (FAILURE, ABORTED, ABORT_NOW):
        (Path(FOLDER) / name).touch()
    nodes = [(Path(FOLDER) / "denoised_micrographs.star", MICROGRAPHS), (Path(FOLDER) / "particles.star", PARTICLES)]
    assert run_job(lambda job: nodes, usage="", arguments=["--o", FOLDER]) == 0
    assert exit_files() == {SUCCESS}
    table = read_star(Path(FOLDER) / OUTPUT_NODES)["output_nodes"]
    assert list(table.rows()) == [
        {
            "rlnPipeLineNodeName": "External/job005/denoised_micrographs.star",
            "rlnPipeLineNodeType": "1",
            "rlnPipeLineNodeTypeLabel": "MicrographsData.star.relion",
        },
        {
            "rlnPipeLineNodeName": "External/job005/particles.star",
            "rlnPipeLineNodeType": "3",
            "rlnPipeLineNodeTypeLabel": "ParticlesData.star.relion",
        },
    ]


@pytest.mark.parametrize(
    ("error", "end", "said"),
    [
        (UsageError("no --in_mics"), FAILURE, "cryopair: no --in_mics\n"),
        (ZeroDivisionError("a mistake of ours"), FAILURE, "ZeroDivisionError: a mistake of ours\n"),
        (AbortedError("stopped, as RELION asked"), ABORTED, "cryopair: stopped, as RELION asked\n"),
        (KeyboardInterrupt(), ABORTED, "cryopair: stopped\n"),
    ],
)
def test_every_end_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], error: BaseException, end: str, said: str
) -> None:
    def work(job: ExternalJob) -> list:
        raise error

    assert run_job(work, usage="", arguments=["--o", FOLDER]) == 1
    assert exit_files() == {end}
    assert not (Path(FOLDER) / OUTPUT_NODES).exists()
    assert capsys.readouterr().err.endswith(said)


def test_a_command_ends_when_relion_asks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryopair.relion.job._STOP_SECONDS", 1.0)
    job = ExternalJob(Path(FOLDER))
    job.folder.mkdir(parents=True)
    assert job.cryopair("workflow") == 0
    (job.folder / ABORT_NOW).touch()
    with pytest.raises(AbortedError):  # simulating so many movies would take minutes
        job.cryopair("simulate", "demo", "--movies", 500)


def test_coordinates_of_relion_3_are_found_by_the_name_of_the_file(project: Path, micrographs: Micrographs) -> None:
    write_star("AutoPick/job004/Movies/b_autopick.star", {"": Table({"rlnCoordinateX": [1], "rlnCoordinateY": [2]})})
    found = find_coordinates(micrographs, "AutoPick/job004/coords_suffix_autopick.star")
    assert found.table["rlnMicrographName"] == RAW[1:]
    assert found.table["rlnMicrographCoordinates"] == ["AutoPick/job004/Movies/b_autopick.star"]
    with pytest.raises(BadFileError, match=r"none of the 2 micrographs; expected files such as .*Movies/a_manual.star"):
        find_coordinates(micrographs, "ManualPick/job003/coords_suffix_manual.star")


def test_coordinates_of_relion_4_are_found_by_the_micrograph(project: Path, micrographs: Micrographs) -> None:
    names = {"rlnMicrographName": RAW[::-1], "rlnMicrographCoordinates": ["x/b.star", "x/a.star"]}
    write_star("AutoPick/job004/autopick.star", {"coordinate_files": Table(names)})
    found = find_coordinates(micrographs, "AutoPick/job004/autopick.star")
    assert found.table["rlnMicrographCoordinates"] == ["x/a.star", "x/b.star"]
    names["rlnMicrographName"] = ["denoised/Movies/b.mrc", "denoised/Movies/a.mrc"]
    write_star("AutoPick/job004/autopick.star", {"coordinate_files": Table(names)})
    with pytest.raises(BadFileError, match=r"coordinates for none of the 2 micrographs.*Give the raw micrographs"):
        find_coordinates(micrographs, "AutoPick/job004/autopick.star")


def test_fields_of_the_job_become_the_configuration(project: Path, micrographs: Micrographs) -> None:
    micrographs.table["rlnMicrographMetadata"] = [name.replace(".mrc", ".star") for name in RAW]
    write_star("m.star", {"optics": micrographs.optics, "micrographs": micrographs.table})
    parameters = {"diameter": "180", "rescale": "64", "steps": "500", "training.seed": "7", "model": None}
    job = ExternalJob(Path("External/job005"), {"in_mics": "m.star"}, parameters)
    for _ in range(2):  # a job that is continued writes it again
        config = write_config(job)
    assert (config.source, config.output) == ("m.star", "External/job005")
    assert (config.picking.diameter, config.extraction.box, config.extraction.rescale) == (180, 136, 64)
    assert (config.training.steps, config.training.seed, config.denoising.model) == (500, 7, None)
    for label, message in (("diametre", "Did you mean 'diameter'"), ("training.step", "Did you mean 'training.steps'")):
        with pytest.raises(UsageError, match=message):
            write_config(ExternalJob(job.folder, job.inputs, {label: "1"}))
    with pytest.raises(UsageError, match="neither --in_mics nor --in_movies"):
        write_config(ExternalJob(job.folder))


@pytest.mark.parametrize(
    ("label", "value", "coordinates"),
    [
        ("rlnJobType", 99, "coordinates/coords_suffix_log.star"),
        ("rlnJobTypeLabel", "relion.external", "coordinates.star"),
    ],
)
def test_coordinates_are_handed_on_as_each_version_reads_them(
    project: Path, micrographs: Micrographs, label: str, value: object, coordinates: str
) -> None:
    write_star("m.star", {"optics": micrographs.optics, "micrographs": micrographs.table})
    job = ExternalJob(Path("External/job005"), {"in_mics": "m.star"}, {"diameter": "180", "extraction.box": "null"})
    config = write_config(job)
    write_star(job.folder / "job.star", {"job": Table({label: [value], "rlnJobIsContinue": [0]})}, lists=["job"])
    made = ["denoised_micrographs.star", "coordinates.star", "coordinates/coords_suffix_log.star", "particles.star"]
    for name in made:
        (job.folder / name).parent.mkdir(exist_ok=True)
        (job.folder / name).touch()
    nodes = {str(path.relative_to(job.folder)): kind.number for path, kind in nodes_of(job, config)}
    assert nodes == {"denoised_micrographs.star": 1, coordinates: 2}


def test_both_programs_are_installed_with_names_by_which_relion_adds_pipeline_control() -> None:
    root = Path(__file__).parents[3]
    scripts = tomllib.loads((root / "pyproject.toml").read_text())["project"]["scripts"]
    jobs = {name: target for name, target in scripts.items() if name.startswith("relion_cryopair_")}
    assert set(jobs) == {"relion_cryopair_denoise", "relion_cryopair_extract"}
    for target in jobs.values():
        module, function = target.split(":")
        assert getattr(importlib.import_module(module), function)(["--help"]) == 0
