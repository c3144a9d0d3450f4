"""How to train, what to train on, and a fingerprint of both."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from condi_lib.losses import Objective
from condi_lib.models.glimpse import Glimpse
from condi_lib.training.schedule import Schedule
from condi_lib.videos.loader import ClipSet
from condi_lib.videos.preprocess import Preprocess

ROWS_AT_ONCE = 256  # of the teacher's logits, which may be larger than memory


@dataclass(frozen=True)
class TrainingSettings:
    """How to train: stochastic gradient descent with momentum, Nesterov's unless it is dampened.

    Attributes:
        epochs: Passes over the training clips; 0 where weights are used as they are.
        batch_size: Clips per step, of all processes together; the last, smaller batch of an epoch
            is dropped.
        lr: Peak learning rate of backbone and class head.
        confidence_lr: Peak learning rate of the confidence head; None: the same.
        schedule: Of backbone and class head.
        confidence_schedule: Of the confidence head; None: the same.
        momentum: Of SGD; without any (0) it is plain SGD.
        dampening: Of momentum: .9 takes a tenth of the step at the same rate, as training code of
            the paper's time did by default (Efficient-3DCNNs, 3D-ResNets-PyTorch).
        weight_decay: Of SGD.
        clip_norm: Largest L2 norm of all gradients together; 0 switches clipping off.
        checkpoint_steps: Also save within epochs, every so many steps; 0: at epoch ends only.
        clips_per_video: Show so many random clips of each video in an epoch; None: all of them.
        seed: Decides order, augmentation and whatever else is drawn.

    Raises:
        ValueError: If a number is out of range.
    """

    epochs: int = 8
    batch_size: int = 32
    lr: float = 0.08
    confidence_lr: float | None = None
    schedule: Schedule = field(default_factory=Schedule)
    confidence_schedule: Schedule | None = None
    momentum: float = 0.9
    dampening: float = 0.0
    weight_decay: float = 5e-4
    clip_norm: float = 2.0
    checkpoint_steps: int = 0
    clips_per_video: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.clips_per_video is not None and self.clips_per_video < 1:
            raise ValueError(f"clips_per_video must be at least 1, got {self.clips_per_video}")
        for name in ("epochs", "weight_decay", "clip_norm", "checkpoint_steps", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and >= 0, got {getattr(self, name)}")
        for name in ("lr", "confidence_lr"):
            if (value := getattr(self, name)) is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be finite and > 0, got {value}")
        for name in ("momentum", "dampening"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What to train on: clips by number, their labels and what the teacher says of them.

    Attributes:
        clips: All clips.
        rows: Numbers of the clips to train on, int64 ``[n]``.
        labels: Class of every clip of ``clips``, int64 ``[R]``.
        preprocess: Decoded clips to network input.
        teacher_logits: float32 ``[R, C]``, or None where the objective needs none; finite for the
            clips in ``rows`` and ``val_rows``, whatever it is elsewhere. It may be memory-mapped:
            it is only ever read some rows at a time.
        val_rows: Clips on which each epoch is measured, int64 ``[m]``; may be empty.

    Raises:
        ValueError: If labels or teacher logits do not fit the clips.
    """

    clips: ClipSet
    rows: NDArray[np.int64]
    labels: Tensor
    preprocess: Preprocess
    teacher_logits: Tensor | None
    val_rows: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.clips):
            raise ValueError(
                f"{len(self.labels)} labels for {len(self.clips)} clips: give one each"
            )
        if self.teacher_logits is None:
            return
        if len(self.teacher_logits) != len(self.clips):
            raise ValueError(
                f"teacher logits of {len(self.teacher_logits)} clips, but there are "
                f"{len(self.clips)}: give a row for each, NaN where there is none"
            )
        used = np.concatenate([self.rows, self.val_rows])
        bad = used[~self._by_row(lambda logits, _: logits.isfinite().all(dim=1), used).numpy()]
        if len(bad):
            clip = self.clips.table(bad[:1]).iloc[0]
            raise ValueError(
                f"{len(bad)} clips have no finite teacher logits, the first is clip "
                f"{clip['clip_index']} of {clip['video_id']}: let the teacher score their split"
            )

    def teacher_correct(self) -> Tensor:
        """Whether the teacher is right about each training clip, bool ``[n]``."""
        return self._by_row(lambda logits, labels: logits.argmax(dim=1) == labels, self.rows)

    def _by_row(self, look: Callable[[Tensor, Tensor], Tensor], rows: NDArray[np.int64]) -> Tensor:
        """What ``look`` finds in the teacher's logits and the labels of some rows at a time."""
        found = torch.empty(len(rows), dtype=torch.bool)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            piece = slice(start, start + ROWS_AT_ONCE)
            found[piece] = look(self.teacher_logits[rows[piece]], self.labels[rows[piece]])
        return found


def fingerprint(
    model: nn.Module, objective: Objective, data: TrainingData, settings: TrainingSettings
) -> str:
    """Hexadecimal digest of all that decides a run's weights: the same run, or another one?

    Args:
        model: As it is before training: its weights count, and what it sees of a clip.
        objective: Its name and hyperparameters count.
        data: Which clips in which order, seen or heard, labels, teacher logits and preprocessing
            count; not the pixels.
        settings: All of it.
    """
    described = [
        asdict(settings),
        asdict(data.preprocess),
        [objective.name, objective.hyperparameters],
    ]
    glimpses = [module for module in model.modules() if isinstance(module, Glimpse)]
    described += [repr(glimpse) for glimpse in glimpses if glimpse.options]
    described += [] if data.clips.sound is None else [asdict(data.clips.sound)]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for record in data.clips.catalog:
        digest.update(f"{record.video_id}\n".encode())
    tensors = {"rows": torch.from_numpy(data.rows), "labels": data.labels, **model.state_dict()}
    if data.teacher_logits is not None:
        tensors["teacher_logits"] = data.teacher_logits
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]
