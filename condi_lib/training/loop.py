"""Train a network on clips: one loop for teachers, students and every loss.

All randomness of a step comes from generators seeded by (seed, epoch, step), so a run that is
killed anywhere and started again ends with the same weights, bit for bit, as one that was not
(same machine, same number of threads and processes).

Under torchrun each process takes a slice of every batch. What the networks say is gathered, the
loss is that of the whole batch on every process, and gradients are averaged, so that several
processes train as one would, but for rounding. Rank 0 writes, all of them read; their number may
change whenever the run is started again.
"""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from condi_lib.distributed import join_world, pick_device
from condi_lib.losses import LossInputs, Objective
from condi_lib.losses.terms import at_least_float32
from condi_lib.models.layout import lay_out
from condi_lib.models.student import StudentOutput
from condi_lib.training.checkpoint import (
    LEFTOVERS,
    Checkpoint,
    restore_weights,
    run_of_weights,
    save_weights,
)
from condi_lib.training.global_layers import global_layers
from condi_lib.training.optimizer import branch_optimizer
from condi_lib.training.order import ClipOrder, seeded
from condi_lib.training.settings import TrainingData, TrainingSettings, fingerprint
from condi_lib.training.validation import validate

WEIGHTS, CHECKPOINT, HISTORY = "weights.safetensors", "checkpoint.safetensors", "history.csv"


class TrainingDiverged(RuntimeError):
    """The loss or its gradient became NaN or infinite."""


