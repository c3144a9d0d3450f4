"""Train a network on clips: one loop for teachers, students and every loss.

All randomness of a step comes from generators seeded by (seed, epoch, step), so a run that is
killed anywhere and started again ends with the same weights, bit for bit, as one that was not
(same machine, same number of threads).
"""

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from condi_lib.losses import LossInputs, Objective, down_sample_majority
from condi_lib.models.student import StudentOutput
from condi_lib.training.checkpoint import Checkpoint, save_weights
from condi_lib.training.schedule import Schedule
from condi_lib.training.validation import validate
from condi_lib.videos.loader import ClipSet
from condi_lib.videos.preprocess import Preprocess


class TrainingDiverged(RuntimeError):
    """The loss became NaN or infinite."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train: stochastic gradient descent with Nesterov momentum.

    Attributes:
        epochs: Passes over the training clips.
        batch_size: Clips per step; the last, smaller batch of an epoch is dropped.
        lr: Peak learning rate of backbone and class head.
        confidence_lr: Peak learning rate of the confidence head; None: the same.
        schedule: Of backbone and class head.
        confidence_schedule: Of the confidence head; None: the same.
        momentum: Of SGD.
        weight_decay: Of SGD.
        clip_norm: Largest L2 norm of all gradients together; 0 switches clipping off.
        checkpoint_steps: Also save within epochs, every so many steps; 0: at epoch ends only.
        seed: Decides order, augmentation and whatever else is drawn.
    """

    epochs: int = 8
    batch_size: int = 32
    lr: float = 0.08
    confidence_lr: float | None = None
    schedule: Schedule = field(default_factory=Schedule)
    confidence_schedule: Schedule | None = None
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip_norm: float = 2.0
    checkpoint_steps: int = 0
    seed: int = 0


@dataclass(frozen=True)
class TrainingData:
    """What to train on: clips by number, their labels and what the teacher says of them.

    Attributes:
        clips: All clips.
        rows: Numbers of the clips to train on, int64 ``[n]``.
        labels: Class of every clip of ``clips``, int64 ``[R]``.
        preprocess: Decoded clips to network input.
        teacher_logits: float32 ``[R, C]``, or None where the objective needs none.
        val_rows: Clips on which each epoch is measured, int64 ``[m]``; may be empty.
    """

    clips: ClipSet
    rows: NDArray[np.int64]
    labels: Tensor
    preprocess: Preprocess
    teacher_logits: Tensor | None
    val_rows: NDArray[np.int64]


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; ``"auto"`` is CUDA where there is one, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def train(
    model: nn.Module,
    objective: Objective,
    data: TrainingData,
    settings: TrainingSettings,
    folder: Path,
    device: str = "auto",
    workers: int = 0,
    progress: bool = False,
) -> nn.Module:
    """Train ``model`` and leave ``weights.safetensors`` and ``history.csv`` in ``folder``.

    A checkpoint found in ``folder`` is resumed. fp32 on the CPU (bf16 training of Conv3d is broken
    there, see data/README.md); automatic mixed precision on CUDA.

    Args:
        model: From clips ``[B, 3, T, H, W]`` to logits ``[B, C]`` or a ``StudentOutput``.
        objective: The loss.
        data: Clips, labels, teacher logits.
        settings: Optimiser, schedule, seed.
        folder: Existing folder for checkpoint, history and weights.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        workers: Processes that decode where the clips are not cached.
        progress: Show a progress bar.

    Returns:
        The trained model, in eval mode.

    Raises:
        TrainingDiverged: If the loss becomes NaN or infinite; names epoch, step and checkpoint.
        ValueError: If the data and the objective do not fit, or ``folder`` holds another run.
    """
    _check(objective, data, settings)
    run = _Run(model, objective, data, settings, folder, pick_device(device), workers)
    bar = tqdm(total=settings.epochs * run.steps_per_epoch, unit="step", disable=not progress)
    with _deterministic(), torch.random.fork_rng(_cuda_indices(run.device)), bar:
        bar.update(run.at.epoch * run.steps_per_epoch + run.at.step)
        while run.at.epoch < settings.epochs:
            for parts in run.steps():
                bar.set_description(f"{objective.name} {parts['loss']:.3f}")
                bar.update()
            run.finish_epoch()
    save_weights(model, folder / "weights.safetensors")
    run.checkpoint_path.unlink(missing_ok=True)
    return model.eval()


