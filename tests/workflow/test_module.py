"""Another workflow takes in ours: its own settings, its own folder, and rules that go on from our results."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from made_up import SOURCE, Project

from cryopair.formats.star import read_star

pytestmark = pytest.mark.slow

SNAKEFILE = """
from cryopair.session.launch import workflow_folder

configfile: "mine.yaml"

module cryopair:
    snakefile: str(workflow_folder() / "Snakefile")
    config: config["cryopair"]
    prefix: "proc"

use rule * from cryopair as cryopair_*

rule mine:
    default_target: True
    input: "names.txt", rules.cryopair_all.input

rule names:
    input: "proc/denoised/denoised_micrographs.star"
    output: "names.txt"
    shell: "grep --only-matching 'mic_[0-9]*.mrc' {input} | sort --unique > {output}"
"""


@pytest.fixture
def caller(finished: Project, tmp_path: Path) -> Project:
    project = Project(tmp_path / "caller")
    for folder in ("Movies", "MotionCorr", "CtfFind"):
        shutil.copytree(finished.folder / folder, project.folder / folder)
    shutil.copytree(next((finished.output / "models").iterdir()), project.folder / "model")
    settings = {"source": SOURCE, "output": "denoised", "denoising": {"model": "model"}}
    (project.folder / "mine.yaml").write_text(yaml.safe_dump({"something": "else", "cryopair": settings}))
    (project.folder / "Snakefile").write_text(SNAKEFILE)
    project.output = project.folder / "proc/denoised"
    return project


def test_another_workflow_goes_on_from_our_results(caller: Project) -> None:
    result = caller.python("-m", "snakemake", "--cores", "2")
    assert result.returncode == 0, result.stderr
    jobs = Counter(line.split("Rule: ")[1] for line in result.stderr.splitlines() if line.startswith("Finished jobid"))
    stages = ("halves", "denoise", "measure", "merge", "report")
    assert jobs == Counter({f"cryopair_{stage})": 1 for stage in stages} | {"names)": 1, "mine)": 1})
    assert (caller.folder / "names.txt").read_text().split() == [f"mic_000{number}.mrc" for number in range(1, 6)]
    names = read_star(caller.output / "denoised_micrographs.star")["micrographs"]["rlnMicrographName"]
    assert names[0].startswith("proc/denoised/denoised/model-")  # the given model's folder, and its hash
    assert names[0].endswith("/Movies/mic_0001.mrc")
    assert (caller.folder / names[0]).is_file()
    assert sorted(path.name for path in (caller.folder / "proc").iterdir()) == ["denoised"]
    assert "Nothing to be done" in caller.python("-m", "snakemake", "--cores", "2").stderr


def test_a_mistake_in_its_settings_is_named(caller: Project) -> None:
    (caller.folder / "mine.yaml").write_text(yaml.safe_dump({"cryopair": {"sauce": SOURCE}}))
    result = caller.python("-m", "snakemake", "--dry-run")
    assert result.returncode == 1
    assert "unknown key 'sauce'. Did you mean 'source'?" in result.stderr + result.stdout
