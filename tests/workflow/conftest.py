"""Fixtures: the made-up project, run once; tests work on copies of it."""

import os
import shutil
from pathlib import Path

import pytest
from made_up import MOVIES, SETTINGS, SOURCE, Project

from cryopair.session.init import initialise


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("finished"))
    project.simulate(MOVIES)
    here = Path.cwd()
    os.chdir(project.folder)
    try:
        initialise(SOURCE, Path("config/config.yaml"), output="cryopair", diameter=150, settings=SETTINGS)
    finally:
        os.chdir(here)
    project.run()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def fresh(finished: Project, tmp_path: Path) -> Project:
    """A copy of the project before anything was run."""
    skip = shutil.ignore_patterns("cryopair", ".snakemake")
    shutil.copytree(finished.folder, tmp_path / "fresh", ignore=skip)
    return Project(tmp_path / "fresh")
