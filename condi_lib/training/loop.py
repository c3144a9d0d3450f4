"""Train a network on clips: one loop for teachers, students and every loss.

All randomness of a step comes from generators seeded by (seed, epoch, step), so a run that is
killed anywhere and started again ends with the same weights, bit for bit, as one that was not
(same machine, same number of threads).
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from condi_lib.losses import LossInputs, Objective, down_sample_majority
from condi_lib.models.student import StudentOutput
from condi_lib.training.checkpoint import Checkpoint, restore_weights, run_of_weights, save_weights
from condi_lib.training.optimizer import branch_optimizer
from condi_lib.training.settings import TrainingData, TrainingSettings, fingerprint
from condi_lib.training.validation import validate

WEIGHTS, CHECKPOINT, HISTORY = "weights.safetensors", "checkpoint.safetensors", "history.csv"


class TrainingDiverged(RuntimeError):
    """The loss or its gradient became NaN or infinite."""


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
        workers: Processes that decode where the clips are not cached.
        progress: Show a progress bar.
        about: What the metadata of the weights should tell of them, such as their classes.

    Returns:
        The trained model, in eval mode.

    Raises:
        TrainingDiverged: If loss or gradient become NaN or infinite; names epoch, step and
            checkpoint.
        ValueError: If the data and the objective do not fit, or ``folder`` holds another run.
    """
    if objective.needs_teacher and data.teacher_logits is None:
        raise ValueError(f"loss {objective.name!r} needs teacher logits: score the clips first")
    if settings.epochs == 0:
        raise ValueError("epochs is 0: there is nothing to train")
    weights, digest = folder / WEIGHTS, fingerprint(model, objective, data, settings)
    if weights.exists():
        model = _finished(model, weights, digest).to(pick_device(device))
        _clear(folder)
        return model.eval()
    run = _Run(model, objective, data, settings, folder, pick_device(device), workers, digest)
    bar = tqdm(total=settings.epochs * run.steps_per_epoch, unit="step", disable=not progress)
    with _deterministic(), torch.random.fork_rng(_cuda_indices(run.device)), bar:
        bar.update(run.at.epoch * run.steps_per_epoch + run.at.step)
        while run.at.epoch < settings.epochs:
            for parts in run.steps():
                bar.set_description(f"{objective.name} {parts['loss']:.3f}")
                bar.update()
            run.finish_epoch()
    save_weights(model, weights, run=digest, about=about)
    _clear(folder)
    return model.eval()


def _cuda_indices(device: torch.device) -> list[int]:
    return [device.index or 0] if device.type == "cuda" else []


@contextmanager
def _deterministic() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield


def _finished(model: nn.Module, weights: Path, digest: str) -> nn.Module:
    if (run := run_of_weights(weights)) != digest:
        raise ValueError(
            f"{weights}: are the weights of another run ({run}, here {digest}); delete them or "
            "train into another folder"
        )
    return restore_weights(model, weights)


def _clear(folder: Path) -> None:
    """Remove what a finished run needs no more, and what killed ones left half-written."""
    (folder / CHECKPOINT).unlink(missing_ok=True)
    for part in folder.glob("*.safetensors.*.part"):
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
        self.model = model.to(device, memory_format=torch.channels_last_3d)
        self.objective, self.data, self.settings = objective, data, settings
        self.folder, self.device, self.workers = folder, device, workers
        self.steps_per_epoch = self._count_steps()
        self.optimizer = branch_optimizer(model, settings)
        self.amp = device.type == "cuda"
        self.amp_dtype = (
            torch.bfloat16 if self.amp and torch.cuda.is_bf16_supported() else torch.float16
        )
        scaling = self.amp and self.amp_dtype == torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaling)
        self.checkpoint_path = folder / CHECKPOINT
        self.at = self._resume(digest)

    def _resume(self, digest: str) -> Checkpoint:
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

    def _count_steps(self) -> int:
        n_clips, size = len(self._epoch_rows(0)), self.settings.batch_size
        if n_clips < size:
            balanced = " balanced" if self.objective.down_sample_majority else ""
            raise ValueError(
                f"{n_clips}{balanced} training clips do not fill one batch of {size}: choose a "
                "smaller batch_size"
            )
        return n_clips // size

    def _epoch_rows(self, epoch: int) -> NDArray[np.int64]:
        """The clips of one epoch, shuffled; as many right as wrong ones where the loss wants it."""
        generator = _generator(self.settings.seed, epoch)
        rows = torch.from_numpy(self.data.rows)
        if self.objective.down_sample_majority:
            rows = rows[down_sample_majority(self.data.teacher_correct(), generator)]
        return rows[torch.randperm(len(rows), generator=generator)].numpy()

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
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate(group, at.step)
        self.model.train()
        inputs = self.data.preprocess(batch.to(self.device), generator)
        with torch.autocast(self.device.type, self.amp_dtype, enabled=self.amp):
            output = self.model(inputs)
        parts = self.objective(self._loss_inputs(output, rows, generator))
        values = {name: float(part.detach()) for name, part in parts.items()}
        self._refuse_divergence(values)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(parts["loss"]).backward()
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
        student = isinstance(output, StudentOutput)
        class_logits, confidence_logit = output if student else (output, None)
        teacher = self.data.teacher_logits
        return LossInputs(
            class_logits=class_logits.float(),
            confidence_logit=None if confidence_logit is None else confidence_logit.float(),
            teacher_logits=None if teacher is None else teacher[rows].to(self.device),
            labels=self.data.labels[rows].to(self.device),
            generator=generator,
        )

    def _learning_rate(self, group: dict, step: int) -> float:
        """The rate of a group of parameters at a step of the current epoch."""
        n_steps = self.settings.epochs * self.steps_per_epoch
        done = self.at.epoch * self.steps_per_epoch + step
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
            row["train_teacher_correct"] = float(self.data.teacher_correct().float().mean())
        # Not as the optimizer holds them: a run resumed here has not taken a step yet.
        groups = self.optimizer.param_groups
        lrs = {group["name"]: self._learning_rate(group, at.step - 1) for group in groups}
        row |= {"lr": lrs["backbone"], "confidence_lr": lrs.get("confidence", math.nan)}
        if len(self.data.val_rows):
            row |= validate(self.model, self._val_batches(), self._val_loss_inputs, self.objective)
        at.history.append(row)
        at.epoch, at.step, at.sums = at.epoch + 1, 0, {}
        _write_history(self.folder / HISTORY, at.history)
        self._save()  # last: what a kill before it leaves undone is done again

    def _val_batches(self) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        rows, size = self.data.val_rows, 2 * self.settings.batch_size
        batches = [rows[i : i + size] for i in range(0, len(rows), size)]
        for batch_rows, batch in zip(
            batches, self.data.clips.batches(batches, self.workers), strict=True
        ):
            yield batch_rows, self.data.preprocess(batch.to(self.device))

    def _val_loss_inputs(self, output: Tensor | StudentOutput, rows: NDArray) -> LossInputs:
        return self._loss_inputs(output, rows, _generator(self.settings.seed, 0, len(rows)))


def _generator(*key: int) -> torch.Generator:
    """A generator of its own for each (seed, epoch[, step])."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    part = path.with_name(path.name + ".part")
    pd.DataFrame(history).to_csv(part, index=False)
    part.replace(path)
