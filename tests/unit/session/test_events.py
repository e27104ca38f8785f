"""Events of a pass: written by the logger plugin of the real Snakemake, read as they come."""

import json
import os
import subprocess
import sys
from pathlib import Path

from cryopair.session.events import PassEvents

SNAKEFILE = """
rule all:
    input: "good.txt", "bad.txt"
rule good:
    output: "good.txt"
    log: "good.log"
    message: "Making what is good"
    shell: "echo 50% > {log}; touch {output}"
rule bad:
    output: "bad.txt"
    log: "bad.log"
    message: "Making what is bad"
    shell: "(printf 'bad:  50%%\\\\r'; echo; echo 'cryopair: no such luck') > {log}; exit 1"
"""


def test_a_real_pass(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    options = ["--cores", "1", "--keep-going", "--logger", "cryopair", "--logger-cryopair-events", "logs/events.jsonl"]
    source = Path(__file__).parents[3] / "src"
    subprocess.run(
        [sys.executable, "-m", "snakemake", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        check=False,
    )
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        events = PassEvents(Path("logs/events.jsonl"))
        assert {job.message for job in events.update()} == {"Making what is good", "Making what is bad"}
        assert (events.done, events.total) == (1, 3)
        assert not events.running
        assert events.complaints() == ["no such luck"]
        assert [job.rule for job in events.failed.values()] == ["bad"]
        assert not events.update()
    finally:
        os.chdir(here)


def write(path: Path, *events: dict) -> None:
    with path.open("a") as stream:
        stream.writelines(json.dumps({"time": 1.0} | event) + "\n" for event in events)


def started(job: int, log: str = "") -> dict:
    return {"event": "job_started", "job": job, "rule": "halves", "message": f"Job {job}", "log": log}


def test_half_written_lines_wait_and_repeated_jobs_are_no_failures(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = PassEvents(path)
    assert not events.update()
    write(path, {"event": "run_info", "total": 4}, started(1), started(2))
    with path.open("a") as stream:
        stream.write('{"time": 1.0, "event": "job_fin')
    assert [job.message for job in events.update()] == ["Job 1", "Job 2"]
    with path.open("a") as stream:
        stream.write('ished", "job": 1}\n')
    write(path, {"event": "job_error", "job": 2})
    events.update()
    assert not events.running
    assert list(events.failed) == [2]
    write(path, started(2), {"event": "job_finished", "job": 2}, {"event": "progress", "done": 2, "total": 4})
    events.update()
    assert not events.failed
    assert (events.done, events.total) == (2, 4)


def test_what_a_running_job_says_last(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_text("halves:  10%|#   \rhalves:  20%|##  \r")
    write(tmp_path / "events.jsonl", started(1, str(log)))
    events = PassEvents(tmp_path / "events.jsonl")
    events.update()
    assert events.running[1].last_line == "halves:  20%|##"
    said = f"Job 1: ended without a word. Was it killed, because memory ran out? See {log}"
    assert events.running[1].complaint == said
