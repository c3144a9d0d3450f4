"""Everything that a training run needs to go on after being killed, in one safetensors file.

Tensors (weights, momentum) are stored as they are and numbers as JSON, whose floats read back
exactly: a resumed run continues bit for bit. Nothing is unpickled.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from condi_lib.models.weights import ABOUT

# Files that a killed process leaves half-written: ours, and those that safetensors writes first.
LEFTOVERS = ("*.safetensors.*.part", ".tmp" + 6 * "[0-9A-Za-z]")


@dataclass
class Checkpoint:
    """Where a run stands, apart from its tensors.

    Attributes:
        settings: Fingerprint of what is being trained; another digest is never resumed.
        epoch: Epoch to go on with, from 0.
        step: Step within that epoch to go on with, from 0.
        sums: Running sums of the loss parts over the epoch's finished steps.
        history: One row per finished epoch.
        objective: State of the objective (the λ of ST-Conf).
        scaler: State of the gradient scaler (fp16 on CUDA).
    """

    settings: str
    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    objective: dict[str, float] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path, model: nn.Module, optimizer: Optimizer) -> None:
        """Write the checkpoint under another name, then rename it: a kill leaves the old one."""
        tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
        for index, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{name}"] = value
        _save(tensors, path, {"checkpoint": json.dumps(asdict(self))})

    @classmethod
    def load(
        cls, path: Path, settings: str, model: nn.Module, optimizer: Optimizer
    ) -> "Checkpoint":
        """Restore model and optimizer from ``path`` and return where the run stands.

        Raises:
            ValueError: If the file is not a checkpoint, or one of another run.
        """
        tensors, metadata = _load(path)
        try:
            checkpoint = cls(**json.loads(metadata["checkpoint"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: holds no checkpoint of this version; delete it to start afresh"
            ) from error
        if checkpoint.settings != settings:
            raise ValueError(
                f"{path}: is a checkpoint of another run (settings {checkpoint.settings}, "
                f"here {settings}); delete it or train into another folder"
            )
        model.load_state_dict(_below("model.", tensors))
        _restore_optimizer(optimizer, _below("optimizer.", tensors))
        return checkpoint


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        # In the memory format of its parameter, as if never saved: another one may round otherwise.
        held = torch.empty_like(parameters[int(index)]).copy_(value)
        state.setdefault(int(index), {})[name] = held
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def save_weights(
    model: nn.Module, path: Path, run: str = "", about: Mapping[str, Any] | None = None
) -> None:
    """Write a model's weights as safetensors, by atomic rename.

    ``run`` says whose they are, ``about`` whatever else readers should find in the metadata (as
    JSON, under one key: safetensors writes several in any order, and equal runs have equal files).
    """
    _save(model.state_dict(), path, {ABOUT: json.dumps({"run": run, **(about or {})})})


def run_of_weights(path: Path) -> str:
    """The ``run`` that :func:`save_weights` was given; empty where none is known."""
    return json.loads(_load(path)[1].get(ABOUT, "{}")).get("run", "")


def restore_weights(model: nn.Module, path: Path) -> nn.Module:
    """Load weights written by :func:`save_weights` into ``model`` and return it.

    Raises:
        ValueError: If the file is not safetensors, or its tensors are not those of the model.
    """
    tensors, _ = _load(path)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{path}: these weights are not those of this model: {error}") from error
    return model


def _save(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, part, metadata)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path}: cannot be read as safetensors: {error}; delete it if it is not yours"
        ) from error
