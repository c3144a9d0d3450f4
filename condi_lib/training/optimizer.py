"""The optimiser of a student's two branches."""

import torch
from torch import nn

from condi_lib.training.settings import TrainingSettings


def branch_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.SGD:
    """SGD with a group of parameters for each branch.

    ``backbone`` has the class head too; ``confidence`` is there if the model is a student. Each
    group carries its ``name``, ``peak`` learning rate and ``schedule``.
    """
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
        dampening=settings.dampening,
        nesterov=settings.momentum > 0 and not settings.dampening,
        weight_decay=settings.weight_decay,
    )
