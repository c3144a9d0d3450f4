"""What a loss may look at, what must be known about it, and a loss ready for training."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from condi_lib.losses.terms import at_least_float32

Parts = dict[str, Tensor]


@dataclass(frozen=True)
class LossInputs:
    """What a loss may look at, for one batch of clips; half precision is lifted to float32.

    Args:
        class_logits: The student's class scores, ``[B, C]``.
        confidence_logit: The student's confidence before the sigmoid, ``[B]``.
        teacher_logits: The teacher's class scores for the same clips, ``[B, C]``.
        labels: True classes, int64 ``[B]``.
        generator: Source of the random hints or noise of the losses that draw some.
        video_index: Which video each clip is from, int64 ``[B]``; only for losses over pairs.

    Raises:
        ValueError: If the batch is empty or a shape differs from the above.
    """

    class_logits: Tensor
    confidence_logit: Tensor | None
    teacher_logits: Tensor | None
    labels: Tensor
    generator: torch.Generator | None = None
    video_index: Tensor | None = None

    def __post_init__(self) -> None:
        if self.class_logits.ndim != 2 or self.class_logits.numel() == 0:
            shape = list(self.class_logits.shape)
            raise ValueError(f"class_logits must be [B, C] with B, C >= 1, got {shape}")
        per_clip = self.class_logits.shape[:1]
        shapes = {"labels": per_clip, "confidence_logit": per_clip, "video_index": per_clip}
        for name, shape in (shapes | {"teacher_logits": self.class_logits.shape}).items():
            value = getattr(self, name)
            # [B, 1] instead of [B] would silently broadcast to [B, B]
            if value is not None and value.shape != shape:
                raise ValueError(f"{name} must be {list(shape)}, got {list(value.shape)}")
        for name in ("class_logits", "confidence_logit", "teacher_logits"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, at_least_float32(value))

    def require(self, name: str) -> Tensor:
        """Return the optional field ``name`` or say that this loss cannot do without it."""
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"this loss needs LossInputs.{name}, which is None: pass it")
        return value

    @property
    def teacher_correct(self) -> Tensor:
        """The confidence label z: 1 where the teacher's top class is the label, float ``[B]``.

        Thesis Eq. 3.1. Of equal top classes the first counts.
        """
        right = self.require("teacher_logits").argmax(dim=1) == self.labels
        return right.to(self.class_logits.dtype)


@dataclass(frozen=True)
class LossEntry:
    """A loss and what training, scoring and sampling must know about it.

    Args:
        function: From ``LossInputs`` and keyword hyperparameters to named parts.
        score: What ranks clips afterwards: the confidence head or a function of the class logits.
        needs_teacher: Whether teacher logits must be there.
        down_sample_majority: Whether to train on as many right as wrong clips of the teacher.
        budget: The price for hints that λ is steered to; None where λ stays put.
        clips_together: So many clips of a video shall be in a batch together, for losses over
            pairs; 1: clips come one by one.
    """

    function: Callable[..., Parts]
    score: Literal["confidence", "negative_entropy", "max_logit"]
    needs_teacher: bool = True
    down_sample_majority: bool = False
    budget: float | None = None
    clips_together: int = 1

    @property
    def has_confidence(self) -> bool:
        """Whether the student needs a confidence head."""
        return self.score == "confidence"

    @property
    def defaults(self) -> dict[str, float | bool]:
        """Every hyperparameter and its default."""
        parameters = inspect.signature(self.function).parameters.values()
        keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        return keywords if self.budget is None else keywords | {"budget": self.budget}


class Objective:
    """A loss with its hyperparameters fixed, and the little state that ST-Conf needs.

    Call it with ``LossInputs`` for the parts; call ``after_step`` with them after each optimiser
    step. ``state_dict`` is made of plain floats, so that a resumed run continues exactly.
    Attributes: ``name``, ``hyperparameters`` (as built, never changed), and those of its entry.
    """

    def __init__(
        self, name: str, entry: LossEntry, hyperparameters: Mapping[str, float | bool]
    ) -> None:
        self.name = name
        self.hyperparameters = dict(hyperparameters)
        self.needs_teacher = entry.needs_teacher
        self.has_confidence = entry.has_confidence
        self.score = entry.score
        self.down_sample_majority = entry.down_sample_majority
        self.clips_together = entry.clips_together
        self._function = entry.function
        self._arguments = dict(hyperparameters)
        self._budget = self._arguments.pop("budget", None)

    def __call__(self, inputs: LossInputs) -> Parts:
        return self._function(inputs, **self._arguments)

    def after_step(self, parts: Parts) -> None:
        """Steer λ to the budget: hints get cheaper while the price paid is under it.

        DeVries & Taylor's rule: λ /= 1.01 where the budget exceeds ``mean(-log c)``, else /= .99.
        Does nothing for the other losses. With several processes pass parts averaged over all of
        them, or their λ drift apart.
        """
        if self._budget is not None:
            under_budget = self._budget > parts["confidence"].item()
            self._arguments["confidence_weight"] /= 1.01 if under_budget else 0.99

    def state_dict(self) -> dict[str, float]:
        """Return what training has changed: λ where there is a budget, else nothing."""
        if self._budget is None:
            return {}
        return {"confidence_weight": self._arguments["confidence_weight"]}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Continue from ``state_dict()`` of an objective with the same name.

        Raises:
            ValueError: If the state is that of another loss.
        """
        if set(state) != set(self.state_dict()):
            expected, got = sorted(self.state_dict()), sorted(state)
            raise ValueError(f"the state of {self.name!r} has keys {expected}, got {got}")
        self._arguments |= {name: float(value) for name, value in state.items()}


def check_value(loss: str, key: str, value: float | bool, switch: bool) -> None:
    """Raise a ValueError unless ``value`` is in the range of hyperparameter ``key``."""
    high = 1.0 if key in ("beta", "hint_probability") else math.inf
    if switch:
        fits, wanted = isinstance(value, bool), "True or False"
    elif isinstance(value, bool) or not isinstance(value, int | float):
        fits, wanted = False, "a number"
    elif key == "temperature":
        fits, wanted = 0 < value < math.inf, "finite and > 0"
    else:
        fits, wanted = 0 <= value <= high and math.isfinite(value), f"finite, in [0, {high:g}]"
    if not fits:
        raise ValueError(f"{key} of loss {loss!r} must be {wanted}, got {value!r}")
