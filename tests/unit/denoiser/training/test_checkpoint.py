"""A training that is stopped, at any moment and in any way, ends as one that is not; and one that breaks goes back."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from cryopair.denoiser.model import load_model
from cryopair.denoiser.networks.unet import UNet
from cryopair.denoiser.training import processes, schedule
from cryopair.denoiser.training.batches import Batch, Batches
from cryopair.denoiser.training.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint, write_checkpoint
from cryopair.denoiser.training.pairs import OpenPair
from cryopair.denoiser.training.train import TrainingSettings, train
from cryopair.denoiser.training.trainer import Trainer
from cryopair.denoiser.training.training_set import freeze_training_set, write_manifest
from cryopair.errors import CryopairError
from cryopair.micrographs import Micrographs

STEPS = 80
SETTINGS = TrainingSettings(steps=STEPS, batch=3, crop=32, channels=(16, 16))  # wide enough for both kinds of steps
TRAINING = {"settings": {"steps": STEPS}}

SCRIPT = """
import sys, torch
from cryopair.denoiser.training.train import TrainingSettings, train
torch.set_num_threads(1)
if "float32" in sys.argv:
    torch.cpu.get_capabilities = dict  # as on a processor without bfloat16
steps, channels = int(sys.argv[3]), int(sys.argv[4])
settings = TrainingSettings(steps=steps, batch=3, crop=32, channels=(channels, channels))
train(sys.argv[1], settings, out=sys.argv[2])
"""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, make_pairs: Callable[..., Micrographs]) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    write_manifest(folder / "manifest.star", freeze_training_set([make_pairs(folder / "halves", 4, (64, 72))]))
    return folder / "manifest.star"


@pytest.fixture(scope="module")
def expected(manifest: Path) -> dict[str, bytes]:
    train(manifest, SETTINGS, out=manifest.parent / "whole")
    return contents(manifest.parent / "whole")


@pytest.fixture
def draw() -> Batches:
    rng = np.random.default_rng(0)
    pairs = [OpenPair((even, odd)) for even, odd in rng.normal(size=(3, 2, 40, 40)).astype(np.float16)]
    return Batches(pairs, side=16, size=2, seed=0)


def command(manifest: Path, *options: str) -> list[str]:
    """Return the start of the command that trains in a process of its own."""
    script = manifest.with_name("script.py")
    script.write_text(SCRIPT)
    return [sys.executable, *options, str(script)]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def new_trainer() -> Trainer:
    torch.manual_seed(3)
    network = UNet(channels=(16, 16))
    return Trainer(network, steps=STEPS, learning_rate=1e-2, batch=2, device=torch.device("cpu"))


def run(trainer: Trainer, draw: Callable[[int], Batch], keep: Callable[[Checkpoint], None] = id) -> Iterator[int]:
    def report(trainer: Trainer) -> dict[str, float]:
        losses = trainer.progress.losses
        return {"step": trainer.progress.step, "loss": float(np.mean(losses)), "losses": len(losses)}

    return trainer.run(draw, report=report, keep=keep)


def assert_same(one: Trainer, other: Trainer) -> None:
    first, second = one.checkpoint(), other.checkpoint()
    assert first.progress == second.progress
    assert first.tensors.keys() == second.tensors.keys()
    assert all(torch.equal(tensor, second.tensors[name]) for name, tensor in first.tensors.items())


def test_killed_and_started_again_it_ends_with_the_same_bytes(manifest: Path, expected: dict[str, bytes]) -> None:
    out = manifest.parent / "killed"
    for step in (36, 68):  # after the first checkpoint and after the second
        child = subprocess.Popen([*command(manifest), manifest, out, str(STEPS), "16"], stderr=subprocess.DEVNULL)
        while not (out / f"samples/step_{step:06d}.png").exists() and child.poll() is None:
            time.sleep(0.002)
        child.kill()
        assert child.wait() == -signal.SIGKILL
        assert not (out / "model.safetensors").exists()
    assert (out / CHECKPOINT).exists()
    train(manifest, SETTINGS, out=out)
    assert contents(out) == expected


def test_stopped_after_each_step_around_each_checkpoint(draw: Batches, tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    keep = partial(write_checkpoint, path, training=TRAINING)
    whole = new_trainer()
    assert list(run(whole, draw)) == list(range(1, STEPS + 1))
    for stop in (1, 24, 25, 26, 49, 50, 51, 75, 79):
        path.unlink(missing_ok=True)
        list(islice(run(new_trainer(), draw, keep), stop))
        resumed = new_trainer()
        if found := read_checkpoint(path, TRAINING):
            resumed.restore(found)
        assert resumed.progress.step == sum(schedule.is_checkpoint(step, STEPS) for step in range(1, stop + 1)) * 25
        list(run(resumed, draw))
        assert_same(resumed, whole)


def test_a_finished_training_is_not_done_again(manifest: Path, expected: dict[str, bytes]) -> None:
    out = manifest.parent / "whole"
    (out / CHECKPOINT).write_bytes(b"left by a process that was killed just before its end")
    start = time.perf_counter()
    model = train(manifest, SETTINGS, out=out)
    assert time.perf_counter() - start < 0.5
    assert model.hash == load_model(out).hash
    assert contents(out) == expected


def test_the_checkpoint_of_another_training_is_not_used(
    tmp_path: Path, draw: Batches, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / CHECKPOINT
    write_checkpoint(path, new_trainer().checkpoint(), TRAINING)
    assert read_checkpoint(path, TRAINING | {"seed": 1}) is None
    assert f"{path} is of a training with other seed; training starts anew." in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:1000])
    assert read_checkpoint(path, TRAINING) is None
    assert f"{path} is no checkpoint (" in capsys.readouterr().err
    assert read_checkpoint(tmp_path / "none", TRAINING) is None
    assert capsys.readouterr().err == ""


def poisoned(draw: Callable[[int], Batch], *numbers: int) -> Callable[[int], Batch]:
    """Let the batches of some numbers hold a pixel that is not a number."""

    def spoil(number: int) -> Batch:
        batch = draw(number)
        if number in numbers:
            batch.inputs[0, 0, 3, 4] = np.nan
        return batch

    return spoil


def test_after_a_broken_step_it_goes_back_and_on_at_half_the_rate(draw: Batches, tmp_path: Path) -> None:
    trainer, undisturbed = new_trainer(), new_trainer()
    list(run(undisturbed, draw))
    list(run(trainer, poisoned(draw, 33)))
    # Step 34 was noticed at step 36, a report, and the last checkpoint was after step 25.
    assert (trainer.progress.rollbacks, trainer.progress.draws) == ([36], STEPS + 36 - 25)
    assert trainer.rate == undisturbed.rate / 2
    assert [line["step"] for line in trainer.progress.history] == list(range(4, STEPS + 1, 4))
    assert all(line["losses"] == 4 and np.isfinite(line["loss"]) for line in trainer.progress.history)
    assert all(weight.isfinite().all() for weight in trainer.averaged.parameters())

    path = tmp_path / CHECKPOINT  # and the way back is the same after it was stopped on it
    list(islice(run(new_trainer(), poisoned(draw, 33), partial(write_checkpoint, path, training=TRAINING)), 42))
    resumed, found = new_trainer(), read_checkpoint(path, TRAINING)
    assert found
    assert found.progress.step == 25
    resumed.restore(found)
    list(run(resumed, poisoned(draw, 33)))
    assert_same(resumed, trainer)


def test_weights_that_break_are_noticed_too(draw: Batches) -> None:
    trainer = new_trainer()
    for step in run(trainer, draw):
        if step == 30 and not trainer.progress.rollbacks:
            next(trainer.network.parameters()).data[0] = torch.inf
    assert trainer.progress.rollbacks == [32]


def test_what_breaks_again_and_again_is_an_error(draw: Batches) -> None:
    trainer = new_trainer()
    with pytest.raises(CryopairError, match=r"not finite at step 28 of 80, after going back 3 times .* half-sums"):
        list(run(trainer, poisoned(draw, *range(27, 200))))
    assert trainer.progress.rollbacks == [28, 28, 28]


def test_two_processes_train_the_same_network_as_one(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To float rounding; of a batch of three, one takes one crop and the other two."""
    outs = [manifest.parent / name for name in ("alone", "together")]
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)  # no bfloat16, as in SCRIPT
    train(manifest, replace(SETTINGS, steps=8, channels=(4, 4)), out=outs[0])
    launcher = command(manifest, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    subprocess.run([*launcher, manifest, outs[1], "8", "4", "float32"], check=True, capture_output=True)
    alone, together = (load_model(out).network.state_dict() for out in outs)
    moved = float(alone["last.weight"].abs().max())  # from zero
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=0, atol=1e-4 * moved)
    assert contents(outs[0]).keys() == contents(outs[1]).keys()
    cards = [json.loads((out / "model.json").read_text()) for out in outs]
    assert cards[0]["settings"] == cards[1]["settings"]


def test_an_error_in_one_of_several_processes_is_the_error(tmp_path: Path) -> None:
    with pytest.raises(CryopairError, match=r"none\.star: no such file"):
        processes.run(2, partial(train, out=tmp_path), tmp_path / "none.star", SETTINGS)
