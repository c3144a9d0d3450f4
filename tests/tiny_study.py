"""The smallest study that trains: 12 videos a split, 16 px frames, clips of 4 frames."""

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

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
    path.write_text(yaml.safe_dump({"study": fields}))
    return path


def start(root: Path, *arguments: str, **options: Any) -> subprocess.Popen:
    """Start ``python ARGUMENTS`` in a process of its own, below a project root."""
    environment = os.environ | {"CONDI_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, env=environment, cwd=root, **pipes | options)
