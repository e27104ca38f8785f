"""Fixtures: the made-up project, run once; tests work on copies of it."""

import fcntl
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from made_up import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that was run, once for all processes that share the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    project, record = Project(shared / "finished"), shared / "finished.json"
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            shutil.rmtree(project.folder, ignore_errors=True)
            project.prepare()
            project.run()
            record.write_text(json.dumps({"jobs": project.jobs, "stdout": project.stdout}))
    recorded = json.loads(record.read_text())
    project.jobs, project.stdout = Counter(recorded["jobs"]), recorded["stdout"]
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project."""
    return finished.copy(tmp_path / "project")


@pytest.fixture
def fresh(finished: Project, tmp_path: Path) -> Project:
    """A copy of the project before anything was run."""
    skip = shutil.ignore_patterns("cryopair", ".snakemake")
    shutil.copytree(finished.folder, tmp_path / "fresh", ignore=skip)
    return Project(tmp_path / "fresh")
