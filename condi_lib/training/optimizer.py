"""The optimiser of a student's two branches."""

import inspect

import torch
from torch import nn

from condi_lib.training.settings import TrainingSettings


class _SGD(torch.optim.SGD):
    """Without wrappers that import torch's compiler, which no training uses: 2 s for every job."""

    add_param_group = inspect.unwrap(torch.optim.SGD.add_param_group)
    state_dict = inspect.unwrap(torch.optim.SGD.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.SGD.load_state_dict)
    zero_grad = inspect.unwrap(torch.optim.SGD.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


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
    return _SGD(
        groups,
        lr=settings.lr,
        momentum=settings.momentum,
        dampening=settings.dampening,
        nesterov=settings.momentum > 0 and not settings.dampening,
        weight_decay=settings.weight_decay,
    )
