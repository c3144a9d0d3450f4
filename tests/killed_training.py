"""Trains in forked processes that are killed; ``test_training.py`` runs this and compares files.

``python killed_training.py FOLDER LOSS...`` leaves ``FOLDER/LOSS-{whole,renames,moments}``: the
same run without a kill, killed at every rename of a file, and killed at random moments.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tiny_clips import cached_clips, network, training_data

from condi_lib.losses import build_objective
from condi_lib.training import Schedule, TrainingSettings, train
from condi_lib.videos.loader import ClipSet

SETTINGS = TrainingSettings(
    epochs=3,
    batch_size=4,
    checkpoint_steps=2,
    confidence_schedule=Schedule("decay", gamma=0.5, every=1),
)


def run(clips: ClipSet, loss: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    data, objective = training_data(clips), build_objective(loss)
    train(network(loss), objective, data, SETTINGS, folder, device="cpu")


def in_a_fork(work: Callable[[], None], kill_after_sec: float | None = None) -> int:
    """Exit status of the fork: 0, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    if kill_after_sec is not None:
        time.sleep(kill_after_sec)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at_rename(number: int, before: bool) -> None:
    """Let this process be killed at its n-th rename: just before it, or just after."""
    rename, seen = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        seen.append(self)
        if before and len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        done = rename(self, target)
        if len(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Path.replace = replace


def killed_at_renames(clips: ClipSet, loss: str, folder: Path) -> int:
    """Each attempt gets a rename or two further; return how many it took."""
    for attempt in range(1, 100):
        before = attempt % 2 == 0

        def work(before: bool = before) -> None:
            die_at_rename(3 if before else 1, before)
            run(clips, loss, folder)

        if in_a_fork(work) == 0:
            return attempt
    raise AssertionError("never finished")


def killed_at_moments(clips: ClipSet, loss: str, folder: Path, longest_sec: float) -> None:
    rng = random.Random(loss)
    for _ in range(6):
        in_a_fork(lambda: run(clips, loss, folder), rng.uniform(0, longest_sec))
    assert in_a_fork(lambda: run(clips, loss, folder)) == 0


def main() -> None:
    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    clips = cached_clips(root)
    for loss in sys.argv[2:]:
        run(clips, loss, root / f"{loss}-first")  # here, so that forks find everything loaded
        start = time.monotonic()
        assert in_a_fork(lambda loss=loss: run(clips, loss, root / f"{loss}-whole")) == 0
        took = time.monotonic() - start
        killed_at_moments(clips, loss, root / f"{loss}-moments", took)
        attempts = killed_at_renames(clips, loss, root / f"{loss}-renames")
        print(f"{loss}: {took:.2f} s, {attempts} attempts")


if __name__ == "__main__":
    main()
