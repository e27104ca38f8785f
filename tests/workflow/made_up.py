"""A small made-up project for the workflow tests, and what was run in it."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from cryopair.session.init import initialise
from cryopair.session.leftovers import processes_of
from cryopair.session.versions import VERSIONS
from cryopair.session.workflow import PLANNED
from cryopair.simulate.project import simulate_project

SOURCE = "CtfFind/job003/micrographs_ctf.star"
MOVIES = 5
SETTINGS = {"shards.size": "8", "training.steps": "6", "extraction.box": "96"}
FRAMES, SHAPE = 6, (320, 384)


class Project:
    """A project folder and what was run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "cryopair"
        self.jobs: Counter[str] = Counter()
        self.stdout = self.stderr = ""
        self.seconds = 0.0

    def simulate(self, movies: int) -> None:
        simulate_project(self.folder, movies=movies, frames=FRAMES, shape=SHAPE)

    def copy(self, folder: Path) -> "Project":
        """Copy all of it, times of change included, so that nothing looks new."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder)

    def prepare(self) -> None:
        """Simulate movies and write the settings."""
        self.simulate(MOVIES)
        here = Path.cwd()
        os.chdir(self.folder)
        try:
            initialise(SOURCE, Path("config/config.yaml"), output="cryopair", diameter=150, settings=SETTINGS)
        finally:
            os.chdir(here)

    def results(self) -> dict[str, str]:
        """Return the hash of every file that was made, hidden ones too, but logs, times and locks."""
        apart = ("logs", "benchmarks", "plan/lock", "plan/run.lock", "plan/finished.txt", "plan/merged.json")
        apart += ("status.json",)
        files = {str(path.relative_to(self.output)): path for path in self.output.rglob("*") if path.is_file()}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in sorted(files.items())
            if not name.startswith(apart) and not name.endswith(".snakemake_timestamp")
        }

    def processes(self, command: str = "") -> list[int]:
        """Return the processes at work in the folder: all, or those of one command of cryopair."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink() == self.folder.resolve():
                    arguments = (process / "cmdline").read_bytes().decode().split("\0")
                    if not command or any(re.search("cryopair$", a) and b == command for a, b in pairwise(arguments)):
                        found.append(int(process.name))
            except OSError:
                pass  # it has ended meanwhile, or is not ours
        return found

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run this Python in the project, with more environment variables."""
        command, environment = [sys.executable, *arguments], self._environment() | variables
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def snakefile(self) -> Path:
        """Return the workflow's Snakefile, where cryopair says it is."""
        return Path(self.cryopair("workflow").stdout.strip()) / "Snakefile"

    def cryopair(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "cryopair", *arguments)

    def start(self, command: str = "run", *arguments: str) -> subprocess.Popen[str]:
        """Start a pass, or a watcher."""
        return subprocess.Popen(
            [sys.executable, "-m", "cryopair", command, "--cores", "2", *arguments],
            cwd=self.folder,
            env=self._environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def token(self) -> str:
        """What the processes of the last pass carry; empty before the first."""
        lock = self.output / "plan" / "run.lock"
        return lock.read_text() if lock.exists() else ""

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill what was started and all that it started, at once."""
        for pid in (process.pid, *processes_of(self.token)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()

    def run_and_kill(self, when: str) -> None:
        """Start a pass, and kill it and all its jobs as soon as a file like `when` is there."""
        process = self.start()
        deadline = time.monotonic() + 600
        while not list(self.output.glob(when)):
            assert process.poll() is None, f"the run ended before {when} was there"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.kill(process)

    def snakemake(self, *arguments: str, program: str = "snakemake") -> subprocess.CompletedProcess[str]:
        """Run bare snakemake, or a program that takes its options, with the workflow's profile."""
        snakefile = self.snakefile()
        profile = snakefile.parent / "workflow" / "profiles" / "default"
        options = ("--snakefile", str(snakefile), "--workflow-profile", str(profile), "--cores", "2")
        return self.python("-m", program, *options, *arguments)

    def would_run(self, newer: str = "") -> Counter[str]:
        """Return how many jobs of each rule a pass would run, were the algorithm of the stage `newer` another one.

        That is the same whether Snakemake looks at all shards, or leaves out what the last pass finished.
        """
        jobs = self._dry_run(newer, planned=False)
        assert self._dry_run(newer, planned=True) == jobs
        return jobs

    def _dry_run(self, newer: str, *, planned: bool) -> Counter[str]:
        raised = {newer: VERSIONS[newer] + 1} if newer else {}
        program = f"from cryopair.session.versions import VERSIONS; VERSIONS.update({raised}); "
        program += "from cryopair.cli import main; main(['plan']); " if planned else ""
        arguments = ["--snakefile", str(self.snakefile()), "--dry-run", "--cores", "2"]
        program += f"from snakemake.cli import main; main({arguments})"
        result = self.python("-c", program, **({PLANNED: "1"} if planned else {}))
        said = result.stdout + result.stderr
        assert result.returncode == 0, said
        assert "Job stats:" in said or "Nothing to be done" in said, said
        table = said.partition("Job stats:")[2].partition("\ntotal")[0]
        jobs = Counter({rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)})
        del jobs["all"]
        return jobs

    def shards_looked_at(self) -> set[str]:
        """Return the shards that have jobs, to be run or not, in the graph of the next pass."""
        result = self.python("-m", "snakemake", "--snakefile", str(self.snakefile()), "--summary", **{PLANNED: "1"})
        assert result.returncode == 0, result.stderr
        return set(re.findall(r"halves/(\d{6})\.star\t", result.stdout))

    def run(self, *arguments: str, code: int = 0) -> Counter[str]:
        """Run a pass; return how many jobs of each rule ran."""
        start = time.monotonic()
        result = self.cryopair("run", "--cores", "2", *arguments)
        self.seconds = time.monotonic() - start
        log = (self.output / "logs" / "run.log").read_text()
        assert result.returncode == code, result.stdout + result.stderr + log[-3000:]
        self.stdout, self.stderr = result.stdout, result.stderr
        self.jobs = Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", log, re.MULTILINE))
        del self.jobs["all"]
        return self.jobs

    def configure(self, old: str, new: str) -> None:
        path = self.folder / "config" / "config.yaml"
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))

    def model(self) -> bytes:
        (path,) = self.output.glob("models/*/model.safetensors")
        return path.read_bytes()
