"""Run commands of cryopair without paying for their imports: read orders, fork, and kill where an order says so.

An order is a line of JSON: the folder, the arguments, and after how many seconds to kill the command, or null. The
answer is a line too: the exit code (-9 when killed) and the seconds.
"""

import json
import os
import signal
import sys
import time
from importlib import import_module

from cryopair.cli import main

for module in ("denoiser.stage", "denoiser.training", "halves.stage", "particles.extract", "particles.handoff"):
    import_module(f"cryopair.{module}")
for module in ("picking.stage", "quality.stage", "report.page", "session.merge", "session.workflow"):
    import_module(f"cryopair.{module}")

for line in sys.stdin:
    folder, arguments, kill_after = json.loads(line)
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        log = os.open("commands.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os._exit(main(arguments))
    ended, status = 0, 0
    while not ended:
        ended, status = os.waitpid(child, os.WNOHANG)
        if not ended and kill_after is not None and time.monotonic() - start > kill_after:
            os.kill(child, signal.SIGKILL)
            ended, status = os.waitpid(child, 0)
        time.sleep(0.001)
    print(json.dumps([os.waitstatus_to_exitcode(status), time.monotonic() - start]), flush=True)
