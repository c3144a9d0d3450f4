"""Inputs for the tests of the losses, in float64."""

import math

import torch
from torch import Tensor

from condi_lib.losses import LossInputs

LOG3 = math.log(3)  # sigmoid(log 3) = 3/4


def logits_of(*probs: float) -> Tensor:
    """One clip's logits, [1, C], whose softmax is ``probs``."""
    return torch.tensor([probs], dtype=torch.float64).log()


def one_clip(student: Tensor, teacher: Tensor, confidence: float, label: int) -> LossInputs:
    logit = torch.tensor([confidence], dtype=torch.float64)
    return LossInputs(student, logit, teacher, torch.tensor([label]), seeded())


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_inputs(seed: int = 0, n: int = 6, n_classes: int = 5) -> LossInputs:
    """Float64 logits; the teacher is right on every other clip; two videos."""
    rng = seeded(seed)
    student = torch.randn(n, n_classes, generator=rng, dtype=torch.float64)
    teacher = torch.randn(n, n_classes, generator=rng, dtype=torch.float64)
    confidence = torch.randn(n, generator=rng, dtype=torch.float64)
    labels = (teacher.argmax(dim=1) + torch.arange(n) % 2) % n_classes
    return LossInputs(student, confidence, teacher, labels, seeded(), torch.arange(n) % 2)