def train(
    model: nn.Module,
    objective: Objective,
    data: TrainingData,
    settings: TrainingSettings,
    folder: Path,
    device: str = "auto",
    workers: int = 0,
    progress: bool = False,
    about: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Train ``model`` and leave ``weights.safetensors`` and ``history.csv`` in ``folder``.

    A checkpoint found in ``folder`` is resumed, and finished weights are loaded. fp32 on the CPU
    (bf16 training of Conv3d is broken there, see data/README.md); automatic mixed precision on
    CUDA.

    Args:
        model: From clips ``[B, 3, T, H, W]`` to logits ``[B, C]`` or a ``StudentOutput``; to
            resume, pass it with the same initial weights again.
        objective: The loss.
        data: Clips, labels, teacher logits.
        settings: Optimiser, schedule, seed.
        folder: Existing folder for checkpoint, history and weights.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        workers: Processes that decode where the clips are not cached; as many for each process
            that trains.
        progress: Show a progress bar.
        about: What the metadata of the weights should tell of them, such as their classes.

    Returns:
        The trained model, in eval mode.

    Raises:
        TrainingDiverged: If loss or gradient become NaN or infinite; names epoch, step and
            checkpoint.
        ValueError: If the data and the objective do not fit, or ``folder`` holds another run.
    """
    _refuse_what_cannot_train(objective, data, settings)
    world, weights = join_world(), folder / WEIGHTS
    digest = world.agree(lambda: fingerprint(model, objective, data, settings))
    if world.agree(weights.exists):
        model = _finished(model, weights, digest).to(pick_device(device))
        _clear(folder)
        return model.eval()
    run = _Run(model, objective, data, settings, folder, pick_device(device), workers, digest)
    random = torch.random.fork_rng(_cuda_indices(run.device))
    whole_batch = global_layers(model, world, settings.batch_size)
    with _deterministic(), random, whole_batch, closing(run.batches), run.bar(progress) as bar:
        while run.at.epoch < settings.epochs:
            for parts in run.steps():
                bar.set_description(f"{objective.name} {parts['loss']:.3f}")
                bar.update()
            run.finish_epoch()
    if world.leads:
        save_weights(model, weights, run=digest, about=about)
    _clear(folder)
    world.wait()
    return model.eval()


def _refuse_what_cannot_train(
    objective: Objective, data: TrainingData, settings: TrainingSettings
) -> None:
    if objective.needs_teacher and data.teacher_logits is None:
        raise ValueError(f"loss {objective.name!r} needs teacher logits: score the clips first")
    if settings.epochs == 0:
        raise ValueError("epochs is 0: there is nothing to train")


def _cuda_indices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []


@contextmanager
def _deterministic() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield


def _finished(model: nn.Module, weights: Path, digest: str) -> nn.Module:
    if (run := run_of_weights(weights)) != digest:
        other = f"are the weights of another run ({run}, here {digest})"
        raise ValueError(f"{weights}: {other}; delete them or train into another folder")
    return restore_weights(model, weights)


def _clear(folder: Path) -> None:
    """Remove what a finished run needs no more, and what killed ones left half-written."""
    if not join_world().leads:
        return
    (folder / CHECKPOINT).unlink(missing_ok=True)
    for pattern in LEFTOVERS:
        for part in folder.glob(pattern):
            part.unlink()


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
        digest: str,
    ) -> None:
        self.world = join_world()
        if settings.batch_size < self.world.size:
            raise ValueError(
                f"a batch_size of {settings.batch_size} leaves some of {self.world.size} processes "
                "without clips: choose a larger one or start fewer processes"
            )
        self.model = lay_out(model.to(device))
        self.parallel = self.world.parallel(self.model)
        self.objective, self.data, self.settings = objective, data, settings
        self.folder, self.device, self.workers = folder, device, workers
        self.order = ClipOrder(data, objective, settings)
        self.optimizer = branch_optimizer(model, settings)
        self.amp = device.type == "cuda"
        has_bf16 = self.amp and torch.cuda.is_bf16_supported()
        self.amp_dtype = torch.bfloat16 if has_bf16 else torch.float16
        scaling = self.amp and self.amp_dtype == torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaling)
        self.checkpoint_path = folder / CHECKPOINT
        self.at = self._resume(digest)
        self.batches = self._batches()

    def _resume(self, digest: str) -> Checkpoint:
        if not self.world.agree(self.checkpoint_path.exists):
            return Checkpoint(digest)
        at = Checkpoint.load(self.checkpoint_path, digest, self.model, self.optimizer)
        self.objective.load_state_dict(at.objective)
        if at.scaler:
            self.scaler.load_state_dict(at.scaler)
        return at

    def _save(self) -> None:
        self.at.objective = self.objective.state_dict()
        self.at.scaler = self.scaler.state_dict()
        if self.world.leads:
            self.at.save(self.checkpoint_path, self.model, self.optimizer)

    def bar(self, progress: bool) -> tqdm:
        """A progress bar that stands where the run does."""
        steps, show = self.order.steps_per_epoch, progress and self.world.leads
        done = self.at.epoch * steps + self.at.step
        return tqdm(total=self.settings.epochs * steps, initial=done, unit="step", disable=not show)

    def _rows_left(self) -> Iterator[NDArray[np.int64]]:
        """The clips of every batch that is left of the run, of training and of validation."""
        size, step = self.settings.batch_size, self.at.step
        for epoch in range(self.at.epoch, self.settings.epochs):
            rows = self.order.rows(epoch)
            yield from (rows[i : i + size] for i in range(step * size, len(rows), size))
            step = 0
            yield from self._val_rows()

    def _val_rows(self) -> Iterator[NDArray[np.int64]]:
        rows, size = self.data.val_rows, 2 * self.settings.batch_size
        return (rows[i : i + size] for i in range(0, len(rows), size))

    def _batches(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield the clips of each of those batches, and the pixels of this process' share.

        One stream for the whole run: who decodes is started once, and decodes ahead.
        """
        asked: deque[NDArray[np.int64]] = deque()

        def shares() -> Iterator[NDArray[np.int64]]:
            for rows in self._rows_left():
                asked.append(rows)
                yield rows[self.world.slice_of(len(rows))]

        pin = self.device.type == "cuda"
        with closing(self.data.clips.batches(shares(), self.workers, pin)) as pixels:
            for batch in pixels:
                yield asked.popleft(), batch

    def steps(self) -> Iterator[dict[str, float]]:
        """Take the steps that are left of the current epoch."""
        at = self.at
        for rows, batch in islice(self.batches, self.order.steps_per_epoch - at.step):
            parts = self._step(rows, batch)
            at.sums = {name: at.sums.get(name, 0.0) + value for name, value in parts.items()}
            at.step += 1
            every = self.settings.checkpoint_steps
            if every and at.step % every == 0:
                self._save()
            yield parts

    def _step(self, rows: NDArray[np.int64], batch: Tensor) -> dict[str, float]:
        at, settings = self.at, self.settings
        generator = seeded(settings.seed, at.epoch, at.step)
        torch.manual_seed(generator.initial_seed())  # dropout, if the model has any
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(group, at.step)
        self.model.train()
        pixels = batch.to(self.device, non_blocking=True)
        part = self.world.slice_of(len(rows))
        inputs = self.data.preprocess(pixels, generator, part, len(rows))
        with torch.autocast(self.device.type, self.amp_dtype, enabled=self.amp):
            output = self.parallel(inputs)
        parts = self.objective(self._loss_inputs(output, rows, generator))
        values = {name: float(part.detach()) for name, part in parts.items()}
        self._refuse_divergence(values)
        self.optimizer.zero_grad(set_to_none=True)
        # The gradient of a process is its share's; the mean over processes shall be their sum.
        self.scaler.scale(self.world.size * parts["loss"]).backward()
        self.scaler.unscale_(self.optimizer)
        most = settings.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), most)
        if not self.scaler.is_enabled():  # which leaves out steps whose gradient overflows
            self._refuse_divergence(values | {"gradient norm": float(norm)})
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.objective.after_step(parts)
        return values

    def _loss_inputs(
        self, output: Tensor | StudentOutput, rows: NDArray[np.int64], generator: torch.Generator
    ) -> LossInputs:
        """What the loss of the whole batch is computed from: all processes' outputs for it."""
        student = isinstance(output, StudentOutput)
        class_logits, confidence_logit = (
            None if logits is None else self.world.gather(at_least_float32(logits), len(rows))
            for logits in (output if student else (output, None))
        )
        data, teacher = self.data, self.data.teacher_logits
        return LossInputs(
            class_logits=class_logits,
            confidence_logit=confidence_logit,
            teacher_logits=None if teacher is None else teacher[rows].to(self.device),
            labels=data.labels[rows].to(self.device),
            generator=generator,
            video_index=torch.from_numpy(data.clips.video_of(rows)).to(self.device),
        )

    def _learning_rate(self, group: dict, step: int) -> float:
        """The rate of a group of parameters at a step of the current epoch."""
        n_steps = self.settings.epochs * self.order.steps_per_epoch
        done = self.at.epoch * self.order.steps_per_epoch + step
        return group["peak"] * group["schedule"].factor(done, n_steps, self.at.epoch)

    def _refuse_divergence(self, values: dict[str, float]) -> None:
        if all(math.isfinite(value) for value in values.values()):
            return
        saved = self.checkpoint_path
        last = f"the last checkpoint is {saved}" if saved.exists() else "there is no checkpoint yet"
        shown = ", ".join(f"{name} {value:g}" for name, value in values.items())
        raise TrainingDiverged(
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
            row["train_teacher_correct"] = self._teacher_correct
        # Not as the optimizer holds them: a run resumed here has not taken a step yet.
        groups = self.optimizer.param_groups
        lrs = {group["name"]: self._learning_rate(group, at.step - 1) for group in groups}
        row |= {"lr": lrs["backbone"], "confidence_lr": lrs.get("confidence", math.nan)}
        if len(self.data.val_rows):
            row |= validate(self.model, self._val_batches(), self._val_loss_inputs, self.objective)
        at.history.append(row)
        at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
        if self.world.leads:
            _write_history(self.folder / HISTORY, at.history)
        self._save()  # last: what a kill before it leaves undone is done again

    @cached_property
    def _teacher_correct(self) -> float:
        return float(self.data.teacher_correct().float().mean())

    def _val_batches(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        n_batches = len(list(self._val_rows()))
        for rows, batch in islice(self.batches, n_batches):
            yield rows, self.data.preprocess(batch.to(self.device, non_blocking=True))

    def _val_loss_inputs(self, output: Tensor | StudentOutput, rows: NDArray) -> LossInputs:
        return self._loss_inputs(output, rows, seeded(self.settings.seed, 0, len(rows)))


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    part = path.with_name(path.name + ".part")
    pd.DataFrame(history).to_csv(part, index=False)
    part.replace(path)