def _cuda_indices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []


@contextmanager
def _deterministic() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield


def _check(objective: Objective, data: TrainingData, settings: TrainingSettings) -> None:
    if objective.needs_teacher and data.teacher_logits is None:
        raise ValueError(f"loss {objective.name!r} needs teacher logits: score the clips first")
    if len(data.rows) < settings.batch_size:
        raise ValueError(
            f"{len(data.rows)} training clips do not fill one batch of {settings.batch_size}"
        )


class _Run:
    """A training run under way."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        data: TrainingData,
        settings: TrainingSettings,
        folder: Path,
        device: torch.device,
        workers: int,
    ) -> None:
        self.model = model.to(device, memory_format=torch.channels_last_3d)
        self.objective, self.data, self.settings = objective, data, settings
        self.folder, self.device, self.workers = folder, device, workers
        self.steps_per_epoch = len(self._epoch_rows(0)) // settings.batch_size
        self.optimizer = _optimizer(model, settings)
        self.amp = device.type == "cuda"
        self.amp_dtype = (
            torch.bfloat16 if self.amp and torch.cuda.is_bf16_supported() else torch.float16
        )
        scaling = self.amp and self.amp_dtype == torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaling)
        self.checkpoint_path = folder / "checkpoint.safetensors"
        self.at = self._resume()

    def _resume(self) -> Checkpoint:
        described = asdict(self.settings) | self.objective.hyperparameters
        described |= {"objective": self.objective.name, "n": len(self.data.rows)}
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:12]
        if not self.checkpoint_path.exists():
            return Checkpoint(digest)
        at = Checkpoint.load(self.checkpoint_path, digest, self.model, self.optimizer)
        self.objective.load_state_dict(at.objective)
        if at.scaler:
            self.scaler.load_state_dict(at.scaler)
        return at

    def _save(self) -> None:
        self.at.objective = self.objective.state_dict()
        self.at.scaler = self.scaler.state_dict()
        self.at.save(self.checkpoint_path, self.model, self.optimizer)

    def _epoch_rows(self, epoch: int) -> NDArray[np.int64]:
        """The clips of one epoch, shuffled; as many right as wrong ones where the loss wants it."""
        generator = _generator(self.settings.seed, epoch)
        rows = torch.from_numpy(self.data.rows)
        if self.objective.down_sample_majority:
            rows = rows[down_sample_majority(self._teacher_correct(), generator)]
        return rows[torch.randperm(len(rows), generator=generator)].numpy()

    def _teacher_correct(self) -> Tensor:
        rows = torch.from_numpy(self.data.rows)
        return self.data.teacher_logits[rows].argmax(dim=1) == self.data.labels[rows]

    def steps(self) -> Iterator[dict[str, float]]:
        """Take the steps that are left of the current epoch."""
        at, size = self.at, self.settings.batch_size
        rows = self._epoch_rows(at.epoch)
        batches = [rows[i * size : (i + 1) * size] for i in range(at.step, self.steps_per_epoch)]
        pixels = self.data.clips.batches(batches, self.workers)
        for batch_rows, batch in zip(batches, pixels, strict=True):
            parts = self._step(batch_rows, batch)
            at.sums = {name: at.sums.get(name, 0.0) + value for name, value in parts.items()}
            at.step += 1
            every = self.settings.checkpoint_steps
            if every and at.step % every == 0:
                self._save()
            yield parts

    def _step(self, rows: NDArray[np.int64], batch: Tensor) -> dict[str, float]:
        at, settings = self.at, self.settings
        generator = _generator(settings.seed, at.epoch, at.step)
        torch.manual_seed(generator.initial_seed())  # dropout, if the model has any
        self._set_learning_rates()
        self.model.train()
        inputs = self.data.preprocess(batch, generator).to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, self.amp_dtype, enabled=self.amp):
            output = self.model(inputs)
        parts = self.objective(self._loss_inputs(output, rows, generator))
        values = {name: float(part.detach()) for name, part in parts.items()}
        if not all(math.isfinite(value) for value in values.values()):
            raise TrainingDiverged(self._divergence(values))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(parts["loss"]).backward()
        if settings.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.objective.after_step(parts)
        return values

    def _loss_inputs(
        self, output: Tensor | StudentOutput, rows: NDArray[np.int64], generator: torch.Generator
    ) -> LossInputs:
        class_logits, confidence_logit = output if isinstance(output, tuple) else (output, None)
        teacher = self.data.teacher_logits
        return LossInputs(
            class_logits=class_logits.float(),
            confidence_logit=None if confidence_logit is None else confidence_logit.float(),
            teacher_logits=None if teacher is None else teacher[rows].to(self.device),
            labels=self.data.labels[rows].to(self.device),
            generator=generator,
        )

    def _set_learning_rates(self) -> None:
        n_steps = self.settings.epochs * self.steps_per_epoch
        step = self.at.epoch * self.steps_per_epoch + self.at.step
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * group["schedule"].factor(step, n_steps, self.at.epoch)

    def _divergence(self, values: dict[str, float]) -> str:
        saved = self.checkpoint_path
        last = f"the last checkpoint is {saved}" if saved.exists() else "there is no checkpoint yet"
        shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
        return (
            f"loss {self.objective.name!r} is not finite at epoch {self.at.epoch + 1}, "
            f"step {self.at.step + 1} ({shown}); {last}. Try a lower learning rate "
            f"(lr is {self.settings.lr:g}) or a smaller clip_norm."
        )

    def finish_epoch(self) -> None:
        """Measure the epoch, write its row of the history, save."""
        at = self.at
        row: dict[str, float] = {"epoch": at.epoch + 1}
        row |= {f"train_{name}": total / at.step for name, total in at.sums.items()}
        if self.data.teacher_logits is not None:
            row["train_teacher_correct"] = float(self._teacher_correct().float().mean())
        lrs = {group["name"]: group["lr"] for group in self.optimizer.param_groups}
        row |= {"lr": lrs["backbone"], "confidence_lr": lrs.get("confidence", math.nan)}
        if len(self.data.val_rows):
            row |= validate(self.model, self._val_batches(), self._val_loss_inputs, self.objective)
        at.history.append(row)
        at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
        self._save()
        _write_history(self.folder / "history.csv", at.history)

    def _val_batches(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        rows, size = self.data.val_rows, 2 * self.settings.batch_size
        batches = [rows[i : i + size] for i in range(0, len(rows), size)]
        for batch_rows, batch in zip(
            batches, self.data.clips.batches(batches, self.workers), strict=True
        ):
            yield batch_rows, self.data.preprocess(batch).to(self.device)

    def _val_loss_inputs(self, output: Tensor | StudentOutput, rows: NDArray) -> LossInputs:
        return self._loss_inputs(output, rows, _generator(self.settings.seed, 0, len(rows)))


def _generator(*key: int) -> torch.Generator:
    """A generator of its own for each (seed, epoch[, step])."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def _optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.SGD:
    """SGD with one group of parameters per branch, each with its peak rate and schedule."""
    confidence, backbone = [], []
    for name, parameter in model.named_parameters():
        (confidence if name.startswith("confidence_head.") else backbone).append(parameter)
    confidence_lr = settings.lr if settings.confidence_lr is None else settings.confidence_lr
    branches = [
        ("backbone", backbone, settings.lr, settings.schedule),
        ("confidence", confidence, confidence_lr, settings.confidence_schedule),
    ]
    groups = [
        {"params": params, "name": name, "peak": peak, "schedule": schedule or settings.schedule}
        for name, params, peak, schedule in branches
        if params
    ]
    return torch.optim.SGD(
        groups,
        lr=settings.lr,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    part = path.with_name(path.name + ".part")
    pd.DataFrame(history).to_csv(part, index=False)
    part.replace(path)
