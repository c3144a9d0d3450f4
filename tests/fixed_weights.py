"""Weights that any implementation of a network can be given alike, to compare their logits."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def fill(model: nn.Module, seed: int = 0) -> None:
    """Overwrite every weight and statistic, in the order of the state dict.

    Uniform numbers only, which torch draws alike on every machine. Convolutions and linear layers
    keep the size of their input; batch normalisation is told to shift and scale a little.
    """
    fill_state(model.state_dict(), seed)


def fill_state(state: Mapping[str, Tensor], seed: int = 0) -> None:
    """Overwrite the tensors of a state dict so, in its order."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in state.items():
        if not tensor.is_floating_point():  # counts and tables of positions
            continue
        uniform = torch.rand(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            tensor.copy_((2 * uniform - 1) * (3 / tensor[0].numel()) ** 0.5)
        elif name.endswith(("weight", "running_var")):
            tensor.copy_(0.5 + uniform)
        else:
            tensor.copy_(0.2 * uniform - 0.1)


def fixed_clips(*shape: int, seed: int = 1) -> Tensor:
    """Clips of uniform noise in [0, 1)."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))
