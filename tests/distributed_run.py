"""What ``test_distributed.py`` launches with torchrun: it trains and scores, and dies on the way.

``torchrun … distributed_run.py FOLDER`` leaves in FOLDER, all of it the same whoever computes it:
``LOSS/`` a training with its loss at every step, ``float64/`` one whose rounding does not matter,
``killed/`` one in which a process was killed, ``stopped/`` one to go on with, ``scores/``.
"""

import contextlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from tiny_clips import cached_clips, network, training_data
from torch import nn

from condi_lib.distributed import join_world
from condi_lib.losses import LOSSES, Objective, build_objective
from condi_lib.scoring import score_clips
from condi_lib.training import TrainingSettings, train

# 24 training and 6 validation clips: neither 5 nor the last validation batch of 6 divides by 2, 3.
SETTINGS = TrainingSettings(epochs=2, batch_size=5, checkpoint_steps=1)
COMPARED = ("condi_sr", "st_conf", "bce_conf", "naive", "classification")
ATTEMPT = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


class Stop(Exception):
    """Ends a training early, on all processes alike."""


class Recorded(Objective):
    """Keeps the loss of every batch; may stop the training or kill one process."""

    def __init__(self, name: str, stop: int | None = None, kill: int | None = None) -> None:
        super().__init__(name, LOSSES[name], build_objective(name).hyperparameters)
        self.stop, self.kill, self.losses = stop, kill, []

    def __call__(self, inputs):
        parts = super().__call__(inputs)
        self.losses.append(float(parts["loss"].detach()))
        if len(self.losses) == self.stop:
            raise Stop
        if len(self.losses) == self.kill and join_world().rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return parts


class Deadly(nn.Module):
    """A network that writes down how many clips it saw, and may kill its process after some."""

    def __init__(self, log: Path, kill_after: int | None) -> None:
        super().__init__()
        self.model, self.log, self.kill_after, self.seen = network(), log, kill_after, 0

    def forward(self, clips):
        if self.kill_after is not None and self.seen >= self.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen += len(clips)
        with self.log.open("a") as log:  # whoever is killed here leaves what it wrote before
            log.write("." * len(clips))
        return self.model(clips)


def with_dropout() -> nn.Module:
    """A student that drops features, in double precision."""
    model = network("condi_sr")
    model.backbone.dropout.p = 0.4
    model.register_forward_pre_hook(lambda _, clips: (clips[0].double(),))
    return model.double()


def train_all(root: Path) -> None:
    """Train what is compared with one process."""
    data = training_data(cached_clips(root / "clips"))
    for loss in COMPARED:
        folder, objective = root / loss, Recorded(loss)
        folder.mkdir(exist_ok=True)
        train(network(loss), objective, data, SETTINGS, folder, "cpu")
        if objective.losses and join_world().leads:  # else it was finished before a restart
            (folder / "losses.json").write_text(json.dumps(objective.losses))
    (root / "float64").mkdir(exist_ok=True)
    settings = replace(SETTINGS, clips_per_video=2)
    train(with_dropout(), build_objective("condi_sr"), data, settings, root / "float64", "cpu")


def train_and_die(root: Path, kills: bool) -> None:
    """Train with one process killed at the first attempt, and train half-way."""
    data = training_data(cached_clips(root / "clips"))
    killed, stopped = root / "killed", root / "stopped"
    killed.mkdir(exist_ok=True)
    objective = Recorded("condi_sr", kill=3 if kills and ATTEMPT == 0 else None)
    train(network("condi_sr"), objective, data, SETTINGS, killed, "cpu")
    if not stopped.exists():
        join_world().wait()
        stopped.mkdir(exist_ok=True)
        with contextlib.suppress(Stop):
            objective = Recorded("condi_sr", stop=8)
            train(network("condi_sr"), objective, data, SETTINGS, stopped, "cpu")


def score_and_die(root: Path, kills: bool) -> None:
    """Score, one video a part, with one process killed at the second attempt."""
    world, clips = join_world(), replace(cached_clips(root / "clips"), cache=None)
    dies = kills and ATTEMPT == 1 and world.rank == 1
    model = Deadly(root / f"seen-{ATTEMPT}-{world.rank}.txt", 4 if dies else None)
    preprocess = training_data(clips).preprocess
    rows, options = clips.rows(["train", "val"]), {"clips_per_part": 1, "batch_size": 2}
    score_clips(model, clips, rows, preprocess, root / "scores", "teacher", device="cpu", **options)


def main(root: Path, kills: bool) -> None:
    """Do everything; what an earlier attempt finished is found."""
    torch.set_num_threads(1)
    train_all(root)
    train_and_die(root, kills)
    score_and_die(root, kills)
    world = join_world()
    own = {"part": [world.slice_of(7).start, world.slice_of(7).stop], "attempt": ATTEMPT}
    (root / f"world-{world.rank}-{world.size}.json").write_text(json.dumps(own))


if __name__ == "__main__":
    main(Path(sys.argv[1]), kills="kills" in sys.argv[2:])
