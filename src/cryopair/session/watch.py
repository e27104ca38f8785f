"""``cryopair watch``: plan and run passes as movies arrive, for as long as the microscope is at work.

Nothing that happens to a pass, a source or a disk ends the watch: it says what is wrong, waits, and tries again, with
pauses that grow.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config import load_config
from ..errors import CryopairError
from ..report.live import SECONDS, end_live
from .arrivals import Patience
from .display import Display
from .finished import Finished
from .gpus import gpu_use
from .identities import WEIGHTS
from .launch import profile_file, snakemake_command, start, workflow_folder
from .models import journal_file
from .passes import SOME_FAILED, alone
from .plan import Plan, shard_file
from .running import Running
from .status import Status
from .withdrawn import withdrawn_file
from .workflow import Session

_POLL_SECONDS = 0.5
_LONGEST_PAUSE = 600.0
_HOUR = 3600.0
_LOOKING_SHARE = 20
"""Known movies are looked at again after this many times the time that it takes."""
_LAST_TRIES = 3
_PROBLEMS = (CryopairError, OSError)


@dataclass
class Trouble:
    """What went wrong, how often in a row, and when to try again."""

    interval: float
    times: int = 0
    next_try: float = 0.0

    def note(self) -> float:
        """Count one more; return the seconds to wait."""
        self.times += 1
        pause = min(self.interval * 2**self.times, _LONGEST_PAUSE)
        self.next_try = time.time() + pause
        return pause

    def over(self) -> None:
        """Forget it."""
        self.times, self.next_try = 0, 0.0


class Watcher:
    """A watched session.

    Parameters
    ----------
    config_path : Path
        Settings of the session; read again at each look, so that changes take effect.
    cores : int or None
        Processor cores to use; all if None.
    interval : float
        Seconds between looks.
    until_idle : float or None
        Minutes without a new movie after which the session is over: all that waits is taken in, the last pass is made
        as `cryopair run` would, and the watch ends.
    arguments : sequence of str
        More options for Snakemake.
    profile : str
        As `run_pass` takes it.
    """

    def __init__(
        self,
        config_path: Path,
        *,
        cores: int | None = None,
        interval: float = 15.0,
        until_idle: float | None = None,
        arguments: Sequence[str] = (),
        profile: str = "default",
    ) -> None:
        self._config_path, self._interval, self._until_idle = config_path, interval, until_idle
        self._command = snakemake_command(config_path, cores, arguments, profile=profile_file(profile))
        self._asks_for_more = bool(arguments)
        self._session = Session(load_config(config_path))
        self._output = Path(self._session.output)
        self._display = Display(self._output / "logs" / "watch.log")
        now = time.time()
        self._status = Status(
            source=self._session.config.source, host=os.uname().nodename, pid=os.getpid(), started=now
        )
        self._looks, self._passes, self._trainings = Trouble(interval), Trouble(interval), Trouble(interval)
        self._trainer: Running | None = None
        self._token = ""
        self._passed: object = None  # what the last pass that went well started from
        self._samples: deque[tuple[float, int, int]] = deque()
        self._last_arrival, self._look_again_at, self._look_at = now, 0.0, 0.0

    def run(self, *, once: bool = False) -> int:
        """Watch until stopped, until the session is over, or `once`: one look and all the work that it gives.

        Returns
        -------
        int
            0 if all is well, `SOME_FAILED` if some micrographs failed, 1 if the last pass did.

        Raises
        ------
        UsageError
            When another run is at work.
        KeyboardInterrupt
            When stopped; jobs have been stopped too.
        """
        with alone(self._output) as self._token, self._display:
            self._display.say(f"watching {self._status.source}; a look every {self._interval:g} s")
            try:
                code = self._work_once() if once else self._work()
                self._status.state = "finished"
                self._display.say(f"finished: {self._status.done} micrographs denoised, {self._status.failed} failed")
                return code
            except KeyboardInterrupt:
                self._status.state = "stopped"
                raise
            finally:
                if self._trainer:
                    self._trainer.stop()
                self._status.jobs, self._status.jobs_total, self._status.training = [], 0, ""
                self._status.write(self._output)
                end_live(self._output)

    # -- the loop -------------------------------------------------------------------------------

    def _work(self) -> int:
        last_tries = 0
        while True:
            self._look()
            try:
                if self._is_due():
                    self._pass()
                self._train_beside()
            except OSError as error:  # such as a mount that is lost
                self._fail(f"cannot work: {error}", self._passes)
            if self._is_idle():
                self._end()
                last_tries += 1
                if not self._passes.times:
                    return self._code()
                if last_tries == _LAST_TRIES:
                    return 1
            self._wait()

    def _work_once(self) -> int:
        self._look()
        while not self._in_trouble:
            if self._is_due():
                self._pass()
            self._train_beside()
            if not self._trainer:
                break
            while self._trainer:
                self._wait()
                self._train_beside()
            self._look()
        return 1 if self._in_trouble else self._code()

    @property
    def _in_trouble(self) -> bool:
        return any(trouble.times for trouble in (self._looks, self._passes, self._trainings))

    def _code(self) -> int:
        return SOME_FAILED if self._status.failed else 0

    def _wait(self) -> None:
        """Wait for the next look, and keep the display up to date."""
        self._status.state = "failing" if self._in_trouble else "waiting"
        while time.time() < self._look_at:
            self._tell()
            time.sleep(_POLL_SECONDS)

    # -- looking --------------------------------------------------------------------------------

    def _look(self, *, decide: bool = True) -> None:
        """Take in what has come; a source that cannot be read for the moment is looked at again."""
        begun = time.time()
        again = begun >= self._look_again_at
        patience = Patience(self._interval, 60 * self._session.config.shards.max_wait, begun)
        try:
            self._session = Session(load_config(self._config_path))
            taken = self._session.plan(patience=patience, look_again=again, decide=decide)
            self._session.check_source()
            self._count(taken)
        except _PROBLEMS as error:
            self._fail(f"cannot look for movies: {error}", self._looks)
            self._look_at = self._looks.next_try
            return
        if again:
            self._look_again_at = time.time() + _LOOKING_SHARE * (time.time() - begun)
        if self._looks.times:
            self._looks.over()
            self._status.problem = ""
        self._look_at = time.time() + self._interval

    def _count(self, taken: Plan) -> None:
        status, now = self._status, time.time()
        if taken.added or taken.seen != status.seen or taken.waiting != status.waiting:
            self._last_arrival = now
        if taken.added:
            self._display.say(f"{taken.added} movies taken in; {len(taken.shards)} shards")
        status.seen, status.waiting, status.taken_in = taken.seen, taken.waiting, taken.taken_in
        latest = self._session.models.latest
        if latest and latest.model != status.model:
            self._display.say(f"model {latest.model} is in force from shard {latest.first_shard} on: {latest.reason}")
            status.model = latest.model
        self._samples.append((now, status.seen, status.done))
        while self._samples[0][0] < now - _HOUR:
            self._samples.popleft()
        begun, seen, done = self._samples[0]
        if now - begun >= 2 * self._interval:
            status.arriving_per_hour = (status.seen - seen) * _HOUR / (now - begun)
            status.done_per_hour = (status.done - done) * _HOUR / (now - begun)
        undone = [shard for shard in taken.shards if not Path(self._session.tables("denoised", [shard])[0]).is_file()]
        sealed = [shard_file(self._output, shard).stat().st_mtime for shard in undone]
        status.behind_seconds = now - min(sealed) if sealed else 0.0

    # -- working --------------------------------------------------------------------------------

    def _situation(self) -> object:
        """Return what a pass starts from: nothing is to be done as long as it stays the same."""
        files = (self._config_path, journal_file(self._output), withdrawn_file(self._output))
        return self._session.shards(), [path.read_bytes() if path.is_file() else b"" for path in files]

    def _is_due(self) -> bool:
        return time.time() >= self._passes.next_try and bool(self._session.shards()) and self._undone()

    def _undone(self) -> bool:
        return self._passed != self._situation()

    def _is_idle(self) -> bool:
        if self._until_idle is None or self._trainer or self._looks.times or time.time() < self._passes.next_try:
            return False
        return time.time() - self._last_arrival >= 60 * self._until_idle

    def _end(self) -> None:
        """Make the last pass: what waits is taken in as it is, and the model is the one that a batch run trains."""
        self._display.say("no more movies: taking in what waits, and finishing")
        try:
            self._session = Session(load_config(self._config_path))
            taken = self._session.plan()
            self._session.check_source()
            self._count(taken)
        except _PROBLEMS as error:
            self._fail(f"cannot finish: {error}", self._passes)
            return
        if self._session.shards():
            self._pass()

    def _pass(self) -> None:
        """Run Snakemake once, and go on looking meanwhile; decisions about models wait until it is over."""
        situation = self._situation()
        self._status.state = "working"
        try:
            finished = Finished(self._session, workflow_folder())
            if self._asks_for_more:
                finished.forget()
            with start(self._command, self._output, token=self._token, log="run", live=SECONDS) as running:
                while not running.wait(_POLL_SECONDS):
                    self._follow(running)
                    if time.time() >= self._look_at:
                        self._look(decide=False)
                self._follow(running)
                if running.code:
                    self._fail("; ".join(running.complaints()), self._passes)
                    return
            if not self._asks_for_more:
                finished.note()
            self._status.look(self._output)
            self._warn_of_drift()
        except _PROBLEMS as error:
            self._fail(f"a pass could not run: {error}", self._passes)
            return
        finally:
            self._status.jobs, self._status.jobs_total = [], 0
        self._passed = situation
        self._passes.over()
        self._status.problem = ""
        snr = self._status.snr_denoised_db
        quality = f", SNR {snr:.1f} dB in shard {self._status.shard}" if snr is not None else ""
        self._display.say(f"pass done: {self._status.done} micrographs denoised, {self._status.failed} failed{quality}")

    def _warn_of_drift(self) -> None:
        drift = self._session.drift()
        if drift and drift != self._status.drift:
            self._display.say(f"DRIFT: {drift}")
        self._status.drift = drift

    def _follow(self, running: Running) -> None:
        for job in running.events.update():
            self._display.say(f"- {job.message}")
        at_work = list(running.events.running.values())
        self._status.jobs = [f"{job.message}  {job.last_line[:60]}" for job in at_work]
        self._status.jobs_done, self._status.jobs_total = running.events.done, running.events.total
        self._tell()

    def _train_beside(self) -> None:
        """Train the model that is to be promoted while passes go on."""
        if self._trainer and self._trainer.code is not None:
            if self._trainer.code:
                self._fail("training: " + "; ".join(self._trainer.complaints()), self._trainings)
            else:
                self._trainings.over()
            self._trainer, self._status.training, self._look_at = None, "", 0.0
        model = self._session.awaited_model()
        if model is None or self._trainer or time.time() < self._trainings.next_try:
            return
        halves = self._session.tables("halves", self._session.training_shards(model))
        if not all(Path(table).is_file() for table in halves):
            return
        self._display.say(f"training model {model} beside the passes")
        weights = f"{self._output}/models/{model}/{WEIGHTS}"
        command = [*self._command, weights, "--allowed-rules", "freeze", "train"]
        self._trainer = start(command, self._output, token=self._token, log="training")
        self._status.training = model

    # -- telling --------------------------------------------------------------------------------

    def _fail(self, message: str, trouble: Trouble) -> None:
        pause = trouble.note()
        self._status.problem, self._status.next_try = message, trouble.next_try
        self._display.say(f"{message}  (trying again in {pause:.0f} s)")
        self._tell()

    def _tell(self) -> None:
        """Write the status file and bring the display up to date."""
        if self._trainer:
            self._trainer.events.update()
            at_work = list(self._trainer.events.running.values())
            model = self._status.training.partition(":")[0]
            self._status.training = f"{model}: {at_work[-1].last_line[:60]}" if at_work else model
        if time.time() - self._status.updated >= 2 * _POLL_SECONDS:
            self._status.gpu = gpu_use()
            self._status.write(self._output)
        self._display.show(self._status)
