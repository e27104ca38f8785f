"""Processes of a run that was killed are found by its token, and stopped."""

import os
import subprocess
import sys
import time

from cryopair.session.leftovers import TOKEN, processes_of, stop_leftovers

STUBBORN = "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"


def test_orphans_and_those_that_do_not_listen_are_stopped(monkeypatch) -> None:
    monkeypatch.setattr("cryopair.session.leftovers._GRACE_SECONDS", 0.5)
    environment = os.environ | {TOKEN: "test-of-leftovers"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
    parent = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600 & echo; wait"], start_new_session=True, **pipes)
    stubborn = subprocess.Popen([sys.executable, "-c", STUBBORN], **pipes)
    other = subprocess.Popen(["sleep", "600"], env=os.environ | {TOKEN: "test-of-leftovers-2"})
    try:
        for process in (parent, stubborn):
            process.stdout.readline()
        deadline = time.monotonic() + 60
        while len(processes_of("test-of-leftovers")) < 4:
            assert time.monotonic() < deadline
        parent.kill()
        parent.wait()
        assert len(processes_of("test-of-leftovers")) == 3
        assert stop_leftovers("test-of-leftovers") == 3
        assert not processes_of("test-of-leftovers")
        assert processes_of("test-of-leftovers-2") == [other.pid]
    finally:
        for process in (parent, stubborn, other):
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()
    assert stop_leftovers("test-of-leftovers") == 0
