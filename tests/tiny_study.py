"""The smallest study that trains: 12 videos a split, 16 px frames, clips of 4 frames."""

import copy
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import yaml

from condi_lib.__main__ import main
from condi_lib.study import ensure, read_study

N_VIDEOS = 12  # one of each class
TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": {
        "pantomime": {
            "size_px": 16,
            "clip_frames": 4,
            "splits": {
                "teacher_train": {"n_videos": N_VIDEOS, "trimmed": True, "n_clips": 2},
                "train": {"n_videos": N_VIDEOS, "n_clips": 2},
                "val": {"n_videos": N_VIDEOS, "n_clips": 2},
                "test": {"n_videos": N_VIDEOS, "n_clips": 3},
            },
        },
        "clip_frames": 4,
        "size_px": [16, 16],
    },
    "preprocess": {"crop_px": 16},
    "teacher": {
        "backbone": "small_cnn3d",
        "options": {"width": 2},
        "train_splits": ["teacher_train"],
        "val_split": "",
        "training": {"epochs": 2, "batch_size": 4, "checkpoint_steps": 1},
    },
    "student": {
        "backbone": "small_cnn3d",
        "options": {"width": 2},
        "training": {"epochs": 2, "batch_size": 4, "checkpoint_steps": 1},
    },
    "losses": {"condi_sr": {}},
}


def tiny(**changes: Any) -> dict[str, Any]:
    """The tiny study's fields, some of them changed: ``tiny(**{"teacher.backbone": "r2d2"})``.

    A value of ``...`` takes a field out.
    """
    fields = copy.deepcopy(TINY)
    for path, value in changes.items():
        *parents, last = path.split(".")
        inner = fields
        for parent in parents:
            inner = inner[parent]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return fields


def write_params(root: Path, fields: dict[str, Any], name: str = "tiny") -> Path:
    """Write a params file below a project root."""
    path = root / "notebooks" / "params" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"study": fields}, sort_keys=False))
    return path


def ensure_and_die(fields: dict[str, Any], root: Path, file: str, count: int, after: bool) -> None:
    """Compute the study's student, killed as ``file`` is put in place for the ``count``-th time.

    Whatever the study writes, it writes under another name and renames it: these are the moments
    between two states of the disk. Meant for a process of its own.

    Args:
        fields: The study.
        root: The project.
        file: Pattern of the file's name; empty: survive.
        count: From 1.
        after: Just after it is in place, instead of just before.
    """
    os.environ["CONDI_ROOT"] = str(root)
    rename, seen = os.replace, 0

    def replace(source: Path, target: Path) -> None:
        nonlocal seen
        hit = Path(target).match(file) if file else False
        seen += hit
        if hit and seen == count and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)
        if hit and seen == count and after:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replace
    torch.set_num_threads(1)  # sums of several threads are rounded in another order
    ensure(read_study(fields).student_of("condi_sr", 0))


def run_command(root: Path, arguments: list[str], output: Path) -> None:
    """Run ``python -m condi_lib ARGUMENTS`` with its output in a file."""
    os.environ |= {"CONDI_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["condi_lib", *arguments]
    main()


def process(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a function in a process of its own that need not import torch anew."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["condi_lib.study.orchestrate", "torch._dynamo"])
    started = context.Process(target=function, args=arguments)
    started.start()
    return started
